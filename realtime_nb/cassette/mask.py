"""Secrets made unreadable in a frame that keeps its length and its form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from realtime_nb.history.payload import SECRET_KEYS, redacted

__all__ = ["masked"]

_KEY = re.compile(r"\b(sk-|ek_)([\w-]{8,})")
_HEAD = re.compile(r"(?:Bearer )?(?:sk-|ek_)?")
_SENSITIVE = re.compile(r'sk-|ek_|"(?:' + "|".join(sorted(SECRET_KEYS)) + r')"', re.IGNORECASE)
"""Where a secret may be; only there a frame is taken apart."""


def masked(text: str) -> str:
    """`text` with an x for each letter of a secret.

    Parameters
    ----------
    text : str
        A frame: JSON.

    Returns
    -------
    str
        As long as `text`, so that the sizes in the frames stay true.

    Examples
    --------
    >>> masked('{"authorization": "Bearer sk-0123456789"}')
    '{"authorization": "Bearer sk-xxxxxxxxxx"}'
    """
    if _SENSITIVE.search(text) is None:
        return text
    for secret in set(_secrets(json.loads(text))):
        shown = json.dumps(secret)[1:-1]
        head = _HEAD.match(shown)
        kept = head.end() if head is not None else 0
        text = text.replace(shown, shown[:kept] + "x" * (len(shown) - kept))
    text = _KEY.sub(lambda key: key[1] + "x" * len(key[2]), text)
    again = json.loads(text)
    if any(set(_HEAD.sub("", secret, count=1)) - {"x"} for secret in _secrets(again)):
        return json.dumps(redacted(again))  # written otherwise than we would: its form is given up
    return text


def _secrets(value: Any) -> Iterator[str]:
    """The texts under names that hold secrets."""
    match value:
        case Mapping():
            for key, inner in value.items():
                yield from _texts(inner) if str(key).lower() in SECRET_KEYS else _secrets(inner)
        case list():
            for inner in value:
                yield from _secrets(inner)


def _texts(value: Any) -> Iterator[str]:
    match value:
        case str() if value:
            yield value
        case Mapping():
            for inner in value.values():
                yield from _texts(inner)
