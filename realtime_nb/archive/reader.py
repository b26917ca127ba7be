"""Reads the lines of a conversation; what is torn or damaged is left out, and told by its line number."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from realtime_nb.archive.lines import VERSION, Header
from realtime_nb.archive.writer import EVENTS
from realtime_nb.errors import CassetteError

__all__ = ["Damage", "LineFile"]

T = TypeVar("T")
_BLOCK = 1 << 20
_HEADER = msgspec.json.Decoder(Header)


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that could not be used."""

    line: int
    """Its number in the file; the first is 1."""
    problem: str


class LineFile:
    """``events.jsonl`` as it is now; it stays on the disk, and is read a block at a time.

    Parameters
    ----------
    folder : Path
        The conversation's.

    Raises
    ------
    CassetteError
        There is none, its first line cannot be read, or its format is newer than this package.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._data = _mapped(folder / EVENTS)
        self._begin = self._data.find(b"\n") + 1
        self._end = self._data.rfind(b"\n") + 1
        self.header = self._read_header()

    def _read_header(self) -> Header:
        first = bytes(self._data[: self._begin])
        try:
            version = msgspec.json.decode(first).get("version", 0)
        except (msgspec.DecodeError, AttributeError):
            raise CassetteError(f"Line 1 of {EVENTS} says not what this is: {first[:60]!r}") from None
        if version > VERSION:
            raise CassetteError(
                f"This conversation was kept in format {version}; this package reads up to {VERSION}.",
                hint="%pip install --upgrade realtime-nb",
            )
        try:
            return _HEADER.decode(first)
        except msgspec.DecodeError as error:
            raise CassetteError(f"Line 1 of {EVENTS} cannot be read: {error}") from None

    def lines(self, kind: type[T] | Any, damage: list[Damage]) -> Iterator[list[T]]:
        """Decode the lines after the first, many at a time.

        Parameters
        ----------
        kind : type
            What a line is; :data:`Line` for all there is.
        damage : list of Damage
            Is given what could not be used.

        Yields
        ------
        list
            Good lines, in order.
        """
        decoder = msgspec.json.Decoder(kind)
        last, number = 0, 1
        for block in self._blocks():
            found = _decode(decoder, block, number, damage)
            if list(map(_seq, found)) != list(range(last + 1, last + 1 + len(found))):
                found = _in_order(found, number, last, damage)
            number += block.count(b"\n")
            last = found[-1].seq if found else last
            yield found
        if self._end < len(self._data):
            damage.append(Damage(number + 1, "the last line is torn: writing it was broken off"))

    def _blocks(self) -> Iterator[bytes]:
        """The whole lines, many at a time."""
        start = self._begin
        while start < self._end:
            stop = self._data.find(b"\n", min(start + _BLOCK, self._end - 1)) + 1
            yield bytes(self._data[start:stop])
            start = stop


def _in_order(found: list[Any], number: int, last: int, damage: list[Damage]) -> list[Any]:
    """The lines whose numbers grow; what is missing or comes again is told."""
    good = []
    for index, line in enumerate(found, start=number + 1):
        if line is None:
            continue
        if line.seq != last + 1:
            damage.append(Damage(index, f"record {line.seq} follows record {last}"))
        if line.seq > last:
            good.append(line)
            last = line.seq
    return good


def _seq(line: Any) -> int | None:
    return None if line is None else line.seq


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is empty"
        raise CassetteError(
            f"There is no saved conversation in {str(path.parent)!r}: {EVENTS}: {why}", hint='session.save("talk")'
        ) from None


def _decode(decoder: msgspec.json.Decoder[Any], block: bytes, number: int, damage: list[Damage]) -> list[Any]:
    """The block's lines; None stands for one that cannot be read."""
    try:
        found = decoder.decode_lines(block)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        found = []
    return found if len(found) == block.count(b"\n") else _decode_each(decoder, block, number, damage)


def _decode_each(decoder: msgspec.json.Decoder[Any], block: bytes, number: int, damage: list[Damage]) -> list[Any]:
    found: list[Any] = []
    for index, text in enumerate(block.split(b"\n")[:-1], start=number + 1):
        try:
            found.append(decoder.decode(text))
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            damage.append(Damage(index, str(error)))
            found.append(None)
    return found
