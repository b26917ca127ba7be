"""What the next response reads: estimated item by item, set right by what each response says it read."""

from __future__ import annotations

from typing import Any

from realtime_nb.models import ModelCard
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.client import ClientConnection
from realtime_nb.protocol.context import Counter, is_read
from realtime_nb.protocol.formats import bytes_to_ms
from realtime_nb.protocol.items import InputAudio, Item, Message, without_audio
from realtime_nb.protocol.session_config import Session
from realtime_nb.protocol.tools import FunctionTool
from realtime_nb.protocol.usage import audio_in_tokens
from realtime_nb.usage.cost import read_usage
from realtime_nb.usage.meter import ContextMeter, ItemTokens, summed
from realtime_nb.usage.tokens import NOTHING, Tokens, text_tokens

__all__ = ["Reading"]


class Reading:
    """Counts the context of a session as its events come.

    An item's words are estimated from above, its sound by the protocol's rule
    (5.2), a picture by the tile rule. A reply is what its response says it wrote;
    and what a response says it read, less its items, is what instructions and
    tools come to.

    Parameters
    ----------
    connection : ClientConnection
        Has folded each event before it comes here.
    card : ModelCard
        Of the model.
    """

    def __init__(self, connection: ClientConnection, card: ModelCard) -> None:
        self._connection = connection
        self._card = card
        self._counter = Counter(text_tokens)
        self._sent: dict[str, Message] = {}
        """What we sent, with its pictures: a server may tell an item without."""
        self._heard_ms: dict[str, float] = {}
        self._written: dict[str, Tokens] = {}
        """Replies, as they were billed."""
        self._under: dict[str, tuple[str, ...]] = {}
        """Response: the items there were when it began."""
        self._fixed: Tokens | None = None
        self.read: Tokens = NOTHING
        """The input of the last response."""
        self.cached: Tokens = NOTHING
        """What of it was cached."""
        self._read_ids: set[str] = set()
        self._gone = False

    # ---------------------------------------------------------------- events
    def sent(self, event: Any) -> None:
        """Take in a client event: it has the sound and the pictures.

        Parameters
        ----------
        event : ClientEvent
            Any; items matter that have an id.
        """
        if not isinstance(event, ev.ConversationItemCreate) or not isinstance(event.item, Message):
            return
        item = event.item
        if item.id:
            size = sum(len(part.audio or b"") for part in item.content if isinstance(part, InputAudio))
            self._heard_ms[item.id] = bytes_to_ms(size, self._session.audio.input.format)
            kept = without_audio(item)
            assert isinstance(kept, Message)  # noqa: S101 - it was one
            self._sent[item.id] = kept

    def committed(self, item_id: str, audio_ms: float | None) -> None:
        """A piece of the user's sound became an item.

        Parameters
        ----------
        item_id : str
            The item.
        audio_ms : float, optional
            Its length; None where it is not known.
        """
        self._heard_ms[item_id] = audio_ms or 0.0

    def heard(self, event: Any) -> None:
        """Take in a server event, folded already.

        Parameters
        ----------
        event : ServerEvent
            Any.
        """
        match event:
            case ev.ResponseCreated():
                self._under[event.response.id] = self._connection.conversation.order
            case ev.ConversationItemDeleted():
                self._gone = self._gone or event.item_id in self._read_ids
            case ev.ConversationItemTruncated():
                self._gone = True
                self._written.pop(event.item_id, None)
            case ev.ResponseDone():
                self._settle(event.response)
            case _:
                return

    def _settle(self, response: ev.Response) -> None:
        before = self._under.pop(response.id, ())
        used = read_usage(response.usage)
        if used is None or not used.input_tokens or response.conversation_id is None:
            return
        given, hits, said = (
            used.input_token_details,
            used.input_token_details.cached_tokens_details,
            used.output_token_details,
        )
        self.read = Tokens(given.text_tokens, given.audio_tokens, given.image_tokens)
        self.cached = Tokens(hits.text_tokens, hits.audio_tokens, hits.image_tokens)
        there = [item.id for item in response.output if item.id in self._connection.conversation]
        if there:
            self._written |= dict.fromkeys(there[1:], NOTHING)
            self._written[there[0]] = Tokens(said.text_tokens, said.audio_tokens)
        items = summed(self._items(before))
        if items.total <= self._limit:  # else the server has cut it, and what it read tells nothing of the rest
            self._fixed = self.read - items
        self._read_ids = {*before, *there}
        self._gone = False

    # ---------------------------------------------------------------- what it comes to
    @property
    def _session(self) -> Session:
        session = self._connection.session
        return session if isinstance(session, Session) else Session()

    @property
    def _limit(self) -> int:
        card = self._card
        return min(card.max_input_tokens or _MOST, card.context_window or _MOST)

    @property
    def fixed(self) -> Tokens:
        """What every response reads: instructions and tools; before the first one an estimate."""
        if self._fixed is not None:
            return self._fixed
        session = self._session
        tools = [tool for tool in session.tools if isinstance(tool, FunctionTool)]
        return Tokens(*self._counter.fixed(session.instructions, tools))

    def of(self, item: Item) -> Tokens:
        """What an item comes to.

        Parameters
        ----------
        item : Item
            Of the conversation.

        Returns
        -------
        Tokens
            By modality.
        """
        if (known := self._written.get(item.id)) is not None:
            return known
        base = Tokens(*self._counter.item(self._connection.conversation, self._sent.get(item.id, item)))
        return base + Tokens(audio=audio_in_tokens(self._heard_ms.get(item.id, 0.0)))

    def _items(self, ids: tuple[str, ...]) -> list[ItemTokens]:
        talk = self._connection.conversation
        items = (talk.get(item_id) for item_id in ids)  # by another thread, one may be deleted meanwhile
        return [ItemTokens(item, self.of(item)) for item in items if item is not None and self._is_read(item)]

    def _is_read(self, item: Item) -> bool:
        return item.id in self._sent or is_read(item)

    def items(self) -> list[ItemTokens]:
        """What the conversation's items come to, in order; without those no model reads."""
        return self._items(self._connection.conversation.order)

    def total(self) -> Tokens:
        """All that the next response would read, were nothing cut."""
        return (self.fixed + summed(self.items())).floored()

    def meter(self) -> ContextMeter:
        """How full the context is."""
        items = self.items()
        unread = summed([each for each in items if each.item.id not in self._read_ids])
        return ContextMeter(
            card=self._card,
            fixed=self.fixed,
            items=tuple(items),
            unread=unread,
            estimated=bool(unread) or self._gone or self._fixed is None,
            limit=None if self._limit == _MOST else self._limit,
            truncation=self._session.truncation,
            cached=self.cached,
        )


_MOST = 2**62
"""Where a card names no limit."""
