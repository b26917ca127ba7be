"""What a function gave, as text for the model."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

__all__ = ["MAX_CHARS", "error_output", "output_text"]

MAX_CHARS = 8_000
"""About 2,000 tokens: an output is read again with every later response."""
MAX_ROWS = 500
MAX_VALUES = 2_000
_ADDRESS = re.compile(r" (?:object )?at 0x[0-9a-fA-F]+")


def output_text(value: Any, *, max_chars: int = MAX_CHARS) -> str:
    r"""Put a result into words: text as it is, tables as CSV, the rest as JSON.

    Parameters
    ----------
    value : object
        Whatever the function gave. What is no number (NaN, infinite) becomes null; sound,
        figures and other objects become their name.
    max_chars : int
        What is longer is cut, with a note.

    Returns
    -------
    str
        For ``function_call_output``.

    Examples
    --------
    >>> output_text({"celsius": float("nan"), "places": {"Oslo"}})
    '{"celsius":null,"places":["Oslo"]}'
    >>> output_text("x" * 20, max_chars=10)
    'xxxxxxxxxx\n[cut: the first 10 of 20 characters]'
    """
    text = _text(value)
    if len(text) <= max_chars:
        return text
    return f"{text[:max_chars]}\n[cut: the first {max_chars:,} of {len(text):,} characters]"


def error_output(kind: str, message: str) -> str:
    """An error as the model is told of it: what and why, and nothing of our files.

    Parameters
    ----------
    kind : str
        The error's type.
    message : str
        Its words.

    Returns
    -------
    str
        JSON.
    """
    return msgspec.json.encode({"error": {"type": kind, "message": message[:MAX_CHARS]}}).decode()


def _text(value: Any) -> str:
    match value:
        case None:
            return "done"
        case str():
            return value
        case bytes() | bytearray() | memoryview():
            return _bytes(bytes(value))
        case _ if hasattr(value, "to_csv"):
            return _table(value)
        case _ if hasattr(value, "tolist") and getattr(value, "size", 0) > MAX_VALUES:
            first = msgspec.json.encode(_unknown(value.ravel()[:MAX_VALUES])).decode()
            return f"array of shape {value.shape}, {value.dtype}; its first {MAX_VALUES:,} values: {first}"
        case _:
            return msgspec.json.encode(_json(value)).decode()


def _json(value: Any) -> Any:
    return msgspec.to_builtins(value, enc_hook=_unknown, str_keys=True)


def _bytes(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return f"{len(value):,} bytes"
    return text if text.replace("\n", " ").replace("\t", " ").isprintable() else f"{len(value):,} bytes"


def _table(value: Any) -> str:
    """A DataFrame or Series as CSV; its index, too, unless it only counts."""
    counts = type(value.index).__name__ == "RangeIndex"
    text = str(value.head(MAX_ROWS).to_csv(index=not counts))
    return text if len(value) <= MAX_ROWS else f"{text}[cut: the first {MAX_ROWS:,} of {len(value):,} rows]"


def _unknown(value: Any) -> Any:
    """Something that JSON has, for what it does not."""
    if hasattr(value, "to_dict") and hasattr(value, "head"):  # a table inside something
        return value.head(MAX_ROWS).to_dict(**({"orient": "records"} if hasattr(value, "columns") else {}))
    if hasattr(value, "isoformat"):  # pandas' Timestamp and its kin; NaT has the method, but is no time
        return str(value.isoformat())
    for method in ("tolist", "model_dump"):  # numpy; pydantic
        if hasattr(value, method):
            return getattr(value, method)()
    if isinstance(value, Mapping):
        return {str(key): inner for key, inner in value.items()}
    if isinstance(value, Iterable) and not hasattr(value, "_repr_html_"):
        return list(itertools.islice(value, MAX_VALUES))
    return _words(value)


def _words(value: Any) -> str:
    text = str(value)
    return f"<{type(value).__qualname__}>" if text == object.__repr__(value) else _ADDRESS.sub("", text)
