"""How full the context is, turn by turn, and where it was cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from realtime_nb.plots.blocks import layer
from realtime_nb.plots.by_turn import Columns, columns_of, kinds
from realtime_nb.plots.canvas import Size, canvas
from realtime_nb.plots.columns import Floats, has, need, numbers
from realtime_nb.plots.sheet import NOTE_PT, Key, Sheet
from realtime_nb.plots.turn_axis import NO_TURNS, ceiling, turn_axis
from realtime_nb.plots.units import count, percent, plural

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["context"]

_FULL = 0.86  # of the window: above it a server with truncation "auto" drops messages (28,224 of 32,000 at most go in)
_LABELS = 12
_DROP: Literal[7] = 7  # matplotlib.markers.CARETDOWN, whose tip is at the point


def context(data: pd.DataFrame, limit: int = 32_000, *, ax: Axes | None = None, figsize: Size | None = None) -> Axes:
    """Draw how full the context was at the end of each turn, against the model's window.

    Parameters
    ----------
    data : pandas.DataFrame
        ``session.turns`` or ``session.usage``.
    limit : int
        The window in tokens: the card's ``context_window``.
    ax : matplotlib.axes.Axes, optional
        Where; None makes a figure.
    figsize : tuple of float, optional
        Width and height of that figure, inches.

    Returns
    -------
    matplotlib.axes.Axes
        The plot; turn against tokens.

    Raises
    ------
    ConfigError
        If it is another frame.

    Notes
    -----
    What fills the context is the input of a response (cached part hatched) and
    its output. No event tells of a truncation: it is marked where the input of
    a turn is smaller than that of the turn before, or, near the limit, smaller
    than input and output of the turn before (protocol, 6.2). Items you delete,
    and responses outside the conversation, look the same.
    """
    if not has(data, "direction", "tokens", "cached"):
        need("context", "turns", data, "turn", "input_tokens", "cached_tokens", "output_tokens")
    with canvas(ax, figsize, (9, 3.2)) as sheet:
        turns, cached, into, out = _fill(data)
        if not len(turns):
            sheet.empty("Context", *NO_TURNS)
            return sheet.ax
        columns = columns_of(turns)
        _draw(sheet, columns, cached, into, out)
        full = into + out
        ceiling(sheet, limit, float(full.max()), f"the window: {limit:,} tokens")
        cut = dropped(into, out, limit)
        _mark(sheet, turns, full, cut)
        turn_axis(sheet, columns, "count", "fullest")
        sheet.ax.set_ylabel("tokens in context")
        sheet.title(_in_words(full, cut, limit), _keys(sheet, cached, cut))
    return sheet.ax


def _fill(data: pd.DataFrame) -> tuple[Floats, Floats, Floats, Floats]:
    """Turn, cached input, input and output; of several responses in a turn, the last."""
    if has(data, "direction"):
        return _fill_of_usage(data)
    turn, into = numbers(data, "turn"), numbers(data, "input_tokens")
    known = np.flatnonzero(np.isfinite(turn) & np.isfinite(into))
    turns, last = np.unique(turn[known][::-1], return_index=True)
    rows = known[::-1][last]
    cached, out = (np.nan_to_num(numbers(data, name)[rows]) for name in ("cached_tokens", "output_tokens"))
    return turns, np.minimum(cached, into[rows]), into[rows], out


def _fill_of_usage(usage: pd.DataFrame) -> tuple[Floats, Floats, Floats, Floats]:
    last = usage.drop_duplicates("turn", keep="last")["response_id"]
    turns, sums = kinds(usage[usage["response_id"].isin(last)], "tokens")
    zero = np.zeros(len(turns))
    cached = sum((column for kind, column in sums.items() if kind[2]), start=zero)
    into = sum((column for kind, column in sums.items() if kind[0] == "input"), start=zero)
    out = sum((column for kind, column in sums.items() if kind[0] == "output"), start=zero)
    return turns, cached, into, out


def dropped(into: Floats, out: Floats, limit: float) -> NDArray[np.float64]:
    """Tokens that left the context before each turn.

    Parameters
    ----------
    into, out : ndarray of float64, shape (turns,)
        Input and output tokens.
    limit : float
        The window in tokens.

    Returns
    -------
    ndarray of float64, shape (turns,)
        0 where nothing was dropped.

    Examples
    --------
    >>> import numpy as np
    >>> dropped(np.array([100.0, 300, 200]), np.array([50.0, 50, 50]), 1000).tolist()
    [0.0, 0.0, 100.0]
    """
    before = into[:-1] + np.where(into[:-1] + out[:-1] > _FULL * limit, out[:-1], 0)
    return np.concatenate([[0.0], np.maximum(before - into[1:], 0)])[: len(into)]


def _draw(sheet: Sheet, columns: Columns, cached: Floats, into: Floats, out: Floats) -> None:
    """Draw each column's fullest turn."""
    shown = columns.highest(into + out)
    cached, into, out = cached[shown], into[shown], out[shown]
    user, model = sheet.palette.user, sheet.palette.model
    layer(sheet.ax, columns, np.zeros(len(into)), cached, label="cached input", **sheet.hatched(user))
    layer(sheet.ax, columns, cached, into, label="input", facecolor=user)
    layer(sheet.ax, columns, into, into + out, label="output", facecolor=model)


def _mark(sheet: Sheet, turns: Floats, full: Floats, cut: Floats) -> None:
    """Mark the turns before which something was dropped, and say how much while there are few."""
    at, alert = np.flatnonzero(cut), sheet.palette.alert
    few = len(at) <= _LABELS
    look: dict[str, Any] = {"markersize": 6.0 if few else 3.5, "alpha": 1.0 if few else 0.7, "markeredgewidth": 0}
    sheet.ax.plot(turns[at], full[at], linestyle="none", marker=_DROP, color=alert, label="dropped", **look)
    for index in at if few else ():
        sheet.ax.annotate(
            f"\N{MINUS SIGN}{count(cut[index])}", (turns[index], full[index]), (5, 3), textcoords="offset points",
            fontsize=NOTE_PT, color=alert,
        )  # fmt: skip


def _keys(sheet: Sheet, cached: Floats, cut: Floats) -> list[Key]:
    palette = sheet.palette
    keys = [sheet.key(palette.user, "input")]
    if cached.any():
        keys.append(sheet.hatched_key(palette.user, "cached"))
    keys.append(sheet.key(palette.model, "output"))
    if cut.any():
        dropped = Line2D([], [], linestyle="none", marker="v", color=palette.alert, markeredgewidth=0)
        keys.append((dropped, "older messages dropped"))
    return keys


def _in_words(full: Floats, cut: Floats, limit: float) -> str:
    words = f"Context: {full[-1]:,.0f} of {limit:,} tokens ({percent(full[-1] / limit)})"
    times = int(np.count_nonzero(cut))
    return f"{words}, cut {plural(times, 'time')}" if times else words
