"""MCP tools through a real socket, against a real MCP server: listed, called, approved, failing."""

from __future__ import annotations

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.shared.exceptions import MCPError
from mcp.types import ToolAnnotations

from realtime_nb.engine.base import ChatRequest
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.serving import bind
from realtime_nb.testing.stages import Call, StubLlm, stub_engine

from .test_teardown import tasks_of, wait_for

pytestmark = pytest.mark.timeout(60)

TOKEN = "let-me-in"
LIMIT = 64 * 1024
Session = Callable[..., Any]


# ---------------------------------------------------------------- a real MCP server
@dataclass
class Kitchen:
    """A server of tools, by the SDK's own hand, and what it was asked."""

    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """The ``Authorization`` and the method of each request."""
    let_go: threading.Event = field(default_factory=threading.Event)
    """Set when the tool that never ends was stopped."""

    def tools(self) -> MCPServer:
        """The tools."""
        server = MCPServer("kitchen")

        @server.tool(annotations=ToolAnnotations(read_only_hint=True))
        def weigh(thing: str) -> str:
            """Tell the weight of a thing."""
            return f"{thing} weighs 3 kg"

        @server.tool()
        def burn(thing: str) -> str:
            raise ToolError(f"{thing} is burnt")

        @server.tool()
        def refuse(thing: str) -> str:
            raise MCPError(-32_001, f"no {thing} on Sundays")

        @server.tool()
        def feast(thing: str) -> str:
            return thing * LIMIT

        @server.tool()
        async def simmer(thing: str) -> str:
            import anyio

            try:
                await anyio.sleep_forever()
            finally:
                self.let_go.set()

        return server

    def gate(self, app: Any) -> Any:
        """Write down what comes, and let nobody without a token into what is locked."""

        async def door(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            token = dict(scope["headers"]).get(b"authorization", b"").decode()
            if b"locked" in scope["query_string"] and token != f"Bearer {TOKEN}":
                headers = [(b"content-type", b"application/json")]
                await send({"type": "http.response.start", "status": 401, "headers": headers})
                await send({"type": "http.response.body", "body": b'{"error": "invalid_token"}'})
                return

            async def look() -> Any:
                message = await receive()
                if body := message.get("body"):
                    self.asked.append((token, json.loads(body).get("method", "")))
                return message

            await app(scope, look, send)

        return door


@pytest.fixture
def kitchen() -> Iterator[Kitchen]:
    """A server of tools on this machine."""
    kitchen = Kitchen()
    taken, address = bind(ServerOptions())
    kitchen.url = f"{address.http}/mcp"
    app = kitchen.gate(kitchen.tools().streamable_http_app())
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([taken],), daemon=True)
    thread.start()
    yield kitchen
    server.should_exit = True
    thread.join()


def cook(request: ChatRequest) -> str | Call:
    """Call the tool that the user names; repeat what a tool gave."""
    last = request.messages[-1]
    if last.role == "tool":
        return f"It says: {last.text}"
    if request.tool_choice not in {"auto", "required", "none"}:
        return Call(request.tool_choice, {"thing": "a choice"})
    name = next((tool.name for tool in request.tools if tool.name in last.text), None)
    return Call(name, {"thing": "an egg"}) if name else f"I have {[tool.name for tool in request.tools]}."


@pytest.fixture
def begin(serve: Any, dial: Any, kitchen: Kitchen) -> Session:
    """Begin a session that declares the kitchen; give it when the tools are listed."""

    def session(options: ServerOptions | None = None, **tool: Any) -> Any:
        serving = serve(options or ServerOptions(mcp_bytes=LIMIT), engine=stub_engine(llm=StubLlm(cook)))
        caller = dial(serving)
        caller.serving = serving
        caller.until("session.created")
        entry = {"type": "mcp", "server_label": "kitchen", "server_url": kitchen.url, "require_approval": "never"}
        caller.update(tools=[{**entry, **tool}], output_modalities=["text"])
        caller.until("conversation.item.done")
        return caller

    return session


def types(caller: Any) -> list[str]:
    """The types received since the last session event."""
    names = [event["type"] for event in caller.events]
    return names[len(names) - names[::-1].index("session.updated") :]


def item(response: Any, kind: str) -> Any:
    """The one item of that type in a response."""
    [found] = [item for item in response["output"] if item["type"] == kind]
    return found


def answer(caller: Any, request: Any, **said: Any) -> None:
    """Answer an approval request."""
    caller.send(
        "conversation.item.create",
        item={"type": "mcp_approval_response", "approval_request_id": request["id"], **said},
    )


# ---------------------------------------------------------------- lists
def test_tools_are_listed_when_declared(begin: Session) -> None:
    """A declared server is asked at once; its tools come in an item of their own, with schema and annotations."""
    caller = begin()
    assert types(caller) == [
        "conversation.item.added",
        "mcp_list_tools.in_progress",
        "mcp_list_tools.completed",
        "conversation.item.done",
    ]
    listed = caller.events[-1]["item"]
    assert (listed["type"], listed["status"], listed["server_label"]) == ("mcp_list_tools", "completed", "kitchen")
    assert [tool["name"] for tool in listed["tools"]] == ["weigh", "burn", "refuse", "feast", "simmer"]
    weigh = listed["tools"][0]
    assert weigh["description"] == "Tell the weight of a thing."
    assert weigh["input_schema"]["required"] == ["thing"]
    assert weigh["annotations"] == {"readOnlyHint": True}


@pytest.mark.parametrize(
    ("allowed", "seen"),
    [(["burn", "unheard-of"], ["burn"]), ({"read_only": True}, ["weigh"]), ({"tool_names": ["weigh"]}, ["weigh"])],
)
def test_only_allowed_tools_are_seen(begin: Session, allowed: Any, seen: list[str]) -> None:
    """The list, and the model, have the allowed tools alone."""
    caller = begin(allowed_tools=allowed)
    assert [tool["name"] for tool in caller.events[-1]["item"]["tools"]] == seen
    assert caller.say("What do you have?")["output"][0]["content"][0]["text"] == f"I have {seen}."


def test_a_response_waits_for_the_servers_it_brings(serve: Any, dial: Any, kitchen: Kitchen) -> None:
    """A server declared for one response is listed before the model begins, and is unknown to the next response."""
    caller = dial(serve(engine=stub_engine(llm=StubLlm(cook))))
    tool = {"type": "mcp", "server_label": "k", "server_url": kitchen.url, "require_approval": "never"}
    done = caller.say("weigh it", tools=[tool], output_modalities=["text"])
    assert item(done, "mcp_call")["output"] == "an egg weighs 3 kg"
    assert caller.say("What now?", output_modalities=["text"])["output"][0]["content"][0]["text"] == "I have []."


# ---------------------------------------------------------------- calls
def test_a_tool_is_called(begin: Session) -> None:
    """The call streams its arguments, runs and ends inside its response; the model speaks of it when asked to."""
    caller = begin()
    done = caller.say("Please weigh it.")
    assert caller.between("response.created", "response.done") == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.delta",
        "response.mcp_call_arguments.done",
        "response.mcp_call.in_progress",
        "response.mcp_call.completed",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    call = item(done, "mcp_call")
    assert (done["status"], call["status"], call["output"]) == ("completed", "completed", "an egg weighs 3 kg")
    [written] = caller.all("response.mcp_call_arguments.done")
    assert json.loads(written["arguments"]) == json.loads(call["arguments"]) == {"thing": "an egg"}
    [begun] = caller.all("response.mcp_call.in_progress")
    assert (begun["item_id"], begun["output_index"]) == (call["id"], 0)
    caller.send("response.create")
    said = caller.until("response.done")["response"]
    assert said["output"][0]["content"][0]["text"] == "It says: an egg weighs 3 kg"


def test_one_connection_serves_the_session(begin: Session, kitchen: Kitchen) -> None:
    """The server is greeted once, however often its tools are called."""
    caller = begin()
    for _ in range(3):
        caller.say("Please weigh it.")
        caller.say("Thanks.")
    methods = [method for _, method in kitchen.asked]
    assert methods.count("tools/call") == 3
    assert methods.count("server/discover") == methods.count("tools/list") == 1


def test_a_tool_that_must_be_called(begin: Session) -> None:
    """A choice of an MCP tool is obeyed; one of a tool that nobody has listed fails the response."""
    caller = begin()
    choice = {"type": "mcp", "server_label": "kitchen", "name": "weigh"}
    assert item(caller.say("Hm.", tool_choice=choice), "mcp_call")["output"] == "a choice weighs 3 kg"
    failed = caller.say("Hm.", tool_choice={**choice, "name": "cool"})
    assert failed["status"] == "failed"
    assert failed["status_details"]["error"]["code"] == "mcp_tool_not_found"


FAILURES = {
    "burn": ("tool_execution_error", None, "an egg is burnt"),
    "refuse": ("protocol_error", -32_001, "no an egg on Sundays"),
    "feast": ("protocol_error", -32_700, f"more than {LIMIT} bytes"),
}


@pytest.mark.parametrize("tool", FAILURES)
def test_a_tool_that_fails(begin: Session, tool: str) -> None:
    """What went wrong is the call's error, of its kind; the response completes, and the model reads it."""
    kind, code, words = FAILURES[tool]
    caller = begin()
    done = caller.say(f"Please {tool} it.")
    call = item(done, "mcp_call")
    assert (done["status"], call["status"], call.get("output")) == ("completed", "completed", None)
    assert (call["error"]["type"], call["error"].get("code")) == (kind, code)
    assert words in call["error"]["message"]
    assert len(caller.all("response.mcp_call.failed")) == 1
    caller.send("response.create")
    assert words in caller.until("response.done")["response"]["output"][0]["content"][0]["text"]


def test_a_tool_that_takes_too_long(begin: Session, kitchen: Kitchen) -> None:
    """A tool has so much time, then it is let go and the call fails."""
    caller = begin(ServerOptions(mcp_s=2.0))
    call = item(caller.say("Please simmer it."), "mcp_call")
    assert call["error"] == {"type": "http_error", "code": 504, "message": "No answer came within 2 s."}
    assert kitchen.let_go.wait(10)


def test_a_stopped_response_stops_its_tool(begin: Session, kitchen: Kitchen) -> None:
    """Cancelling the response ends the call, here and at the server of tools."""
    caller = begin()
    part = {"type": "input_text", "text": "Please simmer it."}
    caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
    caller.send("response.create")
    caller.until("response.mcp_call.in_progress")
    wait_for(lambda: "tools/call" in [method for _, method in kitchen.asked])
    caller.send("response.cancel")
    done = caller.until("response.done")["response"]
    assert (done["status"], item(done, "mcp_call")["status"]) == ("cancelled", "incomplete")
    assert len(caller.all("response.mcp_call.failed")) == 1
    assert kitchen.let_go.wait(10)
    assert caller.works()


# ---------------------------------------------------------------- approval
def test_approval(begin: Session) -> None:
    """Nothing runs before leave is given; the response does not wait for it; given, the call ends in its own item."""
    caller = begin(require_approval="always")
    done = caller.say("Please weigh it.")
    request, call = item(done, "mcp_approval_request"), item(done, "mcp_call")
    assert (request["name"], request["server_label"]) == ("weigh", "kitchen")
    assert request["arguments"] == call["arguments"] == caller.all("response.mcp_call_arguments.done")[0]["arguments"]
    assert (call["status"], call["approval_request_id"]) == ("in_progress", request["id"])
    assert not caller.all("response.mcp_call.in_progress")
    answer(caller, request, approve=True)
    assert caller.until("response.mcp_call.completed")["item_id"] == call["id"]
    ended = caller.until("conversation.item.done")["item"]
    assert ended == {**call, "status": "completed", "output": "an egg weighs 3 kg"}
    answer(caller, request, approve=True)
    assert caller.until("error")["error"]["code"] == "invalid_approval_request_id"


def test_approval_denied(begin: Session, kitchen: Kitchen) -> None:
    """A refusal is the call's error, with the reason; the tool is not asked."""
    caller = begin(require_approval={"never": {"read_only": True}})
    assert item(caller.say("Please weigh it."), "mcp_call")["output"] == "an egg weighs 3 kg"
    request = item(caller.say("Please burn it."), "mcp_approval_request")
    answer(caller, request, approve=False, reason="it is Sunday")
    caller.until("response.mcp_call.failed")
    ended = caller.until("conversation.item.done")["item"]
    assert ended["error"]["message"] == "The user did not approve this call: it is Sunday"
    assert [method for _, method in kitchen.asked].count("tools/call") == 1


# ---------------------------------------------------------------- servers that cannot be had
NOBODY = [
    ({"server_url": "http://127.0.0.1:9/mcp"}, "The server could not be reached"),
    ({"server_url": None, "connector_id": "connector_gmail"}, "Connectors and tunnels belong to the service"),
    ({"server_url": None, "tunnel_id": "tunnel_1"}, "Connectors and tunnels belong to the service"),
]


@pytest.mark.parametrize(("tool", "why"), NOBODY, ids=["unreachable", "connector", "tunnel"])
def test_a_server_that_cannot_be_had(begin: Session, tool: Any, why: str) -> None:
    """Its list fails, an error says why, and the session goes on without its tools."""
    caller = begin(**tool)
    assert types(caller)[2:] == ["mcp_list_tools.failed", "conversation.item.done"]
    assert (caller.events[-1]["item"]["status"], caller.events[-1]["item"]["tools"]) == ("incomplete", [])
    error = caller.until("error")["error"]
    assert (error["type"], error["code"]) == ("external_connector_error", "mcp_list_tools_failed")
    assert error["message"].startswith(f"Error retrieving tool list from MCP server: 'kitchen'. {why}")
    assert caller.works()


def test_the_package_is_missing(begin: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the SDK the list fails with the line that installs it."""
    monkeypatch.delitem(sys.modules, "realtime_nb.server.mcp_client", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", None)
    assert "pip install 'mcp" in begin().until("error")["error"]["message"]


def test_a_token_opens_and_is_not_told_again(
    begin: Session, kitchen: Kitchen, caplog: pytest.LogCaptureFixture
) -> None:
    """Token and headers reach their server; neither an event nor a log line has them, nor has a refusal."""
    caplog.set_level(logging.DEBUG)
    locked = f"{kitchen.url}?locked"
    caller = begin(server_url=locked, headers={"X-Secret": "pepper"})
    assert "HTTP status 401" in caller.until("error")["error"]["message"]
    entry = {"type": "mcp", "server_label": "kitchen", "server_url": locked, "require_approval": "never"}
    shown = caller.update(tools=[{**entry, "authorization": TOKEN, "headers": {"X-Secret": "pepper"}}])["tools"][0]
    assert (shown["authorization"], shown["headers"]) == ("<redacted>", {"X-Secret": "<redacted>"})
    caller.until("mcp_list_tools.completed")
    assert item(caller.say("Please weigh it."), "mcp_call")["output"] == "an egg weighs 3 kg"
    assert {token for token, _ in kitchen.asked} == {f"Bearer {TOKEN}"}
    logged = [log.getMessage() for log in caplog.records if not log.name.startswith("websockets")]  # logs frames
    told = json.dumps(caller.events) + "".join(logged)
    assert TOKEN not in told
    assert "pepper" not in told


# ---------------------------------------------------------------- manners
def test_a_silent_server_holds_nobody_up(serve: Any, dial: Any) -> None:
    """While a server says nothing, turns go on; when the client leaves, nothing of the question is left."""
    silent, address = bind(ServerOptions())
    silent.listen()
    serving = serve()
    caller = dial(serving)
    caller.until("session.created")
    idle = tasks_of(serving)
    tool = {"type": "mcp", "server_label": "silent", "server_url": f"{address.http}/mcp"}
    caller.update(tools=[tool])
    caller.until("mcp_list_tools.in_progress")
    assert caller.works()
    caller.socket.close()
    wait_for(lambda: tasks_of(serving) < idle)
    silent.close()


def test_a_session_with_tools_leaves_nothing(begin: Session, kitchen: Kitchen) -> None:
    """The connection to the server of tools ends with its session, with a call under way or without."""
    caller = begin()
    caller.say("Please weigh it.")
    part = {"type": "input_text", "text": "Please simmer it."}
    caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
    caller.send("response.create")
    caller.until("response.mcp_call.in_progress")
    wait_for(lambda: [method for _, method in kitchen.asked].count("tools/call") == 2)
    caller.socket.close()
    assert kitchen.let_go.wait(10)
    wait_for(lambda: tasks_of(caller.serving) <= 3)
