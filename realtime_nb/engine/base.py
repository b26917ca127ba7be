"""The four stages of a voice engine, as Protocols, and the small values they exchange.

A stage is synchronous and runs on a worker thread: the models release the GIL,
so a thread is enough, and a stage author needs to know nothing of asyncio.
Every long call takes a :class:`Cancel`; it must stop within 100 ms of its being
set. A stage is shared by all sessions and must be safe to call from several
threads (take a lock where the model is not).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Asr",
    "Cancel",
    "ChatCall",
    "ChatCallDelta",
    "ChatDelta",
    "ChatEnd",
    "ChatMessage",
    "ChatRead",
    "ChatRequest",
    "ChatText",
    "Llm",
    "Samples",
    "Tool",
    "Transcription",
    "Tts",
    "TurnEnd",
    "Vad",
    "VadStream",
    "Vision",
]

Samples = NDArray[np.float32]
"""Mono samples, float32 in [-1, 1], shape ``(n,)``; the rate is named beside it."""

Cancel = threading.Event
"""Set it, and the call that was given it stops within 100 ms."""


class VadStream(Protocol):
    """One listener's voice activity state."""

    def feed(self, samples: Samples) -> list[float]:
        """Speech probabilities of the whole frames completed by `samples` (any length, 16 kHz)."""
        ...


@runtime_checkable
class Vad(Protocol):
    """Tells speech from everything else."""

    name: str
    rate: int
    """Samples per second it wants: 16,000."""
    frame: int
    """Samples per probability: 512 (32 ms)."""

    def stream(self) -> VadStream:
        """Start listening afresh."""
        ...


@dataclass(frozen=True, slots=True)
class Transcription:
    """What was heard."""

    text: str
    logprobs: tuple[tuple[str, float], ...] = ()
    """``(token, natural-log probability)`` in order; empty where the backend has none."""
    language: str | None = None
    tokens: int = 0
    """Output tokens, by the recogniser's own tokenizer."""


@runtime_checkable
class Asr(Protocol):
    """Speech to text."""

    name: str
    rate: int
    """Samples per second it wants: 16,000."""

    def transcribe(
        self, samples: Samples, *, cancel: Cancel, language: str | None = None, prompt: str | None = None
    ) -> Transcription:
        """The words in `samples`. Silence, noise or a click gives the empty text."""
        ...


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call, as the session declares it."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    """JSON Schema of the arguments object."""


@dataclass(frozen=True, slots=True)
class ChatCall:
    """A call the model made earlier."""

    call_id: str
    name: str
    arguments: str
    """JSON text."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of the prompt."""

    role: str
    """``system``, ``user``, ``assistant`` or ``tool``."""
    text: str
    calls: tuple[ChatCall, ...] = ()
    """On an assistant message: the calls it made."""
    call_id: str | None = None
    """On a tool message: the call it answers."""
    images: tuple[str, ...] = ()
    """Data URLs; only given to a brain with ``sees_images``."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What the language model is asked."""

    messages: tuple[ChatMessage, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    """``auto``, ``none``, ``required``, or the name of the one function to call."""
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ChatRead:
    """The prompt was read: a brain that knows this before its first word says it once, for answers that are cut off."""

    prompt_tokens: int
    cached_tokens: int


@dataclass(frozen=True, slots=True)
class ChatText:
    """A piece of the answer, as it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class ChatCallDelta:
    """A piece of a function call: the first piece of a call has its name, the others extend the JSON."""

    index: int
    """0 for the response's first call, 1 for its second."""
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatEnd:
    """The last thing a chat yields.

    ``prompt_tokens`` counts the whole prompt; ``cached_tokens`` of them came out
    of the KV cache without being computed again.
    """

    reason: str
    """``stop``, ``length``, ``tool_calls`` or ``cancelled``."""
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int


ChatDelta = ChatRead | ChatText | ChatCallDelta | ChatEnd


@runtime_checkable
class Llm(Protocol):
    """The brain."""

    name: str
    context_tokens: int
    """How much the loaded model can read and write together."""
    sees_images: bool

    def count(self, text: str) -> int:
        """Tokens in `text`, by the model's own tokenizer."""
        ...

    def warm(
        self, messages: Sequence[ChatMessage], tools: Sequence[Tool] = (), *, cancel: Cancel | None = None
    ) -> None:
        """Put a prefix (instructions, tools) into the KV cache, so that the next chat starts fast.

        Cancelled, it leaves what it has read so far, and has let go of the cache when it returns.
        """
        ...

    def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
        """Write the answer, piece by piece; always ends with one :class:`ChatEnd`."""
        ...


@runtime_checkable
class Tts(Protocol):
    """Text to speech."""

    name: str
    rate: int
    """Samples per second it gives."""

    def speak(self, text: str, *, voice: str, speed: float, cancel: Cancel) -> Iterator[Samples]:
        """Say one clause, in chunks at :attr:`rate`. An unknown `voice` name gets one stable voice."""
        ...


@runtime_checkable
class TurnEnd(Protocol):
    """Tells from the voice whether a turn is over."""

    name: str
    rate: int
    """Samples per second it wants."""

    def complete(self, samples: Samples) -> float:
        """The probability that the turn, which pauses here, is over; in about 0.1 s."""
        ...


@runtime_checkable
class Vision(Protocol):
    """Turns a picture into words for a brain that cannot see."""

    name: str

    def describe(self, png_or_jpeg: bytes, *, cancel: Cancel) -> str:
        """What is in the picture: its text, colours, shapes and size."""
        ...
