"""Rows of usage or turns summed up by turn: what the token, cost and context plots stand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from realtime_nb.plots.columns import Floats, numbers, texts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Columns", "Kind", "by_turn", "columns_of", "kinds"]

Kind = tuple[str, str, bool]
"""Direction, modality, cached."""

_MOST = 240  # columns that can be told apart at a notebook's width
_APART = 40  # up to so many stand apart
_FEW = 6  # up to so many are slim


def by_turn(turn: Floats, amount: Floats) -> tuple[Floats, Floats]:
    """Sum amounts by turn.

    Parameters
    ----------
    turn, amount : ndarray of float64, shape (rows,)
        A NaN turn is left out, a NaN amount counts 0.

    Returns
    -------
    turns : ndarray of float64, shape (turns,)
        Ascending.
    sums : ndarray of float64, shape (turns,)
        What belongs to each.
    """
    known = np.isfinite(turn)
    turns, at = np.unique(turn[known], return_inverse=True)
    return turns, _summed(at, amount[known], len(turns))


def kinds(usage: pd.DataFrame, amount: str) -> tuple[Floats, dict[Kind, Floats]]:
    """Sum a column of `usage` by turn for each kind of token that occurs.

    Parameters
    ----------
    usage : pandas.DataFrame
        The frame.
    amount : str
        ``tokens`` or ``cost_usd``.

    Returns
    -------
    turns : ndarray of float64, shape (turns,)
        Ascending.
    sums : dict of Kind to ndarray of float64, shape (turns,)
        Only kinds of which there is any.
    """
    turn, values = numbers(usage, "turn"), numbers(usage, amount)
    names = [texts(usage, name) for name in ("direction", "modality", "cached")]
    turns = np.unique(turn[np.isfinite(turn)])
    sums: dict[Kind, Floats] = {}
    for direction, modality, cached in sorted({(d, m, bool(c)) for d, m, c in zip(*names, strict=True)}, key=str):
        mine = (names[0] == direction) & (names[1] == modality) & (names[2] == cached) & np.isfinite(turn)
        sums[direction, modality, cached] = _summed(np.searchsorted(turns, turn[mine]), values[mine], len(turns))
    return turns, {kind: column for kind, column in sums.items() if column.any()}


def _summed(at: NDArray[np.intp], amount: Floats, length: int) -> Floats:
    """Amounts summed up by place; NaN counts 0."""
    return np.bincount(at, weights=np.nan_to_num(amount), minlength=length).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where columns stand, and how many turns each is the mean of.

    Parameters
    ----------
    left, right : ndarray of float64, shape (columns,)
        Sides, in turns.
    starts : ndarray of int, shape (columns,)
        Index of each column's first turn.
    each : int
        Turns in a column.
    """

    left: Floats
    right: Floats
    starts: NDArray[np.intp]
    each: int

    @property
    def apart(self) -> bool:
        """Whether there is a gap between columns."""
        return len(self.left) < 2 or bool(self.left[1] > self.right[0])

    def mean(self, values: Floats) -> Floats:
        """The mean of a column's turns."""
        sums = np.add.reduceat(values, self.starts)
        return np.asarray(sums / np.diff(np.append(self.starts, len(values))), dtype=np.float64)

    def highest(self, values: Floats) -> NDArray[np.intp]:
        """Index of the turn in each column where `values` is highest."""
        ends = np.append(self.starts[1:], len(values))
        return np.array(
            [start + np.argmax(values[start:end]) for start, end in zip(self.starts, ends, strict=True)], dtype=np.intp
        )


def columns_of(turns: Floats) -> Columns:
    """Lay out columns for these turns: one each, or the mean of several where there are too many.

    Parameters
    ----------
    turns : ndarray of float64, shape (n,)
        Ascending; at least one.

    Returns
    -------
    Columns
        At most 240.
    """
    each = max(1, -(-len(turns) // _MOST))
    starts = np.arange(0, len(turns), each)
    ends = np.append(starts[1:], len(turns)) - 1
    half = 0.28 if len(turns) <= _FEW else 0.4 if len(turns) <= _APART else 0.5
    return Columns(turns[starts] - half, turns[ends] + half, starts, each)
