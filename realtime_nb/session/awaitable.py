"""The awaitable face of a session: every method is a coroutine, good on any running loop."""

from __future__ import annotations

import asyncio
import functools
import os
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, get_args

import msgspec

from realtime_nb.cassette.recording import Recording, RecordMode, begin
from realtime_nb.display import Show, Showing
from realtime_nb.errors import ConfigError, LocalProtocolError
from realtime_nb.findings import Findings
from realtime_nb.portal import await_on
from realtime_nb.protocol.events import ResponseParams, decode_client
from realtime_nb.protocol.faults import EventError
from realtime_nb.session.actor import ANSWER_S, Actor
from realtime_nb.session.config import ResponseConfig, SessionConfig, check_session, response_params, session_fields
from realtime_nb.session.deltas import Deltas
from realtime_nb.session.health import examine
from realtime_nb.session.keeping import Keeper
from realtime_nb.session.page_call import callable_door
from realtime_nb.session.parts import Said, sort_parts
from realtime_nb.session.seen import Seen
from realtime_nb.session.trim import trim
from realtime_nb.target import Way
from realtime_nb.tools import TIMEOUT_S
from realtime_nb.turn import Turn
from realtime_nb.usage.trimmed import Trimmed

if TYPE_CHECKING:
    from typing import Self, Unpack

    from realtime_nb.widgets.talk import Talk

__all__ = ["PUBLIC", "AsyncSession", "prepare", "talk_with"]

PUBLIC = (
    *("say", "stream", "append", "interrupt", "talk", "doctor"),
    *("update", "tool", "trim", "send", "close"),
    *("history", "turns", "usage", "events", "rate_limits", "what_if", "context", "plot", "save", "record", "export"),
    *("id", "config", "card", "brain", "budget_usd"),
)
"""What both faces have, and Tab shows."""

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


END_S = 2.0
"""How long the end of a session may take, its log included."""


def at_home(
    method: Callable[Concatenate[AsyncSession, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[AsyncSession, P], Coroutine[Any, Any, T]]:
    """Run a method on the session's own loop, whichever loop awaits it."""

    async def homed(self: AsyncSession, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await await_on(self.actor.loop, method(self, *args, **kwargs))

    functools.update_wrapper(homed, method)
    return homed


def prepare(
    actor: Actor,
    parts: Sequence[Any],
    response: Mapping[str, Any] | None,
    rate: int | None,
    home: asyncio.AbstractEventLoop | None = None,
) -> tuple[Said, ResponseParams]:
    """Sort what ``say`` was given, on the caller's thread: a figure is drawn there, a generator belongs there.

    Parameters
    ----------
    actor : Actor
        The session at home.
    parts : sequence
        What is said.
    response : mapping, optional
        What the response is to do otherwise.
    rate : int, optional
        Of arrays that do not say.
    home : asyncio.AbstractEventLoop, optional
        The loop an async generator belongs to.

    Returns
    -------
    tuple of Said and ResponseParams
        Ready to begin.
    """
    actor.link.check_open()
    given = dict(response or {})
    if "tools" in given:
        given["tools"] = actor.tools.schemas(given["tools"])
    params = response_params(given, actor.card)
    return sort_parts(parts, actor.card, format=actor.input_format, rate=rate, home=home), params


def talk_with(session: AsyncSession, transport: Way, *, echo_cancellation: bool) -> Talk:
    """Show the session's talk in this cell: a session has one, in as many views as are wanted.

    Parameters
    ----------
    session : AsyncSession
        Open.
    transport : {"websocket", "webrtc"}
        How sound travels.
    echo_cancellation : bool
        For the microphone, when it is opened next.

    Returns
    -------
    Talk
        The one there is; a new one where there is none, or where it broke off.

    Raises
    ------
    ConfigError
        There is no such way.
    """
    from realtime_nb.widgets.talk import Talk

    if transport not in get_args(Way):
        raise ConfigError(
            f'session.talk() goes by "websocket" or "webrtc", not {transport!r}', hint='session.talk("webrtc")'
        )
    actor = session.actor
    actor.link.check_open()
    if transport == "webrtc" and (actor.talk is None or actor.talk.transport != transport):
        callable_door(actor)
    if actor.talk is not None and (actor.talk.broken or (transport == "webrtc" != actor.talk.transport)):
        actor.talk.close()
    if actor.talk is None or actor.talk.closed:
        actor.talk = Talk(session, transport)
    actor.talk.echo_cancellation = echo_cancellation
    actor.talk.show()
    return actor.talk


class AsyncSession(Seen):
    """A conversation with a model; ``session.aio``.

    Parameters
    ----------
    actor : Actor
        The session at home.
    """

    def __init__(self, actor: Actor) -> None:
        super().__init__(actor)
        self.keeper = Keeper(actor)
        weakref.finalize(self, _drop, actor, self.keeper)  # nobody holds it any more: it leaves no socket behind

    # ---------------------------------------------------------------- saying
    async def say(
        self,
        *parts: Any,
        response: ResponseConfig | None = None,
        rate: int | None = None,
        wait: bool = True,
        show: Show = None,
        timeout_s: float = ANSWER_S,
    ) -> Turn:
        """Say something and await the answer; see :meth:`realtime_nb.Session.say`."""
        if not wait:
            said, params = prepare(self.actor, parts, response, rate, asyncio.get_running_loop())
            return (await await_on(self.actor.loop, self.actor.open(said, params, timeout_s)))[0]
        with Showing(show) as view:
            said, params = prepare(self.actor, parts, response, rate, asyncio.get_running_loop())
            work = self.actor.say(said, params, timeout_s, view.watch)
            beat = None if self.actor.link.timeline.hurried else view.draw  # what is there at once is drawn once
            return await await_on(self.actor.loop, work, beat=beat)

    async def stream(
        self,
        *parts: Any,
        response: ResponseConfig | None = None,
        rate: int | None = None,
        timeout_s: float = ANSWER_S,
    ) -> Deltas:
        """Say something and give the answer's pieces: ``async for delta in await session.aio.stream(...)``."""
        said, params = prepare(self.actor, parts, response, rate, asyncio.get_running_loop())
        turn, queue = await await_on(self.actor.loop, self.actor.open(said, params, timeout_s))
        return Deltas(self.actor, turn, queue)

    @at_home
    async def append(self, chunk: Any, *, rate: int | None = None) -> None:
        """Send sound as it comes from a microphone; see :meth:`realtime_nb.Session.append`."""
        await self.actor.append(chunk, rate)

    @at_home
    async def interrupt(self, audio_end_ms: int | None = None) -> Turn | None:
        """Stop the answer; see :meth:`realtime_nb.Session.interrupt`."""
        return await self.actor.interrupt(audio_end_ms)

    async def talk(self, transport: Way = "websocket", *, echo_cancellation: bool = True) -> Talk:
        """Talk in the notebook, both ways at once; see :meth:`realtime_nb.Session.talk`."""
        return talk_with(self, transport, echo_cancellation=echo_cancellation)

    @at_home
    async def doctor(self) -> Findings:
        """Say how the session is; see :meth:`realtime_nb.Session.doctor`."""
        return await examine(self.actor)

    # ---------------------------------------------------------------- settings
    async def update(self, **config: Unpack[SessionConfig]) -> None:
        """Change the session's settings; see :meth:`realtime_nb.Session.update`."""
        given: dict[str, Any] = dict(config)
        if "tools" in given:
            given["tools"] = self.actor.tools.replace(given["tools"])
        fields = session_fields(given, self.card, caller="session.update({})")
        check_session(fields, caller="session.update({})")
        await self._configure(fields)

    @at_home
    async def _configure(self, fields: dict[str, Any]) -> None:
        await self.actor.configure(fields)

    async def tool(self, function: F, *, timeout_s: float = TIMEOUT_S) -> F:
        """Let the model call a Python function; see :meth:`realtime_nb.Session.tool`."""
        self.card.require("function calling")
        self.actor.tools.add(function, timeout_s=timeout_s)
        await self._configure({"type": "realtime", "tools": self.actor.tools.declared()})
        return function

    @at_home
    async def send(self, event: Any) -> str:
        """Send a client event as it is; see :meth:`realtime_nb.Session.send`."""
        if isinstance(event, Mapping):
            try:
                event = decode_client(msgspec.json.encode(event).decode())
            except EventError as error:
                raise LocalProtocolError(error.message, hint='session.send({"type": "response.cancel"})') from None
        event_id = await self.actor.link.send(event)
        await self.actor.link.timeline.settle()
        return event_id

    @at_home
    async def trim(
        self, *, last: int | None = None, images: bool = True, summarise: bool = False, timeout_s: float = ANSWER_S
    ) -> Trimmed:
        """Let the next responses read less; see :meth:`realtime_nb.Session.trim`."""
        return await trim(self.actor, last=last, images=images, summarise=summarise, timeout_s=timeout_s)

    # ---------------------------------------------------------------- keeping it
    async def save(self, folder: str | os.PathLike[str]) -> Path:
        """Keep the conversation in a folder; see :meth:`realtime_nb.Session.save`."""
        path = _whole_path(folder)
        await self.keeper.save(path)
        return path

    @at_home
    async def record(self, folder: str | os.PathLike[str], *, mode: RecordMode = "once") -> Recording:
        """Record the wire to a cassette; see :meth:`realtime_nb.Session.record`."""
        return begin(
            self.actor.link, _whole_path(folder), mode=mode, session_id=self.id, brain=self.brain, card=self.card
        )

    async def export(self, path: str | os.PathLike[str], *, frame: str | None = None) -> Path:
        """Write the conversation to a file; see :meth:`realtime_nb.Session.export`."""
        return await asyncio.to_thread(self.keeper.export, path, frame)

    # ---------------------------------------------------------------- the end
    @at_home
    async def close(self) -> None:
        """End the session within 2 s; see :meth:`realtime_nb.Session.close`."""
        await _end(self.actor, self.keeper)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __dir__(self) -> list[str]:
        return sorted(PUBLIC)


def _whole_path(folder: str | os.PathLike[str]) -> Path:
    return Path(folder).expanduser().resolve()


async def _end(actor: Actor, keeper: Keeper) -> None:
    until = actor.loop.time() + END_S
    await actor.close()
    await keeper.close(until)


def _drop(actor: Actor, keeper: Keeper) -> None:
    if actor.loop.is_running() and (actor.link.closed is None or keeper):
        asyncio.run_coroutine_threadsafe(_end(actor, keeper), actor.loop)
