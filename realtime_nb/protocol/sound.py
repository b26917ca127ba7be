"""A ledger of sound: which bytes were spoken with which words, so that it can be cut where the listener stopped."""

from __future__ import annotations

import bisect
import re

from .formats import AudioFormat, bytes_to_ms, ms_to_bytes

__all__ = ["Ledger"]


class Ledger:
    """Words and their sound, in the order they came; cheap to append to, cut by milliseconds.

    Words come before their own sound: all sound until the next words belongs to these.

    Parameters
    ----------
    fmt : AudioFormat
        The format of the bytes.

    Examples
    --------
    >>> from realtime_nb.protocol.formats import Pcm
    >>> ledger = Ledger(Pcm())
    >>> ledger.add("Hello there.", bytes(48_000))
    >>> ledger.add(" How are you?", bytes(48_000))
    >>> ledger.cut(1_500)
    >>> ledger.transcript, ledger.ms
    ('Hello there. How', 1500.0)
    """

    def __init__(self, fmt: AudioFormat) -> None:
        self.format = fmt
        self._words: list[str] = []
        self._starts: list[int] = []
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, transcript: str = "", audio: bytes = b"") -> None:
        """Append words, sound, or both.

        Parameters
        ----------
        transcript : str
            Begins a new piece, unless the newest has no sound yet.
        audio : bytes
            The sound of the newest piece.
        """
        if transcript and self._starts and self._starts[-1] == self._size:
            self._words[-1] += transcript
        elif transcript:
            self._words.append(transcript)
            self._starts.append(self._size)
        if audio:
            self._chunks.append(audio)
            self._size += len(audio)

    @property
    def transcript(self) -> str:
        """All words."""
        return "".join(self._words)

    @property
    def chunks(self) -> list[bytes]:
        """The sound as it came."""
        return self._chunks

    @property
    def audio(self) -> bytes:
        """The sound in one piece; a copy."""
        return b"".join(self._chunks)

    @property
    def size(self) -> int:
        """Bytes of sound."""
        return self._size

    @property
    def ms(self) -> float:
        """Length in milliseconds."""
        return bytes_to_ms(self._size, self.format)

    def cut(self, end_ms: int) -> None:
        """Forget all sound after `end_ms`, and the words that were not heard by then.

        Of a piece that is cut, the share of its words is kept that its sound was heard of, whole words only.

        Parameters
        ----------
        end_ms : int
            What was heard, in milliseconds; no more than there is.
        """
        end = min(ms_to_bytes(end_ms, self.format), self._size)
        last = bisect.bisect_left(self._starts, end) - 1  # the piece that `end` lies in
        if last >= 0:
            stop = self._starts[last + 1] if last + 1 < len(self._starts) else self._size
            self._words[last] = _whole_words(self._words[last], end - self._starts[last], stop - self._starts[last])
        del self._words[last + 1 :], self._starts[last + 1 :]
        self._cut_sound(end)

    def _cut_sound(self, end: int) -> None:
        kept: list[bytes] = []
        left = end
        for chunk in self._chunks:
            if left <= 0:
                break
            kept.append(chunk[:left])
            left -= len(chunk)
        self._chunks = kept
        self._size = end


_CJK = 0x2E80
"""From here on, scripts put no spaces between words and may be cut anywhere."""


def _whole_words(text: str, heard: int, size: int) -> str:
    if heard >= size or not text:
        return text
    count = len(text) * heard // size
    if text[count].isspace() or ord(text[count]) >= _CJK:
        return text[:count].rstrip()
    return re.sub(r"\S+$", "", text[:count]).rstrip()
