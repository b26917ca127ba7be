"""The kernel's media socket: one WebSocket server a process, on a daemon thread of its own.

It listens on the loopback only, at a port of the system's choice. A page is let in
when its Origin was told by the widget's comm, which Jupyter has authenticated, and
its first frame has the token that went the same way. So no other page of the
browser and no other program of the machine gets to hear the microphone.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import http
import logging
import os
import socket
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from realtime_nb.portal import Portal
from realtime_nb.widgets.media_frames import Header, pack_frame, unpack_frame

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

    from realtime_nb.widgets.media import Channel

__all__ = ["Hub", "SocketPeer", "hub"]

HELLO_S = 5.0
"""How long a page has to say who it is."""
MOST_FRAME = 64 << 20
"""The largest frame taken, in bytes: 23 minutes of sound."""
MOST_WAITING = 32 << 20
"""What may wait for one page, in bytes: 11 minutes of sound; a page that is slower still is let go."""
REFUSED, CLOSED = 1008, 4000
"""Close codes: RFC 6455, 7.4.1 (policy); 4000 is ours: the widget was closed."""

_QUICKACK = getattr(socket, "TCP_QUICKACK", None)  # Linux only
_logger = logging.getLogger(__name__)


class SocketPeer:
    """A page at the other end of a WebSocket; used on the media thread only."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._waiting: deque[tuple[bool, bytes]] = deque()
        self._bytes = 0
        self._more = asyncio.Event()

    def put(self, frame: bytes, *, audio: bool = False) -> None:
        """Send a frame as soon as those before it are through."""
        self._bytes += len(frame)
        if self._bytes > MOST_WAITING:
            self._waiting.clear()
            self._connection.transport.abort()  # a good-bye would wait behind all the rest
            return
        self._waiting.append((audio, frame))
        self._more.set()

    def drop_audio(self) -> None:
        """Forget the sound that still waits."""
        kept = [(audio, frame) for audio, frame in self._waiting if not audio]
        self._waiting = deque(kept)
        self._bytes = sum(len(frame) for _, frame in kept)

    def close(self, code: int, reason: str) -> None:
        """Say good-bye; what waits is not sent any more."""
        self._waiting.clear()
        task = asyncio.ensure_future(self._connection.close(code, reason))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)

    async def write(self) -> None:
        """Send what is put, for ever."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                _, frame = self._waiting.popleft()
                self._bytes -= len(frame)
                await self._connection.send(frame)


_tasks: set[asyncio.Future[None]] = set()


class Hub:
    """The socket of this process and the channels behind it; all but :meth:`__init__` runs on its loop."""

    def __init__(self) -> None:
        self.portal = Portal("realtime_nb media")
        self.loop = self.portal.loop
        self._channels: dict[str, Channel] = {}
        self._origins: set[str] = set()
        self._server: Server | None = None
        self._starting = asyncio.Lock()

    def add(self, token: str, channel: Channel) -> None:
        """Know a channel by its token."""
        self._channels[token] = channel

    def remove(self, token: str) -> None:
        """Forget a channel."""
        self._channels.pop(token, None)

    async def admit(self, origin: str) -> int:
        """Let pages of `origin` knock, and tell where.

        Parameters
        ----------
        origin : str
            The page's ``location.origin``, told by the widget's comm.

        Returns
        -------
        int
            The port on 127.0.0.1.
        """
        self._origins.add(origin)
        async with self._starting:
            if self._server is None:
                self._server = await self._listen()
        return int(next(iter(self._server.sockets)).getsockname()[1])

    async def _listen(self) -> Server:
        from websockets.asyncio.server import serve

        return await serve(
            self._meet,
            "127.0.0.1",
            0,
            process_request=self._gate,
            compression=None,
            max_size=MOST_FRAME,
            logger=_logger,
            server_header=None,
        )

    def _gate(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.headers.get("Origin") in self._origins:
            return None
        return connection.respond(http.HTTPStatus.FORBIDDEN, "This socket serves the page of its own notebook.\n")

    async def _meet(self, connection: ServerConnection) -> None:
        known = await self._greet(connection)
        if known is None:
            await connection.close(REFUSED, "the first frame must bring the widget's token")
            return
        channel, hello = known
        peer = SocketPeer(connection)
        page = str(hello.get("page"))
        quick = _QUICKACK is not None and hello.get("path") == "proxy"
        writer = asyncio.create_task(peer.write())
        channel.join(hello, peer)
        try:
            await self._read(connection, channel, page, quick=quick)
        finally:
            writer.cancel()
            channel.part(page, peer)

    async def _greet(self, connection: ServerConnection) -> tuple[Channel, Header] | None:
        with contextlib.suppress(TimeoutError, ValueError, EOFError, OSError):
            async with asyncio.timeout(HELLO_S):
                frame = await connection.recv(decode=False)
            hello, _ = unpack_frame(frame)
            channel = self._channel(str(hello.get("token", "")))
            if hello["t"] == "hello" and channel is not None:
                return channel, hello
        return None

    def _channel(self, token: str) -> Channel | None:
        match = None
        for known, channel in self._channels.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                match = channel
        return match

    async def _read(self, connection: ServerConnection, channel: Channel, page: str, *, quick: bool) -> None:
        from websockets.exceptions import ConnectionClosed

        raw: Any = connection.transport.get_extra_info("socket")
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame = await connection.recv(decode=False)
                if quick:  # the proxy leaves Nagle on: p95 40 ms without, 4 ms with (measured)
                    raw.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
                channel.take(page, frame)


_lock = threading.Lock()
_hub: tuple[int, Hub] | None = None


def hub() -> Hub:
    """The hub of this process, made at the first call; a forked child makes its own."""
    global _hub  # noqa: PLW0603 - one socket a process is the point
    with _lock:
        if _hub is None or _hub[0] != os.getpid():
            _hub = (os.getpid(), Hub())
        return _hub[1]


def welcome(*, owner: bool) -> bytes:
    """The first frame a page gets."""
    return pack_frame({"t": "welcome", "owner": owner})
