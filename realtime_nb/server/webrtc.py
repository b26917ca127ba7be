"""``POST /v1/realtime/calls``: an offer for a call by WebRTC is answered (protocol, 1.3)."""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from realtime_nb.errors import MissingExtra
from realtime_nb.protocol.faults import EventError
from realtime_nb.protocol.session_config import AnySession, merge
from realtime_nb.server.body import read_body
from realtime_nb.server.guard import ADMISSION, error_body
from realtime_nb.server.hub import Hub
from realtime_nb.server.security import CALLS_PATH, Grant
from realtime_nb.server.webrtc_form import Offer, read_offer
from realtime_nb.webrtc import require

if TYPE_CHECKING:
    from realtime_nb.server.webrtc_call import RtcCall

__all__ = ["WebRtc"]


class WebRtc:
    """Takes calls by WebRTC.

    Parameters
    ----------
    hub : Hub
        The server.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._calls: set[RtcCall] = set()
        self.route = Route(CALLS_PATH, self._call, methods=["POST"])

    async def close(self) -> None:
        """End every call."""
        calls = list(self._calls)
        for call in calls:
            call.hang_up()
        await asyncio.gather(*(call.gone() for call in calls))

    async def _call(self, request: Request) -> Response:
        try:
            require()
            body = await read_body(request, self._hub.options.body_bytes)
            offer = read_offer(request.headers.get("content-type", ""), body)
            if offer is None:
                return _refused(415, "Expected application/sdp or multipart/form-data.", "unsupported_content_type")
            settings, rtc = self._settings(request, offer), await asyncio.to_thread(_module)
            if self._is_full:  # no await from here to its place
                return _refused(429, "This server serves no more calls at once.", "session_limit_reached")
            call = rtc.RtcCall(self._hub, _hosts(self._hub.options.host), self._over)
            return await self._answer(call, offer, settings)
        except EventError as error:
            return _refused(400, error.message, error.code, error.param)
        except MissingExtra as missing:
            return _refused(501, str(missing), "webrtc_not_installed")

    @property
    def _is_full(self) -> bool:
        """Whether there are as many calls, or as many sessions, as there may be."""
        return len(self._calls) >= self._hub.options.rtc_calls or self._hub.is_full

    async def _answer(self, call: RtcCall, offer: Offer, settings: AnySession) -> Response:
        self._calls.add(call)
        self._hub.expect(call.name)
        self._hub.calls.add(call)
        try:
            described = await call.answer(offer.sdp, settings)
        except ValueError as fault:
            return _refused(400, f"Invalid SDP: {fault}.", "invalid_sdp", "sdp")
        where = {"location": f"{CALLS_PATH}/{call.name}"}
        return Response(described, 201, where, media_type="application/sdp")

    def _over(self, call: RtcCall) -> None:
        self._calls.discard(call)
        self._hub.expect_no_more(call.name)
        self._hub.calls.remove(call.name)

    def _settings(self, request: Request, offer: Offer) -> AnySession:
        """The server's defaults, then what the secret was issued with, then what is asked for."""
        grant = request.scope.get(ADMISSION)
        issued = dict(grant.session or {}) if isinstance(grant, Grant) else {}
        asked = offer.session
        kind = asked.get("type", issued.get("type"))
        named = asked.get("model", request.query_params.get("model", issued.get("model")))
        model = named if isinstance(named, str) else None
        session = self._hub.new_session(transcription=kind == "transcription", model=model)
        for fields in (issued, asked):
            if fields:
                session = merge(session, {"type": session.__struct_config__.tag, **fields})
        return session


def _module() -> Any:
    """What needs aiortc: half a second of imports, once, and not on the loop."""
    return importlib.import_module("realtime_nb.server.webrtc_call")


def _hosts(host: str) -> tuple[str, ...] | None:
    """Where sound is taken: where the server listens, and nowhere else."""
    plain = "127.0.0.1" if host == "localhost" else host.strip("[]")
    if plain in {"0.0.0.0", "::"}:  # noqa: S104 - named, not bound
        return None
    return (plain,)


def _refused(status: int, message: str, code: str | None, param: str | None = None) -> JSONResponse:
    return JSONResponse(error_body(message, code, param=param), status)
