"""The far side of a peer's process: jobs come in as lines of JSON, what became of them goes out as lines of JSON.

It runs in the peer's own environment, with nothing of ours and nothing beside the standard library.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

RATE_HZ = 16_000
CHUNK_MS = 20


Job = dict[str, Any]


@dataclass
class Answer:
    """What the assistant said in one turn, as far as the client knows."""

    text: str
    interrupted: bool = False


@dataclass
class Talk:
    """What a client made of a conversation."""

    answers: list[Answer] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    """The user's words as the server wrote them down."""
    asked: list[str] = field(default_factory=list)
    """The cities the function was called with."""
    errors: list[str] = field(default_factory=list)
    played_ms: float = 0.0
    """Sound that came out of the loudspeaker."""

    def __post_init__(self) -> None:
        self._news: asyncio.Queue[Answer | None] = asyncio.Queue()

    def answered(self, text: str | None, *, interrupted: bool) -> None:
        """The assistant has ended a turn; one without words only called a function."""
        if text:
            self.answers.append(Answer(text, interrupted))
            self._news.put_nowait(self.answers[-1])

    def failed(self, error: str) -> None:
        """The client complains: that ends the conversation."""
        self.errors.append(error)
        self._news.put_nowait(None)

    async def answer(self) -> Answer:
        """The next answer."""
        answer = await self._news.get()
        if answer is None:
            raise RuntimeError(self.errors[-1])
        return answer


class Microphone:
    """Always on, in real time: silence, until somebody speaks."""

    def __init__(self) -> None:
        self._sound = bytearray()

    def say(self, path: str) -> None:
        """Speak what a WAV file holds."""
        with wave.open(path) as file:
            if file.getframerate() != RATE_HZ:
                raise ValueError(f"{path} is of {file.getframerate()} Hz, and must be of {RATE_HZ}")
            self._sound += file.readframes(file.getnframes())

    async def chunks(self) -> AsyncIterator[bytes]:
        """What it hears: PCM16, mono, of :data:`RATE_HZ`, :data:`CHUNK_MS` at a time."""
        size = 2 * RATE_HZ * CHUNK_MS // 1000
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += CHUNK_MS / 1000
            await asyncio.sleep(due - loop.time())
            chunk = bytes(self._sound[:size])
            del self._sound[:size]
            yield chunk.ljust(size, b"\0")


class Bot(Protocol):
    """A client, as its user sees it."""

    microphone: Microphone
    speaking: asyncio.Event
    """Set while the loudspeaker sounds."""

    async def write(self, text: str) -> None:
        """Say something in writing."""


async def converse(bot: Bot, job: Job, talk: Talk) -> None:
    """Do what the steps of a job say, each when the answer to the one before has ended."""
    for step in job["steps"]:
        if "write" in step:
            await bot.write(step["write"])
        if "over" in step:
            await bot.speaking.wait()
            bot.microphone.say(step["over"])
            await talk.answer()  # the one spoken over
        if "speak" in step:
            bot.microphone.say(step["speak"])
        await talk.answer()


Client = Callable[[Job, Talk], Awaitable[None]]


async def _work(client: Client, job: Job) -> Talk:
    talk = Talk()
    try:
        async with asyncio.timeout(job["timeout_s"]):
            await client(job, talk)
    except Exception:  # noqa: BLE001 - whatever it is, it is the test's to see
        talk.errors.append(traceback.format_exc())
    return talk


def serve(client: Client) -> None:
    """Do jobs until there are no more, or until one fails: what that leaves behind must not meet the next one."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the packages print is not an answer

    async def work(job: Job) -> None:
        talk = await _work(client, job)
        print(json.dumps(asdict(talk)), file=answers)
        if talk.errors:
            os._exit(1)

    for line in sys.stdin:
        asyncio.run(work(json.loads(line)))
