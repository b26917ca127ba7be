"""One connection: the only writer of its :class:`ServerConnection`, and what carries out what that decides."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol.events import encode
from realtime_nb.protocol.server import ServerConnection
from realtime_nb.server.admission import TRY_LATER
from realtime_nb.server.hearing import Hearing
from realtime_nb.server.hub import Hub
from realtime_nb.server.mcp import Mcp
from realtime_nb.server.meter import Tally
from realtime_nb.server.outbox import Farewell, Outbox
from realtime_nb.server.speaking import Speaking
from realtime_nb.server.wire import CLOSE_S

__all__ = ["Runner", "Socket"]

GOING_AWAY = 1001
FRAMES_AHEAD = 2
"""Frames taken from the socket before their turn; the rest waits in TCP, at the sender's."""


class Socket(Protocol):
    """A WebSocket after its handshake."""

    async def receive(self) -> str | bytes | None:
        """The next frame; None when the peer is gone."""
        ...

    async def send(self, text: str) -> None:
        """Send a text frame; waits while the peer does not read."""
        ...

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame; waits while the peer does not read."""
        ...

    def abandon(self, code: int, reason: str) -> None:
        """End although the peer does not read."""
        ...


class _Gone:
    """In the inbox: the peer has left."""


Input = str | bytes | fx.Report | _Gone


class Runner:
    """One session, from its first event to the last thread that worked for it.

    Parameters
    ----------
    hub : Hub
        What it shares with the others.
    socket : Socket
        Its client.
    connection : ServerConnection
        Its core.

    Notes
    -----
    Frames and reports come through one inbox, in order of arrival, to the one
    task that may touch the core. Worker threads only put reports into it.
    """

    def __init__(self, hub: Hub, socket: Socket, connection: ServerConnection) -> None:
        self._hub = hub
        self._socket = socket
        self._core = connection
        self._loop = asyncio.get_running_loop()
        self._inbox: asyncio.Queue[Input] = asyncio.Queue()
        self._turn_to_read = asyncio.Semaphore(FRAMES_AHEAD)
        self._speaking = Speaking(hub.pipeline, hub.crew, self.report)
        self._hearing = Hearing(
            hub.engine.vad,
            hub.engine.asr,
            hub.crew,
            self.report,
            is_responding=self._speaking.is_responding,
            limit_bytes=hub.options.hearing_bytes,
        )
        self._mcp = Mcp(self.report, timeout_s=hub.options.mcp_s, limit_bytes=hub.options.mcp_bytes)
        self._outbox = Outbox(
            socket.send, socket.close, limit_bytes=hub.options.send_bytes, stall_s=hub.options.stall_s
        )
        self._tally = Tally(hub.meter)
        self._ended = False
        self._effects: dict[type[fx.Effect], Callable[[Any], None]] = {
            fx.Send: self._send,
            fx.Hear: self._hearing.hear,
            fx.Detect: self._hearing.detect,
            fx.ForgetAudio: self._hearing.forget,
            fx.Transcribe: self._hearing.transcribe,
            fx.Generate: self._speaking.generate,
            fx.Stop: self._speaking.stop,
            fx.Warm: self._speaking.warm,
            fx.ListMcpTools: self._mcp.list_tools,
            fx.CallMcpTool: self._mcp.call,
            fx.StopMcpTool: self._mcp.stop,
            fx.Close: self._close,
        }

    # ------------------------------------------------------------ from outside
    def report(self, report: fx.Report) -> None:
        """Tell the core something, from any thread; after the end it is nobody's business any more."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended
            self._loop.call_soon_threadsafe(self._inbox.put_nowait, report)

    async def run(self) -> None:
        """Serve the session until either side ends it."""
        reader = asyncio.create_task(self._read())
        writer = asyncio.create_task(self._write())
        try:
            self._do(self._core.open(self._loop.time()))
            while not self._ended:
                await self._step()
            await self._part(writer)
        finally:
            self._tear_down()
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, self._mcp.close(), return_exceptions=True)

    # ------------------------------------------------------------ in
    async def _read(self) -> None:
        """Put frames into the inbox, no faster than they are worked off."""
        while True:
            await self._turn_to_read.acquire()
            await self._hearing.room()
            frame = await self._socket.receive()
            self._inbox.put_nowait(_Gone() if frame is None else frame)
            if frame is None:
                return

    async def _step(self) -> None:
        """Take one input, or the passing of a deadline, to the core, and do what it says."""
        taken = await self._next()
        now = self._loop.time()
        if taken is None:
            self._do(self._core.tick(now))
        elif isinstance(taken, _Gone):
            self._ended = True
        elif isinstance(taken, str | bytes):
            self._turn_to_read.release()
            self._hub.meter.received.inc()
            self._do(self._core.receive(taken, now))
        else:
            self._do(self._core.report(taken, now))

    async def _next(self) -> Input | None:
        """The next input; None when a deadline passes first. A full inbox does not put a deadline off."""
        deadline = self._core.deadline()
        if deadline is not None and deadline <= self._loop.time():
            return None
        try:
            async with asyncio.timeout_at(deadline):
                return await self._inbox.get()
        except TimeoutError:
            return None

    # ------------------------------------------------------------ out
    def _do(self, effects: Iterable[fx.Effect]) -> None:
        for effect in effects:
            self._effects[type(effect)](effect)

    def _send(self, effect: fx.Send) -> None:
        event = effect.event
        self._tally.count(event, self._loop.time())
        if not self._outbox.put(encode(event)):
            self._abandon("the client reads too slowly")

    def _close(self, effect: fx.Close) -> None:
        self._outbox.finish(Farewell(effect.code, effect.reason))
        self._hub.meter.closed.labels(effect.code).inc()
        self._ended = True

    def _abandon(self, why: str) -> None:
        """End without the outbox: the client does not take what is in it."""
        if self._ended:
            return
        self._hub.meter.closed.labels(TRY_LATER).inc()
        self._socket.abandon(TRY_LATER, why)
        self._inbox.put_nowait(_Gone())
        self._ended = True

    async def _write(self) -> None:
        """Send what the outbox holds; whether the peer still listens is the reader's to find out."""
        try:
            await self._outbox.run()
        except TimeoutError:
            self._abandon("the client has stopped reading")
        except ConnectionError:
            return

    # ------------------------------------------------------------ the end
    async def _part(self, writer: asyncio.Task[None]) -> None:
        """Give a farewell the time to be sent."""
        if not self._outbox.is_finished:
            return
        done, _ = await asyncio.wait({writer}, timeout=CLOSE_S)
        if not done:
            self._socket.abandon(GOING_AWAY, "the client has stopped reading")

    def _tear_down(self) -> None:
        """Stop everything that still works for this session."""
        self._do(self._core.close(self._loop.time()))
        self._hearing.close()
        self._speaking.close()
