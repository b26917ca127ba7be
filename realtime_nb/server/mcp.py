"""Tools of MCP servers, which our server lists and calls by itself (protocol, 4.9)."""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from realtime_nb.errors import MissingExtra, RealtimeError
from realtime_nb.protocol.effects import (
    CallMcpTool,
    ListMcpTools,
    McpCalled,
    McpCallFailed,
    McpListFailed,
    McpToolsListed,
    Report,
    StopMcpTool,
)
from realtime_nb.protocol.items import McpError, McpHttpError, McpProtocolError, McpTool, McpToolExecutionError
from realtime_nb.protocol.tools import McpServer

__all__ = ["Mcp"]

OUTPUT_CHARS = 100_000
"""Most of a tool's output that is kept: more than any context holds."""
BAD_GATEWAY, GATEWAY_TIMEOUT = 502, 504


class Mcp:
    """What one session asks of MCP servers.

    A connection is made for each question and ends with it: servers of tools are
    asked seldom, and nothing is left behind when a session ends.

    Parameters
    ----------
    report : callable
        Takes the answers, on the loop.
    timeout_s : float
        How long a server may take.
    """

    def __init__(self, report: Callable[[Report], None], *, timeout_s: float) -> None:
        self._report = report
        self._timeout_s = timeout_s
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def list_tools(self, effect: ListMcpTools) -> None:
        """Ask a server for its tools."""
        self._begin(effect.item_id, self._list(effect))

    def call(self, effect: CallMcpTool) -> None:
        """Call a tool."""
        self._begin(effect.item_id, self._call(effect))

    def stop(self, effect: StopMcpTool) -> None:
        """Let go of a call."""
        task = self._tasks.get(effect.item_id)
        if task is not None:
            task.cancel()

    def close(self) -> None:
        """Let go of everything."""
        for task in self._tasks.values():
            task.cancel()

    def _begin(self, item_id: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[item_id] = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._tasks.pop(item_id, None))

    async def _list(self, effect: ListMcpTools) -> None:
        try:
            async with asyncio.timeout(self._timeout_s), _client(effect.server) as client:
                self._report(McpToolsListed(effect.item_id, await _tools(client)))
        except Exception as fault:  # noqa: BLE001 - whatever a stranger's server does is an answer, no fault of ours
            self._report(McpListFailed(effect.item_id, _error(fault).message))

    async def _call(self, effect: CallMcpTool) -> None:
        try:
            async with asyncio.timeout(self._timeout_s), _client(effect.server) as client:
                result = await client.call_tool(effect.name, json.loads(effect.arguments or "{}"))
        except Exception as fault:  # noqa: BLE001 - same
            self._report(McpCallFailed(effect.item_id, _error(fault)))
            return
        if result.is_error:
            self._report(McpCallFailed(effect.item_id, McpToolExecutionError(message=_text(result))))
        else:
            self._report(McpCalled(effect.item_id, _text(result)))


@asynccontextmanager
async def _client(server: McpServer) -> AsyncIterator[Any]:
    """Connect to a server, and disconnect."""
    url = server.server_url or ""
    if not url.startswith(("http://", "https://")):
        fact = f"the MCP server {server.server_label!r} has no http(s) address; connectors and tunnels are OpenAI's own"
        raise RealtimeError(fact, hint='{"type": "mcp", "server_url": "https://..."}')
    headers = dict(server.headers or {})
    if server.authorization:
        headers["Authorization"] = f"Bearer {server.authorization}"
    mcp, http, wire = await asyncio.to_thread(_packages)
    async with (
        http.create_mcp_http_client(headers) as connection,
        mcp.Client(wire.streamable_http_client(url, http_client=connection)) as client,
    ):
        yield client


def _packages() -> tuple[Any, ...]:
    """The parts of the ``mcp`` package; on a thread, for importing them takes seconds."""
    names = ("mcp.client.client", "mcp.shared._httpx_utils", "mcp.client.streamable_http")
    try:
        return tuple(importlib.import_module(name) for name in names)
    except ImportError as missing:
        raise MissingExtra(
            "MCP tools need the package mcp, which is not installed", hint="pip install mcp"
        ) from missing


async def _tools(client: Any) -> tuple[McpTool, ...]:
    found: list[McpTool] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        found += (_tool(tool.model_dump(by_alias=False, exclude_none=True, mode="json")) for tool in page.tools)
        cursor = page.next_cursor
        if not cursor:
            return tuple(found)


def _tool(told: dict[str, Any]) -> McpTool:
    return McpTool(
        name=told["name"],
        input_schema=told.get("input_schema", {}),
        description=told.get("description"),
        annotations=told.get("annotations"),
    )


def _text(result: Any) -> str:
    """What a tool gave, in words; of other content its kind."""
    words = "\n".join(getattr(part, "text", None) or f"[{part.type}]" for part in result.content)
    if not words and result.structured_content is not None:
        words = json.dumps(result.structured_content)
    return words[:OUTPUT_CHARS]


def _error(fault: BaseException) -> McpError:
    """Put a fault as the API does; task groups wrap what went wrong, so the innermost counts."""
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    message = str(fault) or type(fault).__name__
    status = getattr(getattr(fault, "response", None), "status_code", None)
    code = getattr(fault, "code", None)
    if isinstance(status, int):
        return McpHttpError(code=status, message=message)
    if isinstance(code, int):
        return McpProtocolError(code=code, message=message)
    if isinstance(fault, TimeoutError):
        return McpHttpError(code=GATEWAY_TIMEOUT, message="the MCP server did not answer in time")
    return McpHttpError(code=BAD_GATEWAY, message=message)
