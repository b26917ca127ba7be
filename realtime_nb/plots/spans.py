"""Who spoke when, folded from the frames onto one time line: plain arrays, nothing drawn."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from realtime_nb.plots.columns import Floats, numbers, texts
from realtime_nb.plots.wire import asked_at, made_s, voice_spans

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Line", "Span", "time_line"]

_SAME_S = 0.01  # a clip whose speech ended when it was sent was sent whole


@dataclass(frozen=True, slots=True)
class Span:
    """Spans of one kind; an instant ends where it starts.

    Parameters
    ----------
    start_s, end_s : ndarray of float64, shape (n,)
        On the session's time line, seconds.
    text : tuple of str
        What was said, or the tool's name; as many as spans.
    """

    start_s: Floats
    end_s: Floats
    text: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.start_s)

    def worded(self, text: Iterable[str]) -> Span:
        """The same spans with other words."""
        return Span(self.start_s, self.end_s, tuple(text))

    def where(self, kept: NDArray[np.bool_]) -> Span:
        """Only these."""
        text = tuple(word for word, keep in zip(self.text, kept, strict=True) if keep)
        return Span(self.start_s[kept], self.end_s[kept], text)


@dataclass(frozen=True, slots=True)
class Line:
    """All that happened on the time line.

    Parameters
    ----------
    said : Span
        The user's speech.
    voice : Span
        What voice activity detection took for speech.
    wrote, sent, showed : Span
        Instants: what the user wrote, clips sent whole, pictures with the words beside them.
    heard, unheard : Span
        The model's sound as it was played, and what was made but never played.
    written : Span
        The model's replies without sound.
    waits : Span
        From the end of what the user said, or from asking, to the beginning of the reply.
    cuts : ndarray of float64, shape (n,)
        When the user interrupted, seconds.
    calls : Span
        From a tool's call to its output.
    """

    said: Span
    voice: Span
    wrote: Span
    sent: Span
    showed: Span
    heard: Span
    unheard: Span
    written: Span
    waits: Span
    cuts: Floats
    calls: Span

    @property
    def spans(self) -> tuple[Span, ...]:
        """All kinds of spans."""
        given, made = (
            (self.said, self.voice, self.wrote, self.sent, self.showed),
            (self.heard, self.unheard, self.written),
        )
        return (*given, *made, self.waits, self.calls)

    @property
    def extent_s(self) -> tuple[float, float]:
        """From 0 or the first moment to the last, seconds; (0, 0) when nothing happened."""
        times = np.concatenate([np.concatenate([span.start_s, span.end_s]) for span in self.spans])
        return (min(0.0, float(times.min())), float(times.max())) if len(times) else (0.0, 0.0)


def time_line(history: pd.DataFrame, turns: pd.DataFrame, events: pd.DataFrame | None) -> Line:
    """Fold the frames.

    Parameters
    ----------
    history, turns : pandas.DataFrame
        The session's frames.
    events : pandas.DataFrame, optional
        Without it there is no voice activity, nothing unheard, and a turn that
        was not spoken begins with its first item.

    Returns
    -------
    Line
        What is not known is left out.
    """
    zero, speech = _zeros(history, turns, events), numbers(turns, "speech_end_s")
    sound, word = (zero + numbers(turns, name) / 1000 for name in ("first_audio_ms", "first_text_ms"))
    done = zero + numbers(turns, "total_ms") / 1000
    length, cut_s = numbers(turns, "output_s"), numbers(turns, "interrupted_at_ms") / 1000
    starts = np.where(np.isfinite(sound), sound, word)
    heard = _until_next(starts, sound + np.fmin(length, cut_s))
    made = np.where(np.isfinite(cut_s), sound + np.fmax(length, made_s(turns, events)), np.nan)
    asked, replied = _words(turns, "input"), _words(turns, "output")
    voice = voice_spans(events)
    wrote, sent, showed, whole = _given(history, turns)
    return Line(
        said=_span(np.where(whole, np.nan, _begun(speech, numbers(turns, "input_s"), voice)), speech, asked),
        voice=_span(*voice, [""] * len(voice[0])),
        wrote=wrote,
        sent=sent,
        showed=showed,
        heard=_span(sound, heard, replied),
        unheard=_span(heard, _until_next(starts, made), replied),
        written=_span(np.where(np.isfinite(sound), np.nan, word), _until_next(starts, done), replied),
        waits=_span(_waited_from(zero, starts, _calling(history, turns)), starts, asked),
        cuts=(sound + cut_s)[np.isfinite(sound + cut_s)],
        calls=_calls(history),
    )


def _zeros(history: pd.DataFrame, turns: pd.DataFrame, events: pd.DataFrame | None) -> Floats:
    """What the milliseconds of each turn count from, seconds: end of speech, else when it was asked for."""
    speech = numbers(turns, "speech_end_s")
    first = dict(zip(numbers(history, "turn")[::-1], numbers(history, "created_s")[::-1], strict=True))
    items = np.array([first.get(turn, np.nan) for turn in numbers(turns, "turn")], dtype=np.float64)
    asked = asked_at(turns, events)
    return np.where(np.isfinite(speech), speech, np.where(np.isfinite(asked), asked, items))


def _span(start: Floats, end: Floats, text: list[str]) -> Span:
    """Keep spans that begin, end, and have a length."""
    kept = np.flatnonzero(end > start)
    return Span(start[kept], end[kept], tuple(text[index] for index in kept))


def _words(frame: pd.DataFrame, name: str) -> list[str]:
    return ["" if text is None else " ".join(str(text).split()) for text in texts(frame, name)]


def _until_next(starts: Floats, end: Floats) -> Floats:
    """Where each reply ends on the line: a reply that was not played out before the next began ends there."""
    following = np.append(starts[1:], np.nan)[::-1]
    upcoming = np.fmin.accumulate(following)[::-1] if len(following) else following
    return np.where((starts < upcoming) & (upcoming < end), upcoming, end)


def _waited_from(zero: Floats, starts: Floats, calling: NDArray[np.bool_]) -> Floats:
    """Since when each reply was waited for: a response that only called a function leaves its wait to the next."""
    since, waits = np.nan, []
    for asked, begun, calls in zip(zero, starts, calling, strict=True):
        since = since if np.isfinite(since) else asked
        waits.append(since)
        since = since if calls and not np.isfinite(begun) else np.nan
    return np.array(waits, dtype=np.float64)


def _calling(history: pd.DataFrame, turns: pd.DataFrame) -> NDArray[np.bool_]:
    """Which responses called a function; one that was cancelled or failed before its first word leaves no wait."""
    call = np.array([str(kind).endswith("_call") for kind in texts(history, "type")], dtype=bool)
    return np.isin(numbers(turns, "turn"), numbers(history, "turn")[call])


def _begun(end: Floats, length: Floats, voice: tuple[Floats, Floats]) -> Floats:
    """When speech that ended then began: as detected, where it was; ``input_s`` also holds the silence waited for."""
    start = end - length
    if not len(voice[0]):
        return start
    index = np.maximum(np.searchsorted(voice[0], end) - 1, 0)
    detected = (voice[0][index] < end) & (end <= voice[1][index])
    return np.where(detected, voice[0][index], start)


def _given(history: pd.DataFrame, turns: pd.DataFrame) -> tuple[Span, Span, Span, NDArray[np.bool_]]:
    """What the user wrote, clips sent whole, pictures; and the turns whose speech was such a clip."""
    at, turn, length = (numbers(history, name) for name in ("created_s", "turn", "audio_s"))
    message = (texts(history, "role") == "user") & (texts(history, "type") == "message") & np.isfinite(at)
    ended = dict(zip(numbers(turns, "turn"), numbers(turns, "speech_end_s"), strict=True))
    end = np.array([ended.get(number, np.nan) for number in turn], dtype=np.float64)
    pictured = np.array([image is not None for image in texts(history, "image")], dtype=bool)
    clip = message & (length > 0) & (at <= end + _SAME_S)
    written = [one or other for one, other in zip(_words(history, "text"), _words(history, "transcript"), strict=True)]
    everything = Span(at, at, tuple(written))
    groups = (message & ~(length > 0) & ~pictured, clip & ~pictured, message & pictured)
    wrote, sent, showed = (everything.where(group) for group in groups)
    return wrote, sent, showed, np.isin(numbers(turns, "turn"), turn[clip])


def _calls(history: pd.DataFrame) -> Span:
    """From each function call to its output, by ``call_id``; a call without an output yet is an instant."""
    kind, ids, at = texts(history, "type"), texts(history, "call_id"), numbers(history, "created_s")
    outputs = {ids[index]: at[index] for index in np.flatnonzero(kind == "function_call_output")}
    calls = np.flatnonzero((kind == "function_call") & np.isfinite(at))
    names = texts(history, "name")
    end = np.array([outputs.get(ids[index], np.nan) for index in calls], dtype=np.float64)
    return Span(at[calls], np.fmax(end, at[calls]), tuple(str(names[index] or "call") for index in calls))
