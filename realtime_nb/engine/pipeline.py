"""One response, streamed: the brain writes, the voice speaks the first clause while the rest is written.

The brain runs on the caller's thread and the voice on a second one; clauses go
from one to the other through a queue. The clause's words are reported before
its sound, so that whoever listens can tell the brain's share of the wait from
the voice's.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, Literal

from realtime_nb.audio.formats import WireFormat
from realtime_nb.audio.resample import Resampler
from realtime_nb.engine.base import Cancel, ChatCallDelta, ChatEnd, ChatRead, ChatText
from realtime_nb.engine.build import Engine
from realtime_nb.engine.clauses import Clauses, speakable
from realtime_nb.engine.dialogue import Describe, chat_request, system_message, tools_of
from realtime_nb.engine.hearing import wire
from realtime_nb.protocol.effects import (
    CallDelta,
    Generated,
    GenerateRequest,
    PromptRead,
    Report,
    SpeechDelta,
    TextDelta,
)
from realtime_nb.protocol.formats import bytes_to_ms
from realtime_nb.protocol.tools import FunctionTool
from realtime_nb.protocol.usage import audio_out_tokens

__all__ = ["Pipeline"]

PICTURES: Final = 256
"""Pictures whose words are remembered; a few hundred bytes each."""

Emit = Callable[[Report], None]


class Pipeline:
    """Brain and voice, as one.

    Parameters
    ----------
    engine : Engine
        Loaded and warm.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: OrderedDict[bytes, str] = OrderedDict()  # by the picture's digest, the latest last
        self._looking = threading.Lock()

    def warm(self, instructions: str, tools: Sequence[FunctionTool], cancel: Cancel) -> None:
        """Put a prefix into the brain's cache.

        Parameters
        ----------
        instructions : str
            The session's.
        tools : sequence of FunctionTool
            The session's.
        cancel : Cancel
            Set when somebody wants an answer meanwhile.
        """
        self._engine.llm.warm((system_message(instructions),), tools_of(tools), cancel=cancel)

    def generate(self, request: GenerateRequest, response_id: str, emit: Emit, cancel: Cancel) -> None:
        """Answer; blocks until the answer is complete or cancelled.

        Parameters
        ----------
        request : GenerateRequest
            What to answer, and how.
        response_id : str
            Named in every report.
        emit : callable
            Takes the reports, in order; called on two threads, never at once.
        cancel : Cancel
            Set it, and brain and voice stop; nothing is reported any more.
        """
        stop = Cancel()  # set by the cancel, by the limit of tokens, or by a fault of either side
        watch = _Either(cancel, stop)
        mouth: _Mouth
        if "audio" in request.output_modalities:
            mouth = _Speaker(self._engine, request, response_id, emit, watch)
        else:
            mouth = _Writer(response_id, emit)
        try:
            end = self._write(request, response_id, emit, mouth, watch)
        except BaseException:
            stop.set()
            mouth.close()
            raise
        mouth.close()
        if not cancel.is_set():
            emit(_generated(response_id, end, was_cut=mouth.was_cut))

    def _write(self, request: GenerateRequest, response_id: str, emit: Emit, mouth: _Mouth, cancel: Cancel) -> ChatEnd:
        """Let the brain write, and pass on what it writes."""
        chat = chat_request(request, self._describe(cancel))
        end = ChatEnd("stop", 0, 0, 0)
        for piece in self._engine.llm.chat(chat, cancel=cancel):
            if isinstance(piece, ChatEnd):
                end = piece
            elif isinstance(piece, ChatRead):
                emit(PromptRead(response_id, piece.prompt_tokens, piece.cached_tokens))
            elif isinstance(piece, ChatText):
                mouth.say(piece.text)
            elif isinstance(piece, ChatCallDelta):
                mouth.pause()  # what was said comes before what is called
                emit(CallDelta(response_id, piece.index, piece.name, piece.arguments))
        return end

    def _describe(self, cancel: Cancel) -> Describe | None:
        if self._engine.llm.sees_images:
            return None
        return lambda picture: self._look(picture, cancel)

    def _look(self, picture: bytes, cancel: Cancel) -> str:
        """Words for a picture: those it got before, for it is in the prompt of every later response, too."""
        name = sha256(picture).digest()
        with self._looking:
            if name in self._seen:
                self._seen.move_to_end(name)
                return self._seen[name]
        words = self._engine.vision.describe(picture, cancel=cancel)
        with self._looking:
            if not cancel.is_set():  # else it may not have been looked at to the end
                self._seen[name] = words
            if len(self._seen) > PICTURES:
                self._seen.popitem(last=False)
        return words


_REASONS: Final[Mapping[str, Literal["stop", "length", "tool_calls"]]] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "cancelled": "stop",  # by the limit, or by nobody who still listens
}


def _generated(response_id: str, end: ChatEnd, *, was_cut: bool) -> Generated:
    reason = _REASONS["length" if was_cut else end.reason]
    return Generated(response_id, reason, end.prompt_tokens, end.cached_tokens, end.output_tokens)


_LOOK_S = 0.02
"""How often a stage that waits for its cancel looks at the second of the two."""


class _Either(threading.Event):
    """Set when either of two is."""

    def __init__(self, first: Cancel, second: Cancel) -> None:
        super().__init__()
        self._both = first, second

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._both)

    def set(self) -> None:
        self._both[1].set()

    def wait(self, timeout: float | None = None) -> bool:
        end = None if timeout is None else time.monotonic() + timeout
        while not self.is_set():
            left = _LOOK_S if end is None else min(_LOOK_S, end - time.monotonic())
            if left <= 0:
                return False
            self._both[0].wait(left)
        return True


# ---------------------------------------------------------------- where the words go
class _Mouth:
    """Takes the words of an answer."""

    was_cut = False

    def say(self, text: str) -> None:
        """Say the next words."""
        raise NotImplementedError

    def pause(self) -> None:
        """Wait until everything was said."""

    def close(self) -> None:
        """Say the rest, and end."""


class _Writer(_Mouth):
    """An answer in writing."""

    def __init__(self, response_id: str, emit: Emit) -> None:
        self._response_id = response_id
        self._emit = emit

    def say(self, text: str) -> None:
        self._emit(TextDelta(self._response_id, text))


@dataclass
class _Speaker(_Mouth):
    """An answer aloud: clauses through a queue to a thread that speaks them."""

    engine: Engine
    request: GenerateRequest
    response_id: str
    emit: Emit
    cancel: Cancel
    _clauses: Clauses = field(default_factory=Clauses)
    _queue: queue.Queue[str | None] = field(default_factory=queue.Queue)
    _thread: threading.Thread | None = None
    _fault: BaseException | None = None
    _written_tokens: int = 0
    _spoken_ms: float = 0.0

    def say(self, text: str) -> None:
        for clause in self._clauses.feed(text):
            self._give(clause)

    def pause(self) -> None:
        self._finish_clause()
        self._queue.join()
        self._raise()

    def close(self) -> None:
        self._finish_clause()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault

    def _finish_clause(self) -> None:
        for clause in self._clauses.finish():
            self._give(clause)

    def _give(self, clause: str) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="realtime-voice", daemon=True)
            self._thread.start()
        self._queue.put(clause)

    # ------------------------------------------------------------ on the voice's thread
    def _run(self) -> None:
        while (clause := self._queue.get()) is not None:
            try:
                if not self.cancel.is_set():
                    self._speak(clause)
            except BaseException as fault:  # noqa: BLE001 - raised again on the brain's thread
                self._fault = fault
                self.cancel.set()
            finally:
                self._queue.task_done()

    def _speak(self, clause: str) -> None:
        self.emit(SpeechDelta(self.response_id, transcript=clause))
        self._written_tokens += self.engine.llm.count(clause)
        if not (words := speakable(clause)):
            return
        for audio in self._sound(words):
            if self.cancel.is_set():
                return
            if self._is_over(audio):
                self.was_cut = True
                self.cancel.set()
                return
            self.emit(SpeechDelta(self.response_id, audio=audio))

    def _is_over(self, audio: bytes) -> bool:
        """Count the sound; whether it and its words pass the limit of tokens (1 for each 50 ms, protocol 5.2)."""
        self._spoken_ms += bytes_to_ms(len(audio), self.request.format)
        limit = self.request.max_output_tokens
        return limit is not None and self._written_tokens + audio_out_tokens(self._spoken_ms) > limit

    def _sound(self, words: str) -> Iterator[bytes]:
        """The clause as bytes of the session's format."""
        tts, codec = self.engine.tts, wire(self.request.format)
        resampler = Resampler(tts.rate, codec.rate)
        for chunk in tts.speak(words, voice=self.request.voice, speed=self.request.speed, cancel=self.cancel):
            yield from _pieces(codec.encode(resampler.feed(chunk)), codec)
        yield from _pieces(codec.encode(resampler.finish()), codec)


PIECES_PER_S = 5
"""One audio delta carries 200 ms at most, so that a cut by the limit, or by a listener, is fine-grained."""


def _pieces(data: bytes, codec: WireFormat) -> Iterator[bytes]:
    step = codec.rate // PIECES_PER_S * codec.sample_bytes
    for start in range(0, len(data), step):
        yield data[start : start + step]
