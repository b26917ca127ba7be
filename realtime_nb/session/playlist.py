"""What was sent to be played, item by item, and what of it was heard: samples counted, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["RATE_HZ", "Cut", "Playlist"]

RATE_HZ = 24_000
"""Of the sound that is played."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Where an item's sound was cut, for ``conversation.item.truncate``."""

    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(slots=True)
class _Track:
    content_index: int
    samples: int = 0


class Playlist:
    """Counts what is sent to the player until it says that all was played, or that it was stopped.

    Examples
    --------
    >>> playlist = Playlist()
    >>> playlist.add("item_1", 0, 48_000)
    >>> playlist.stop("item_1", 24_000)
    [Cut(item_id='item_1', content_index=0, audio_end_ms=1000)]
    >>> playlist.pending
    False
    """

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}
        self._dropped: set[str] = set()
        """Items that the player is to drop, and has not said yet how much of them was heard."""

    @property
    def pending(self) -> bool:
        """Whether something was sent that is not known to be played."""
        return bool(self._tracks)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tracks)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._tracks

    def add(self, item_id: str, content_index: int, samples: int) -> None:
        """Some sound of an item goes to the player.

        Parameters
        ----------
        item_id : str
            The item; a new one is played after those before it.
        content_index : int
            The part of it that sounds.
        samples : int
            How many, at 24 kHz.
        """
        self._tracks.setdefault(item_id, _Track(content_index)).samples += samples

    def reach(self, item_id: str) -> None:
        """The player has come to an item: those before it were heard.

        Parameters
        ----------
        item_id : str
            The item that plays.
        """
        if item_id in self._tracks:
            names = list(self._tracks)
            for name in names[: names.index(item_id)]:
                del self._tracks[name]

    def done(self, item_id: str) -> None:
        """The player has played an item to its end.

        Parameters
        ----------
        item_id : str
            The item.
        """
        self.reach(item_id)
        self._tracks.pop(item_id, None)

    def clear(self) -> None:
        """Nobody is there any more to play."""
        self._tracks.clear()
        self._dropped.clear()

    def drop(self) -> None:
        """The player is asked to stop: what it has, and no item that comes after."""
        self._dropped.update(self._tracks)

    def stop(self, item_id: str | None, heard: int, waiting: Iterable[str] = ()) -> list[Cut]:
        """The player has stopped.

        Parameters
        ----------
        item_id : str or None
            What it was playing; None: it had not begun.
        heard : int
            How many samples of that item have reached the ear.
        waiting : iterable of str
            Items that it had, and had not begun.

        Returns
        -------
        list of Cut
            Items that were not heard to their end, in order, with how much of each was heard. One of which
            nothing was heard is cut at 1 ms: some servers take a cut at 0 for an error.
        """
        if item_id is not None:
            self.reach(item_id)
        cuts = []
        stopped = self._dropped | {item_id, *waiting}
        for name in [name for name in self._tracks if name in stopped]:
            track = self._tracks.pop(name)
            heard_ms = heard * 1000 // RATE_HZ if name == item_id else 0
            if heard_ms < track.samples * 1000 // RATE_HZ:
                cuts.append(Cut(name, track.content_index, max(1, heard_ms)))
        self._dropped.clear()
        return cuts
