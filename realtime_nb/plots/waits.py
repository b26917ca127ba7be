"""How long one waits for a reply, by stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from realtime_nb.plots.canvas import Size, canvas
from realtime_nb.plots.columns import Floats, need, numbers
from realtime_nb.plots.sheet import Sheet
from realtime_nb.plots.turn_axis import NO_TURNS
from realtime_nb.plots.units import duration, plural

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["latency"]

_GOLDEN = 0.618033988749895  # multiples of it, modulo 1, spread evenly and look like chance, but never change
_MANY = 8  # replies from which quartiles mean something
_ALIKE = 1 + 1e-9  # times nearer than this are one: there is no room for bins between them
_CROWD = 30  # replies from which dots are a cloud
_DECADE_PT = 170  # three labels need so much from 1 to 10
_STAGES = ("first words", "words to sound", "first sound", "whole reply")
_TELLING = ("first sound", "first words", "whole reply")


def latency(turns: pd.DataFrame, *, ax: Axes | None = None, figsize: Size | None = None) -> Axes:
    """Draw how long each stage of a reply took: every reply a dot, the median a mark.

    Parameters
    ----------
    turns : pandas.DataFrame
        ``session.turns``.
    ax : matplotlib.axes.Axes, optional
        Where; None makes a figure.
    figsize : tuple of float, optional
        Width and height of that figure, inches.

    Returns
    -------
    matplotlib.axes.Axes
        The plot; time on a logarithmic axis against stages.

    Raises
    ------
    ConfigError
        If it is another frame.

    Notes
    -----
    *First words*, *first sound* and *whole reply* are ``first_text_ms``,
    ``first_audio_ms`` and ``total_ms``. *Words to sound* is the voice's share,
    the difference of the first two: a clause's words are sent before its sound.
    """
    need("latency", "turns", turns, "first_text_ms", "first_audio_ms", "total_ms")
    with canvas(ax, figsize, (9, 3)) as sheet:
        stages = _stages(turns)
        if not stages:
            sheet.empty("Latency", *NO_TURNS)
            return sheet.ax
        main = next(name for name in _TELLING if name in stages)
        for row, (name, times) in enumerate(stages.items()):
            _row(sheet, row, times, sheet.palette.model if name == main else sheet.palette.muted)
        _frame(sheet, stages)
        times = stages[main]
        median = duration(float(np.median(times)))
        sheet.title(f"Latency: {main} after {median} (median of {plural(len(times), 'reply', 'replies')})")
    return sheet.ax


def _stages(turns: pd.DataFrame) -> dict[str, Floats]:
    """Milliseconds by stage; only stages that happened, only times above zero (a logarithm has no other)."""
    text, sound, total = (numbers(turns, name) for name in ("first_text_ms", "first_audio_ms", "total_ms"))
    times = dict(zip(_STAGES, (text, sound - text, sound, total), strict=True))
    kept = {name: column[np.isfinite(column) & (column > 0)] for name, column in times.items()}
    return {name: column for name, column in kept.items() if len(column)}


def _row(sheet: Sheet, row: int, times: Floats, hue: str) -> None:
    """Draw one stage: dots spread by how many are alike; where there are enough, quartiles; and the median."""
    ax = sheet.ax
    spread = (np.arange(len(times)) * _GOLDEN % 1 - 0.5) * 0.66 * _crowding(times)
    alpha = float(np.clip(14 / np.sqrt(len(times)), 0.08, 0.7))
    size = 6 if len(times) < _MANY else 4
    ax.plot(
        times, row + spread, linestyle="none", marker="o", markersize=size, markeredgewidth=0, color=hue, alpha=alpha
    )
    quarter, median, three_quarters = np.quantile(times, (0.25, 0.5, 0.75))
    if len(times) >= _MANY:
        over = 2.5 if len(times) > _CROWD else 1.5  # single dots lie on it, a cloud of them lies under it
        ax.hlines(row, quarter, three_quarters, color=sheet.palette.tint(hue, 0.5), linewidth=7, zorder=over)
    ax.plot([median], [row], marker="|", markersize=16, markeredgewidth=2.2, color=sheet.palette.ink, zorder=3)


def _tick(name: str, times: Floats) -> str:
    """A stage's name, its median, and what 95% stay under."""
    tail = f", 95% < {duration(float(np.quantile(times, 0.95)))}" if len(times) >= 20 else ""
    return f"{name}\n{duration(float(np.median(times)))}{tail}"


def _short(ms: float, _position: int) -> str:
    return f"{ms:g} ms" if ms < 1000 else f"{ms / 1000:g} s"


def _crowding(times: Floats) -> Floats:
    """How many others are near each time, as a share of the densest place."""
    if len(times) < _MANY or times.max() <= _ALIKE * times.min():
        return np.zeros(len(times))
    counts, edges = np.histogram(np.log(times), bins=max(8, min(60, len(times) // 10)))
    smooth = np.convolve(counts, (0.25, 0.5, 0.25), mode="same")
    middles = (edges[1:] + edges[:-1]) / 2
    return np.asarray(np.interp(np.log(times), middles, smooth / smooth.max()), dtype=np.float64)


def _frame(sheet: Sheet, stages: dict[str, Floats]) -> None:
    ax = sheet.ax
    everything = np.concatenate(list(stages.values()))
    ax.set_ylim(len(stages) - 0.45, -0.55)
    ax.set_yticks(range(len(stages)), [_tick(name, times) for name, times in stages.items()], linespacing=1.35)
    ax.spines["left"].set_visible(False)
    low, high = everything.min() / 1.3, everything.max() * 1.3
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.set_xlabel("time since the user stopped speaking, or asked")
    decade_pt = sheet.settle()[0] * (high - low) / np.log10(high / low)
    ax.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5) if decade_pt > _DECADE_PT else (1, 3), numticks=12))
    ax.xaxis.set_major_formatter(FuncFormatter(_short))
    ax.xaxis.set_minor_formatter(NullFormatter())
    sheet.grid("x")
