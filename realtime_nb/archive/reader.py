"""Reads the lines of a conversation; what is torn or damaged is left out, and told by its line number."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
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
_SEQ = attrgetter("seq")


@dataclass(frozen=True, slots=True)
class Damage:
    """A line that could not be used."""

    line: int
    """Its number in the file; the first is 1."""
    problem: str


class _Unread:
    """A line that cannot be read has no number."""

    seq = None


_UNREAD = _Unread()


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
        self._file = _opened(folder / EVENTS)
        self._size = os.fstat(self._file).st_size
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, self._file)
        first = next(self._blocks(0), b"").partition(b"\n")[0]
        self._begin = len(first) + 1
        self.header = self._read_header(first)

    def _read_header(self, first: bytes) -> Header:
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
        for block in self._blocks(self._begin):
            if not block.endswith(b"\n"):
                damage.append(Damage(number + 1, "the last line is torn: writing it was broken off"))
                return
            count = block.count(b"\n")
            found = _decode(decoder, block, number, count, damage)
            if list(map(_SEQ, found)) != list(range(last + 1, last + 1 + len(found))):
                found = _in_order(found, number, last, damage)
            number += count
            last = found[-1].seq if found else last
            yield found

    def _blocks(self, start: int) -> Iterator[bytes]:
        """Whole lines from a place on, many at a time; and what follows the last one's end."""
        size = _BLOCK
        while start < self._size and (data := self._read(start, size)):
            end = data.rfind(b"\n") + 1
            if not end and len(data) == min(size, self._size - start) < self._size - start:
                size *= 2  # a line that is longer than a block
                continue
            size, end = _BLOCK, end or len(data)
            yield data[:end]
            start += end  # what begins here of the next line is read again: cheaper than to put it together

    def _read(self, start: int, size: int) -> bytes:
        """So much of the file from there on, as far as it was there when it was opened."""
        with self._lock:
            os.lseek(self._file, start, os.SEEK_SET)
            return os.read(self._file, min(size, self._size - start))


def _in_order(found: list[Any], number: int, last: int, damage: list[Damage]) -> list[Any]:
    """The lines whose numbers grow; what is missing or comes again is told."""
    good = []
    for index, line in enumerate(found, start=number + 1):
        if line is _UNREAD:
            continue
        if line.seq != last + 1:
            damage.append(Damage(index, f"record {line.seq} follows record {last}"))
        if line.seq > last:
            good.append(line)
            last = line.seq
    return good


def _opened(path: Path) -> int:
    """A handle: the file can be read as long as somebody holds it, even if its folder is deleted meanwhile."""
    try:
        return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise CassetteError(
            f"There is no saved conversation in {str(path.parent)!r}: {EVENTS}: {error.strerror}",
            hint='session.save("talk")',
        ) from None


def _decode(
    decoder: msgspec.json.Decoder[Any], block: bytes, number: int, count: int, damage: list[Damage]
) -> list[Any]:
    """The block's lines; :data:`_UNREAD` stands for one that cannot be read."""
    try:
        found = decoder.decode_lines(block)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        found = []
    return found if len(found) == count else _decode_each(decoder, block, number, damage)


def _decode_each(decoder: msgspec.json.Decoder[Any], block: bytes, number: int, damage: list[Damage]) -> list[Any]:
    found: list[Any] = []
    for index, text in enumerate(block.split(b"\n")[:-1], start=number + 1):
        try:
            found.append(decoder.decode(text))
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            damage.append(Damage(index, str(error)))
            found.append(_UNREAD)
    return found
