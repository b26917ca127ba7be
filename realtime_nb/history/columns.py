"""The ``events`` frame column by column: half a million rows must be neither slow nor large."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Literal

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
        self._bytes = array("I")
        self._event_ids: list[tuple[Any, bytes]] = []
        self._directions, self._types = _Column("b"), _Column("i")
        self._types_of = _Types(self._types.numbers)
        self._named = {name: (_Readers(name), _Column("i")) for name in ("item_id", "response_id")}

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
        self._event_ids.append(Packed.text([event.event_id or "" for event in events]))
        self._directions.add([entry.direction for entry in entries])
        if UnknownEvent in kinds:
            self._types.add(list(map(type_of, events)))
        else:
            self._types.codes.fromlist(list(map(self._types_of.__getitem__, kinds)))
        for readers, column in self._named.values():
            column.add([read(event) for read, event in zip(map(readers.__getitem__, kinds), events, strict=True)])

    def columns(self) -> dict[str, Any]:
        """The columns so far, all of one length; while they are held, none can be added."""
        return {
            "t_s": np.asarray(self._t_s),
            "bytes": np.asarray(self._bytes),
            "event_id": Packed(self._event_ids),
            "direction": self._directions.texts,
            "type": self._types.texts,
            **{name: column.texts for name, (_, column) in self._named.items()},
        }


class _Column:
    """Texts of which most came before: nine of ten rows are about an item that the row before was about."""

    def __init__(self, size: Literal["b", "i"]) -> None:
        self.codes = array(size)
        self.numbers = _Numbers()

    def add(self, texts: Sequence[str | None]) -> None:
        self.codes.fromlist(list(map(self.numbers.__getitem__, texts)))

    @property
    def texts(self) -> Repeated:
        return Repeated(np.asarray(self.codes), self.numbers.texts)


class _Numbers(dict[str | None, int]):
    """The number of each text, given to it when it first comes."""

    def __init__(self) -> None:
        super().__init__({None: 0, "": 0})
        self.texts: list[str | None] = [None]

    def __missing__(self, text: str) -> int:
        self[text] = len(self.texts)
        self.texts.append(text)
        return self[text]


class _Types(dict[type, int]):
    """The number of each type of the catalogue; given to it when such an event first comes."""

    def __init__(self, numbers: _Numbers) -> None:
        super().__init__()
        self._numbers = numbers

    def __missing__(self, kind: Any) -> int:
        self[kind] = self._numbers[str(kind.__struct_config__.tag)]
        return self[kind]


class _Readers(dict[type, Reader]):
    """How an id is read from an event, by the event's type; learned when such an event first comes."""

    def __init__(self, column: str) -> None:
        super().__init__()
        self._what = column.removesuffix("_id")

    def __missing__(self, kind: type) -> Reader:
        self[kind] = _find_id(kind, self._what)
        return self[kind]


def _find_id(kind: Any, what: str) -> Reader:
    """The id of the item or response that such an event is about: named by it, or carried in it."""
    if kind is UnknownEvent:
        return lambda event: str(event.payload.get(f"{what}_id") or "")
    if f"{what}_id" in kind.__struct_fields__:
        return attrgetter(f"{what}_id")
    if what in kind.__struct_fields__:
        return lambda event: getattr(getattr(event, what), "id", None)
    return lambda _event: None
