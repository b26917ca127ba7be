"""The functions that a response calls: run, told to the model, and answered by it, until it needs no more."""

from __future__ import annotations

import dataclasses
from typing import Any

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.base import replace
from realtime_nb.protocol.items import FunctionCall, FunctionCallOutput
from realtime_nb.session.asking import Asker
from realtime_nb.session.gate import Gate
from realtime_nb.session.link import Link
from realtime_nb.session.reply import Reply
from realtime_nb.tools import CallRecord, ToolBox
from realtime_nb.turn import Turn

__all__ = ["ToolUse"]

MAX_ROUNDS = 8
"""Calls after calls; then the model is asked to answer without any."""


class ToolUse:
    """Runs what a response calls.

    Parameters
    ----------
    link : Link
        The connection.
    tools : ToolBox
        The functions there are.
    gate : Gate
        What stands before each response.
    asker : Asker
        Asks for the answers.
    """

    def __init__(self, link: Link, tools: ToolBox, gate: Gate, asker: Asker) -> None:
        self._link = link
        self._tools = tools
        self._gate = gate
        self._asker = asker

    def calls(self, reply: Reply) -> list[FunctionCall]:
        """The calls of a completed response."""
        if reply.state.status != "completed":
            return []
        return [item for item in reply.items if isinstance(item, FunctionCall)]

    async def follow(self, turn: Turn, reply: Reply, params: ev.ResponseParams, timeout_s: float) -> Reply:
        """Run the calls, send all their outputs, then ask once; until an answer needs no more.

        Parameters
        ----------
        turn : Turn
            Which it belongs to.
        reply : Reply
            Done.
        params : ResponseParams
            What it was to do otherwise.
        timeout_s : float
            How long the server may be silent.

        Returns
        -------
        Reply
            The last one, done.

        Raises
        ------
        BudgetExceeded
            The answer might pass the budget: nothing is run that nobody would be told of.
        """
        for left in reversed(range(MAX_ROUNDS)):
            calls = self.calls(reply)
            if not calls:
                break
            self._gate.check(self._link.session, params)
            if await self._run(turn, calls) < len(calls):  # the rest is answered by whoever declared it, and asks then
                break
            again = replace(params, input=None, tool_choice=self._next_choice(params, left))
            async with self._gate.leave(self._link.session, again, told=turn.hold) as permit:
                reply = await self._asker.respond(turn, again, timeout_s, permit=permit)
        return reply

    async def _run(self, turn: Turn, calls: list[FunctionCall]) -> int:
        """Run those that are ours, and tell the model; gives how many that were."""
        records = [self._recalled(record) for record in await self._tools.run(calls)]
        for record in records:
            turn.ran.append(record)
            output = FunctionCallOutput(call_id=record.call_id, output=record.output)
            await self._link.send(ev.ConversationItemCreate(item=output))
        return len(records)

    def _recalled(self, record: CallRecord) -> CallRecord:
        """What the model is told of a call: in a replay, it took as long as it took then."""
        output, took_s = self._link.timeline.recall(record.call_id, record.output, record.took_s)
        for tap in self._link.taps:
            tap.called(record.call_id, took_s)
        return dataclasses.replace(record, output=output, took_s=took_s)

    def _next_choice(self, params: ev.ResponseParams, left: int) -> Any:
        """After calls: a forced choice would force the next one, too (protocol, 7)."""
        if not left:
            return "none"
        forced = (params.tool_choice or self._link.session.tool_choice) not in ("auto", "none")
        return "auto" if forced else params.tool_choice
