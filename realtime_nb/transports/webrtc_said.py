"""What is said into a call: sound that a session appends goes out at the pace of speech, silence between it."""

from __future__ import annotations

import asyncio
from bisect import bisect_right

from realtime_nb.audio import Resampler, wire_format
from realtime_nb.audio.pcm import encode_pcm16

__all__ = ["Said"]

RATE = 24_000
BYTES_PER_MS = RATE * 2 // 1000


class Said:
    """The sound that waits to go out, and where in the call's time each of it went.

    Notes
    -----
    A server's voice detection speaks of its sound in milliseconds since the call began; a session counts what it
    appended. :meth:`place` makes the one the other, so that wait times and recordings are right for both.
    """

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._sent = asyncio.Event()
        self._sent.set()
        self._stream_ms = 0
        self._said_ms = 0.0
        self._begins: list[float] = []  # in the call's time: of each stretch without a pause
        self._places: list[float] = []  # the same in what was appended
        self._pausing = True
        self._format = wire_format("audio/pcm")
        self._resampler: Resampler | None = None

    # ------------------------------------------------------------ in
    def speak(self, format: str) -> None:
        """Take what is appended for this format from now on."""
        if format != self._format.type:
            self._format = wire_format(format)
            self._resampler = None if self._format.rate == RATE else Resampler(self._format.rate, RATE)

    def append(self, audio: bytes) -> None:
        """Say this after what waits."""
        if self._resampler is not None:
            audio = encode_pcm16(self._resampler.feed(self._format.decode(audio)))
        self._waiting += audio
        if self._waiting:
            self._sent.clear()

    def clear(self) -> None:
        """Forget what was not said yet."""
        self._said_ms += len(self._waiting) / BYTES_PER_MS
        self._waiting.clear()
        self._pausing = True
        self._sent.set()

    async def said(self) -> None:
        """Wait until all has gone out."""
        await self._sent.wait()

    # ------------------------------------------------------------ out
    def pull(self, ms: int) -> bytes:
        """What goes out next: so many milliseconds, or less before a pause."""
        piece = bytes(self._waiting[: ms * BYTES_PER_MS])
        del self._waiting[: len(piece)]
        if piece and self._pausing:
            self._begins.append(self._stream_ms)
            self._places.append(self._said_ms)
        self._pausing = len(piece) < ms * BYTES_PER_MS
        self._said_ms += len(piece) / BYTES_PER_MS
        self._stream_ms += ms
        if not self._waiting:
            self._sent.set()
        return piece

    def place(self, stream_ms: float) -> int:
        """Where something in the call's time is in what was appended, both in milliseconds."""
        at = bisect_right(self._begins, stream_ms) - 1
        if at < 0:
            return 0
        place = self._places[at] + stream_ms - self._begins[at]
        return int(min(place, self._places[at + 1]) if at + 1 < len(self._places) else place)
