"""G.711, the codec of the telephone: one byte a sample, 8,000 samples a second, mu-law and A-law.

Both directions are table look-ups, so a second of sound takes microseconds. The
tables are computed from the segments of ITU-T G.711 and equal, value for value,
what Python's `audioop` gave until it was removed in 3.13.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from realtime_nb.audio.pcm import FULL_SCALE, Samples, to_int16

__all__ = ["decode_alaw", "decode_ulaw", "encode_alaw", "encode_ulaw"]

_BIAS = 33  # G.711 table 2: added so that each mu-law segment begins at a power of two (14-bit scale)
_ULAW_CLIP = 8_159  # G.711 table 2: the largest 14-bit magnitude that has a code


def encode_ulaw(samples: Samples) -> bytes:
    """Write mu-law.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        In [-1, 1]; 8 kHz on every telephone line.

    Returns
    -------
    bytes
        One byte a sample.
    """
    return _look_up(samples, _ulaw_codes())


def encode_alaw(samples: Samples) -> bytes:
    """Write A-law.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        In [-1, 1]; 8 kHz on every telephone line.

    Returns
    -------
    bytes
        One byte a sample.
    """
    return _look_up(samples, _alaw_codes())


def decode_ulaw(data: bytes | bytearray | memoryview) -> Samples:
    """Read mu-law.

    Parameters
    ----------
    data : bytes
        One byte a sample.

    Returns
    -------
    ndarray of float32, shape (n,)
        In (-1, 1).
    """
    return _ulaw_values()[np.frombuffer(bytes(data), np.uint8)]


def decode_alaw(data: bytes | bytearray | memoryview) -> Samples:
    """Read A-law.

    Parameters
    ----------
    data : bytes
        One byte a sample.

    Returns
    -------
    ndarray of float32, shape (n,)
        In (-1, 1).
    """
    return _alaw_values()[np.frombuffer(bytes(data), np.uint8)]


def _look_up(samples: Samples, codes: NDArray[np.uint8]) -> bytes:
    return bytes(codes[to_int16(samples).astype(np.int32) + FULL_SCALE].tobytes())


def _pcm16() -> NDArray[np.int32]:
    return np.arange(-FULL_SCALE, FULL_SCALE, dtype=np.int32)


def _segment(magnitude: NDArray[np.int32], first: int) -> NDArray[np.int32]:
    """Which of the eight segments a magnitude lies in, when segment 0 ends below ``2 ** first``."""
    return np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - first + 1, 0)


@cache
def _ulaw_codes() -> NDArray[np.uint8]:
    value = _pcm16() >> 2  # 14 bits
    magnitude = np.minimum(np.abs(value), _ULAW_CLIP) + _BIAS
    segment = _segment(magnitude, 6)
    code = np.where(segment > 7, 0x7F, (segment << 4) | ((magnitude >> (segment + 1)) & 0xF))
    return (code ^ np.where(value < 0, 0x7F, 0xFF)).astype(np.uint8)


@cache
def _alaw_codes() -> NDArray[np.uint8]:
    value = _pcm16() >> 3  # 13 bits
    magnitude = np.where(value >= 0, value, -value - 1)
    segment = _segment(magnitude, 5)
    code = (segment << 4) | ((magnitude >> np.maximum(segment, 1)) & 0xF)
    return (code ^ np.where(value >= 0, 0xD5, 0x55)).astype(np.uint8)  # even bits inverted, sign bit set for >= 0


@cache
def _ulaw_values() -> Samples:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = ((((code & 0xF) << 3) + (_BIAS << 2)) << ((code & 0x70) >> 4)) - (_BIAS << 2)
    return _as_float(np.where(code & 0x80, -magnitude, magnitude))


@cache
def _alaw_values() -> Samples:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code & 0x70) >> 4
    step = ((code & 0xF) << 4) + np.where(segment == 0, 8, 0x108)
    magnitude = step << np.maximum(segment - 1, 0)
    return _as_float(np.where(code & 0x80, magnitude, -magnitude))


def _as_float(pcm16: NDArray[np.int32]) -> Samples:
    values = (pcm16 / FULL_SCALE).astype(np.float32)
    values.setflags(write=False)
    return values
