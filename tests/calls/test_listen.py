"""A call answered in a cell: a server with stub stages, its webhook, and a session by the sideband."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb import local
from realtime_nb.calls.control import Control
from realtime_nb.calls.dialled import DialledCall, dial
from realtime_nb.calls.incoming import IncomingCall
from realtime_nb.calls.phone import Phone, listen, receive
from realtime_nb.engine.base import ChatRequest
from realtime_nb.errors import ConfigError, ConnectError, ConnectionClosed, LocalProtocolError, ModelError, ServerError
from realtime_nb.history.log import EventLog
from realtime_nb.protocol.events import InputAudioBufferDtmfEventReceived
from realtime_nb.secret import Secret
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.phone_options import PhoneOptions, Webhook
from realtime_nb.server.thread import Serving, serve_in_thread
from realtime_nb.testing.stages import Answer, Call, StubAsr, StubLlm, stub_engine, stub_speech
from realtime_nb.wire.webhooks import WebhookRefused, sign

SECRET = "whsec_" + base64.b64encode(b"a secret of the test's own, 32 b").decode()
SPEECH = rt.Audio.from_pcm16(stub_speech(800)) + rt.Audio.silence(0.6)
WAIT_S = 60.0


def scripted(request: ChatRequest) -> Answer:
    """Ask for the rooms, then tell what was found."""
    last = request.messages[-1]
    return f"I found: {last.text}" if last.role == "tool" else Call("rooms_free", {"nights": 2})


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Phone, Serving]]:
    """A phone in a notebook, and the server that tells it of calls."""
    monkeypatch.setenv("REALTIME_NB_LOG", "0")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    webhook = Webhook(f"http://127.0.0.1:{port}/webhook", Secret(SECRET))
    options = ServerOptions(phone=PhoneOptions(port=0, webhook=webhook))
    engine = stub_engine(asr=StubAsr("Have you a room?"), llm=StubLlm(scripted))
    with (
        serve_in_thread(engine, options) as serving,
        listen(serving.url, api_key=serving.token, secret=SECRET, port=port) as phone,
    ):
        assert phone.url == webhook.url
        yield phone, serving


class Caller:
    """A telephone on a thread of its own, since dialling waits for an answer."""

    def __init__(self, serving: Serving) -> None:
        self.call: DialledCall | None = None
        self.refusal: ConnectError | None = None
        assert serving.sip is not None
        self._target = f"sip:bob@127.0.0.1:{serving.sip[1]}"
        self._thread = threading.Thread(target=self._dial, daemon=True)
        self._thread.start()

    def _dial(self) -> None:
        try:
            self.call = dial(self._target, timeout_s=WAIT_S)
        except ConnectError as refusal:
            self.refusal = refusal

    def up(self) -> DialledCall:
        """The call, once it is taken."""
        self._thread.join(WAIT_S)
        assert self.call is not None, self.refusal
        return self.call

    def refused(self) -> str:
        """What was said, once it is refused."""
        self._thread.join(WAIT_S)
        return str(self.refusal)


def until(state: Callable[[], Any]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + WAIT_S
    while not state():
        assert time.monotonic() < end, "it never came so"
        time.sleep(0.02)


def test_a_call_is_answered_in_a_cell(desk: tuple[Phone, Serving]) -> None:
    """Verified webhook, accept, sideband: the caller hears an answer out of a Python function."""
    phone, serving = desk
    asked: list[int] = []

    def rooms_free(nights: int) -> str:
        """Count the free rooms."""
        asked.append(nights)
        return "three rooms"

    caller = Caller(serving)
    incoming = phone.wait(WAIT_S)
    assert incoming.caller.startswith("sip:realtime-nb@127.0.0.1")
    assert incoming.called.startswith("sip:bob@127.0.0.1")
    session = incoming.accept(instructions="You are a hotel's reception.", tools=[rooms_free])
    call = caller.up()
    call.say(SPEECH)
    assert call.hear(timeout_s=WAIT_S).peak_dbfs > -20
    call.press("7#")
    until(lambda: incoming.keys == "7#")
    until(lambda: "I found: three rooms" in " ".join(map(str, session.history["transcript"])))
    history = session.history
    assert "Have you a room?" in set(history["transcript"])
    assert asked == [2]
    incoming.hang_up()
    until(lambda: not call.is_up)
    with pytest.raises(ConnectionClosed, match="the other end hung up"):
        call.press("1")
    until(lambda: not len(serving.hub.calls))
    session.close()
    call.hang_up()


def test_a_call_is_answered_in_a_coroutine(desk: tuple[Phone, Serving]) -> None:
    """`async for incoming in phone`, and `await incoming.aaccept(...)`."""
    phone, serving = desk
    caller = Caller(serving)

    async def answer() -> tuple[Any, Any]:
        async for incoming in phone:
            return incoming, await incoming.aaccept(instructions="Be brief.")
        raise AssertionError("nobody called")

    incoming, session = asyncio.run(answer())
    call = caller.up()
    call.press("1")
    until(lambda: incoming.keys == "1")
    call.hang_up()
    until(lambda: "closed" in repr(session))


def test_looking_for_keys_reads_only_what_is_new() -> None:
    """A program that looks ten times a second reads an hour's log once, and not at each look."""
    read: list[Any] = []

    class Log(EventLog):
        def since(self, position: int) -> Any:
            found = super().since(position)
            read.extend(found)
            return found

    incoming, log = IncomingCall(Control("ws://127.0.0.1", {}, None, None), {"data": {"call_id": "rtc_1"}}), Log()
    incoming.session = SimpleNamespace(actor=SimpleNamespace(link=SimpleNamespace(log=log)))  # type: ignore[assignment]
    for key in "7#":
        log.append("received", InputAudioBufferDtmfEventReceived(event=key, received_at=0), 0.0, 0)
        assert incoming.keys == incoming.keys
    assert (incoming.keys, len(read)) == ("7#", 2)


def test_who_waits_for_a_call_hears_that_the_engine_has_ended() -> None:
    """Nobody would ever call."""

    class Engine:
        async def ended(self) -> None:
            """Be dead."""

        async def stop(self) -> None:
            """Be dead."""

    with Phone(Secret(SECRET), "127.0.0.1", 0) as phone:
        phone.attach(Control("ws://127.0.0.1", {}, None, None), Engine())  # type: ignore[arg-type]
        with pytest.raises(ModelError, match="has ended"):
            phone.wait(WAIT_S)
        with pytest.raises(ModelError, match="has ended"):
            next(iter(phone))


def test_a_call_is_refused_in_a_cell(desk: tuple[Phone, Serving]) -> None:
    """The caller hears the status; what is done to it later is told as a fact."""
    phone, serving = desk
    caller = Caller(serving)
    incoming = phone.wait(WAIT_S)
    incoming.reject(486)
    assert "486 Busy Here" in caller.refused()
    with pytest.raises(ServerError, match="There is no call"):
        incoming.hang_up()
    with pytest.raises(ServerError, match="There is no call"):
        incoming.accept()


def test_nobody_calls(desk: tuple[Phone, Serving]) -> None:
    """Waiting has an end; a closed phone says so."""
    phone, _ = desk
    with pytest.raises(TimeoutError, match="nobody has called"):
        phone.wait(0.05)
    phone.close()
    with pytest.raises(LocalProtocolError, match="closed"):
        phone.wait()


def webhook(call_id: str = "rtc_1", *, id: str = "evt_1", age_s: int = 0) -> tuple[bytes, dict[str, str]]:
    """A webhook as the service sends it."""
    data = {"call_id": call_id, "sip_headers": [{"name": "From", "value": '"Ann" <sip:+15550100@example.org>;tag=1'}]}
    event = {"object": "event", "id": id, "type": "realtime.call.incoming", "created_at": 1, "data": data}
    body = json.dumps(event).encode()
    return body, sign(Secret(SECRET), id, int(time.time()) - age_s, body)


def post(phone: Phone, body: bytes, headers: dict[str, str], path: str = "") -> int:
    """Send a webhook; gives the status."""
    request = urllib.request.Request(phone.url + path, body, headers, method="POST")  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=WAIT_S) as answer:  # noqa: S310 - our own
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


def test_missed_calls_are_not_waited_for(desk: tuple[Phone, Serving], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever called an hour ago, when nobody waited, does not ring any more."""
    phone, _ = desk
    loop = phone._loop

    class Earlier:
        call_soon_threadsafe = loop.call_soon_threadsafe

        def time(self) -> float:
            return loop.time() - 3600

    with monkeypatch.context() as then:
        then.setattr(phone, "_loop", Earlier())
        phone.take(*webhook("rtc_missed"))
    phone.take(*webhook("rtc_new", id="evt_2"))
    assert phone.wait(WAIT_S).id == "rtc_new"


def test_a_caller_who_gave_up_is_passed_over(desk: tuple[Phone, Serving]) -> None:
    """Who waits to answer a call answers the next one that is there."""
    phone, serving = desk
    phone.take(*webhook("rtc_given_up"))
    caller = Caller(serving)
    session = phone.answer(timeout_s=WAIT_S, instructions="Be brief.")
    assert caller.up().is_up
    session.close()
    caller.up().hang_up()


def test_a_server_that_has_no_calls_there_is_no_caller_who_gave_up(desk: tuple[Phone, Serving]) -> None:
    """Else every caller would be passed over, and nobody would know why."""
    phone, serving = desk
    phone.attach(Control(f"{serving.url}/elsewhere", serving.headers, None, None))
    phone.take(*webhook())
    with pytest.raises(ServerError, match="404"):
        phone.answer(timeout_s=WAIT_S)


def test_only_the_servers_own_fresh_webhooks_ring(desk: tuple[Phone, Serving]) -> None:
    """Tampered with, old, of another secret: refused. A repetition is taken and rings no second time."""
    phone, _ = desk
    body, headers = webhook()
    assert post(phone, body.replace(b"rtc_1", b"rtc_2"), headers) == 401
    assert post(phone, *webhook(age_s=400)) == 401
    assert post(phone, body, {**headers, "webhook-signature": "v1,AAAA"}) == 401
    assert post(phone, body, {}) == 401
    assert post(phone, body, headers, "/elsewhere") == 404
    assert post(phone, body, headers) == 200
    assert post(phone, body, headers) == 200
    incoming = phone.wait(WAIT_S)
    assert (incoming.id, incoming.caller) == ("rtc_1", "Ann <sip:+15550100@example.org>")
    with pytest.raises(TimeoutError):
        phone.wait(0.05)


def test_a_webhook_of_ones_own_framework_is_read() -> None:
    """The same checks as a function; a repetition raises."""
    given: dict[str, Any] = {"to": "ws://127.0.0.1:9/v1/realtime", "secret": SECRET}
    name = f"evt_{secrets.token_hex(4)}"
    body, headers = webhook(id=name)
    call = receive(body, headers, **given)
    assert call is not None
    assert call.id == "rtc_1"
    with pytest.raises(WebhookRefused, match="before"):
        receive(body, headers, **given)
    with pytest.raises(WebhookRefused):
        receive(body + b" ", headers, **given)
    with pytest.raises(ConnectError, match=r"no connection to http://127\.0\.0\.1:9"):
        call.reject()


def test_a_secret_is_needed_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one nothing is listened to; with one no repr has it."""
    monkeypatch.delenv("OPENAI_WEBHOOK_SECRET", raising=False)
    with pytest.raises(ConfigError, match="OPENAI_WEBHOOK_SECRET"):
        listen("ws://127.0.0.1:9/v1/realtime")
    with pytest.raises(ConfigError, match="it goes elsewhere"):
        listen("ws://127.0.0.1:9/v1/realtime", secret=SECRET, tts="piper")
    with pytest.raises(ConfigError, match="a webhook's secret is"):
        listen("ws://127.0.0.1:9/v1/realtime", secret="whsec_short")
    with listen("ws://127.0.0.1:9/v1/realtime", api_key="sk-test-CANARY", secret=SECRET) as phone:
        shown = repr(phone) + repr(vars(phone)) + repr(vars(phone._control))
        assert SECRET not in shown
        assert "CANARY" not in shown


class Service:
    """A stand-in for the service: notes what it is asked over HTTP."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Any]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                service.asked.append((self.path, self.headers["authorization"], json.loads(body or b"null")))
                self.send_response(307 if "redirect" in self.path else 200)
                self.send_header("location", "http://127.0.0.1:9/stolen")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()


def test_the_same_code_speaks_openais_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a key and OPENAI_BASE_URL the four requests are those of the service; the key follows no redirect."""
    service = Service()
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{service.server.server_port}/v1")
    given: dict[str, Any] = {"to": "openai", "api_key": "sk-test", "secret": SECRET}
    names = {name: secrets.token_hex(4) for name in ("rtc_7", "rtc_redirect")}
    try:
        call = receive(*webhook("rtc_7", id=names["rtc_7"]), **given)
        assert call is not None
        call.reject(486)
        call.refer("tel:+15550100")
        call.hang_up()
        assert service.asked == [
            ("/v1/realtime/calls/rtc_7/reject", "Bearer sk-test", {"status_code": 486}),
            ("/v1/realtime/calls/rtc_7/refer", "Bearer sk-test", {"target_uri": "tel:+15550100"}),
            ("/v1/realtime/calls/rtc_7/hangup", "Bearer sk-test", None),
        ]
        stolen = receive(*webhook("rtc_redirect", id=names["rtc_redirect"]), **given)
        assert stolen is not None
        with pytest.raises(ServerError, match="307"):
            stolen.hang_up()
    finally:
        service.server.shutdown()
        service.server.server_close()


def test_who_waits_for_calls_learns_that_the_phone_is_closed() -> None:
    """A loop over its calls ends, on a thread and in a coroutine; who waits for one is told."""
    phone = Phone(Secret(SECRET), "127.0.0.1", 0)
    outcomes: list[str] = []

    async def follow() -> None:
        async for _ in phone:
            pass
        outcomes.append("a loop in a coroutine")

    def loop() -> None:
        for _ in phone:
            pass
        outcomes.append("a loop")

    def wait() -> None:
        with pytest.raises(LocalProtocolError, match="closed"):
            phone.wait()
        outcomes.append("a wait")

    threads = [threading.Thread(target=target, daemon=True) for target in (loop, wait, lambda: asyncio.run(follow()))]
    for thread in threads:
        thread.start()
    until(lambda: len(phone._waiting._getters) == 3)  # type: ignore[attr-defined]
    phone.close()
    for thread in threads:
        thread.join(WAIT_S)
    assert sorted(outcomes) == ["a loop", "a loop in a coroutine", "a wait"]


# ---------------------------------------------------------------- placing calls
def test_connecting_to_a_sip_address_places_a_call() -> None:
    """`rt.connect("sip:...")` is a telephone: it says, hears and presses; the server's model answers."""
    with serve_in_thread(stub_engine(), ServerOptions(phone=PhoneOptions(port=0))) as serving:
        assert serving.sip is not None
        with rt.connect(f"sip:bob@127.0.0.1:{serving.sip[1]}") as call:
            assert call.is_up
            with pytest.raises(TimeoutError, match="said nothing"):
                call.hear(timeout_s=0.05)
            call.say(SPEECH)
            answer = call.hear(timeout_s=WAIT_S)
            assert answer.peak_dbfs > -20
            assert call.heard.duration_s >= answer.duration_s
            with pytest.raises(ValueError, match="'x' is no key"):
                call.press("1x")
        assert "over" in repr(call)
        for act in (lambda: call.say(SPEECH), call.hear, call.hear):
            with pytest.raises(ConnectionClosed, match="hung up here"):
                act()


class _Looked(list[np.ndarray]):
    """Pieces of sound, and how many of them were looked at."""

    count = 0

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        self.count += len(found)
        return found


def test_hearing_costs_no_more_after_minutes_in_which_nobody_listened() -> None:
    """Each packet is looked at when it comes, and once more when all is handed over."""
    silent, loud = np.zeros(160, np.float32), np.full(160, 0.5, np.float32)

    class Line:
        ended = None
        heard = _Looked([silent] * 3_000)

        async def until(self, state: Callable[[], bool]) -> None:
            came = [silent] * 100 + [loud] + [silent] * 49
            assert not any((self.heard.append(piece), state())[1] for piece in came)
            self.heard.append(silent)
            assert state()

    line: Any = Line()
    assert DialledCall(line, "sip:bob@127.0.0.1").hear().duration_s == 3_151 / 50
    assert line.heard.count == 2 * 3_151


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("sip:", "no SIP address"),
        ("sips:bob@127.0.0.1", "without TLS"),
        ("sip:bob@127.0.0.1;transport=tls", "without TLS"),
    ],
)
def test_what_is_no_address_is_said_so(target: str, words: str) -> None:
    """Before anything is sent."""
    with pytest.raises(ConfigError, match=words):
        dial(target)


@pytest.mark.parametrize("setting", [{"voice": "marin"}, {"budget_usd": 0.5}, {"tier": 1}, {"llm": "small"}])
def test_a_telephone_takes_no_settings(setting: dict[str, Any]) -> None:
    """A budget that nobody would hold is refused, as a voice is that nobody would speak with."""
    with pytest.raises(ConfigError, match=f"takes no {next(iter(setting))}="):
        rt.connect("sip:", **setting)


def test_nobody_there_is_said_so() -> None:
    """A refused connection, and a telephone that does not exist."""
    with pytest.raises(ConnectError, match="no connection"):
        dial("sip:bob@127.0.0.1:9;transport=tcp")
    with pytest.raises(ConnectError, match=r"not taken within 0\.3 s"):
        dial("sip:bob@127.0.0.1:9", timeout_s=0.3)


def test_the_embedded_engine_takes_calls_and_asks_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """`rt.calls.listen("local")`: an engine of its own, its secret told in private; both end together."""
    child = Path(__file__).parents[1] / "server" / "child.py"
    seen: list[list[str]] = []

    def command(stages: local.Stages) -> list[str]:
        seen.append(stages.arguments())
        return [sys.executable, str(child), "--child", *stages.arguments()]

    monkeypatch.setenv("REALTIME_NB_LOG", "0")
    monkeypatch.setattr(local, "_command", command)
    with listen("local", sip="127.0.0.1:0") as phone:
        answers: list[DialledCall] = []
        dialling = threading.Thread(target=lambda: answers.append(dial(phone.sip, timeout_s=WAIT_S)), daemon=True)
        dialling.start()
        session = phone.answer(timeout_s=WAIT_S, instructions="Be brief.")
        dialling.join(WAIT_S)
        (call,) = answers
        call.say(SPEECH)
        assert call.hear(timeout_s=WAIT_S).peak_dbfs > -20
        call.hang_up()
        until(lambda: "closed" in repr(session))
    assert local.running() == []
    assert "whsec_" not in " ".join(seen[0])
