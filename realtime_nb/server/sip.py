"""The server's telephone: SIP on UDP and TCP, an agent that decides, and its calls."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from realtime_nb.errors import ConfigError
from realtime_nb.server.hub import Hub
from realtime_nb.server.phone_options import PhoneOptions
from realtime_nb.server.sip_call import SipCall
from realtime_nb.wire.sip import path as sip
from realtime_nb.wire.sip.agent import Agent
from realtime_nb.wire.sip.gate import Gate
from realtime_nb.wire.sip.message import SipError
from realtime_nb.wire.sip.stream import PING, PONG, Framer

__all__ = ["Phone", "Sockets", "bind_phone"]

UNSENT_BYTES = 256 * 1024
"""What a TCP peer that reads nothing may leave unsent."""
READ_BYTES = 65_536
ATTEMPTS = 10
CONNECT_S = 5.0
"""How long a caller whose connection was lost may take to be reached by a new one."""


@dataclass(frozen=True)
class Sockets:
    """A port that is taken, for UDP and for TCP.

    Parameters
    ----------
    udp, tcp : socket.socket
        Bound, not listening.
    """

    udp: socket.socket
    tcp: socket.socket

    @property
    def address(self) -> sip.Endpoint:
        """Where calls are taken."""
        host, port = self.udp.getsockname()[:2]
        return host, port


def bind_phone(options: PhoneOptions) -> Sockets:
    """Take the port, before any model is loaded.

    Parameters
    ----------
    options : PhoneOptions
        With host and port.

    Returns
    -------
    Sockets
        For :class:`Phone`.

    Raises
    ------
    ConfigError
        When the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    for attempt in range(ATTEMPTS):
        udp, tcp = (
            socket.socket(family, socket.SOCK_DGRAM),
            socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP),
        )
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            udp.bind((options.host, options.port))
            tcp.bind((options.host, udp.getsockname()[1]))
        except (OSError, OverflowError) as fault:
            udp.close()
            tcp.close()
            if options.port == 0 and attempt + 1 < ATTEMPTS:
                continue  # the free UDP port's number was taken for TCP
            raise ConfigError(
                f"SIP cannot listen on {options.host} port {options.port}: {fault}",
                hint="realtime-nb serve --sip 127.0.0.1:0",
            ) from None
        return Sockets(udp, tcp)
    raise AssertionError("the last attempt returns or raises")


class Phone:
    """The telephone of a server, on its loop.

    Parameters
    ----------
    hub : Hub
        What its calls talk to; they are in its ``calls``.
    options : PhoneOptions
        What was chosen.
    sockets : Sockets
        From :func:`bind_phone`.
    """

    def __init__(self, hub: Hub, options: PhoneOptions, sockets: Sockets) -> None:
        self.hub = hub
        self.options = options
        self._sockets = sockets
        self._loop = asyncio.get_running_loop()
        token: Callable[[], str] = lambda: secrets.token_hex(8)  # noqa: E731 - a value
        self._agent = Agent(token, name=lambda: hub.ids.new("rtc"), calls=options.calls, ring_s=options.ring_s)
        self._gate = Gate(options.messages_per_s)
        self._calls: dict[str, SipCall] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._connections: dict[int, asyncio.StreamWriter] = {}
        self._numbers = itertools.count(1)
        self._timer: asyncio.TimerHandle | None = None
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._on: dict[type, Callable[[Any], None]] = {
            sip.Send: self._send,
            sip.Invited: self._invited,
            sip.Updated: lambda told: self._calls[told.call].change(told.media),
            sip.Keyed: lambda told: self._calls[told.call].press(told.key),
            sip.Referred: self._referred,
            sip.Ended: self._ended,
        }

    # ------------------------------------------------------------ its life
    async def open(self) -> None:
        """Take calls."""
        self._udp, _ = await self._loop.create_datagram_endpoint(
            lambda: _Datagrams(self._datagram), sock=self._sockets.udp
        )
        self._tcp = await asyncio.start_server(self._serve, sock=self._sockets.tcp)

    async def close(self) -> None:
        """Hang up everything, and give the port back."""
        for call in list(self._calls.values()):
            call.hang_up()
        await asyncio.gather(*self._ending, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        if self._tcp is not None:
            self._tcp.close()
        for writer in list(self._connections.values()):
            writer.close()
        if self._udp is not None:
            self._udp.close()

    # ------------------------------------------------------------ in
    def _datagram(self, data: bytes, peer: sip.Endpoint) -> None:
        self._receive(data, sip.Path("udp", peer, _local(self._sockets.address, peer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one TCP connection."""
        peer = writer.get_extra_info("peername")[:2]
        if not self.options.admits(peer[0]) or len(self._connections) >= self.options.connections:
            writer.close()
            return
        number = next(self._numbers)
        self._connections[number] = writer
        path = sip.Path("tcp", peer, writer.get_extra_info("sockname")[:2], number)
        try:
            with contextlib.suppress(OSError, SipError, TimeoutError):
                await self._read(reader, writer, path)
        finally:
            del self._connections[number]
            writer.close()
            self._do(self._agent.lost(number))

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: sip.Path) -> None:
        framer = Framer()
        while True:
            data = await self._more(reader, path.connection)
            if not data:
                return
            for message in framer.feed(data):
                if message == PING:
                    writer.write(PONG)
                else:
                    self._receive(message, path)

    async def _more(self, reader: asyncio.StreamReader, connection: int) -> bytes:
        """The next bytes; a connection without a call may not be silent for long."""
        while True:
            try:
                async with asyncio.timeout(self.options.idle_s):
                    return await reader.read(READ_BYTES)
            except TimeoutError:
                if not self._agent.is_used(connection):
                    raise

    def _receive(self, data: bytes, path: sip.Path) -> None:
        host = path.peer[0]
        if self.options.admits(host) and self._gate.admits(host, self._loop.time()):
            self._do(self._agent.receive(data, path, self._loop.time()))

    # ------------------------------------------------------------ for its calls
    def accept(self, call: str, host: str, port: int) -> None:
        """Take a call, its RTP at that port."""
        self._do(self._agent.accept(call, host, port, self._loop.time()))

    def hang_up(self, call: str, status: int) -> None:
        """End a call, or refuse it."""
        self._do(self._agent.hang_up(call, self._loop.time(), status=status))

    def probe(self, call: str) -> None:
        """Ask a caller whether the call goes on."""
        self._do(self._agent.probe(call, self._loop.time()))

    def refer(self, call: str, target: str) -> None:
        """Hand a call on."""
        self._do(self._agent.refer(call, target, self._loop.time()))

    # ------------------------------------------------------------ out
    def _do(self, actions: list[sip.Action]) -> None:
        for action in actions:
            if (handler := self._on.get(type(action))) is not None:
                handler(action)
        self._wake()

    def _wake(self) -> None:
        """Have the agent called when it wants to be."""
        if self._timer is not None:
            self._timer.cancel()
        at = self._agent.deadline()
        self._timer = None if at is None else self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._do(self._agent.tick(self._loop.time()))

    def _send(self, send: sip.Send) -> None:
        if send.path.transport == "udp":
            if self._udp is not None and not self._udp.is_closing():
                self._udp.sendto(send.data, send.path.peer)
        elif (writer := self._connections.get(send.path.connection)) is not None:
            if writer.transport.get_write_buffer_size() > UNSENT_BYTES:
                writer.transport.abort()
            else:
                writer.write(send.data)
        elif not send.path.connection and self.options.admits(send.path.peer[0]):
            self._begin(self._reach(send), self._ending)

    async def _reach(self, send: sip.Send) -> None:
        """Send by a new connection."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_S):
                reader, writer = await asyncio.open_connection(*send.path.peer)
            writer.write(send.data)
            self._begin(self._serve(reader, writer), self._serving)

    def _begin(self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
        task = self._loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    def _invited(self, invited: sip.Invited) -> None:
        call = self._calls[invited.call] = SipCall(self, invited)
        self.hub.calls.add(call)
        self._do(self._agent.ring(invited.call, self._loop.time()))
        call.begin()

    def _referred(self, told: sip.Referred) -> None:
        if (call := self._calls.get(told.call)) is not None:
            call.referred(told.status)

    def _ended(self, ended: sip.Ended) -> None:
        call = self._calls.pop(ended.call)
        self.hub.calls.remove(call.name)
        call.over()
        self._begin(call.gone(), self._ending)


class _Datagrams(asyncio.DatagramProtocol):
    """SIP's UDP socket."""

    def __init__(self, received: Callable[[bytes, sip.Endpoint], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._received(data, (addr[0], addr[1]))


def _local(bound: sip.Endpoint, peer: sip.Endpoint) -> sip.Endpoint:
    """Find this machine's address on the way to a peer, where it listens at all of them."""
    if bound[0] not in {"0.0.0.0", "::"}:  # noqa: S104 - named, not bound
        return bound
    with socket.socket(socket.AF_INET6 if ":" in peer[0] else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(peer)  # no packet is sent: the routing table is asked
        return probe.getsockname()[0], bound[1]
