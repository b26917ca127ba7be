"""One who sends and receives the events of a session: over a WebSocket, or whatever else has the same four methods."""

from __future__ import annotations

import asyncio
from typing import Protocol

from realtime_nb.server.admission import TRY_LATER
from realtime_nb.server.meter import Meter
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.outbox import Farewell, Outbox
from realtime_nb.server.wire import CLOSE_S

__all__ = ["Party", "Peer", "Socket"]

GOING_AWAY = 1001


class Socket(Protocol):
    """A WebSocket after its handshake, or a data channel after its own."""

    async def receive(self) -> str | bytes | None:
        """The next frame; None when the peer is gone."""
        ...

    async def send(self, text: str) -> None:
        """Send a text frame; waits while the peer does not read; ConnectionError when it is gone."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame; waits while the peer does not read."""
        ...

    def abandon(self, code: int, reason: str) -> None:
        """End although the peer does not read."""
        ...


class Party(Protocol):
    """The session, as its peers see it."""

    def join(self, peer: Peer) -> None:
        """Let a peer in, after what came before."""
        ...

    def take(self, frame: str | bytes, peer: Peer) -> None:
        """Take a frame, after what came before; the peer's :meth:`Peer.next` is called when it is worked off."""
        ...

    def leave(self, peer: Peer) -> None:
        """Let a peer go, after what it sent."""
        ...

    async def room(self) -> None:
        """Wait until there is room for more sound."""
        ...


class Peer:
    """One connection to a session; a session may have several.

    Parameters
    ----------
    socket : Socket
        Its other end.
    options : ServerOptions
        With the limits of its queues.
    meter : Meter
        Counts those who are let go.

    Notes
    -----
    Each peer has a queue and a writer of its own: one who does not read delays nobody else.
    """

    def __init__(self, socket: Socket, options: ServerOptions, meter: Meter) -> None:
        self.number = -1
        """What the session's core calls it; given when it joins."""
        self._socket = socket
        self._meter = meter
        self._turn_to_read = asyncio.Semaphore(options.frames_ahead)
        self._outbox = Outbox(socket.send, socket.close, limit_bytes=options.send_bytes, stall_s=options.stall_s)
        self._ended = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def next(self) -> None:
        """A frame of this peer's has been worked off: another may be read."""
        self._turn_to_read.release()

    def put(self, text: str) -> None:
        """Send an event; a peer who is too far behind is let go."""
        if not self._outbox.put(text):
            self._abandon("the client reads too slowly")

    def finish(self, code: int, reason: str) -> None:
        """Close, after what already waits."""
        if not self._outbox.is_finished and not self._ended.is_set():
            self._outbox.finish(Farewell(code, reason))
            self._meter.closed.labels(code).inc()
            self._timer = asyncio.get_running_loop().call_later(CLOSE_S, self._cut_off)

    async def carry(self, party: Party) -> None:
        """Carry events both ways until either side ends it.

        Parameters
        ----------
        party : Party
            The session; it has the peer from now until this returns.
        """
        party.join(self)
        reader = asyncio.create_task(self._read(party))
        writer = asyncio.create_task(self._write())
        try:
            await self._ended.wait()
        finally:
            party.leave(self)
            if self._timer is not None:
                self._timer.cancel()
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)

    # ------------------------------------------------------------ in
    async def _read(self, party: Party) -> None:
        """Hand frames on, no faster than they are worked off; the rest waits in TCP, at the sender's."""
        frame: str | bytes | None = b""
        try:
            while frame is not None:
                await self._turn_to_read.acquire()
                await party.room()
                frame = await self._socket.receive()
                if frame is not None:
                    party.take(frame, self)
        finally:
            self._ended.set()

    # ------------------------------------------------------------ out
    async def _write(self) -> None:
        """Send what the outbox holds; whether the peer still listens is the reader's to find out."""
        try:
            await self._outbox.run()
        except TimeoutError:
            self._abandon("the client has stopped reading")
        except ConnectionError:
            return
        self._ended.set()

    def _abandon(self, why: str) -> None:
        """End without the outbox: the peer does not take what is in it."""
        if self._ended.is_set():
            return
        self._meter.closed.labels(TRY_LATER).inc()
        self._socket.abandon(TRY_LATER, why)
        self._ended.set()

    def _cut_off(self) -> None:
        """End although the farewell was not taken."""
        self._socket.abandon(GOING_AWAY, "the client has stopped reading")
        self._ended.set()
