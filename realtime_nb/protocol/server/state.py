"""What the parts of a server connection share."""

from __future__ import annotations

from realtime_nb.protocol.base import replace
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.effects import Effect, Send
from realtime_nb.protocol.events import (
    ConversationItemAdded,
    ConversationItemDone,
    KnownServerEvent,
    ResponseError,
)
from realtime_nb.protocol.faults import fault
from realtime_nb.protocol.ids import IdFactory
from realtime_nb.protocol.items import Item
from realtime_nb.protocol.limits import Limits
from realtime_nb.protocol.session_config import AnySession, Session, TurnDetection

__all__ = ["OWNER", "State"]

OWNER = 0
"""The number of the peer who opened the session; those who joined it later have others."""


class State:
    """The session, the conversation, what was heard, and what is to be done.

    Parameters
    ----------
    session : Session or TranscriptionSession
        As it begins.
    ids : IdFactory
        Names everything.
    limits : Limits
        Bounds everything.
    plays : bool
        Whether the server keeps the playback buffer.
    """

    def __init__(self, session: AnySession, ids: IdFactory, limits: Limits, *, plays: bool = False) -> None:
        self.session = session
        self.plays = plays
        self.ids = ids
        self.limits = limits
        self.conversation = Conversation(ids.new("conv"))
        self.now = 0.0
        self.asker: int | None = None
        """The peer whose event is being worked off; None for a report, or for time passing."""
        self.speech: str | None = None
        """The item that what is being said will become; None while nobody speaks."""
        self.spoken = False
        """The assistant's voice was heard, so it is fixed."""
        self.heard_ms = 0.0
        """How much sound has come in, in milliseconds."""
        self.playing_until = 0.0
        """When the sound sent so far has been played, if it is played as it comes; monotonic seconds."""
        self.words: dict[str, str] = {}
        """What was said in an item with sound, once it is written down."""
        self.sounds: dict[str, str] = {}
        """What an item sounds like that has no words and was sent on purpose."""
        self.unheard: set[str] = set()
        """Items with sound that are not written down yet."""
        self.deaf: dict[str, ResponseError] = {}
        """Items with sound that could not be written down, and why."""
        self.asked: set[str] = set()
        """Items that ask for leave to call an MCP tool, and have no answer yet."""
        self._effects: list[Effect] = []

    # ------------------------------------------------------------ doing
    def do(self, effect: Effect) -> None:
        """Ask for an effect."""
        self._effects.append(effect)

    def send(self, event: KnownServerEvent, to: int | None = None) -> None:
        """Send an event, with an id of its own: to all peers, or to one."""
        self._effects.append(Send(replace(event, event_id=self.ids.new("event")), to))

    def answer(self, event: KnownServerEvent) -> None:
        """Send an event that says nothing to others than the peer who asked; to all where nobody did."""
        self.send(event, self.asker)

    def take(self) -> list[Effect]:
        """Give all that was asked for since the last time."""
        effects, self._effects = self._effects, []
        return effects

    # ------------------------------------------------------------ items
    def check_room(self, conversation: Conversation) -> None:
        """Refuse another item when a conversation is full."""
        if len(conversation) >= self.limits.items:
            raise fault("too_many_items", bound=self.limits.items)

    def add(self, item: Item, after: str | None = None) -> None:
        """Put an item into the conversation, and say so."""
        previous = self.conversation.insert(item, after)
        self.send(ConversationItemAdded(item=item, previous_item_id=previous))

    def finish(self, item: Item) -> None:
        """Say that an item of the conversation is as it will be; of one deleted meanwhile there is nothing to say."""
        if item.id not in self.conversation:
            return
        self.conversation.put(item)
        self.send(ConversationItemDone(item=item, previous_item_id=self.conversation.previous(item.id)))

    # ------------------------------------------------------------ settings
    @property
    def turn_detection(self) -> TurnDetection | None:
        """How turns are found; None for push-to-talk."""
        return self.session.audio.input.turn_detection

    @property
    def talks(self) -> Session | None:
        """The session, if it is one that answers."""
        return self.session if isinstance(self.session, Session) else None
