"""MCP servers that cannot be had, that want a token, that go and come back, that say nothing."""

from __future__ import annotations

import json
import logging
import sys
import threading
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from realtime_nb.server.options import ServerOptions
from realtime_nb.server.serving import bind

from ..test_teardown import tasks_of, wait_for  # noqa: TID252 -- tests are no package to import from
from .conftest import TOKEN, Kitchen, Session, item, types

pytestmark = pytest.mark.timeout(180)

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


def test_a_server_that_goes_and_comes_back(begin: Session, kitchen: Kitchen) -> None:
    """While it is gone its tool's call fails; when it is back, the next call finds it."""
    caller = begin()
    assert item(caller.say("Please weigh it."), "mcp_call")["output"] == "an egg weighs 3 kg"
    kitchen.close()
    gone = item(caller.say("Please weigh it."), "mcp_call")["error"]
    assert (gone["type"], gone["code"]) == ("http_error", 424)
    kitchen.open(urlsplit(kitchen.url).port or 0)
    assert item(caller.say("Please weigh it."), "mcp_call")["output"] == "an egg weighs 3 kg"


def keeps_sessions(verb: str, message: dict[str, Any]) -> tuple[int, str] | None:
    """Answer as a server of before 2026 does, which keeps sessions; this one has no stream of its own."""
    if verb == "GET":
        return 405, "Method Not Allowed"
    unknown = {"jsonrpc": "2.0", "id": message.get("id"), "error": {"code": -32_601, "message": "Method not found"}}
    return (200, json.dumps(unknown)) if message.get("method") == "server/discover" else None


def test_a_server_that_has_forgotten_the_session(begin: Session, kitchen: Kitchen) -> None:
    """It was started anew between two calls: the second finds it as well as the first."""
    kitchen.instead = keeps_sessions
    caller = begin()
    for _ in range(2):
        assert item(caller.say("Please weigh it."), "mcp_call")["output"] == "an egg weighs 3 kg"
        kitchen.close()
        kitchen.open(urlsplit(kitchen.url).port or 0)
    assert item(caller.say("Please weigh it."), "mcp_call")["output"] == "an egg weighs 3 kg"
    assert [method for _, method in kitchen.asked].count("initialize") == 3


def test_a_refusal_is_told_as_it_was_meant(begin: Session, kitchen: Kitchen) -> None:
    """That a server has no stream, or was too busy once, is not the reason why it refuses a later call."""
    looked, busy = threading.Event(), [503]

    def instead(verb: str, message: dict[str, Any]) -> tuple[int, str] | None:
        if verb == "GET":
            looked.set()
        if message.get("method") == "tools/call" and busy:
            return busy.pop(), "busy"
        return keeps_sessions(verb, message)

    kitchen.instead = instead
    caller = begin()
    assert item(caller.say("Please weigh it."), "mcp_call")["error"]["code"] == 503
    assert looked.wait(60)
    assert item(caller.say("Please refuse it."), "mcp_call")["error"]["message"] == "no an egg on Sundays"


def test_the_package_is_another(begin: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another version of the SDK the list fails, with the line that installs the right one."""
    monkeypatch.delitem(sys.modules, "realtime_nb.server.mcp_client", raising=False)
    monkeypatch.setitem(sys.modules, "mcp", ModuleType("mcp"))
    message = begin().until("error")["error"]["message"]
    assert "another version of the package mcp" in message
    assert "pip install 'mcp" in message


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


def test_an_ephemeral_secret_brings_its_servers(serve: Any, dial: Any, kitchen: Kitchen) -> None:
    """A session that begins with a server has it listed first; whoever holds the secret is not told the token."""
    serving = serve()
    entry = {"type": "mcp", "server_label": "kitchen", "server_url": f"{kitchen.url}?locked", "authorization": TOKEN}
    body = {"session": {"type": "realtime", "tools": [entry]}}
    with httpx.Client(base_url=serving.http, headers=serving.headers, trust_env=False) as web:
        issued = web.post("/v1/realtime/client_secrets", json=body).json()
    caller = dial(serving, additional_headers={"Authorization": f"Bearer {issued['value']}"})
    shown = caller.until("session.created")["session"]["tools"][0]
    caller.until("mcp_list_tools.completed")
    assert shown["authorization"] == issued["session"]["tools"][0]["authorization"] == "<redacted>"


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
    assert kitchen.let_go.wait(60)
    wait_for(lambda: tasks_of(caller.serving) <= 3)
