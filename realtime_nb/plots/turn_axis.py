"""The axis of turns, and the ceilings that stand over it: a budget, a context window."""

from __future__ import annotations

from realtime_nb.plots.by_turn import Columns
from realtime_nb.plots.sheet import Sheet
from realtime_nb.plots.units import ticks, whole_numbers

__all__ = ["NO_TURNS", "ceiling", "turn_axis"]

NO_TURNS = ("no turns yet", 'session.say("Name three rivers of Africa.")')
"""What an empty plot says, and what it tells you to do."""

_IN_VIEW = 4.0  # a ceiling farther away than this times what there is would flatten it; a note says where it is


def turn_axis(sheet: Sheet, columns: Columns, unit: str, shared: str = "") -> None:
    """Make x turns, and y a quantity from zero.

    Parameters
    ----------
    sheet : Sheet
        Where.
    columns : Columns
        What stands there.
    unit : str
        How ticks of y are written: ``count`` or ``usd``.
    shared : str
        What a column shows of its turns where it has several: ``"mean"``.
    """
    air = min(0.02 * (columns.right[-1] - columns.left[0]) + 0.1, 0.45)  # less than half: there is no turn 0
    sheet.ax.set_xlim(columns.left[0] - air, columns.right[-1] + air)
    sheet.ax.xaxis.set_major_locator(whole_numbers())
    sheet.ax.yaxis.set_major_formatter(ticks(unit))
    sheet.ax.locator_params(axis="y", nbins=6)
    sheet.ax.set_xlabel("turn" if columns.each == 1 else f"turn (each column: the {shared} of {columns.each:,})")
    sheet.grid()


def ceiling(sheet: Sheet, value: float, highest: float, label: str) -> bool:
    """Draw what must not be passed, and set the height of the axis.

    Parameters
    ----------
    sheet : Sheet
        Where.
    value, highest : float
        The ceiling, and the highest of what there is, data coordinates.
    label : str
        What it is, in words.

    Returns
    -------
    bool
        Whether it is in view; when it is too far above, a note says how far.
    """
    seen = highest * _IN_VIEW >= value
    sheet.ax.set_ylim(0, max(1.25 * value, 1.12 * highest) if seen else (1.5 * highest or 1.0))
    alert = sheet.palette.alert
    if seen:
        sheet.ax.axhline(value, color=alert, linewidth=1.3, linestyle=(0, (5, 3)), label=label)
        sheet.ax.annotate(
            label, (0, value), (4, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
            color=alert, fontsize=8.5, va="bottom", parse_math=False,
        )  # fmt: skip
    else:
        far = f", {value / highest:,.0f} times higher" if highest > 0 else ""
        sheet.ax.annotate(
            f"\N{UPWARDS ARROW} {label}{far}", (0, 1), (4, -4), xycoords="axes fraction", textcoords="offset points",
            color=alert, fontsize=8.5, va="top", parse_math=False,
        )  # fmt: skip
    return seen
