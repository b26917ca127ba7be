"""Every limit of the server is an option, and holds to the unit: N - 1, N and N + 1."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from realtime_nb.engine.barge_in import BargeIn
from realtime_nb.protocol.effects import Hear, ListMcpTools
from realtime_nb.protocol.formats import Pcm
from realtime_nb.protocol.tools import McpServer
from realtime_nb.server import mcp
from realtime_nb.server.hearing import Answering, Hearing
from realtime_nb.server.hub import Hub
from realtime_nb.server.mcp_client import _Bounded
from realtime_nb.server.meter import Meter
from realtime_nb.server.options import SIZES, ServerOptions
from realtime_nb.server.outbox import Outbox
from realtime_nb.server.peer import Peer
from realtime_nb.server.serving import Server
from realtime_nb.testing.stages import StubAsr, StubVad, stub_engine

around = pytest.mark.parametrize("beyond", [-1, 0, 1])


class Clock:
    """The time of a loop, in the test's hand."""

    def __init__(self) -> None:
        self.now = 0.0
        asyncio.get_running_loop().time = lambda: self.now  # type: ignore[method-assign]

    async def reach(self, now: float) -> None:
        """Let so much time pass, and all that was due in it happen."""
        self.now = now
        for _ in range(20):
            await asyncio.sleep(0)


@around
def test_sessions(serve: Any, dial: Any, beyond: int) -> None:
    """So many sessions open; one more is told to try again later, and the others go on."""
    serving = serve(ServerOptions(sessions=3))
    callers = [dial(serving) for _ in range(3 + beyond)]
    for caller in callers[:3]:
        caller.until("session.created")
    if beyond > 0:
        assert callers[3].closed() == (1013, "invalid_request_error.session_limit_reached")
    assert all(caller.works() for caller in callers[:3])


@around
def test_peers(serve: Any, dial: Any, beyond: int) -> None:
    """So many connections has a session; one more is told to try again later."""
    serving = serve(ServerOptions(peers=2))
    owner = dial(serving)
    name = owner.until("session.created")["session"]["id"]
    others = [dial(serving, f"?call_id={name}") for _ in range(1 + beyond)]
    for caller in others[:1]:
        caller.until("session.created")
    if beyond > 0:
        assert others[1].closed() == (1013, "invalid_request_error.peer_limit_reached")
    assert owner.works()


class Flood:
    """A socket whose client sends without end, and a session that works off nothing."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.taken: list[Any] = []

    async def receive(self) -> str:
        """The next frame."""
        return "{}"

    async def send(self, text: str) -> None:
        """Take it."""
        self.sent.append(text)

    async def close(self, code: int, reason: str) -> None:
        """Take it."""

    def abandon(self, code: int, reason: str) -> None:
        """Take it."""

    def join(self, peer: Peer) -> None:
        """Let it in."""

    def take(self, frame: Any, peer: Peer) -> None:
        """Put it behind the others."""
        self.taken.append(frame)

    def leave(self, peer: Peer) -> None:
        """Let it go."""

    async def room(self) -> None:
        """There is room."""


@pytest.mark.parametrize("frames_ahead", [1, 2, 3])
def test_frames_taken_before_their_turn(frames_ahead: int) -> None:
    """So many frames are read from a socket while none is worked off, and one more for each that is."""

    async def scenario() -> None:
        flood = Flood()
        peer = Peer(flood, ServerOptions(frames_ahead=frames_ahead), Meter())
        carrying = asyncio.create_task(peer.carry(flood))
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(flood.taken) == frames_ahead
        peer.next()
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(flood.taken) == frames_ahead + 1
        carrying.cancel()
        await asyncio.gather(carrying, return_exceptions=True)

    asyncio.run(scenario())


@around
def test_sound_that_waits_for_the_detector(beyond: int) -> None:
    """So many bytes may wait to be heard; where there are more, no further frame is read."""

    async def scenario() -> bool:
        idle = SimpleNamespace(submit=lambda _job: None)
        hearing = Hearing(
            StubVad(),
            StubAsr(),
            SimpleNamespace(ears=idle, scribe=idle, judge=idle),  # type: ignore[arg-type] -- threads that never begin
            lambda _report: None,
            answering=lambda: Answering(responding=False, playing=False),
            barge_in=BargeIn(),
            ending=None,
            limit_bytes=ServerOptions(hearing_bytes=1000).hearing_bytes,
        )
        hearing.hear(Hear(bytes(1000 + beyond), Pcm()))
        waiting = asyncio.create_task(hearing.room())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        has_room = waiting.done()
        waiting.cancel()
        return has_room

    assert asyncio.run(scenario()) is (beyond <= 0)


@around
def test_bytes_that_wait_to_be_sent(beyond: int) -> None:
    """So many bytes may wait for a reader; one more, and it is too slow."""

    async def scenario() -> bool:
        box = Outbox(never, never, limit_bytes=ServerOptions(send_bytes=10).send_bytes, stall_s=1.0)
        assert box.put("x" * 5)
        return box.put("x" * (5 + beyond))

    assert asyncio.run(scenario()) is (beyond <= 0)


async def never(*_given: Any) -> None:
    """Take nothing, for ever."""
    await asyncio.Event().wait()


@around
def test_seconds_a_reader_may_take_nothing(beyond: int) -> None:
    """A reader may stall for so long; then it is given up."""

    async def scenario() -> bool:
        clock = Clock()
        box = Outbox(never, never, limit_bytes=10, stall_s=ServerOptions(stall_s=10.0).stall_s)
        box.put("x")
        running = asyncio.create_task(box.run())
        await clock.reach(0.0)
        await clock.reach(10.0 + beyond)
        stalled = running.done() and isinstance(running.exception(), TimeoutError)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return stalled

    assert asyncio.run(scenario()) is (beyond >= 0)


class SilentLink:
    """A server of tools that never answers."""

    def __init__(self, server: McpServer, *, limit_bytes: int) -> None:
        self.tools = never

    async def close(self) -> None:
        """Take leave."""


@around
def test_seconds_a_server_of_tools_may_take(beyond: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of tools has so much time, then listing them has failed."""

    async def sdk() -> Any:
        return SimpleNamespace(Link=SilentLink, RefusedError=OSError)

    async def scenario() -> list[Any]:
        clock, reports = Clock(), []
        options = ServerOptions(mcp_s=30.0)
        links = mcp.Mcp(reports.append, timeout_s=options.mcp_s, limit_bytes=options.mcp_bytes)
        server = McpServer(server_label="s", server_url="http://127.0.0.1:1")
        links.list_tools(ListMcpTools("item", server))
        await clock.reach(0.0)
        await clock.reach(30.0 + beyond)
        told = list(reports)
        await links.close()
        return told

    monkeypatch.setattr(mcp, "_sdk", sdk)
    assert [report.message for report in asyncio.run(scenario())] == (
        [] if beyond < 0 else ["No answer came within 30 s."]
    )


@around
def test_bytes_of_an_answer_of_tools(beyond: int) -> None:
    """An answer of a server of tools has so many bytes; one more breaks it off."""

    class Body:
        async def __aiter__(self) -> Any:
            for size in (400, 600 + beyond):
                yield bytes(size)

        async def aclose(self) -> None:
            """Nothing to close."""

    async def scenario() -> int:
        return sum([len(chunk) async for chunk in _Bounded(Body(), ServerOptions(mcp_bytes=1000).mcp_bytes)])

    if beyond > 0:
        with pytest.raises(Exception, match="more than 1000 bytes"):
            asyncio.run(scenario())
    else:
        assert asyncio.run(scenario()) == 1000 + beyond


@pytest.mark.parametrize("name", ["ping_s", "ping_timeout_s"])
@around
def test_pings_are_as_often_as_the_option_says(name: str, beyond: int) -> None:
    """Both times are uvicorn's to keep: it is given exactly these; that it keeps them is seen in ``test_pings``."""
    options = replace(ServerOptions(), **{name: 7.0 + beyond})
    config = Server(Hub(stub_engine(), options), lambda: None).config
    assert (config.ws_ping_interval, config.ws_ping_timeout) == (options.ping_s, options.ping_timeout_s)


@around
def test_bytes_of_a_body(serve: Any, beyond: int) -> None:
    """A request's body has so many bytes; one more is 413."""
    import httpx

    serving = serve(ServerOptions(body_bytes=1000))
    url, body = f"{serving.http}/v1/realtime/client_secrets", b"{}".ljust(1000 + beyond)
    status = httpx.post(url, content=body, headers=serving.headers, timeout=60, trust_env=False).status_code
    assert status == (413 if beyond > 0 else 200)


@around
def test_calls_by_webrtc(serve: Any, beyond: int) -> None:
    """So many calls at once; one more is told to try again later."""
    pytest.importorskip("aiortc", reason="calls by WebRTC need aiortc")
    import httpx

    from realtime_nb.webrtc import EVENTS
    from realtime_nb.webrtc.peer import offer, open_peer

    serving = serve(ServerOptions(rtc_calls=2))
    headers = {**serving.headers, "Content-Type": "application/sdp"}

    async def scenario() -> list[int]:
        peers = [open_peer() for _ in range(2 + beyond)]
        try:
            async with httpx.AsyncClient(base_url=serving.http, headers=headers, timeout=60, trust_env=False) as http:
                for peer in peers:
                    peer.createDataChannel(EVENTS)
                    peer.addTransceiver("audio")
                offered = [await offer(peer, ("127.0.0.1",)) for peer in peers]
                return [(await http.post("/v1/realtime/calls", content=sdp)).status_code for sdp in offered]
        finally:
            for peer in peers:
                await peer.close()

    assert asyncio.run(scenario()) == [201, 201, 429][: 2 + beyond]


@around
def test_silence_of_a_call_by_webrtc(monkeypatch: pytest.MonkeyPatch, only_in: Any, beyond: int) -> None:
    """A call whose peer is silent for so long is over; one that was silent a beat less is not."""
    peers = pytest.importorskip("realtime_nb.webrtc.peer", reason="calls by WebRTC need aiortc")
    silence_s = ServerOptions(rtc_silence_s=5.0).rtc_silence_s

    async def scenario() -> bool:
        clock = Clock()

        async def beat(seconds: float) -> None:
            clock.now += seconds
            if clock.now > silence_s + beyond:
                await asyncio.Event().wait()
            await asyncio.sleep(0)

        async def nothing(_peer: object) -> int:
            return 7

        only_in(peers, "asyncio", sleep=beat)
        monkeypatch.setattr(peers, "_packets_received", nothing)
        waiting = asyncio.ensure_future(peers.until_silent(SimpleNamespace(), silence_s))
        for _ in range(40):
            await asyncio.sleep(0)
        waiting.cancel()
        return waiting.done() and not waiting.cancelled()

    assert asyncio.run(scenario()) is (beyond > 0)  # the first beat is news: silence counts from there


def test_every_limit_is_tested_here() -> None:
    """No limit goes untested: each name stands in this file."""
    source = Path(__file__).read_text()
    assert [name for name in SIZES if f"{name}=" not in source and f'"{name}"' not in source] == []
