"""A telephone that calls somebody who is slow, falls silent, or hangs up; calls to our server are in tests/server."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from realtime_nb.audio.g711 import encode_alaw
from realtime_nb.errors import ConnectError, ConnectionClosed
from realtime_nb.transports import sip as telephone
from realtime_nb.transports.sip import PhoneLine, open_line
from realtime_nb.wire.sip import path as sip
from realtime_nb.wire.sip import transactions
from realtime_nb.wire.sip.agent import Agent
from realtime_nb.wire.sip.stream import Framer

WAIT_S = 60.0


class Bob(asyncio.DatagramProtocol):
    """Takes calls, or lets them ring; sends no sound."""

    def __init__(self, *, takes: bool = True) -> None:
        self._takes = takes
        self._loop = asyncio.get_running_loop()
        self.restart()

    def restart(self) -> None:
        """Know of no call any more."""
        count = itertools.count()
        self.agent = Agent(lambda: f"bob{next(count)}")

    def connection_made(self, transport: Any) -> None:
        """Have a socket."""
        self.transport = transport
        self.here = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Take a message."""
        self.do(self.agent.receive(data, sip.Path("udp", addr, self.here), self._loop.time()))

    def do(self, actions: list[sip.Action]) -> None:
        """Do what the agent wants."""
        for action in actions:
            if isinstance(action, sip.Send):
                self.transport.sendto(action.data, action.path.peer)
            elif isinstance(action, sip.Invited):
                self.do(self.agent.ring(action.call, self._loop.time()))
                if self._takes:
                    self.do(self.agent.accept(action.call, *self.here, self._loop.time()))

    def hang_up(self) -> None:
        """End every call."""
        for call in self.agent.calls:
            self.do(self.agent.hang_up(call, self._loop.time()))


def calling(use: Callable[[PhoneLine, Bob], Awaitable[None]]) -> None:
    """Call Bob, who takes it."""

    async def run() -> None:
        _, bob = await asyncio.get_running_loop().create_datagram_endpoint(Bob, local_addr=("127.0.0.1", 0))
        line = await open_line(f"sip:bob@127.0.0.1:{bob.here[1]}", timeout_s=WAIT_S)
        async with asyncio.timeout(WAIT_S):
            await use(line, bob)
        await line.hang_up()
        bob.transport.close()

    asyncio.run(run())


def test_a_telephone_rings_for_as_long_as_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The patience of an agent that takes calls is not that of who calls."""
    monkeypatch.setattr(telephone, "Agent", partial(Agent, ring_s=0.01))

    async def run() -> None:
        make = partial(Bob, takes=False)
        _, bob = await asyncio.get_running_loop().create_datagram_endpoint(make, local_addr=("127.0.0.1", 0))
        with pytest.raises(ConnectError, match=r"not taken within 0\.2 s"):
            await open_line(f"sip:bob@127.0.0.1:{bob.here[1]}", timeout_s=0.2)
        bob.transport.close()

    asyncio.run(run())


def test_a_call_to_who_is_gone_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is silent is asked: one who is there stays on the line, one who was restarted has no such call."""
    monkeypatch.setattr(telephone, "SILENCE_S", 0.05)

    async def use(line: PhoneLine, bob: Bob) -> None:
        assert line._line is not None
        rtp, begun = line._line, line._line.silent_at
        await line.until(lambda: rtp.silent_at > begun)
        first = rtp.silent_at
        await line.until(lambda: rtp.silent_at > first)
        line.check()
        bob.restart()
        await line.until(lambda: line.ended is not None)
        with pytest.raises(ConnectionClosed, match="the other end is gone"):
            line.check()

    calling(use)


def test_what_waits_to_be_said_goes_out_in_the_codec_that_holds_then() -> None:
    """The other end may agree on another one in the middle of it."""

    async def use(line: PhoneLine, _bob: Bob) -> None:
        samples = np.full(1_600, 0.25, np.float32)
        mark = line.say(samples)
        assert line._line is not None
        line._agree(replace(line._line.remote, codec="PCMA", payload_type=8))
        assert line._speak(160) == encode_alaw(samples[:160])
        await line.said(mark)

    calling(use)


def test_a_call_that_the_other_end_ended_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if nobody hangs up here: its sockets are closed once nothing can come any more."""
    monkeypatch.setattr(transactions, "GIVE_UP_S", 0.2)

    async def use(line: PhoneLine, bob: Bob) -> None:
        bob.hang_up()
        await line.until(lambda: line.ended is not None)
        while line._closers:
            await line._changed.wait()
            line._changed.clear()
        assert line._rtp.is_closing()

    calling(use)


def test_a_connection_that_goes_while_it_rings_ends_the_call() -> None:
    """Nobody can take it any more."""

    async def run() -> None:
        async def gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(gone, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectError, match="the other end is gone"):
            await open_line(f"sip:bob@127.0.0.1:{port};transport=tcp", timeout_s=WAIT_S)
        server.close()

    asyncio.run(run())


def test_a_call_whose_connection_was_lost_is_hung_up_by_a_new_one() -> None:
    """The other end is told that it is over although its connection had gone in the middle."""

    async def run() -> None:
        agent = Agent(partial(next, map(str, itertools.count())))
        connections: list[asyncio.StreamWriter] = []
        ended = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connections.append(writer)
            framer = Framer()
            path = sip.Path("tcp", writer.get_extra_info("peername"), ("127.0.0.1", port), len(connections))
            with contextlib.closing(writer):
                while data := await reader.read(8_192):
                    for message in framer.feed(data):
                        do(agent.receive(message, path, 0.0))
            do(agent.lost(path.connection))

        def do(actions: list[sip.Action]) -> None:
            for action in actions:
                if isinstance(action, sip.Send):
                    connections[action.path.connection - 1].write(action.data)
                elif isinstance(action, sip.Invited):
                    do(agent.accept(action.call, "127.0.0.1", 9, 0.0))
                elif isinstance(action, sip.Ended):
                    ended.set()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        line = await open_line(f"sip:bob@127.0.0.1:{port};transport=tcp", timeout_s=WAIT_S)
        connections[0].close()
        (dialog,) = line._agent._state.dialogs.values()
        await line.until(lambda: dialog.path.connection == 0)
        await line.hang_up()
        async with asyncio.timeout(WAIT_S):
            await ended.wait()
        assert len(connections) == 2
        server.close()

    asyncio.run(run())
