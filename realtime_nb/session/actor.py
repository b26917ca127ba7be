"""A session at home: what happens on its own loop, from the user's message to the last tool call's answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from realtime_nb.archive import Tape
from realtime_nb.errors import BudgetExceeded, LocalProtocolError, RealtimeError, ServerError
from realtime_nb.history import History
from realtime_nb.models import ModelCard
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.base import replace
from realtime_nb.protocol.items import InputAudio, ItemReference
from realtime_nb.protocol.session_config import Session
from realtime_nb.session.answering import Answering
from realtime_nb.session.asking import CANCEL_S, Asker
from realtime_nb.session.book import MARK, Ask, TurnBook, format_name
from realtime_nb.session.gate import Gate, Permit
from realtime_nb.session.link import Link
from realtime_nb.session.live import Encoder, pieces_of
from realtime_nb.session.pacing import Line
from realtime_nb.session.parts import Said
from realtime_nb.session.reply import Delta, Reply
from realtime_nb.session.stream import Stream
from realtime_nb.session.tool_use import ToolUse
from realtime_nb.session.verdict import verdict, with_turn
from realtime_nb.tools import ToolBox
from realtime_nb.transports.base import Transport
from realtime_nb.turn import Turn
from realtime_nb.usage import BudgetGuard, Reading

if TYPE_CHECKING:
    from realtime_nb.transports.door import Door
    from realtime_nb.widgets.talk import Talk

__all__ = ["ANSWER_S", "Actor"]

ANSWER_S = 60.0
"""How long a turn may go without any event before it is given up."""
UPDATE_S = 10.0
"""How long the server may take to acknowledge a change of the session."""
ABORT_S = 2.5
"""How long an aborted turn may take to leave its session in order."""


class Actor:
    """One session's tasks. Everything here runs on one loop; other threads come in by the portal.

    Parameters
    ----------
    transport : Transport
        Connected.
    card : ModelCard
        Of the model.
    tools : ToolBox
        The functions it may call.
    guard : BudgetGuard
        What may be spent.
    line : Line, optional
        Where to wait for the rate limits.
    """

    def __init__(
        self, transport: Transport, card: ModelCard, tools: ToolBox, guard: BudgetGuard, line: Line | None = None
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.card = card
        self.tools = tools
        self.guard = guard
        self.link = Link(transport, heard=self._heard, sent=self._sent, gone=self._gone)
        self.book = TurnBook(self.link.connection, self._new_turn, self._began, self._ended, self._orphaned)
        self.history = History(self.link.log, card)
        self.tape = Tape(self.link.log)
        self.door: Door | None = None
        """Where it was opened; None where there is nowhere to go back to."""
        self.talk: Talk | None = None
        """The widget in which it is talked."""
        self.reading = Reading(self.link.connection, card)
        self.gate = Gate(guard, self.reading, line)
        self.asker = Asker(self.link, self.book)
        self.answering = Answering(self.link, self.book, self.gate, self._update)
        self._tool_use = ToolUse(self.link, tools, self.gate, self.asker)
        self._floor = asyncio.Lock()
        self._speaking: Turn | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._encoder: Encoder | None = None
        self._permits: dict[str, Permit] = {}
        self._refused: dict[str, BudgetExceeded] = {}

    @property
    def session(self) -> Session:
        """The session's configuration, as the server last told it."""
        return self.link.session

    @property
    def brain(self) -> str:
        """Which model really answers: the local engine names its own, another server is taken at its word."""
        return self.session.brain or self.session.model

    @property
    def input_format(self) -> str:
        """The format of the sound that is sent."""
        return format_name(self.session.audio.input.format)

    # ---------------------------------------------------------------- the session
    async def configure(self, fields: dict[str, Any], timeout_s: float = UPDATE_S) -> None:
        """Change the session, and wait until the server has."""
        self.answering.wish(fields)
        await self._update(fields, timeout_s)
        await self.answering.hold()
        await self.link.timeline.settle()

    async def _update(self, fields: dict[str, Any], timeout_s: float = UPDATE_S) -> None:
        event_id = await self.link.send(ev.SessionUpdate(session=fields))
        try:
            await self.link.until(
                lambda: event_id not in self.book.updates, timeout_s, about=[event_id], what="session.updated"
            )
        except TimeoutError:
            self.book.give_up(event_id)
            raise
        finally:  # an Interrupt, maybe for that very reason
            with contextlib.suppress(ValueError):
                self.book.updates.remove(event_id)

    def budget(self, usd: float | None) -> None:
        """Set what may be spent, from any thread."""
        self.guard.budget_usd = usd
        if self.link.closed is None:
            self.loop.call_soon_threadsafe(lambda: self._start(self.answering.hold()))

    async def append(self, chunk: Any, rate: int | None) -> None:
        """Send sound as it comes; whoever calls keeps the pace."""
        refusal, self.answering.refusal = self.answering.refusal, None
        if refusal is not None:
            raise refusal
        if self._encoder is None or (self._encoder.rate, self._encoder.format.type) != (rate, self.input_format):
            self._encoder = Encoder(self.input_format, rate)
        for piece in pieces_of(self._encoder.feed(chunk), self._encoder.format.type):
            await self.link.send(ev.InputAudioBufferAppend(audio=piece))

    async def close(self) -> None:
        """End the connection and every task; idempotent."""
        await self.link.close()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=0.2)  # they learn of the end by themselves
            for task in late:
                task.cancel()

    def _heard(self, event: Any, now_s: float) -> None:
        self.book.hear(event, now_s)
        self.reading.heard(event)
        if isinstance(event, ev.InputAudioBufferCommitted):
            self.reading.committed(event.item_id, self.book.heard_ms[event.item_id])
        if isinstance(event, ev.RateLimitsUpdated) and self.gate.line is not None:
            self.gate.line.told(event.rate_limits)
        if (spoken := self.answering.hears(event)) is not None:
            self._start(self.answering.answer(spoken, lambda: self._begin(Said(), ev.ResponseParams(), ANSWER_S)))

    def _sent(self, event: Any, now_s: float) -> None:
        self.book.sent(event, now_s)
        self.reading.sent(event)

    def _gone(self) -> None:
        """The connection has ended: what nobody waits for is finished here, and what waits for its pace."""
        for turn in self.book.turns:
            if turn.task is None or turn.waits:
                turn.finish(with_turn(self.link.ending(), turn))
                if turn.task is not None:
                    turn.task.cancel()

    # ---------------------------------------------------------------- a turn
    async def open(
        self, said: Said, params: ev.ResponseParams, timeout_s: float
    ) -> tuple[Turn, asyncio.Queue[Delta | None]]:
        """Start a turn, and give it at once, with the queue of its pieces."""
        await self.link.timeline.settle()
        self.link.check_open()
        turn = self._begin(said, params, timeout_s)
        return turn, turn.listen()

    def _begin(self, said: Said, params: ev.ResponseParams, timeout_s: float) -> Turn:
        turn = self.book.open()
        turn.task = self._start(self._conduct(turn, said, params, timeout_s))
        return turn

    def _new_turn(self) -> Turn:
        return Turn(self.card, self.loop, self.book)

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def say(
        self, said: Said, params: ev.ResponseParams, timeout_s: float, shown: Callable[[Turn], object]
    ) -> Turn:
        """Start a turn, tell who shows it, and wait for its end; a cancel here aborts the turn."""
        turn, _ = await self.open(said, params, timeout_s)
        shown(turn)
        try:
            return await turn.whole()
        except asyncio.CancelledError:
            await self.abort(turn)
            raise

    @contextlib.asynccontextmanager
    async def alone(self, timeout_s: float) -> AsyncIterator[None]:
        """Have the conversation to oneself: no turn begins in it, and no response is under way."""
        async with self._floor:
            await self.asker.quiet(timeout_s)
            yield

    async def abort(self, turn: Turn) -> None:
        """Stop a turn's task and wait until it has left the session in order."""
        if turn.task is not None and not turn.done:
            turn.task.cancel()
            await asyncio.wait({turn.task}, timeout=ABORT_S)

    async def _conduct(self, turn: Turn, said: Said, params: ev.ResponseParams, timeout_s: float) -> None:
        """See a turn through its responses."""
        await self._see_through(turn, self._converse(turn, said, params, timeout_s))

    async def _see_through(self, turn: Turn, work: Awaitable[RealtimeError | None]) -> None:
        """Finish a turn when `work` is done, with the error it gives or raises; whatever happens, it is finished.

        In a replay that is when all has come that had come before the client did anything more: so nobody looks
        at a frame in the middle of it, whatever the speed.
        """
        error: BaseException | None
        try:
            try:
                error = await work
            except Exception as raised:  # noqa: BLE001 - raised where the turn is waited for
                error = with_turn(raised, turn)
            await self.link.timeline.settle()
            turn.finish(error)
        except asyncio.CancelledError:
            turn.finish()
            raise

    async def _converse(
        self, turn: Turn, said: Said, params: ev.ResponseParams, timeout_s: float
    ) -> RealtimeError | None:
        try:
            if params.conversation == "none":
                reply = await self._aside(turn, said, params, timeout_s)
            else:
                async with self._floor:
                    self._speaking = turn
                    reply = await self._in_conversation(turn, said, params, timeout_s)
            return verdict(turn, reply, limited=self._limited(params))
        finally:
            if self._speaking is turn:
                self._speaking = None

    async def _in_conversation(self, turn: Turn, said: Said, params: ev.ResponseParams, timeout_s: float) -> Reply:
        await self.asker.quiet(timeout_s)
        if said.live is not None:
            reply = await self._spoken(turn, said, params, timeout_s)
        else:
            async with self.gate.leave(self.session, params, said.tokens(), told=turn.hold) as permit:
                about = await self._tell(turn, said)
                reply = await self.asker.respond(turn, params, timeout_s, permit=permit, about=about)
        return await self._tool_use.follow(turn, reply, params, timeout_s)

    async def _spoken(self, turn: Turn, said: Said, params: ev.ResponseParams, timeout_s: float) -> Reply:
        """A live stream: the server answers by itself, or leaves it to us to ask when all is said."""
        self.gate.check(self.session, params, said.tokens())
        about = await self._tell(turn, said)
        detection = self.session.audio.input.turn_detection
        stream = Stream(self.link, self.book, turn, detection, self.input_format)
        reply = await stream.send(said, timeout_s)
        if reply is not None:
            return reply
        if self.answering.asks and not await self.answering.has_words(turn.heard[-1]):
            raise stream.wordless()
        async with self.gate.leave(self.session, params, told=turn.hold) as permit:
            return await self.asker.respond(turn, params, timeout_s, permit=permit, about=about)

    async def _aside(self, turn: Turn, said: Said, params: ev.ResponseParams, timeout_s: float) -> Reply:
        """Out of band: what is said is read beside the conversation, and not remembered."""
        if said.live is not None:
            raise LocalProtocolError(
                "a live stream goes into the conversation: out of band it cannot be said",
                hint='session.say(clip, response={"conversation": "none"})',
            )
        context = params.input
        if context is None:
            context = tuple(ItemReference(id=item_id) for item_id in self.link.connection.conversation.order)
        if said.message is not None:
            context = (*context, said.message)
        mark = self.link.ids.new("turn")
        marked = replace(params, input=context, metadata={**(params.metadata or {}), MARK: mark})
        async with self.gate.leave(self.session, marked, said.tokens(), told=turn.hold) as permit:
            return await self.asker.respond(turn, marked, timeout_s, permit=permit, mark=mark)

    async def _tell(self, turn: Turn, said: Said) -> list[str]:
        """Put what is said into the conversation; gives the ids of the events that did."""
        if said.message is None:
            return []
        message = replace(said.message, id=self.link.ids.new("item"))
        if any(isinstance(part, InputAudio) for part in message.content):
            turn.heard.append(message.id)
        return [await self.link.send(ev.ConversationItemCreate(item=message))]

    # ---------------------------------------------------------------- a response
    def _limited(self, params: ev.ResponseParams) -> bool:
        """Whether the user set a limit to the reply's length."""
        return (params.max_output_tokens or self.session.max_output_tokens) != "inf"

    def _began(self, reply: Reply, ask: Ask | None) -> None:
        if ask is None:
            self._fence(reply)
            return
        if ask.permit is not None:
            self._permits[reply.id] = ask.permit
        if ask.abandoned:
            self._start(self.asker.cancel(reply.id))

    def _fence(self, reply: Reply) -> None:
        """A response that nobody here asked for is stopped when it begins, if it may pass the budget."""
        try:
            self.gate.check(self.session, ev.ResponseParams())
        except BudgetExceeded as error:
            self.answering.refusal = self._refused[reply.id] = error
            self._start(self.asker.cancel(reply.id))

    def _ended(self, reply: Reply) -> None:
        response = reply.state.response
        aside = MARK in (response.metadata or {})
        permit = self._permits.pop(reply.id, None)
        self.gate.settle(permit, response.usage, conversation="none" if aside else "auto")

    def _orphaned(self, turn: Turn, reply: Reply) -> None:
        """A response that the server made by itself: its calls are run all the same."""
        turn.task = self._start(self._follow(turn, reply))

    async def _follow(self, turn: Turn, reply: Reply) -> None:
        await self._see_through(turn, self._go_on(turn, reply))

    async def _go_on(self, turn: Turn, reply: Reply) -> RealtimeError | None:
        params = ev.ResponseParams()
        if self._tool_use.calls(reply):
            async with self._floor:
                self._speaking = turn
                reply = await self._tool_use.follow(turn, reply, params, ANSWER_S)
        return self._refused.pop(reply.id, None) or verdict(turn, reply, limited=self._limited(params))

    # ---------------------------------------------------------------- interruption
    async def interrupt(self, audio_end_ms: int | None) -> Turn | None:
        """Stop what is being answered or said; gives the turn that was stopped."""
        await self.link.timeline.settle()
        self.link.check_open()
        active = self.link.connection.active
        stopped, reply = self.book.owner(active.id) if active is not None else (self._speaking, None)
        if reply is not None:
            with contextlib.suppress(TimeoutError, ServerError):  # it may be over by now
                event_id = await self.asker.cancel(reply.id)
                await self.link.until(lambda: reply.done, CANCEL_S, about=[event_id])
        if stopped is not None:
            await self._settle(stopped, cancel=reply is None)
        heard = stopped or next(reversed(self.book.turns), None)
        if heard is not None and audio_end_ms is not None:
            await self.asker.truncate(heard, audio_end_ms)
        return stopped

    async def _settle(self, turn: Turn, *, cancel: bool) -> None:
        """Wait until an interrupted turn is finished; cancel its task where no response was there to be cancelled."""
        if cancel:
            await self.abort(turn)
        elif turn.task is not None:
            await asyncio.wait({turn.task}, timeout=ABORT_S)
