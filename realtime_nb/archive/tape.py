"""The sound of a conversation, item by item, with the time of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from realtime_nb.audio import Audio
from realtime_nb.history.log import Entry, EventLog
from realtime_nb.history.speech import SpeechClock
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.formats import AudioFormat, Pcm, bytes_to_ms, ms_to_bytes
from realtime_nb.protocol.items import InputAudio, Message
from realtime_nb.protocol.session_config import ServerVad, Session

__all__ = ["Sound", "Tape"]

_QUIET_MS = 60_000
"""While a detector listens and nobody speaks, more silence than this is not kept."""


Handler = TypeVar("Handler", bound=Callable[..., None])
_HANDLERS: dict[type, Callable[[Tape, Any, float, bytes], None]] = {}
"""What is done with each event."""


def _on(*kinds: type) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        _HANDLERS.update(dict.fromkeys(kinds, handler))
        return handler

    return register


@dataclass(eq=False, slots=True)
class Sound:
    """What was said in one item, or is being said."""

    item_id: str
    role: Literal["user", "assistant"]
    start_s: float
    format: AudioFormat
    chunks: list[bytes] = field(default_factory=list)

    @property
    def duration_s(self) -> float:
        """How long it is so far."""
        return bytes_to_ms(sum(map(len, self.chunks)), self.format) / 1000

    @property
    def audio(self) -> Audio:
        """It, as a clip."""
        return Audio.from_wire(b"".join(self.chunks), str(type(self.format).__struct_config__.tag))


class Tape:
    """Listens to a log, and keeps what is said by item: the model's replies, clips, and speech that was streamed.

    Of a stream only what became an item is kept.

    Parameters
    ----------
    log : EventLog
        What streamed before the tape was there is not on it.

    Examples
    --------
    >>> from realtime_nb.protocol import events as ev
    >>> log = EventLog()
    >>> tape = Tape(log)
    >>> log.append("sent", ev.InputAudioBufferAppend(audio=bytes(4800)), 0.1, 6441)
    >>> log.append("sent", ev.InputAudioBufferCommit(), 0.1, 40)
    >>> log.append("received", ev.InputAudioBufferCommitted(event_id="e", item_id="item_1"), 0.2, 90)
    >>> [(sound.item_id, sound.audio.duration_s) for sound in tape.since(0)]
    [('item_1', 0.1)]
    """

    def __init__(self, log: EventLog) -> None:
        self._whole: list[Sound] = []
        self._open: dict[str, Sound] = {}
        """Of replies that go on, by item."""
        self._replies: dict[str, AudioFormat] = {}
        """The format of each response under way."""
        self._clock = SpeechClock()
        self._detected = True
        self._speaking = False
        self._stream = bytearray()
        self._dropped = 0
        """Bytes of the stream that are no longer in it."""
        self._output: AudioFormat = Pcm()
        self._connected = False
        for entry in log:
            self._hear(entry, b"")
        log.follow(self._hear)

    def since(self, position: int) -> Sequence[Sound]:
        """Whole sounds, from `position` on.

        Parameters
        ----------
        position : int
            How many to leave out.

        Returns
        -------
        sequence of Sound
            In the order in which they ended.
        """
        return self._whole[position:]

    @property
    def unfinished(self) -> Sequence[Sound]:
        """Replies that go on."""
        return list(self._open.values())

    def _hear(self, entry: Entry, audio: bytes) -> None:
        """Take in the next event, with the streamed sound that was taken out of it."""
        handle = _HANDLERS.get(type(entry.event))
        if handle is not None:
            handle(self, entry.event, entry.t_s, audio)

    # ------------------------------------------------------------ the session
    @_on(ev.SessionCreated, ev.SessionUpdated)
    def _session(self, event: ev.SessionCreated | ev.SessionUpdated, _t_s: float, _audio: bytes) -> None:
        if isinstance(event, ev.SessionCreated) and self._connected:
            self._clock, self._dropped = SpeechClock(), 0
            self._stream.clear()
        self._connected = True
        heard = event.session.audio.input
        detection = heard.turn_detection
        self._detected = detection is not None
        self._clock.format = heard.format
        self._clock.silence_ms = detection.silence_duration_ms if isinstance(detection, ServerVad) else 0
        if isinstance(event.session, Session):
            self._output = event.session.audio.output.format

    # ------------------------------------------------------------ the user
    @_on(ev.InputAudioBufferAppend)
    def _append(self, _event: ev.InputAudioBufferAppend, t_s: float, audio: bytes) -> None:
        self._clock.append(len(audio), t_s)
        self._stream += audio
        most = ms_to_bytes(_QUIET_MS, self._clock.format)
        if self._detected and not self._speaking and len(self._stream) > 2 * most:
            self._forget(self._dropped + len(self._stream) - most)

    def _forget(self, end: int) -> None:
        """Drop the stream up to its byte `end`."""
        size = max(0, min(end - self._dropped, len(self._stream)))
        del self._stream[:size]
        self._dropped += size

    @_on(ev.InputAudioBufferCommit)
    def _commit(self, event: ev.InputAudioBufferCommit, _t_s: float, _audio: bytes) -> None:
        self._clock.commit(event.event_id)

    @_on(ev.InputAudioBufferClear)
    def _clear(self, _event: ev.InputAudioBufferClear, _t_s: float, _audio: bytes) -> None:
        self._clock.clear()

    @_on(ev.Error)
    def _error(self, event: ev.Error, _t_s: float, _audio: bytes) -> None:
        self._clock.refuse(event.error.event_id)

    @_on(ev.InputAudioBufferSpeechStarted)
    def _started(self, event: ev.InputAudioBufferSpeechStarted, _t_s: float, _audio: bytes) -> None:
        self._speaking = True
        self._clock.started(event.item_id, event.audio_start_ms)

    @_on(ev.InputAudioBufferSpeechStopped)
    def _stopped(self, event: ev.InputAudioBufferSpeechStopped, t_s: float, _audio: bytes) -> None:
        self._clock.stopped(event.item_id, event.audio_end_ms, t_s)

    @_on(ev.InputAudioBufferTimeoutTriggered)
    def _timed_out(self, event: ev.InputAudioBufferTimeoutTriggered, _t_s: float, _audio: bytes) -> None:
        self._clock.timed_out(event.item_id, event.audio_start_ms, event.audio_end_ms)

    @_on(ev.InputAudioBufferCommitted)
    def _committed(self, event: ev.InputAudioBufferCommitted, t_s: float, _audio: bytes) -> None:
        """A piece of the stream became an item."""
        self._speaking = False
        heard = self._clock.committed(event.item_id)
        if heard.start_ms is None or not heard.audio_ms:
            return
        start, size = (ms_to_bytes(round(ms), self._clock.format) for ms in (heard.start_ms, heard.audio_ms))
        first = max(0, start - self._dropped)
        data = bytes(self._stream[first : max(0, start + size - self._dropped)])
        said_s = self._clock.sent_at(heard.start_ms)
        if data:
            start_s = t_s if said_s is None else said_s
            self._whole.append(Sound(event.item_id, "user", start_s, self._clock.format, [data]))
        self._forget(start + size)

    @_on(ev.ConversationItemCreate)
    def _create(self, event: ev.ConversationItemCreate, t_s: float, _audio: bytes) -> None:
        """A clip, sent at once: as if its last word had been said now."""
        if not event.item.id or not isinstance(event.item, Message):
            return
        clips = [part.audio for part in event.item.content if isinstance(part, InputAudio) and part.audio]
        if clips:
            duration_s = bytes_to_ms(sum(map(len, clips)), self._clock.format) / 1000
            self._whole.append(Sound(event.item.id, "user", t_s - duration_s, self._clock.format, clips))

    # ------------------------------------------------------------ the model
    @_on(ev.ResponseCreated)
    def _created(self, event: ev.ResponseCreated, _t_s: float, _audio: bytes) -> None:
        asked = event.response.audio.output if event.response.audio is not None else None
        self._replies[event.response.id] = (asked.format if asked is not None else None) or self._output

    @_on(ev.ResponseOutputAudioDelta)
    def _delta(self, event: ev.ResponseOutputAudioDelta, t_s: float, audio: bytes) -> None:
        sound = self._open.get(event.item_id)
        if sound is None:
            format = self._replies.get(event.response_id, self._output)  # noqa: A001 - the API's own word
            sound = self._open[event.item_id] = Sound(event.item_id, "assistant", t_s, format)
        sound.chunks.append(audio)

    @_on(ev.ResponseOutputItemDone)
    def _item_done(self, event: ev.ResponseOutputItemDone, _t_s: float, _audio: bytes) -> None:
        self._end(event.item.id)

    @_on(ev.ResponseDone)
    def _done(self, event: ev.ResponseDone, _t_s: float, _audio: bytes) -> None:
        self._replies.pop(event.response.id, None)
        for item in event.response.output:
            self._end(item.id)

    def _end(self, item_id: str) -> None:
        sound = self._open.pop(item_id, None)
        if sound is not None:
            self._whole.append(sound)
