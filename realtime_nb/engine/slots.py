"""Which of the model's caches a prompt goes to, so that each conversation finds its own again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from itertools import count
from typing import Final

__all__ = ["Place", "Slots"]

SNAPSHOTS: Final = 4
"""Prefixes that are kept aside; one takes some megabytes on disk."""
LONGEST: Final = 8_000
"""Characters of a prefix worth keeping aside."""


@dataclass(slots=True)
class _Slot:
    text: str = ""
    is_busy: bool = False
    used: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a prompt goes."""

    index: int
    """Of the cache, from 0."""
    snapshot: str | None
    """What is to be loaded into it first; None if it knows as much by itself."""


class Slots:
    """A fixed number of caches, and snapshots of the prefixes that conversations begin with.

    llama.cpp itself gives a prompt to the cache most like it. Conversations begin
    alike, so they would take each other's caches and lose their own history. Here
    a prompt goes where the least must be read again: by itself now, and by whom it
    drives out, later -- if that one ever comes back, which is the less likely the
    longer it was quiet.

    Parameters
    ----------
    size : int
        How many caches there are.
    """

    def __init__(self, size: int) -> None:
        self._slots = [_Slot() for _ in range(size)]
        self._snapshots: OrderedDict[str, str] = OrderedDict()  # name -> text, the latest last
        self._clock = count(1)
        self._lock = threading.Lock()

    def take(self, text: str) -> Place:
        """Choose a cache for a prompt.

        Parameters
        ----------
        text : str
            The prompt; it is what the cache will hold.

        Returns
        -------
        Place
            To be given back by :meth:`give_back`.
        """
        with self._lock:
            name, known = self._best_snapshot(text)
            recent = sorted(range(len(self._slots)), key=lambda index: -self._slots[index].used)
            ranked = [(self._cost(self._slots[index], text, known, rank), index) for rank, index in enumerate(recent)]
            index = min(ranked, key=lambda entry: (entry[0], -recent.index(entry[1])))[1]
            slot = self._slots[index]
            better = known > _common(slot.text, text)
            slot.text, slot.is_busy, slot.used = text, True, next(self._clock)
            return Place(index, name if better else None)

    def give_back(self, place: Place) -> None:
        """Say that the prompt was answered.

        Parameters
        ----------
        place : Place
            From :meth:`take`.
        """
        with self._lock:
            self._slots[place.index].is_busy = False

    def keep(self, text: str) -> str | None:
        """Decide whether a prompt that was just read is worth a snapshot.

        Parameters
        ----------
        text : str
            The prompt.

        Returns
        -------
        str or None
            The snapshot's name, which may have been another's before; None if it is too long, or known.
        """
        with self._lock:
            if len(text) > LONGEST or text in self._snapshots.values():
                return None
            full = len(self._snapshots) == SNAPSHOTS
            name = self._snapshots.popitem(last=False)[0] if full else f"prefix-{len(self._snapshots)}"
            self._snapshots[name] = text
            return name

    def _best_snapshot(self, text: str) -> tuple[str | None, int]:
        """The snapshot that knows most of a prompt, and how many characters that is."""
        known = [(_common(kept, text), name) for name, kept in self._snapshots.items()]
        best, name = max(known, default=(0, None))
        if name is not None:
            self._snapshots.move_to_end(name)
        return name, best

    @staticmethod
    def _cost(slot: _Slot, text: str, known: int, rank: int) -> tuple[bool, float]:
        """Whether it must wait, and the characters that must be read again; `rank`: 0 for who came last."""
        same = _common(slot.text, text)
        return slot.is_busy, len(text) - max(same, known) + (len(slot.text) - same) / 2**rank


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike; by halves, since a talk of an hour has a hundred thousand."""
    same, most = 0, min(len(one), len(other))
    while same < most:
        middle = (same + most + 1) // 2
        if one[same:middle] == other[same:middle]:
            same = middle
        else:
            most = middle - 1
    return same
