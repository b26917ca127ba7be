"""A real MCP server, and sessions that declare it."""

from __future__ import annotations

import json
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

TOKEN = "let-me-in"
LIMIT = 64 * 1024
Session = Callable[..., Any]


@dataclass
class Kitchen:
    """A server of tools, by the SDK's own hand, and what it was asked."""

    url: str = ""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """The ``Authorization`` and the method of each request."""
    simmers: threading.Event = field(default_factory=threading.Event)
    """Set when the tool that never ends has begun."""
    let_go: threading.Event = field(default_factory=threading.Event)
    """Set when it was stopped."""
    instead: Callable[[str, dict[str, Any]], tuple[int, str] | None] = lambda _verb, _message: None
    """What is answered instead, by HTTP verb and message: a status and a body, if any."""

    def open(self, port: int = 0) -> None:
        """Begin to serve."""
        taken, address = bind(ServerOptions(port=port))
        taken.listen()  # who comes before the thread has begun waits
        self.url = f"{address.http}/mcp"
        app = self.gate(self.tools().streamable_http_app())
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
        self._thread = threading.Thread(target=self._server.run, args=([taken],), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve no more."""
        self._server.should_exit = True
        self._thread.join()

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

            self.simmers.set()
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

            first = await receive()
            message = json.loads(first.get("body") or "{}")
            if message:
                self.asked.append((token, message.get("method", "")))
            if (answer := self.instead(scope["method"], message)) is not None:
                headers = [(b"content-type", b"application/json")]
                await send({"type": "http.response.start", "status": answer[0], "headers": headers})
                await send({"type": "http.response.body", "body": answer[1].encode()})
                return
            read = iter([first])

            async def again() -> Any:
                return next(read, None) or await receive()

            await app(scope, again, send)

        return door


@pytest.fixture
def kitchen() -> Iterator[Kitchen]:
    """A server of tools on this machine."""
    kitchen = Kitchen()
    kitchen.open()
    yield kitchen
    kitchen.close()


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
