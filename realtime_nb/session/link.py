"""A connection at work: the pure core, the wire, the log, and the one task that reads.

Sending folds, logs and writes in one breath, so the order on the wire, in the
log and in the state is the same. Whoever waits, waits for a state (a predicate
over what was folded), never for time, and always with a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from realtime_nb.errors import ConnectionClosed, RateLimited, RealtimeError, RemoteProtocolError, ServerError
from realtime_nb.history import EventLog
from realtime_nb.history.log import Direction
from realtime_nb.protocol.base import replace
from realtime_nb.protocol.client import ClientConnection
from realtime_nb.protocol.events import (
    ConversationItemCreate,
    Error,
    ErrorDetail,
    SessionCreated,
    SessionUpdate,
    SessionUpdated,
)
from realtime_nb.protocol.session_config import Session
from realtime_nb.transports.base import Transport
from realtime_nb.transports.timeline import LiveTimeline, Timeline

__all__ = ["CLOSE_S", "Link", "Tap", "server_error"]

T = TypeVar("T")

CLOSE_S = 1.6
"""How long the wire may take to close; ``session.close()`` promises 2 s."""
RECONNECT = "session = rt.connect()"
_logger = logging.getLogger(__name__)
_LIMITS = {"rate_limit_exceeded", "inference_rate_limit_exceeded"}


def server_error(detail: ErrorDetail, *, turn: Any = None) -> ServerError:
    """The exception for an ``error`` event.

    Parameters
    ----------
    detail : ErrorDetail
        What the server said.
    turn : Turn, optional
        What was under way.

    Returns
    -------
    ServerError
        :class:`~realtime_nb.errors.RateLimited` where too much was asked.
    """
    kind = RateLimited if detail.code in _LIMITS else ServerError
    where = f" (at {detail.param})" if detail.param else ""
    return kind(
        f"{detail.message}{where}",
        code=detail.code,
        type=detail.type,
        param=detail.param,
        event_id=detail.event_id,
        turn=turn,
        hint=_hint(detail),
    )


def _hint(detail: ErrorDetail) -> str | None:
    wait = _WAIT.search(detail.message)
    if wait is not None:
        return f"time.sleep({math.ceil(float(wait[1]))})  # then say it again"
    return _HINTS.get(detail.code or "")


_WAIT = re.compile(r"try again in (\d+(?:\.\d+)?)\s*s\b")
_HINTS = {
    "cannot_update_voice": 'session = rt.connect(voice="marin")  # before it has spoken',
    "conversation_already_has_active_response": "session.interrupt()",
    "insufficient_quota": 'session = rt.connect("local")  # costs nothing',
    "rate_limit_exceeded": "session.rate_limits  # when there is more",
    "session_expired": RECONNECT,
}


class Tap(Protocol):
    """Is told what crosses the wire; on the session's loop, so it must be quick and must not raise."""

    def frame(self, direction: Direction, t_s: float, event: Any, text: str) -> None:
        """Hear of a frame, after it was logged."""
        ...

    def called(self, call_id: str, took_s: float) -> None:
        """Hear of a function of the client that was run."""
        ...

    def ended(self, t_s: float, end: ConnectionClosed | None) -> None:
        """Hear that the connection is over; None: by us."""
        ...


class Link:
    """One connection of a session.

    Parameters
    ----------
    transport : Transport
        Connected.
    heard, sent : callable
        Given each event of the server, or of ours, after it was folded and logged, with its time.
    gone : callable
        Told once, when the connection has ended.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        heard: Callable[[Any, float], None],
        sent: Callable[[Any, float], None],
        gone: Callable[[], None],
    ) -> None:
        self.timeline: Timeline = transport if isinstance(transport, Timeline) else LiveTimeline()
        """Whose time and names hold: a recording that is replayed has its own."""
        self.ids = self.timeline.ids
        self.loop = asyncio.get_running_loop()
        """Where it lives."""
        self.taps: list[Tap] = []
        self.opening: list[tuple[Direction, float, Any, str]] = []
        """All frames until something is said, and after it those that change the session: where a tap begins."""
        self.connection = ClientConnection(self.ids)
        self.log = EventLog()
        self.closed: ConnectionClosed | None = None
        self._transport = transport
        self._heard = heard
        self._sent = sent
        self._gone = gone
        self._begun = False
        self._writing = asyncio.Lock()
        self._waiters: set[asyncio.Event] = set()
        self._refusals: dict[str, ErrorDetail] = {}
        self.last_error: ErrorDetail | None = None
        self._reader = asyncio.create_task(self._read(), name="realtime_nb reader")

    @property
    def now_s(self) -> float:
        """Seconds since the connection."""
        return self.timeline.now_s()

    @property
    def session(self) -> Session:
        """The session's configuration, as the server last told it."""
        session = self.connection.session
        return session if isinstance(session, Session) else Session()

    # ---------------------------------------------------------------- sending
    async def send(self, event: Any) -> str:
        """Send one event.

        Parameters
        ----------
        event : ClientEvent
            Without ``event_id`` it is given one.

        Returns
        -------
        str
            The event's id, by which an error refers to it.

        Raises
        ------
        ConnectionClosed
            When the connection has ended.
        LocalProtocolError
            When it is not legal now.
        """
        async with self._writing:
            self.check_open()
            if event.event_id is None:
                event = replace(event, event_id=self.ids.new("event"))
            if isinstance(event, ConversationItemCreate) and not event.item.id:
                event = replace(event, item=replace(event.item, id=self.ids.new("item")))
            text = self.connection.send(event)
            async for sent, frame in self.timeline.admit(event, text):
                now_s = self.now_s
                self.log.append("sent", sent, now_s, len(frame))
                self._sent(sent, now_s)
                self._tell("sent", now_s, sent, frame)
            try:
                await self._transport.send(text)
            except ConnectionClosed as end:
                self._end(end)
                raise self.ending() from None
            return str(event.event_id)

    def check_open(self) -> None:
        """Raise :class:`ConnectionClosed` if the connection has ended."""
        if self.closed is not None:
            raise self.ending()

    def ending(self) -> ConnectionClosed:
        """A fresh error for each raise: a shared one would collect tracebacks."""
        end = self.closed
        if end is None:
            return ConnectionClosed("the connection has ended", hint=RECONNECT)
        return ConnectionClosed(end.message, code=end.code, reason=end.reason, hint=end.hint)

    # ---------------------------------------------------------------- reading
    async def _read(self) -> None:
        try:
            while self.closed is None:
                self._take(await self._transport.receive())
        except ConnectionClosed as end:
            self._end(end)
        except Exception as fault:  # ours, or a follower's: else everybody would wait in vain
            _logger.exception("a session could not be read any further")
            self._end(ConnectionClosed(f"the session broke off: {type(fault).__name__}: {fault}"))

    def _take(self, frame: str | bytes) -> None:
        try:
            event = self.connection.receive(frame)
        except RemoteProtocolError:
            # One frame that cannot be read must not end the conversation; the core remembers it.
            return
        now_s = self.now_s
        self.log.append("received", event, now_s, len(frame))
        if isinstance(event, Error):
            self._refused(event.error)
        self._heard(event, now_s)
        self._tell("received", now_s, event, frame if isinstance(frame, str) else frame.decode("utf-8", "replace"))
        self.wake()

    def _tell(self, direction: Direction, now_s: float, event: Any, text: str) -> None:
        """Give a frame to the taps, and to those that will come."""
        of_session = isinstance(event, SessionCreated | SessionUpdate | SessionUpdated)
        self._begun = self._begun or (direction == "sent" and not of_session)
        if of_session or not self._begun:
            self.opening.append((direction, now_s, event, text))
        for tap in self.taps:
            tap.frame(direction, now_s, event, text)

    def _refused(self, detail: ErrorDetail) -> None:
        self.last_error = detail
        if detail.event_id:
            self._refusals[detail.event_id] = detail

    def _end(self, end: ConnectionClosed) -> None:
        if self.closed is None:
            said = self.last_error
            message = end.message
            if said is not None and end.code not in {None, 1000} and said.code and said.code in end.reason:
                message = f"{message}: {said.message}"
            ended = ConnectionClosed(message, code=end.code, reason=end.reason, hint=RECONNECT)
            self._set_closed(ended, theirs=end)

    def _set_closed(self, end: ConnectionClosed, *, theirs: ConnectionClosed | None = None) -> None:
        self.closed = end
        for tap in list(self.taps):
            tap.ended(self.now_s, theirs)
        self._gone()
        self.wake()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        for waiter in self._waiters:
            waiter.set()

    # ---------------------------------------------------------------- waiting
    async def until(
        self, state: Callable[[], T | None], timeout_s: float, *, about: Sequence[str] = (), what: str = "an answer"
    ) -> T:
        """Wait until `state` gives something.

        Parameters
        ----------
        state : callable
            Looks at what was folded; None and False mean not yet.
        timeout_s : float
            How long to wait without any event before giving up.
        about : sequence of str
            Ids of events that were sent: a refusal of one is raised.
        what : str
            What is waited for, for the message.

        Returns
        -------
        object
            What `state` gave.

        Raises
        ------
        ServerError
            The server refused `about`.
        ConnectionClosed
            The connection ended first.
        TimeoutError
            Nothing happened for `timeout_s`.
        """
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        timeout_s = self.timeline.patience_s(timeout_s)
        try:
            while True:
                found = self._look(state, about)
                if found:
                    return found
                waiter.clear()
                try:
                    async with asyncio.timeout(timeout_s):  # on 3.11, wait_for loses a cancel that meets an event
                        await waiter.wait()
                except TimeoutError:
                    silent = TimeoutError(f"waited {timeout_s:g} s for {what}; the server sent nothing")
                    raise self.timeline.overdue() or silent from None
        finally:
            self._waiters.discard(waiter)

    def _look(self, state: Callable[[], T | None], about: Sequence[str]) -> T | None:
        for event_id in about:
            if (detail := self._refusals.pop(event_id, None)) is not None:
                raise server_error(detail)
        found = state()
        if not found:
            self.check_open()
        return found

    async def round_trip_s(self) -> float | None:
        """How long the wire takes there and back, in seconds; None where it cannot tell."""
        self.check_open()
        ping = getattr(self._transport, "ping", None)
        return None if ping is None else await ping()

    # ---------------------------------------------------------------- another wire
    async def move(self, transport: Transport) -> None:
        """Go on by another wire, whose server speaks first; the one before is closed.

        Parameters
        ----------
        transport : Transport
            Connected.
        """
        async with self._writing:
            before, self._transport = self._transport, transport
            await self._stop_reading()
            self._reader = asyncio.create_task(self._read(), name="realtime_nb reader")
        with contextlib.suppress(TimeoutError, RealtimeError, OSError):
            await asyncio.wait_for(before.close(), CLOSE_S)

    async def _stop_reading(self) -> None:
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader

    # ---------------------------------------------------------------- the end
    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the connection within 2 s; idempotent."""
        if self.closed is None:
            self._set_closed(ConnectionClosed("the session is closed", code=code, reason=reason, hint=RECONNECT))
        with contextlib.suppress(TimeoutError, RealtimeError, OSError):
            await asyncio.wait_for(self._transport.close(code, reason), CLOSE_S)
        await self._stop_reading()
