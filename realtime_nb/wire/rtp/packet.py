"""RTP packets (RFC 3550, 5.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

__all__ = ["Packet", "ahead", "decode"]

_HEAD = struct.Struct(">BBHII")
_VERSION = 2


@dataclass(frozen=True)
class Packet:
    """A packet.

    Parameters
    ----------
    payload_type : int
        0 to 127.
    sequence : int
        16 bits; counts packets.
    timestamp : int
        32 bits; counts samples.
    ssrc : int
        32 bits; names the source.
    payload : bytes
        What it carries.
    marker : bool
        The first after a silence.

    Examples
    --------
    >>> decode(Packet(0, 7, 160, 9, b"sound").encode()).payload
    b'sound'
    """

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def encode(self) -> bytes:
        """As it goes out."""
        second = self.payload_type | (0x80 if self.marker else 0)
        return _HEAD.pack(_VERSION << 6, second, self.sequence, self.timestamp, self.ssrc) + self.payload


def decode(data: bytes) -> Packet | None:
    """Read a datagram.

    Parameters
    ----------
    data : bytes
        What came.

    Returns
    -------
    Packet or None
        None for what is no RTP: RTCP, STUN, noise.
    """
    if len(data) < _HEAD.size or data[0] >> 6 != _VERSION:
        return None
    first, second, sequence, timestamp, ssrc = _HEAD.unpack_from(data)
    if 64 <= second & 0x7F <= 95:  # RTCP on the same port (RFC 5761, 4)
        return None
    start = _HEAD.size + 4 * (first & 0x0F)
    if first & 0x10 and len(data) >= start + 4:  # an extension, which is stepped over
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
    end = len(data) - (data[-1] if first & 0x20 else 0)
    if start > end:
        return None
    return Packet(second & 0x7F, sequence, timestamp, ssrc, data[start:end], bool(second & 0x80))


def ahead(of: int, number: int, bits: int = 16) -> int:
    """How far a number that wraps lies ahead of another; negative when it lies behind.

    Parameters
    ----------
    of, number : int
        Both below ``2 ** bits``.
    bits : int
        Where they wrap.

    Returns
    -------
    int
        From ``-2 ** (bits - 1)`` to ``2 ** (bits - 1) - 1``.

    Examples
    --------
    >>> ahead(65_535, 1), ahead(1, 65_535)
    (2, -2)
    """
    half = 1 << (bits - 1)
    return (number - of + half) % (1 << bits) - half
