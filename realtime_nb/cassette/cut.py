"""Sounds and pictures cut out of a frame's text, and put back to the letter."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

__all__ = ["Cut", "cut", "mend"]

_B64 = r"[A-Za-z0-9+/]*={0,2}"
_PLACES = re.compile(
    rf'"(?P<key>audio|delta)"\s*:\s*"(?P<sound>{_B64})"|"data:image/(?P<type>[\w.+-]+);base64,(?P<picture>{_B64})"'
)
"""Where sounds and pictures are. A ``delta`` is a sound in one kind of event only."""
_SOUND_DELTA = re.compile(r'"type"\s*:\s*"response\.(?:output_)?audio\.delta"')


class Cut(NamedTuple):
    """What was at a place."""

    data: bytes
    picture: str
    """The MIME subtype of a picture; empty for a sound."""


def cut(text: str) -> tuple[str, list[Cut | None]]:
    """Take sounds and pictures out.

    Parameters
    ----------
    text : str
        A frame.

    Returns
    -------
    tuple of (str, list)
        The frame with nothing at their places; what was at each, None where nothing was or where it is no
        base64 that could be put back to the letter.
    """
    found: list[Cut | None] = []
    rest, end = [], 0
    for start, stop, picture in _places(text):
        data = _decoded(text[start:stop])
        found.append(None if data is None else Cut(data, picture))
        if data is not None:
            rest.append(text[end:start])
            end = stop
    return "".join((*rest, text[end:])), found


def mend(text: str, give: Callable[[int], bytes | None]) -> str:
    """Put them back.

    Parameters
    ----------
    text : str
        What :func:`cut` gave.
    give : callable
        Of the number of a place, what belongs there; None where nothing was cut.

    Returns
    -------
    str
        The frame.
    """
    rest, end = [], 0
    for number, (start, stop, _) in enumerate(_places(text)):
        data = give(number)
        if data is not None:
            rest += [text[end:start], base64.b64encode(data).decode()]
            end = stop
    return "".join((*rest, text[end:]))


def _places(text: str) -> Iterator[tuple[int, int, str]]:
    spoken = _SOUND_DELTA.search(text) is not None
    for place in _PLACES.finditer(text):
        if place["type"] is not None:
            yield *place.span("picture"), place["type"]
        elif spoken or place["key"] == "audio":
            yield *place.span("sound"), ""


def _decoded(text: str) -> bytes | None:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error:
        return None
    return data if data and base64.b64encode(data).decode() == text else None
