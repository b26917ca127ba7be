"""What a session has cost, against its budget."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from realtime_nb.plots.blocks import layer
from realtime_nb.plots.by_turn import Columns, by_turn, columns_of, kinds
from realtime_nb.plots.canvas import Size, canvas
from realtime_nb.plots.columns import Floats, has, need, numbers
from realtime_nb.plots.sheet import Key, Sheet
from realtime_nb.plots.turn_axis import NO_TURNS, ceiling, turn_axis
from realtime_nb.plots.units import percent, plural, usd

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cost"]

_PARTS = (("input", True, "cached input"), ("input", False, "input"), ("output", False, "output"))


def cost(
    data: pd.DataFrame, budget_usd: float | None = None, *, ax: Axes | None = None, figsize: Size | None = None
) -> Axes:
    """Draw what was spent, turn upon turn, and the budget over it.

    Parameters
    ----------
    data : pandas.DataFrame
        ``session.usage`` (told apart: cached input, input, output) or
        ``session.turns`` (the sum alone).
    budget_usd : float, optional
        What may be spent, US dollars.
    ax : matplotlib.axes.Axes, optional
        Where; None makes a figure.
    figsize : tuple of float, optional
        Width and height of that figure, inches.

    Returns
    -------
    matplotlib.axes.Axes
        The plot; turn against US dollars.

    Raises
    ------
    ConfigError
        If it is another frame.

    Notes
    -----
    What has no price counts nothing, and the title says so.
    """
    need("cost", "usage", data, "turn", "cost_usd")
    with canvas(ax, figsize, (9, 3.2)) as sheet:
        turns, parts = _parts(data)
        if not len(turns):
            sheet.empty("Cost", *NO_TURNS)
            return sheet.ax
        total = _draw(sheet, turns, parts)
        if budget_usd is None:
            sheet.ax.set_ylim(0, 1.15 * total[-1] or 1.0)
        else:
            ceiling(sheet, budget_usd, float(total[-1]), f"budget {usd(budget_usd)}")
        turn_axis(sheet, columns_of(turns), "usd")
        sheet.ax.set(xlim=(turns[0] - 0.5, turns[-1] + 0.5), xlabel="turn")
        sheet.ax.set_ylabel("US dollars, summed up")
        sheet.title(_in_words(turns, total, budget_usd, _unpriced(data)), _keys(sheet, parts))
    return sheet.ax


def _parts(data: pd.DataFrame) -> tuple[Floats, dict[str, Floats]]:
    """What each turn cost, in the parts that can be told apart."""
    if not has(data, "direction", "cached", "modality"):
        turns, sums = by_turn(numbers(data, "turn"), numbers(data, "cost_usd"))
        return turns, {"all": sums}
    turns, sums_by_kind = kinds(data, "cost_usd")
    parts = {
        name: sum(
            (c for kind, c in sums_by_kind.items() if (kind[0], kind[2]) == (direction, cached)), np.zeros(len(turns))
        )
        for direction, cached, name in _PARTS
    }
    return turns, {name: column for name, column in parts.items() if column.any()}


def _look(sheet: Sheet, part: str) -> dict[str, Any]:
    palette = sheet.palette
    looks = {
        "all": {"facecolor": palette.tint(palette.muted, 0.3)},
        "cached input": sheet.hatched(palette.user),
        "input": {"facecolor": palette.user},
        "output": {"facecolor": palette.model},
    }
    return looks[part]


def _draw(sheet: Sheet, turns: Floats, parts: dict[str, Floats]) -> Floats:
    """Draw the parts upon each other, a step a turn; give the total."""
    edges = np.append(turns, turns[-1] + 1) - 0.5
    steps = Columns(edges[:-1], edges[1:], np.arange(len(turns)), each=1)
    base = np.zeros(len(turns))
    for part, column in parts.items():
        top = base + np.cumsum(column)
        layer(sheet.ax, steps, base, top, label=part, **_look(sheet, part))
        base = top
    look: dict[str, Any] = {
        "color": sheet.palette.ink,
        "linewidth": 1.3,
        "solid_joinstyle": "miter",
        "solid_capstyle": "butt",
    }
    sheet.ax.plot(np.repeat(edges, 2)[1:-1], np.repeat(base, 2), label="total", **look)
    return base


def _keys(sheet: Sheet, parts: dict[str, Floats]) -> list[Key]:
    return [(Patch(linewidth=0, **_look(sheet, part)), part) for part in parts if part != "all"]


def _unpriced(data: pd.DataFrame) -> int:
    """How many turns hold something without a price."""
    turn, priced = numbers(data, "turn"), np.isfinite(numbers(data, "cost_usd"))
    return len(np.unique(turn[~priced & np.isfinite(turn)]))


def _in_words(turns: Floats, total: Floats, budget_usd: float | None, unpriced: int) -> str:
    words = f"Cost: {usd(float(total[-1]))} after {plural(len(turns), 'turn')}"
    if budget_usd:
        words += f", {percent(total[-1] / budget_usd)} of the budget"
        over = np.flatnonzero(total > budget_usd)
        words += f", passed in turn {turns[over[0]]:.0f}" if len(over) else ""
    return f"{words} ({plural(unpriced, 'turn')} without a price)" if unpriced else words
