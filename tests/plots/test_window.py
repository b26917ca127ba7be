"""How full the context is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb import plots
from realtime_nb.errors import ConfigError
from realtime_nb.plots.window import dropped


def top(ax: Any, label: str) -> np.ndarray:
    """The upper edges of a layer's columns."""
    (one,) = (one for one in ax.collections if one.get_label() == label)
    return np.array([path.vertices[:, 1].max() for path in one.get_paths()])


@pytest.mark.parametrize("frame", ["usage", "turns"])
def test_a_column_is_what_the_context_held(talk: Any, frame: str) -> None:
    """Input and output of the turn's response, the cached part of the input hatched: the same from both frames."""
    ax = plots.context(getattr(talk, frame))
    turns = talk.turns
    full = (turns["input_tokens"] + turns["output_tokens"]).to_numpy(float)
    assert top(ax, "output")[-1] == full[-1]
    assert top(ax, "cached input").tolist() == turns["cached_tokens"].to_list()
    assert [one.get_label() for one in ax.collections if one.get_hatch()] == ["cached input"]
    assert ax.get_title(loc="left") == "Context: 1,577 of 32,000 tokens (4.9%)"


def test_the_window_is_drawn_when_it_is_near(talk: Any) -> None:
    """The card's window is a line; far above, it is told in words."""
    near, far = plots.context(talk.turns, limit=4_000), plots.context(talk.turns)
    assert [text.get_text() for text in near.texts] == ["the window: 4,000 tokens"]
    assert near.get_ylim()[1] > 4_000
    assert "times higher" in far.texts[0].get_text()
    assert far.get_ylim()[1] < 4_000


def test_what_was_dropped_is_marked(make_talk: Callable[[int], Any]) -> None:
    """Where the input shrinks, a mark says by how much, and the title how often."""
    talk = make_talk(200)
    ax = plots.context(talk.turns)
    (marks,) = (line for line in ax.lines if line.get_label() == "dropped")
    shrunk = np.flatnonzero(np.diff(talk.turns["input_tokens"].to_numpy(float)) < 0) + 2
    assert marks.get_xdata().tolist() == shrunk.tolist()
    assert "cut 1 time" in ax.get_title(loc="left")
    assert any(text.get_text().startswith("\N{MINUS SIGN}") for text in ax.texts)


@pytest.mark.parametrize(
    ("into", "out", "wanted"),
    [
        ([100, 300, 200], [50, 50, 50], [0, 0, 100]),
        ([100, 300, 340], [50, 50, 50], [0, 0, 0]),  # a cut reply comes back shorter than it was made
        ([880, 900, 890], [100, 100, 100], [0, 80, 110]),  # full: what does not grow by the reply has lost as much
        ([100], [50], [0]),
        ([], [], []),
    ],
)
def test_tokens_dropped(into: list[float], out: list[float], wanted: list[float]) -> None:
    """A smaller input has lost something; near the limit, so has one that did not grow by the reply."""
    assert dropped(np.array(into, float), np.array(out, float), 1000).tolist() == wanted


@pytest.mark.parametrize("count", [1, 9, 90, 900])
def test_turns_are_counted_from_one(make_talk: Callable[[int], Any], count: int) -> None:
    """No tick in view names a turn that there is not."""
    for ax in (plots.context(make_talk(count).turns), plots.tokens(make_talk(count).usage)):
        low, high = ax.get_xlim()
        assert all(1 <= tick <= count for tick in ax.get_xticks() if low <= tick <= high)


def test_turns_without_usage_are_left_out(talk: Any) -> None:
    """A turn that failed has no tokens and no column."""
    turns = talk.turns.copy()
    turns.loc[5, ["input_tokens", "cached_tokens", "output_tokens"]] = pd.NA
    assert len(top(plots.context(turns), "input")) == 5


def test_ten_thousand_turns_show_the_fullest(make_talk: Callable[[int], Any]) -> None:
    """Columns that stand for many turns show the fullest of them: that is what meets the limit."""
    turns = make_talk(10_000).turns
    ax = plots.context(turns)
    assert ax.get_xlabel() == "turn (each column: the fullest of 42)"
    assert top(ax, "output").max() == (turns["input_tokens"] + turns["output_tokens"]).max()
    assert ax._repr_png_()


def test_nothing_yet_says_what_to_do(nothing: Any) -> None:
    """Empty frames of both kinds give an empty plot with a line that changes that."""
    for frame in (nothing.turns, nothing.usage):
        assert "no turns yet" in [text.get_text() for text in plots.context(frame).texts]


def test_another_frame_is_refused(talk: Any) -> None:
    """The error names what is missing."""
    with pytest.raises(ConfigError, match="input_tokens"):
        plots.context(talk.history)
