"""Hearing: the input audio buffer, turns, and what becomes of them."""

from __future__ import annotations

from realtime_nb.protocol.effects import Detect, ForgetAudio, Hear, KeyPressed, Send, SpeechStarted, SpeechStopped
from realtime_nb.protocol.events import (
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCleared,
    InputAudioBufferCommit,
    InputAudioBufferCommitted,
    InputAudioBufferDtmfEventReceived,
    InputAudioBufferSpeechStarted,
    InputAudioBufferSpeechStopped,
    InputAudioBufferTimeoutTriggered,
)
from realtime_nb.protocol.faults import fault
from realtime_nb.protocol.formats import base64_bytes, bytes_to_ms, sample_bytes
from realtime_nb.protocol.items import InputAudio, Message
from realtime_nb.protocol.session_config import AnySession

from .buffer import Buffer, Span
from .playback import Playback
from .quiet import Quiet
from .responses import Responses
from .state import State
from .transcripts import Transcripts

__all__ = ["Ears"]

ROUNDING_MS = 1
"""The detector reports whole milliseconds, and adds the time up by itself."""


class Ears:
    """What the session hears.

    Parameters
    ----------
    state : State
        Shared.
    transcripts : Transcripts
        Writes down what was said.
    responses : Responses
        Is interrupted by speech, and answers it.
    playback : Playback
        What is still to be heard of them.
    quiet : Quiet
        Rings when nobody speaks.
    """

    def __init__(
        self, state: State, transcripts: Transcripts, responses: Responses, playback: Playback, quiet: Quiet
    ) -> None:
        self._state = state
        self._transcripts = transcripts
        self._responses = responses
        self._playback = playback
        self._quiet = quiet
        self._buffer = Buffer(state.session.audio.input.format)
        self._speech_start_ms = 0.0
        self._afresh_ms = 0.0  # where the detector began afresh: its late report of speech before that is of no speech

    # ------------------------------------------------------------ asked for
    def append(self, event: InputAudioBufferAppend) -> None:
        """Keep more sound, and give it to the detector."""
        limits, buffer = self._state.limits, self._buffer
        if (size := base64_bytes(len(event.audio))) > limits.append_bytes:
            raise fault("append_too_large", size=size, bound=limits.append_bytes)
        if len(event.audio) % sample_bytes(buffer.format):
            raise fault("bad_audio", param="audio")
        if not event.audio:
            return
        longer_ms = buffer.ms + bytes_to_ms(len(event.audio), buffer.format)
        if self._state.turn_detection is None and longer_ms > limits.audio_buffer_s * 1000:
            raise fault("buffer_full", seconds=limits.audio_buffer_s)
        self._keep(event.audio, endless=self._state.turn_detection is not None)

    def listen(self, audio: bytes) -> None:
        """Keep more sound of a call, in the session's format: nobody is there to be told that it is too much."""
        if audio:
            self._keep(audio, endless=True)

    def _keep(self, audio: bytes, *, endless: bool) -> None:
        buffer = self._buffer
        buffer.append(audio)
        self._state.heard_ms = buffer.end_ms
        if endless:
            buffer.trim(self._state.limits.audio_buffer_s * 1000)
        self._state.do(Hear(audio, buffer.format))  # even for push-to-talk: the detector counts the time

    def commit(self, _event: InputAudioBufferCommit) -> None:
        """Make what is buffered an item; no response comes of it."""
        if self._buffer.ms < self._state.limits.min_commit_ms:
            raise fault("short_commit", ms=self._buffer.ms, bound=self._state.limits.min_commit_ms)
        self._state.check_room(self._state.conversation)
        name = self._state.speech or self._state.ids.new("item")
        self._forget_speech()
        self._commit(name, self._buffer.take_all(), on_purpose=True)

    def clear(self, _event: InputAudioBufferClear) -> None:
        """Forget what is buffered."""
        self._buffer.clear()
        self._forget_speech()
        self._state.send(InputAudioBufferCleared())

    def _forget_speech(self) -> None:
        self._begin_afresh()
        if self._state.turn_detection is not None:
            self._state.do(ForgetAudio())

    def _begin_afresh(self) -> None:
        self._state.speech = None
        self._afresh_ms = self._buffer.end_ms

    def configure(self, old: AnySession) -> None:
        """Hear as the session now says. Sound of another format that is not committed yet is forgotten."""
        heard, was = self._state.session.audio.input, old.audio.input
        if heard.format != was.format:
            if self._buffer:
                self._forget_speech()
                self._state.send(InputAudioBufferCleared())
            self._buffer.reformat(heard.format)
        if heard.turn_detection is None or was.turn_detection is None:
            self._begin_afresh()
        if heard.turn_detection != was.turn_detection:
            self._quiet.renew()
        if (heard.turn_detection, heard.noise_reduction) != (was.turn_detection, was.noise_reduction):
            self._state.do(Detect(heard.turn_detection, heard.noise_reduction))

    # ------------------------------------------------------------ reported
    def key(self, report: KeyPressed) -> None:
        """Say that the caller has pressed a key; this event has no id (protocol, 1.4)."""
        self._state.do(Send(InputAudioBufferDtmfEventReceived(event=report.key, received_at=report.received_at)))

    def started(self, report: SpeechStarted) -> None:
        """Somebody speaks: the response stops, if it may be interrupted.

        A second start without a stop between (the detector began afresh) belongs to the speech that is known.
        """
        state = self._state
        if state.turn_detection is None or report.audio_start_ms < self._afresh_ms - ROUNDING_MS:
            return
        if state.speech is None:
            self._quiet.disarm()
            self._speech_start_ms = max(report.audio_start_ms, self._buffer.start_ms)
            state.speech = state.ids.new("item")
            start_ms = round(self._speech_start_ms)
            state.send(InputAudioBufferSpeechStarted(audio_start_ms=start_ms, item_id=state.speech))
        if state.turn_detection.interrupt_response:
            state.playing_until = min(state.playing_until, state.now)  # the client is silent, too
            self._responses.interrupt()
            self._playback.interrupt()

    def stopped(self, report: SpeechStopped) -> None:
        """Nobody speaks any more: what was said becomes an item, and is answered if it is to be."""
        state = self._state
        detection, name = state.turn_detection, state.speech
        if detection is None or name is None:
            return
        state.speech = None
        state.send(InputAudioBufferSpeechStopped(audio_end_ms=report.audio_end_ms, item_id=name))
        span = self._buffer.take(self._speech_start_ms, report.audio_end_ms)
        state.check_room(state.conversation)
        self._commit(name, span)
        if detection.create_response:
            self._responses.turn(name)

    def _commit(self, name: str, span: Span, *, on_purpose: bool = False) -> None:
        state, talk = self._state, self._state.conversation
        self._quiet.disarm()
        state.send(InputAudioBufferCommitted(item_id=name, previous_item_id=talk.last))
        item = Message(id=name, status="completed", role="user", content=(InputAudio(),))
        state.add(item)
        talk.listen(name, 0, self._buffer.format).add(audio=span.audio)
        state.finish(item)
        if span.audio:
            when = (span.start_ms, span.end_ms)
            reduction = state.session.audio.input.noise_reduction
            self._transcripts.begin(
                name, 0, span.audio, self._buffer.format, when, noise_reduction=reduction, describe=on_purpose
            )

    # ------------------------------------------------------------ nobody speaks
    def tick(self) -> None:
        """See whether the quiet has lasted too long; then an empty turn is committed, and answered, once."""
        if not self._quiet.rings():
            return
        state = self._state
        name = state.ids.new("item")
        end_ms = round(self._buffer.end_ms)
        start_ms = min(end_ms, round(self._quiet.since_ms))
        state.send(InputAudioBufferTimeoutTriggered(item_id=name, audio_start_ms=start_ms, audio_end_ms=end_ms))
        self._commit(name, Span(b"", start_ms, end_ms))
        state.words[name] = "(The user has said nothing for a while.)"
        self._responses.nobody()
