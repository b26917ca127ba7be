"""The payloads of a saved conversation's ``events``: the lines' own text, without what is large or secret."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Any

import msgspec

from realtime_nb.archive.lines import UnknownLine
from realtime_nb.history.log import Entry
from realtime_nb.history.payload import payload
from realtime_nb.history.schema import Packed
from realtime_nb.protocol.events import UnknownEvent

__all__ = ["payloads"]

_SHORT = 256
"""Bytes of text; in fewer there is neither sound nor picture."""
_LARGE = re.compile(rb'"[A-Za-z0-9+/]{256,}={0,2}"')
"""Sound, which a row shows by its size."""
_SOUND = {"received": b'"delta":', "sent": b'"audio":'}
"""Where the sound was that a line has not."""


def payloads(blocks: Iterable[list[Any]], numbers: array[int]) -> Packed:
    """The payload of each event, as :func:`~realtime_nb.history.payload.payload` has it.

    Parameters
    ----------
    blocks : iterable of list
        The lines: ShownLine, UnknownLine and SoundLine, in order.
    numbers : array of int
        Of the lines that are rows, in order.

    Returns
    -------
    Packed
        Compact JSON; the lines are read when it is.
    """
    put = _Put()
    return Packed(Packed.chunk(_texts(_rows(lines, numbers), put)) for lines in blocks if lines)


def _rows(lines: list[Any], numbers: array[int]) -> list[Any]:
    first, last = bisect_left(numbers, lines[0].seq), bisect_right(numbers, lines[-1].seq)
    if last - first == len(lines):
        return lines
    wanted = set(numbers[first:last])
    return [line for line in lines if line.seq in wanted]


class _Put(dict[tuple[str, int], tuple[bytes, bytes]]):
    """What is replaced by what where so much sound was; most pieces of a voice are of one size."""

    def __missing__(self, place: tuple[str, int]) -> tuple[bytes, bytes]:
        direction, size = place
        key = _SOUND[direction]
        self[place] = key + b'""', b'%s"<%d bytes of audio>"' % (key, size)
        return self[place]


def _texts(lines: list[Any], put: _Put) -> list[Any]:
    """A text a line; most of half a million are as they are, so they are asked in one loop."""
    texts = []
    for line in lines:
        raw = payload(line).encode() if type(line) is UnknownLine else line.event
        if line.audio_bytes:
            raw = bytes(raw).replace(*put[line.direction, line.audio_bytes])
        if len(raw) >= _SHORT and (_LARGE.search(raw) or b";base64," in bytes(raw)):
            raw = _without_large(raw)
        texts.append(raw)
    return texts


def _without_large(raw: Any) -> bytes:
    shown = UnknownEvent(type="", payload=msgspec.json.decode(raw))
    return payload(Entry(0.0, "received", shown, 0)).encode()
