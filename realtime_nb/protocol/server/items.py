"""``conversation.item.*``: create, retrieve, delete, truncate."""

from __future__ import annotations

from realtime_nb.protocol.conversation import ROOT
from realtime_nb.protocol.events import (
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemDeleted,
    ConversationItemRetrieve,
    ConversationItemRetrieved,
    ConversationItemTruncate,
    ConversationItemTruncated,
)
from realtime_nb.protocol.faults import fault
from realtime_nb.protocol.formats import base64_bytes
from realtime_nb.protocol.items import InputAudio, Item, McpApprovalResponse, Message, OutputAudio
from realtime_nb.protocol.sound import Ledger

from .intake import Intake
from .mcp_calls import McpCalls
from .responses import Responses
from .state import State
from .transcripts import Transcripts

__all__ = ["Items"]


class Items:
    """The conversation's items, as the client handles them.

    Parameters
    ----------
    state : State
        Shared.
    intake : Intake
        Lets items in.
    responses : Responses
        Stops when its item is cut or deleted.
    transcripts : Transcripts
        Forgets what is deleted.
    calls : McpCalls
        Wait for a person's leave.
    """

    def __init__(
        self, state: State, intake: Intake, responses: Responses, transcripts: Transcripts, calls: McpCalls
    ) -> None:
        self._state = state
        self._intake = intake
        self._responses = responses
        self._transcripts = transcripts
        self._calls = calls

    def create(self, event: ConversationItemCreate) -> None:
        """Put the client's item in."""
        talk, after = self._state.conversation, event.previous_item_id
        if after is not None and after != ROOT and after not in talk:
            raise fault("previous_item", id=after)
        item = self._intake.admit(event.item, "item", talk)
        shown = self._intake.keep(item, talk)
        self._state.add(shown, after)
        self._state.finish(shown)
        if isinstance(shown, McpApprovalResponse):
            self._calls.decide(shown)

    def retrieve(self, event: ConversationItemRetrieve) -> None:
        """Give an item whole, with its audio bytes, unless they are more than a client can read."""
        talk = self._state.conversation
        if event.item_id not in talk:
            raise fault("retrieve", id=event.item_id)
        item = talk.whole(event.item_id)
        fits = _sound_bytes(item) <= self._state.limits.item_bytes
        self._state.answer(ConversationItemRetrieved(item=item if fits else talk[event.item_id]))

    def delete(self, event: ConversationItemDelete) -> None:
        """Take an item out; a response that is writing it stops."""
        if event.item_id not in self._state.conversation:
            raise fault("delete", id=event.item_id)
        self._responses.stop_item(event.item_id)
        self._state.conversation.delete(event.item_id)
        self._transcripts.forget(event.item_id)
        self._state.send(ConversationItemDeleted(item_id=event.item_id))

    def truncate(self, event: ConversationItemTruncate) -> None:
        """Forget what was not heard of a reply; a response that is writing it stops.

        Stock clients send only this, and no ``response.cancel``, when their user interrupts.
        """
        talk = self._state.conversation
        if event.item_id not in talk:
            raise fault("truncate", param="item_id", id=event.item_id)
        ledger = self._ledger(event)
        if event.audio_end_ms > ledger.ms:
            raise fault("truncate_far", have=int(ledger.ms), want=event.audio_end_ms)
        self._responses.stop_item(event.item_id)
        talk.truncate(event.item_id, event.content_index, event.audio_end_ms)
        if not self._state.plays:
            self._state.playing_until = min(self._state.playing_until, self._state.now)  # the client is silent
        self._state.send(
            ConversationItemTruncated(
                item_id=event.item_id, content_index=event.content_index, audio_end_ms=event.audio_end_ms
            )
        )

    def _ledger(self, event: ConversationItemTruncate) -> Ledger:
        talk = self._state.conversation
        item, ledger = talk[event.item_id], talk.sound(event.item_id, event.content_index)
        spoken = isinstance(item, Message) and item.role == "assistant"
        if not spoken or ledger is None:
            raise fault("truncate_kind")
        return ledger


def _sound_bytes(item: Item) -> int:
    """How much of an event an item's sound takes."""
    parts = item.content if isinstance(item, Message) else ()
    return sum(base64_bytes(len(part.audio or b"")) for part in parts if isinstance(part, InputAudio | OutputAudio))
