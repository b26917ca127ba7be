"""Who has the word in a spoken conversation: facts folded from the session's events, and the phase they add up to.

Two tables say all of it. :data:`MEANING` is what each event changes, whether it
crossed the wire or came from the page; :data:`PHASES` is what a person is told,
the first row that holds. Nothing here waits, plays or listens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.items import FunctionCall
from realtime_nb.protocol.session_config import Session

__all__ = ["MEANING", "PHASES", "Closed", "Held", "Mic", "Muted", "Phase", "Playing", "Talking", "after"]

Phase = Literal["closed", "hearing", "speaking", "calling", "thinking", "muted", "listening", "off"]
"""What a person is told."""


# ---------------------------------------------------------------- what the page tells
@dataclass(frozen=True, slots=True)
class Mic:
    """The microphone was opened, or is closed."""

    on: bool


@dataclass(frozen=True, slots=True)
class Muted:
    """What the microphone hears is kept back, or no longer."""

    on: bool


@dataclass(frozen=True, slots=True)
class Held:
    """The key to talk was pressed, or let go."""

    on: bool


@dataclass(frozen=True, slots=True)
class Playing:
    """The page began to play, or has played all."""

    on: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over."""


# ---------------------------------------------------------------- the facts
@dataclass(frozen=True, slots=True)
class Talking:
    """What is known; a value.

    Parameters
    ----------
    mic, muted, held : bool
        The microphone is open; it is kept back; the key to talk is down.
    hearing : bool
        The server hears speech.
    owed : str, optional
        What is to be answered and is not yet: the item that was spoken, or the event that asked.
    answering : str, optional
        The response that comes.
    calling : bool
        Functions run, whose outputs the model will read.
    playing : bool
        The page plays.
    detects, answers, interrupts : bool
        The server notices speech, answers it by itself, and lets it cut an answer short.
    closed : bool
        The session is over.
    """

    mic: bool = False
    muted: bool = False
    held: bool = False
    hearing: bool = False
    owed: str | None = None
    answering: str | None = None
    calling: bool = False
    playing: bool = False
    detects: bool = True
    answers: bool = True
    interrupts: bool = True
    closed: bool = False

    @property
    def phase(self) -> Phase:
        """What a person is told: the first of :data:`PHASES` that holds."""
        return next(phase for phase, holds in PHASES.items() if holds(self))

    @property
    def open(self) -> bool:
        """Whether what the microphone hears is to reach the server."""
        return self.held or (self.detects and not self.muted)

    @property
    def busy(self) -> bool:
        """Whether there is an answer that could be stopped."""
        return not self.closed and (self.playing or self.calling or self.answering is not None)


PHASES: Mapping[Phase, Callable[[Talking], bool]] = MappingProxyType(
    {
        "closed": lambda now: now.closed,
        "hearing": lambda now: now.hearing or now.held,
        "speaking": lambda now: now.playing,
        "calling": lambda now: now.calling,
        "thinking": lambda now: now.answering is not None or now.owed is not None,
        "muted": lambda now: now.mic and not now.open,
        "listening": lambda now: now.mic,
        "off": lambda _: True,
    }
)
"""In order: what matters more to somebody who looks up comes first."""


def after(now: Talking, event: Any) -> Talking:
    """What is known after an event.

    Parameters
    ----------
    now : Talking
        What was known.
    event : ClientEvent, ServerEvent, Mic, Muted, Held, Playing or Closed
        What happened; most change nothing. Nothing follows the end.

    Returns
    -------
    Talking
        What is known now.

    Examples
    --------
    >>> now = after(Talking(), Mic(on=True))
    >>> now.phase
    'listening'
    >>> after(now, ev.InputAudioBufferSpeechStarted(item_id="item_1", audio_start_ms=0)).phase
    'hearing'
    """
    meaning = MEANING.get(type(event))
    return now if meaning is None or now.closed else meaning(now, event)


# ---------------------------------------------------------------- what each event means
def _session(now: Talking, event: ev.SessionCreated | ev.SessionUpdated) -> Talking:
    detection = event.session.audio.input.turn_detection if isinstance(event.session, Session) else None
    if detection is None:
        return replace(now, detects=False, answers=False, interrupts=False, hearing=False)
    return replace(now, detects=True, answers=detection.create_response, interrupts=detection.interrupt_response)


def _committed(now: Talking, event: ev.InputAudioBufferCommitted) -> Talking:
    return replace(now, hearing=False, owed=event.item_id if now.answers else now.owed)


def _transcribed(now: Talking, event: ev.ConversationItemInputAudioTranscriptionCompleted) -> Talking:
    """Speech without words is not answered."""
    return now if event.transcript.strip() else _paid(now, event.item_id)


def _asked(now: Talking, event: ev.ResponseCreate) -> Talking:
    aside = event.response is not None and event.response.conversation == "none"
    return now if aside else replace(now, owed=event.event_id)


def _refused(now: Talking, event: ev.Error) -> Talking:
    return _paid(now, event.error.event_id)


def _paid(now: Talking, owed: str | None) -> Talking:
    return replace(now, owed=None) if owed == now.owed else now


def _created(now: Talking, event: ev.ResponseCreated) -> Talking:
    if event.response.conversation_id is None:
        return now
    return replace(now, answering=event.response.id, owed=None, calling=False)


def _done(now: Talking, event: ev.ResponseDone) -> Talking:
    if event.response.id != now.answering:
        return now
    completed = event.response.status == "completed"
    calls = completed and any(isinstance(item, FunctionCall) for item in event.response.output)
    return replace(now, answering=None, calling=calls)


MEANING: Mapping[type, Callable[[Talking, Any], Talking]] = MappingProxyType(
    {
        ev.SessionCreated: _session,
        ev.SessionUpdated: _session,
        ev.InputAudioBufferSpeechStarted: lambda now, _: replace(now, hearing=True),
        ev.InputAudioBufferSpeechStopped: lambda now, _: replace(now, hearing=False),
        ev.InputAudioBufferCleared: lambda now, _: replace(now, hearing=False),
        ev.InputAudioBufferCommitted: _committed,
        ev.ConversationItemInputAudioTranscriptionCompleted: _transcribed,
        ev.ResponseCreate: _asked,
        ev.ResponseCreated: _created,
        ev.ResponseDone: _done,
        ev.OutputAudioBufferStarted: lambda now, _: replace(now, playing=True),
        ev.OutputAudioBufferStopped: lambda now, _: replace(now, playing=False),
        ev.OutputAudioBufferCleared: lambda now, _: replace(now, playing=False),
        ev.Error: _refused,
        Mic: lambda now, event: replace(now, mic=event.on),
        Muted: lambda now, event: replace(now, muted=event.on),
        Held: lambda now, event: replace(now, held=event.on),
        Playing: lambda now, event: replace(now, playing=event.on),
        Closed: lambda now, _: Talking(muted=now.muted, closed=True),
    }
)
"""What each event changes; those that are not here change nothing."""
