"""The HTTP routes: who may ask, what they answer, and in what form they refuse."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from realtime_nb.secret import Secret
from realtime_nb.server.options import ServerOptions

OPTIONS = ServerOptions(token=Secret("the-token"), body_bytes=1000)
KEY = {"Authorization": "Bearer the-token"}
ROUTES = [
    ("GET", "/v1/models"),
    ("GET", "/v1/models/gpt-realtime-mini"),
    ("GET", "/metrics"),
    ("GET", "/v1/realtime"),
    ("POST", "/v1/realtime/client_secrets"),
    ("GET", "/no/such/path"),
    ("DELETE", "/v1/models"),
]


@pytest.fixture
def client(serve: Any) -> Iterator[httpx.Client]:
    """An HTTP client without a key."""
    with httpx.Client(base_url=serve(OPTIONS).http, timeout=60, trust_env=False) as client:
        yield client


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_route_asks_for_the_token(client: Any, method: Any, path: Any) -> None:
    """Without the token each route, and each path that is none, answers 401 in the API's form."""
    answer = client.request(method, path)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert client.request(method, path, headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.request(method, path, params={"token": "the-token", "api-key": "the-token"}).status_code == 401


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("GET", "/health")])
@pytest.mark.parametrize("headers", [{"Host": "evil.test"}, {"Origin": "https://evil.test"}])
def test_every_route_refuses_pages_of_elsewhere(client: Any, method: Any, path: Any, headers: Any) -> None:
    """A wrong Host or Origin is 403 everywhere, the token notwithstanding, and no CORS header invites anybody."""
    answer = client.request(method, path, headers={**KEY, **headers})
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("GET", "/health")])
def test_every_answer_is_hardened(client: Any, method: Any, path: Any) -> None:
    """No answer may be sniffed, framed or cached."""
    headers = client.request(method, path, headers=KEY).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_health_needs_no_token_and_says_no_more_than_ok(client: Any) -> None:
    """A probe on this machine learns that the server lives, and nothing else."""
    answer = client.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_models_are_listed(client: Any) -> None:
    """The list has the API's form, and each model says who really answers."""
    listed = client.get("/v1/models", headers=KEY).json()
    assert listed["object"] == "list"
    [mini] = [model for model in listed["data"] if model["id"] == "gpt-realtime-mini"]
    assert mini["object"] == "model"
    assert mini["brain"]
    assert client.get("/v1/models/gpt-realtime-mini", headers=KEY).json() == mini
    assert client.get("/v1/models/gpt-nope", headers=KEY).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/no/such/path", 404), ("DELETE", "/v1/models", 405), ("GET", "/v1/realtime", 426)],
)
def test_what_is_not_served_is_refused_in_the_api_s_form(client: Any, method: Any, path: Any, status: Any) -> None:
    """Unknown paths, methods, and the socket's path by plain HTTP give an error object."""
    answer = client.request(method, path, headers=KEY)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_metrics_count(serve: Any, dial: Any) -> None:
    """What happened is counted in Prometheus' format."""
    serving = serve(OPTIONS)
    caller = dial(serving)
    caller.until("session.created")
    assert caller.works()
    caller.send("nonsense")
    caller.until("error")
    text = httpx.get(f"{serving.http}/metrics", headers=KEY, timeout=60, trust_env=False).text
    for line in (
        "realtime_nb_sessions 1.0",
        "realtime_nb_sessions_opened_total 1.0",
        'realtime_nb_responses_total{status="completed"} 1.0',
        'realtime_nb_errors_total{code="invalid_value"} 1.0',
        'realtime_nb_events_sent_total{type="session.created"} 1.0',
    ):
        assert line in text


def secret(client: httpx.Client, **body: Any) -> httpx.Response:
    """Ask for an ephemeral secret."""
    return client.post("/v1/realtime/client_secrets", headers=KEY, json=body)


def test_a_secret_opens_sessions_as_it_was_issued(serve: Any, dial: Any) -> None:
    """An ephemeral secret opens several sessions, which begin with its settings and outrank nothing else."""
    serving = serve(OPTIONS)
    with httpx.Client(base_url=serving.http, timeout=60, trust_env=False) as client:
        begun = time.time()
        issued = secret(
            client,
            expires_after={"anchor": "created_at", "seconds": 60},
            session={"type": "realtime", "instructions": "Hum."},
        ).json()
        assert issued["value"].startswith("ek_")
        assert begun + 59 <= issued["expires_at"] <= time.time() + 61
        assert issued["session"]["instructions"] == "Hum."
        assert issued["session"]["id"].startswith("sess_")
        key = {"Authorization": f"Bearer {issued['value']}"}
        for _ in range(2):
            session = dial(serving, additional_headers=key).until("session.created")["session"]
            assert session["instructions"] == "Hum."
        for path in ("/v1/models", "/metrics"):
            assert client.get(path, headers=key).status_code == 403
        assert client.post("/v1/realtime/client_secrets", headers=key).status_code == 403


def test_a_secret_for_transcription_opens_such_a_session(serve: Any, dial: Any) -> None:
    """The type a secret was issued for is the type of its sessions."""
    serving = serve(OPTIONS)
    with httpx.Client(base_url=serving.http, timeout=60, trust_env=False) as client:
        issued = secret(client, session={"type": "transcription"}).json()
    key = {"Authorization": f"Bearer {issued['value']}"}
    assert dial(serving, "", additional_headers=key).until("session.created")["session"]["type"] == "transcription"


def test_a_secret_names_the_model_of_its_sessions(serve: Any, dial: Any) -> None:
    """The answer has the model that was asked for, and so have its sessions where their URL names none."""
    serving = serve(replace(OPTIONS, require_model=True))
    with httpx.Client(base_url=serving.http, timeout=60, trust_env=False) as client:
        issued = secret(client, session={"type": "realtime", "model": "gpt-realtime"}).json()
    assert issued["session"]["model"] == "gpt-realtime"
    key = {"Authorization": f"Bearer {issued['value']}"}
    for query, model in (("", "gpt-realtime"), ("?model=gpt-realtime-mini", "gpt-realtime-mini")):
        assert dial(serving, query, additional_headers=key).until("session.created")["session"]["model"] == model


def test_an_empty_body_gives_a_secret_of_ten_minutes(client: Any) -> None:
    """Everything in the request is optional."""
    begun = time.time()
    answer = client.post("/v1/realtime/client_secrets", headers=KEY)
    assert answer.status_code == 200
    assert begun + 599 <= answer.json()["expires_at"] <= time.time() + 601


@pytest.mark.parametrize(("seconds", "status"), [(9, 400), (10, 200), (11, 200), (7199, 200), (7200, 200), (7201, 400)])
def test_a_secret_lives_ten_seconds_to_two_hours(client: Any, seconds: Any, status: Any) -> None:
    """The bounds of its life hold to the second."""
    assert secret(client, expires_after={"anchor": "created_at", "seconds": seconds}).status_code == status


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (b"{", "invalid_json", None),
        (b"[]", "invalid_event", None),
        (b'{"bogus": 1}', "unknown_parameter", "bogus"),
        (b'{"session": {"type": "realtime", "bogus": 1}}', "unknown_parameter", "session.bogus"),
        (b'{"session": {"type": "nope"}}', "invalid_value", "session.type"),
        (b'{"session": {"model": "gpt-nope"}}', "invalid_model", "session.model"),
        (b'{"session": {"model": 5}}', "invalid_model", "session.model"),
        (b'{"expires_after": {"anchor": "birth"}}', "invalid_value", "expires_after.anchor"),
        (b"\xff\xfe", "invalid_json", None),
    ],
)
def test_a_wrong_request_for_a_secret_names_its_fault(client: Any, body: Any, code: Any, param: Any) -> None:
    """A refused body gets 400 with the code and the path of what is wrong."""
    answer = client.post("/v1/realtime/client_secrets", headers=KEY, content=body)
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == (code, param)


@pytest.mark.parametrize(("size", "status"), [(999, 400), (1000, 400), (1001, 413)])
def test_a_body_has_a_limit(client: Any, size: Any, status: Any) -> None:
    """A body larger than allowed is refused before it is read whole."""
    answer = client.post("/v1/realtime/client_secrets", headers=KEY, content=b"x" * size)
    assert answer.status_code == status
