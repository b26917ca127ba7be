"""The input audio buffer: bytes that were sent and not yet used, on the session's own clock."""

from __future__ import annotations

from typing import NamedTuple

from realtime_nb.protocol.formats import AudioFormat, bytes_to_ms, ms_to_bytes

__all__ = ["Buffer", "Span"]


class Span(NamedTuple):
    """Some sound, and where it lies."""

    audio: bytes
    start_ms: int
    """From the session's first sound."""
    end_ms: int


class Buffer:
    """Sound in the order it came; time is counted in sound, not by a clock.

    Parameters
    ----------
    fmt : AudioFormat
        Of what is appended.
    """

    def __init__(self, fmt: AudioFormat) -> None:
        self.format = fmt
        self._epoch_ms = 0.0
        self._first = 0  # bytes between the epoch and the first that is kept
        self._chunks: list[bytes] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def ms(self) -> float:
        """How long the sound is that is kept, in milliseconds."""
        return bytes_to_ms(self._size, self.format)

    @property
    def start_ms(self) -> float:
        """Where the sound begins that is kept, from the session's first sound."""
        return self._epoch_ms + bytes_to_ms(self._first, self.format)

    @property
    def end_ms(self) -> float:
        """Where the newest sound ends, from the session's first sound."""
        return self._epoch_ms + bytes_to_ms(self._first + self._size, self.format)

    def append(self, audio: bytes) -> None:
        """Keep more sound."""
        self._chunks.append(audio)
        self._size += len(audio)

    def take(self, start_ms: float, end_ms: float) -> Span:
        """Take out what lies between, and forget what lies before.

        Parameters
        ----------
        start_ms, end_ms : float
            From the session's first sound; what is not kept is not taken.

        Returns
        -------
        Span
            What there was.
        """
        end = self._offset(end_ms)
        return self._cut(min(self._offset(start_ms), end), end)

    def take_all(self) -> Span:
        """Take out everything."""
        return self._cut(0, self._size)

    def _cut(self, start: int, end: int) -> Span:
        sound = b"".join(self._chunks)
        begin, per_ms = self.start_ms, ms_to_bytes(1, self.format)
        self._keep(sound[end:])
        return Span(sound[start:end], round(begin + start / per_ms), round(begin + end / per_ms))

    def trim(self, most_ms: float) -> None:
        """Forget the oldest sound, so that no more than `most_ms` is kept; a quarter more goes, to do this rarely."""
        if self.ms > most_ms:
            self.take(self.start_ms, self.end_ms - most_ms * 0.75)

    def clear(self) -> None:
        """Forget everything; the clock runs on."""
        self._keep(b"")

    def reformat(self, fmt: AudioFormat) -> None:
        """Forget everything, and expect another format."""
        self.clear()
        self._epoch_ms = self.end_ms
        self._first = 0
        self.format = fmt

    def _keep(self, rest: bytes) -> None:
        self._first += self._size - len(rest)
        self._chunks = [rest] if rest else []
        self._size = len(rest)

    def _offset(self, ms: float) -> int:
        """Bytes from the first that is kept; always whole samples."""
        offset = ms_to_bytes(int(ms - self._epoch_ms), self.format) - self._first
        return max(0, min(self._size, offset))
