"""Where plots are drawn and how they show themselves."""

from __future__ import annotations

import io
import pickle
import warnings
from typing import Any

import matplotlib as mpl
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from realtime_nb import plots
from realtime_nb.audio import Audio
from realtime_nb.errors import ConfigError
from realtime_nb.plots.accessor import PlotAccessor
from realtime_nb.plots.palette import DARK

TONE = Audio.tone(440, 0.2)


def test_axes_in_axes_out() -> None:
    """A plot draws on the Axes it is given and gives that one back."""
    figure = Figure()
    ax = figure.add_subplot()
    assert plots.waveform(TONE, ax=ax) is ax
    assert figure.axes == [ax]


def test_a_plot_makes_its_own_figure() -> None:
    """Without Axes there is a figure of the size that was asked for."""
    ax = plots.waveform(TONE, figsize=(5, 2))
    assert tuple(ax.figure.get_size_inches()) == (5, 2)


@pytest.mark.parametrize("projection", ["polar", "3d"])
def test_axes_without_x_and_y_are_refused(projection: str) -> None:
    """Nothing is drawn on them."""
    ax = Figure().add_subplot(projection=projection)
    with pytest.raises(ConfigError, match=projection):
        plots.waveform(TONE, ax=ax)
    assert not ax.has_data()


@pytest.mark.parametrize("name", ["timeline", "tokens", "cost", "latency", "context", "rate_limits"])
def test_a_figure_can_be_pickled(session: Any, name: str) -> None:
    """As every figure of matplotlib; it looks the same afterwards."""
    figure = getattr(PlotAccessor(session), name)().figure
    again = pickle.loads(pickle.dumps(figure))  # noqa: S301 - our own bytes
    assert again._repr_png_() == figure._repr_png_()


@pytest.mark.parametrize("name", ["timeline", "cost", "latency"])
def test_no_word_goes_to_latex(session: Any, name: str) -> None:
    """Where a notebook sets its own plots with it, too: what was said, prices and shares are not its language."""
    with mpl.rc_context({"text.usetex": True}):
        ax = getattr(PlotAccessor(session), name)()
        ax._repr_png_()
    assert not any(text.get_usetex() for text in ax.figure.findobj(Text))


def test_a_notebooks_own_grid_is_not_drawn_over_a_plot() -> None:
    """Many styles have one; over a spectrogram its rules look like silence."""
    plain = plots.spectrogram(TONE)._repr_png_()
    with mpl.rc_context({"axes.grid": True}):
        assert plots.spectrogram(TONE)._repr_png_() == plain


def test_a_plot_fits_a_subfigure() -> None:
    """An Axes of a SubFigure is as good as any."""
    left, _ = Figure(layout="constrained").subfigures(1, 2)
    ax = left.add_subplot()
    assert plots.spectrogram(TONE, ax=ax) is ax
    ax.figure.canvas.draw()


@pytest.mark.parametrize("pick", [lambda ax: ax, lambda ax: ax.figure], ids=["axes", "figure"])
def test_a_plot_shows_itself_without_pyplot(pick: object) -> None:
    """IPython's own formatter gets a picture of twice the page's pixels, its size, and words for who cannot see it."""
    ax = plots.waveform(TONE, figsize=(4, 2))
    data, about = DisplayFormatter().format(pick(ax))  # type: ignore[operator]  # a lambda
    with Image.open(io.BytesIO(data["image/png"])) as picture:
        assert picture.size == (800, 400)
    assert about["image/png"] == {"width": 400, "height": 200, "alt": "Sound: 200 ms, peak -12.0 dBFS"}


def test_the_inline_backends_printer_shows_it_too() -> None:
    """Where a printer for figures is registered, as IPython's inline backend does, a plot's figure is one of them."""
    formatter = DisplayFormatter()
    formatter.formatters["image/png"].for_type(Figure, lambda _: b"inline")
    data, _ = formatter.format(plots.waveform(TONE).figure)
    assert data["image/png"] == b"inline"


def test_repr_says_what_is_shown() -> None:
    """The repr has the title and no address."""
    ax = plots.waveform(TONE, figsize=(2, 2))
    assert repr(ax) == "<PlotAxes: Sound: 200 ms, peak -12.0 dBFS>"


def test_words_in_any_script_and_with_dollars_are_drawn() -> None:
    """What was said may hold signs no font has, and dollars that are not mathematics; nothing warns, nothing fails."""
    words = [("costs $5 and $x_", 0.0, 0.1), ("\u4f60\u597d \U0001f30d", 0.1, 0.2)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plots.waveform(TONE, words=words)._repr_png_()


def test_a_picture_is_small_and_true(talk: Any) -> None:
    """A saved notebook keeps little, and the colours of paper and roles are exactly those of the palette."""
    with plots.theme("dark"):
        png, _ = plots.timeline(talk.history, talk.turns, talk.events)._repr_png_()
    assert len(png) < 60_000
    with Image.open(io.BytesIO(png)) as picture:
        colours = {"#{:02x}{:02x}{:02x}".format(*colour) for _, colour in picture.convert("RGB").getcolors(1 << 24)}
    assert {DARK.paper, DARK.user, DARK.model, DARK.tool} <= colours
