"""uvicorn's WebSocket with the endings it lacks: for a peer that reads nothing, and for one that is cut off."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["CLOSE_S", "WIRE", "Wire"]

CLOSE_S = 2.0
"""How long a peer may take over its half of the closing handshake."""
WIRE = "realtime_nb.wire"
"""Where a connection's :class:`Wire` stands in the state of its scope."""


class Wire(WebSocketsSansIOProtocol):
    """One WebSocket connection.

    uvicorn closes a transport and lets it flush; when the peer never reads, that
    is never. And it closes with bytes of the peer unread, so that TCP resets the
    connection and the peer may never see the close frame with its code.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = CLOSE_S
        self._end_timer: asyncio.TimerHandle | None = None

    async def run_asgi(self) -> None:
        """Hand the application its connection."""
        self.scope["state"][WIRE] = self
        await super().run_asgi()

    def abandon(self, code: int, reason: str) -> None:
        """Close although the peer is not reading: the close frame waits behind what is unsent, but not for long."""
        if not self.close_sent and not self.disconnected:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
            self.conn.send_close(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
        self._end_soon()

    def handle_parser_exception(self) -> None:
        """Answer a broken or oversized frame with its close code, and read on until the peer has seen it."""
        if self.close_sent:
            return
        close = self.conn.close_sent
        code, reason = (close.code, close.reason) if close is not None else (1002, "")
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.write_eof()
        self.transport.resume_reading()
        self.read_paused = False
        self.close_timer = self.loop.call_later(CLOSE_S, self.transport.abort)

    def keepalive_timeout(self) -> None:
        """End a link that went dead."""
        super().keepalive_timeout()
        self._end_soon()

    def shutdown(self) -> None:
        """End with the server."""
        super().shutdown()
        self._end_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timer with the connection."""
        if self._end_timer is not None:
            self._end_timer.cancel()
        super().connection_lost(exc)

    def _end_soon(self) -> None:
        if self._end_timer is None and not self.disconnected:
            self._end_timer = self.loop.call_later(CLOSE_S, self.transport.abort)
