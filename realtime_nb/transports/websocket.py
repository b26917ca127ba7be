"""The wire of the service and of the local server: one JSON event in each WebSocket text frame."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed as Closed
from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

from realtime_nb.errors import ConnectError, ConnectionClosed
from realtime_nb.secret import Secret

__all__ = ["WebSocketTransport", "is_loopback", "open_websocket", "safe_url"]

PING_S = 5.0
"""A link that went dead without a word is noticed after ping + timeout + close: 12 s (20 s pings: 50 s, measured)."""
PONG_S = 2.0
"""How long a round trip that somebody asks for may take."""
CLOSE_S = 1.5
"""How long a closing handshake may take; a session's ``close()`` promises 2 s."""
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""A retrieved item may hold minutes of sound; the service sends 20 MB messages."""
QUEUE_FRAMES = 64
"""Messages read ahead; the session's reader empties them as they come."""

_logger = logging.getLogger("realtime_nb.websocket")
_logger.setLevel(logging.INFO)  # at DEBUG the library below writes headers, keys among them, and every frame


_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_HTTP_HINTS = {
    401: 'rt.connect(..., api_key="sk-...")  # or set OPENAI_API_KEY',
    403: 'rt.connect(..., api_key="sk-...")  # a key that may use this model',
    404: 'rt.connect("wss://host/v1/realtime")  # the path of the realtime endpoint',
    429: "time.sleep(20); session = rt.connect()",
}


class _Connect(connect):
    """A handshake that follows no redirect: the key goes where it was meant to go."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class WebSocketTransport:
    """A WebSocket as a session sees it; :func:`open_websocket` makes one.

    Parameters
    ----------
    socket : websockets.asyncio.client.ClientConnection
        The connection after its handshake.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        """Send one event in a text frame."""
        try:
            await self._socket.send(text)
        except Closed as closed:
            raise _closed(closed) from None

    async def receive(self) -> str | bytes:
        """The next event's frame."""
        try:
            return await self._socket.recv()
        except Closed as closed:
            raise _closed(closed) from None

    async def ping(self) -> float:
        """How long the wire takes there and back, in seconds."""
        try:
            pong = await self._socket.ping()
            async with asyncio.timeout(PONG_S):
                return await pong
        except Closed as closed:
            raise _closed(closed) from None

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Shake hands and take the socket down."""
        await self._socket.close(code, reason)

    def __repr__(self) -> str:
        return f"<WebSocketTransport {self._socket.state.name.lower()}>"


def _closed(closed: Closed) -> ConnectionClosed:
    frame = closed.rcvd or closed.sent
    code, reason = (frame.code, frame.reason) if frame is not None else (1006, "")
    said = f" ({reason})" if reason else ""
    return ConnectionClosed(
        f"the connection ended with close code {code}{said}",
        code=code,
        reason=reason,
        hint="session = rt.connect()",
    )


async def open_websocket(
    url: str, *, headers: Mapping[str, str | Secret] | None = None, timeout_s: float = 5.0
) -> WebSocketTransport:
    """Connect to a realtime server.

    Parameters
    ----------
    url : str
        ``ws://`` or ``wss://``; loopback addresses never go through a proxy.
    headers : mapping of str to str or Secret, optional
        Sent with the handshake; put keys in as :class:`~realtime_nb.secret.Secret`.
    timeout_s : float
        How long the connection may take to come about, in seconds.

    Returns
    -------
    WebSocketTransport
        After the handshake; the server speaks first.

    Raises
    ------
    ConnectError
        When nothing answers, or what answers refuses; it names the URL, never a key.
    """
    opening = _Connect(
        url,
        additional_headers=_Revealed(headers or {}),
        compression=None,  # base64 of noise-like samples: a core's work for nothing
        logger=_logger,
        max_queue=QUEUE_FRAMES,
        max_size=MAX_MESSAGE_BYTES,
        open_timeout=None,
        ping_interval=PING_S,
        ping_timeout=PING_S,
        close_timeout=CLOSE_S,
        proxy=None if is_loopback(url) else True,
        user_agent_header="realtime-nb",
    )
    try:
        async with asyncio.timeout(timeout_s):
            socket = await opening
    except (OSError, TimeoutError, InvalidHandshake, InvalidURI, ValueError) as fault:
        refusal = _refusal(url, fault, timeout_s)
    else:
        return WebSocketTransport(socket)
    raise refusal  # out here: the fault's own traceback holds the headers


class _Revealed(Mapping[str, str]):
    """Headers that show their keys to the handshake alone, not to a traceback that prints its variables."""

    def __init__(self, headers: Mapping[str, str | Secret]) -> None:
        self._headers = dict(headers)

    def __getitem__(self, name: str) -> str:
        value = self._headers[name]
        return value.reveal() if isinstance(value, Secret) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)

    def __repr__(self) -> str:
        return repr(self._headers)


def _refusal(url: str, fault: Exception, timeout_s: float) -> ConnectError:
    """What went wrong, in words that name the place and never the key."""
    place = safe_url(url)
    if isinstance(fault, InvalidStatus):
        return _http_refusal(place, fault.response.status_code)
    if isinstance(fault, TimeoutError) and not fault.errno:
        why = f"nothing answered within {timeout_s:g} s"
    elif isinstance(fault, InvalidURI | ValueError):
        why = "this is not a WebSocket address, which reads ws://host:port/path or wss://host/path"
    elif isinstance(fault, OSError):
        why = os.strerror(fault.errno) if fault.errno and fault.errno > 0 else (fault.strerror or str(fault))
    else:
        why = f"what answers there is no realtime server ({type(fault).__name__})"
    return ConnectError(f"no connection to {place}: {why}", hint='rt.connect("local")  # needs no network')


def _http_refusal(place: str, status: int) -> ConnectError:
    words = f"HTTP {status} {_PHRASES.get(status, '')}".strip()
    rule = "a realtime server answers 101; a refusal is not tried again"
    return ConnectError(f"{place} refused the connection with {words}: {rule}", hint=_HTTP_HINTS.get(status))


def safe_url(url: str) -> str:
    """`url` as it may be shown: without user, password, query and fragment, where keys may hide."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def is_loopback(url: str) -> bool:
    """Whether `url` is on this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
