"""How a session comes about, and every way in which it does not."""

from __future__ import annotations

import asyncio
import http
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb import errors, local
from realtime_nb.connecting import aconnect
from realtime_nb.testing.server import Reply, ScriptedServer

CANARY = "sk-test-CANARY-0123456789"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with no keys in the environment."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_a_session_is_set_up_before_it_is_given() -> None:
    """session.created has come, one session.update was sent, and session.updated has come."""
    with (
        ScriptedServer() as server,
        rt.connect(server.url, voice="sage", instructions="Be brief.", max_output_tokens=100) as session,
    ):
        sent = server.of_type("session.update")
        assert len(sent) == 1
        assert sent[0]["session"] == {
            "type": "realtime",
            "instructions": "Be brief.",
            "max_output_tokens": 100,
            "audio": {
                "output": {"voice": "sage"},
                "input": {"transcription": {"model": "gpt-4o-mini-transcribe"}},
            },
        }
        assert session.config.audio.output.voice == "sage"
        assert session.config.instructions == "Be brief."
        assert session.id == "sess_1"


def test_the_handshake_has_key_and_model() -> None:
    """The key goes as a bearer token, the model in the query; no beta header."""
    with ScriptedServer() as server, rt.connect(server.url, api_key=CANARY, model="gpt-realtime") as session:
        assert server.headers[0]["Authorization"] == f"Bearer {CANARY}"
        assert server.paths == ["/v1/realtime?model=gpt-realtime"]
        assert "OpenAI-Beta" not in server.headers[0]
        assert session.card.name == "gpt-realtime"


def test_transcription_is_on_unless_switched_off() -> None:
    """transcription=None asks for none."""
    with ScriptedServer() as server, rt.connect(server.url, transcription=None):
        sent = server.of_type("session.update")[0]["session"]
        assert sent["audio"]["input"] == {"transcription": None}


def test_it_can_be_awaited() -> None:
    """aconnect() gives the awaitable face on any loop."""

    async def cell(url: str) -> str:
        async with await aconnect(url) as session:
            return (await session.say("Hello.")).text

    with ScriptedServer(Reply("Hi.")) as server:
        assert asyncio.run(cell(server.url)) == "Hi."


# ---------------------------------------------------------------- refused before anything is started
@pytest.mark.parametrize(
    ("config", "kind", "words"),
    [
        ({"voise": "sage"}, errors.ConfigError, "'voice'"),
        ({"temperature": 0.7}, errors.ConfigError, "does not have"),
        ({"modalities": ["text"]}, errors.ConfigError, "'output_modalities'"),
        ({"output_modalities": ["image"]}, errors.Unsupported, "no image output"),
        ({"output_modalities": ["text", "audio"]}, errors.ConfigError, r"\['text'\] and \['audio'\]"),
        ({"response_format": {}}, errors.Unsupported, "structured outputs"),
        ({"turn_detection": "vad"}, errors.ConfigError, "'server_vad', 'semantic_vad'"),
        ({"speed": 9}, errors.ConfigError, "1.5"),
        ({"model": "gpt-realtime-mimi"}, errors.ConfigError, "gpt-realtime-mimi"),
        ({"budget_usd": -1}, errors.ConfigError, "budget_usd"),
        ({"llm": "small", "to": "ws://127.0.0.1:9/"}, errors.ConfigError, "llm="),
    ],
)
def test_a_wrong_setting_is_refused_at_once(config: dict[str, Any], kind: type, words: str) -> None:
    """Nothing is started or sent for a setting that cannot be; the error says what can."""
    with pytest.raises(kind, match=words):
        rt.connect(**{"to": "local", **config})
    assert local.running() == []


# ---------------------------------------------------------------- refused by what is there
def refused(to: str, **options: Any) -> errors.ConnectError:
    """The error of a session that does not come about, within 5 s."""
    begun = time.monotonic()
    with pytest.raises(errors.ConnectError) as caught:
        rt.connect(to, api_key=CANARY, **options)
    assert time.monotonic() - begun < 6
    assert CANARY not in str(caught.value)
    lines = traceback.TracebackException.from_exception(caught.value, capture_locals=True).format()
    assert not any(CANARY in line for line in lines if __file__ not in line)
    assert caught.value.hint
    return caught.value


def test_an_unreachable_url_is_named() -> None:
    """Nobody listens: ConnectError with the URL, without its query."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = refused(f"ws://127.0.0.1:{port}/v1/realtime?token=in-the-url")
    assert f"ws://127.0.0.1:{port}/v1/realtime:" in str(error)
    assert "in-the-url" not in str(error)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_at_the_upgrade_is_not_tried_again(status: int) -> None:
    """Azure and others answer HTTP 401: one attempt, one error."""
    with ScriptedServer(http_status=http.HTTPStatus(status)) as server:
        assert f"HTTP {status}" in str(refused(server.url))
        assert len(server.headers) == 1


@pytest.mark.parametrize(("code", "close"), [("invalid_api_key", 3000), ("invalid_model", 4000)])
def test_a_refusal_after_the_upgrade_is_not_tried_again(code: str, close: int) -> None:
    """The service answers 101, an error event and a close: one attempt, the server's words, the key masked."""
    with ScriptedServer(refuse=(code, close), refusal=f"Incorrect: {CANARY}") as server:
        error = refused(server.url)
        assert "Incorrect: sk-…" in str(error)
        assert len(server.headers) == 1


def test_a_silent_server_is_given_up() -> None:
    """A server that accepts and never says session.created is an error, not a hang."""
    with ScriptedServer(mute=True) as server:
        assert "session.created" in str(refused(server.url, timeout_s=2.0))


def test_refused_settings_raise_the_servers_words() -> None:
    """An error for the first session.update is raised, and the connection closed."""

    def refuse(event: dict[str, Any]) -> list[dict[str, Any]]:
        detail = {"type": "invalid_request_error", "code": "unknown_parameter", "message": "No such voice."}
        return [{"type": "error", "event_id": "e", "error": {**detail, "event_id": event["event_id"]}}]

    with ScriptedServer(on={"session.update": refuse}) as server:
        with pytest.raises(errors.ServerError, match="No such voice"):
            rt.connect(server.url, voice="nobody")
        server.wait_for_end()


def test_interrupt_while_connecting_leaves_nothing_open() -> None:
    """Kernel Interrupt during connect() closes what was begun."""
    with ScriptedServer(on={"session.update": lambda _: []}) as server:

        def press() -> None:
            server.wait_for("session.update")
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=press).start()
        with pytest.raises(KeyboardInterrupt):
            rt.connect(server.url)
        server.wait_for_end()


# ---------------------------------------------------------------- the local engine
@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """An engine child that sends its clients to a scripted server of this process."""
    with ScriptedServer(Reply("Hello."), Reply("Again."), session={"brain": "stub brain"}) as server:
        ready = json.dumps({"ready": {"url": server.url, "brain": "stub brain"}})
        source = f"import os, sys; print({ready!r}, flush=True); sys.stdin.read()"
        monkeypatch.setattr(local, "_command", lambda _stages: [sys.executable, "-c", source])
        yield server
        local.stop()


def test_local_starts_the_engine_and_keeps_it_warm(engine: ScriptedServer) -> None:
    """connect("local") starts one child, shared by sessions, and it stays when they close."""
    with rt.connect("local") as one, rt.connect("local") as two:
        assert one.brain == "stub brain"
        assert one.say("Hello.").text == "Hello."
        assert two.say("Hello.").text == "Again."
        assert len(local.running()) == 1
    assert len(local.running()) == 1
    token = local.running()[0].token.reveal()
    assert engine.headers[0]["Authorization"] == f"Bearer {token}"
    assert engine.paths[0].endswith("?model=gpt-realtime-mini")


def test_local_plays_the_model_and_charges_by_its_card(engine: ScriptedServer) -> None:
    """The local engine stands in for gpt-realtime-mini: its card's prices; model="local" is free."""
    with rt.connect("local") as session:
        assert session.say("Hello.").cost_usd > 0
    with rt.connect("local", model="local") as session:
        assert session.say("Hello.").cost_usd == 0


def test_a_dead_engine_is_replaced_at_the_next_connection(engine: ScriptedServer) -> None:
    """After the engine was stopped, connect starts another."""
    with rt.connect("local"):
        first = local.running()[0].pid
    local.stop()
    with rt.connect("local"):
        assert local.running()[0].pid != first
