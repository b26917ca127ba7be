"""What waits to be sent: in order, bounded, and with an end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from realtime_nb.server.outbox import Farewell, Outbox

pytestmark = pytest.mark.timeout(20)


class Peer:
    """A client whose reading is held back by hand."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.got: list[object] = []
        self.has_read = asyncio.Event()

    async def send(self, text: str) -> None:
        """Take a text, when reading."""
        await self.reads.wait()
        self.got.append(text)
        self.has_read.set()

    async def close(self, code: int, reason: str) -> None:
        """Take a close frame, when reading."""
        await self.reads.wait()
        self.got.append((code, reason))


def outbox(peer: Peer, *, limit_bytes: int = 10, stall_s: float = 5.0) -> Outbox:
    """An outbox to that peer."""
    return Outbox(peer.send, peer.close, limit_bytes=limit_bytes, stall_s=stall_s)


def in_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run a coroutine as a test."""

    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@in_loop
async def test_everything_is_sent_in_order_and_the_farewell_last() -> None:
    """What was put before the farewell arrives in order, what is put after it does not."""
    peer = Peer()
    box = outbox(peer)
    for text in ("one", "two"):
        assert box.put(text)
    box.finish(Farewell(1001, "bye"))
    assert box.put("late")
    box.finish(Farewell(4000, "too late"))
    await box.run()
    assert peer.got == ["one", "two", (1001, "bye")]


@in_loop
async def test_the_limit_holds_to_the_byte() -> None:
    """Ten bytes may wait where ten are allowed; the eleventh is refused."""
    box = outbox(Peer())
    assert box.put("x" * 9)
    assert box.put("x")
    assert not box.put("x")


@in_loop
async def test_what_waits_is_counted_as_it_goes_over_the_wire() -> None:
    """A character of three bytes counts as three, and gives back as many when it is sent."""
    peer = Peer()
    box = outbox(peer)
    assert box.put("x" * 4)
    assert box.put("你好")
    assert not box.put("x")
    running = asyncio.create_task(box.run())
    await peer.has_read.wait()
    assert peer.got == ["xxxx", "你好"]
    assert box.put("你好吗")
    running.cancel()


@in_loop
async def test_one_event_larger_than_the_limit_passes_alone() -> None:
    """A retrieved item of many minutes is sent, as long as nothing else waits."""
    box = outbox(Peer())
    assert box.put("x" * 100)
    assert not box.put("x")


@in_loop
async def test_room_comes_back_when_something_is_sent() -> None:
    """What has been sent no longer counts."""
    peer = Peer()
    box = outbox(peer)
    assert box.put("x" * 10)
    writer = asyncio.create_task(box.run())
    await peer.has_read.wait()
    assert box.put("y" * 10)
    box.finish(Farewell(1000, ""))
    await writer
    assert peer.got == ["x" * 10, "y" * 10, (1000, "")]


@in_loop
async def test_a_stalled_reader_is_noticed() -> None:
    """A reader that takes nothing for the time allowed ends the writing."""
    peer = Peer()
    peer.reads.clear()
    box = outbox(peer, stall_s=0.01)
    box.put("x")
    with pytest.raises(TimeoutError):
        await box.run()


@pytest.mark.parametrize(("reason", "size"), [("short", 5), ("x" * 200, 123), ("\u00e4" * 100, 122)])
def test_a_reason_fits_its_frame(reason: str, size: int) -> None:
    """A close reason is cut to 123 bytes, at a whole character."""
    assert len(Farewell(1000, reason).short_reason.encode()) == size
