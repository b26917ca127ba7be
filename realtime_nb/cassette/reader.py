"""Reads a cassette: every line and every sound is held against what was recorded before any of it is played."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from realtime_nb.cassette.cut import mend
from realtime_nb.cassette.lines import (
    VERSION,
    CallLine,
    ClosedLine,
    EndLine,
    FrameLine,
    Header,
    Line,
    Piece,
    SoundLine,
)
from realtime_nb.cassette.media import RERECORD, Shelf
from realtime_nb.errors import CassetteError
from realtime_nb.history.log import Direction

__all__ = ["Frame", "Track", "names_of", "open_tracks", "track_path"]

_LINE = msgspec.json.Decoder(Line)
_TRACK = re.compile(r"session-(\d+)\.jsonl")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of the wire, whole again."""

    t_s: float
    direction: Direction
    text: str


@dataclass(frozen=True)
class Track:
    """One session of a cassette.

    Parameters
    ----------
    path : Path
        Of its lines.
    header : Header
        Who talked to whom, and when.
    frames : tuple of Frame
        What crossed the wire, in order.
    took_s : dict of str to float
        How long each function of the client took, by call.
    closed : ClosedLine, optional
        How the server ended the connection, if it did.
    """

    path: Path
    header: Header
    frames: tuple[Frame, ...]
    took_s: dict[str, float] = field(default_factory=dict)
    closed: ClosedLine | None = None

    @property
    def name(self) -> str:
        """As people call it."""
        return f"{self.path.parent.name}/{self.path.name}"


def track_path(folder: Path, number: int) -> Path:
    """Where the session of that number is; the first is 1."""
    return folder / f"session-{number}.jsonl"


def names_of(folder: Path) -> list[Path]:
    """The sessions of a cassette, in order."""
    found = ((path, _TRACK.fullmatch(path.name)) for path in folder.iterdir()) if folder.is_dir() else ()
    return [path for _, path in sorted((int(match[1]), path) for path, match in found if match is not None)]


def open_tracks(folder: Path) -> list[Track]:
    """Read a cassette.

    Parameters
    ----------
    folder : Path
        What was recorded to.

    Returns
    -------
    list of Track
        Its sessions.

    Raises
    ------
    CassetteError
        There is none, or it was changed, broken off, made by something else or by a newer version.
    """
    if not folder.is_dir():
        what = "is a file: a cassette is a folder" if folder.exists() else "is not there"
        raise CassetteError(f"The cassette {str(folder)!r} {what}.", hint=f'session.record("{folder.stem}.cassette")')
    paths = names_of(folder)
    if not paths:
        broken = next(folder.glob("session-*.part"), None)
        why = "its recording was broken off" if broken is not None else "it has no session-1.jsonl"
        raise CassetteError(f"{str(folder)!r} is no cassette that can be played: {why}.", hint=RERECORD)
    return [_Reader(path).track() for path in paths]


class _Reader:
    """Reads the lines of one session."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"{path.parent.name}/{path.name}"
        self._shelf = Shelf(path.parent)
        self._lines = path.read_bytes().split(b"\n")

    def _wrong(self, what: str, number: int | None = None) -> CassetteError:
        where = self.name if number is None else f"{self.name}, line {number}"
        return CassetteError(f"{where}: {what}", hint=RERECORD)

    def track(self) -> Track:
        header = self._header()
        self._check_end()
        lines = [self._line(number) for number in range(2, len(self._lines) - 1)]
        streams = {line.sound: memoryview(self._shelf.get(line.file)) for line in lines if isinstance(line, SoundLine)}
        mender = _Mender(self, streams)
        return Track(
            self.path,
            header,
            tuple(mender.frame(number, line) for number, line in enumerate(lines, 2) if isinstance(line, FrameLine)),
            {line.call_id: line.took_s for line in lines if isinstance(line, CallLine)},
            next((line for line in lines if isinstance(line, ClosedLine)), None),
        )

    def _header(self) -> Header:
        try:
            first = msgspec.json.decode(self._lines[0])
            kind, version = first["line"], first["version"]
        except (msgspec.DecodeError, UnicodeError, KeyError, TypeError):
            kind, version = "", 0
        if kind != "cassette" or not isinstance(version, int):
            raise CassetteError(
                f"{self.name} is no cassette of realtime-nb: its first line says not so.", hint=RERECORD
            )
        if version > VERSION:
            raise CassetteError(
                f"{self.name} was recorded in format {version}; this package plays up to {VERSION}.",
                hint="%pip install --upgrade realtime-nb",
            )
        header = self._line(1)
        assert isinstance(header, Header)  # noqa: S101 - it says so
        return header

    def _line(self, number: int) -> Any:
        try:
            return _LINE.decode(self._lines[number - 1])
        except (msgspec.DecodeError, UnicodeError) as error:
            raise self._wrong(f"cannot be read: {error}", number) from None

    def _check_end(self) -> None:
        """The last line says how many events there are, and the digest of all before it."""
        try:
            end = _LINE.decode(self._lines[-2]) if self._lines[-1] == b"" else None
        except (IndexError, msgspec.DecodeError, UnicodeError):
            end = None
        if not isinstance(end, EndLine):
            raise self._wrong("it is cut off: the last line, which tells the end of a recording, is not there")
        body = b"".join(line + b"\n" for line in self._lines[:-2])
        if hashlib.sha256(body).hexdigest() != end.sha256:
            raise self._wrong("it was changed: its lines are not those the last line tells the digest of")


class _Mender:
    """Puts sounds and pictures back into their frames."""

    def __init__(self, reader: _Reader, streams: dict[int, memoryview]) -> None:
        self._reader = reader
        self._streams = streams

    def frame(self, number: int, line: FrameLine) -> Frame:
        pieces = line.cut
        given = iter(pieces)
        text = bytes(line.event).decode()
        if pieces:
            text = mend(text, lambda _: self._data(number, next(given, None)))
        return Frame(line.t_s, line.direction, text)

    def _data(self, number: int, piece: Piece | None) -> bytes | None:
        if piece is None:
            return None
        if piece.file is not None:
            return self._reader._shelf.get(piece.file)  # noqa: SLF001 - the two are one thing
        stream = self._streams.get(piece.sound or 0, memoryview(b""))
        if len(stream) < piece.bytes:
            raise self._reader._wrong(f"sound {piece.sound} is shorter than its pieces", number)  # noqa: SLF001
        self._streams[piece.sound or 0] = stream[piece.bytes :]
        return bytes(stream[: piece.bytes])
