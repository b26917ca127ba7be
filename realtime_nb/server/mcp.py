"""What one session asks of MCP servers: lists and calls, on the server's loop, and never in its way.

Only a server that the session's own client declared is asked, at the address and with the headers it gave; whoever
may open a session may therefore reach whatever this machine reaches, as with any program they run on it. That is
why a server beyond loopback wants a token. Tokens and headers are sent to their server, and to nobody else: they
are neither logged nor echoed.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from realtime_nb.errors import MissingExtra
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
from realtime_nb.protocol.items import McpError, McpHttpError, McpProtocolError
from realtime_nb.protocol.tools import McpServer

if TYPE_CHECKING:
    from realtime_nb.server.mcp_client import Link

__all__ = ["GATEWAY_TIMEOUT", "Mcp"]

T = TypeVar("T")

logger = logging.getLogger("realtime_nb.server")

GATEWAY_TIMEOUT = 504
"""The ``http_error`` of a server that took too long."""
INTERNAL = -32603
"""JSON-RPC's code for what is nobody else's fault."""
PIP_LINE = "pip install 'mcp>=2,<3'"


class Mcp:
    """The MCP servers of one session.

    Parameters
    ----------
    report : callable
        Takes what comes of it.
    timeout_s : float
        How long a server may take to list its tools, or a tool to answer; in seconds.
    limit_bytes : int
        The largest answer that is read.

    Notes
    -----
    The SDK is loaded, on a thread, when a session first names a server: it takes more than a second.
    """

    def __init__(self, report: Callable[[Report], None], *, timeout_s: float, limit_bytes: int) -> None:
        self._report = report
        self._timeout_s = timeout_s
        self._limit_bytes = limit_bytes
        self._links: dict[str, Link] = {}
        self._jobs: dict[str, asyncio.Task[None]] = {}

    def list_tools(self, effect: ListMcpTools) -> None:
        """Begin to ask a server for its tools."""
        self._begin(effect.item_id, self._list(effect))

    def call(self, effect: CallMcpTool) -> None:
        """Begin to call a tool."""
        self._begin(effect.item_id, self._call(effect))

    def stop(self, effect: StopMcpTool) -> None:
        """Stop a call, and tell its server."""
        if job := self._jobs.get(effect.item_id):
            job.cancel()

    async def close(self) -> None:
        """Stop everything, and take leave of the servers."""
        jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self._links.values()))

    # ------------------------------------------------------------ inside
    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        job = self._jobs[name] = asyncio.create_task(work)
        job.add_done_callback(lambda _: self._jobs.pop(name, None))

    async def _list(self, effect: ListMcpTools) -> None:
        tools, error = await self._ask(effect.server, lambda link: link.tools())
        if error is None:
            self._report(McpToolsListed(effect.item_id, tools or ()))
        else:
            self._report(McpListFailed(effect.item_id, error.message))

    async def _call(self, effect: CallMcpTool) -> None:
        output, error = await self._ask(effect.server, lambda link: link.call(effect.name, effect.arguments))
        if error is None:
            self._report(McpCalled(effect.item_id, output or ""))
        else:
            self._report(McpCallFailed(effect.item_id, error))

    async def _ask(
        self, server: McpServer, question: Callable[[Link], Awaitable[T]]
    ) -> tuple[T | None, McpError | None]:
        """Ask a server something: what it gave, or why it gave nothing."""
        try:
            sdk = await _sdk()
        except MissingExtra as missing:
            return None, McpProtocolError(code=INTERNAL, message=str(missing))
        try:
            async with asyncio.timeout(self._timeout_s):
                return await question(self._link(sdk, server)), None
        except TimeoutError:
            return None, McpHttpError(code=GATEWAY_TIMEOUT, message=f"No answer came within {self._timeout_s:g} s.")
        except sdk.RefusedError as refused:
            error: McpError = refused.error
            logger.info("an MCP server refused: %s", type(error).__name__)
            return None, error

    def _link(self, sdk: ModuleType, server: McpServer) -> Link:
        """The connection to a server; entries that differ only in what is allowed share one."""
        key = repr((server.server_url, server.authorization, sorted((server.headers or {}).items())))
        if key not in self._links:
            self._links[key] = sdk.Link(server, limit_bytes=self._limit_bytes)
        return self._links[key]


async def _sdk() -> ModuleType:
    """Load what speaks MCP."""
    try:
        return await asyncio.to_thread(importlib.import_module, "realtime_nb.server.mcp_client")
    except ModuleNotFoundError as missing:
        raise MissingExtra(
            f"MCP tools need the package mcp, and {missing.name} is not installed.", hint=PIP_LINE
        ) from missing
    except ImportError as other:
        raise MissingExtra(f"MCP tools need another version of the package mcp: {other}.", hint=PIP_LINE) from other
