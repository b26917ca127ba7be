"""One frame of the media path, the same on every way: 4 bytes little-endian length, a JSON header, the payload.

The header is padded with blanks to a multiple of 4, so that the samples behind it lie aligned;
``js/frames.js`` is the other half.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["Header", "pack_frame", "unpack_frame"]

Header = dict[str, Any]
"""What a frame is (``t``) and what is known of it."""

_MOST_HEADER = 1 << 20


def pack_frame(header: Mapping[str, Any], payload: bytes | bytearray | memoryview = b"") -> bytes:
    """Make a frame.

    Parameters
    ----------
    header : mapping
        JSON; ``t`` names the frame's kind.
    payload : bytes
        Samples (16-bit little-endian) or anything else.

    Returns
    -------
    bytes
        The frame.
    """
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return b"".join((len(text).to_bytes(4, "little"), text, payload))


def unpack_frame(frame: bytes | bytearray | memoryview) -> tuple[Header, bytes]:
    """Take a frame apart.

    Parameters
    ----------
    frame : bytes
        What :func:`pack_frame` or the page made.

    Returns
    -------
    tuple of dict and bytes
        The header and a copy of the payload.

    Raises
    ------
    ValueError
        It is no such frame.
    """
    size = int.from_bytes(frame[:4], "little")
    if size > min(_MOST_HEADER, len(frame) - 4):
        raise ValueError(f"a frame of {len(frame)} bytes says its header has {size}")
    header = json.loads(bytes(frame[4 : 4 + size]))
    if not isinstance(header, dict) or not isinstance(header.get("t"), str):
        raise ValueError("a frame's header is an object with a name `t`")  # noqa: TRY004 - a peer's bytes, not a caller's type
    return header, bytes(frame[4 + size :])
