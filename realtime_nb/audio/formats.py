"""The audio formats of the Realtime API, by the names its events use.

``session.audio.input.format`` and ``...output.format`` have a ``type`` of
``audio/pcm`` (16-bit little-endian, 24 kHz), ``audio/pcmu`` or ``audio/pcma``
(G.711, 8 kHz); all are mono.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from realtime_nb.audio import g711, pcm
from realtime_nb.audio.pcm import Samples
from realtime_nb.errors import AudioError

__all__ = ["FORMATS", "WireFormat", "wire_format"]


@dataclass(frozen=True, slots=True)
class WireFormat:
    """How sound lies in the bytes of an event."""

    type: str
    rate: int
    """Samples per second."""
    sample_bytes: int
    """Bytes one sample takes."""
    encode: Callable[[Samples], bytes]
    decode: Callable[[bytes], Samples]

    def seconds(self, n_bytes: int) -> float:
        """Tell how long so many bytes last.

        Parameters
        ----------
        n_bytes : int
            Bytes of sound.

        Returns
        -------
        float
            Seconds.
        """
        return n_bytes / (self.rate * self.sample_bytes)

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """Tell whole samples from the beginning of one: a server may cut its sound anywhere.

        Parameters
        ----------
        data : bytes
            Of sound.

        Returns
        -------
        tuple of bytes
            The whole samples, and what belongs before the next bytes.
        """
        end = len(data) - len(data) % self.sample_bytes
        return data[:end], data[end:]


FORMATS: Mapping[str, WireFormat] = MappingProxyType(
    {
        one.type: one
        for one in (
            WireFormat("audio/pcm", 24_000, 2, pcm.encode_pcm16, pcm.decode_pcm16),
            WireFormat("audio/pcmu", 8_000, 1, g711.encode_ulaw, g711.decode_ulaw),
            WireFormat("audio/pcma", 8_000, 1, g711.encode_alaw, g711.decode_alaw),
        )
    }
)
"""Every format by its ``type``."""


def wire_format(type: str) -> WireFormat:
    """Find a format by its name in the API.

    Parameters
    ----------
    type : str
        ``audio/pcm``, ``audio/pcmu`` or ``audio/pcma``.

    Returns
    -------
    WireFormat
        Its rate, and how to encode and decode it.

    Raises
    ------
    AudioError
        There is no such format.
    """
    try:
        return FORMATS[type]
    except KeyError:
        known = ", ".join(FORMATS)
        raise AudioError(f"{type!r} is no audio format of the API: {known} are.", hint='"audio/pcm"') from None
