"""A wire without a network: two ends in one process, for tests and for rehearsals."""

from __future__ import annotations

import asyncio

from realtime_nb.errors import ConnectionClosed

__all__ = ["MemoryTransport", "pair"]


class MemoryTransport:
    """One end of a wire in memory; :func:`pair` makes both."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[str | bytes | ConnectionClosed] = asyncio.Queue()
        self._end: ConnectionClosed | None = None
        self._peer: MemoryTransport | None = None

    async def send(self, text: str) -> None:
        """Put one event into the peer's inbox."""
        if self._end is not None or self._peer is None:
            raise _again(self._end)
        self._peer._inbox.put_nowait(text)  # noqa: SLF001 - the two ends are one thing
        await asyncio.sleep(0)  # as a socket does: let the peer have its turn

    async def receive(self) -> str | bytes:
        """Take the next event out of the inbox; what was sent before a close still arrives."""
        if self._end is not None and self._inbox.empty():
            raise _again(self._end)
        message = await self._inbox.get()
        if isinstance(message, ConnectionClosed):
            self._end = message
            raise _again(message)
        return message

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Take the wire down, at both ends."""
        if self._end is not None or self._peer is None:
            return
        self._end = ConnectionClosed("the connection is closed", code=code, reason=reason)
        self._peer._inbox.put_nowait(_again(self._end))  # noqa: SLF001 - the two ends are one thing
        self._inbox.put_nowait(self._end)  # whoever waits here learns of it too


def _again(end: ConnectionClosed | None) -> ConnectionClosed:
    """A fresh error for each raise: a shared one would collect tracebacks."""
    if end is None:
        return ConnectionClosed("the wire has no other end")
    return ConnectionClosed(end.message, code=end.code, reason=end.reason)


def pair() -> tuple[MemoryTransport, MemoryTransport]:
    """Two ends of one wire.

    Returns
    -------
    tuple of MemoryTransport
        What one end sends, the other receives.
    """
    ends = MemoryTransport(), MemoryTransport()
    ends[0]._peer, ends[1]._peer = ends[1], ends[0]  # noqa: SLF001 - the two ends are one thing
    return ends
