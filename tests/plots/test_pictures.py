"""What the plots look like, against pictures somebody looked at.

The pictures hold no words: those depend on fonts, and other tests read them.
To renew one, delete it and run the test: it is written anew, the test fails
once, and you look at it before it is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images

from realtime_nb import plots
from realtime_nb.audio import Audio

BASELINE = Path(__file__).parent / "baseline"
DRAWN_BY = "3.11"  # matplotlib; others hatch and resample a little differently (3.9: 7.1 at most)
TOLERANCE = 2.5 if mpl.__version__.startswith(DRAWN_BY) else 8.0  # root mean square of 255; a layer is 2.7 or more
LARGEST = 40_000  # bytes


def speech() -> Audio:
    """Something like speech: three syllables of a gliding voice."""
    t = np.arange(36_000) / 24_000
    glide = np.cumsum(140 + 60 * np.sin(4 * t)) / 24_000
    voice = sum(np.sin(2 * np.pi * k * glide) / k for k in range(1, 20))
    return Audio((0.3 * np.maximum(np.sin(2 * np.pi * 2 * t), 0) * voice).astype(np.float32), 24_000)


Draw = Callable[[Any, Any, Axes], Axes]
PLOTS: dict[str, Draw] = {
    "waveform": lambda _talk, _long, ax: plots.waveform(speech(), ax=ax),
    "voices": lambda _talk, _long, ax: plots.waveform((speech(), speech()[0.5:]), ax=ax),
    "spectrogram": lambda _talk, _long, ax: plots.spectrogram(speech(), ax=ax),
    "timeline": lambda talk, _long, ax: plots.timeline(talk.history, talk.turns, talk.events, ax=ax),
    "tokens": lambda talk, _long, ax: plots.tokens(talk.usage, ax=ax),
    "cost": lambda talk, _long, ax: plots.cost(talk.usage, 0.015, ax=ax),
    "latency": lambda _talk, long, ax: plots.latency(long.turns, ax=ax),
    "context": lambda _talk, long, ax: plots.context(long.turns, limit=16_000, ax=ax),
    "rate_limits": lambda talk, _long, ax: plots.rate_limits(talk.rate_limits, ax=ax),
}


@pytest.mark.parametrize("paper", ["white", "#15181c"], ids=["light", "dark"])
@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_looks_as_it_did(name: str, paper: str, talk: Any, make_talk: Any, tmp_path: Path) -> None:
    """Without its words, the plot is the picture that was looked at."""
    figure = Figure(figsize=(4.8, 2.4), dpi=100, facecolor=paper)
    ax = figure.add_axes((0.03, 0.06, 0.94, 0.88), facecolor=paper)
    PLOTS[name](talk, make_talk(90), ax)
    hush(ax)
    file = f"{name}-{'light' if paper == 'white' else 'dark'}.png"
    figure.savefig(tmp_path / file, pil_kwargs={"optimize": True})
    expected = BASELINE / file
    if not expected.exists():
        expected.write_bytes((tmp_path / file).read_bytes())
        pytest.fail(f"{expected} was written: look at it, commit it, run again")
    assert expected.stat().st_size <= LARGEST
    assert compare_images(str(expected), str(tmp_path / file), TOLERANCE) is None


def hush(ax: Axes) -> None:
    """Take away what is written."""
    ax.set_title("", loc="left")
    ax.set(xlabel="", ylabel="")
    ax.tick_params(labelbottom=False, labelleft=False)
    for text in ax.texts:
        text.set_visible(False)
    if ax.get_legend() is not None:
        ax.get_legend().remove()
