"""A placed call: SIP over UDP or TCP, and its sound over RTP. It carries no events, only what a telephone does."""

from __future__ import annotations

import asyncio
import contextlib
import math
import secrets
import socket
from collections.abc import Callable
from typing import Any

import numpy as np

from realtime_nb.audio.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from realtime_nb.audio.pcm import Samples, decode_pcm16, encode_pcm16
from realtime_nb.errors import ConfigError, ConnectError, ConnectionClosed
from realtime_nb.wire.rtp.line import Heard, Key, Line
from realtime_nb.wire.sdp import Codec, Media
from realtime_nb.wire.sip import path as sip
from realtime_nb.wire.sip.agent import Agent
from realtime_nb.wire.sip.grammar import Uri, parse_uri
from realtime_nb.wire.sip.message import SipError, reason_phrase
from realtime_nb.wire.sip.stream import Framer

__all__ = ["RATE", "PhoneLine", "open_line"]

RATE = 8_000
"""Samples a second of every telephone."""
SIP_PORT = 5060
SILENCE_S = 30.0
"""How long the other end may send no sound, before it is asked whether it is there."""
BYE_S = 1.0
"""How long the other end may take to hear that it is over."""

_OVER = {"hangup": "the other end hung up", "local": "it was hung up here", "unreachable": "the other end is gone"}

_DECODE: dict[Codec, Callable[[bytes], Samples]] = {"PCMU": decode_ulaw, "PCMA": decode_alaw}
_ENCODE: dict[Codec, Callable[[Samples], bytes]] = {"PCMU": encode_ulaw, "PCMA": encode_alaw}


class PhoneLine:
    """One call, from dialling to its end; :func:`open_line` makes one. Everything runs on one loop.

    Parameters
    ----------
    rtp : asyncio.DatagramTransport
        Its RTP socket.
    """

    def __init__(self, rtp: asyncio.DatagramTransport) -> None:
        self._loop = asyncio.get_running_loop()
        self._rtp = rtp
        self._agent = Agent(lambda: secrets.token_hex(8), ring_s=math.inf)  # how long it rings is the dialler's choice
        self._post: Callable[[bytes], object] = _nowhere
        self._closers: list[Callable[[], object]] = [rtp.close]
        self._call = ""
        self._line: Line | None = None
        self._to_say = bytearray()  # 16 bits a sample: which codec it goes out in is known when it does
        self._said_at = 0
        self._wake: asyncio.TimerHandle | None = None
        self._beat_at: asyncio.TimerHandle | None = None
        self._changed = asyncio.Event()
        self.heard: list[Samples] = []
        """What the other end said, 8,000 samples a second, silences included."""
        self.keys = ""
        """What the other end pressed."""
        self.ringing = False
        self.answered = False
        self.ended: sip.Ended | None = None

    # ------------------------------------------------------------ dialling
    async def dial(self, target: str, path: sip.Path, timeout_s: float) -> None:
        """Call, and wait for somebody to take it."""
        here = (path.local[0], self._rtp.get_extra_info("sockname")[1])
        self._call = self._agent.invite(target, path, here, self._loop.time())
        self._do(self._agent.take())
        try:
            async with asyncio.timeout(timeout_s):
                await self.until(lambda: self.answered or self.ended is not None)
        except TimeoutError:
            await self.hang_up()
            raise ConnectError(
                f"{target} was not taken within {timeout_s:g} s", hint="rt.connect(..., timeout_s=60)"
            ) from None
        if self.ended is not None:
            raise _refused(target, self.ended)

    def travel(self, post: Callable[[bytes], object], close: Callable[[], object]) -> None:
        """Have a way for messages."""
        self._post = post
        self._closers.append(close)

    def post(self, data: bytes) -> None:
        """Send a message by the way there is."""
        self._post(data)

    def receive(self, data: bytes, path: sip.Path) -> None:
        """Take a SIP message."""
        self._do(self._agent.receive(data, path, self._loop.time()))

    def lost(self, connection: int) -> None:
        """Learn that a TCP connection has gone."""
        self._do(self._agent.lost(connection))

    async def until(self, state: Callable[[], bool]) -> None:
        """Wait until something is so."""
        while not state():
            self._changed.clear()
            await self._changed.wait()

    # ------------------------------------------------------------ talking
    def say(self, samples: Samples) -> int:
        """Say this after what waits already; gives the mark that :meth:`said` waits for."""
        self.check()
        self._to_say += encode_pcm16(samples)
        return self._said_at + len(self._to_say)

    async def said(self, mark: int) -> None:
        """Wait until everything up to a mark has gone out, or the call is over."""
        await self.until(lambda: self._said_at >= mark or self.ended is not None)

    def press(self, keys: str) -> None:
        """Press keys."""
        self.check()
        assert self._line is not None  # noqa: S101 - the call is up
        self._line.press(keys)

    @property
    def _codec(self) -> Codec:
        return "PCMU" if self._line is None else self._line.remote.codec

    def _speak(self, size: int) -> bytes:
        piece = bytes(self._to_say[: 2 * size])
        del self._to_say[: len(piece)]
        self._said_at += len(piece)
        if piece and not self._to_say:
            self._changed.set()
        return _ENCODE[self._codec](decode_pcm16(piece))

    def sound(self, data: bytes, source: sip.Endpoint) -> None:
        """Take an RTP packet."""
        if self._line is not None:
            self._hear(self._line.receive(data, source, self._loop.time()))

    def _hear(self, heard: list[Heard]) -> None:
        for one in heard:
            if isinstance(one, Key):
                self.keys += one.key
            else:
                self.heard.append(_DECODE[one.codec](one.payload))
        if heard:
            self._changed.set()

    def _beat(self) -> None:
        if (line := self._line) is None or self.ended is not None:
            return
        now = self._loop.time()
        self._hear(line.listen(now))
        target = line.destination
        for packet in line.due(now):
            if target is not None:
                self._rtp.sendto(packet, target)
        if line.is_silent(now, SILENCE_S):
            self._do(self._agent.probe(self._call, now))
        self._beat_at = self._loop.call_at(line.deadline, self._beat)

    # ------------------------------------------------------------ its end
    def check(self) -> None:
        """Raise :class:`ConnectionClosed` unless the call goes on."""
        if self.ended is not None or not self.answered:
            why = _OVER.get(self.ended.why, self.ended.why) if self.ended is not None else "nobody took it"
            raise ConnectionClosed(f"the call is over: {why}", hint='call = rt.connect("sip:bob@127.0.0.1:5060")')

    async def hang_up(self) -> None:
        """End the call and close everything; idempotent."""
        self._do(self._agent.hang_up(self._call, self._loop.time()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BYE_S):
                await self.until(lambda: not self._agent.asks)
        self.close()

    def abandon(self) -> None:
        """Tell the other end that it is over, and close without waiting for its answer."""
        self._do(self._agent.hang_up(self._call, self._loop.time()))
        self.close()

    def close(self) -> None:
        """Close everything at once."""
        for timer in (self._wake, self._beat_at):
            if timer is not None:
                timer.cancel()
        for closer in self._closers:
            closer()
        self._closers.clear()

    # ------------------------------------------------------------ the agent's wishes
    def _do(self, actions: list[sip.Action]) -> None:
        for action in actions:
            match action:
                case sip.Send(data):
                    self._post(data)
                case sip.Ringing():
                    self.ringing = True
                case sip.Answered():
                    self.answered = True
                case sip.Updated(_, media):
                    self._agree(media)
                case sip.Keyed(_, key):
                    self.keys += key
                case sip.Invited(call):  # this telephone only calls
                    self._do(self._agent.hang_up(call, self._loop.time(), status=486))
                case sip.Ended(call) if call == self._call:
                    self.ended = action
        self._changed.set()
        self._rest()

    def _rest(self) -> None:
        """Have the agent called when it wants to be."""
        if self._wake is not None:
            self._wake.cancel()
        at = self._agent.deadline()
        self._wake = self._loop.call_at(at, self._tick) if at is not None and self._closers else None
        if at is None and self.ended is not None:  # nothing can come any more that is to be answered
            self.close()

    def _agree(self, media: Media) -> None:
        now = self._loop.time()
        if self._line is None:
            self._line = Line(media, self._speak, lambda: secrets.randbits(32), now, hosts=[media.host])
            self._beat_at = self._loop.call_at(now, self._beat)
        else:
            self._line.change(media, now, hosts=[media.host])

    def _tick(self) -> None:
        self._do(self._agent.tick(self._loop.time()))


def _nowhere(_data: bytes) -> None:
    """No way yet."""


def _refused(target: str, ended: sip.Ended) -> ConnectError:
    words = f"SIP {ended.status} {reason_phrase(ended.status)}" if ended.status else _OVER.get(ended.why, ended.why)
    return ConnectError(f"{target} did not take the call: {words}", hint="realtime-nb serve --sip  # answers calls")


class _Datagrams(asyncio.DatagramProtocol):
    """A UDP socket that hands on what comes."""

    def __init__(self) -> None:
        self.received: Callable[[bytes, sip.Endpoint], object] = lambda _data, _source: None

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.received(data, (addr[0], addr[1]))


async def open_line(target: str, *, timeout_s: float = 30.0) -> PhoneLine:
    """Place a call.

    Parameters
    ----------
    target : str
        Such as ``sip:bob@127.0.0.1:5060``; ``;transport=tcp`` for TCP.
    timeout_s : float
        How long it may ring, in seconds.

    Returns
    -------
    PhoneLine
        Taken by the other end.

    Raises
    ------
    ConfigError
        When it is no SIP address.
    ConnectError
        When nobody takes it.
    """
    uri = _checked(target)
    loop = asyncio.get_running_loop()
    peer = await _resolve(uri)
    local = _local(peer)
    rtp, listener = await loop.create_datagram_endpoint(_Datagrams, local_addr=(local, 0))
    line = PhoneLine(rtp)
    listener.received = line.sound
    try:
        path = await (_by_tcp if uri.transport == "tcp" else _by_udp)(line, peer, local)
        await line.dial(target, path, timeout_s)
    except BaseException:  # a cancel, too: nobody is left to ring for
        line.abandon()
        raise
    return line


def _checked(target: str) -> Uri:
    try:
        uri = parse_uri(target)
    except SipError as fault:
        raise ConfigError(
            f"{target!r} is no SIP address: {fault}", hint='rt.connect("sip:bob@127.0.0.1:5060")'
        ) from None
    if uri.scheme == "sips" or uri.transport not in {"udp", "tcp"}:
        raise ConfigError(
            "calls go by UDP or TCP, without TLS", hint='rt.connect("sip:bob@127.0.0.1:5060;transport=tcp")'
        )
    return uri


async def _resolve(uri: Uri) -> sip.Endpoint:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(uri.host, uri.port or SIP_PORT, type=socket.SOCK_DGRAM)
    except OSError as fault:
        raise ConnectError(
            f"{uri.host} has no address: {fault.strerror}", hint='rt.connect("sip:bob@127.0.0.1:5060")'
        ) from None
    return str(found[0][4][0]), int(found[0][4][1])


def _local(peer: sip.Endpoint) -> str:
    """Find this machine's address on the way to a peer."""
    with socket.socket(socket.AF_INET6 if ":" in peer[0] else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(peer)  # no packet is sent: the routing table is asked
        return str(probe.getsockname()[0])


async def _by_udp(line: PhoneLine, peer: sip.Endpoint, local: str) -> sip.Path:
    transport, listener = await asyncio.get_running_loop().create_datagram_endpoint(_Datagrams, local_addr=(local, 0))
    path = sip.Path("udp", peer, (local, transport.get_extra_info("sockname")[1]))
    listener.received = lambda data, source: line.receive(data, path) if source[0] == peer[0] else None
    line.travel(lambda data: transport.sendto(data, peer), transport.close)
    return path


async def _by_tcp(line: PhoneLine, peer: sip.Endpoint, local: str) -> sip.Path:
    try:
        reader, writer = await asyncio.open_connection(*peer)
    except OSError as fault:
        raise ConnectError(
            f"no connection to {sip.hostport(peer)}: {fault.strerror}", hint="realtime-nb serve --sip"
        ) from None
    path = sip.Path("tcp", peer, (local, writer.get_extra_info("sockname")[1]), 1)
    reading = asyncio.create_task(_read(line, reader, path))

    def post(data: bytes) -> None:
        if reading.done():  # the connection was lost, and the call goes on
            line.travel(_nowhere, asyncio.create_task(_again(line, peer, local, data)).cancel)
        else:
            writer.write(data)

    def close() -> None:
        reading.cancel()
        writer.close()

    line.travel(post, close)
    return path


async def _again(line: PhoneLine, peer: sip.Endpoint, local: str, data: bytes) -> None:
    """Send by a new connection."""
    with contextlib.suppress(ConnectError):
        await _by_tcp(line, peer, local)
        line.post(data)


async def _read(line: PhoneLine, reader: asyncio.StreamReader, path: sip.Path) -> None:
    framer = Framer()
    with contextlib.suppress(OSError, SipError):
        while data := await reader.read(65_536):
            for message in framer.feed(data):
                line.receive(message, path)
    line.lost(path.connection)


def joined(pieces: list[Samples]) -> Samples:
    """Make one sound of many."""
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
