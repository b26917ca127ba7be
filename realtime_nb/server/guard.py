"""The checks of :mod:`realtime_nb.server.security` in front of every route and every upgrade."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from realtime_nb.server.security import (
    CALLS_PATH,
    ELSEWHERE,
    Grant,
    Headers,
    Policy,
    Refusal,
    calling_page,
    check_place,
    check_token,
)

__all__ = ["ADMISSION", "Guard", "error_body"]

ADMISSION = "realtime_nb.admission"
"""Where a WebSocket's :class:`Grant` or :class:`Refusal` stands in its scope: the refusal is spoken after the 101."""

OPEN_PATHS = frozenset({"/health"})
"""Answered without a token, to the machine's own names alone: they say that there is a server, and no more."""

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_SHARED = {"access-control-expose-headers": "location", "vary": "origin"}
_PREFLIGHT = {
    "access-control-allow-headers": "authorization, content-type",
    "access-control-allow-methods": "POST",
    "access-control-max-age": "60",
}


class Guard:
    """ASGI middleware: nothing behind it sees a request that may not come in.

    Parameters
    ----------
    app : ASGI application
        What is guarded.
    policy : Policy
        What is accepted.
    """

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then hand on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = _headers(scope)
        page = calling_page(self._policy, headers) if scope["path"] == CALLS_PATH else None
        send = _hardened(send, page)
        refusal = check_place(self._policy, headers, page)
        if refusal is None and page is not None and scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send)
            return
        if refusal is None:
            refusal = self._admit(scope, headers)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            answer = JSONResponse(error_body(refusal.message, refusal.code), refusal.status)
            await answer(scope, receive, send)

    def _admit(self, scope: Scope, headers: Headers) -> Refusal | None:
        """Check the token: an upgrade carries the verdict on, a request hears it now."""
        if scope["type"] == "websocket":
            scope[ADMISSION] = check_token(self._policy, headers, scope["subprotocols"])
            return None
        if scope["path"] in OPEN_PATHS:
            return None
        verdict = scope[ADMISSION] = check_token(self._policy, headers)
        if isinstance(verdict, Grant) and scope["path"] == CALLS_PATH:
            return self._check_page(verdict, headers.get("origin"))
        if isinstance(verdict, Grant) and verdict.ephemeral:
            return Refusal(403, "ephemeral_secret", "An ephemeral secret opens sessions only; show the server's token.")
        return verdict if isinstance(verdict, Refusal) else None

    def _check_page(self, grant: Grant, origin: str | None) -> Refusal | None:
        """A page calls with the secret that was made for it, unless the operator listed it."""
        return None if origin is None or origin in self._policy.origins or origin == grant.origin else ELSEWHERE


def error_body(message: str, code: str | None, *, param: str | None = None) -> dict[str, object]:
    """Make the body of an HTTP error, as the API has it.

    Parameters
    ----------
    message, code, param : str or None
        As in the ``error`` event.

    Returns
    -------
    dict
        JSON.
    """
    return {"error": {"type": "invalid_request_error", "code": code, "message": message, "param": param}}


def _headers(scope: Scope) -> dict[str, str]:
    """Join repeated headers, so that two Hosts or two Origins match nothing."""
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found


def _hardened(send: Send, page: str | None) -> Send:
    """Add the headers that keep an answer from being framed, sniffed, cached or read across origins but by a caller."""
    named = _HEADERS if page is None else {**_HEADERS, **_SHARED, "access-control-allow-origin": page}

    async def send_with_headers(message: Message) -> None:
        if message["type"] in {"http.response.start", "websocket.http.response.start"}:
            headers = MutableHeaders(scope=message)
            for name, value in named.items():
                headers[name] = value
        await send(message)

    return send_with_headers
