"""The ``events`` frame column by column: half a million rows must be neither slow nor large."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from realtime_nb.history.log import Entry, type_of
from realtime_nb.history.schema import Packed, Repeated
from realtime_nb.protocol.events import UnknownEvent

__all__ = ["EventColumns"]

Reader = Callable[[Any], str | None]


class EventColumns:
    """What a row of ``events`` says of an event beside its payload, a block of entries at a time."""

    def __init__(self) -> None:
        self._t_s = array("d")
        self._bytes = array("q")
        self._event_ids: list[tuple[Any, bytes]] = []
        self._named = {name: _Column(name) for name in ("direction", "type", "item_id", "response_id")}

    def __len__(self) -> int:
        return len(self._t_s)

    def add(self, entries: Sequence[Entry]) -> None:
        """Take in the next entries.

        Parameters
        ----------
        entries : sequence of Entry
            In order.
        """
        events = [entry.event for entry in entries]
        kinds = list(map(type, events))
        self._t_s.fromlist([entry.t_s for entry in entries])
        self._bytes.fromlist([entry.bytes for entry in entries])
        self._event_ids.append(Packed.chunk([(event.event_id or "").encode() for event in events]))
        self._named["direction"].add([entry.direction for entry in entries])
        for name in ("type", "item_id", "response_id"):
            column = self._named[name]
            readers = map(column.readers.__getitem__, kinds)
            column.add([read(event) for read, event in zip(readers, events, strict=True)])

    def columns(self) -> dict[str, Any]:
        """The columns so far, all of one length."""
        named: dict[str, Repeated | Packed] = {name: column.texts for name, column in self._named.items()}
        return {
            "t_s": np.array(self._t_s),
            "bytes": np.array(self._bytes),
            "event_id": Packed(self._event_ids),
            **named,
        }


class _Column:
    """Texts of which most came before: nine of ten rows are about an item that the row before was about."""

    def __init__(self, name: str) -> None:
        self.readers = _Readers(name)
        self._codes = array("i")
        self._numbers = _Numbers()

    def add(self, texts: list[str | None]) -> None:
        self._codes.fromlist(list(map(self._numbers.__getitem__, texts)))

    @property
    def texts(self) -> Repeated:
        return Repeated(np.array(self._codes), self._numbers.texts)


class _Numbers(dict[str | None, int]):
    """The number of each text, given to it when it first comes."""

    def __init__(self) -> None:
        super().__init__({None: 0, "": 0})
        self.texts: list[str | None] = [None]

    def __missing__(self, text: str) -> int:
        self[text] = len(self.texts)
        self.texts.append(text)
        return self[text]


class _Readers(dict[type, Reader]):
    """How the value of a column is read from an event, by the event's type; learned when such an event first comes."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self._find = _find_type if column == "type" else lambda kind: _find_id(kind, column.removesuffix("_id"))

    def __missing__(self, kind: type) -> Reader:
        self[kind] = self._find(kind)
        return self[kind]


def _find_type(kind: Any) -> Reader:
    if kind is UnknownEvent:
        return type_of
    tag = str(kind.__struct_config__.tag)
    return lambda _event: tag


def _find_id(kind: Any, what: str) -> Reader:
    """The id of the item or response that such an event is about: named by it, or carried in it."""
    if kind is UnknownEvent:
        return lambda event: str(event.payload.get(f"{what}_id") or "")
    if f"{what}_id" in kind.__struct_fields__:
        return attrgetter(f"{what}_id")
    if what in kind.__struct_fields__:
        return lambda event: getattr(getattr(event, what), "id", None)
    return lambda _event: None
