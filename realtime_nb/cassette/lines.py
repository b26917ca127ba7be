"""The lines of a cassette: a header, the frames of the wire in their order, the sounds they carry, and an end."""

from __future__ import annotations

from typing import Any

import msgspec

from realtime_nb.history.log import Direction
from realtime_nb.models import ModelCard

__all__ = ["VERSION", "CallLine", "ClosedLine", "EndLine", "FrameLine", "Header", "Line", "Piece", "SoundLine"]

VERSION = 1
"""Of the format; a reader refuses what is newer than itself."""


class Header(msgspec.Struct, tag_field="line", tag="cassette", frozen=True, kw_only=True):
    """The first line: who talked to whom, when, and what was asked for."""

    version: int = VERSION
    package: str
    """The version of realtime-nb that recorded it."""
    begun: str
    """When the connection began: UTC, ISO 8601."""
    to: str | None
    """What ``rt.connect`` was given, without what may hide a key."""
    model: str | None
    """As ``rt.connect`` was given it."""
    session_id: str
    brain: str
    card: ModelCard
    """With the prices of then."""
    seed: str
    """Of the client's names for items."""
    drawn: dict[str, int]
    """How many of them it had made when the recording began."""


class Piece(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was cut out of a frame at one place."""

    bytes: int
    """How many; decoded."""
    sound: int | None = None
    """The number of the sound they are the next part of."""
    file: str | None = None
    """The file they are in."""


class FrameLine(msgspec.Struct, tag_field="line", tag="event", frozen=True, kw_only=True, omit_defaults=True):
    """An event on the wire, as it was written there but for its sounds, pictures and secrets."""

    t_s: float
    """When, in seconds since the connection."""
    direction: Direction
    event: msgspec.Raw
    cut: tuple[Piece | None, ...] = ()
    """What belongs at each place where a sound or picture can be, in order; None: nothing was cut there."""


class CallLine(msgspec.Struct, tag_field="line", tag="call", frozen=True, kw_only=True):
    """How long a function of the client took."""

    call_id: str
    took_s: float


class SoundLine(msgspec.Struct, tag_field="line", tag="sound", frozen=True, kw_only=True):
    """A sound that came in pieces: where they are together."""

    sound: int
    direction: Direction
    duration_s: float
    file: str
    """In ``media/``: the SHA-256 of its bytes on the wire, and the suffix of how they are kept."""


class ClosedLine(msgspec.Struct, tag_field="line", tag="closed", frozen=True, kw_only=True):
    """The server ended the connection."""

    t_s: float
    message: str
    code: int | None
    reason: str


class EndLine(msgspec.Struct, tag_field="line", tag="end", frozen=True, kw_only=True):
    """The last line: a recording without it was broken off."""

    events: int
    sha256: str
    """Of all lines before."""


Line: Any = Header | FrameLine | CallLine | SoundLine | ClosedLine | EndLine
