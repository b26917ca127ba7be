"""The media path without a browser: a WebSocket client and a widget's messages play the page."""

from __future__ import annotations

import asyncio
import queue
import socket
import time
from asyncio.trsock import TransportSocket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from realtime_nb.widgets.base import View
from realtime_nb.widgets.media import Channel
from realtime_nb.widgets.media_frames import pack_frame, unpack_frame

ORIGIN = "http://localhost:8888"
WAIT_S = 10


class Desk(View):
    """A widget whose messages to the page, and whose channel's callbacks, are kept in queues."""

    view_name = "desk"

    def __init__(self) -> None:
        super().__init__()
        self.sent: queue.Queue[tuple[dict[str, Any], list[bytes]]] = queue.Queue()
        self.heard: queue.Queue[tuple[dict[str, Any], bytes]] = queue.Queue()
        self.told: queue.Queue[tuple[dict[str, Any], bytes]] = queue.Queue()
        self.media = Channel(
            self,
            on_audio=lambda pcm, header: self.heard.put((header, pcm)),
            on_event=lambda header, payload: self.told.put((header, payload)),
        )

    def send(self, content: Any, buffers: Any = None) -> None:
        """Keep what would go to the page."""
        self.sent.put((content, [bytes(buffer) for buffer in buffers or ()]))

    def page_says(self, content: dict[str, Any], *buffers: bytes) -> None:
        """Take a message as the page's."""
        self._take(content, [memoryview(buffer) for buffer in buffers])

    def offer(self, page: str = "p1") -> dict[str, Any]:
        """Ask for the socket as a page does."""
        self.page_says({"t": "media.hello", "page": page, "origin": ORIGIN})
        content, _ = self.sent.get(timeout=WAIT_S)
        return content


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A widget with a channel, closed at the end."""
    widget = Desk()
    yield widget
    widget.close()


class Page:
    """A page's end of the socket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, header: dict[str, Any], payload: bytes = b"") -> None:
        """Send a frame."""
        await self.socket.send(pack_frame(header, payload))

    async def next(self) -> tuple[dict[str, Any], bytes]:
        """Take the next frame."""
        async with asyncio.timeout(WAIT_S):
            return unpack_frame(await self.socket.recv(decode=False))


async def reach(desk: Desk, page: str = "p1", **hello: Any) -> Page:
    """Come in as a page; its welcome is still to be read."""
    offer = await asyncio.to_thread(desk.offer, page)
    socket = await connect(f"ws://127.0.0.1:{offer['port']}", origin=ORIGIN, compression=None)  # type: ignore[arg-type]
    here = Page(socket)
    await here.say({"t": "hello", "page": page, "token": offer["token"], "path": "direct", "why": [], **hello})
    return here


def play(scene: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scene to its end."""
    asyncio.run(scene())


def told(desk: Desk, kind: str) -> dict[str, Any]:
    """Wait for an event of this kind."""
    while True:
        header, _ = desk.told.get(timeout=WAIT_S)
        if header["t"] == kind:
            return header


@given(
    header=st.dictionaries(st.text(max_size=5), st.one_of(st.integers(), st.text(max_size=9), st.booleans())),
    payload=st.binary(max_size=64),
)
def test_a_frame_comes_back_as_it_was(header: dict[str, Any], payload: bytes) -> None:
    """Any header and payload survive, and the samples lie aligned."""
    frame = pack_frame({**header, "t": "x"}, payload)
    assert unpack_frame(frame) == ({**header, "t": "x"}, payload)
    assert (len(frame) - len(payload)) % 4 == 0


@pytest.mark.parametrize(
    "frame", [b"", b"\x01", b"\xff\xff\xff\xff{}", b"\x04\x00\x00\x00[1] ", b"\x04\x00\x00\x00nope"]
)
def test_bytes_that_are_no_frame_are_refused(frame: bytes) -> None:
    """Cut, lying or foreign bytes raise ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"frame|Expecting"):
        unpack_frame(frame)


def test_sound_and_events_go_both_ways_in_order(desk: Desk) -> None:
    """The microphone's chunks reach the kernel whole; sound and events reach the page in the order they were sent."""

    async def scene() -> None:
        page = await reach(desk)
        assert (await page.next())[0] == {"t": "welcome", "owner": True}
        for at in range(0, 4800, 480):
            await page.say({"t": "audio", "at": at}, at.to_bytes(2, "little") * 480)
        chunks = [await asyncio.to_thread(desk.heard.get, timeout=WAIT_S) for _ in range(10)]
        assert [header["at"] for header, _ in chunks] == list(range(0, 4800, 480))
        assert chunks[3][1] == (1440).to_bytes(2, "little") * 480

        desk.media.push(b"\x01\x00" * 4, {"item": "item_1"})
        desk.media.send({"t": "words", "text": "Ägypten"})
        desk.media.push(b"", {"item": "item_1", "last": True})
        assert await page.next() == ({"t": "audio", "item": "item_1"}, b"\x01\x00" * 4)
        assert await page.next() == ({"t": "words", "text": "Ägypten"}, b"")
        assert await page.next() == ({"t": "audio", "item": "item_1", "last": True}, b"")

    play(scene)


@pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux acknowledges at once on demand")
@pytest.mark.parametrize(("path", "times"), [("proxy", 3), ("direct", 0)])
def test_what_comes_through_the_proxy_is_acknowledged_at_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, path: str, times: int
) -> None:
    """After every frame, since Linux forgets: the proxy would hold the next one back until the last is acknowledged."""
    acknowledged: list[int] = []
    usual = TransportSocket.setsockopt

    def noted(self: TransportSocket, level: int, option: int, *value: Any) -> None:
        if (level, option) == (socket.IPPROTO_TCP, socket.TCP_QUICKACK):
            acknowledged.extend(value)
        usual(self, level, option, *value)

    monkeypatch.setattr(TransportSocket, "setsockopt", noted)

    async def scene() -> None:
        page = await reach(desk, path=path)
        await page.next()
        for at in (0, 1, 2):
            await page.say({"t": "audio", "at": at}, b"\0\0")
            await asyncio.to_thread(desk.heard.get, timeout=WAIT_S)

    play(scene)
    assert acknowledged == [1] * times


def test_a_page_says_how_it_came_and_how_long_a_round_trip_is(desk: Desk) -> None:
    """The path has the page's way, its round trip, and why a better way was not to be had."""

    async def scene() -> None:
        page = await reach(desk, path="direct", why=["proxy: refused (1006)"])
        await page.next()
        await page.say({"t": "ping", "sent": 12.5})
        assert await page.next() == ({"t": "pong", "sent": 12.5}, b"")
        await page.say({"t": "rtt", "ms": 1.25})
        await page.say({"t": "sync"})
        await asyncio.to_thread(told, desk, "sync")
        path = desk.media.path
        assert path is not None
        assert (path.name, path.rtt_ms, path.why, path.owner) == ("direct", 1.25, ("proxy: refused (1006)",), True)
        assert str(path) == "direct, round trip 1.2 ms (not better: proxy: refused (1006))"

    play(scene)


@pytest.mark.parametrize("origin", [None, "https://evil.example", "http://localhost:8889"])
def test_a_page_of_another_origin_is_not_let_in(desk: Desk, origin: str | None) -> None:
    """The handshake itself is refused: no token is looked at."""

    async def scene() -> None:
        offer = await asyncio.to_thread(desk.offer)
        with pytest.raises(InvalidStatus, match="403"):
            await connect(f"ws://127.0.0.1:{offer['port']}", origin=origin)  # type: ignore[arg-type]

    play(scene)


@pytest.mark.parametrize(
    "first",
    [
        pack_frame({"t": "hello", "page": "p1", "token": "guessed"}),
        pack_frame({"t": "hello", "page": "p1"}),
        pack_frame({"t": "audio", "at": 0}, b"\0\0"),
        b"no frame",
    ],
)
def test_without_the_token_nothing_is_heard(desk: Desk, first: bytes) -> None:
    """A first frame that does not bring the widget's token ends the connection, and the widget is told nothing."""

    async def scene() -> None:
        offer = await asyncio.to_thread(desk.offer)
        socket = await connect(f"ws://127.0.0.1:{offer['port']}", origin=ORIGIN)  # type: ignore[arg-type]
        await socket.send(first)
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert desk.told.empty()
        assert desk.media.paths == ()

    play(scene)


def test_the_token_never_shows(desk: Desk) -> None:
    """Neither a repr nor a synced trait, which a saved notebook would keep, has the token."""
    token = desk.offer()["token"]
    assert token not in repr(desk.media) + repr(desk) + str(desk.get_state()) + str(vars(desk.media))


def test_one_page_has_the_microphone_until_another_claims_it(desk: Desk) -> None:
    """The first page is heard and sounds, the second only sees; a claim changes that, and both are told."""

    async def scene() -> None:
        first = await reach(desk, "p1")
        assert (await first.next())[0]["owner"] is True
        second = await reach(desk, "p2")
        assert (await second.next())[0]["owner"] is False
        await second.say({"t": "audio", "at": 0}, b"\2\0")
        await second.say({"t": "claim"})
        assert (await first.next())[0] == {"t": "owner", "owner": False}
        assert (await second.next())[0] == {"t": "owner", "owner": True}
        await first.say({"t": "audio", "at": 0}, b"\1\0")
        await first.say({"t": "sync"})
        await asyncio.to_thread(told, desk, "sync")
        await second.say({"t": "audio", "at": 480}, b"\3\0")
        assert (await asyncio.to_thread(desk.heard.get, timeout=WAIT_S))[1] == b"\3\0"
        desk.media.push(b"\4\0", {"item": "i"})
        desk.media.send({"t": "seen"})
        assert [(await second.next())[0]["t"], (await second.next())[0]["t"]] == ["audio", "seen"]
        assert (await first.next())[0]["t"] == "seen"

    play(scene)


def test_a_page_that_comes_back_is_the_owner_again(desk: Desk) -> None:
    """A reload, or a lost connection, leaves no ghost that keeps the microphone."""

    async def scene() -> None:
        first = await reach(desk, "p1")
        await first.next()
        await first.socket.close()
        await asyncio.to_thread(told, desk, "closed")
        assert (await (await reach(desk, "p2")).next())[0]["owner"] is True

    play(scene)


def test_a_flush_overtakes_the_sound_that_waits(desk: Desk) -> None:
    """Sound not yet sent is dropped; the page hears of the flush at once."""

    async def scene() -> None:
        page = await reach(desk)
        await page.next()
        seconds = 200
        for _ in range(seconds):
            desk.media.push(bytes(48_000), {"item": "long"})
        desk.media.flush()
        got = 0
        while (await page.next())[0]["t"] != "flush":
            got += 1
        assert got < seconds

    play(scene)


def test_a_page_that_takes_nothing_is_let_go(desk: Desk) -> None:
    """What waits for a page is bounded: beyond 32 MB it is let go, and the kernel's memory is its own again."""

    async def scene() -> None:
        page = await reach(desk)
        await asyncio.to_thread(told, desk, "opened")
        for _ in range(90):
            desk.media.push(bytes(1 << 19), {"item": "long"})
        await asyncio.to_thread(told, desk, "closed")
        assert desk.media.paths == ()
        await page.socket.wait_closed()

    play(scene)


def test_a_closed_widget_lets_its_pages_go(desk: Desk) -> None:
    """The page is told by a code of its own that the widget was closed, and its token opens nothing any more."""

    async def scene() -> None:
        page = await reach(desk)
        await page.next()
        offer = await asyncio.to_thread(desk.offer, "p2")
        desk.close()
        with pytest.raises(ConnectionClosed) as closed:
            await page.next()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4000
        socket = await connect(f"ws://127.0.0.1:{offer['port']}", origin=ORIGIN)  # type: ignore[arg-type]
        await socket.send(pack_frame({"t": "hello", "page": "p2", "token": offer["token"]}))
        with pytest.raises(ConnectionClosed):
            await socket.recv()

    play(scene)


def test_the_comm_carries_frames_when_no_socket_can(desk: Desk) -> None:
    """The same frames, gathered; a page without the token is not heard."""
    token = desk.offer("p9")["token"]
    desk.page_says({"t": "media", "page": "p8"}, pack_frame({"t": "hello", "token": "guessed"}))
    hello = pack_frame({"t": "hello", "token": token, "path": "comm", "why": ["direct: refused (1006)"]})
    chunks = [pack_frame({"t": "audio", "at": at}, b"\5\0" * 480) for at in (0, 480, 960)]
    desk.page_says({"t": "media", "page": "p9"}, hello, *chunks)
    assert [desk.heard.get(timeout=WAIT_S)[0]["at"] for _ in chunks] == [0, 480, 960]
    content, frames = desk.sent.get(timeout=WAIT_S)
    assert content == {"t": "media", "page": "p9"}
    assert unpack_frame(frames[0])[0] == {"t": "welcome", "owner": True}
    assert desk.media.path is not None
    assert desk.media.path.name == "comm"

    begin = time.monotonic()
    for piece in range(30):
        desk.media.push(bytes(9600), {"item": "i", "piece": piece})
        time.sleep(0.01)  # as sound comes, not all at once
    took_s = time.monotonic() - begin
    got: list[int] = []
    messages = 0
    while len(got) < 30:
        got += [unpack_frame(frame)[0]["piece"] for frame in desk.sent.get(timeout=WAIT_S)[1]]
        messages += 1
    assert got == list(range(30))
    assert messages <= took_s / 0.1 + 2  # gathered: each message of the comm costs JupyterLab a redraw
    desk.page_says({"t": "media.bye", "page": "p9"})
    told(desk, "closed")


def test_errors_of_the_page_come_home(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """What goes wrong in the page is on the widget and in the log, newest last, and never more than fifty."""
    for number in range(60):
        desk.page_says({"t": "fault", "where": "render", "text": f"TypeError: {number}", "stack": "at x.js"})
    assert len(desk.faults) == 50
    assert desk.faults[-1] == "render: TypeError: 59"
    assert "Desk in the page: render: TypeError: 59" in caplog.text


def test_messages_that_are_no_ours_are_no_error(desk: Desk) -> None:
    """Whatever comes by the comm, the widget lives."""
    for content in ("text", None, {}, {"t": 5}, {"t": "unknown"}, {"t": "media"}, {"t": "media.bye"}):
        desk.page_says(content, b"no frame")  # type: ignore[arg-type]
    assert desk.offer()["port"] > 0


def test_replies_go_where_they_are_asked() -> None:
    """On ipykernel 7.4 the page's messages stay in the subshell they are sent to: a running cell holds none up."""
    pytest.importorskip("ipykernel")
    from ipykernel.comm.comm import BaseComm

    from realtime_nb.comms import answer_where_asked

    comm = BaseComm.__new__(BaseComm)
    if not hasattr(comm, "_reply_subshell_for"):
        pytest.skip("this ipykernel routes by the page's own wish")
    answer_where_asked(comm)
    assert comm._reply_subshell_for({}, "the page's") == "the page's"
