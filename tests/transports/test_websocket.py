"""The WebSocket wire: what it carries, how it refuses, and that it never shows a key."""

from __future__ import annotations

import asyncio
import contextlib
import http
import logging
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from realtime_nb.errors import ConnectError, ConnectionClosed
from realtime_nb.secret import Secret
from realtime_nb.transports.base import Transport
from realtime_nb.transports.websocket import is_loopback, open_websocket, safe_url

CANARY = "sk-test-CANARY-0123456789"
Handler = Callable[[ServerConnection], Awaitable[None]]


async def echo(peer: ServerConnection) -> None:
    """Send back what comes."""
    async for message in peer:
        await peer.send(message)


@contextlib.asynccontextmanager
async def server(handler: Handler, **options: Any) -> AsyncIterator[str]:
    """A listening server's URL."""
    async with serve(handler, "127.0.0.1", 0, **options) as listening:
        yield f"ws://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1/realtime"


def test_text_goes_there_and_back() -> None:
    """An event sent arrives, and the answer is received."""

    async def talk() -> None:
        async with server(echo) as url:
            wire = await open_websocket(url)
            assert isinstance(wire, Transport)
            await wire.send('{"type":"x"}')
            assert await wire.receive() == '{"type":"x"}'
            await wire.close()
            await wire.close()
            assert repr(wire) == "<WebSocketTransport closed>"

    asyncio.run(talk())


def test_large_messages_pass() -> None:
    """A retrieved item with minutes of sound fits."""

    async def talk() -> int:
        async with server(echo, max_size=None) as url:
            wire = await open_websocket(url)
            await wire.send("x" * 20_000_000)
            size = len(await wire.receive())
            await wire.close()
            return size

    assert asyncio.run(talk()) == 20_000_000


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4000])
def test_a_close_raises_with_its_code_and_reason(code: int) -> None:
    """No close code ends silently."""

    async def leave(peer: ServerConnection) -> None:
        await peer.close(code, "why")

    async def talk() -> ConnectionClosed:
        async with server(leave) as url:
            wire = await open_websocket(url)
            with pytest.raises(ConnectionClosed) as caught:
                await wire.receive()
            with pytest.raises(ConnectionClosed):
                await wire.send("too late")
            return caught.value

    closed = asyncio.run(talk())
    assert (closed.code, closed.reason) == (code, "why")


def test_an_abrupt_end_raises_with_code_1006() -> None:
    """A peer that vanishes is a closed connection, not a hang."""

    async def vanish(peer: ServerConnection) -> None:
        peer.transport.abort()

    async def talk() -> ConnectionClosed:
        async with server(vanish) as url:
            wire = await open_websocket(url)
            with pytest.raises(ConnectionClosed) as caught:
                await wire.receive()
            return caught.value

    assert asyncio.run(talk()).code == 1006


def refused(url: str, **options: Any) -> ConnectError:
    """The error of a connection that does not come about."""
    with pytest.raises(ConnectError) as caught:
        asyncio.run(open_websocket(url, **options))
    return caught.value


def test_nobody_there_names_the_place() -> None:
    """A refused connection says where and why."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{free.getsockname()[1]}/v1/realtime"
    error = refused(url)
    assert url in str(error)
    assert "efused" in str(error)


def test_a_silent_peer_is_given_up() -> None:
    """A port that accepts and says nothing ends in an error within the timeout."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        error = refused(f"ws://127.0.0.1:{deaf.getsockname()[1]}/", timeout_s=0.2)
    assert "within 0.2 s" in str(error)


@pytest.mark.parametrize("url", ["http://example.org/", "ws://", "nonsense", "ws://127.0.0.1:99999/"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """What is not a WebSocket address is an error that shows one."""
    assert "ws://host:port/path" in str(refused(url))


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_an_http_refusal_says_its_status(status: int) -> None:
    """A server that refuses at the upgrade is named with its status, and asked once."""
    asked = []

    def refuse(peer: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        return peer.respond(http.HTTPStatus(status), "no\n")

    async def talk() -> ConnectError:
        async with server(echo, process_request=refuse) as url:
            with pytest.raises(ConnectError) as caught:
                await open_websocket(url)
            return caught.value

    assert f"HTTP {status}" in str(asyncio.run(talk()))
    assert len(asked) == 1


def test_a_redirect_is_not_followed() -> None:
    """The key is never carried to a place that was not asked for."""
    asked = []

    def elsewhere(peer: ServerConnection, request: Request) -> Response:
        asked.append(request.path)
        response = peer.respond(http.HTTPStatus.TEMPORARY_REDIRECT, "")
        response.headers["Location"] = "/elsewhere"
        return response

    async def talk() -> None:
        async with server(echo, process_request=elsewhere) as url:
            with pytest.raises(ConnectError, match="HTTP 307"):
                await open_websocket(url, headers={"Authorization": Secret(f"Bearer {CANARY}")})

    asyncio.run(talk())
    assert asked == ["/v1/realtime"]


def test_the_key_arrives_and_shows_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """The header reaches the server; the error, its variables and the log at DEBUG do not show it."""
    caplog.set_level(logging.DEBUG)
    seen = []

    def refuse(peer: ServerConnection, request: Request) -> Response:
        seen.append(request.headers["Authorization"])
        return peer.respond(http.HTTPStatus.UNAUTHORIZED, "no\n")

    async def talk() -> ConnectError:
        quiet = logging.getLogger("quiet")
        quiet.setLevel(logging.ERROR)
        async with server(echo, process_request=refuse, logger=quiet) as url:
            with pytest.raises(ConnectError) as caught:
                await open_websocket(f"{url}?token={CANARY}", headers={"Authorization": Secret(f"Bearer {CANARY}")})
            return caught.value

    error = asyncio.run(talk())
    assert seen == [f"Bearer {CANARY}"]
    assert CANARY not in str(error)
    shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert f"Bearer {CANARY}" not in shown
    assert f"Bearer {CANARY}" not in caplog.text


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("ws://127.0.0.1:1/", True),
        ("ws://localhost/", True),
        ("ws://[::1]:9/x", True),
        ("wss://api.openai.com/v1/realtime", False),
        ("ws://10.0.0.1/", False),
        ("ws://127.0.0.1.evil.test/", False),
    ],
)
def test_loopback_is_told_from_elsewhere(url: str, here: bool) -> None:
    """Only addresses of this machine bypass a proxy."""
    assert is_loopback(url) is here


def test_loopback_does_not_go_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is not asked for an address of this machine."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    async def talk() -> str | bytes:
        async with server(echo) as url:
            wire = await open_websocket(url)
            await wire.send("direct")
            reply = await wire.receive()
            await wire.close()
            return reply

    assert asyncio.run(talk()) == "direct"


def test_a_url_is_shown_without_what_may_be_secret() -> None:
    """User, password and query never reach a message."""
    assert safe_url("wss://me:pw@host:8/v1/realtime?token=t#f") == "wss://host:8/v1/realtime"
