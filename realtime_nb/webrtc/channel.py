"""The data channel of a call, as a socket for events."""

from __future__ import annotations

import asyncio

from aiortc import RTCDataChannel
from aiortc.exceptions import InvalidStateError

from realtime_nb.webrtc import MAX_MESSAGE_BYTES

__all__ = ["Channel"]

HIGH_BYTES = 1024 * 1024
"""What may wait in the channel before the sender waits, too."""
WAITING_BYTES = 8 * 1024 * 1024
"""What may wait to be read; an endless flood ends the channel."""


class Channel:
    """Events by a data channel, which may not be open yet; used on one loop."""

    def __init__(self) -> None:
        self._channel: RTCDataChannel | None = None
        self._frames: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._unread = 0
        self._usable = asyncio.Event()
        self._over = False

    def attach(self, channel: RTCDataChannel) -> None:
        """Have a channel."""
        self._channel = channel
        channel.on("message", self._take)
        channel.on("open", self._usable.set)
        channel.on("bufferedamountlow", self._usable.set)
        channel.on("close", self.end)
        if channel.readyState == "open":
            self._usable.set()

    async def opened(self) -> None:
        """Wait until events can be sent; ConnectionError when none ever can."""
        await self._usable.wait()
        _ = self._open

    def end(self) -> None:
        """Let nobody wait any more: the other end is gone; idempotent."""
        if not self._over:
            self._over = True
            self._frames.put_nowait(None)
            self._usable.set()

    # ------------------------------------------------------------ in
    def _take(self, frame: str | bytes) -> None:
        self._unread += len(frame)
        if self._unread > WAITING_BYTES:
            self.abandon(1009, "too much at once")
        elif not self._over:
            self._frames.put_nowait(frame)

    async def receive(self) -> str | bytes | None:
        """The next event; None when there is none any more."""
        if self._over and self._frames.empty():
            return None
        frame = await self._frames.get()
        self._unread -= len(frame or b"")
        return frame

    # ------------------------------------------------------------ out
    async def send(self, text: str) -> None:
        """Send an event; waits until the channel is open, and while it is full.

        Raises
        ------
        ConnectionError
            The other end is gone.
        ValueError
            It is larger than a data channel carries.
        """
        if len(text) > MAX_MESSAGE_BYTES or len(text.encode()) > MAX_MESSAGE_BYTES:
            raise ValueError(f"an event of {len(text):,} characters is larger than a data channel carries")
        try:
            (await self._room(HIGH_BYTES)).send(text)
        except InvalidStateError:
            raise ConnectionError("the other end is gone") from None

    async def _room(self, most: int) -> RTCDataChannel:
        """Wait until no more than so much waits."""
        await self.opened()
        channel = self._open
        while channel.bufferedAmount > most:
            self._usable.clear()
            channel.bufferedAmountLowThreshold = most // 2
            await self.opened()
        return channel

    async def close(self, _code: int, _reason: str) -> None:
        """Close after what was sent; a data channel carries no code."""
        if self._usable.is_set() and not self._over:
            (await self._room(0)).close()

    def abandon(self, _code: int, _reason: str) -> None:
        """End although the other end does not read."""
        if self._channel is not None and self._channel.readyState == "open":
            self._channel.close()
        self.end()

    @property
    def _open(self) -> RTCDataChannel:
        if self._over or self._channel is None:
            raise ConnectionError("the other end is gone")
        return self._channel
