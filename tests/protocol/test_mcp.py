"""Tools of MCP servers (protocol 4.9), played against the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.items import (
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpHttpError,
    McpListTools,
    McpTool,
    McpToolExecutionError,
)
from realtime_nb.protocol.mcp import MAX_SERVERS, REDACTED, RemoteTool, Toolbox, may_call, needs_approval
from realtime_nb.protocol.session_config import Session
from realtime_nb.protocol.tools import (
    FunctionTool,
    McpApprovalFilter,
    McpServer,
    McpToolFilter,
    ToolChoiceFunction,
    ToolChoiceMcp,
)

if TYPE_CHECKING:
    from .conftest import Wire

Types = Callable[[list[Any]], list[str]]

FIND = McpTool(name="find", input_schema={"type": "object"}, description="Finds.", annotations={"readOnlyHint": True})
BURN = McpTool(name="burn", input_schema={})
MAPS = McpServer(server_label="maps", server_url="https://maps.example/mcp", require_approval="never")


def declared(**fields: Any) -> McpServer:
    """The maps server, declared otherwise."""
    return McpServer(**{"server_label": "maps", "server_url": "https://maps.example/mcp", **fields})


def with_tools(make_wire: Callable[..., Wire], server: McpServer = MAPS, *tools: McpTool) -> Wire:
    """A connection whose MCP server has told its tools."""
    wire = make_wire(Session(tools=(server,)))
    wire.report(fx.McpToolsListed("mcpl_1", tools or (FIND, BURN)))
    return wire


def called(wire: Wire, name: str = "find") -> list[Any]:
    """A response that calls a tool."""
    wire.send(ev.ResponseCreate())
    asked = wire.last(fx.Generate).response_id
    pieces = [fx.CallDelta(asked, 0, name, '{"q":'), fx.CallDelta(asked, 0, "", ""), fx.CallDelta(asked, 0, "", "1}")]
    return wire.report(*pieces, fx.Generated(asked, "tool_calls"))


# ---------------------------------------------------------------- lists
def test_listing(make_wire: Callable[..., Wire], types: Types) -> None:
    """A declared server is asked for its tools, which are offered to the brain from then on."""
    wire = make_wire(Session(tools=(MAPS, FunctionTool(name="own"))))
    assert types(wire.log) == ["session.created", "conversation.item.added", "mcp_list_tools.in_progress"]
    assert wire.last(fx.ListMcpTools) == fx.ListMcpTools("mcpl_1", MAPS)
    assert [tool.name for tool in wire.last(fx.Warm).tools] == ["own"]
    events = wire.report(fx.McpToolsListed("mcpl_1", (FIND, BURN)))
    assert types(events) == ["mcp_list_tools.completed", "conversation.item.done"]
    assert isinstance(events[1].item, McpListTools)
    assert events[1].item.tools == (FIND, BURN)
    assert [tool.name for tool in wire.last(fx.Warm).tools] == ["own", "find", "burn"]
    assert wire.report(fx.McpToolsListed("mcpl_1", ()), fx.McpListFailed("mcpl_1", "late")) == []


def test_a_list_that_fails(make_wire: Callable[..., Wire], types: Types) -> None:
    """A server that cannot be asked has no tools; an error says why; declared again, it is asked again."""
    wire = make_wire(Session(tools=(MAPS,)))
    events = wire.report(fx.McpListFailed("mcpl_1", "No answer."))
    assert types(events) == ["mcp_list_tools.failed", "conversation.item.done", "error"]
    assert "'maps'. No answer." in events[2].error.message
    raw = {"type": "mcp", "server_label": "maps", "server_url": "https://maps.example/mcp", "require_approval": "never"}
    wire.send(ev.SessionUpdate(session={"type": "realtime", "tools": [raw]}))
    assert wire.last(fx.ListMcpTools).item_id == "mcpl_2"


def test_connectors_are_the_services(make_wire: Callable[..., Wire]) -> None:
    """A connector cannot be reached from here, and fails at once."""
    wire = make_wire(Session(tools=(McpServer(server_label="mail", connector_id="connector_gmail"),)))
    assert wire.client.last_error is not None
    assert not any(isinstance(each, fx.ListMcpTools) for each in wire.asked)


def test_a_server_is_asked_once(make_wire: Callable[..., Wire]) -> None:
    """Declared again as it was, a server is not asked again; taken away and declared again, it is."""
    wire = with_tools(make_wire)
    raw = {"type": "mcp", "server_label": "maps", "server_url": "https://maps.example/mcp", "require_approval": "never"}
    for tools, asked in (([raw], 1), ([], 1), ([raw], 2)):
        wire.send(ev.SessionUpdate(session={"type": "realtime", "tools": tools}))
        assert sum(isinstance(each, fx.ListMcpTools) for each in wire.asked) == asked


def test_a_list_whose_item_was_deleted(make_wire: Callable[..., Wire], types: Types) -> None:
    """The client may delete a list before it is there; the tools can be called all the same."""
    wire = make_wire(Session(tools=(MAPS,)))
    wire.send(ev.ConversationItemDelete(item_id="mcpl_1"))
    assert types(wire.report(fx.McpToolsListed("mcpl_1", (FIND,)))) == ["mcp_list_tools.completed"]
    assert [tool.name for tool in wire.last(fx.Warm).tools] == ["find"]


def test_secrets_are_not_echoed(make_wire: Callable[..., Wire]) -> None:
    """What opens a server goes to the runner, and is not shown to the client."""
    wire = make_wire(Session(tools=(declared(authorization="token", headers={"X-Key": "secret"}),)))
    assert wire.last(fx.ListMcpTools).server.authorization == "token"
    session = wire.client.session
    assert isinstance(session, Session)
    assert session.tools == (declared(authorization=REDACTED, headers={"X-Key": REDACTED}),)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"server_url": None}, "missing_required_parameter", "server_url"),
        ({"connector_id": "connector_gmail"}, "invalid_value", "connector_id"),
        ({"server_url": "file:///etc/passwd"}, "invalid_value", "server_url"),
        ({"server_url": "http://[broken"}, "invalid_value", "server_url"),
        ({"authorization": "two\nlines"}, "invalid_value", "authorization"),
        ({"headers": {"X": "fine", "X Y": "v"}}, "invalid_value", "headers"),
        ({"headers": {"X": "a\r\nb: c"}}, "invalid_value", "headers"),
    ],
    ids=lambda each: str(each)[:50],
)
def test_entries_that_are_refused(wire: Wire, fields: dict[str, Any], code: str, param: str) -> None:
    """An entry that names no one server, or could not be sent as it is, is refused."""
    raw = {"type": "mcp", "server_label": "maps", "server_url": "https://maps.example/mcp", **fields}
    (event,) = wire.send(ev.SessionUpdate(session={"type": "realtime", "tools": [raw]}))
    assert (event.error.code, event.error.param) == (code, f"session.tools[0].{param}")  # type: ignore[union-attr] -- seen next


def test_too_many_entries(wire: Wire) -> None:
    """A label is used once, and there is a most of servers; a response is held to the same."""
    raw = {"type": "mcp", "server_label": "a", "server_url": "https://a.example/"}
    many = [{**raw, "server_label": str(n)} for n in range(MAX_SERVERS + 1)]
    for tools, code in (([raw, raw], "invalid_value"), (many, "array_above_max_length")):
        (event,) = wire.send(ev.SessionUpdate(session={"type": "realtime", "tools": tools}))
        assert event.error.code == code  # type: ignore[union-attr] -- the test fails here if it is no error
    twice = (declared(), declared())
    fine = (FunctionTool(name="own"), declared())
    assert isinstance(wire.send(ev.ResponseCreate(response=ev.ResponseParams(tools=fine)))[-1], ev.ResponseCreated)
    wire.send(ev.ResponseCancel())
    (event,) = wire.send(ev.ResponseCreate(response=ev.ResponseParams(tools=twice)))
    assert event.error.param == "response.tools[1].server_label"  # type: ignore[union-attr] -- same


# ---------------------------------------------------------------- calls
def test_a_call(make_wire: Callable[..., Wire], types: Types) -> None:
    """A call that needs no leave runs at once; the response lasts until it has, and makes no other."""
    wire = with_tools(make_wire)
    events = called(wire)
    assert types(events) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
    ]
    asked = wire.last(fx.CallMcpTool)
    assert (asked.server, asked.name, asked.arguments) == (MAPS, "find", '{"q":1}')
    events = wire.report(fx.McpCalled(asked.item_id, "here"))
    assert types(events) == [
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    call = events[3].response.output[0]
    assert isinstance(call, McpCall)
    assert (call.status, call.output, call.arguments) == ("completed", "here", '{"q":1}')
    wire.send(ev.ResponseCreate())
    assert call in wire.last(fx.Generate).request.items


def test_a_call_that_fails(make_wire: Callable[..., Wire], types: Types) -> None:
    """What went wrong is in the item, and the model reads it."""
    wire = with_tools(make_wire)
    called(wire)
    error = McpHttpError(code=503, message="Busy.")
    events = wire.report(fx.McpCallFailed(wire.last(fx.CallMcpTool).item_id, error))
    assert types(events)[0] == "response.mcp_call.failed"
    assert events[1].item.error == error
    wire.send(ev.ResponseCreate())
    assert wire.last(fx.Generate).request.items[-1].error == error


def test_a_call_nobody_waits_for(make_wire: Callable[..., Wire]) -> None:
    """A cancelled response stops its calls; what they give later is ignored."""
    wire = with_tools(make_wire)
    called(wire)
    name = wire.last(fx.CallMcpTool).item_id
    done = wire.send(ev.ResponseCancel())[-2]
    assert isinstance(done, ev.ResponseDone)
    assert (done.response.status, done.response.output[0].status) == ("cancelled", "incomplete")
    assert wire.asked[-1] == fx.StopMcpTool(name)
    assert wire.report(fx.McpCalled(name, "late"), fx.McpCallFailed(name, McpToolExecutionError(message=""))) == []


def test_stopping_one_of_two(make_wire: Callable[..., Wire]) -> None:
    """Each response stops its own calls only."""
    wire = with_tools(make_wire)
    called(wire)
    wire.send(ev.ResponseCreate(response=ev.ResponseParams(conversation="none")))
    wire.report(fx.CallDelta("resp_2", 0, "burn", "{}"), fx.Generated("resp_2", "tool_calls"))
    first, second = (each.item_id for each in wire.asked if isinstance(each, fx.CallMcpTool))
    wire.send(ev.ResponseCancel())
    assert [each for each in wire.asked if isinstance(each, fx.StopMcpTool)] == [fx.StopMcpTool(first)]
    done = wire.report(fx.McpCalled(second, "ash"))[-2]
    assert isinstance(done, ev.ResponseDone)
    assert (done.response.id, done.response.status) == ("resp_2", "completed")


def test_a_call_cut_in_its_arguments(make_wire: Callable[..., Wire]) -> None:
    """A call whose arguments were cut is not made."""
    wire = with_tools(make_wire)
    wire.send(ev.ResponseCreate())
    wire.report(fx.CallDelta("resp_1", 0, "find", "{"))
    done = wire.report(fx.Generated("resp_1", "length"))[-2]
    assert isinstance(done, ev.ResponseDone)
    assert (done.response.status, done.response.output[0].status) == ("incomplete", "incomplete")
    assert not any(isinstance(each, fx.CallMcpTool) for each in wire.asked)


def test_deleting_a_call_that_runs(make_wire: Callable[..., Wire], types: Types) -> None:
    """An item may be deleted while its call runs; the response ends all the same."""
    wire = with_tools(make_wire)
    called(wire)
    name = wire.last(fx.CallMcpTool).item_id
    wire.send(ev.ConversationItemDelete(item_id=name))
    assert types(wire.report(fx.McpCalled(name, "here")))[-2:] == ["response.done", "rate_limits.updated"]


def test_leaving_while_a_call_runs(make_wire: Callable[..., Wire]) -> None:
    """When the client leaves, the call is stopped; the brain, which is done, needs no stop."""
    wire = with_tools(make_wire)
    called(wire)
    assert wire.server.close(0.0) == [fx.StopMcpTool(wire.last(fx.CallMcpTool).item_id)]


# ---------------------------------------------------------------- leave
def asked_for_leave(make_wire: Callable[..., Wire]) -> tuple[Wire, McpApprovalRequest]:
    """A response that ended with a request for leave."""
    wire = with_tools(make_wire, declared())
    done = called(wire)[-2]
    assert done.response.status == "completed"
    (request,) = [item for item in done.response.output if isinstance(item, McpApprovalRequest)]
    return wire, request


@pytest.mark.parametrize(("approve", "error"), [(True, None), (False, "The user did not approve this call: no")])
def test_leave(make_wire: Callable[..., Wire], types: Types, approve: bool, error: str | None) -> None:
    """A response ends with its request; the answer runs the call, or ends it with the refusal."""
    wire, request = asked_for_leave(make_wire)
    assert (request.name, request.arguments) == ("find", '{"q":1}')
    answer = McpApprovalResponse(approval_request_id=request.id, approve=approve, reason="no")
    events = wire.send(ev.ConversationItemCreate(item=answer))
    if approve:
        assert types(events)[-1] == "response.mcp_call.in_progress"
        events = wire.report(fx.McpCalled(wire.last(fx.CallMcpTool).item_id, "here"))
    assert types(events)[-1] == "conversation.item.done"
    call = events[-1].item
    assert isinstance(call, McpCall)
    assert call.approval_request_id == request.id
    assert (call.error.message if call.error else None) == error
    (again,) = wire.send(ev.ConversationItemCreate(item=answer))
    assert again.error.code == "invalid_approval_request_id", "a request is answered once"


# ---------------------------------------------------------------- choices
def test_choices(make_wire: Callable[..., Wire]) -> None:
    """A choice of an MCP server becomes one of its functions, or all of them and no other."""
    wire = make_wire(Session(tools=(MAPS, FunctionTool(name="own"))))
    wire.report(fx.McpToolsListed("mcpl_1", (FIND, BURN)))
    for choice, told, tools in (
        (ToolChoiceMcp(server_label="maps", name="burn"), ToolChoiceFunction(name="burn"), ["own", "find", "burn"]),
        (ToolChoiceMcp(server_label="maps"), "required", ["find", "burn"]),
        ("auto", "auto", ["own", "find", "burn"]),
    ):
        wire.send(ev.ResponseCreate(response=ev.ResponseParams(tool_choice=choice)), ev.ResponseCancel())
        request = wire.last(fx.Generate).request
        assert (request.tool_choice, [tool.name for tool in request.tools]) == (told, tools)


def test_choices_that_are_not_there(make_wire: Callable[..., Wire]) -> None:
    """A server that is not declared is refused; a tool that it has not listed makes a failed response."""
    wire = with_tools(make_wire)
    for choice in (ToolChoiceMcp(server_label="mail"), ToolChoiceFunction(name="own")):
        (event,) = wire.send(ev.ResponseCreate(response=ev.ResponseParams(tool_choice=choice)))
        assert event.error.param == "response.tool_choice"  # type: ignore[union-attr] -- fails here if it is no error
    params = ev.ResponseParams(tool_choice=ToolChoiceMcp(server_label="maps", name="fly"))
    done = wire.send(ev.ResponseCreate(response=params))[1]
    assert isinstance(done, ev.ResponseDone)
    assert done.response.status_details is not None
    assert done.response.status_details.error is not None
    assert done.response.status_details.error.code == "mcp_tool_not_found"


def test_a_response_waits_for_its_own_servers(wire: Wire) -> None:
    """A server that a response brings is asked first; one of the session's is not waited for."""
    wire.send(ev.ResponseCreate(response=ev.ResponseParams(tools=(MAPS,))))
    assert not any(isinstance(each, fx.Generate) for each in wire.asked)
    wire.report(fx.McpToolsListed("mcpl_1", (FIND,)))
    assert [tool.name for tool in wire.last(fx.Generate).request.tools] == ["find"]


def test_names_that_are_taken() -> None:
    """A remote tool whose name is taken gets its server's label before it, and more if need be."""
    offer = RemoteTool(MAPS, FIND)
    taken = [FunctionTool(name="find"), FunctionTool(name="maps_find")]
    assert list(Toolbox.of(taken, [offer]).remote) == ["maps_find_"]


# ---------------------------------------------------------------- filters
@pytest.mark.parametrize(
    ("allowed", "names"),
    [
        (None, ["find", "burn"]), (("burn",), ["burn"]), ((), []), (McpToolFilter(read_only=True), ["find"]),
        (McpToolFilter(read_only=False), ["burn"]), (McpToolFilter(tool_names=("find",), read_only=False), []),
    ],
)  # fmt: skip
def test_what_may_be_called(allowed: Any, names: list[str]) -> None:
    """Names, and whether a tool only reads, decide which tools the brain sees."""
    assert [tool.name for tool in (FIND, BURN) if may_call(declared(allowed_tools=allowed), tool)] == names


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (None, ["find", "burn"]), ("always", ["find", "burn"]), ("never", []),
        (McpApprovalFilter(never=McpToolFilter(read_only=True)), ["burn"]),
        (McpApprovalFilter(always=McpToolFilter(tool_names=("burn",))), ["burn"]),
        (McpApprovalFilter(never=McpToolFilter()), ["find", "burn"]),
        (McpApprovalFilter(always=McpToolFilter(read_only=True), never=McpToolFilter(read_only=False)), ["find"]),
    ],
)  # fmt: skip
def test_what_needs_leave(rule: Any, names: list[str]) -> None:
    """Where nothing is said, every call needs leave; filters waive it, or name what needs it."""
    assert [tool.name for tool in (FIND, BURN) if needs_approval(declared(require_approval=rule), tool)] == names
