"""``session.plot``."""

from __future__ import annotations

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from realtime_nb import plots
from realtime_nb.audio import Audio
from realtime_nb.errors import AudioError
from realtime_nb.plots import PlotAccessor

OF_FRAMES = ("timeline", "tokens", "cost", "latency", "context", "rate_limits")
OF_SOUND = ("waveform", "spectrogram")


@pytest.mark.parametrize("name", OF_FRAMES)
def test_every_plot_is_drawn_from_the_sessions_frames(session: Any, name: str) -> None:
    """Each method gives the Axes that its function gives."""
    ax = getattr(PlotAccessor(session), name)(figsize=(5, 3))
    assert isinstance(ax, plots.PlotAxes)
    assert ax.get_title(loc="left")
    assert tuple(ax.figure.get_size_inches()) == (5, 3)


def test_it_draws_on_your_axes(session: Any) -> None:
    """Axes in, Axes out."""
    ax = plots.PlotFigure().add_subplot()
    assert PlotAccessor(session).tokens(ax=ax) is ax


def test_it_lists_the_plots(session: Any) -> None:
    """Shown or called, it lists every plot, in text and in HTML."""
    accessor = PlotAccessor(session)
    assert accessor() is accessor
    for name in OF_FRAMES + OF_SOUND:
        assert f"session.plot.{name}()" in repr(accessor)
        assert f"session.plot.{name}()" in accessor._repr_html_()


def test_it_has_exactly_the_public_plots() -> None:
    """The accessor's methods are the package's plots, no more and no less."""
    methods = {name for name, _ in inspect.getmembers(PlotAccessor, inspect.isfunction) if not name.startswith("_")}
    functions = {name for name in plots.__all__ if inspect.isfunction(getattr(plots, name))} - {"theme", "use"}
    assert methods == functions == set(OF_FRAMES + OF_SOUND)


def test_budget_and_window_are_the_sessions(session: Any) -> None:
    """The budget and the card's window are drawn unless others are named."""
    accessor = PlotAccessor(session)
    assert "97% of the budget" in accessor.cost().get_title(loc="left")
    assert "195% of the budget" in accessor.cost(0.01).get_title(loc="left")
    assert "of 32,000 tokens" in accessor.context().get_title(loc="left")
    session.card = SimpleNamespace(context_window=128_000)
    assert "of 128,000 tokens" in accessor.context().get_title(loc="left")


def test_a_source_without_card_or_budget_is_enough(talk: Any) -> None:
    """Frames alone can be plotted."""
    accessor = PlotAccessor(talk)
    assert accessor.cost().get_title(loc="left") == "Cost: $0.0195 after 6 turns"
    assert "of 32,000 tokens" in accessor.context().get_title(loc="left")


@pytest.mark.parametrize("name", OF_SOUND)
def test_a_sound_is_given_or_the_sources_own(session: Any, name: str) -> None:
    """A sound may be named; else it is the source's; where there is none the error says what to write."""
    said: list[Audio] = []
    accessor, tone = PlotAccessor(session, lambda: next(iter(said), None)), Audio.tone(440, 0.5)
    assert "500 ms" in getattr(accessor, name)(tone).get_title(loc="left")
    with pytest.raises(AudioError, match=rf"session\.plot\.{name}\(turn\.audio\)"):
        getattr(accessor, name)()
    said.append(tone)
    assert "500 ms" in getattr(accessor, name)().get_title(loc="left")


def test_unknown_names_are_unknown() -> None:
    """The package has no other names."""
    with pytest.raises(AttributeError, match="pie"):
        plots.pie  # type: ignore[attr-defined]  # noqa: B018  # that is the test
    assert set(dir(plots)) == set(plots.__all__)
