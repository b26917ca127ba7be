"""How much room words take, so that a plot writes only what fits."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties

from realtime_nb.plots.style import families

__all__ = ["text_width", "wrapped"]

_FINE = 4  # pixels a point, so that hinting does not round the widths of letters


@lru_cache(maxsize=1)
def _renderer() -> RendererAgg:
    return RendererAgg(1, 1, 72 * _FINE)  # type: ignore[no-untyped-call]  # matplotlib types its artists only


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """The width of one line, in points.

    Parameters
    ----------
    text : str
        One line.
    size : float
        Of the letters, in points.
    weight : {"normal", "bold"}
        Of the letters.

    Returns
    -------
    float
        In points, 1/72 inch.
    """
    font = FontProperties(family=families(), size=size, weight=weight)
    measure: Any = _renderer().get_text_width_height_descent
    width, _, _ = measure(text, font, ismath=False)
    return float(width) / _FINE


def wrapped(text: str, width_pt: float, size: float, *, lines: int | None = None, weight: str = "normal") -> str:
    r"""Break a text between words into lines of this width.

    Parameters
    ----------
    text : str
        Words with single spaces.
    width_pt : float
        Of a line, in points.
    size : float
        Of the letters, in points.
    lines : int, optional
        At most so many; what is left over becomes an ellipsis.
    weight : {"normal", "bold"}
        Of the letters.

    Returns
    -------
    str
        The lines; with `lines`, empty where not even the first word fits.

    Examples
    --------
    >>> wrapped("The Nile, about six thousand kilometres", 80, 8, lines=2)
    'The Nile, about six\nthousand…'
    """
    rows: list[str] = []
    for word in text.split():
        longer = f"{rows[-1]} {word}" if rows else word
        if rows and text_width(longer, size, weight) <= width_pt:
            rows[-1] = longer
        else:
            rows.append(word)
    if lines is None:
        return "\n".join(rows)
    fitting = next((at for at, row in enumerate(rows) if text_width(row, size, weight) > width_pt), len(rows))
    shown = min(fitting, lines)
    while 0 < shown < len(rows) and not (short := _shortened(rows[shown - 1], width_pt, size, weight)):
        shown -= 1  # what is left over is always told by an ellipsis, even if that costs a line
    if 0 < shown < len(rows):
        rows[shown - 1] = short
    return "\n".join(rows[:shown])


def _shortened(row: str, width_pt: float, size: float, weight: str) -> str:
    """The row with an ellipsis, less the words that then do not fit."""
    words = row.split()
    while words:
        row = " ".join(words).rstrip(",;:.") + "\N{HORIZONTAL ELLIPSIS}"
        if text_width(row, size, weight) <= width_pt:
            return row
        words.pop()
    return ""
