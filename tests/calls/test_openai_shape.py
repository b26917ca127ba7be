"""Calls to "openai": what is asked for over HTTP is what the service's own package knows, and nothing else."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

pytest.importorskip("aiortc", reason="calls by WebRTC need aiortc")

from openai.types.realtime import RealtimeSessionCreateRequest
from pydantic import BaseModel

import realtime_nb as rt
from realtime_nb.calls.dialled import DialledCall, dial
from realtime_nb.secret import Secret
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.phone_options import PhoneOptions, Webhook
from realtime_nb.server.thread import Serving, serve_in_thread
from realtime_nb.session.page_call import PageCall
from realtime_nb.testing.stages import StubAsr, stub_engine
from realtime_nb.transports import http
from realtime_nb.transports.door import PAGE_ORIGIN

pytestmark = pytest.mark.peer

WHSEC = "whsec_" + base64.b64encode(b"a secret of the test's own, 32 b").decode()
WAIT_S = 60.0


def rooms_free(nights: int) -> str:
    """Count the free rooms."""
    return f"{12 - nights}"


class Service:
    """Our server in the place of the service, and the requests that it was sent."""

    def __init__(self, serving: Serving, webhooks: int) -> None:
        self.serving = serving
        self.webhooks = webhooks
        """The port at which it posts them."""
        self.asked: list[tuple[str, dict[str, str], bytes]] = []

    def note(self, url: str, body: bytes, headers: Any) -> None:
        """Remember a request."""
        shown = {name: value.reveal() if isinstance(value, Secret) else value for name, value in headers.items()}
        self.asked.append((url.removeprefix(self.serving.http), shown, body))

    def last(self, path: str) -> tuple[dict[str, str], bytes]:
        """Headers and body of the one request to a path."""
        ((headers, body),) = [(headers, body) for to, headers, body in self.asked if to == path]
        return headers, body


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Where ``"openai"`` is for the length of a test: a key, a base URL and a webhook's secret in the environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free_port = probe.getsockname()[1]
    webhook = Webhook(f"http://127.0.0.1:{free_port}/webhook", Secret(WHSEC))
    options = ServerOptions(phone=PhoneOptions(port=0, webhook=webhook))
    with serve_in_thread(stub_engine(asr=StubAsr("Have you a room?")), options) as serving:
        assert serving.token is not None
        monkeypatch.setenv("REALTIME_NB_LOG", "0")
        monkeypatch.setenv("OPENAI_API_KEY", serving.token.reveal())
        monkeypatch.setenv("OPENAI_BASE_URL", f"{serving.http}/v1")
        monkeypatch.setenv("OPENAI_WEBHOOK_SECRET", WHSEC)
        service, ask = Service(serving, free_port), http._try

        def noted(url: str, body: bytes, headers: Any, *rest: Any) -> Any:
            service.note(url, body, headers)
            return ask(url, body, headers, *rest)

        monkeypatch.setattr(http, "_try", noted)
        yield service


def unknown(value: Any, place: str = "session") -> list[str]:
    """The fields that the service's own package does not know, however deep."""
    if isinstance(value, list):
        return [name for each in value for name in unknown(each, f"{place}[]")]
    if not isinstance(value, BaseModel):
        return []
    found = [f"{place}.{name}" for name in value.model_extra or ()]
    fields = type(value).model_fields
    return found + [name for field in fields for name in unknown(getattr(value, field), f"{place}.{field}")]


def asked_for(session: dict[str, Any]) -> RealtimeSessionCreateRequest:
    """A session's settings as the service's own package reads them."""
    read = RealtimeSessionCreateRequest.model_validate(session)
    assert unknown(read) == []
    return read


def test_a_call_is_answered_by_the_same_code_at_the_service(service: Service) -> None:
    """``listen("openai")``: the accept has the service's own fields and key, the sideband the history and the tools."""
    with rt.calls.listen("openai", port=service.webhooks) as phone:
        assert service.serving.sip is not None
        answered: list[DialledCall] = []
        target = f"sip:bob@127.0.0.1:{service.serving.sip[1]}"
        dialling = threading.Thread(target=lambda: answered.append(dial(target, timeout_s=WAIT_S)), daemon=True)
        dialling.start()
        incoming = phone.wait(WAIT_S)
        with incoming.accept(instructions="You are a hotel's reception.", tools=[rooms_free]) as session:
            headers, body = service.last(f"/v1/realtime/calls/{incoming.id}/accept")
            assert headers["Authorization"] == f"Bearer {service.serving.token.reveal()}"  # type: ignore[union-attr]
            accepted = asked_for(json.loads(body))
            assert (accepted.type, accepted.model) == ("realtime", "gpt-realtime-mini")
            assert accepted.instructions == "You are a hotel's reception."
            assert [tool.name for tool in accepted.tools or () if tool.type == "function"] == ["rooms_free"]
            dialling.join(WAIT_S)
            assert session.say("Good evening", timeout_s=WAIT_S).text == "You said: Good evening."
            assert list(session.history["role"]) == ["user", "assistant"]
            answered[0].hang_up()


def test_a_cell_calls_the_service_by_webrtc(service: Service) -> None:
    """A form at ``/v1/realtime/calls`` with an offer and a session of the service's own fields; then a turn as ever."""
    with rt.connect("openai", transport="webrtc", timeout_s=WAIT_S) as session:
        headers, body = service.last("/v1/realtime/calls")
        assert headers["Content-Type"].startswith("multipart/form-data; boundary=")
        sdp, settings = (part.partition(b"\r\n\r\n")[2] for part in body.split(b"--realtime-nb-call")[1:3])
        assert sdp.startswith(b"v=0\r\n")
        assert asked_for(json.loads(settings)).model == "gpt-realtime-mini"
        assert session.say("Hello").text == "You said: Hello."


def test_a_page_is_given_what_it_needs_to_call_the_service(service: Service) -> None:
    """A secret for a minute, asked for in the service's words with all the session's settings; the key stays here."""
    told: list[dict[str, Any]] = []
    with rt.connect("openai", instructions="Be brief.", tools=[rooms_free], turn_detection=None) as session:
        given = threading.Event()

        def answer(_page: str, event: Any) -> None:
            told.append(dict(event))
            given.set()

        page = PageCall(session.aio.actor, answer)
        page.happened({"t": "call", "page": "p", "origin": "http://localhost:8888"})
        assert given.wait(WAIT_S)
    headers, body = service.last("/v1/realtime/client_secrets")
    assert set(headers) == {"Authorization", "Content-Type", PAGE_ORIGIN}  # the last is ours; the service ignores it
    asked = json.loads(body)
    assert set(asked) == {"expires_after", "session"}
    assert asked["expires_after"] == {"anchor": "created_at", "seconds": 60}
    settings = asked_for(asked["session"])
    assert settings.instructions == "Be brief."
    assert asked["session"]["audio"]["input"]["turn_detection"] is None
    assert told[0]["url"] == f"{service.serving.http}/v1/realtime/calls"
    assert told[0]["secret"].startswith("ek_")
    assert service.serving.token.reveal() not in str(told)  # type: ignore[union-attr]
