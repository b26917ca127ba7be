"""Maps the server's audio time (milliseconds of sound it was given) to the client's clock."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from realtime_nb.protocol.formats import AudioFormat, Pcm, bytes_to_ms

__all__ = ["Heard", "SpeechClock"]


@dataclass(frozen=True, slots=True)
class Heard:
    """One committed piece of the user's sound."""

    audio_ms: float | None
    """Its length; None when it went by a media track."""
    end_s: float | None
    """When its last word was sent, in seconds on the session's clock."""
    start_ms: float | None = None
    """Its place in the session's sound."""


@dataclass(slots=True)
class _Span:
    """What the detector said of a piece."""

    start_ms: float
    end_ms: float | None = None
    end_s: float | None = None


@dataclass(slots=True)
class _Commit:
    """A piece the client ended itself, until the server says which item it became."""

    event_id: str | None
    start_ms: float
    end_ms: float
    end_s: float | None


class SpeechClock:
    """Counts the sound that is appended, so that a place in it has a time.

    The server speaks of its sound in milliseconds from the session's first
    sample; a client wants to know when it sent the last sample of the speech, to
    measure how long it waited for the answer.
    """

    def __init__(self) -> None:
        self.format: AudioFormat = Pcm()
        self.silence_ms = 0
        """What the server waits for before it says that speech stopped; part of ``audio_end_ms``."""
        self._total_ms = 0.0
        self._ends_ms: list[float] = []
        self._times_s: list[float] = []
        self._from_ms = 0.0
        self._commits: list[_Commit] = []
        self._spans: dict[str, _Span] = {}

    def append(self, nbytes: int, t_s: float) -> None:
        """Sound was sent.

        Parameters
        ----------
        nbytes : int
            How much, in the input format.
        t_s : float
            When, in seconds.
        """
        self._total_ms += bytes_to_ms(nbytes, self.format)
        self._ends_ms.append(self._total_ms)
        self._times_s.append(t_s)

    def sent_at(self, audio_ms: float) -> float | None:
        """When a sample was sent.

        Parameters
        ----------
        audio_ms : float
            Its place, in milliseconds from the session's first sample.

        Returns
        -------
        float or None
            Seconds; None where no sound was sent.
        """
        if not self._times_s:
            return None
        return self._times_s[min(bisect_left(self._ends_ms, audio_ms), len(self._times_s) - 1)]

    def clear(self) -> None:
        """The buffer was emptied: what comes is a new piece."""
        self._from_ms = self._total_ms

    def commit(self, event_id: str | None) -> None:
        """The client ended a piece itself.

        Parameters
        ----------
        event_id : str, optional
            Of the commit, by which :meth:`refuse` finds it.
        """
        last_s = self._times_s[-1] if self._times_s else None
        self._commits.append(_Commit(event_id, self._from_ms, self._total_ms, last_s))
        self.clear()

    def refuse(self, event_id: str | None) -> None:
        """The server refused a commit: the sound stays in its buffer.

        Parameters
        ----------
        event_id : str, optional
            Of the commit; others are none of our business.
        """
        index = next((i for i, commit in enumerate(self._commits) if commit.event_id == event_id), None)
        if index is None or event_id is None:
            return
        refused = self._commits.pop(index)
        if index < len(self._commits):
            self._commits[index].start_ms = refused.start_ms
        else:
            self._from_ms = refused.start_ms

    def started(self, item_id: str, audio_start_ms: int) -> None:
        """Speech was detected.

        Parameters
        ----------
        item_id : str
            The item it will become.
        audio_start_ms : int
            Where in the sound.
        """
        self._spans[item_id] = _Span(audio_start_ms)

    def stopped(self, item_id: str, audio_end_ms: int, t_s: float) -> None:
        """Speech ended, and the silence after it.

        Parameters
        ----------
        item_id : str
            The item it will become.
        audio_end_ms : int
            Where in the sound the silence was long enough.
        t_s : float
            When we were told: what is left where the sound went by a media track.
        """
        span = self._spans.setdefault(item_id, _Span(audio_end_ms))
        span.end_ms = audio_end_ms
        sent_s = self.sent_at(audio_end_ms - self.silence_ms)
        span.end_s = t_s - self.silence_ms / 1000 if sent_s is None else sent_s

    def timed_out(self, item_id: str, audio_start_ms: int, audio_end_ms: int) -> None:
        """Nobody spoke for long; the silence becomes an item.

        Parameters
        ----------
        item_id : str
            The item it will become.
        audio_start_ms, audio_end_ms : int
            Where in the sound.
        """
        self._spans[item_id] = _Span(audio_start_ms, audio_end_ms)

    def committed(self, item_id: str) -> Heard:
        """A piece became an item, by the detector or by the client's commit.

        Parameters
        ----------
        item_id : str
            The item.

        Returns
        -------
        Heard
            How long it is and when its speech ended.
        """
        span = self._spans.pop(item_id, None)
        if span is not None and span.end_ms is not None:
            self._from_ms = span.end_ms
            return Heard(span.end_ms - span.start_ms, span.end_s, span.start_ms)
        if not self._commits:
            return Heard(None, None)
        commit = self._commits.pop(0)
        start_ms = commit.start_ms if span is None else span.start_ms
        return Heard(max(0.0, commit.end_ms - start_ms), commit.end_s, start_ms)
