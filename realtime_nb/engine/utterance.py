"""What the local voices share: a text cut into breaths, and said one breath after another."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator

from realtime_nb.engine.base import Samples
from realtime_nb.engine.clauses import LONGEST, Clauses, speakable
from realtime_nb.engine.ort import Cancelled
from realtime_nb.engine.voices import Voice, voice_for

__all__ = ["SpeaksByBreath", "breaths"]


def breaths(text: str, speed: float = 1.0) -> list[str]:
    """Cut a text into what is synthesised at once.

    A clause of the usual length stays whole, as it sounds best; only what is
    too long for one run is cut, where sentences or clauses end.

    Parameters
    ----------
    text : str
        As it was written.
    speed : float
        Slow speech is longer, so that less of the text is one run.

    Returns
    -------
    list of str
        Pieces with something to say in each; none if there is nothing.

    Examples
    --------
    >>> breaths("**Yes**, of course.")
    ['Yes, of course.']
    >>> breaths("...")
    []
    """
    if len(text) <= LONGEST * min(1.0, speed):
        parts = [text]
    else:
        clauses = Clauses()
        parts = [*clauses.feed(text), *clauses.finish()]
    return [said for part in parts if (said := speakable(part))]


class SpeaksByBreath(ABC):
    """A voice whose model makes a whole breath at once."""

    def speak(self, text: str, *, voice: str, speed: float, cancel: threading.Event) -> Iterator[Samples]:
        """Say a clause, or more.

        Parameters
        ----------
        text : str
            What to say; one chunk of sound for each 240 characters at most.
        voice : str
            One of the API's names; any other gets a stable voice (:func:`realtime_nb.engine.voices.voice_for`).
        speed : float
            1 is the voice's own pace; the API allows 0.25 to 1.5.
        cancel : threading.Event
            Set it, and the speech ends within 100 ms.

        Yields
        ------
        ndarray of float32, shape (n,)
            At the voice's own ``rate``.
        """
        speaker = voice_for(voice)
        for said in breaths(text, speed):
            try:
                yield self._say(said, speaker, speed, cancel)
            except Cancelled:
                return

    @abstractmethod
    def _say(self, said: str, speaker: Voice, speed: float, cancel: threading.Event) -> Samples:
        """Make the sound of one breath; raises :class:`Cancelled` when it was stopped."""
