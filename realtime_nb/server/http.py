"""The HTTP routes beside the socket: health, models, metrics, and ephemeral secrets."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from realtime_nb.protocol.base import Value
from realtime_nb.protocol.faults import EventError
from realtime_nb.protocol.session_config import AnySession, merge, shown
from realtime_nb.protocol.strict import parse, refuse_unknown, to_struct
from realtime_nb.server.body import read_body
from realtime_nb.server.catalog import api_models, is_known
from realtime_nb.server.ephemeral import LONGEST_S, SHORTEST_S, USUAL_S
from realtime_nb.server.guard import error_body
from realtime_nb.server.hub import Hub
from realtime_nb.server.meter import CONTENT_TYPE

__all__ = ["http_error", "routes"]

PAGE_ORIGIN = "realtime-page-origin"
"""Ours, not the service's: a header by which a secret is made for a page of that origin, and for no other."""
_ORIGIN = re.compile(r"https?://[a-z0-9._:\[\]-]{1,255}", re.IGNORECASE)

Endpoint = Callable[[Request], Awaitable[Response]]


class ExpiresAfter(Value, frozen=True, kw_only=True):
    """When a secret ends."""

    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, Meta(ge=SHORTEST_S, le=LONGEST_S)] = USUAL_S


class SecretRequest(Value, frozen=True, kw_only=True):
    """The body of ``POST /v1/realtime/client_secrets``."""

    expires_after: ExpiresAfter = ExpiresAfter()
    session: dict[str, Any] = {}  # noqa: RUF012 - msgspec copies it for each instance


def routes(hub: Hub) -> list[Route]:
    """Make the routes.

    Parameters
    ----------
    hub : Hub
        The server they speak for.

    Returns
    -------
    list of Route
        For the application.
    """

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def metrics(_request: Request) -> Response:
        return Response(hub.meter.render(), media_type=CONTENT_TYPE)

    async def models(_request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [_model(hub, name) for name in api_models()]})

    async def one_model(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in api_models():
            return _refused(404, f"The model '{name}' does not exist.", "model_not_found", "model")
        return JSONResponse(_model(hub, name))

    async def client_secrets(request: Request) -> Response:
        try:
            asked = _secret_request(await read_body(request, hub.options.body_bytes))
            origin = _page_origin(request)
            session = _session(hub, asked.session)
        except EventError as error:
            return _refused(400, error.message, error.code, error.param)
        value = hub.secrets.issue(asked.expires_after.seconds, asked.session, origin)
        expires_at = int(time.time()) + asked.expires_after.seconds
        session = msgspec.structs.replace(session, expires_at=0)
        return JSONResponse({"value": value, "expires_at": expires_at, "session": msgspec.to_builtins(shown(session))})

    async def socket_only(_request: Request) -> Response:
        answer = _refused(426, "This is a WebSocket: connect to it with ws://.", "upgrade_required", None)
        answer.headers["upgrade"] = "websocket"
        return answer

    table: list[tuple[str, str, Endpoint]] = [
        ("GET", "/health", health),
        ("GET", "/metrics", metrics),
        ("GET", "/v1/models", models),
        ("GET", "/v1/models/{name}", one_model),
        ("POST", "/v1/realtime/client_secrets", client_secrets),
        ("GET", "/v1/realtime", socket_only),
    ]
    return [Route(path, endpoint, methods=[method]) for method, path, endpoint in table]


def not_found() -> Response:
    """There is nothing at that path.

    Returns
    -------
    Response
        404, in the API's form.
    """
    return _refused(404, "Not Found", None, None)


async def http_error(_request: Request, error: Exception) -> Response:
    """Give Starlette's own refusals (no such path, no such method) the API's form."""
    if not isinstance(error, HTTPException):
        raise error
    answer = _refused(error.status_code, error.detail, None, None)
    answer.headers.update(error.headers or {})
    return answer


def _secret_request(body: bytes) -> SecretRequest:
    if not body.strip():
        return SecretRequest(session={"type": "realtime"})
    raw = parse(body.decode("utf-8", "replace"))
    asked = to_struct(raw, SecretRequest)
    refuse_unknown(raw, asked)
    return msgspec.structs.replace(asked, session={"type": "realtime", **asked.session})


def _session(hub: Hub, fields: dict[str, Any]) -> AnySession:
    """The settings that a session of this secret begins with."""
    name = fields.get("model")
    if name is not None and not (isinstance(name, str) and is_known(name)):
        raise EventError(
            "invalid_model", f'Model "{str(name)[:100]}" is not supported in realtime mode.', "session.model"
        )
    return merge(hub.new_session(transcription=fields.get("type") == "transcription", model=name), fields)


def _page_origin(request: Request) -> str | None:
    """The page that the secret is for, as the holder of the token names it."""
    origin = request.headers.get(PAGE_ORIGIN)
    if origin is not None and not _ORIGIN.fullmatch(origin):
        raise EventError("invalid_value", f"Invalid '{PAGE_ORIGIN}' header. Expected an origin: https://host:port.")
    return origin


def _model(hub: Hub, name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": hub.started_at, "owned_by": "realtime-nb", "brain": hub.brain}


def _refused(status: int, message: str, code: str | None, param: str | None) -> JSONResponse:
    return JSONResponse(error_body(message, code, param=param), status)
