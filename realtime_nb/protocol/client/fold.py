"""Folding a server's events into what a client knows. Nothing here raises for what a server sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.conversation import ROOT, Conversation
from realtime_nb.protocol.formats import AudioFormat, Pcm
from realtime_nb.protocol.items import InputAudio, Item, Message, OutputAudio, with_transcript, without_audio
from realtime_nb.protocol.session_config import AnySession, Session

from .replies import PartState, ResponseState

__all__ = ["Fold"]


class Fold:
    """What a client knows of its session.

    Both item orders of protocol 4.1, the beta's ``conversation.item.created``, events that come late, twice or
    not at all: all lead to a state that is true as far as it goes.
    """

    def __init__(self) -> None:
        self.session: AnySession | None = None
        """As the server last told it; None before ``session.created``."""
        self.conversation = Conversation()
        """The items in order, with the sound that came."""
        self.responses: dict[str, ResponseState] = {}
        """Every response by its id."""
        self.rate_limits: tuple[ev.RateLimit, ...] = ()
        """As the last ``rate_limits.updated`` told them."""
        self.last_error: ev.ErrorDetail | None = None
        """The last ``error`` event's."""
        self.speech: str | None = None
        """The item that the user's speech will become; None while nobody speaks."""
        self.rooted: set[str] = set()
        """Items the client put at the beginning."""
        self._active: str | None = None
        self._on: dict[type, Callable[[Any], None]] = {
            ev.SessionCreated: self._session,
            ev.SessionUpdated: self._session,
            ev.Error: self._error,
            ev.RateLimitsUpdated: self._rate_limits,
            ev.InputAudioBufferSpeechStarted: self._speech_started,
            ev.InputAudioBufferSpeechStopped: self._speech_over,
            ev.InputAudioBufferCommitted: self._speech_over,
            ev.InputAudioBufferCleared: self._speech_over,
            ev.ConversationItemCreated: self._item,
            ev.ConversationItemAdded: self._item,
            ev.ConversationItemDone: self._item,
            ev.ConversationItemRetrieved: self._retrieved,
            ev.ConversationItemDeleted: self._deleted,
            ev.ConversationItemTruncated: self._truncated,
            ev.ConversationItemInputAudioTranscriptionCompleted: self._heard,
            ev.ResponseCreated: self._created,
            ev.ResponseDone: self._done,
            ev.ResponseOutputItemAdded: self._output,
            ev.ResponseOutputItemDone: self._output,
            ev.ResponseOutputTextDelta: self._words,
            ev.ResponseOutputTextDone: self._all_words,
            ev.ResponseOutputAudioTranscriptDelta: self._words,
            ev.ResponseOutputAudioTranscriptDone: self._all_words,
            ev.ResponseOutputAudioDelta: self._sound,
            ev.ResponseFunctionCallArgumentsDelta: self._arguments,
            ev.ResponseMcpCallArgumentsDelta: self._arguments,
        }

    @property
    def active(self) -> ResponseState | None:
        """The conversation's response under way, if there is one; those out of band do not count."""
        return self.responses.get(self._active) if self._active else None

    def fold(self, event: ev.ServerEvent) -> None:
        """Take one event into account; unknown ones change nothing."""
        if handler := self._on.get(type(event)):
            handler(event)

    # ------------------------------------------------------------ session
    def _session(self, event: ev.SessionCreated | ev.SessionUpdated) -> None:
        self.session = event.session

    def _error(self, event: ev.Error) -> None:
        self.last_error = event.error

    def _rate_limits(self, event: ev.RateLimitsUpdated) -> None:
        self.rate_limits = event.rate_limits

    def _speech_started(self, event: ev.InputAudioBufferSpeechStarted) -> None:
        self.speech = event.item_id

    def _speech_over(self, _event: object) -> None:
        self.speech = None

    # ------------------------------------------------------------ conversation
    def _item(self, event: ev.ConversationItemCreated | ev.ConversationItemAdded | ev.ConversationItemDone) -> None:
        talk, item = self.conversation, without_audio(event.item)
        if item.id in talk:
            talk.put(_keep_transcript(talk[item.id], item))
        elif event.previous_item_id is None and item.id in self.rooted:
            talk.insert(item, ROOT)
        else:
            talk.insert(item, event.previous_item_id)

    def _retrieved(self, event: ev.ConversationItemRetrieved) -> None:
        talk, item = self.conversation, event.item
        if item.id not in talk:
            return
        if isinstance(item, Message):
            self._keep_sound(item)
        talk.put(without_audio(item))

    def _keep_sound(self, item: Message) -> None:
        for index, part in enumerate(item.content):
            known = self.conversation.sound(item.id, index) is not None
            if isinstance(part, InputAudio | OutputAudio) and part.audio and not known:
                ledger = self.conversation.listen(item.id, index, self._format(item))
                ledger.add(part.transcript or "", part.audio)

    def _format(self, item: Message) -> AudioFormat:
        audio = self.session.audio if isinstance(self.session, Session) else None
        if audio is None:
            return self.session.audio.input.format if self.session else Pcm()
        return audio.output.format if item.role == "assistant" else audio.input.format

    def _deleted(self, event: ev.ConversationItemDeleted) -> None:
        if event.item_id in self.conversation:
            self.conversation.delete(event.item_id)

    def _truncated(self, event: ev.ConversationItemTruncated) -> None:
        if event.item_id in self.conversation:
            self.conversation.truncate(event.item_id, event.content_index, event.audio_end_ms)

    def _heard(self, event: ev.ConversationItemInputAudioTranscriptionCompleted) -> None:
        if item := self.conversation.get(event.item_id):
            self.conversation.put(with_transcript(item, event.content_index, event.transcript))

    # ------------------------------------------------------------ responses
    def _created(self, event: ev.ResponseCreated) -> None:
        state = ResponseState(event.response)
        self.responses[state.id] = state
        if state.in_conversation:
            self._active = state.id

    def _done(self, event: ev.ResponseDone) -> None:
        state = self.responses.setdefault(event.response.id, ResponseState(event.response))
        state.response = event.response
        state.done = True
        for index, item in enumerate(event.response.output):
            state.items[index] = item
        if self._active == state.id:
            self._active = None

    def _output(self, event: ev.ResponseOutputItemAdded | ev.ResponseOutputItemDone) -> None:
        if state := self.responses.get(event.response_id):
            state.items[event.output_index] = without_audio(event.item)

    def _part(self, event: _PartEvent, *, spoken: bool) -> PartState | None:
        state = self.responses.get(event.response_id)
        if state is None:
            return None
        return state.part((event.output_index, event.content_index), event.item_id, spoken=spoken)

    def _words(self, event: ev.ResponseOutputTextDelta | ev.ResponseOutputAudioTranscriptDelta) -> None:
        spoken = isinstance(event, ev.ResponseOutputAudioTranscriptDelta)
        if part := self._part(event, spoken=spoken):
            part.pieces.append(event.delta)
            if spoken:
                self._remember(event, words=event.delta)

    def _all_words(self, event: ev.ResponseOutputTextDone | ev.ResponseOutputAudioTranscriptDone) -> None:
        spoken = isinstance(event, ev.ResponseOutputAudioTranscriptDone)
        if part := self._part(event, spoken=spoken):
            part.whole = event.transcript if isinstance(event, ev.ResponseOutputAudioTranscriptDone) else event.text

    def _sound(self, event: ev.ResponseOutputAudioDelta) -> None:
        if part := self._part(event, spoken=True):
            part.audio.append(event.delta)
            self._remember(event, audio=event.delta)

    def _remember(self, event: _PartEvent, *, words: str = "", audio: bytes = b"") -> None:
        """Keep which sound goes with which words, for a truncation to come."""
        if event.item_id not in self.conversation:
            return
        response = self.responses[event.response_id].response
        own = response.audio.output.format if response.audio and response.audio.output else None
        fmt = own or (self.session.audio.output.format if isinstance(self.session, Session) else Pcm())
        self.conversation.listen(event.item_id, event.content_index, fmt).add(words, audio)

    def _arguments(self, event: ev.ResponseFunctionCallArgumentsDelta | ev.ResponseMcpCallArgumentsDelta) -> None:
        if state := self.responses.get(event.response_id):
            state.arguments.setdefault(event.output_index, []).append(event.delta)


_PartEvent = (
    ev.ResponseOutputTextDelta
    | ev.ResponseOutputTextDone
    | ev.ResponseOutputAudioDelta
    | ev.ResponseOutputAudioTranscriptDelta
    | ev.ResponseOutputAudioTranscriptDone
)


def _keep_transcript(old: Item, new: Item) -> Item:
    """An item told again may not know yet what was already written down."""
    if not isinstance(old, Message) or not isinstance(new, Message):
        return new
    for index, (was, part) in enumerate(zip(old.content, new.content, strict=False)):
        if isinstance(was, InputAudio) and isinstance(part, InputAudio) and part.transcript is None and was.transcript:
            new = with_transcript(new, index, was.transcript)
    return new
