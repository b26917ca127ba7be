"""Tools of a real MCP server: listed, called, approved, failing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from realtime_nb.engine.base import ChatRequest
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.serving import bind
from realtime_nb.testing.stages import Call, StubLlm, stub_engine

mcpserver = pytest.importorskip("mcp.server.mcpserver")

pytestmark = pytest.mark.timeout(60)


@pytest.fixture(scope="module")
def tools_url() -> Iterator[str]:
    """A server of tools, by the MCP project's own package."""
    tools = mcpserver.MCPServer("kitchen")

    @tools.tool()
    def weigh(thing: str) -> str:
        """Tell the weight of a thing."""
        return f"{thing} weighs 3 kg"

    @tools.tool()
    def burn(thing: str) -> str:
        """Fail."""
        raise RuntimeError(f"{thing} is burnt")

    taken, address = bind(ServerOptions())
    server = uvicorn.Server(uvicorn.Config(tools.streamable_http_app(), log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([taken],), daemon=True)
    thread.start()
    yield f"{address.http}/mcp"
    server.should_exit = True
    thread.join()


def cook(request: ChatRequest) -> str | Call:
    """Call the tool that the user names, and repeat what it gave."""
    last = request.messages[-1]
    if last.role == "tool":
        return f"It says: {last.text}"
    name = next((tool.name for tool in request.tools if tool.name in last.text), None)
    return Call(name, {"thing": "an egg"}) if name else "No such tool."


@pytest.fixture
def kitchen(serve: Any, dial: Any, tools_url: str) -> Any:
    """Begin a session with the tools."""

    def begin(**tool: Any) -> Any:
        caller = dial(serve(ServerOptions(mcp_s=10), engine=stub_engine(llm=StubLlm(cook))))
        caller.until("session.created")
        given = {"type": "mcp", "server_label": "kitchen", "server_url": tools_url, "require_approval": "never", **tool}
        caller.update(tools=[given], output_modalities=["text"])
        return caller

    return begin


def ask(caller: Any, text: str) -> None:
    """Ask in writing."""
    part = {"type": "input_text", "text": text}
    caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
    caller.send("response.create")


def test_tools_are_listed(kitchen: Any) -> None:
    """The server's tools become an item, with their schemas."""
    caller = kitchen()
    caller.until("mcp_list_tools.completed")
    item = caller.until("conversation.item.done")["item"]
    assert item["type"] == "mcp_list_tools"
    assert {tool["name"] for tool in item["tools"]} == {"weigh", "burn"}
    assert item["tools"][0]["input_schema"]["properties"]["thing"]["type"] == "string"


def test_a_tool_is_called_and_its_answer_used(kitchen: Any) -> None:
    """The model calls, our server runs it, and the next response knows what came of it."""
    caller = kitchen()
    caller.until("mcp_list_tools.completed")
    ask(caller, "Please weigh an egg.")
    caller.until("response.mcp_call.completed")
    if not caller.all("response.done"):
        caller.until("response.done")
    caller.send("response.create")
    done = caller.until("response.done")["response"]
    assert "3 kg" in done["output"][0]["content"][0]["text"]


def test_a_tool_that_fails_says_so(kitchen: Any) -> None:
    """A tool's own fault is the call's error."""
    caller = kitchen()
    caller.until("mcp_list_tools.completed")
    ask(caller, "Please burn an egg.")
    caller.until("response.mcp_call.failed")
    done = caller.until("response.done")["response"]
    [call] = [item for item in done["output"] if item["type"] == "mcp_call"]
    assert call["error"]["type"] == "tool_execution_error"
    assert "burn" in call["error"]["message"]


def test_a_tool_waits_for_approval(kitchen: Any) -> None:
    """Where approval is required nothing runs before it is given."""
    caller = kitchen(require_approval="always")
    caller.until("mcp_list_tools.completed")
    ask(caller, "Please weigh an egg.")
    done = caller.until("response.done")["response"]
    [request] = [item for item in done["output"] if item["type"] == "mcp_approval_request"]
    assert not caller.all("response.mcp_call.in_progress")
    answer = {"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": True}
    caller.send("conversation.item.create", item=answer)
    caller.until("response.mcp_call.completed")


@pytest.mark.parametrize("tool", [{"server_url": "http://127.0.0.1:1/mcp"}, {"connector_id": "connector_gmail"}])
def test_a_server_that_cannot_be_had_fails_its_list_alone(caller: Any, tool: dict[str, Any]) -> None:
    """Where nobody answers, or only OpenAI could, the list fails, in words, and the session goes on."""
    caller.update(tools=[{"type": "mcp", "server_label": "nobody", **tool}])
    caller.until("mcp_list_tools.failed")
    assert caller.works()


def test_a_client_that_leaves_leaves_no_question(serve: Any, dial: Any) -> None:
    """A session that ends while a server of tools is silent ends its question, too."""
    silent, address = bind(ServerOptions())
    silent.listen()
    with contextlib.closing(silent):
        serving = serve()
        caller = dial(serving)
        caller.until("session.created")
        tool = {"type": "mcp", "server_label": "silent", "server_url": f"{address.http}/mcp"}
        caller.send("session.update", session={"type": "realtime", "tools": [tool]})
        caller.until("mcp_list_tools.in_progress")
        caller.socket.close()
