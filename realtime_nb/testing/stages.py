"""Stages of no cost, for tests and benchmarks of everything around the models.

They are scripted, say so in their names, and are never chosen by themselves:
only a test that asks for :func:`stub_engine` meets them.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from realtime_nb.engine.base import (
    Asr,
    Cancel,
    ChatCallDelta,
    ChatDelta,
    ChatEnd,
    ChatMessage,
    ChatRequest,
    ChatText,
    Llm,
    Samples,
    Tool,
    Transcription,
    Tts,
    TurnEnd,
    Vad,
    VadStream,
    Vision,
)
from realtime_nb.engine.build import Engine

__all__ = ["Call", "StubAsr", "StubLlm", "StubTts", "StubVad", "StubVision", "stub_engine", "stub_speech"]

LOUD = 0.02
"""Mean magnitude of a frame that :class:`StubVad` takes for speech."""


def stub_speech(ms: int = 800, rate: int = 24_000) -> bytes:
    """What :class:`StubVad` hears as speech.

    Parameters
    ----------
    ms : int
        How long, in milliseconds.
    rate : int
        Samples per second.

    Returns
    -------
    bytes
        PCM16, mono: a hum at 150 Hz.
    """
    t = np.arange(rate * ms // 1000) / rate
    return (0.3 * 32_768 * np.sin(2 * np.pi * 150 * t)).astype("<i2").tobytes()


class StubVad:
    """Speech is what is loud."""

    name = "scripted-vad"
    rate = 16_000
    frame = 512

    def stream(self) -> VadStream:
        """Start listening afresh."""
        return _Loudness(self.frame)


class _Loudness:
    def __init__(self, frame: int) -> None:
        self._frame = frame
        self._rest: Samples = np.zeros(0, np.float32)

    def feed(self, samples: Samples) -> list[float]:
        sound = np.concatenate([self._rest, samples])
        whole = len(sound) // self._frame * self._frame
        self._rest = sound[whole:]
        frames = sound[:whole].reshape(-1, self._frame)
        return [1.0 if loud else 0.0 for loud in np.abs(frames).mean(axis=1) > LOUD]


@dataclass
class StubAsr:
    """Hears what was written down beforehand.

    Parameters
    ----------
    heard : str or sequence of str
        The transcript of each utterance in turn; the last one again for all that follow.
    """

    heard: str | Sequence[str] = "hello there"
    name: str = "scripted-asr"
    rate: int = 16_000
    _next: Iterator[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        lines = [self.heard] if isinstance(self.heard, str) else list(self.heard)
        self._next = itertools.chain(lines, itertools.repeat(lines[-1]))

    def transcribe(
        self, samples: Samples, *, cancel: Cancel, language: str | None = None, prompt: str | None = None
    ) -> Transcription:
        """The next line; nothing for silence."""
        del cancel, prompt  # it is done before anybody could want it to stop
        if not len(samples) or np.abs(samples).max() < LOUD:
            return Transcription("")
        text = next(self._next)
        return Transcription(text, tokens=len(text.split()), language=language or "en")


@dataclass(frozen=True)
class Call:
    """A call that :class:`StubLlm` is to make.

    Parameters
    ----------
    name : str
        The function.
    arguments : dict
        What it gets.
    """

    name: str
    arguments: dict[str, Any]


Answer = str | Call | Sequence[str | Call]


def echo(request: ChatRequest) -> Answer:
    """Say what the user said last."""
    said = next((message.text for message in reversed(request.messages) if message.role == "user"), "")
    return f"You said: {said}." if said else "Hello."


@dataclass
class StubLlm:
    """Answers by a function of what it is asked.

    Parameters
    ----------
    answer : callable
        Takes a :class:`ChatRequest`; gives words, a :class:`Call`, or several of both.
    delay_s : float
        How long each word takes.
    """

    answer: Callable[[ChatRequest], Answer] = echo
    delay_s: float = 0.0
    name: str = "scripted-llm"
    context_tokens: int = 32_000
    sees_images: bool = False
    requests: list[ChatRequest] = field(default_factory=list)

    def count(self, text: str) -> int:
        """A token a word or mark."""
        return len(re.findall(r"\w+|[^\w\s]", text))

    def warm(
        self, messages: Sequence[ChatMessage], tools: Sequence[Tool] = (), *, cancel: Cancel | None = None
    ) -> None:
        """Nothing to warm."""

    def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
        """The answer, word by word; calls with their arguments in two pieces."""
        self.requests.append(request)
        answer = self.answer(request)
        parts = [answer] if isinstance(answer, str | Call) else list(answer)
        prompt = sum(self.count(message.text) + 4 for message in request.messages)
        written, calls = 0, 0
        for part in parts:
            pieces = _call_pieces(part, calls) if isinstance(part, Call) else map(ChatText, re.findall(r"\S+\s*", part))
            calls += isinstance(part, Call)
            for piece in pieces:
                if cancel.wait(self.delay_s) if self.delay_s else cancel.is_set():
                    yield ChatEnd("cancelled", prompt, 0, written)
                    return
                if request.max_tokens is not None and written >= request.max_tokens:
                    yield ChatEnd("length", prompt, 0, written)
                    return
                written += 1
                yield piece
        yield ChatEnd("tool_calls" if calls else "stop", prompt, 0, written)


def _call_pieces(call: Call, index: int) -> Iterator[ChatDelta]:
    text = json.dumps(call.arguments)
    half = len(text) // 2
    yield ChatCallDelta(index, call.name, text[:half])
    yield ChatCallDelta(index, call.name, text[half:])


@dataclass
class StubTts:
    """Hums for as long as the words would take.

    Parameters
    ----------
    seconds_per_word : float
        Of sound.
    """

    seconds_per_word: float = 0.3
    name: str = "scripted-tts"
    rate: int = 24_000

    def speak(self, text: str, *, voice: str, speed: float, cancel: Cancel) -> Iterator[Samples]:
        """A chunk a word; each voice hums its own note."""
        note = 110 + 20 * (sum(voice.encode()) % 12)
        for _word in text.split():
            if cancel.is_set():
                return
            t = np.arange(int(self.rate * self.seconds_per_word / speed)) / self.rate
            yield (0.2 * np.sin(2 * np.pi * note * t)).astype(np.float32)


class StubVision:
    """Sees how large a picture is in bytes, and nothing else."""

    name = "scripted-vision"

    def describe(self, png_or_jpeg: bytes, *, cancel: Cancel) -> str:
        """Its size."""
        del cancel
        return f"a picture of {len(png_or_jpeg)} bytes"


def stub_engine(
    *,
    vad: Vad | None = None,
    asr: Asr | None = None,
    llm: Llm | None = None,
    tts: Tts | None = None,
    vision: Vision | None = None,
    ending: TurnEnd | None = None,
) -> Engine:
    """Build an engine of scripted stages.

    Parameters
    ----------
    vad, asr, llm, tts, vision
        Stages to be used instead of the scripted ones.
    ending
        What tells the end of a turn by the voice; none by default.

    Returns
    -------
    Engine
        Of no cost.
    """
    spoken = (vad or StubVad(), asr or StubAsr(), llm or StubLlm(), tts or StubTts())
    return Engine(*spoken, vision or StubVision(), ending)
