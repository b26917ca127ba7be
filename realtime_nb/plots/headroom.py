"""How much the rate limits still allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from realtime_nb.plots.canvas import Size, canvas
from realtime_nb.plots.columns import Floats, need, numbers, texts
from realtime_nb.plots.sheet import Sheet
from realtime_nb.plots.units import count, percent

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["rate_limits"]

_LOW = 0.1
_DASHES = ((0, (4, 2)), (0, (1, 1.5)))


def rate_limits(frame: pd.DataFrame, *, ax: Axes | None = None, figsize: Size | None = None) -> Axes:
    """Draw what each rate limit still allowed: a drop at each response, and the refill after it.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``session.rate_limits``.
    ax : matplotlib.axes.Axes, optional
        Where; None makes a figure.
    figsize : tuple of float, optional
        Width and height of that figure, inches.

    Returns
    -------
    matplotlib.axes.Axes
        The plot; time in seconds against the share of the limit that is left.

    Raises
    ------
    ConfigError
        If it is another frame.

    Notes
    -----
    Drops are what ``rate_limits.updated`` told. Between them the plot refills
    the limit in a straight line over ``reset_seconds``, as was measured
    (protocol, 6.1).
    """
    need("rate_limits", "rate_limits", frame, "t_s", "name", "limit", "remaining", "reset_s")
    with canvas(ax, figsize, (9, 2.8)) as sheet:
        told = _told(frame)
        if not told:
            words = "no rate limits were told: a local server has none unless it is given a tier"
            sheet.empty("Rate limits", words, "realtime-nb serve --tier 1")
            return sheet.ax
        last = max(float(rows[0][-1]) for rows in told.values())
        tightest, *others = sorted(told, key=lambda name: _lowest(told[name]))
        end = last * 1.04 or 1.0
        _line(sheet, tightest, told[tightest], end, color=sheet.palette.ink, linewidth=1.7, zorder=2.2)
        for name, dashes in zip(others, _DASHES * len(others), strict=False):
            _line(sheet, name, told[name], end, color=sheet.palette.muted, linewidth=1.3, linestyle=dashes)
        sheet.ax.axhspan(0, _LOW, color=sheet.palette.tint(sheet.palette.alert, 0.14), linewidth=0, zorder=0)
        sheet.note(
            0.995, _LOW / 2, f"under {percent(_LOW)}", ha="right", va="center", transform=sheet.ax.get_yaxis_transform()
        )
        sheet.ax.set_ylim(0, 1.06)
        sheet.ax.yaxis.set_major_formatter(PercentFormatter(1))
        sheet.ax.set_ylabel("left of the limit")
        sheet.grid()
        sheet.time_axis(0, end)
        lowest = max(0.0, _lowest(told[tightest]))
        words = f"Rate limits: {percent(lowest)} left at the lowest ({tightest})"
        sheet.title(words, [(line, str(line.get_label())) for line in sheet.ax.get_lines()])
    return sheet.ax


_Rows = tuple[Floats, Floats, Floats, Floats]


def _told(frame: pd.DataFrame) -> dict[str, _Rows]:
    """Time, limit, remaining and seconds to the refill, by the limit's name; incomplete rows are left out."""
    time, limit, left, reset = (numbers(frame, name) for name in ("t_s", "limit", "remaining", "reset_s"))
    names = texts(frame, "name")
    known = np.isfinite(time) & np.isfinite(left) & (limit > 0)
    told = {}
    for name in sorted({str(name) for name in names[known] if name is not None}):
        mine = known & (names == name)
        told[name] = (time[mine], limit[mine], left[mine], np.nan_to_num(reset[mine]))
    return told


def _lowest(rows: _Rows) -> float:
    _, limit, left, _ = rows
    return float(np.min(left / limit))


def _line(sheet: Sheet, name: str, rows: _Rows, end_s: float, **look: Any) -> None:
    time, share = _sawtooth(*rows, end_s)
    label = f"{name}: {count(max(0.0, rows[2][-1]))} of {count(rows[1][-1])} left"
    sheet.ax.plot(time, share, label=label, solid_joinstyle="round", **look)


def _sawtooth(time: Floats, limit: Floats, left: Floats, reset: Floats, end_s: float) -> tuple[Floats, Floats]:
    """The share left at each news, when it was full again, and just before the next news or the end of the axis."""
    share = left / limit
    until = np.append(time[1:], max(end_s, time[-1] + reset[-1]))
    full = np.minimum(time + reset, until)
    passed = np.divide(full - time, reset, out=np.zeros_like(share), where=reset > 0)
    refilled = share + (1 - share) * passed
    points = np.stack([time, full, until], axis=1).ravel()
    shares = np.stack([share, refilled, refilled], axis=1).ravel()
    return np.concatenate([[0.0], [points[0]], points]), np.concatenate([[1.0, 1.0], shares])
