"""Writing down what was said: asked for, awaited, told to the client where it wants to know."""

from __future__ import annotations

import math

import msgspec

from realtime_nb.protocol.effects import Transcribe, Transcribed, TranscribedDelta, TranscriptionFailed
from realtime_nb.protocol.events import (
    ConversationItemInputAudioTranscriptionCompleted,
    ConversationItemInputAudioTranscriptionDelta,
    ConversationItemInputAudioTranscriptionFailed,
    LogProb,
    ResponseError,
    TranscriptionError,
)
from realtime_nb.protocol.formats import AudioFormat
from realtime_nb.protocol.items import with_transcript
from realtime_nb.protocol.session_config import NoiseReduction, Transcription
from realtime_nb.protocol.usage import (
    DurationUsage,
    TokensUsage,
    TranscriptionInputTokens,
    TranscriptionUsage,
    audio_in_tokens,
)

from .state import State

__all__ = ["Transcripts"]

_BY_DURATION = ("whisper-1", "gpt-live-transcribe")
"""Transcription models that are billed by time (protocol, 5.4)."""


class _Pass(msgspec.Struct):
    """One pass of speech recognition, with the settings it began under."""

    wanted: Transcription | None
    logprobs: bool
    content_index: int
    ms: int
    told: str = ""
    """What was already sent in deltas."""


class Transcripts:
    """Every pass of speech recognition of a connection.

    Parameters
    ----------
    state : State
        Shared; ``words``, ``unheard`` and ``deaf`` are kept here.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._passes: dict[str, _Pass] = {}

    def begin(
        self,
        item_id: str,
        content_index: int,
        audio: bytes,
        fmt: AudioFormat,
        span_ms: tuple[int, int],
        *,
        noise_reduction: NoiseReduction | None = None,
        describe: bool = False,
    ) -> None:
        """Ask for the words of an item.

        Parameters
        ----------
        item_id : str
            The item.
        content_index : int
            Its spoken part.
        audio : bytes
            The sound.
        fmt : AudioFormat
            Its format.
        span_ms : (int, int)
            Where it begins and ends, from the session's first sound.
        noise_reduction : NoiseReduction, optional
            To be done first.
        describe : bool
            Whether a sound without words is to be described to the brain.
        """
        state = self._state
        wanted = state.session.audio.input.transcription
        self._passes[item_id] = _Pass(
            wanted=wanted,
            logprobs=bool(state.session.include),
            content_index=content_index,
            ms=span_ms[1] - span_ms[0],
        )
        state.unheard.add(item_id)
        state.do(
            Transcribe(
                item_id=item_id,
                audio=audio,
                format=fmt,
                language=wanted.language if wanted else None,
                prompt=wanted.prompt if wanted else None,
                noise_reduction=noise_reduction,
                describe=describe,
                audio_start_ms=span_ms[0],
                audio_end_ms=span_ms[1],
            )
        )

    def forget(self, item_id: str) -> None:
        """Drop a pass whose item is gone; what comes of it is ignored."""
        self._end(item_id)
        self._state.words.pop(item_id, None)
        self._state.sounds.pop(item_id, None)
        self._state.deaf.pop(item_id, None)

    def _end(self, item_id: str) -> _Pass | None:
        self._state.unheard.discard(item_id)
        return self._passes.pop(item_id, None)

    # ------------------------------------------------------------ reports
    def delta(self, report: TranscribedDelta) -> None:
        """Tell the client some words."""
        found = self._passes.get(report.item_id)
        if found and self._is_told(report.item_id, found) and report.text:
            found.told += report.text
            self._tell(report.item_id, found, report.text, None)

    def heard(self, report: Transcribed) -> None:
        """Keep all the words, and tell them to the client."""
        found = self._end(report.item_id)
        if found is None:
            return
        text = report.text.strip()
        self._state.words[report.item_id] = text
        if report.sound and not text:
            self._state.sounds[report.item_id] = report.sound
        if not self._is_told(report.item_id, found):
            return
        logprobs = tuple(LogProb(token=t, bytes=tuple(t.encode()), logprob=p) for t, p in report.logprobs)
        shown = logprobs if found.logprobs else None
        if text and not found.told:
            self._tell(report.item_id, found, text, shown)
        talk = self._state.conversation
        talk.put(with_transcript(talk[report.item_id], found.content_index, text))
        self._state.send(
            ConversationItemInputAudioTranscriptionCompleted(
                item_id=report.item_id,
                content_index=found.content_index,
                transcript=text,
                usage=_usage(found, report.tokens),
                logprobs=shown,
            )
        )

    def failed(self, report: TranscriptionFailed) -> None:
        """Remember why there are no words, and tell the client."""
        found = self._end(report.item_id)
        if found is None:
            return
        self._state.deaf[report.item_id] = ResponseError(type="server_error", code=report.code, message=report.message)
        if not self._is_told(report.item_id, found):
            return
        self._state.send(
            ConversationItemInputAudioTranscriptionFailed(
                item_id=report.item_id,
                content_index=found.content_index,
                error=TranscriptionError(type="server_error", code=report.code, message=report.message),
            )
        )

    def _is_told(self, item_id: str, found: _Pass) -> bool:
        """Whether the client wants to know, and knows the item: those of a response's own input it does not."""
        return found.wanted is not None and item_id in self._state.conversation

    def _tell(self, item_id: str, found: _Pass, text: str, logprobs: tuple[LogProb, ...] | None) -> None:
        self._state.send(
            ConversationItemInputAudioTranscriptionDelta(
                item_id=item_id, content_index=found.content_index, delta=text, logprobs=logprobs
            )
        )


def _usage(found: _Pass, tokens: int) -> TranscriptionUsage:
    if found.wanted and found.wanted.model in _BY_DURATION:
        return DurationUsage(seconds=float(math.ceil(found.ms / 1000)))
    heard = audio_in_tokens(found.ms)
    return TokensUsage(
        total_tokens=heard + tokens,
        input_tokens=heard,
        output_tokens=tokens,
        input_token_details=TranscriptionInputTokens(audio_tokens=heard),
    )
