"""Which response belongs to which turn: folded from the events, without I/O.

A response does not say which ``response.create`` it answers. One at a time is
asked for in the conversation, so the next one is its answer, unless the server's
voice detection was faster: then an error names our event, and :meth:`TurnBook.disown`
sets it right. Out of band several may be under way, so those carry a mark in
their metadata, which the server echoes (protocol, 4.7).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from realtime_nb.history.speech import SpeechClock
from realtime_nb.latency import Moments
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.client import ClientConnection
from realtime_nb.protocol.formats import AudioFormat
from realtime_nb.protocol.items import InputAudio, Message
from realtime_nb.protocol.session_config import ServerVad, Session
from realtime_nb.session.gate import Permit
from realtime_nb.session.reply import Reply
from realtime_nb.turn import Turn

__all__ = ["MARK", "Ask", "Live", "TurnBook", "format_name"]

MARK = "realtime_nb"
"""Key of our mark in a response's metadata."""


def format_name(format: AudioFormat) -> str:
    """The format's ``type`` on the wire."""
    return str(type(format).__struct_config__.tag)


@dataclass(eq=False)
class Ask:
    """A ``response.create`` that was sent, or is about to be."""

    turn: Turn
    at_s: float
    mark: str | None = None
    """Out of band: what its metadata says."""
    permit: Permit | None = None
    """The leave for it."""
    reply: Reply | None = None
    abandoned: bool = False
    """Nobody waits for it any more: cancel it when it begins."""
    event_id: str | None = None
    """Of the event, once it was sent."""


@dataclass(eq=False)
class Live:
    """Sound that is being streamed for a turn, and what the server's voice detection makes of it."""

    turn: Turn
    speaking: bool = False
    item_id: str | None = None
    """The last piece of speech that became an item."""
    reply: Reply | None = None
    """The response to it."""


@dataclass(eq=False)
class TurnBook:
    """All turns of a session.

    Parameters
    ----------
    connection : ClientConnection
        Has folded each event before it comes here.
    new_turn : callable
        Makes an empty turn.
    began : callable
        Told of each response that begins, with the ask it answers.
    ended : callable
        Told of each response that is done.
    orphaned : callable
        Told of each done response whose turn nobody sees through.
    """

    connection: ClientConnection
    new_turn: Callable[[], Turn]
    began: Callable[[Reply, Ask | None], None]
    ended: Callable[[Reply], None]
    orphaned: Callable[[Turn, Reply], None]
    turns: list[Turn] = field(default_factory=list)
    live: Live | None = None
    speech: SpeechClock = field(default_factory=SpeechClock)
    moments: dict[str, Moments] = field(default_factory=dict)
    """Of each piece of the user's speech, by item."""
    heard_ms: dict[str, float | None] = field(default_factory=dict)
    """How long each piece of the user's speech is, by item; None where it went by a media track."""
    sessions: int = 0
    """How often the server has told the session's configuration: when created, and after each update."""
    updates: list[str] = field(default_factory=list)
    """Ids of the updates that the server has neither acknowledged nor refused; it takes them in turn."""
    _format: str = "audio/pcm"
    _asks: list[Ask] = field(default_factory=list)
    _owners: dict[str, tuple[Turn, Reply]] = field(default_factory=dict)
    _unanswered: list[str] = field(default_factory=list)
    _speech_end_s: float | None = None
    _now_s: float = 0.0

    # ---------------------------------------------------------------- ours
    def open(self) -> Turn:
        """Begin a turn."""
        turn = self.new_turn()
        self.turns.append(turn)
        return turn

    def ask(self, ask: Ask) -> None:
        """Note that a response is about to be asked for."""
        self._asks.append(ask)

    def withdraw(self, ask: Ask) -> None:
        """Forget an ask that was refused."""
        if ask in self._asks:
            self._asks.remove(ask)

    def disown(self, ask: Ask) -> None:
        """Give away the response that was taken for the answer to `ask`: the server had made it by itself."""
        self.withdraw(ask)
        if ask.reply is None:
            return
        reply, ask.reply = ask.reply, None
        ask.turn.replies.remove(reply)
        self._give(self.open(), reply)
        if reply.done:
            self.orphaned(*self._owners[reply.id])

    def sent(self, event: Any, now_s: float) -> None:
        """Fold a client event in."""
        if isinstance(event, ev.InputAudioBufferAppend):
            self.speech.append(len(event.audio), now_s)
        elif isinstance(event, ev.InputAudioBufferCommit):
            self.speech.commit(event.event_id)
        elif isinstance(event, ev.InputAudioBufferClear):
            self.speech.clear()
        elif isinstance(event, ev.ResponseCreate):
            self._asked(event, now_s)
        elif isinstance(event, ev.SessionUpdate):
            self.updates.append(str(event.event_id))

    def _asked(self, event: ev.ResponseCreate, now_s: float) -> None:
        """A wait begins when the question is on the wire."""
        mark = ((event.response.metadata if event.response else None) or {}).get(MARK)
        ask = next((ask for ask in reversed(self._asks) if ask.mark == mark), None)
        if ask is not None:
            ask.at_s, ask.event_id = now_s, event.event_id

    def give_up(self, event_id: str) -> None:
        """An update was never answered: those after it wait for their own answers, and for no earlier one."""
        if event_id in self.updates:
            del self.updates[: self.updates.index(event_id) + 1]

    def owner(self, response_id: str) -> tuple[Turn, Reply]:
        """The turn a response belongs to, and the response as the turn has it."""
        return self._owners[response_id]

    def words(self, item_id: str) -> str | None:
        """What the server wrote down of a piece of the user's speech; None: nothing (yet)."""
        item = self.connection.conversation.get(item_id)
        parts = item.content if isinstance(item, Message) else ()
        heard = [part.transcript for part in parts if isinstance(part, InputAudio) and part.transcript is not None]
        return "\n".join(heard) if heard else None

    # ---------------------------------------------------------------- theirs
    def hear(self, event: Any, now_s: float) -> None:
        """Fold a server event in, which came at `now_s`."""
        self._now_s = now_s
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)
            return
        found = self._owners.get(getattr(event, "response_id", ""))
        if found is not None:
            turn, reply = found
            if (delta := reply.take(event, now_s)) is not None:
                turn.tell(delta)

    def session(self, event: ev.SessionCreated | ev.SessionUpdated) -> None:
        """What the later figures depend on: formats, and the silence timer."""
        self.sessions += 1
        del self.updates[: 1 if isinstance(event, ev.SessionUpdated) else None]
        heard = event.session.audio.input
        self.speech.format = heard.format
        vad = heard.turn_detection
        self.speech.silence_ms = vad.silence_duration_ms if isinstance(vad, ServerVad) else 0
        if isinstance(event.session, Session):
            self._format = format_name(event.session.audio.output.format)

    def error(self, event: ev.Error) -> None:
        """A refused commit leaves its sound in the buffer; a refused ask, or update, has no answer."""
        refused = event.error.event_id
        self.speech.refuse(refused)
        self._asks = [ask for ask in self._asks if refused is None or ask.event_id != refused]
        self.updates = [event_id for event_id in self.updates if event_id != refused]

    def started(self, event: ev.InputAudioBufferSpeechStarted) -> None:
        """Somebody speaks."""
        self.speech.started(event.item_id, event.audio_start_ms)
        if self.live is not None:
            self.live.speaking = True

    def stopped(self, event: ev.InputAudioBufferSpeechStopped) -> None:
        """Nobody speaks any more."""
        self.speech.stopped(event.item_id, event.audio_end_ms, self._now_s)
        self.moments.setdefault(event.item_id, Moments()).stopped_s = self._now_s

    def transcribed(self, event: ev.ConversationItemInputAudioTranscriptionCompleted) -> None:
        """What the user said is written down."""
        self.moments.setdefault(event.item_id, Moments()).transcribed_s = self._now_s

    def committed(self, event: ev.InputAudioBufferCommitted) -> None:
        """A piece of sound became the user's item."""
        heard = self.speech.committed(event.item_id)
        self._speech_end_s, self.heard_ms[event.item_id] = heard.end_s, heard.audio_ms
        if self.live is None:
            self._unanswered.append(event.item_id)
            return
        self._split(self.live)
        self.live.speaking, self.live.item_id, self.live.reply = False, event.item_id, None
        self.live.turn.heard.append(event.item_id)

    def _split(self, live: Live) -> None:
        """A stream with a pause in it is several pieces of speech: what answered the earlier ones is its own turn."""
        turn = live.turn
        if not turn.replies:
            return
        earlier = self.open()
        earlier.heard, turn.heard = turn.heard, []
        replies, turn.replies = turn.replies, []
        for reply in replies:
            self._give(earlier, reply)
            if reply.done:
                self.orphaned(earlier, reply)

    def created(self, event: ev.ResponseCreated) -> None:
        """A response begins."""
        ask = self._answered_by(event.response)
        audio = event.response.audio
        output = audio.output if audio is not None else None
        named = output.format if output is not None else None
        format = format_name(named) if named is not None else self._format  # noqa: A001 - the API's own word
        reply = Reply(self.connection.responses[event.response.id], format, self._since_s(ask))
        self._speech_end_s = None
        if ask is not None:
            ask.reply, turn = reply, ask.turn
            self._asks.remove(ask)
        elif self.live is not None:
            self._split(self.live)
            self.live.reply, turn = reply, self.live.turn
        else:
            turn = self.open()
        if ask is None or ask.mark is None:
            turn.heard += self._unanswered
            self._unanswered = []
        self._give(turn, reply)
        self.began(reply, ask)

    def _since_s(self, ask: Ask | None) -> float:
        """From when the listener waits: the end of the speech, if that is what is answered."""
        asked_s = self._now_s if ask is None else ask.at_s
        spoken = ask is None or (ask.mark is None and bool(self._unanswered or ask.turn.heard))
        return self._speech_end_s if spoken and self._speech_end_s is not None else asked_s

    def _answered_by(self, response: ev.Response) -> Ask | None:
        mark = (response.metadata or {}).get(MARK)
        return next((ask for ask in self._asks if ask.mark == mark), None)

    def _give(self, turn: Turn, reply: Reply) -> None:
        turn.replies.append(reply)
        self._owners[reply.id] = (turn, reply)

    def done(self, event: ev.ResponseDone) -> None:
        """A response is over."""
        found = self._owners.get(event.response.id)
        if found is None:  # a server that does not say `created`
            self.created(ev.ResponseCreated(response=event.response))
            found = self._owners[event.response.id]
        turn, reply = found
        reply.done_s = self._now_s
        self.ended(reply)
        if turn.task is None:
            self.orphaned(turn, reply)


Handler = Callable[[TurnBook, Any], None]

_HANDLERS: dict[type, Handler] = {
    ev.SessionCreated: TurnBook.session,
    ev.SessionUpdated: TurnBook.session,
    ev.Error: TurnBook.error,
    ev.InputAudioBufferSpeechStarted: TurnBook.started,
    ev.InputAudioBufferSpeechStopped: TurnBook.stopped,
    ev.InputAudioBufferCommitted: TurnBook.committed,
    ev.ConversationItemInputAudioTranscriptionCompleted: TurnBook.transcribed,
    ev.ResponseCreated: TurnBook.created,
    ev.ResponseDone: TurnBook.done,
}
