"""The application: every route behind the guard, and sessions behind ``/v1/realtime``."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from realtime_nb.protocol.events import encode
from realtime_nb.protocol.session_config import AnySession, merge
from realtime_nb.server.admission import Rejection, check_request, denied, full_house, wants_transcription
from realtime_nb.server.catalog import is_known
from realtime_nb.server.guard import ADMISSION, Guard
from realtime_nb.server.http import http_error, routes
from realtime_nb.server.hub import Hub
from realtime_nb.server.runner import Runner, Socket
from realtime_nb.server.security import SUBPROTOCOL, Grant, Policy
from realtime_nb.server.wire import WIRE, Wire

__all__ = ["PATH", "build_app"]

logger = logging.getLogger("realtime_nb.server")

INTERNAL_ERROR = 1011
PATH = "/v1/realtime"
"""Where sessions begin."""


def build_app(hub: Hub) -> Starlette:
    """Make the ASGI application of a server.

    Parameters
    ----------
    hub : Hub
        What it serves.

    Returns
    -------
    Starlette
        To be run with :class:`realtime_nb.server.wire.Wire` as its WebSocket; closes the hub when it ends.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        hub.close()

    return Starlette(
        routes=[*routes(hub), WebSocketRoute(PATH, partial(_connect, hub))],
        middleware=[Middleware(Guard, policy=Policy.of(hub.options, hub.secrets.grant))],
        exception_handlers={HTTPException: http_error},
        lifespan=lifespan,
    )


async def _connect(hub: Hub, websocket: WebSocket) -> None:
    """Shake hands, then either run a session or say why not (protocol, 1.1)."""
    echoed = SUBPROTOCOL if SUBPROTOCOL in websocket.scope["subprotocols"] else None
    await websocket.accept(subprotocol=echoed)
    socket = _Socket(websocket)
    with contextlib.suppress(ConnectionError):
        if (rejection := _rejection(hub, websocket)) is None:
            await _serve(hub, socket, _session(hub, websocket))
        else:
            hub.meter.refused.labels(rejection.code or "no_key").inc()
            await socket.send(encode(rejection.event))
            await socket.close(rejection.close_code, rejection.reason)


async def _serve(hub: Hub, socket: Socket, session: AnySession) -> None:
    hub.enter()
    try:
        await Runner(hub, socket, hub.new_connection(session)).run()
    except Exception:  # our own mistake: the client learns that it was not its fault, and the log learns the rest
        logger.exception("a session broke")
        await socket.close(INTERNAL_ERROR, "server_error")
    finally:
        hub.leave()


def _rejection(hub: Hub, websocket: WebSocket) -> Rejection | None:
    admission = websocket.scope[ADMISSION]
    if not isinstance(admission, Grant):
        return denied(admission)
    query, headers = websocket.query_params, websocket.headers
    fault = check_request(query, headers, known=is_known, require_model=hub.options.require_model)
    return fault or (full_house(hub.options.sessions) if hub.is_full else None)


def _session(hub: Hub, websocket: WebSocket) -> AnySession:
    """The settings a session begins with: the server's, and those its secret was issued with."""
    grant: Grant = websocket.scope[ADMISSION]
    fields = grant.session or {}
    transcription = wants_transcription(websocket.query_params) or fields.get("type") == "transcription"
    session = hub.new_session(transcription=transcription, model=websocket.query_params.get("model"))
    return merge(session, fields) if fields.get("type") == session.__struct_config__.tag else session


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
