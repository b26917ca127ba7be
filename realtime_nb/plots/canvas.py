"""Where a plot is drawn: your Axes, or one made here that shows its figure in the notebook without pyplot.

matplotlib gives a Figure made by ``matplotlib.figure.Figure`` no picture of its
own: only pyplot's inline backend draws figures, and only those pyplot knows. So
figures made here are `PlotFigure`, and their Axes `PlotAxes`: both have
``_repr_png_``, and either shows the figure when it is the last value of a cell
or is given to ``display``. Where the inline backend is active, its own printer
is asked for figures first and shows the same picture; nothing is shown twice,
for pyplot never hears of the figure.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from realtime_nb.errors import ConfigError
from realtime_nb.plots import style
from realtime_nb.plots.palette import Palette
from realtime_nb.plots.sheet import Sheet

__all__ = ["PlotAxes", "PlotFigure", "Size", "canvas"]

Size = tuple[float, float]
"""Width and height in inches."""

_SHARPNESS = 2  # pixels of the picture for one of the page: screens have two


def _picture(figure: Figure) -> tuple[bytes, dict[str, Any]]:
    """The figure as PNG, and what the page should know of it.

    It has at most 256 colours, which nobody can tell from all of them: a plot
    has few, and a notebook keeps a third of the bytes.
    """
    width, height = (round(inches * figure.dpi) for inches in figure.get_size_inches())
    drawn, png = io.BytesIO(), io.BytesIO()
    with _any_script(), mpl.rc_context({"text.usetex": False}):  # some ticks are made only now
        figure.savefig(drawn, format="png", dpi=figure.dpi * _SHARPNESS, pil_kwargs={"compress_level": 1})
    picture = Image.open(drawn).convert("RGB")
    few = picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(png, format="png", optimize=True)
    words = "; ".join(title for ax in figure.axes if (title := _title(ax)))
    return png.getvalue(), {"width": width, "height": height, "alt": words}


@contextmanager
def _any_script() -> Iterator[None]:
    """A transcript may hold signs that no font here has; they are drawn as boxes, and nobody is told of each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def _title(ax: Axes) -> str:
    return ax.get_title(loc="left").replace("\n", " ")


class PlotFigure(Figure):
    """A Figure that shows itself in a notebook, without pyplot."""

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        return _picture(self)


class PlotAxes(Axes):
    """An Axes that shows its figure when it is the last value of a cell."""

    def _repr_png_(self) -> tuple[bytes, dict[str, Any]]:
        return _picture(self.figure.canvas.figure)

    def __repr__(self) -> str:
        return f"<PlotAxes: {_title(self)}>"


@contextmanager
def canvas(ax: Axes | None, size: Size | None, default: Size) -> Iterator[Sheet]:
    """Give the sheet to draw on, with the style in force while it is drawn.

    Parameters
    ----------
    ax : matplotlib.axes.Axes, optional
        Yours; None makes a figure.
    size : tuple of float, optional
        Width and height of that figure, inches.
    default : tuple of float
        The plot's own size, inches.

    Yields
    ------
    Sheet
        Axes and palette.

    Raises
    ------
    ConfigError
        If yours are polar, or of three dimensions.
    """
    if ax is not None and ax.name != "rectilinear":
        raise ConfigError(f"a plot needs axes with x and y; these are {ax.name}", hint="ax = figure.add_subplot()")
    palette = style.palette() if ax is None else style.palette_on(_behind(ax))
    settings: Any = style.rc(palette)
    with mpl.rc_context(settings), _any_script():
        if ax is None:
            figure = PlotFigure(figsize=size or default, layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
            yield Sheet(figure.add_subplot(axes_class=PlotAxes), palette, ours=True)
        else:
            _dress(ax, palette)
            yield Sheet(ax, palette, ours=False)


def _behind(ax: Axes) -> Any:
    """What is seen behind the Axes: its own face, or the figure's where that is transparent."""
    face: Any = ax.get_facecolor()
    return ax.figure.get_facecolor() if to_rgba(face)[3] == 0 else face


def _dress(ax: Axes, palette: Palette) -> None:
    """Give an Axes made elsewhere the style's rules and ticks; its paper stays."""
    ax.spines[["top", "right"]].set_visible(False)
    for spine in ax.spines.values():
        spine.set_color(palette.muted)
    ax.tick_params(which="both", colors=palette.muted, labelsize=9)
    ax.tick_params(axis="y", length=0)
    ax.xaxis.label.set(color=palette.muted, fontsize=9)
    ax.yaxis.label.set(color=palette.muted, fontsize=9)
