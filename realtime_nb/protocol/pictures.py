"""What a server must know of a picture without decoding it: its type, its bytes, and its size from the header."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from typing import NamedTuple

__all__ = ["Picture", "read_data_url"]


class Picture(NamedTuple):
    """A picture by its header."""

    mime: str
    size: int
    """Bytes."""
    width: int
    height: int


_DATA_URL = re.compile(r"data:image/(?P<kind>png|jpeg|jpg);base64,(?P<data>[A-Za-z0-9+/]+={0,2})", re.ASCII)
_PNG = b"\x89PNG\r\n\x1a\n"
_SOF = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""JPEG's start-of-frame markers (ITU-T T.81, table B.1)."""


def read_data_url(url: str) -> Picture | None:
    """Read a picture's type and size.

    Parameters
    ----------
    url : str
        Meant to be ``data:image/png;base64,...`` or the same of a JPEG.

    Returns
    -------
    Picture or None
        None when it is no such URL, no such picture, or its bytes are of the other type.
    """
    found = _DATA_URL.fullmatch(url)
    if not found:
        return None
    try:
        data = base64.b64decode(found["data"], validate=True)
    except (binascii.Error, ValueError):
        return None
    kind = "png" if found["kind"] == "png" else "jpeg"
    size = _png_size(data) if kind == "png" else _jpeg_size(data)
    return Picture(f"image/{kind}", len(data), *size) if size else None


def _png_size(data: bytes) -> tuple[int, int] | None:
    if len(data) < 24 or not data.startswith(_PNG) or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return (width, height) if width and height else None


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    if not data.startswith(b"\xff\xd8"):
        return None
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _SOF:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return (width, height) if width and height else None
        if marker == 0xFF:  # padding between segments
            at += 1
        else:
            at += 2 + max(length, 2)
    return None
