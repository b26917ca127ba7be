"""Change the rate, in one piece or as it comes: the result is the same to the last bit."""

from __future__ import annotations

from typing import Literal

import numpy as np

from realtime_nb.audio.pcm import Samples, check_rate
from realtime_nb.errors import AudioError

__all__ = ["Quality", "Resampler", "resample"]

Quality = Literal["HQ", "MQ", "LQ", "QQ"]
"""Filters of libsoxr, best first; the better, the later the sound comes out (see :class:`Resampler`)."""


class Resampler:
    """Change the rate of sound that arrives in chunks.

    Whatever the chunks are, their results joined equal :func:`resample` of the whole.

    Parameters
    ----------
    rate_in, rate_out : int
        Samples per second.
    quality : {"HQ", "MQ", "LQ", "QQ"}
        The filter.

    Notes
    -----
    A filter must look ahead, so sound comes out late. The most that was missing
    after a 20 ms chunk (soxr 1.1, measured): 24 -> 16 kHz and back: HQ 37 ms,
    LQ 20 ms, QQ 0 ms; 24 -> 8 kHz and back: HQ 74 ms, LQ 40 ms, QQ 0 ms. QQ is
    cubic interpolation with no low-pass: good enough to detect speech, not to
    recognise it.

    Examples
    --------
    >>> import numpy as np
    >>> stream = Resampler(48_000, 24_000)
    >>> out = [stream.feed(np.zeros(480, np.float32)) for _ in range(10)]
    >>> sum(map(len, out)) + len(stream.finish())
    2400
    """

    def __init__(self, rate_in: int, rate_out: int, *, quality: Quality = "HQ") -> None:
        self.rate_in = check_rate(rate_in)
        self.rate_out = check_rate(rate_out)
        self.quality = quality
        self._finished = False
        if self.rate_in == self.rate_out:
            self._stream = None
        else:
            import soxr

            self._stream = soxr.ResampleStream(self.rate_in, self.rate_out, 1, dtype="float32", quality=quality)

    def __repr__(self) -> str:
        return f"Resampler({self.rate_in:_}, {self.rate_out:_}, quality={self.quality!r})"

    def feed(self, samples: Samples) -> Samples:
        """Take a chunk, give what is ready.

        Parameters
        ----------
        samples : ndarray of float32, shape (n,)
            At :attr:`rate_in`; n may be 0.

        Returns
        -------
        ndarray of float32, shape (m,)
            At :attr:`rate_out`, in [-1, 1]; often empty at first.

        Raises
        ------
        AudioError
            After :meth:`finish`.
        """
        return self._push(samples, last=False)

    def finish(self) -> Samples:
        """Give what the filter still holds; nothing can be fed afterwards.

        Returns
        -------
        ndarray of float32, shape (m,)
            At :attr:`rate_out`.

        Raises
        ------
        AudioError
            When called twice.
        """
        return self._push(np.zeros(0, np.float32), last=True)

    def _push(self, samples: Samples, *, last: bool) -> Samples:
        if self._finished:
            raise AudioError(
                "The resampler has finished: one stream of sound, one resampler.",
                hint=f"stream = {self!r}",
            )
        self._finished = last
        chunk = np.ascontiguousarray(samples, np.float32)
        out = chunk.copy() if self._stream is None else self._stream.resample_chunk(chunk, last=last)
        return np.clip(out, -1.0, 1.0, out=out)


def resample(samples: Samples, rate_in: int, rate_out: int, *, quality: Quality = "HQ") -> Samples:
    """Change the rate of a whole sound.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        At `rate_in`.
    rate_in, rate_out : int
        Samples per second.
    quality : {"HQ", "MQ", "LQ", "QQ"}
        The filter.

    Returns
    -------
    ndarray of float32, shape (m,)
        At `rate_out`; m is n times the ratio of the rates, rounded.
    """
    stream = Resampler(rate_in, rate_out, quality=quality)
    head = stream.feed(samples)
    tail = stream.finish()
    return np.concatenate([head, tail]) if len(tail) else head
