"""What waits to be sent to one client, and when the waiting has lasted too long."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

__all__ = ["Farewell", "Outbox"]


@dataclass(frozen=True)
class Farewell:
    """The last thing sent.

    Parameters
    ----------
    code : int
        The WebSocket close code.
    reason : str
        At most 123 bytes go into a close frame; longer ones are cut.
    """

    code: int
    reason: str

    @property
    def short_reason(self) -> str:
        """The reason as a close frame can carry it."""
        return self.reason.encode()[:123].decode(errors="ignore")


class Outbox:
    """A bounded queue with one writer: a slow reader costs a known amount of memory and nobody else's time.

    Parameters
    ----------
    send : callable
        Sends one text; it may wait for the peer.
    close : callable
        Sends the close frame.
    limit_bytes : int
        What may wait. One event larger than that passes when nothing else waits.
    stall_s : float
        How long one sending may take.

    Notes
    -----
    No event is ever dropped from the middle: either all that was put is sent in
    order, or the connection ends.
    """

    def __init__(
        self,
        send: Callable[[str], Awaitable[None]],
        close: Callable[[int, str], Awaitable[None]],
        *,
        limit_bytes: int,
        stall_s: float,
    ) -> None:
        self._send = send
        self._close = close
        self._limit_bytes = limit_bytes
        self._stall_s = stall_s
        self._waiting: deque[str | Farewell] = deque()
        self._bytes = 0
        self._more = asyncio.Event()
        self._finished = False

    @property
    def is_finished(self) -> bool:
        """Whether the farewell has been put."""
        return self._finished

    def put(self, text: str) -> bool:
        """Add an event.

        Parameters
        ----------
        text : str
            Its JSON.

        Returns
        -------
        bool
            False when the reader is so far behind that the connection must end.
        """
        size = _size(text)
        if self._bytes and self._bytes + size > self._limit_bytes:
            return False
        if not self._finished:
            self._waiting.append(text)
            self._bytes += size
            self._more.set()
        return True

    def finish(self, farewell: Farewell) -> None:
        """Close after what already waits; what is put later is not sent."""
        if not self._finished:
            self._finished = True
            self._waiting.append(farewell)
            self._more.set()

    async def run(self) -> None:
        """Send what is put, in order, until the farewell.

        Raises
        ------
        TimeoutError
            When the reader took nothing for too long.
        """
        while True:
            await self._more.wait()
            while self._waiting:
                async with asyncio.timeout(self._stall_s):
                    if await self._send_first():
                        return
            self._more.clear()

    async def _send_first(self) -> bool:
        """Send the oldest; say whether it was the last."""
        first = self._waiting.popleft()
        if isinstance(first, Farewell):
            await self._close(first.code, first.short_reason)
            return True
        await self._send(first)
        self._bytes -= _size(first)
        return False


def _size(text: str) -> int:
    """Its bytes on the wire."""
    return len(text) if text.isascii() else len(text.encode())
