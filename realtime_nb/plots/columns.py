"""Columns of a frame as arrays, whatever dtypes and missing values they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from realtime_nb.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Floats", "has", "need", "numbers", "texts"]

Floats = NDArray[np.float64]


def has(frame: Any, *names: str) -> bool:
    """Whether it is a frame with these columns."""
    return set(names) <= set(getattr(frame, "columns", ()))


def need(plot: str, source: str, frame: Any, *names: str) -> None:
    """Refuse what is not the frame a plot draws.

    Raises
    ------
    ConfigError
        If it is no frame, or a column is missing.
    """
    if has(frame, *names):
        return
    columns = getattr(frame, "columns", None)
    hint = f"rt.plots.{plot}(session.{source})"
    if columns is None:
        raise ConfigError(f"{plot}() got a {type(frame).__name__}; it draws the frame session.{source}", hint=hint)
    lost = ", ".join(name for name in names if name not in columns)
    raise ConfigError(f"{plot}() got a frame without {lost}; it draws the frame session.{source}", hint=hint)


def numbers(frame: pd.DataFrame, name: str) -> Floats:
    """A column as float64 of shape ``(rows,)``; what is missing is NaN."""
    column = frame[name]
    return np.asarray(column.to_numpy(dtype="float64", na_value=np.nan), dtype=np.float64)


def texts(frame: pd.DataFrame, name: str) -> NDArray[np.object_]:
    """A column as objects of shape ``(rows,)``; what is missing is None."""
    column = frame[name]
    values = np.asarray(column.astype("object").to_numpy(), dtype=object).copy()
    values[np.asarray(column.isna(), dtype=bool)] = None
    return values
