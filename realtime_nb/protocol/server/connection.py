"""The server's end of a connection: frames, reports and time go in, effects come out."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol.base import replace
from realtime_nb.protocol.context import Counter
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.effects import Close, Effect, Report
from realtime_nb.protocol.events import (
    CLIENT_EVENTS,
    ClientEvent,
    ConversationItemCreate,
    ConversationItemDelete,
    ConversationItemRetrieve,
    ConversationItemTruncate,
    Error,
    ErrorDetail,
    InputAudioBufferAppend,
    InputAudioBufferClear,
    InputAudioBufferCommit,
    OutputAudioBufferClear,
    ResponseCancel,
    ResponseCreate,
    SessionUpdate,
    decode_client,
)
from realtime_nb.protocol.faults import EventError, fault
from realtime_nb.protocol.ids import IdFactory
from realtime_nb.protocol.limits import Limits, RateLimiter
from realtime_nb.protocol.session_config import AnySession, TranscriptionSession

from .ears import Ears
from .intake import Intake
from .items import Items
from .listings import Listings
from .mcp_calls import McpCalls
from .playback import Playback
from .quiet import Quiet
from .responses import Responses
from .settings import Settings
from .state import OWNER, State
from .transcripts import Transcripts

__all__ = ["ServerConnection"]

_NOT_FOR_TRANSCRIPTION = (ResponseCreate, ResponseCancel, ConversationItemTruncate)


class ServerConnection:
    """One session, as a server sees it.

    Whoever runs it calls one method at a time and carries out the effects in order. `now` is monotonic
    seconds, the same clock throughout.

    Parameters
    ----------
    session : Session or TranscriptionSession
        As it begins; an empty ``id`` is filled in. ``expires_at`` is the runner's, who knows what time it is.
    ids : IdFactory
        Names everything.
    limits : Limits, optional
        Bounds everything.
    count : Callable[[str], int]
        Tokens in a text, by the brain's own tokenizer.
    rate : RateLimiter, optional
        Tokens and requests a minute; without it nothing is limited and ``rate_limits.updated`` is empty.
    brain : str
        Which models answer; shown as ``session.brain``.
    plays : bool
        Whether the server keeps the playback buffer, as with WebRTC and SIP: then there is ``Play`` in place of
        ``response.output_audio.delta``, and what was not played is truncated without the client's asking.

    Examples
    --------
    >>> from realtime_nb.protocol.ids import CountingIds
    >>> from realtime_nb.protocol.session_config import Session
    >>> server = ServerConnection(Session(), ids=CountingIds(), count=len)
    >>> [type(effect).__name__ for effect in server.open(now=0.0)]
    ['Send', 'Detect', 'Warm']
    >>> server.receive("hello?", now=1.0)[0].event.error.code
    'invalid_json'
    """

    def __init__(
        self,
        session: AnySession,
        *,
        ids: IdFactory,
        limits: Limits | None = None,
        count: Callable[[str], int],
        rate: RateLimiter | None = None,
        brain: str = "",
        plays: bool = False,
    ) -> None:
        named = replace(session, id=session.id or ids.new("sess"), brain=brain or session.brain)
        self._state = state = State(named, ids, limits or Limits(), plays=plays)
        quiet = Quiet(state)
        transcripts = Transcripts(state)
        intake = Intake(state, transcripts)
        listings, calls = Listings(state), McpCalls(state)
        self._responses = responses = Responses(
            state, intake, listings=listings, calls=calls, quiet=quiet, counter=Counter(count), rate=rate
        )
        playback = Playback(state)
        self._ears = ears = Ears(state, transcripts, responses, playback, quiet)
        self._settings = settings = Settings(state, ears, listings)
        items = Items(state, intake, responses, transcripts, calls)
        self._quiet = quiet
        self._opened_at = self._heard_at = 0.0
        self._closed = False
        self._refused: defaultdict[int | None, deque[float]] = defaultdict(deque)  # by who was refused
        self._on_event: dict[type, Callable[[Any], None]] = {
            SessionUpdate: settings.update,
            InputAudioBufferAppend: ears.append,
            InputAudioBufferCommit: ears.commit,
            InputAudioBufferClear: ears.clear,
            ConversationItemCreate: items.create,
            ConversationItemRetrieve: items.retrieve,
            ConversationItemDelete: items.delete,
            ConversationItemTruncate: items.truncate,
            ResponseCreate: responses.create,
            ResponseCancel: responses.cancel,
            **({OutputAudioBufferClear: playback.clear} if plays else {}),
        }
        self._on_report: dict[type, Callable[[Any], None]] = {
            fx.SpeechStarted: ears.started,
            fx.SpeechStopped: ears.stopped,
            fx.KeyPressed: ears.key,
            fx.PlaybackStarted: playback.started,
            fx.PlaybackStopped: playback.stopped,
            fx.PlaybackCleared: playback.cleared,
            fx.TranscribedDelta: transcripts.delta,
            fx.Transcribed: transcripts.heard,
            fx.TranscriptionFailed: transcripts.failed,
            fx.PromptRead: responses.read,
            fx.TextDelta: responses.text,
            fx.SpeechDelta: responses.speech,
            fx.CallDelta: responses.call,
            fx.Generated: responses.generated,
            fx.GenerationFailed: responses.failed,
            fx.McpToolsListed: settings.listed,
            fx.McpListFailed: listings.failed,
            fx.McpCalled: calls.called,
            fx.McpCallFailed: calls.failed,
        }

    # ------------------------------------------------------------ looking
    @property
    def session(self) -> AnySession:
        """The session as it is now."""
        return self._state.session

    @property
    def conversation(self) -> Conversation:
        """The conversation as it is now; look, do not touch."""
        return self._state.conversation

    @property
    def responding(self) -> bool:
        """Whether a response is under way in the conversation: thinking, speaking, or waiting for a tool."""
        return self._responses.is_active

    @property
    def playing_until(self) -> float:
        """When the answers sent so far have been heard, if they are played as they come: monotonic seconds."""
        return self._state.playing_until

    @property
    def closed(self) -> bool:
        """Whether it is over; then nothing that is put in has an effect."""
        return self._closed

    # ------------------------------------------------------------ putting in
    def open(self, now: float) -> list[Effect]:
        """Begin: the session is announced, the detector set, the prefix warmed.

        Parameters
        ----------
        now : float
            Monotonic seconds.

        Returns
        -------
        list of Effect
            To be carried out in order.
        """
        state = self._state
        state.now = self._opened_at = self._heard_at = now
        self._settings.open()
        return state.take()

    def join(self, peer: int, now: float) -> list[Effect]:
        """Let another peer in: it is shown the session, and from then on gets every event that all get.

        Parameters
        ----------
        peer : int
            Its number, never used before; :data:`~.state.OWNER` is taken.
        now : float
            Monotonic seconds.

        Returns
        -------
        list of Effect
            To be carried out in order.
        """
        return self._run(self._settings.show, peer, now)

    def receive(self, frame: str | bytes, now: float, peer: int = OWNER) -> list[Effect]:
        """Take a frame of a peer.

        Parameters
        ----------
        frame : str or bytes
            Text is an event, bytes are refused. Whatever is wrong is answered by an ``error`` event.
        now : float
            Monotonic seconds.
        peer : int
            Who sent it. What answers a question of its own (``error``, ``conversation.item.retrieved``)
            goes to it alone; too many bad events cost it its place, and the owner the session.

        Returns
        -------
        list of Effect
            To be carried out in order.
        """
        self._heard_at = now
        self._state.asker = peer
        effects = self._run(self._receive, frame, now)
        self._state.asker = None
        return effects

    def hear(self, audio: bytes, now: float) -> list[Effect]:
        """Take sound that came by another way than an event: a call's.

        Parameters
        ----------
        audio : bytes
            In the session's input format, whole samples.
        now : float
            Monotonic seconds.

        Returns
        -------
        list of Effect
            To be carried out in order.
        """
        self._heard_at = now
        return self._run(self._ears.listen, audio, now)

    def report(self, report: Report, now: float) -> list[Effect]:
        """Take what a stage reports; about something that is over, it is ignored.

        Parameters
        ----------
        report : Report
            What happened.
        now : float
            Monotonic seconds.

        Returns
        -------
        list of Effect
            To be carried out in order.
        """
        return self._run(self._on_report[type(report)], report, now)

    def tick(self, now: float) -> list[Effect]:
        """Let time pass; to be called at :meth:`deadline`, harmless at any other time.

        Parameters
        ----------
        now : float
            Monotonic seconds.

        Returns
        -------
        list of Effect
            To be carried out in order.
        """
        return self._run(self._tick, now, now)

    def deadline(self) -> float | None:
        """Say when :meth:`tick` is wanted next.

        Returns
        -------
        float or None
            Monotonic seconds; None for never.
        """
        if self._closed:
            return None
        limits = self._state.limits
        expiry = None if limits.session_s is None else self._opened_at + limits.session_s
        idle = None if limits.idle_s is None else self._heard_at + limits.idle_s
        return min((at for at in (expiry, idle, self._quiet.at) if at is not None), default=None)

    def close(self, now: float) -> list[Effect]:
        """End, because the client is gone: whatever runs is to stop. May be called again.

        Parameters
        ----------
        now : float
            Monotonic seconds.

        Returns
        -------
        list of Effect
            Nothing but ``Stop`` and ``StopMcpTool``.
        """
        self._state.now = now
        self._closed = True
        self._responses.close()
        return self._state.take()

    # ------------------------------------------------------------ inside
    def _run(self, handler: Callable[[Any], None], given: Any, now: float) -> list[Effect]:
        if self._closed:
            return []
        self._state.now = now
        try:
            handler(given)
        except EventError as error:
            self._refuse(error)
        if not self._closed:
            self._responses.consider()
        return self._state.take()

    def _receive(self, frame: str | bytes) -> None:
        if isinstance(frame, bytes):
            raise fault("binary_frame")
        bound = self._state.limits.event_bytes
        if len(frame) > bound or (len(frame) * 4 > bound and len(frame.encode(errors="replace")) > bound):
            raise fault("too_large", size=len(frame), bound=bound)
        event = decode_client(frame)
        try:
            self._handler(event)(event)
        except EventError as error:
            error.event_id = event.event_id
            raise

    def _handler(self, event: ClientEvent) -> Callable[[Any], None]:
        handler = self._on_event.get(type(event))
        kept = [kind for kind in self._on_event if not self._writes_only or kind not in _NOT_FOR_TRANSCRIPTION]
        if handler is None or type(event) not in kept:
            names = {kind: name for name, kind in CLIENT_EVENTS.items()}
            known = ", ".join(f"'{names[kind]}'" for kind in kept)
            raise fault("unsupported_value", param="type", value=names[type(event)], supported=known)
        return handler

    @property
    def _writes_only(self) -> bool:
        return isinstance(self._state.session, TranscriptionSession)

    def _refuse(self, error: EventError) -> None:
        state, limits = self._state, self._state.limits
        detail = ErrorDetail(
            type=error.type, code=error.code, message=error.message, param=error.param, event_id=error.event_id
        )
        state.answer(Error(error=detail))
        refused = self._refused[state.asker]
        refused.append(state.now)
        while refused[0] < state.now - limits.bad_events_s:
            refused.popleft()
        if len(refused) > limits.bad_events:
            self._cast_out(state.asker)

    def _cast_out(self, peer: int | None) -> None:
        """Close on a peer who sends nonsense; the owner's end is the session's."""
        code, reason = 1008, "too many invalid events"
        if peer in {None, OWNER}:
            self._shut(code, reason)
        else:
            self._state.do(Close(code, reason, to=peer))

    def _tick(self, now: float) -> None:
        limits = self._state.limits
        if limits.session_s is not None and now >= self._opened_at + limits.session_s:
            self._expire(fault("expired", minutes=limits.session_s / 60))
        elif limits.idle_s is not None and now >= self._heard_at + limits.idle_s:
            self._expire(fault("idle", minutes=limits.idle_s / 60))
        else:
            self._ears.tick()

    def _expire(self, error: EventError) -> None:
        self._state.send(Error(error=ErrorDetail(code=error.code, message=error.message)))
        self._shut(1001, error.message)

    def _shut(self, code: int, reason: str) -> None:
        self._responses.close()
        self._closed = True
        self._state.do(Close(code, reason))
