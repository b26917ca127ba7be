"""An event as JSON text for people: sound and pictures by their size, secrets masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from realtime_nb.history.log import Entry
from realtime_nb.protocol.events import UnknownEvent

__all__ = ["payload", "redacted"]

SECRET_KEYS = frozenset({"authorization", "api-key", "api_key", "client_secret", "password", "headers"})
"""Fields whose text value is masked; of ``headers`` every value."""
_KEY = re.compile(r"\b(sk-|ek_)[\w-]{8,}")
_HEAD = re.compile(r"^(?:Bearer )?(?:sk-|ek_)?")
_DATA_URL = re.compile(r"data:(\w+)/[\w.+-]+;base64,([A-Za-z0-9+/=]*)")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{256,}={0,2}")


def payload(entry: Entry) -> str:
    """The event's JSON, short and safe to show.

    Parameters
    ----------
    entry : Entry
        Of the log.

    Returns
    -------
    str
        Compact JSON; ``<4800 bytes of audio>`` stands for sound.

    Examples
    --------
    >>> from realtime_nb.protocol.events import InputAudioBufferAppend
    >>> payload(Entry(0.0, "sent", InputAudioBufferAppend(audio=b""), 6441, 4800))
    '{"type":"input_audio_buffer.append","audio":"<4800 bytes of audio>"}'
    """
    event = entry.event
    plain = event.payload if isinstance(event, UnknownEvent) else msgspec.to_builtins(event, builtin_types=(bytes,))
    return msgspec.json.encode(_shown(plain, entry.audio_bytes)).decode()


def redacted(value: Any) -> Any:
    """The same value with its secrets masked; sound and pictures stay.

    Parameters
    ----------
    value : Any
        JSON as Python has it.

    Returns
    -------
    Any
        A copy.

    Examples
    --------
    >>> redacted({"server_url": "https://tools.example", "authorization": "Bearer sk-0123456789"})
    {'server_url': 'https://tools.example', 'authorization': 'Bearer sk-…'}
    """
    match value:
        case str():
            return _KEY.sub(r"\1…", value)
        case Mapping():
            return {
                key: _masked(inner) if str(key).lower() in SECRET_KEYS else redacted(inner)
                for key, inner in value.items()
            }
        case list() | tuple():
            return [redacted(inner) for inner in value]
        case _:
            return value


def _shown(value: Any, audio_bytes: int) -> Any:
    """`value` without what is large or secret."""
    match value:
        case str():
            return _text(value)
        case bytes():
            return f"<{len(value) or audio_bytes} bytes of audio>"
        case Mapping():
            return {key: _field(key, inner, audio_bytes) for key, inner in value.items()}
        case list() | tuple():
            return [_shown(inner, audio_bytes) for inner in value]
        case _:
            return value


def _field(key: Any, value: Any, audio_bytes: int) -> Any:
    if str(key).lower() in SECRET_KEYS:
        return _masked(value)
    return _shown(value, audio_bytes)


def _masked(value: Any) -> Any:
    match value:
        case str():
            return f"{_HEAD.findall(value)[0]}…"
        case Mapping():
            return {key: _masked(inner) for key, inner in value.items()}
        case _:
            return value


def _text(text: str) -> str:
    if _BASE64.fullmatch(text):
        return f"<{_decoded(text)} bytes of audio>"
    text = _DATA_URL.sub(lambda url: f"<{_decoded(url[2])} bytes of {url[1]}>", text)
    return _KEY.sub(r"\1…", text)


def _decoded(text: str) -> int:
    """How many bytes so much base64 stands for."""
    return len(text) * 3 // 4 - text.count("=")
