"""A data channel as a socket: order, waiting, and what is too much."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("aiortc", reason="calls by WebRTC need aiortc")

from realtime_nb.webrtc import MAX_MESSAGE_BYTES
from realtime_nb.webrtc.channel import HIGH_BYTES, WAITING_BYTES, Channel


class Wire:
    """A data channel whose other end reads when it is told to."""

    def __init__(self) -> None:
        self.readyState = "connecting"  # the API's own word
        self.bufferedAmount = self.bufferedAmountLowThreshold = 0
        self.sent: list[str] = []
        self._told: dict[str, Callable[..., Any]] = {}

    def on(self, name: str, told: Callable[..., Any]) -> None:
        """Remember whom to tell."""
        self._told[name] = told

    def tell(self, name: str, *what: Any) -> None:
        """Let something happen."""
        self._told[name](*what)

    def open(self) -> None:
        """Be open."""
        self.readyState = "open"
        self.tell("open")

    def send(self, text: str) -> None:
        """Keep it."""
        self.sent.append(text)
        self.bufferedAmount += len(text)

    def read(self) -> None:
        """Let the other end take all that waits."""
        self.bufferedAmount = 0
        self.tell("bufferedamountlow")

    def close(self) -> None:
        """Be closed."""
        self.readyState = "closed"
        self.tell("close")


def connected() -> tuple[Channel, Wire]:
    """A channel on such a wire, not open yet."""
    channel, wire = Channel(), Wire()
    channel.attach(wire)  # type: ignore[arg-type]
    return channel, wire


def play(scenario: Callable[[Channel, Wire], Any]) -> None:
    """Run one."""

    async def run() -> None:
        async with asyncio.timeout(5):
            await scenario(*connected())

    asyncio.run(run())


async def settle() -> None:
    """Let everybody go as far as they can."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_sending_waits_until_it_is_open_and_while_it_is_full() -> None:
    """Nothing is lost before the channel opens; beyond a megabyte the sender waits until the other end has read."""

    async def scenario(channel: Channel, wire: Wire) -> None:
        first = asyncio.create_task(channel.send("a"))
        await settle()
        assert not wire.sent
        wire.open()
        await first
        piece = "x" * MAX_MESSAGE_BYTES
        while wire.bufferedAmount <= HIGH_BYTES:
            await channel.send(piece)
        late = asyncio.create_task(channel.send("late"))
        await settle()
        assert wire.sent[-1] == piece
        wire.read()
        await late
        assert wire.sent[-1] == "late"

    play(scenario)


def test_an_event_that_no_channel_carries_is_refused_before_it_is_sent() -> None:
    """The limit counts bytes, not characters."""

    async def scenario(channel: Channel, wire: Wire) -> None:
        wire.open()
        await channel.send("x" * MAX_MESSAGE_BYTES)
        for large in ("x" * (MAX_MESSAGE_BYTES + 1), "\u00e9" * (MAX_MESSAGE_BYTES // 2 + 1)):
            with pytest.raises(ValueError, match="larger"):
                await channel.send(large)

    play(scenario)


def test_who_waits_is_told_that_the_other_end_is_gone() -> None:
    """A sender gets an error, a reader what came before and then the end, each time."""

    async def scenario(channel: Channel, wire: Wire) -> None:
        sending = asyncio.create_task(channel.send("never"))
        wire.tell("message", "last")
        wire.tell("close")
        with pytest.raises(ConnectionError):
            await sending
        assert [await channel.receive() for _ in range(3)] == ["last", None, None]

    play(scenario)


def test_a_flood_ends_the_channel() -> None:
    """What is not read does not fill the memory."""

    async def scenario(channel: Channel, wire: Wire) -> None:
        wire.open()
        for _ in range(WAITING_BYTES // MAX_MESSAGE_BYTES + 1):
            wire.tell("message", "x" * MAX_MESSAGE_BYTES)
        assert wire.readyState == "closed"

    play(scenario)


def test_closing_waits_for_what_was_sent() -> None:
    """The last event is not cut off by the close that follows it."""

    async def scenario(channel: Channel, wire: Wire) -> None:
        wire.open()
        await channel.send("farewell")
        closing = asyncio.create_task(channel.close(1000, "over"))
        await settle()
        assert wire.readyState == "open"
        wire.read()
        await closing
        assert wire.readyState == "closed"

    play(scenario)
