"""A call's RTP socket: packets to the session's ears, its voice to packets, 50 times a second."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol.formats import AudioFormat, Pcma, Pcmu
from realtime_nb.server.live import LiveSession
from realtime_nb.server.speaker import Converter
from realtime_nb.wire.rtp.line import Heard, Key, Line
from realtime_nb.wire.sdp import Codec, Media

__all__ = ["FORMATS", "SipMedia", "open_media"]

FORMATS: dict[Codec, AudioFormat] = {"PCMU": Pcmu(), "PCMA": Pcma()}
BYTES_PER_MS = 8


class SipMedia(asyncio.DatagramProtocol):
    """The sound of one call.

    Parameters
    ----------
    silence_s : float
        How long the caller may send nothing.
    on_silence : callable
        Called once it has, and as often as it has again; told whether the caller has put the call on hold.
    """

    def __init__(self, silence_s: float, on_silence: Callable[[bool], object]) -> None:
        self._silence_s = silence_s
        self._on_silence = on_silence
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.DatagramTransport | None = None
        self._live: LiveSession | None = None
        self._line: Line | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._voice: Converter | None = None

    # ------------------------------------------------------------ its life
    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override] # what it is for UDP
        """Have a socket."""
        self._transport = transport

    @property
    def port(self) -> int:
        """Where RTP is taken."""
        assert self._transport is not None  # noqa: S101 - it was opened
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    def attach(self, live: LiveSession) -> None:
        """Serve a session."""
        self._live = live

    def change(self, media: Media, hosts: frozenset[str]) -> None:
        """Speak with the other end as was agreed; begins, or goes on otherwise, with sound of these addresses."""
        now = self._loop.time()
        if self._line is None:
            self._line = Line(media, self._speak, lambda: secrets.randbits(32), now, hosts=hosts)
            self._beat()
        else:
            self._line.change(media, now, hosts=hosts)

    def close(self) -> None:
        """Give the port back; idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.close()
        self._line = self._live = None

    # ------------------------------------------------------------ in
    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Hear what comes."""
        if self._line is not None:
            self._hear(self._line.receive(data, addr[:2], self._loop.time()))

    def error_received(self, exc: Exception) -> None:
        """Go on: a port that nobody listens at yet is no end."""

    def _hear(self, heard: list[Heard]) -> None:
        for one in heard:
            if self._live is None:
                return
            if isinstance(one, Key):
                self._live.report(fx.KeyPressed(one.key, int(time.time())))
            else:
                self._live.hear(one.payload, FORMATS[one.codec])

    # ------------------------------------------------------------ out
    def _beat(self) -> None:
        """What is due every 20 ms."""
        if (line := self._line) is None or self._transport is None:
            return
        now = self._loop.time()
        self._hear(line.listen(now))
        target = line.destination
        for packet in line.due(now):
            if target is not None:
                self._transport.sendto(packet, target)
        if line.is_silent(now, self._silence_s):
            self._on_silence(line.remote.holds)
        if self._line is not None:
            self._timer = self._loop.call_at(line.deadline, self._beat)

    def _speak(self, size: int) -> bytes:
        """The session's voice, in the codec that holds now."""
        if self._live is None or self._live.speaker is None or self._line is None:
            return b""
        speaker, wanted = self._live.speaker, FORMATS[self._line.remote.codec]
        sound = speaker.pull(size // BYTES_PER_MS)
        if speaker.format == wanted:
            return sound
        if self._voice is None or self._voice.target != wanted:
            self._voice = Converter(speaker.format, wanted)
        return self._voice.feed(sound)


async def open_media(host: str, *, silence_s: float, on_silence: Callable[[bool], object]) -> SipMedia:
    """Open a call's RTP socket on any free port.

    Parameters
    ----------
    host : str
        The address at which the call's SIP came in.
    silence_s, on_silence
        As :class:`SipMedia` takes them.

    Returns
    -------
    SipMedia
        Open; to be closed.
    """
    _, media = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: SipMedia(silence_s, on_silence), local_addr=(host, 0)
    )
    return media
