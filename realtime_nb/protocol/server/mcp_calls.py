"""Calls of MCP tools: asked for leave where it is needed, run, and closed with what came of them (protocol, 4.9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from realtime_nb.protocol.base import replace
from realtime_nb.protocol.effects import CallMcpTool, McpCalled, McpCallFailed, StopMcpTool
from realtime_nb.protocol.events import ResponseMcpCallCompleted, ResponseMcpCallFailed, ResponseMcpCallInProgress
from realtime_nb.protocol.items import Item, McpApprovalRequest, McpApprovalResponse, McpCall, McpToolExecutionError
from realtime_nb.protocol.mcp import RemoteTool, needs_approval
from realtime_nb.protocol.tools import McpServer

from .state import State

__all__ = ["McpCalls"]


class Outlet(Protocol):
    """The response that a call was made in, as a call needs it."""

    response_id: str

    def finish(self, output_index: int, item: Item) -> None:
        """Say that an item is as it will be."""
        ...

    def leave(self, output_index: int, item: Item) -> None:
        """Say that an item is as it will be in this response."""
        ...

    def insert(self, item: Item) -> None:
        """Put in an item that is finished as it comes."""
        ...


@dataclass
class _Call:
    """A call that is not over."""

    item: McpCall
    server: McpServer
    output_index: int
    output: Outlet | None
    """Of the response that waits for it; None once that is over."""


class McpCalls:
    """The calls of MCP tools that are not over, of all responses.

    A call that needs no leave runs while its response is in progress, and ends with it. One that needs leave
    does not hold its response up: that ends, and the item of the call is finished when the person has answered.
    The service's own example for Ruby (``mcp_approval.rb``, 2026) takes a call that ends before its response and one
    that ends after it, and wants ``response.mcp_call_arguments.done`` inside the response, with the id of the call.

    Parameters
    ----------
    state : State
        Shared.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._running: dict[str, _Call] = {}
        self._asked: dict[str, _Call] = {}  # by the item that asks

    def is_running(self, response_id: str) -> bool:
        """Whether a response waits for a call."""
        return any(
            call.output is not None and call.output.response_id == response_id for call in self._running.values()
        )

    # ------------------------------------------------------------ begun
    def begin(self, item: McpCall, remote: RemoteTool, output: Outlet, output_index: int) -> None:
        """Make a call whose arguments are complete, or ask for leave to.

        Parameters
        ----------
        item : McpCall
            In progress, with its arguments.
        remote : RemoteTool
            What is called.
        output : Output
            Of the response that calls.
        output_index : int
            The item's place in it.
        """
        call = _Call(item, remote.server, output_index, output)
        if needs_approval(remote.server, remote.tool):
            self._ask(call, output)
        else:
            self._run(call)

    def _ask(self, call: _Call, output: Outlet) -> None:
        item = call.item
        request = McpApprovalRequest(
            id=self._state.ids.new("mcpr"),
            status="completed",
            server_label=item.server_label,
            name=item.name,
            arguments=item.arguments,
        )
        call.item = replace(item, approval_request_id=request.id)
        output.leave(call.output_index, call.item)
        output.insert(request)
        call.output = None
        self._asked[request.id] = call
        self._state.asked.add(request.id)

    def _run(self, call: _Call) -> None:
        item = call.item
        self._running[item.id] = call
        self._state.send(ResponseMcpCallInProgress(item_id=item.id, output_index=call.output_index))
        self._state.do(CallMcpTool(item_id=item.id, server=call.server, name=item.name, arguments=item.arguments))

    def decide(self, answer: McpApprovalResponse) -> None:
        """A person has answered: the call is made, or ends with the refusal as its error."""
        self._state.asked.discard(answer.approval_request_id)
        call = self._asked.pop(answer.approval_request_id)  # known, or it were not let in
        if answer.approve:
            self._run(call)
        else:
            why = f": {answer.reason}" if answer.reason else "."
            refusal = McpToolExecutionError(message=f"The user did not approve this call{why}")
            self._end(call, replace(call.item, status="completed", error=refusal))

    # ------------------------------------------------------------ over
    def called(self, report: McpCalled) -> None:
        """A tool has given something."""
        if call := self._running.pop(report.item_id, None):
            self._end(call, replace(call.item, status="completed", output=report.output))

    def failed(self, report: McpCallFailed) -> None:
        """A tool has given nothing; the model reads why."""
        if call := self._running.pop(report.item_id, None):
            self._end(call, replace(call.item, status="completed", error=report.error))

    def drop(self, response_id: str) -> None:
        """Stop what a response waits for, because it is over."""
        for call in [call for call in self._running.values() if call.output is not None]:
            if call.output is not None and call.output.response_id == response_id:
                del self._running[call.item.id]
                self._state.do(StopMcpTool(call.item.id))
                stopped = McpToolExecutionError(message="The response was stopped before the tool had answered.")
                self._end(call, replace(call.item, status="incomplete", error=stopped))

    def close(self) -> None:
        """Stop every call, without a word: the connection is gone."""
        for name in self._running:
            self._state.do(StopMcpTool(name))
        self._running.clear()

    def _end(self, call: _Call, item: McpCall) -> None:
        kind = ResponseMcpCallCompleted if item.error is None else ResponseMcpCallFailed
        self._state.send(kind(item_id=item.id, output_index=call.output_index))
        if call.output is not None:
            call.output.finish(call.output_index, item)
        else:
            self._state.finish(item)
