"""Sound that is sent while it comes: chunks of any kind into wire bytes, at the pace of speech.

Voice activity detection counts time in sound, and a person interrupts in time on
the clock; sent faster than it sounds, a stream would be interrupted too late.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import numpy as np

from realtime_nb.audio import Audio, Resampler, wire_format
from realtime_nb.errors import AudioError
from realtime_nb.portal import await_on
from realtime_nb.tools.box import in_thread

__all__ = ["PIECE_S", "Encoder", "Pace", "chunks_of", "pieces_of", "silence"]

PIECE_S = 0.04
"""What one ``input_audio_buffer.append`` carries; 20 to 100 ms are usual (protocol, 8)."""
_END = object()


class Encoder:
    """Makes wire bytes of chunks; a change of rate inside the stream is followed.

    Parameters
    ----------
    format : str
        The session's input format: ``audio/pcm``, ``audio/pcmu`` or ``audio/pcma``.
    rate : int, optional
        Samples per second of chunks that do not say: arrays, and bytes of PCM16.
    """

    def __init__(self, format: str, rate: int | None = None) -> None:
        self.format = wire_format(format)
        self.rate = rate
        self._resampler: Resampler | None = None

    def feed(self, chunk: Any) -> bytes:
        """Wire bytes of a chunk.

        Parameters
        ----------
        chunk : Audio, bytes or array
            Bytes without a rate are in the session's input format already, with one
            PCM16 at that rate; arrays need the rate.

        Returns
        -------
        bytes
            May be empty: a resampler looks ahead.

        Raises
        ------
        AudioError
            An array without a rate, or no sound at all.
        """
        if isinstance(chunk, bytes | bytearray | memoryview):
            if self.rate is None:
                return self._whole(bytes(chunk))
            return self._encode(Audio.from_pcm16(chunk, self.rate))
        if hasattr(chunk, "__array__") and self.rate is not None:
            return self._encode(Audio.from_array(chunk, rate=self.rate))
        if hasattr(chunk, "__array__"):
            raise AudioError(
                f"a chunk of shape {np.shape(chunk)} came without its sample rate, and it will not be guessed: "
                "a wrong rate plays too fast or too slow",
                hint="session.say(chunks, rate=48_000)",
            )
        return self._encode(Audio.coerce(chunk))

    def finish(self) -> bytes:
        """What the resampler still holds."""
        if self._resampler is None:
            return b""
        rest, self._resampler = self._resampler.finish(), None
        return self.format.encode(rest)

    def _whole(self, data: bytes) -> bytes:
        if len(data) % self.format.sample_bytes:
            raise AudioError(
                f"a chunk of {len(data)} bytes is not a whole number of samples: {self.format.type} has "
                f"{self.format.sample_bytes} bytes a sample",
                hint="session.say(chunks, rate=24_000)",
            )
        return data

    def _encode(self, sound: Audio) -> bytes:
        before = b""
        if self._resampler is None or self._resampler.rate_in != sound.rate:
            before = self.finish()
            self._resampler = Resampler(sound.rate, self.format.rate)
        return before + self.format.encode(self._resampler.feed(sound.samples))


async def chunks_of(source: Any, home: asyncio.AbstractEventLoop | None) -> AsyncIterator[Any]:
    """What a generator yields; never on the loop that keeps the session alive.

    Parameters
    ----------
    source : iterator or async iterator
        A plain one is advanced in threads of its own: it may block, as a microphone does, and for ever.
    home : asyncio.AbstractEventLoop, optional
        The loop an async one belongs to; None: the running one.

    Yields
    ------
    object
        Each chunk.
    """
    if hasattr(source, "__anext__"):
        loop = home or asyncio.get_running_loop()
        while (chunk := await await_on(loop, _advance(source))) is not _END:
            yield chunk
    else:
        while (chunk := await in_thread(lambda: next(source, _END))) is not _END:
            yield chunk


async def _advance(source: AsyncIterator[Any]) -> Any:
    return await anext(source, _END)


def pieces_of(data: bytes, format: str) -> Iterator[bytes]:
    """Wire bytes cut into what one event carries."""
    wire = wire_format(format)
    step = round(PIECE_S * wire.rate) * wire.sample_bytes
    for start in range(0, len(data), step):
        yield data[start : start + step]


def silence(format: str) -> bytes:
    """One piece of silence."""
    wire = wire_format(format)
    return wire.encode(np.zeros(round(PIECE_S * wire.rate), np.float32))


class Pace:
    """Waits so that sound is sent when it would be heard; sound that comes late is not hurried.

    Parameters
    ----------
    clock : callable
        Seconds, never going back.
    sleep : coroutine function
        Waits so many seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._due: float | None = None

    async def keep(self, seconds: float) -> None:
        """Wait until `seconds` of sound, just sent, would have been spoken."""
        now = self._clock()
        self._due = max(self._due or now, now - PIECE_S) + seconds
        await self._sleep(max(0.0, self._due - now))
