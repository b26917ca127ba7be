"""The lines of ``events.jsonl``: one JSON object each, numbered without a gap, secrets masked, sound by reference."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from realtime_nb.history.log import Entry
from realtime_nb.history.payload import SECRET_KEYS, redacted
from realtime_nb.models import ModelCard
from realtime_nb.protocol.base import replace
from realtime_nb.protocol.events import ConversationItemCreate, KnownServerEvent, UnknownEvent
from realtime_nb.protocol.events.client import ClientEvent
from realtime_nb.protocol.items import InputAudio, Message

__all__ = ["VERSION", "EventLine", "Header", "Line", "RawLine", "ShownLine", "SoundLine", "UnknownLine", "event_line"]

VERSION = 1
"""Of the format; a reader refuses what is newer than itself."""


Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
"""A number of four bytes, as the columns keep it; a line with another one is damaged."""


class Header(msgspec.Struct, tag_field="line", tag="header", frozen=True, kw_only=True):
    """The first line: whose conversation this is."""

    version: int = VERSION
    session_id: str
    brain: str
    begun: str
    """When the session began: UTC, ISO 8601."""
    card: ModelCard
    """With the prices of then."""


class EventLine(Entry, tag_field="line", tag="event", frozen=True, kw_only=True, gc=False):
    """An event on the wire, as the fold takes it."""

    bytes: Count
    seq: Count
    event: KnownServerEvent | ClientEvent


class RawLine(Entry, tag_field="line", tag="event", frozen=True, kw_only=True):
    """The same line with its event as text: to be written, or shown."""

    seq: Count
    event: msgspec.Raw


class ShownLine(msgspec.Struct, tag_field="line", tag="event", frozen=True, kw_only=True, gc=False):
    """Of the same line only what its payload is made of: the rest takes a tenth of a second to read half a million."""

    seq: Count
    direction: Literal["sent", "received"]
    audio_bytes: int = 0
    event: msgspec.Raw


class UnknownLine(Entry, tag_field="line", tag="unknown", frozen=True, kw_only=True):
    """An event that is not in the catalogue."""

    bytes: Count
    seq: Count
    event: UnknownEvent


class SoundLine(msgspec.Struct, tag_field="line", tag="sound", frozen=True, kw_only=True):
    """The sound of an item, which is in a file of its own."""

    seq: Count
    item_id: str
    role: Literal["user", "assistant"]
    start_s: float
    """When it began, on the session's clock: said by the user, or first heard of the model."""
    duration_s: float
    file: str
    """Its name in ``audio/``: the SHA-256 of what is in it."""


Line = Header | EventLine | UnknownLine | SoundLine

_SENSITIVE = re.compile(rb'sk-|ek_|"(?:' + "|".join(sorted(SECRET_KEYS)).encode() + rb')":', re.IGNORECASE)
"""Where a secret may be; only there the event is taken apart."""


def event_line(entry: Entry, seq: int) -> RawLine | UnknownLine:
    """Make the line of an entry.

    Parameters
    ----------
    entry : Entry
        Of the log.
    seq : int
        Its number.

    Returns
    -------
    RawLine or UnknownLine
        Without secrets, and without the sound of a clip the client sent.
    """
    event, size = entry.event, entry.audio_bytes
    rest: dict[str, Any] = {"t_s": entry.t_s, "direction": entry.direction, "bytes": entry.bytes, "seq": seq}
    if isinstance(event, UnknownEvent):
        event = msgspec.structs.replace(event, payload=redacted(event.payload))
        return UnknownLine(event=event, audio_bytes=size, **rest)
    if isinstance(event, ConversationItemCreate):
        event, size = _without_sound(event)
    text = msgspec.json.encode(event)
    if _SENSITIVE.search(text):
        text = msgspec.json.encode(redacted(msgspec.json.decode(text)))
    return RawLine(event=msgspec.Raw(text), audio_bytes=size, **rest)


def _without_sound(event: ConversationItemCreate) -> tuple[ConversationItemCreate, int]:
    """The event without its clips, and their size: the tape has them."""
    if not isinstance(event.item, Message):
        return event, 0
    size = sum(len(part.audio or b"") for part in event.item.content if isinstance(part, InputAudio))
    parts: tuple[Any, ...] = tuple(
        replace(part, audio=b"") if isinstance(part, InputAudio) and part.audio else part for part in event.item.content
    )
    return replace(event, item=replace(event.item, content=parts)), size
