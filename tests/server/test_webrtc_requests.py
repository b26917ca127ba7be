"""What a call by WebRTC is asked for with, and who may ask: types, forms, secrets, pages."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from typing import Any

import httpx
import pytest

pytest.importorskip("aiortc", reason="calls by WebRTC need aiortc")

from aiortc import RTCSessionDescription
from rtc import LOOPBACK, WAIT_S, Rtc, form, post, released, secret, talk

from realtime_nb.server.thread import Serving
from realtime_nb.server.webrtc_form import read_offer
from realtime_nb.webrtc.peer import offer


def test_a_form_carries_the_settings() -> None:
    """Both parts of a form are read, and a body of another type is none."""
    body, kind = form("v=0\r\na=x\r\n", {"type": "realtime", "voice": "ü"})
    read = read_offer(kind, body)
    assert read is not None
    assert (read.sdp.split(), read.session) == (["v=0", "a=x"], {"type": "realtime", "voice": "ü"})
    assert read_offer("text/plain", body) is None


def test_an_offer_in_a_form_begins_a_session_with_its_settings(serve: Any) -> None:
    """The session has the settings of the form from its first event on."""
    serving = serve()

    async def scenario() -> None:
        rtc = Rtc()
        try:
            body, kind = form(await offer(rtc.peer, LOOPBACK), {"type": "realtime", "instructions": "Be brief."})
            headers = {**serving.headers, "Content-Type": kind}
            status, _, answered = await asyncio.to_thread(post, serving.http, body, headers)
            assert status == 201, answered
            await rtc.peer.setRemoteDescription(RTCSessionDescription(answered, "answer"))
            assert (await rtc.until("session.created"))["session"]["instructions"] == "Be brief."
        finally:
            await rtc.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        ("text/plain", b"v=0", 415, "unsupported_content_type"),
        ("application/sdp", b"", 400, "invalid_sdp"),
        ("application/sdp", b"v=0\r\n", 400, "invalid_sdp"),
        ("application/sdp", b"v=0\r\n" + b"a=x\r\n" * 20_000, 400, "invalid_sdp"),
        ("application/sdp", b"v=0\r\nm=audio 9 X 0\r\nm=application 9 Y 0\r\n", 400, "invalid_sdp"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n--b--", 400, "invalid_sdp"),
    ],
    ids=["type", "empty", "nothing", "bomb", "garbage", "form"],
)
def test_what_is_no_offer_is_refused(serve: Any, kind: str, body: bytes, status: int, code: str) -> None:
    """It is answered by what is wrong with it, and no call is left."""
    serving = serve()
    got, _, said = post(serving.http, body, {**serving.headers, "Content-Type": kind})
    assert (got, json.loads(said)["error"]["code"]) == (status, code)
    assert released(serving)()


def test_a_server_without_aiortc_says_what_to_install(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """501, with the line that installs it; all else works."""
    serving = serve()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    status, _, said = post(serving.http, b"v=0", {**serving.headers, "Content-Type": "application/sdp"})
    assert status == 501
    assert 'pip install "realtime-nb[webrtc]"' in json.loads(said)["error"]["message"]


def test_an_ephemeral_secret_opens_a_call_and_no_more(serve: Any) -> None:
    """With an ``ek_`` secret one may call, and not hang up."""
    serving = serve()
    shown = {"Authorization": f"Bearer {secret(serving)}"}

    async def scenario(rtc: Rtc) -> None:
        path = f"/v1/realtime/calls/{rtc.name}/hangup"
        assert (await asyncio.to_thread(post, serving.http, b"", shown, path))[0] == 403
        assert (await rtc.say("Hello"))["status"] == "completed"

    talk(serving, scenario, shown)


def preflight(serving: Serving, origin: str, path: str = "/v1/realtime/calls") -> tuple[int, str | None]:
    """What a browser is told before it lets a page ask."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    answer = httpx.options(serving.http + path, headers=asked, timeout=WAIT_S)
    return answer.status_code, answer.headers.get("access-control-allow-origin")


def test_a_page_may_call_with_the_secret_that_was_made_for_it(serve: Any) -> None:
    """The origin a secret was made for may call, that path alone, that secret alone; others are told nothing."""
    serving = serve()
    page, other = "http://localhost:8888", "http://evil.test"
    assert preflight(serving, page) == (403, None)
    mine, anyone_s = secret(serving, **{"realtime-page-origin": page}), secret(serving)
    assert preflight(serving, page) == (204, page)
    assert preflight(serving, other) == (403, None)
    assert preflight(serving, page, "/v1/realtime/client_secrets") == (403, None)

    def call(origin: str, shown: str) -> int:
        headers = {"Origin": origin, "Authorization": f"Bearer {shown}", "Content-Type": "text/plain"}
        return post(serving.http, b"v=0", headers)[0]

    assert call(page, mine) == 415
    assert call(page, anyone_s) == 403
    assert call(other, mine) == 403
    assert call(page, serving.token.reveal()) == 403  # type: ignore[union-attr]
