"""Sound of the wire, as the models want it."""

from __future__ import annotations

from typing import cast

from realtime_nb.audio.formats import WireFormat, wire_format
from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.resample import resample
from realtime_nb.protocol.formats import AudioFormat

__all__ = ["samples_of", "wire"]


def wire(format: AudioFormat) -> WireFormat:
    """Find how a format lies in bytes.

    Parameters
    ----------
    format : AudioFormat
        The session's.

    Returns
    -------
    WireFormat
        Its rate and codec.
    """
    return wire_format(cast("str", type(format).__struct_config__.tag))


def samples_of(audio: bytes, format: AudioFormat, rate: int) -> Samples:
    """Decode a whole sound.

    Parameters
    ----------
    audio : bytes
        In `format`.
    format : AudioFormat
        The session's input format.
    rate : int
        Samples per second wanted.

    Returns
    -------
    ndarray of float32, shape (n,)
        At `rate`.
    """
    codec = wire(format)
    return resample(codec.decode(audio), codec.rate, rate)
