"""The door, over real sockets: plain 403 before the handshake, an error event and a close code after it."""

from __future__ import annotations

import http.client
import json
import socket as sockets
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus

import realtime_nb as rt
from realtime_nb.protocol.limits import Limits
from realtime_nb.secret import Secret
from realtime_nb.server.options import ServerOptions

WAIT_S = 60
OPTIONS = ServerOptions(token=Secret("the-token"), origins=("https://lab.example",), require_model=True)


def test_a_path_that_is_not_there_is_told_so(serve: Any) -> None:
    """Whoever mistook it learns of the path, and not that a key may not."""
    serving = serve(OPTIONS)
    with pytest.raises(rt.errors.ConnectError, match=r"HTTP 404 Not Found") as caught:
        rt.connect(f"{serving.url}s", api_key="the-token")
    assert caught.value.hint is not None
    assert "the path of the realtime endpoint" in caught.value.hint


@pytest.mark.parametrize(
    ("headers", "query", "code", "close"),
    [
        ({}, "?model=gpt-realtime-mini", None, (3000, "invalid_request_error")),
        (
            {"Authorization": "Bearer wrong"},
            "?model=gpt-realtime-mini",
            "invalid_api_key",
            (3000, "invalid_request_error.invalid_api_key"),
        ),
        (
            {"Authorization": "Bearer ek_made_up"},
            "?model=gpt-realtime-mini",
            "invalid_api_key",
            (3000, "invalid_request_error.invalid_api_key"),
        ),
        (
            {"Authorization": "Bearer the-token"},
            "",
            "missing_model",
            (4000, "invalid_request_error.missing_model"),
        ),
        (
            {"Authorization": "Bearer the-token"},
            "?model=gpt-nope",
            "invalid_model",
            (4000, "invalid_request_error.invalid_model"),
        ),
        (
            {"Authorization": "Bearer the-token", "OpenAI-Beta": "realtime=v1"},
            "?model=gpt-realtime-mini",
            "beta_api_shape_disabled",
            (4000, "invalid_request_error.beta_api_shape_disabled"),
        ),
        ({}, "?model=gpt-realtime-mini&token=the-token", None, (3000, "invalid_request_error")),
    ],
)
def test_a_connection_fails_in_band(  # noqa: PLR0917 - a row of the table, and two fixtures
    serve: Any, dial: Any, headers: Any, query: Any, code: Any, close: Any
) -> None:
    """After the 101 come one error event and the close frame with its reason, as at the service; and nothing else."""
    caller = dial(serve(OPTIONS), query, additional_headers=headers)
    assert caller.closed() == close
    [event] = caller.events
    assert event["type"] == "error"
    assert event["error"]["code"] == code
    assert event["error"]["type"] == "invalid_request_error"
    assert "the-token" not in json.dumps(event)


@pytest.mark.parametrize(
    ("headers", "subprotocols"),
    [
        ({"Authorization": "Bearer the-token"}, None),
        ({"api-key": "the-token"}, None),
        ({}, ["realtime", "openai-insecure-api-key.the-token"]),
        ({}, ["realtime", "openai-insecure-api-key.the-token", "openai-agents-sdk.0.24"]),
        ({"Authorization": "Bearer the-token", "Origin": "https://lab.example"}, None),
    ],
)
def test_a_key_opens_however_it_is_shown(serve: Any, dial: Any, headers: Any, subprotocols: Any) -> None:
    """Bearer header, Azure's header and the browser's subprotocol all open; of subprotocols ``realtime`` is echoed."""
    caller = dial(serve(OPTIONS), additional_headers=headers, subprotocols=subprotocols)
    assert caller.until("session.created")["session"]["model"] == "gpt-realtime-mini"
    assert caller.socket.subprotocol == ("realtime" if subprotocols else None)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.test"},
        {"Host": "localhost.evil.test"},
        {"Origin": "https://evil.test"},
        {"Origin": "null"},
        {"Origin": "https://lab.example.evil.test"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_elsewhere_gets_no_socket(serve: Any, headers: Any) -> None:
    """A wrong Host or Origin is a plain 403 before the upgrade, even with the token; the answer says nothing of it."""
    status, got, body = upgrade(serve(OPTIONS).http, {"Authorization": "Bearer the-token", **headers})
    assert status == 403
    assert got["x-content-type-options"] == "nosniff"
    assert json.loads(body)["error"]["code"] in {"host_not_allowed", "origin_not_allowed"}


def test_a_refused_upgrade_is_an_http_answer(serve: Any, dial: Any) -> None:
    """A WebSocket client sees the 403 as a failed handshake."""
    with pytest.raises(InvalidStatus) as caught:
        dial(serve(OPTIONS), additional_headers={"Authorization": "Bearer the-token", "Origin": "https://evil.test"})
    assert caught.value.response.status_code == 403


@pytest.mark.parametrize("host", [None, ""])
def test_a_missing_host_is_refused(serve: Any, host: Any) -> None:
    """A request without a Host never reaches a route."""
    parts = urlsplit(serve(OPTIONS).http)
    line = "" if host is None else f"Host: {host}\r\n"
    with sockets.create_connection((parts.hostname, parts.port), timeout=WAIT_S) as raw:
        raw.sendall(f"GET /health HTTP/1.1\r\n{line}Connection: close\r\n\r\n".encode())
        assert raw.makefile("rb").readline().split()[1] in {b"400", b"403"}


def test_a_thousand_wrong_tokens_change_nothing(serve: Any, dial: Any) -> None:
    """Wrong tokens are refused again and again, and the right one still opens."""
    serving = serve(OPTIONS)
    parts = urlsplit(serving.http)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=WAIT_S)
    for number in range(1000):
        connection.request("GET", "/v1/models", headers={"Authorization": f"Bearer {number}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 401
    connection.close()
    assert dial(serving).until("session.created")


def test_one_session_too_many_is_told_so(serve: Any, dial: Any) -> None:
    """The last session allowed opens, the next gets an error event and 1013, and room comes back when one leaves."""
    serving = serve(ServerOptions(sessions=2))
    first, second = dial(serving), dial(serving)
    first.until("session.created")
    second.until("session.created")
    third = dial(serving)
    assert third.closed() == (1013, "invalid_request_error.session_limit_reached")
    assert third.events[0]["error"]["code"] == "session_limit_reached"
    first.socket.close()
    while (again := dial(serving)).receive()["type"] != "session.created":
        pass
    assert again.works()


def test_an_expired_session_says_so(serve: Any, dial: Any) -> None:
    """At the end of its time a session gets ``session_expired`` and close 1001, with the service's words."""
    caller = dial(serve(ServerOptions(limits=Limits(session_s=0.2))))
    code, reason = caller.closed()
    assert code == 1001
    assert caller.events[-1]["error"]["code"] == "session_expired"
    assert reason == caller.events[-1]["error"]["message"]


def test_an_idle_session_ends(serve: Any, dial: Any) -> None:
    """A session whose client says nothing for the time allowed is closed with 1001."""
    caller = dial(serve(ServerOptions(limits=Limits(idle_s=0.2))))
    assert caller.closed()[0] == 1001
    assert caller.events[-1]["error"]["code"] == "session_idle"


def test_no_model_is_this_server_s_model(serve: Any, dial: Any) -> None:
    """Unless told to require it, the server takes a connection that names no model."""
    assert dial(serve(), "").until("session.created")["session"]["model"] == "gpt-realtime-mini"


def test_a_transcription_session_opens(serve: Any, dial: Any) -> None:
    """``?intent=transcription`` begins a session of that type."""
    session = dial(serve(), "?intent=transcription").until("session.created")["session"]
    assert (session["type"], session["object"]) == ("transcription", "realtime.transcription_session")


def test_compression_is_offered(serve: Any, dial: Any) -> None:
    """``permessage-deflate`` is agreed on with a client that offers it, and a turn works through it."""
    caller = dial(serve(), compression="deflate")
    assert caller.socket.protocol.extensions
    caller.until("session.created")
    assert caller.works()


def upgrade(base: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Ask for an upgrade with exactly these headers; status, headers and body of the answer."""
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=WAIT_S)
    connection.putrequest("GET", "/v1/realtime?model=gpt-realtime-mini", skip_host="Host" in headers)
    handshake = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for name, value in (handshake | headers).items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, body
