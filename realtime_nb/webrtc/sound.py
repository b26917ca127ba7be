"""Sound on its way: 24 kHz samples of one voice to 48 kHz Opus and back, 20 ms at a time."""

from __future__ import annotations

import asyncio
import fractions
from collections.abc import Callable

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler

__all__ = ["FRAME_MS", "RATE", "Voice", "listen"]

RATE = 24_000
"""Samples a second of the sound that goes in and comes out: the API's ``audio/pcm``."""
FRAME_MS = 20
FRAME_BYTES = RATE * FRAME_MS // 1000 * 2
LEAD_MS = 2
"""Silence before the first frame: the encoder's resampler is that much ahead, and never waits for a next frame."""
LATE_S = 0.2
"""So far behind its clock a stream may fall by default."""
_TIME_BASE = fractions.Fraction(1, RATE)


class Voice(MediaStreamTrack):
    """A track that asks for its sound when it is due.

    Parameters
    ----------
    pull : callable
        Given a number of milliseconds, gives PCM16 at 24 kHz; shorter or nothing is silence.
    late_s : float
        How far behind its clock it may fall before the time is given up; what is less is caught up with.
    """

    kind = "audio"

    def __init__(self, pull: Callable[[int], bytes], *, late_s: float = LATE_S) -> None:
        super().__init__()
        self._pull = pull
        self._late_s = late_s
        self._clock = asyncio.get_running_loop().time
        self._due: float | None = None
        self._sent = 0

    async def recv(self) -> AudioFrame:
        """The next 20 ms, when it is time for them."""
        if self.readyState != "live":
            raise MediaStreamError
        lead = await self._wait()
        return self._frame(bytes(lead) + self._pull(FRAME_MS).ljust(FRAME_BYTES, b"\0"))

    async def _wait(self) -> int:
        """Keep the pace; says how many bytes of silence come first."""
        now = self._clock()
        if self._due is None:
            self._due = now
            return RATE * LEAD_MS // 1000 * 2
        self._due += FRAME_MS / 1000
        if now - self._due > self._late_s:
            self._due = now
        await asyncio.sleep(max(0.0, self._due - now))
        return 0

    def _frame(self, pcm: bytes) -> AudioFrame:
        frame = AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
        frame.planes[0].update(pcm)
        frame.sample_rate, frame.time_base, frame.pts = RATE, _TIME_BASE, self._sent
        self._sent += frame.samples
        return frame


async def listen(track: MediaStreamTrack, hear: Callable[[bytes], object]) -> None:
    """Hear a track to its end.

    Parameters
    ----------
    track : MediaStreamTrack
        Of the other end.
    hear : callable
        Given each piece as PCM16 at 24 kHz.
    """
    mono = AudioResampler(format="s16", layout="mono", rate=RATE)
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        if isinstance(frame, AudioFrame):
            for piece in mono.resample(frame):
                hear(bytes(piece.planes[0])[: piece.samples * 2])
