"""The conversation as it was: every item there ever was, in the conversation's order."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

from realtime_nb.protocol.items import (
    InputAudio,
    InputImage,
    InputText,
    Item,
    Message,
    OutputAudio,
    OutputText,
    Part,
)

__all__ = ["ItemBook", "ItemState"]

_CJK = 0x2E80
"""From here on, scripts put no spaces between words."""
_IMAGE = re.compile(r"data:(image/[\w.+-]+);base64,")


@dataclass(slots=True, eq=False)
class ItemState:
    """One item as far as it is known."""

    item_id: str
    created_s: float
    type: str | None = None
    role: str | None = None
    status: str | None = None
    turn: int | None = None
    texts: dict[int, str] = field(default_factory=dict)
    transcripts: dict[int, str] = field(default_factory=dict)
    images: dict[int, str] = field(default_factory=dict)
    audio_ms: float | None = None
    speech_end_s: float | None = None
    """When the user's last word was sent."""
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | None = None
    truncated: bool = False
    deleted: bool = False
    placed: bool = False
    """Whether it is in the conversation."""
    _starts_ms: array[float] | None = None
    _lengths: array[int] | None = None
    """Of each piece of spoken words: how much sound there was before it (words come before their own), its letters."""

    @property
    def words(self) -> str:
        """What it says: written, spoken, or given back by a function."""
        return "\n".join(filter(None, (self.text, self.transcript, self.output)))

    @property
    def text(self) -> str | None:
        """The written parts, one a line."""
        return _joined(self.texts)

    @property
    def transcript(self) -> str | None:
        """The spoken parts, one a line."""
        return _joined(self.transcripts)

    def read(self, item: Item) -> None:
        """Take over what the item says of itself; what it leaves out is kept.

        Parameters
        ----------
        item : Item
            As an event carries it.
        """
        self.type = str(type(item).__struct_config__.tag)
        self.status = item.status or self.status
        if isinstance(item, Message):
            self.role = item.role
            for index, part in enumerate(item.content):
                self._read_part(index, part)
            return
        for name in ("name", "call_id", "arguments", "output"):
            value: Any = getattr(item, name, None)
            setattr(self, name, value or getattr(self, name))

    def _read_part(self, index: int, part: Part) -> None:
        match part:
            case InputText() | OutputText():
                self.texts[index] = part.text
            case InputAudio() | OutputAudio():
                if part.transcript is not None and not self.truncated:
                    self.transcripts[index] = part.transcript
            case InputImage():
                self.images[index] = _picture(part.image_url)

    def hear(self, index: int, words: str) -> None:
        """The assistant spoke some more words.

        Parameters
        ----------
        index : int
            Of the part.
        words : str
            What comes next.
        """
        self.transcripts[index] = self.transcripts.get(index, "") + words
        here_ms = self.audio_ms or 0.0
        starts, lengths = self._starts_ms, self._lengths
        if starts is None or lengths is None:
            self._starts_ms, self._lengths = array("d", (here_ms,)), array("i", (len(words),))
        elif starts[-1] == here_ms:
            lengths[-1] += len(words)
        else:
            starts.append(here_ms)
            lengths.append(len(words))

    def settle(self) -> None:
        """Nothing will be cut any more: forget how its words came."""
        self._starts_ms = self._lengths = None

    def truncate(self, index: int, end_ms: int) -> None:
        """Forget what was not heard; how much of the words that is, is an estimate until the item is retrieved.

        Parameters
        ----------
        index : int
            Of the part.
        end_ms : int
            How much sound was heard.
        """
        pieces = self._pieces(self.transcripts.get(index, ""))
        self.transcripts[index] = _heard(pieces, self.audio_ms or 0.0, end_ms)
        self.audio_ms = float(min(end_ms, self.audio_ms or end_ms))
        self.truncated = True

    def _pieces(self, words: str) -> list[tuple[float, str]]:
        """What was said, in pieces; in one if it is not what came piece by piece."""
        ends = list(accumulate(self._lengths or (), initial=0))
        if self._starts_ms is None or ends[-1] != len(words):
            return [(0.0, words)]
        return [(start, words[begin:end]) for start, (begin, end) in zip(self._starts_ms, pairwise(ends), strict=True)]

    def row(self) -> dict[str, Any]:
        """The item as a row of ``history``."""
        return {
            "item_id": self.item_id,
            "turn": self.turn,
            "role": self.role,
            "type": self.type,
            "status": "deleted" if self.deleted else "truncated" if self.truncated else self.status,
            "text": self.text,
            "transcript": self.transcript,
            "audio_s": None if self.audio_ms is None else self.audio_ms / 1000,
            "image": _joined(self.images),
            "call_id": self.call_id,
            "name": self.name,
            "arguments": self.arguments,
            "output": self.output,
            "created_s": self.created_s,
        }


class ItemBook:
    """All items by id, and the order of those that are in the conversation."""

    def __init__(self) -> None:
        self._known: dict[str, ItemState] = {}
        self._order: list[str] = []

    def get(self, item_id: str, t_s: float) -> ItemState:
        """The item of that id; a new one if it was never heard of.

        Parameters
        ----------
        item_id : str
            The id.
        t_s : float
            Now, in seconds.

        Returns
        -------
        ItemState
            To be changed by whoever learns more.
        """
        item = self._known.get(item_id)
        if item is None:
            item = self._known[item_id] = ItemState(item_id, t_s)
        return item

    def place(self, item_id: str, previous_item_id: str | None, *, first: bool = False) -> None:
        """Put an item into the conversation; one that is there already moves only for a reason.

        Parameters
        ----------
        item_id : str
            The item.
        previous_item_id : str, optional
            The one before it; servers that do not say send None, too.
        first : bool
            It was asked to be at the beginning.
        """
        item = self._known[item_id]
        if previous_item_id == item_id:  # nonsense
            previous_item_id = None
        if item.placed:
            if self._order[-2:] == [previous_item_id, item_id] or previous_item_id not in self:
                return
            self._order.remove(item_id)
        item.placed = True
        self._order.insert(self._index(previous_item_id, first=first), item_id)

    def _index(self, previous_item_id: str | None, *, first: bool) -> int:
        if first:
            return 0
        if previous_item_id is None or previous_item_id not in self or self._order[-1] == previous_item_id:
            return len(self._order)
        index = self._order.index(previous_item_id) + 1
        while index < len(self._order) and self._known[self._order[index]].deleted:
            index += 1  # deleted rows stay where they were
        return index

    def settle(self) -> None:
        """Nothing will come any more."""
        for item in self._known.values():
            item.settle()

    def __contains__(self, item_id: str | None) -> bool:
        item = self._known.get(item_id) if item_id is not None else None
        return item is not None and item.placed

    def __iter__(self) -> Iterator[ItemState]:
        """The items in the conversation's order."""
        return (self._known[item_id] for item_id in self._order)

    def __reversed__(self) -> Iterator[ItemState]:
        """The same from the last one on."""
        return (self._known[item_id] for item_id in reversed(self._order))


def _joined(parts: dict[int, str]) -> str | None:
    """The parts in order, one a line; None when there are none."""
    return "\n".join(parts[index] for index in sorted(parts)) if parts else None


def _picture(url: str) -> str:
    """A picture's type and size."""
    found = _IMAGE.match(url)
    if found is None:
        return url
    size = (len(url) - found.end()) * 3 // 4 - url[-2:].count("=")
    return f"{found[1]}, {size} bytes"


def _heard(pieces: list[tuple[float, str]], total_ms: float, end_ms: float) -> str:
    """The words heard by `end_ms`; of the piece that is cut, its share, whole words only."""
    starts = [start for start, _ in pieces] + [max(total_ms, end_ms)]
    heard = ""
    for (start, words), stop in zip(pieces, starts[1:], strict=True):
        if start >= end_ms:
            break
        heard += words if stop <= end_ms else _share(words, (end_ms - start) / (stop - start))
    return heard.rstrip()


def _share(words: str, part: float) -> str:
    count = int(len(words) * part)
    after = words[count : count + 1] or " "  # a piece without words has no place to cut
    if after.isspace() or ord(after) >= _CJK:
        return words[:count]
    return words[:count].rpartition(" ")[0]
