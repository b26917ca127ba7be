"""The three formats of sound on the wire, and the arithmetic of their bytes (protocol, 3.2)."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from .base import Value, always

__all__ = [
    "AudioFormat",
    "Pcm",
    "Pcma",
    "Pcmu",
    "base64_bytes",
    "bytes_per_ms",
    "bytes_to_ms",
    "ms_to_bytes",
    "sample_bytes",
]


class Pcm(Value, tag="audio/pcm", frozen=True, kw_only=True):
    """16-bit little-endian mono; 24,000 samples a second is the only rate there is."""

    rate: Annotated[int, Meta(ge=24_000, le=24_000)] = always(24_000)


class Pcmu(Value, tag="audio/pcmu", frozen=True, kw_only=True):
    """G.711 mu-law at 8,000 samples a second, one byte each."""


class Pcma(Value, tag="audio/pcma", frozen=True, kw_only=True):
    """G.711 A-law at 8,000 samples a second, one byte each."""


AudioFormat = Pcm | Pcmu | Pcma

_BYTES_PER_MS: dict[type[AudioFormat], int] = {Pcm: 48, Pcmu: 8, Pcma: 8}


def bytes_per_ms(fmt: AudioFormat) -> int:
    """Say how many bytes a millisecond takes.

    Parameters
    ----------
    fmt : AudioFormat
        The format.

    Returns
    -------
    int
        48 for PCM, 8 for G.711.
    """
    return _BYTES_PER_MS[type(fmt)]


def sample_bytes(fmt: AudioFormat) -> int:
    """Say how many bytes a sample takes.

    Parameters
    ----------
    fmt : AudioFormat
        The format.

    Returns
    -------
    int
        2 for PCM, 1 for G.711.
    """
    return 2 if isinstance(fmt, Pcm) else 1


def base64_bytes(size: int) -> int:
    """Say how many bytes a sound takes in an event.

    Parameters
    ----------
    size : int
        Bytes of sound.

    Returns
    -------
    int
        Those of its base64.
    """
    return (size + 2) // 3 * 4


def bytes_to_ms(size: int, fmt: AudioFormat) -> float:
    """Say how long so many bytes sound.

    Parameters
    ----------
    size : int
        Bytes.
    fmt : AudioFormat
        Their format.

    Returns
    -------
    float
        Milliseconds.
    """
    return size / _BYTES_PER_MS[type(fmt)]


def ms_to_bytes(ms: int, fmt: AudioFormat) -> int:
    """Say how many bytes so much sound takes.

    Parameters
    ----------
    ms : int
        Milliseconds.
    fmt : AudioFormat
        The format wanted.

    Returns
    -------
    int
        Bytes; always whole samples.
    """
    return ms * _BYTES_PER_MS[type(fmt)]
