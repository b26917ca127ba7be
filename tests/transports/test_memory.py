"""The wire in memory."""

from __future__ import annotations

import asyncio

import pytest

from realtime_nb.errors import ConnectionClosed
from realtime_nb.transports.base import Transport
from realtime_nb.transports.memory import MemoryTransport, pair


def test_it_is_a_transport() -> None:
    """The memory wire has the methods every wire has."""
    assert isinstance(pair()[0], Transport)


def test_messages_arrive_in_order() -> None:
    """What one end sends, the other receives, in order."""

    async def talk() -> list[str | bytes]:
        near, far = pair()
        for word in ("one", "two", "three"):
            await near.send(word)
        return [await far.receive() for _ in range(3)]

    assert asyncio.run(talk()) == ["one", "two", "three"]


def test_a_close_reaches_the_other_end_after_what_was_sent() -> None:
    """Nothing sent before a close is lost; after it, both ends raise with its code and reason."""

    async def talk() -> None:
        near, far = pair()
        await near.send("last words")
        await near.close(4000, "enough")
        assert await far.receive() == "last words"
        for _ in range(2):
            with pytest.raises(ConnectionClosed) as caught:
                await far.receive()
            assert (caught.value.code, caught.value.reason) == (4000, "enough")
        with pytest.raises(ConnectionClosed):
            await near.receive()
        for end in (near, far):
            with pytest.raises(ConnectionClosed):
                await end.send("too late")

    asyncio.run(talk())


def test_an_end_alone_sends_nowhere() -> None:
    """A wire with one end is down."""
    with pytest.raises(ConnectionClosed):
        asyncio.run(MemoryTransport().send("hello"))
