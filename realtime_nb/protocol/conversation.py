"""The conversation: items in order, with the sound they have (both roles keep one)."""

from __future__ import annotations

from collections.abc import Iterator

from .base import replace
from .formats import AudioFormat
from .items import FunctionCall, InputAudio, Item, Message, OutputAudio, with_transcript
from .sound import Ledger

__all__ = ["ROOT", "Conversation"]

ROOT = "root"
"""The ``previous_item_id`` that means *before all others*."""


class Conversation:
    """Items in order. They carry no audio bytes themselves: a :class:`~.sound.Ledger` keeps those of each spoken part.

    The server writes it and the client folds events into it, by the same methods, so both are equal.

    Parameters
    ----------
    id : str
        Its name, such as ``conv_...``.

    Examples
    --------
    >>> from realtime_nb.protocol.items import InputText, Message
    >>> talk = Conversation()
    >>> for name in "ab":
    ...     _ = talk.insert(Message(id=name, role="user", content=(InputText(text=name),)))
    >>> talk.insert(Message(id="c", role="user", content=()), after="a")
    'a'
    >>> [item.id for item in talk], talk.previous("a"), talk.previous("b")
    (['a', 'c', 'b'], None, 'c')
    """

    def __init__(self, id: str = "") -> None:
        self.id = id
        self._order: list[str] = []
        self._items: dict[str, Item] = {}
        self._sounds: dict[str, dict[int, Ledger]] = {}  # by item, then by part
        self._calls: dict[str, str] = {}

    # ------------------------------------------------------------ looking
    def __iter__(self) -> Iterator[Item]:
        return iter([self._items[name] for name in self._order])

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._items

    def __getitem__(self, item_id: str) -> Item:
        return self._items[item_id]

    def get(self, item_id: str) -> Item | None:
        """Give the item of that name, if there is one."""
        return self._items.get(item_id)

    @property
    def order(self) -> tuple[str, ...]:
        """The items' ids, in order."""
        return tuple(self._order)

    @property
    def last(self) -> str | None:
        """The id of the newest item."""
        return self._order[-1] if self._order else None

    def previous(self, item_id: str) -> str | None:
        """Give the id of the item before this one; None for the first."""
        at = self._order.index(item_id)
        return self._order[at - 1] if at else None

    def has_call(self, call_id: str) -> bool:
        """Tell whether a function call of that id is in the conversation."""
        return call_id in self._calls

    # ------------------------------------------------------------ changing
    def insert(self, item: Item, after: str | None = None) -> str | None:
        """Put an item in.

        Parameters
        ----------
        item : Item
            With an id that is not there yet.
        after : str or None
            Goes behind this one; :data:`ROOT` is the beginning, None (and an unknown id) the end.

        Returns
        -------
        str or None
            The id of the item now before it.
        """
        at = len(self._order)
        if after == ROOT:
            at = 0
        elif after is not None and after in self._items:
            at = self._order.index(after) + 1
        self._order.insert(at, item.id)
        self.put(item)
        return self._order[at - 1] if at else None

    def put(self, item: Item) -> None:
        """Put a newer state of an item that is there in its place."""
        self._items[item.id] = item
        if isinstance(item, FunctionCall) and item.call_id:
            self._calls[item.call_id] = item.id

    def delete(self, item_id: str) -> None:
        """Take an item out, with its sound."""
        item = self._items.pop(item_id)
        self._order.remove(item_id)
        if isinstance(item, FunctionCall):
            self._calls.pop(item.call_id, None)
        self._sounds.pop(item_id, None)

    def truncate(self, item_id: str, content_index: int, end_ms: int) -> None:
        """Forget what was not heard of a spoken reply: its sound, and the words of that sound."""
        if ledger := self.sound(item_id, content_index):
            ledger.cut(end_ms)
            self.put(with_transcript(self._items[item_id], content_index, ledger.transcript))

    # ------------------------------------------------------------ sound
    def listen(self, item_id: str, content_index: int, fmt: AudioFormat) -> Ledger:
        """Begin to keep the sound of a part.

        Parameters
        ----------
        item_id : str
            The item.
        content_index : int
            Which part of it, from 0.
        fmt : AudioFormat
            The format of the bytes to come.

        Returns
        -------
        Ledger
            Where to put them.
        """
        return self._sounds.setdefault(item_id, {}).setdefault(content_index, Ledger(fmt))

    def sound(self, item_id: str, content_index: int) -> Ledger | None:
        """Give the sound of a part, if any is kept."""
        return self._sounds.get(item_id, {}).get(content_index)

    def whole(self, item_id: str) -> Item:
        """Give an item with its audio bytes, as ``conversation.item.retrieved`` carries it.

        Parameters
        ----------
        item_id : str
            An item that is there.

        Returns
        -------
        Item
            A copy; each spoken part has its bytes.
        """
        item = self._items[item_id]
        if not isinstance(item, Message):
            return item
        content = list(item.content)
        for index, part in enumerate(content):
            ledger = self.sound(item_id, index)
            if ledger is not None and isinstance(part, InputAudio | OutputAudio):
                content[index] = replace(part, audio=ledger.audio)
        return replace(item, content=tuple(content))

    def adopt(self, other: Conversation, item_id: str) -> None:
        """Put in an item of another conversation, sharing its sound."""
        self.insert(other[item_id])
        if item_id in other._sounds:
            self._sounds[item_id] = dict(other._sounds[item_id])
