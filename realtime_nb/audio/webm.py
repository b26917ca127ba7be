"""WebM/Opus, as a browser's MediaRecorder writes it, put into Ogg/Opus, which libsndfile reads.

Only boxes are moved: the Opus packets stay as they are. Live recordings have
segments and clusters of unknown size, so master elements are simply entered
and everything else is read or stepped over (RFC 8794; RFC 9559 for the ids).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache

from realtime_nb.errors import AudioError

__all__ = ["is_webm", "to_ogg"]

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT, _TRACKS, _TRACK, _CLUSTER, _GROUP = 0x18538067, 0x1654AE6B, 0xAE, 0x1F43B675, 0xA0
_MASTERS = frozenset({_SEGMENT, _TRACKS, _TRACK, _CLUSTER, _GROUP})
_TRACK_NUMBER, _CODEC, _CODEC_PRIVATE = 0xD7, 0x86, 0x63A2
_BLOCKS = frozenset({0xA3, 0xA1})  # SimpleBlock, and Block inside a BlockGroup
_LACING = 0x06
_LACING_ROOM = 255  # lacing values of an Ogg page
_SERIAL = 1
_FIRST, _LAST = 0x02, 0x04
_CONVERT = "!ffmpeg -i recording.webm question.wav"


def is_webm(data: bytes) -> bool:
    """Tell a WebM file by its first four bytes.

    Parameters
    ----------
    data : bytes
        A file.

    Returns
    -------
    bool
        Whether it begins as EBML does.
    """
    return data.startswith(_EBML)


def to_ogg(data: bytes) -> bytes:
    """Move the Opus packets of a WebM file into an Ogg file.

    Parameters
    ----------
    data : bytes
        WebM with one or more tracks; the first Opus track is taken.

    Returns
    -------
    bytes
        Ogg/Opus (RFC 7845).

    Raises
    ------
    AudioError
        It has no Opus track, or is broken.
    """
    try:
        return b"".join(_pages(*_opus_track(data)))
    except (IndexError, struct.error) as error:
        raise AudioError("The WebM recording is broken.", hint=_CONVERT) from error


def _opus_track(data: bytes) -> tuple[bytes, list[bytes]]:
    number, head, packets = None, None, []
    current: dict[int, bytes] = {}
    for ident, payload in _elements(data):
        if ident == _TRACK:
            current = {}
        elif ident in (_TRACK_NUMBER, _CODEC, _CODEC_PRIVATE):
            current[ident] = payload
            if head is None and current.get(_CODEC, b"").startswith(b"A_OPUS") and len(current) == 3:
                number, head = current[_TRACK_NUMBER][-1], current[_CODEC_PRIVATE]
        elif ident in _BLOCKS and payload[0] & 0x7F == number:
            packets.append(_packet(payload))
    if head is None or not packets:
        raise AudioError(
            "The WebM recording has no Opus sound in it: WebM is read with Opus only.",
            hint=_CONVERT,
        )
    return head, packets


def _packet(block: bytes) -> bytes:
    if block[3] & _LACING:
        raise AudioError(
            "The WebM recording packs several frames into a block, which no browser does.",
            hint=_CONVERT,
        )
    return block[4:]


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk through all elements in file order; masters are entered and have no payload."""
    at = 0
    while at < len(data):
        ident, at = _number(data, at, keep_marker=True)
        size, at = _number(data, at, keep_marker=False)
        if ident in _MASTERS:
            yield ident, b""
            continue
        if at + size > len(data):  # cut short: what came before it is whole
            return
        yield ident, data[at : at + size]
        at += size


def _number(data: bytes, at: int, *, keep_marker: bool) -> tuple[int, int]:
    """Read a variable-size integer (RFC 8794, 4)."""
    length = 9 - data[at].bit_length()
    if length > 8 or at + length > len(data):
        raise IndexError(at)
    value = int.from_bytes(data[at : at + length], "big")
    return (value if keep_marker else value & ((1 << 7 * length) - 1)), at + length


def _duration(packet: bytes) -> int:
    """Samples of a packet at 48 kHz (RFC 6716, 3.1)."""
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame = (480, 960, 1920, 2880)[config & 3]
    elif config < 16:
        frame = (480, 960)[config & 1]
    else:
        frame = (120, 240, 480, 960)[config & 3]
    return frame * (1, 2, 2, packet[1] & 0x3F if code == 3 else 0)[code]


def _pages(head: bytes, packets: list[bytes]) -> Iterator[bytes]:
    tags = b"OpusTags" + struct.pack("<I", 0) + struct.pack("<I", 0)
    yield _page([head], granule=0, number=0, flags=_FIRST)
    yield _page([tags], granule=0, number=1, flags=0)
    granule = 0
    groups = list(_groups(packets))
    for number, group in enumerate(groups, 2):
        granule += sum(map(_duration, group))
        yield _page(group, granule=granule, number=number, flags=_LAST if number == len(groups) + 1 else 0)


def _groups(packets: list[bytes]) -> Iterator[list[bytes]]:
    """Share the packets out to pages."""
    group: list[bytes] = []
    room = _LACING_ROOM
    for packet in packets:
        need = len(packet) // 255 + 1
        if need > _LACING_ROOM:
            raise IndexError(len(packet))
        if need > room:
            yield group
            group, room = [], _LACING_ROOM
        group.append(packet)
        room -= need
    yield group


def _page(packets: list[bytes], *, granule: int, number: int, flags: int) -> bytes:
    """Build one Ogg page (RFC 3533, 6)."""
    lacing = b"".join(b"\xff" * (len(p) // 255) + bytes([len(p) % 255]) for p in packets)
    header = b"OggS" + struct.pack("<BBqIII", 0, flags, granule, _SERIAL, number, 0) + bytes([len(lacing)])
    page = header + lacing + b"".join(packets)
    return page[:22] + struct.pack("<I", _crc(page)) + page[26:]


@cache
def _crc_table() -> tuple[int, ...]:
    def entry(value: int) -> int:
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        return value & 0xFFFFFFFF

    return tuple(entry(i << 24) for i in range(256))


def _crc(page: bytes) -> int:
    table, crc = _crc_table(), 0
    for byte in page:
        crc = ((crc << 8) & 0xFFFFFFFF) ^ table[(crc >> 24) ^ byte]
    return crc
