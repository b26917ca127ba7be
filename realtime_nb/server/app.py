"""The application: every route behind the guard, and sessions behind ``/v1/realtime``."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from realtime_nb.protocol.events import encode
from realtime_nb.protocol.session_config import AnySession, merge
from realtime_nb.server.admission import (
    Rejection,
    check_request,
    crowded,
    denied,
    full_house,
    not_attachable,
    unknown_call,
    wants_transcription,
)
from realtime_nb.server.calls import call_routes
from realtime_nb.server.catalog import is_known
from realtime_nb.server.guard import ADMISSION, Guard
from realtime_nb.server.http import http_error, not_found, routes
from realtime_nb.server.hub import Hub
from realtime_nb.server.live import LiveSession
from realtime_nb.server.peer import Peer
from realtime_nb.server.security import SUBPROTOCOL, Grant, Policy
from realtime_nb.server.sip import Phone, Sockets
from realtime_nb.server.webrtc import WebRtc
from realtime_nb.server.wire import WIRE, Wire

__all__ = ["PATH", "build_app"]

PATH = "/v1/realtime"
"""Where sessions begin."""


def build_app(hub: Hub, sockets: Sockets | None = None) -> Starlette:
    """Make the ASGI application of a server.

    Parameters
    ----------
    hub : Hub
        What it serves.
    sockets : Sockets, optional
        Where its telephone takes calls, if it has one.

    Returns
    -------
    Starlette
        To be run with :class:`realtime_nb.server.wire.Wire` as its WebSocket; closes the hub when it ends.
    """
    webrtc = WebRtc(hub)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with _telephone(hub, sockets):
            yield
        await webrtc.close()
        hub.close()

    return Starlette(
        routes=[
            *routes(hub),
            *call_routes(hub),
            webrtc.route,
            WebSocketRoute(PATH, partial(_connect, hub)),
            WebSocketRoute("/{elsewhere:path}", _nowhere),
        ],
        middleware=[Middleware(Guard, policy=Policy.of(hub.options, hub.secrets.grant, hub.secrets.serves))],
        exception_handlers={HTTPException: http_error},
        lifespan=lifespan,
    )


@contextlib.asynccontextmanager
async def _telephone(hub: Hub, sockets: Sockets | None) -> AsyncIterator[None]:
    """Take calls while the block lasts."""
    if sockets is None or hub.options.phone is None:
        yield
        return
    phone = Phone(hub, hub.options.phone, sockets)
    await phone.open()
    try:
        yield
    finally:
        await phone.close()


async def _nowhere(websocket: WebSocket) -> None:
    """Refuse another path as such: left to Starlette it is a 403, as of a key that may not."""
    await websocket.send_denial_response(not_found())


async def _connect(hub: Hub, websocket: WebSocket) -> None:
    """Shake hands, then either run a session or say why not (protocol, 1.1)."""
    echoed = SUBPROTOCOL if SUBPROTOCOL in websocket.scope["subprotocols"] else None
    await websocket.accept(subprotocol=echoed)
    socket = _Socket(websocket)
    admitted = _admit(hub, websocket)
    if isinstance(admitted, Rejection):
        hub.meter.refused.labels(admitted.code or "no_key").inc()
        with contextlib.suppress(ConnectionError):
            await socket.send(encode(admitted.event))
            await socket.close(admitted.close_code, admitted.reason)
    elif isinstance(admitted, LiveSession):
        await Peer(socket, hub.options, hub.meter).carry(admitted)
    else:
        await LiveSession(hub, hub.new_connection(admitted)).run(Peer(socket, hub.options, hub.meter))


def _admit(hub: Hub, websocket: WebSocket) -> AnySession | LiveSession | Rejection:
    """Say what a connection gets: a session of its own, one that lives already, or the reason why none."""
    admission = websocket.scope[ADMISSION]
    if not isinstance(admission, Grant):
        return denied(admission)
    if (call_id := websocket.query_params.get("call_id")) is not None:
        return not_attachable() if admission.ephemeral else _attach(hub, call_id)
    return _rejection(hub, websocket) or _session(hub, websocket)


def _attach(hub: Hub, call_id: str) -> LiveSession | Rejection:
    live = hub.find(call_id)
    if live is None:
        return unknown_call(call_id)
    return crowded(hub.options.peers) if live.is_full else live


def _rejection(hub: Hub, websocket: WebSocket) -> Rejection | None:
    query, headers = websocket.query_params, websocket.headers
    named = "model" in _issued(websocket)
    fault = check_request(query, headers, known=is_known, require_model=hub.options.require_model and not named)
    return fault or (full_house(hub.options.sessions) if hub.is_full else None)


def _session(hub: Hub, websocket: WebSocket) -> AnySession:
    """The settings a session begins with: the server's, those its secret was issued with, and the model asked for."""
    query, fields = websocket.query_params, _issued(websocket)
    transcription = wants_transcription(query) or fields.get("type") == "transcription"
    session = hub.new_session(transcription=transcription, model=query.get("model", fields.get("model")))
    return merge(session, fields) if fields.get("type") == session.__struct_config__.tag else session


def _issued(websocket: WebSocket) -> Mapping[str, Any]:
    """What the secret was issued with that this connection shows, if it shows one."""
    grant: Grant = websocket.scope[ADMISSION]
    return grant.session or {}


class _Socket:
    """A Starlette WebSocket as the runner wants it."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._wire: Wire = websocket.scope["state"][WIRE]

    async def receive(self) -> str | bytes | None:
        message = await self._websocket.receive()
        if message["type"] == "websocket.disconnect":
            return None
        text = message.get("text")
        return text if text is not None else bytes(message["bytes"])

    async def send(self, text: str) -> None:
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as gone:
            raise ConnectionError("the client is gone") from gone

    async def close(self, code: int, reason: str) -> None:
        try:
            await self._websocket.close(code, reason)
        except (WebSocketDisconnect, RuntimeError) as gone:
            raise ConnectionError("the client is gone") from gone

    def abandon(self, code: int, reason: str) -> None:
        self._wire.abandon(code, reason)
