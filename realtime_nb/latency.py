"""How long a turn kept its listener waiting, and what the wait was made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from realtime_nb.session.reply import Reply

__all__ = ["Latency", "Moments", "latency_of"]


@dataclass(slots=True)
class Moments:
    """When the server said something about a piece of the user's speech; the session's seconds."""

    stopped_s: float | None = None
    transcribed_s: float | None = None


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; None where there is no such wait, or its end has not come.

    Parameters
    ----------
    first_text_ms, first_audio_ms, total_ms : float or None
        From the true end of what was said to the first word, the first sound, the end.
    silence_ms : float or None
        Of that: until the server had noticed that the speech was over.
    asr_ms : float or None
        Then: until it had written the speech down. None where the reply did not wait for it.
    first_clause_ms : float or None
        Then: until the brain's first words.
    first_chunk_ms : float or None
        Then: until their first sound.

    Notes
    -----
    Of a live stream the end is the last sample of speech as the server's voice
    detection heard it, its silence timer not hidden; of anything else it is the
    moment it was sent. Every moment is that of an event's arrival here.
    """

    first_text_ms: float | None = None
    first_audio_ms: float | None = None
    total_ms: float | None = None
    silence_ms: float | None = None
    asr_ms: float | None = None
    first_clause_ms: float | None = None
    first_chunk_ms: float | None = None

    def __repr__(self) -> str:
        known = [(field.name, getattr(self, field.name)) for field in fields(self)]
        shown = ", ".join(f"{_words(name)} {ms:,.0f} ms" for name, ms in known if ms is not None)
        return f"Latency({shown or 'nothing yet'})"


def _words(name: str) -> str:
    return name.removesuffix("_ms").replace("_", " ")


def latency_of(replies: Sequence[Reply], heard: Moments | None) -> Latency:
    """The waits of a turn.

    Parameters
    ----------
    replies : sequence of Reply
        Its responses, in order.
    heard : Moments, optional
        Of the last piece of speech it answers.

    Returns
    -------
    Latency
        As far as they are over.
    """
    if not replies:
        return Latency()
    end_s = replies[0].asked_s
    text_s = _first(reply.first_text_s for reply in replies)
    audio_s = _first(reply.first_audio_s for reply in replies)
    heard = heard or Moments()
    stopped_s = heard.stopped_s
    written_s = heard.transcribed_s
    if written_s is not None and text_s is not None and written_s > text_s:
        written_s = None  # a model that hears by itself does not wait for the words
    return Latency(
        first_text_ms=_ms(end_s, text_s),
        first_audio_ms=_ms(end_s, audio_s),
        total_ms=_ms(end_s, replies[-1].done_s),
        silence_ms=_ms(end_s, stopped_s),
        asr_ms=_ms(_last(end_s, stopped_s), written_s),
        first_clause_ms=_ms(_last(end_s, stopped_s, written_s), text_s),
        first_chunk_ms=_ms(text_s, audio_s),
    )


def _first(moments: Iterable[float | None]) -> float | None:
    return next((moment for moment in moments if moment is not None), None)


def _last(*moments: float | None) -> float:
    return max(moment for moment in moments if moment is not None)


def _ms(start_s: float | None, end_s: float | None) -> float | None:
    return None if start_s is None or end_s is None else max(0.0, 1000 * (end_s - start_s))
