"""The tokens of each turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from realtime_nb.plots.blocks import layer
from realtime_nb.plots.by_turn import Columns, Kind, columns_of, kinds
from realtime_nb.plots.canvas import Size, canvas
from realtime_nb.plots.columns import Floats, need
from realtime_nb.plots.sheet import Key, Sheet
from realtime_nb.plots.turn_axis import NO_TURNS, turn_axis
from realtime_nb.plots.units import count, percent

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["tokens"]

_SHARES = {"text": 1.0, "audio": 0.62, "image": 0.34}
"""Modality: how much of the role's hue it has; the order of the stack."""


def tokens(usage: pd.DataFrame, *, ax: Axes | None = None, figsize: Size | None = None) -> Axes:
    """Draw the tokens of each turn by modality: what went in above, what came out below, cached input hatched.

    Parameters
    ----------
    usage : pandas.DataFrame
        ``session.usage``.
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
    More than 240 turns share columns, which then show means.
    """
    need("tokens", "usage", usage, "turn", "direction", "modality", "cached", "tokens")
    with canvas(ax, figsize, (9, 3.4)) as sheet:
        turns, sums = kinds(usage, "tokens")
        if not sums:
            sheet.empty("Tokens by turn", *NO_TURNS)
            return sheet.ax
        columns = columns_of(turns)
        into, out = (
            _stack(sheet, columns, sums, direction, side) for direction, side in (("input", 1), ("output", -1))
        )
        cached = [sheet.hatched_key(sheet.palette.user, "cached")] if any(kind[2] for kind in sums) else []
        turn_axis(sheet, columns, "count", "mean")
        sheet.ax.axhline(0, color=sheet.palette.muted, linewidth=0.8)
        sheet.ax.margins(y=0.08)
        sheet.ax.autoscale_view(scalex=False)
        sheet.ax.set_ylabel("tokens: in above, out below" if out else "tokens in")
        sheet.title(f"Tokens by turn: {_in_words(sums)}", [*into, *cached, *out])
    return sheet.ax


def _stack(sheet: Sheet, columns: Columns, sums: dict[Kind, Floats], direction: str, side: int) -> list[Key]:
    """Stack one direction's kinds away from zero, the cached ones first; give their keys."""
    base = np.zeros(len(columns.left))
    hue = sheet.palette.user if direction == "input" else sheet.palette.model
    keys: dict[str, Key] = {}
    for cached in (True, False):
        for modality, share in _SHARES.items():
            if (direction, modality, cached) not in sums:
                continue
            colour = sheet.palette.tint(hue, share)
            top = base + side * columns.mean(sums[direction, modality, cached])
            name = f"{modality} {'in' if side > 0 else 'out'}"
            look = sheet.hatched(colour) if cached else {"facecolor": colour}
            layer(sheet.ax, columns, base, top, label=f"cached {name}" if cached else name, **look)
            keys.setdefault(modality, sheet.key(colour, name))
            base = top
    return [keys[modality] for modality in _SHARES if modality in keys]


def _in_words(sums: dict[Kind, Floats]) -> str:
    total = {kind: float(column.sum()) for kind, column in sums.items()}
    into = sum(amount for kind, amount in total.items() if kind[0] == "input")
    cached = sum(amount for kind, amount in total.items() if kind[2])
    share = f" ({percent(cached / into)} cached)" if into and cached else ""
    return f"{count(into)} in{share}, {count(sum(total.values()) - into)} out"
