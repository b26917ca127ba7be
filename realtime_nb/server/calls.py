"""The calls of a server, whatever they travel by, and the four things that can be done to one over HTTP."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from realtime_nb.protocol.base import Value
from realtime_nb.protocol.faults import EventError
from realtime_nb.protocol.strict import parse, refuse_unknown, to_struct
from realtime_nb.server.body import read_body
from realtime_nb.server.guard import error_body

if TYPE_CHECKING:
    from realtime_nb.server.hub import Hub

__all__ = ["Call", "Calls", "call_routes", "unfit"]

T = TypeVar("T", bound=msgspec.Struct)

DECLINE = 603
_TARGET = re.compile(r"(?:tel|sips?):[^\s<>\"]{1,256}")


def unfit(message: str) -> EventError:
    """Say that this cannot be done to the call now."""
    return EventError("invalid_call_state", message)


class Call(Protocol):
    """A call, from its ringing to its end; each method raises :class:`EventError` where it does not apply."""

    name: str
    """``rtc_...``: also the name of its session, for sidebands."""

    async def accept(self, session: dict[str, Any]) -> None:
        """Take it, with a session of these settings."""
        ...

    def reject(self, status_code: int) -> None:
        """Refuse it while it rings."""
        ...

    def refer(self, target_uri: str) -> None:
        """Hand it on to somebody else."""
        ...

    def hang_up(self) -> None:
        """End it."""
        ...


class Calls:
    """The calls that are not over, by name."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, call: Call) -> None:
        """Count a call in."""
        self._calls[call.name] = call

    def remove(self, name: str) -> None:
        """Count a call out; harmless for one that is out."""
        self._calls.pop(name, None)

    def find(self, name: str) -> Call | None:
        """Find a call; None when there is none of that name now."""
        return self._calls.get(name)


class _Reject(Value, frozen=True, kw_only=True):
    """The body of ``reject``."""

    status_code: Annotated[int, Meta(ge=400, le=699)] = DECLINE


class _Refer(Value, frozen=True, kw_only=True):
    """The body of ``refer``."""

    target_uri: str


Doing = Callable[[Call, bytes], Awaitable[None]]


async def _accept(call: Call, body: bytes) -> None:
    await call.accept(_json(body))


async def _reject(call: Call, body: bytes) -> None:
    call.reject(_read(body, _Reject).status_code)


async def _refer(call: Call, body: bytes) -> None:
    target = _read(body, _Refer).target_uri
    if not _TARGET.fullmatch(target):
        raise EventError("invalid_value", "Invalid 'target_uri'. Expected a tel: or sip: URI.", "target_uri")
    call.refer(target)


async def _hang_up(call: Call, _body: bytes) -> None:
    call.hang_up()


_DOINGS: dict[str, Doing] = {"accept": _accept, "reject": _reject, "refer": _refer, "hangup": _hang_up}


def call_routes(hub: Hub) -> list[Route]:
    """Make the routes (protocol, 1.4): each answers 200 with an empty body.

    Parameters
    ----------
    hub : Hub
        The server they speak for.

    Returns
    -------
    list of Route
        ``/v1/realtime/calls/{call_id}/...``.
    """

    def endpoint(doing: Doing) -> Callable[[Request], Awaitable[Response]]:
        async def do(request: Request) -> Response:
            name = request.path_params["call_id"]
            body = await read_body(request, hub.options.body_bytes)
            if (call := hub.calls.find(name)) is None:
                return JSONResponse(error_body(f"There is no call '{name[:100]}'.", "call_not_found"), 404)
            try:
                await doing(call, body)
            except EventError as error:
                return JSONResponse(error_body(error.message, error.code, param=error.param), 400)
            return Response()

        return do

    path = "/v1/realtime/calls/{call_id}"
    return [Route(f"{path}/{name}", endpoint(doing), methods=["POST"]) for name, doing in _DOINGS.items()]


def _json(body: bytes) -> dict[str, Any]:
    return parse(body.decode("utf-8", "replace")) if body.strip() else {}


def _read(body: bytes, kind: type[T]) -> T:
    raw = _json(body)
    asked = to_struct(raw, kind)
    refuse_unknown(raw, asked)
    return asked
