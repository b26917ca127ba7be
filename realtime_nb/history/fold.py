"""Folds the log into items, responses and limits: a table of what each event means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from realtime_nb.history.items import ItemBook, ItemState
from realtime_nb.history.log import Entry
from realtime_nb.history.speech import SpeechClock
from realtime_nb.history.turns import Asked, ResponseState
from realtime_nb.models import ModelCard
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.formats import AudioFormat, Pcm, bytes_to_ms
from realtime_nb.protocol.items import InputAudio, Item, Message
from realtime_nb.protocol.session_config import AnySession, ServerVad, Session
from realtime_nb.usage import cost

__all__ = ["Fold"]

Handler = TypeVar("Handler", bound=Callable[..., None])


Meaning = Callable[["Fold", Any, Entry], None]
_MEANING: dict[type, Meaning] = {}
"""What is done with each event; events that are not here change no row."""


def _means(*kinds: type) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        _MEANING.update(dict.fromkeys(kinds, handler))
        return handler

    return register


class Fold:
    """What the events so far add up to.

    Parameters
    ----------
    card : ModelCard
        Whose prices hold.
    """

    def __init__(self, card: ModelCard) -> None:
        self.card = card
        self.items = ItemBook()
        self.responses: dict[str, ResponseState] = {}
        self.limits: list[tuple[float, ev.RateLimit]] = []
        """What was told is left, and when."""
        self.billed: list[ResponseState] = []
        """Responses that told what they used, in the order in which they did."""
        self._turns: list[ResponseState] = []
        self._connected = False
        self._speech = SpeechClock()
        self._output_format: AudioFormat = Pcm()
        self._waiting: list[ItemState] = []
        """Items that no response has answered."""
        self._asked: list[Asked] = []
        self._sent: dict[str, Entry] = {}
        """Items created here, by id; they come back without their sound."""
        self._unnamed: list[Entry] = []

    def add(self, *entries: Entry) -> None:
        """Take in the next events.

        Parameters
        ----------
        *entries : Entry
            Of the log, each once and in order.
        """
        meaning = _MEANING.get
        for entry in entries:
            event = entry.event
            handle = meaning(type(event))
            if handle is not None:
                handle(self, event, entry)

    # ------------------------------------------------------------ the session
    @_means(ev.SessionCreated, ev.SessionUpdated)
    def _session(self, event: ev.SessionCreated | ev.SessionUpdated, _entry: Entry) -> None:
        """Formats and silence, which later figures depend on."""
        if isinstance(event, ev.SessionCreated) and self._connected:
            self._speech = SpeechClock()  # a new connection counts its sound from zero
        self._connected = True
        given: AnySession = event.session
        heard = given.audio.input
        self._speech.format = heard.format
        self._speech.silence_ms = (
            heard.turn_detection.silence_duration_ms if isinstance(heard.turn_detection, ServerVad) else 0
        )
        if isinstance(given, Session):
            self._output_format = given.audio.output.format

    @_means(ev.RateLimitsUpdated)
    def _rate_limits(self, event: ev.RateLimitsUpdated, entry: Entry) -> None:
        """What is left."""
        self.limits += [(entry.t_s, each) for each in event.rate_limits]

    @_means(ev.Error)
    def _error(self, event: ev.Error, _entry: Entry) -> None:
        """What was refused does not come."""
        refused = event.error.event_id
        if refused is None:
            return
        self._speech.refuse(refused)
        self._asked = [asked for asked in self._asked if asked.event_id != refused]
        self._unnamed = [entry for entry in self._unnamed if entry.event.event_id != refused]

    # ------------------------------------------------------------ sound in
    @_means(ev.InputAudioBufferAppend)
    def _append(self, _event: ev.InputAudioBufferAppend, entry: Entry) -> None:
        """Sound was sent."""
        self._speech.append(entry.audio_bytes, entry.t_s)

    @_means(ev.InputAudioBufferCommit)
    def _commit(self, event: ev.InputAudioBufferCommit, _entry: Entry) -> None:
        """The client ended a piece of sound."""
        self._speech.commit(event.event_id)

    @_means(ev.InputAudioBufferClear)
    def _clear(self, _event: ev.InputAudioBufferClear, _entry: Entry) -> None:
        """The client dropped a piece of sound."""
        self._speech.clear()

    @_means(ev.InputAudioBufferSpeechStarted)
    def _started(self, event: ev.InputAudioBufferSpeechStarted, _entry: Entry) -> None:
        """The server hears speech."""
        self._speech.started(event.item_id, event.audio_start_ms)

    @_means(ev.InputAudioBufferSpeechStopped)
    def _stopped(self, event: ev.InputAudioBufferSpeechStopped, entry: Entry) -> None:
        """The server hears silence."""
        self._speech.stopped(event.item_id, event.audio_end_ms, entry.t_s)

    @_means(ev.InputAudioBufferTimeoutTriggered)
    def _timed_out(self, event: ev.InputAudioBufferTimeoutTriggered, _entry: Entry) -> None:
        """The server heard nothing for long."""
        self._speech.timed_out(event.item_id, event.audio_start_ms, event.audio_end_ms)

    @_means(ev.InputAudioBufferCommitted)
    def _committed(self, event: ev.InputAudioBufferCommitted, entry: Entry) -> None:
        """A piece of sound became the user's item."""
        heard = self._speech.committed(event.item_id)
        item = self.items.get(event.item_id, entry.t_s)
        item.type, item.role = "message", "user"
        item.audio_ms, item.speech_end_s = heard.audio_ms, heard.end_s
        self._enter(item, event.previous_item_id)

    # ------------------------------------------------------------ items
    @_means(ev.ConversationItemCreate)
    def _create(self, event: ev.ConversationItemCreate, entry: Entry) -> None:
        """The client creates an item; it counts when the server has added it."""
        if event.item.id:
            self._sent[event.item.id] = entry
        else:
            self._unnamed.append(entry)

    @_means(ev.ConversationItemAdded, ev.ConversationItemCreated, ev.ConversationItemDone)
    def _added(
        self, event: ev.ConversationItemAdded | ev.ConversationItemCreated | ev.ConversationItemDone, entry: Entry
    ) -> None:
        """An item is in the conversation, or finished."""
        mine = self._mine(event.item) if event.item.id not in self.items else None
        item = self.items.get(event.item.id, entry.t_s if mine is None else mine.t_s)
        first = False
        if mine is not None:
            first = mine.event.previous_item_id == "root"
            item.read(mine.event.item)
            self._said_at_once(item, mine)
        item.read(event.item)
        if isinstance(event, ev.ConversationItemDone):
            item.status = item.status or "completed"
        self._enter(item, event.previous_item_id, first=first)

    def _mine(self, item: Item) -> Entry | None:
        """The client's own event that made `item`, if it was one."""
        if item.id in self._sent:
            return self._sent.pop(item.id)
        for index, entry in enumerate(self._unnamed):
            sent = entry.event.item
            if type(sent) is type(item) and getattr(sent, "role", None) == getattr(item, "role", None):
                return self._unnamed.pop(index)
        return None

    def _said_at_once(self, item: ItemState, sent: Entry) -> None:
        """A whole clip: its speech ended when it was sent."""
        parts = sent.event.item.content if isinstance(sent.event.item, Message) else ()
        size = sent.audio_bytes or sum(len(part.audio or b"") for part in parts if isinstance(part, InputAudio))
        if size:
            item.audio_ms = bytes_to_ms(size, self._speech.format)
            item.speech_end_s = sent.t_s

    def _enter(self, item: ItemState, previous_item_id: str | None, *, first: bool = False) -> None:
        new = item.item_id not in self.items
        self.items.place(item.item_id, previous_item_id, first=first)
        if new and item.turn is None:
            self._waiting.append(item)

    @_means(ev.ConversationItemRetrieved)
    def _retrieved(self, event: ev.ConversationItemRetrieved, entry: Entry) -> None:
        """The item as the server has it: now the words of a cut reply are exact."""
        item = self.items.get(event.item.id, entry.t_s)
        was_truncated, item.truncated = item.truncated, False
        item.read(event.item)
        item.truncated = was_truncated

    @_means(ev.ConversationItemDeleted)
    def _deleted(self, event: ev.ConversationItemDeleted, entry: Entry) -> None:
        """An item left the conversation; its row stays."""
        item = self.items.get(event.item_id, entry.t_s)
        item.deleted = True
        self._waiting = [each for each in self._waiting if each is not item]

    @_means(ev.ConversationItemTruncated)
    def _truncated(self, event: ev.ConversationItemTruncated, entry: Entry) -> None:
        """The unheard part of a reply is forgotten."""
        item = self.items.get(event.item_id, entry.t_s)
        item.truncate(event.content_index, event.audio_end_ms)
        response = None if item.turn is None else self._turns[item.turn - 1]
        if response is not None and item in response.outputs:
            response.cut_ms = response.output_ms

    @_means(ev.ConversationItemInputAudioTranscriptionDelta, ev.ConversationItemInputAudioTranscriptionCompleted)
    def _transcribed(
        self,
        event: ev.ConversationItemInputAudioTranscriptionDelta | ev.ConversationItemInputAudioTranscriptionCompleted,
        entry: Entry,
    ) -> None:
        """Words of what the user said, some or all."""
        words = self.items.get(event.item_id, entry.t_s).transcripts
        if isinstance(event, ev.ConversationItemInputAudioTranscriptionDelta):
            words[event.content_index] = words.get(event.content_index, "") + event.delta
        else:
            words[event.content_index] = event.transcript

    # ------------------------------------------------------------ responses
    @_means(ev.ResponseCreate)
    def _ask(self, event: ev.ResponseCreate, entry: Entry) -> None:
        """The client asks for a response."""
        in_conversation = event.response is None or event.response.conversation != "none"
        self._asked.append(Asked(entry.t_s, event.event_id, in_conversation))

    @_means(ev.ResponseCreated)
    def _created(self, event: ev.ResponseCreated, entry: Entry) -> None:
        """A response begins: it answers all that waited."""
        response = self._response(event.response.id, entry.t_s)
        response.asked = self._asked_for(event.response)
        audio = event.response.audio
        if audio is not None and audio.output is not None and audio.output.format is not None:
            response.format = audio.output.format
        if response.asked is not None and not response.asked.in_conversation:
            return
        response.inputs, self._waiting = self._waiting, []
        for item in response.inputs:
            item.turn = response.turn

    def _asked_for(self, response: ev.Response) -> Asked | None:
        """Whose answer it is; responses made by the detector were not asked for."""
        outside = [asked for asked in self._asked if not asked.in_conversation]
        inside = [asked for asked in self._asked if asked.in_conversation]
        fitting = inside if response.conversation_id is not None else outside or inside
        if not fitting:
            return None
        self._asked.remove(fitting[0])
        return fitting[0]

    def _response(self, response_id: str, t_s: float) -> ResponseState:
        response = self.responses.get(response_id)
        if response is None:
            response = ResponseState(response_id, len(self.responses) + 1, t_s, self._output_format)
            self.responses[response_id] = response
            self._turns.append(response)
        return response

    @_means(ev.ResponseOutputItemAdded, ev.ResponseOutputItemDone)
    def _output_item(self, event: ev.ResponseOutputItemAdded | ev.ResponseOutputItemDone, entry: Entry) -> None:
        """A response begins or ends an item."""
        self._output(event.response_id, event.item, entry.t_s)

    def _output(self, response_id: str, item: Item, t_s: float) -> None:
        response = self._response(response_id, t_s)
        state = self.items.get(item.id, t_s)
        state.read(item)
        if state in response.outputs:
            return
        response.outputs.append(state)
        state.turn = response.turn
        self._waiting = [each for each in self._waiting if each is not state]
        if response.asked is None or response.asked.in_conversation:
            self.items.place(item.id, None)  # servers that do not say where; the others do, by `added`

    @_means(ev.ResponseOutputTextDelta, ev.ResponseOutputTextDone)
    def _text(self, event: ev.ResponseOutputTextDelta | ev.ResponseOutputTextDone, entry: Entry) -> None:
        """Written words."""
        texts = self._worded(event.response_id, event.item_id, entry.t_s).texts
        if isinstance(event, ev.ResponseOutputTextDelta):
            texts[event.content_index] = texts.get(event.content_index, "") + event.delta
        else:
            texts[event.content_index] = event.text

    @_means(ev.ResponseOutputAudioTranscriptDelta, ev.ResponseOutputAudioTranscriptDone)
    def _spoken(
        self, event: ev.ResponseOutputAudioTranscriptDelta | ev.ResponseOutputAudioTranscriptDone, entry: Entry
    ) -> None:
        """Spoken words."""
        item = self._worded(event.response_id, event.item_id, entry.t_s)
        if item.truncated:
            return
        if isinstance(event, ev.ResponseOutputAudioTranscriptDelta):
            item.hear(event.content_index, event.delta)
        else:
            item.transcripts[event.content_index] = event.transcript

    def _worded(self, response_id: str, item_id: str, t_s: float) -> ItemState:
        response = self._response(response_id, t_s)
        if response.first_text_s is None:
            response.first_text_s = t_s
        return self.items.get(item_id, t_s)

    @_means(ev.ResponseOutputAudioDelta)
    def _sound(self, event: ev.ResponseOutputAudioDelta, entry: Entry) -> None:
        """Some sound of the reply."""
        response = self._response(event.response_id, entry.t_s)
        if response.first_audio_s is None:
            response.first_audio_s = entry.t_s
        item = self.items.get(event.item_id, entry.t_s)
        if not item.truncated:
            item.audio_ms = (item.audio_ms or 0.0) + bytes_to_ms(entry.audio_bytes, response.format)

    @_means(ev.OutputAudioBufferStarted)
    def _playing(self, event: ev.OutputAudioBufferStarted, entry: Entry) -> None:
        """Sound that comes by a media track is first heard of here."""
        response = self._response(event.response_id, entry.t_s)
        if response.first_audio_s is None:
            response.first_audio_s = entry.t_s

    @_means(ev.ResponseFunctionCallArgumentsDelta, ev.ResponseFunctionCallArgumentsDone)
    def _arguments(
        self, event: ev.ResponseFunctionCallArgumentsDelta | ev.ResponseFunctionCallArgumentsDone, entry: Entry
    ) -> None:
        """A call's arguments, some or all."""
        item = self.items.get(event.item_id, entry.t_s)
        if isinstance(event, ev.ResponseFunctionCallArgumentsDelta):
            item.arguments = (item.arguments or "") + event.delta
        else:
            item.arguments = event.arguments

    @_means(ev.ResponseDone)
    def _done(self, event: ev.ResponseDone, entry: Entry) -> None:
        """A response is over: what it used is known."""
        response = self._response(event.response.id, entry.t_s)
        for item in event.response.output:
            self._output(event.response.id, item, entry.t_s)
        response.end(event.response, entry.t_s)
        if event.response.usage is None or response.cost is not None:
            return
        response.cost = cost(event.response.usage, self.card)
        self.billed.append(response)

    # ------------------------------------------------------------ what it comes to
    def usage(self, start: int = 0) -> Iterator[dict[str, Any]]:
        """The rows of ``usage``, of the responses in :attr:`billed` from `start` on."""
        for response in self.billed[start:]:
            for line in response.cost.lines if response.cost is not None else ():
                yield {"turn": response.turn, "response_id": response.response_id, **line.row()}
