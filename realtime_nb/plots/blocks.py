"""Columns and spans as one artist a series: a thousand cost what ten do."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from realtime_nb.plots.by_turn import Columns
from realtime_nb.plots.columns import Floats

__all__ = ["layer", "spans"]

_HATCHED = 100  # spans, at most: a hatch takes 1.5 ms for each


def spans(ax: Axes, start: Floats, end: Floats, lane: tuple[float, float], **style: Any) -> PolyCollection:
    """Draw spans of time in one lane.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where.
    start, end : ndarray of float64, shape (n,)
        Seconds.
    lane : tuple of float
        Bottom and top, data coordinates.
    **style : dict
        Properties of the collection.

    Returns
    -------
    matplotlib.collections.PolyCollection
        A rectangle for each; more than 100 are not hatched.
    """
    bottom, top = (np.full(len(start), edge) for edge in lane)
    if len(start) > _HATCHED:
        style["hatch"] = None
    return _add(ax, _rectangles(start, end, bottom, top), style)


def layer(ax: Axes, columns: Columns, bottom: Floats, top: Floats, **style: Any) -> PolyCollection:
    """Draw one layer of stacked columns.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where.
    columns : Columns
        Where they stand.
    bottom, top : ndarray of float64, shape (columns,)
        From where to where, data coordinates.
    **style : dict
        Properties of the collection.

    Returns
    -------
    matplotlib.collections.PolyCollection
        A rectangle for each column; where they touch, one outline.
    """
    if columns.apart:
        return _add(ax, _rectangles(columns.left, columns.right, bottom, top), style)
    across = np.stack([columns.left, columns.right], axis=1).ravel()
    there, back = np.repeat(top, 2), np.repeat(bottom, 2)[::-1]
    outline = np.stack([np.append(across, across[::-1]), np.append(there, back)], axis=1)
    return _add(ax, outline[None], style)


def _rectangles(left: Floats, right: Floats, bottom: Floats, top: Floats) -> Floats:
    """Corners, of shape (n, 4, 2); those of no extent are left out."""
    sides = np.stack([left, right, bottom, top], axis=1)
    sides = sides[np.isfinite(sides).all(axis=1) & (left != right) & (bottom != top)]
    return np.asarray(sides[:, [[0, 2], [1, 2], [1, 3], [0, 3]]], dtype=np.float64)


def _add(ax: Axes, corners: Floats, style: dict[str, Any]) -> PolyCollection:
    collection = PolyCollection(list(corners), **({"linewidth": 0} | style))
    collection.set_in_layout(False)  # it cannot reach beyond the axes; measuring it is what takes time
    ax.add_collection(collection, autolim=False)
    ax.update_datalim(corners.reshape(-1, 2))
    return collection
