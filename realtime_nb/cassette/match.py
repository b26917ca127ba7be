"""Whether an event is the one that was recorded, and how it differs."""

from __future__ import annotations

import base64
import binascii
import difflib
import io
import json
from typing import Any

import numpy as np

from realtime_nb.cassette.mask import masked
from realtime_nb.history import Entry
from realtime_nb.history.payload import payload
from realtime_nb.protocol.events import UnknownEvent

__all__ = ["as_value", "difference", "same", "same_sound"]

_SOUND_RMS = 1e-3
"""-60 dBFS: what two resamplers make of one sound differs by less."""
_PICTURE_MEAN = 4.0
"""Of 255, on thumbnails: two versions of a plotting library draw one figure closer than that."""
_SHAPE = 0.03
"""How much of its width or height a figure may have grown."""
_THUMBNAIL = (32, 32)
_SHOWN = 40


def as_value(text: str) -> dict[str, Any]:
    """What is compared of a frame: all but the name of the event and secrets."""
    value: dict[str, Any] = json.loads(masked(text))
    value.pop("event_id", None)
    return value


def same(recorded: Any, given: Any, key: str = "") -> bool:
    """Whether two events say the same: words to the letter, sounds and pictures as they are heard and seen.

    Parameters
    ----------
    recorded, given : JSON value
        As :func:`as_value` gives them.
    key : str
        The field they are of.

    Returns
    -------
    bool
        Equal; a sound may differ by -60 dB, a picture by what another version of a library draws otherwise.
    """
    if isinstance(recorded, dict) and isinstance(given, dict):
        return recorded.keys() == given.keys() and all(same(recorded[name], given[name], name) for name in recorded)
    if isinstance(recorded, list) and isinstance(given, list):
        return len(recorded) == len(given) and all(
            same(one, other, key) for one, other in zip(recorded, given, strict=True)
        )
    if recorded == given:
        return isinstance(recorded, bool) == isinstance(given, bool)
    if isinstance(recorded, str) and isinstance(given, str):
        return _alike(recorded, given, key)
    return False


def _alike(recorded: str, given: str, key: str) -> bool:
    if key == "audio":
        one, other = _bytes(recorded), _bytes(given)
        return one is not None and other is not None and same_sound(one, other)
    if recorded.startswith("data:image/") and given.startswith("data:image/"):
        return _same_picture(recorded, given)
    return False


def _bytes(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


def same_sound(recorded: bytes, given: bytes) -> bool:
    """Whether two sounds of the wire sound the same.

    Parameters
    ----------
    recorded, given : bytes
        PCM16; other formats are compared to the letter, for near values of theirs are no near sounds.

    Returns
    -------
    bool
        Of one length, and no louder apart than -60 dBFS.
    """
    if recorded == given:
        return True
    if len(recorded) != len(given) or len(recorded) % 2:
        return False
    one, other = (np.frombuffer(data, "<i2").astype(np.float64) / 32768 for data in (recorded, given))
    return bool(np.sqrt(np.mean(np.square(one - other))) <= _SOUND_RMS)


def _same_picture(recorded: str, given: str) -> bool:
    one, other = (_thumbnail(url) for url in (recorded, given))
    if one is None or other is None:
        return False
    (pixels, size), (others, other_size) = one, other
    near = all(abs(a - b) <= _SHAPE * max(a, b) for a, b in zip(size, other_size, strict=True))
    return near and bool(np.abs(pixels - others).mean() <= _PICTURE_MEAN)


def _thumbnail(url: str) -> tuple[np.ndarray[Any, Any], tuple[int, int]] | None:
    from PIL import Image, UnidentifiedImageError

    data = _bytes(url.partition(",")[2])
    try:
        with Image.open(io.BytesIO(data or b"")) as picture:
            small = picture.convert("RGB").resize(_THUMBNAIL, Image.Resampling.BOX)
            return np.asarray(small, np.float64), picture.size
    except (UnidentifiedImageError, OSError):
        return None


def difference(recorded: Any, given: Any) -> str:
    """The two as lines of JSON, and how the second differs.

    Parameters
    ----------
    recorded, given : JSON value
        As :func:`as_value` gives them.

    Returns
    -------
    str
        ``-`` was recorded, ``+`` was sent; sounds and pictures by their size.
    """
    before, after = (_lines(value) for value in (recorded, given))
    lines = list(difflib.unified_diff(before, after, "recorded", "sent", lineterm="", n=2))
    if not lines:
        lines = ["(the words are equal; a sound or a picture is another one)"]
    more = [f"... and {len(lines) - _SHOWN} lines more"] if len(lines) > _SHOWN else []
    return "\n".join(lines[:_SHOWN] + more)


def _lines(value: Any) -> list[str]:
    shown = payload(Entry(0.0, "sent", UnknownEvent(type="", payload=value), 0))
    return json.dumps(json.loads(shown), indent=1, ensure_ascii=False).splitlines()
