"""One MCP server, reached over streamable HTTP by the official SDK; imported only when a session names a server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.metadata import version
from typing import Any, TypeVar

import httpx2
from mcp import Client, Implementation, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CONNECTION_CLOSED, INTERNAL_ERROR, INVALID_PARAMS, CallToolResult
from mcp.types import Tool as SdkTool

from realtime_nb.protocol.items import McpError, McpHttpError, McpProtocolError, McpTool, McpToolExecutionError
from realtime_nb.protocol.tools import McpServer

__all__ = ["Link", "RefusedError", "UNREACHABLE"]

T = TypeVar("T")

UNREACHABLE = 424
"""The ``http_error`` of a server that gives no HTTP answer: Failed Dependency, as the service says it."""
NOT_FOUND = 404
SESSION = "mcp-session-id"
"""The header of a server that keeps sessions; to one that it has forgotten, it answers 404."""
MAX_TOOLS = 512
"""One server may list so many."""
CONNECT_S = 10.0
"""How long a server may take to accept a connection, and to take what it is sent."""
IDLE_S = 300.0
"""A connection that nobody uses is closed after so long; the next call makes a new one."""
CLOSE_S = 2.0
"""How long a server may take over being told that a session ends."""
_WHO = Implementation(name="realtime-nb", version=version("realtime-nb"))


class RefusedError(Exception):
    """The server gave nothing.

    Parameters
    ----------
    error : McpError
        Why.
    """

    def __init__(self, error: McpError) -> None:
        super().__init__(error.message)
        self.error = error


class Link:
    """A connection to an MCP server: made when first needed, shared by all calls, closed when idle or with its session.

    Parameters
    ----------
    server : McpServer
        With its ``server_url``, ``authorization`` and ``headers``.
    limit_bytes : int
        The largest answer that is read.

    Notes
    -----
    Redirects are followed within the server's own origin only, so that its headers go nowhere else (the SDK sees
    to it). A server's requests for sampling, roots or a person's input are refused: none of these is offered.
    """

    def __init__(self, server: McpServer, *, limit_bytes: int) -> None:
        self._server = server
        self._limit_bytes = limit_bytes
        self._client: asyncio.Future[Client] | None = None
        self._holder: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._users = 0
        self._rest: asyncio.TimerHandle | None = None
        self._broken: Exception | None = None
        self._forgotten = 0  # sessions that the server knew no more: it began anew meanwhile
        self._status: int | None = None  # of the last answer that was no answer of MCP

    # ------------------------------------------------------------ asked
    async def tools(self) -> tuple[McpTool, ...]:
        """Give all the tools the server lists.

        Returns
        -------
        tuple of McpTool
            In the server's order.

        Raises
        ------
        RefusedError
            When it lists none, or too many.
        """
        return await self._ask(_all_tools)

    async def call(self, name: str, arguments: str) -> str:
        """Call a tool.

        Parameters
        ----------
        name : str
            As listed.
        arguments : str
            JSON text, as a model wrote it.

        Returns
        -------
        str
            What the tool gave, in words: its text, or the JSON of what has no text.

        Raises
        ------
        RefusedError
            When there is nothing to give: the tool failed, the server refused, or there is no server.
        """
        given = _arguments(arguments)
        result = await self._ask(lambda client: client.call_tool(name, given))
        if result.is_error:
            raise RefusedError(McpToolExecutionError(message=_words(result)))
        return _words(result)

    async def close(self) -> None:
        """Take leave of the server, but not for long."""
        self._over.set()
        if self._rest is not None:
            self._rest.cancel()
        if self._holder is None or self._client is None:
            return
        if self._client.done():
            await asyncio.wait({self._holder}, timeout=CLOSE_S)
        while not self._holder.done():
            self._holder.cancel()
            await asyncio.wait({self._holder}, timeout=0.1)

    # ------------------------------------------------------------ connected
    async def _ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        """Ask the server; once more, in a new session, where it had forgotten the old one and so did nothing."""
        before = self._forgotten
        try:
            async with self._in_use() as client:
                return await question(client)
        except RefusedError:
            if self._forgotten == before:
                raise
        async with self._in_use() as client:
            return await question(client)

    @contextlib.asynccontextmanager
    async def _in_use(self) -> AsyncIterator[Client]:
        self._users += 1
        if self._rest is not None:
            self._rest.cancel()
        try:
            yield await self._connected()
        except RefusedError:
            raise
        except Exception as fault:  # whatever a foreign server brings the SDK to raise is that server's answer
            raise RefusedError(await self._error_of(fault)) from fault
        finally:
            self._users -= 1
            if not self._users:
                self._rest = asyncio.get_running_loop().call_later(IDLE_S, self._over.set)

    async def _connected(self) -> Client:
        if self._client is None or self._holder is None or self._holder.done() or self._over.is_set():
            self._over.clear()
            self._client = asyncio.get_running_loop().create_future()
            self._holder = asyncio.create_task(self._hold(self._client))
        return await asyncio.shield(self._client)

    async def _hold(self, client: asyncio.Future[Client]) -> None:
        """Keep the connection: the SDK wants it closed by the task that opened it."""
        self._broken = self._status = None
        try:
            web = await asyncio.to_thread(self._web)  # reading the certificates takes tens of milliseconds
            transport = streamable_http_client(
                str(self._server.server_url), http_client=web, max_sse_event_size=self._limit_bytes
            )
            async with web, Client(transport, cache=None, client_info=_WHO) as connected:
                self._status = None
                client.set_result(connected)
                await self._over.wait()
        except Exception as fault:  # noqa: BLE001 -- kept, and told to those who wait for an answer
            self._broken = fault
            if not client.done():
                client.set_exception(fault)
                client.exception()  # seen, even if they have stopped waiting

    def _web(self) -> httpx2.AsyncClient:
        headers = dict(self._server.headers or {})
        if self._server.authorization is not None:
            headers["Authorization"] = f"Bearer {self._server.authorization}"
        timeout = httpx2.Timeout(CONNECT_S, read=None)  # who waits for an answer knows for how long
        return httpx2.AsyncClient(headers=headers, timeout=timeout, event_hooks={"response": [self._look]})

    async def _look(self, response: httpx2.Response) -> None:
        """Bound an answer, and remember the last that is not of MCP but of something that stands before it."""
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            response.stream = _Bounded(response.stream, self._limit_bytes)
        if response.request.method != "POST":
            return  # a stream that a server need not have, or its end
        is_foreign = response.is_error and b'"jsonrpc"' not in await response.aread()
        self._status = response.status_code if is_foreign else None
        if response.status_code == NOT_FOUND and SESSION in response.request.headers:
            self._forgotten += 1
            self._over.set()

    async def _error_of(self, fault: Exception) -> McpError:
        """Give the reason in the API's words; where the connection broke, that is the reason."""
        if isinstance(fault, MCPError) and fault.code == CONNECTION_CLOSED and self._holder is not None:
            await asyncio.wait({self._holder}, timeout=CLOSE_S)
        cause: BaseException = self._broken or fault
        while isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if self._status is not None:
            return McpHttpError(code=self._status, message=f"The server answered with HTTP status {self._status}.")
        if isinstance(cause, MCPError):
            return McpProtocolError(code=cause.code, message=cause.message)
        if isinstance(cause, httpx2.TransportError | OSError):
            return McpHttpError(code=UNREACHABLE, message=f"The server could not be reached: {cause}.")
        return McpProtocolError(code=INTERNAL_ERROR, message=f"The server's answer is no MCP: {type(cause).__name__}.")


class _Bounded(httpx2.AsyncByteStream):
    """An answer that is not read beyond a size."""

    def __init__(self, stream: Any, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > self._limit:
                raise httpx2.StreamError(f"the answer has more than {self._limit} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


# ---------------------------------------------------------------- what the SDK gives, in the protocol's words
async def _all_tools(client: Client) -> tuple[McpTool, ...]:
    """Page by page."""
    found: list[McpTool] = []
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        found += map(_tool, page.tools)
        cursor = page.next_cursor
        if len(found) > MAX_TOOLS:
            raise _refusal(INVALID_PARAMS, f"It lists more than {MAX_TOOLS} tools.")
        if cursor is None:
            return tuple(found)


def _refusal(code: int, message: str) -> RefusedError:
    return RefusedError(McpProtocolError(code=code, message=message))


def _tool(tool: SdkTool) -> McpTool:
    notes = tool.annotations
    return McpTool(
        name=tool.name,
        input_schema=tool.input_schema,
        description=tool.description,
        annotations=None if notes is None else notes.model_dump(by_alias=True, exclude_none=True),
    )


def _arguments(text: str) -> dict[str, Any]:
    try:
        given = json.loads(text or "{}")
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise _refusal(INVALID_PARAMS, "The arguments are not a JSON object; the server was not asked.")
    return given


def _words(result: CallToolResult) -> str:
    """What a tool gave, for a model that reads: text as it is, of anything else what and where it is."""
    if not result.content and result.structured_content is not None:
        return json.dumps(result.structured_content, ensure_ascii=False)
    return "\n".join(_BLOCKS[block.type](block) for block in result.content)


def _resource(block: Any) -> str:
    return str(getattr(block.resource, "text", None) or f"[{block.resource.uri}]")


_BLOCKS: dict[str, Callable[[Any], str]] = {
    "text": lambda block: str(block.text),
    "image": lambda block: f"[image, {block.mime_type}]",
    "audio": lambda block: f"[audio, {block.mime_type}]",
    "resource_link": lambda block: f"[{block.name}: {block.uri}]",
    "resource": _resource,
}
