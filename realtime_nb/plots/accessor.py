"""``session.plot``: every plot of a session, drawn from its own frames."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import TYPE_CHECKING, Any

from realtime_nb import plots
from realtime_nb.errors import AudioError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from realtime_nb.plots.canvas import Size

__all__ = ["PlotAccessor"]

_SHOWS = {
    "timeline": "who spoke when, waits, interruptions, tool calls",
    "tokens": "tokens by turn and modality, cached ones hatched",
    "cost": "US dollars summed up, against the budget",
    "latency": "how long each stage of a reply took",
    "context": "how full the model's window is, and where it was cut",
    "rate_limits": "what the rate limits still allow",
    "waveform": "the wave of a sound, or of two voices",
    "spectrogram": "the frequencies of a sound",
}


class PlotAccessor:
    """The plots of a session; shown by itself, their list.

    Parameters
    ----------
    source : object
        Has the frames ``history``, ``turns``, ``usage``, ``events`` and
        ``rate_limits``; may have ``card`` (for the context window) and
        ``budget_usd``.
    audio : callable, optional
        Gives what was said aloud, a clip or a pair (user, model); None where nothing was.

    Examples
    --------
    >>> PlotAccessor(None)
    session.plot.timeline()     who spoke when, waits, interruptions, tool calls
    session.plot.tokens()       tokens by turn and modality, cached ones hatched
    session.plot.cost()         US dollars summed up, against the budget
    session.plot.latency()      how long each stage of a reply took
    session.plot.context()      how full the model's window is, and where it was cut
    session.plot.rate_limits()  what the rate limits still allow
    session.plot.waveform()     the wave of a sound, or of two voices
    session.plot.spectrogram()  the frequencies of a sound
    """

    __slots__ = ("_audio", "_source")

    def __init__(self, source: Any, audio: Callable[[], Any] = lambda: None) -> None:
        self._source = source
        self._audio = audio

    def __call__(self) -> PlotAccessor:
        """List the plots there are.

        Returns
        -------
        PlotAccessor
            Itself: its repr is the list.
        """
        return self

    def __repr__(self) -> str:
        return "\n".join(f"session.plot.{name + '()':14} {words}" for name, words in _SHOWS.items())

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><td style="text-align:left"><code>session.plot.{name}()</code></td>'
            f'<td style="text-align:left">{escape(words)}</td></tr>'
            for name, words in _SHOWS.items()
        )
        return f"<table><tbody>{rows}</tbody></table>"

    def timeline(self, *, ax: Axes | None = None, figsize: Size | None = None) -> Axes:
        """Draw who spoke when; see :func:`realtime_nb.plots.timeline`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; None makes a figure.
        figsize : tuple of float, optional
            Width and height of that figure, inches.

        Returns
        -------
        matplotlib.axes.Axes
            The plot.
        """
        source = self._source
        return plots.timeline(source.history, source.turns, source.events, ax=ax, figsize=figsize)

    def tokens(self, *, ax: Axes | None = None, figsize: Size | None = None) -> Axes:
        """Draw the tokens of each turn; see :func:`realtime_nb.plots.tokens`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; None makes a figure.
        figsize : tuple of float, optional
            Width and height of that figure, inches.

        Returns
        -------
        matplotlib.axes.Axes
            The plot.
        """
        return plots.tokens(self._source.usage, ax=ax, figsize=figsize)

    def cost(self, budget_usd: float | None = None, *, ax: Axes | None = None, figsize: Size | None = None) -> Axes:
        """Draw what was spent; see :func:`realtime_nb.plots.cost`.

        Parameters
        ----------
        budget_usd : float, optional
            What may be spent, US dollars; the session's own budget when not given.
        ax : matplotlib.axes.Axes, optional
            Where; None makes a figure.
        figsize : tuple of float, optional
            Width and height of that figure, inches.

        Returns
        -------
        matplotlib.axes.Axes
            The plot.
        """
        budget_usd = getattr(self._source, "budget_usd", None) if budget_usd is None else budget_usd
        return plots.cost(self._source.usage, budget_usd, ax=ax, figsize=figsize)

    def latency(self, *, ax: Axes | None = None, figsize: Size | None = None) -> Axes:
        """Draw how long each stage took; see :func:`realtime_nb.plots.latency`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; None makes a figure.
        figsize : tuple of float, optional
            Width and height of that figure, inches.

        Returns
        -------
        matplotlib.axes.Axes
            The plot.
        """
        return plots.latency(self._source.turns, ax=ax, figsize=figsize)

    def context(self, *, ax: Axes | None = None, figsize: Size | None = None) -> Axes:
        """Draw how full the model's window is, by its card; see :func:`realtime_nb.plots.context`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; None makes a figure.
        figsize : tuple of float, optional
            Width and height of that figure, inches.

        Returns
        -------
        matplotlib.axes.Axes
            The plot.
        """
        window = getattr(getattr(self._source, "card", None), "context_window", None)
        limit = {} if window is None else {"limit": int(window)}
        return plots.context(self._source.turns, **limit, ax=ax, figsize=figsize)

    def rate_limits(self, *, ax: Axes | None = None, figsize: Size | None = None) -> Axes:
        """Draw what the rate limits still allow; see :func:`realtime_nb.plots.rate_limits`.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where; None makes a figure.
        figsize : tuple of float, optional
            Width and height of that figure, inches.

        Returns
        -------
        matplotlib.axes.Axes
            The plot.
        """
        return plots.rate_limits(self._source.rate_limits, ax=ax, figsize=figsize)

    def waveform(
        self, audio: Any = None, *, words: Any = None, ax: Axes | None = None, figsize: Size | None = None
    ) -> Axes:
        """Draw the wave of a sound, or of two voices; see :func:`realtime_nb.plots.waveform`.

        Parameters
        ----------
        audio : Audio, turn or (Audio, Audio), optional
            The sound; both voices of all that was said aloud, when not given.
        words : sequence of (str, float, float), optional
            Words with begin and end in seconds.
        ax : matplotlib.axes.Axes, optional
            Where; None makes a figure.
        figsize : tuple of float, optional
            Width and height of that figure, inches.

        Returns
        -------
        matplotlib.axes.Axes
            The plot.

        Raises
        ------
        AudioError
            If none was given, and nothing was said aloud.
        """
        return plots.waveform(self._sound(audio, "waveform"), words=words, ax=ax, figsize=figsize)

    def spectrogram(self, audio: Any = None, *, ax: Axes | None = None, figsize: Size | None = None) -> Axes:
        """Draw the frequencies of a sound; see :func:`realtime_nb.plots.spectrogram`.

        Parameters
        ----------
        audio : Audio, turn or (Audio, Audio), optional
            The sound; both voices together, of all that was said aloud, when not given.
        ax : matplotlib.axes.Axes, optional
            Where; None makes a figure.
        figsize : tuple of float, optional
            Width and height of that figure, inches.

        Returns
        -------
        matplotlib.axes.Axes
            The plot.

        Raises
        ------
        AudioError
            If none was given, and nothing was said aloud.
        """
        return plots.spectrogram(self._sound(audio, "spectrogram"), ax=ax, figsize=figsize)

    def _sound(self, audio: Any, plot: str) -> Any:
        sound = self._audio() if audio is None else audio
        if sound is None:
            raise AudioError(
                f"plot.{plot}() needs a sound; nothing was said aloud so far", hint=f"session.plot.{plot}(turn.audio)"
            )
        return sound
