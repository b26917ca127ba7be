"""A peer connection, set up as measured: no stranger is asked for our address, and sound waits one packet, not four."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import aioice.ice
import aiortc.rtcrtpreceiver
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.jitterbuffer import MAX_MISORDER, JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket

from realtime_nb.wire.rtp.packet import ahead

__all__ = ["PREFETCH", "answer", "offer", "open_peer", "until_silent", "without_names"]

PREFETCH = 1
"""Packets that may wait for a late one; those in order never do. aiortc's own 4 cost 80 ms: 102 to 120 ms one way."""
MAX_CANDIDATES = 32
BEAT_S = 1.0
"""How often is looked whether the other end lives."""
_CANDIDATE = "a=candidate:"
_NOWHERE = f"{_CANDIDATE}0 1 udp 1 127.0.0.1 9 typ host"
"""Keeps the checks going until those of a peer come whose own addresses are all left out."""

_addresses: ContextVar[tuple[str, ...] | None] = ContextVar("addresses", default=None)
_interfaces = aioice.ice.get_host_addresses


def _host_addresses(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """The addresses that this task asked for; by default the machine's, but for loopback."""
    wanted = _addresses.get()
    return _interfaces(use_ipv4=use_ipv4, use_ipv6=use_ipv6) if wanted is None else list(wanted)


class _SoundBuffer(JitterBuffer):
    """Packets of sound in order; a lost one is given up once others wait, and the sound is no later for it.

    aiortc's own gives it up when 16 have come, and lets one out for each that comes: 300 ms late from then on.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity, PREFETCH)
        self._waiting: dict[int, RtpPacket] = {}

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        number = packet.sequence_number
        if self._origin is None or ahead(self._origin, number) < -MAX_MISORDER:
            self._origin = number
            self._waiting.clear()
        if ahead(self._origin, number) >= 0:
            self._waiting[number] = packet
        return False, self._first(self._origin)

    def _first(self, expected: int) -> JitterFrame | None:
        if expected not in self._waiting and len(self._waiting) > self._prefetch:
            expected = min(self._waiting, key=lambda number: ahead(expected, number))
        if (packet := self._waiting.pop(expected, None)) is None:
            return None
        self._origin = (expected + 1) % 65_536
        sound = packet._data  # type: ignore[attr-defined] # noqa: SLF001 - as aiortc's own
        return JitterFrame(sound, packet.timestamp) if sound else None  # nothing would be the stream's end to a decoder


def _jitter_buffer(capacity: int, prefetch: int = 0, is_video: bool = False) -> JitterBuffer:
    return JitterBuffer(capacity, prefetch, is_video) if is_video else _SoundBuffer(capacity)


# There is no option for either (aiortc 1.16, aioice 0.13); tests hold that both names are still looked up.
aioice.ice.get_host_addresses = _host_addresses
setattr(aiortc.rtcrtpreceiver, "JitterBuffer", _jitter_buffer)  # noqa: B010 - a name that the package does not export


def open_peer() -> RTCPeerConnection:
    """Open a peer connection that asks no STUN server.

    Returns
    -------
    RTCPeerConnection
        To be closed.
    """
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


async def offer(peer: RTCPeerConnection, hosts: Sequence[str] | None = None) -> str:
    """Make an offer.

    Parameters
    ----------
    peer : RTCPeerConnection
        With its tracks and channels.
    hosts : sequence of str, optional
        The addresses to be reached at; by default all of this machine but loopback.

    Returns
    -------
    str
        The session description, with all candidates.
    """
    await _settle(peer, await peer.createOffer(), hosts)
    return peer.localDescription.sdp


async def answer(peer: RTCPeerConnection, offered: str, hosts: Sequence[str] | None = None) -> str:
    """Answer an offer.

    Parameters
    ----------
    peer : RTCPeerConnection
        With the tracks to be sent.
    offered : str
        The other end's session description.
    hosts : sequence of str, optional
        As for :func:`offer`.

    Returns
    -------
    str
        The session description, with all candidates.

    Raises
    ------
    ValueError
        What was offered cannot be read, or nothing in it can be agreed on.
    """
    try:
        await peer.setRemoteDescription(RTCSessionDescription(without_names(offered), "offer"))
        description = await peer.createAnswer()
    except Exception as fault:
        # aiortc raises what comes up: AssertionError, KeyError, IndexError, AttributeError beside its own
        raise ValueError(f"the offer cannot be answered: {str(fault) or type(fault).__name__}") from fault
    await _settle(peer, description, hosts)
    return peer.localDescription.sdp


async def _settle(peer: RTCPeerConnection, description: RTCSessionDescription, hosts: Sequence[str] | None) -> None:
    token = _addresses.set(None if hosts is None else tuple(hosts))
    try:
        await peer.setLocalDescription(description)
    finally:
        _addresses.reset(token)


def without_names(sdp: str) -> str:
    """A description without the candidates that are names, and without very many.

    Parameters
    ----------
    sdp : str
        As it came.

    Returns
    -------
    str
        Browsers hide addresses behind ``.local`` names; to look one up would open a multicast
        socket on every interface and take a second. Who has such a name makes itself known by its checks.
    """
    kept, count = [], 0
    for line in sdp.splitlines():
        if line.startswith(_CANDIDATE):
            count += 1
            if count > MAX_CANDIDATES or line.split(" ")[4:5] == [] or line.split(" ")[4].endswith(".local"):
                continue
        kept.append(line)
        if line.startswith("a=ice-pwd:"):
            kept.append(_NOWHERE)
    return "\r\n".join(kept) + "\r\n"


async def until_silent(peer: RTCPeerConnection, silence_s: float) -> None:
    """Wait until nothing at all has come for a while: the other end is dead. ICE itself takes 30 s to notice.

    Parameters
    ----------
    peer : RTCPeerConnection
        Open or not. One that neither speaks nor writes still reports on the sound that it gets.
    silence_s : float
        How long, in seconds.
    """
    clock = asyncio.get_running_loop().time
    known, at = -1, clock()
    while clock() - at < silence_s:
        await asyncio.sleep(BEAT_S)
        if (count := await _packets_received(peer)) != known:
            known, at = count, clock()


async def _packets_received(peer: RTCPeerConnection) -> int:
    """How many packets came: sound, its reports, and events."""
    report = await peer.getStats()
    return sum(entry.packetsReceived for entry in report.values() if entry.type == "transport")
