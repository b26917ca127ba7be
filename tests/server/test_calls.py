"""What becomes of a call is decided over HTTP, by a program that was told of it by webhook."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import openai
import pytest
from waiting import wait_for

from realtime_nb.errors import ConnectError
from realtime_nb.secret import Secret
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.phone_options import PhoneOptions, Webhook
from realtime_nb.transports.sip import PhoneLine, open_line

SECRET = Secret("whsec_" + base64.b64encode(b"a secret of the test's own, 32 b").decode())
WAIT_S = 60.0


class Program:
    """The operator's program: takes webhooks, and remembers them."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers = [200]
        """HTTP statuses, the last one for ever; 0 is no answer at all."""
        self.let_go = threading.Event()
        program = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                program.got.append((dict(self.headers), body))
                status = program.answers.pop(0) if len(program.answers) > 1 else program.answers[0]
                if not status:
                    program.let_go.wait(WAIT_S)
                    return
                self.send_response(status)
                if status == 302:
                    self.send_header("location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_port}/webhook"

    def wait(self, count: int = 1) -> tuple[dict[str, str], bytes]:
        """The webhook of that number, once it has come."""
        end = time.monotonic() + WAIT_S
        while len(self.got) < count:
            assert time.monotonic() < end, "no webhook came"
            time.sleep(0.01)
        return self.got[count - 1]

    def call_id(self) -> str:
        """Of the first webhook."""
        name: str = json.loads(self.wait()[1])["data"]["call_id"]
        return name


@pytest.fixture
def program() -> Iterator[Program]:
    """A program that is told of calls."""
    program = Program()
    yield program
    program.let_go.set()
    program.server.shutdown()
    program.server.server_close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A webhook is soon tried again."""
    monkeypatch.setattr("realtime_nb.server.webhook.PAUSES_S", (0.3, 0.3))


@pytest.fixture
def serving(serve: Any, program: Program, hurried: None) -> Any:
    """A server that asks the program."""
    return telephone(serve, program)


def telephone(serve: Any, program: Program, timeout_s: float = WAIT_S) -> Any:
    """A server that asks a program, and waits so long for its answer."""
    webhook = Webhook(program.url, SECRET, timeout_s=timeout_s)
    return serve(ServerOptions(phone=PhoneOptions(port=0, webhook=webhook, ring_s=2 * WAIT_S)))


class Ringing:
    """A call that is placed and waits, on a loop of its own."""

    def __init__(self, serving: Any) -> None:
        self.serving = serving
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        target = f"sip:bob@127.0.0.1:{serving.sip[1]}"
        self.line = asyncio.run_coroutine_threadsafe(open_line(target, timeout_s=WAIT_S), self._loop)

    def taken(self) -> PhoneLine:
        """The line, once it is taken."""
        return self.line.result(WAIT_S)

    def ended(self) -> str:
        """Wait for the other end to hang up; says why."""

        async def wait() -> str:
            line = self.taken()
            async with asyncio.timeout(WAIT_S):
                await line.until(lambda: line.ended is not None)
            assert line.ended is not None
            return line.ended.why

        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(WAIT_S)

    def close(self) -> None:
        """Hang up and end the loop."""

        async def settle() -> None:
            if self.line.done() and not self.line.cancelled() and self.line.exception() is None:
                await self.line.result().hang_up()
            self.line.cancel()
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(settle(), self._loop).result(WAIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)


@pytest.fixture
def ringing(serving: Any) -> Iterator[Ringing]:
    """A call that waits for a decision."""
    call = Ringing(serving)
    yield call
    call.close()


def post(serving: Any, call_id: str, doing: str, body: Any = None) -> httpx.Response:
    """One of the four."""
    return httpx.post(
        f"{serving.http}/v1/realtime/calls/{call_id}/{doing}",
        headers=serving.headers,
        json=body,
        timeout=WAIT_S,
        trust_env=False,
    )


def released(serving: Any) -> bool:
    """Wait until a server has no call any more."""
    end = time.monotonic() + WAIT_S
    while len(serving.hub.calls) and time.monotonic() < end:
        time.sleep(0.01)
    return not len(serving.hub.calls)


@pytest.mark.peer
def test_openais_own_package_unwraps_the_webhook_and_takes_the_call(
    serving: Any, program: Program, ringing: Ringing, dial: Any
) -> None:
    """`client.webhooks.unwrap`, then `client.realtime.calls.accept`; the sideband sees the session asked for."""
    client = openai.OpenAI(
        api_key=serving.token.reveal(), base_url=f"{serving.http}/v1", webhook_secret=SECRET.reveal()
    )
    headers, body = program.wait()
    event = client.webhooks.unwrap(body, headers)
    assert event.type == "realtime.call.incoming"
    names = {header.name: header.value for header in event.data.sip_headers}
    assert names["From"].startswith("<sip:realtime-nb@127.0.0.1")
    client.realtime.calls.accept(event.data.call_id, type="realtime", instructions="Be brief.")
    ringing.taken()
    peer = dial(serving, f"?call_id={event.data.call_id}")
    session = peer.until("session.created")["session"]
    assert (session["instructions"], session["audio"]["output"]["format"]["type"]) == ("Be brief.", "audio/pcmu")
    client.realtime.calls.hangup(event.data.call_id)
    assert ringing.ended() == "hangup"


def test_a_call_is_rejected_with_a_status(serving: Any, program: Program, ringing: Ringing) -> None:
    """The caller hears 486; the call is not there any more."""
    name = program.call_id()
    assert post(serving, name, "reject", {"status_code": 486}).status_code == 200
    with pytest.raises(ConnectError, match="486 Busy Here"):
        ringing.taken()
    assert post(serving, name, "hangup").status_code == 404


def test_a_rejection_without_a_status_is_603(serving: Any, program: Program, ringing: Ringing) -> None:
    """As the service does."""
    assert post(serving, program.call_id(), "reject").status_code == 200
    with pytest.raises(ConnectError, match="603 Decline"):
        ringing.taken()


@pytest.mark.parametrize(
    "asked",
    [
        ("accept", {}, "session.type"),
        ("accept", {"type": "realtime", "bogus": 1}, "session.bogus"),
        ("accept", {"type": "transcription"}, "session.type"),
        ("reject", {"status_code": 200}, "status_code"),
        ("reject", {"status": 486}, "status"),
        ("refer", {}, "target_uri"),
        ("refer", {"target_uri": "sip:a@b>\r\nX: y"}, "target_uri"),
        ("refer", {"target_uri": "http://x"}, "target_uri"),
    ],
)
def test_what_is_asked_wrongly_is_told_and_the_call_rings_on(
    serving: Any, program: Program, ringing: Ringing, asked: tuple[str, Any, str]
) -> None:
    """400 with the field at fault."""
    doing, body, param = asked
    name = program.call_id()
    answer = post(serving, name, doing, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert serving.hub.calls.find(name) is not None


def test_a_call_is_taken_once_and_handed_on(serving: Any, program: Program, ringing: Ringing) -> None:
    """A second accept is refused; REFER goes to the caller, whose telephone here does not do it."""
    name = program.call_id()
    assert post(serving, name, "refer", {"target_uri": "tel:+15550100"}).status_code == 400
    assert post(serving, name, "accept", {"type": "realtime"}).status_code == 200
    ringing.taken()
    again = post(serving, name, "accept", {"type": "realtime"})
    assert (again.status_code, again.json()["error"]["code"]) == (400, "invalid_call_state")
    assert post(serving, name, "refer", {"target_uri": "tel:+15550100"}).status_code == 200


def test_the_webhook_is_tried_again_under_its_id(program: Program, serving: Any) -> None:
    """A 500 and a redirect are no acceptance; the third attempt is."""
    program.answers = [500, 302, 200]
    call = Ringing(serving)
    first, second, third = (program.wait(count)[0] for count in (1, 2, 3))
    assert first["webhook-id"] == second["webhook-id"] == third["webhook-id"]
    name = program.call_id()
    assert post(serving, name, "accept", {"type": "realtime"}).status_code == 200
    call.taken()
    call.close()
    assert len(program.got) == 3


@pytest.mark.parametrize(("answer", "timeout_s"), [(500, WAIT_S), (0, 0.5)])
@pytest.mark.usefixtures("hurried")
def test_a_program_that_cannot_be_told_leaves_the_caller_with_480(
    serve: Any, program: Program, answer: int, timeout_s: float
) -> None:
    """Whether it refuses or never answers."""
    program.answers = [answer]
    serving = telephone(serve, program, timeout_s)
    call = Ringing(serving)
    with pytest.raises(ConnectError, match="480"):
        call.taken()
    call.close()
    assert released(serving)


def test_a_program_that_never_decides_leaves_the_caller_with_480(serve: Any, program: Program) -> None:
    """It was told, and then nothing came: the call rings as long as it may, and is released."""
    serving = serve(ServerOptions(phone=PhoneOptions(port=0, webhook=Webhook(program.url, SECRET), ring_s=3.0)))
    call = Ringing(serving)
    with pytest.raises(ConnectError, match="480"):
        call.taken()
    call.close()
    assert post(serving, program.call_id(), "accept", {"type": "realtime"}).status_code == 404
    assert released(serving)


def test_a_caller_who_gives_up_ends_the_telling(
    program: Program, serving: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CANCEL releases the call, and the webhook is not tried again: nobody waits any more for that."""
    monkeypatch.setattr("realtime_nb.server.webhook.PAUSES_S", (3600.0,))
    program.answers = [500]
    call = Ringing(serving)
    program.wait()
    assert telling(serving) == 1
    call.line.cancel()
    call.close()
    assert released(serving)
    wait_for(lambda: telling(serving) == 0)
    assert len(program.got) == 1


def telling(serving: Any) -> int:
    """How many calls a server tells somebody of now."""

    async def count() -> int:
        return sum(getattr(task.get_coro(), "__qualname__", "") == "SipCall._decide" for task in asyncio.all_tasks())

    return asyncio.run_coroutine_threadsafe(count(), serving.loop).result(WAIT_S)


def test_a_program_may_decide_before_it_answers_the_webhook(serve: Any, program: Program) -> None:
    """As a simple handler does: the call is taken once, and the webhook counts as delivered."""
    serving = serve(ServerOptions(phone=PhoneOptions(port=0, webhook=Webhook(program.url, SECRET, timeout_s=WAIT_S))))
    program.answers = [0]
    call = Ringing(serving)
    assert post(serving, program.call_id(), "accept", {"type": "realtime"}).status_code == 200
    call.taken()
    program.let_go.set()
    time.sleep(0.2)
    assert len(serving.hub.calls) == 1
    call.close()
