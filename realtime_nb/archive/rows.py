"""The ``events`` frame of a saved conversation, column by column: half a million rows must not take long."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from realtime_nb.archive.lines import RawLine, SoundLine, UnknownLine
from realtime_nb.history.frames import about
from realtime_nb.history.log import Entry
from realtime_nb.history.payload import payload
from realtime_nb.history.schema import EVENTS
from realtime_nb.protocol.events import UnknownEvent

__all__ = ["event_columns"]


class _Named(msgspec.Struct, frozen=True):
    id: str | None = None


class _Head(msgspec.Struct, frozen=True):
    """What a row says of an event beside its text."""

    type: str
    event_id: str | None = None
    item_id: str | None = None
    response_id: str | None = None
    item: _Named | None = None
    response: _Named | None = None


_HEAD = msgspec.json.Decoder(_Head)
_LARGE = re.compile(rb'"[A-Za-z0-9+/]{256,}={0,2}"')
"""Sound, which a row shows by its size."""
_SOUND = {"response.output_audio.delta": b'"delta":', "input_audio_buffer.append": b'"audio":'}
"""Where the sound was that a line has not."""


def event_columns(lines: Iterable[RawLine | UnknownLine | SoundLine]) -> dict[str, list[Any]]:
    """The columns of ``events``.

    Parameters
    ----------
    lines : iterable of RawLine, UnknownLine or SoundLine
        In order; sounds are no rows.

    Returns
    -------
    dict of str to list
        A list for each column, all of one length.
    """
    columns: dict[str, list[Any]] = {name: [] for name in EVENTS.names}
    adders = [column.append for column in columns.values()]
    for line in lines:
        if not isinstance(line, SoundLine):
            for add, value in zip(adders, _row(line), strict=True):
                add(value)
    return columns


def _row(line: RawLine | UnknownLine) -> tuple[Any, ...]:
    if isinstance(line, UnknownLine):
        event: UnknownEvent = line.event
        about_it = (event.type, event.event_id or None, about(event, "item"), about(event, "response"))
        return (line.t_s, line.direction, *about_it, line.bytes, payload(line))
    head = _HEAD.decode(line.event)
    item_id = head.item_id or (head.item.id if head.item is not None else None) or None
    response_id = head.response_id or (head.response.id if head.response is not None else None) or None
    about_it = (head.type, head.event_id or None, item_id, response_id)
    return (line.t_s, line.direction, *about_it, line.bytes, _text(line, head.type))


def _text(line: RawLine, type: str) -> str:
    """The payload, as :func:`~realtime_nb.history.payload.payload` has it."""
    raw = bytes(line.event)
    if line.audio_bytes:
        key = _SOUND.get(type, b'"audio":')
        raw = raw.replace(key + b'""', b'%s"<%d bytes of audio>"' % (key, line.audio_bytes))
    if b";base64," not in raw and (len(raw) < 256 or _LARGE.search(raw) is None):
        return raw.decode()
    shown = UnknownEvent(type=type, payload=msgspec.json.decode(raw))
    return payload(Entry(line.t_s, line.direction, shown, line.bytes))
