"""The one style of all plots, on light or dark paper.

A plot drawn on an Axes of yours takes the palette that is legible on it; one
that makes its own Axes takes the theme: `use` sets it for the notebook, `theme`
for a ``with`` block. The default, ``"auto"``, follows ``figure.facecolor`` of
matplotlib's own settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Literal

import matplotlib as mpl
from matplotlib import colors, font_manager

from realtime_nb.errors import ConfigError
from realtime_nb.plots.palette import DARK, LIGHT, Palette

__all__ = ["Theme", "families", "palette", "palette_on", "rc", "theme", "use"]

Theme = Literal["auto", "light", "dark"]

_THEMES = ("auto", "light", "dark")
_default: list[Theme] = ["auto"]
_here: ContextVar[Theme | None] = ContextVar("theme", default=None)

# matplotlib brings DejaVu Sans; the others are asked only for signs it lacks, where they are installed.
_FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Microsoft YaHei",
    "Hiragino Sans",
    "Noto Sans",
    "Arial",
)


def use(theme: Theme) -> None:
    """Draw on this paper from now on.

    Parameters
    ----------
    theme : {"auto", "light", "dark"}
        ``"auto"`` follows ``figure.facecolor`` of matplotlib's settings.

    Raises
    ------
    ConfigError
        If there is no such theme.
    """
    _default[0] = _checked(theme)


@contextmanager
def theme(theme: Theme) -> Iterator[None]:
    """Draw on this paper within a ``with`` block.

    Parameters
    ----------
    theme : {"auto", "light", "dark"}
        ``"auto"`` follows ``figure.facecolor`` of matplotlib's settings.

    Yields
    ------
    None
        Nothing; what is drawn inside has the theme.

    Raises
    ------
    ConfigError
        If there is no such theme.
    """
    token = _here.set(_checked(theme))
    try:
        yield
    finally:
        _here.reset(token)


def _checked(theme: Theme) -> Theme:
    if theme not in _THEMES:
        raise ConfigError(
            f"there is no theme {theme!r}; the themes are {', '.join(_THEMES)}", hint='rt.plots.use("dark")'
        )
    return theme


def palette() -> Palette:
    """The palette of the theme in force."""
    chosen = _here.get() or _default[0]
    if chosen == "auto":
        return palette_on(mpl.rcParams["figure.facecolor"])
    return DARK if chosen == "dark" else LIGHT


def palette_on(face: Any) -> Palette:
    """The palette that is legible on this colour, in any of matplotlib's forms; transparent counts as white."""
    red, green, blue, alpha = colors.to_rgba(face)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return DARK if alpha * luma + (1 - alpha) < 0.5 else LIGHT


@lru_cache(maxsize=1)
def families() -> list[str]:
    """The fonts there are, the first that has a sign writes it."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in _FONTS if name in installed]


def rc(palette: Palette) -> dict[str, Any]:
    """The style as matplotlib's settings."""
    return {
        "font.family": families(),
        "font.size": 9,
        "text.color": palette.ink,
        "text.parse_math": False,  # transcripts and prices hold dollar signs
        "text.usetex": False,  # and percent signs
        "figure.facecolor": palette.paper,
        "figure.dpi": 100,
        "savefig.facecolor": "auto",
        "axes.facecolor": palette.paper,
        "axes.edgecolor": palette.muted,
        "axes.labelcolor": palette.muted,
        "axes.axisbelow": True,
        "axes.grid": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "axes.titlelocation": "left",
        "axes.titlesize": 10.5,
        "axes.titleweight": "bold",
        "axes.titlepad": 9,
        "axes.titlecolor": palette.ink,
        "xtick.color": palette.muted,
        "ytick.color": palette.muted,
        "xtick.major.size": 3,
        "ytick.major.size": 0,
        "grid.color": palette.faint,
        "grid.linewidth": 0.8,
        "hatch.linewidth": 0.7,
        "legend.frameon": False,
        "legend.fontsize": 8.5,
        "legend.labelcolor": palette.muted,
        "lines.linewidth": 1.6,
        "patch.linewidth": 0,
    }
