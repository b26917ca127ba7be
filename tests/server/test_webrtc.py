"""Calls by WebRTC: answered, heard, interrupted, hung up, and left without a trace."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib.util
import inspect
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

pytest.importorskip("aiortc", reason="calls by WebRTC need aiortc")

import aiortc.rtcrtpreceiver
from aiortc import RTCSessionDescription

from realtime_nb.server.options import ServerOptions
from realtime_nb.server.thread import Serving
from realtime_nb.server.webrtc_form import read_offer
from realtime_nb.testing.stages import stub_speech
from realtime_nb.webrtc import EVENTS, MAX_MESSAGE_BYTES
from realtime_nb.webrtc.channel import Channel
from realtime_nb.webrtc.peer import PREFETCH, offer, open_peer, without_names
from realtime_nb.webrtc.sound import Voice, listen

LOOPBACK = ("127.0.0.1",)
WAIT_S = 15.0
STORY = "Tell me a long story about a river and a boat and the sea."


class Rtc:
    """A caller by WebRTC."""

    def __init__(self) -> None:
        self.peer = open_peer()
        self.channel = Channel()
        self.channel.attach(self.peer.createDataChannel(EVENTS))
        self.to_say, self.heard = bytearray(), bytearray()
        self.events: list[dict[str, Any]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.name = ""
        self.peer.on("track", lambda track: self.tasks.append(asyncio.create_task(listen(track, self.heard.extend))))
        self.peer.addTrack(Voice(self._pull))

    def _pull(self, ms: int) -> bytes:
        piece = bytes(self.to_say[: 48 * ms])
        del self.to_say[: 48 * ms]
        return piece

    async def call(self, serving: Serving, headers: dict[str, str] | None = None) -> None:
        """Call, and wait until events travel."""
        offered = await offer(self.peer, LOOPBACK)
        headers = {"Content-Type": "application/sdp", **(headers or serving.headers)}
        status, where, answered = await asyncio.to_thread(post, serving.http, offered.encode(), headers)
        assert status == 201, answered
        self.name = where.rpartition("/")[2]
        await self.peer.setRemoteDescription(RTCSessionDescription(answered, "answer"))
        await self.channel.opened()

    async def send(self, type: str, **fields: Any) -> None:
        """Send an event."""
        await self.channel.send(json.dumps({"type": type, **fields}))

    async def until(self, type: str) -> dict[str, Any]:
        """Receive up to the first event of a type."""
        async with asyncio.timeout(WAIT_S):
            while True:
                frame = await self.channel.receive()
                assert frame is not None, f"the call ended before {type}"
                self.events.append(json.loads(frame))
                if self.events[-1]["type"] == type:
                    return self.events[-1]

    async def has(self, type: str) -> dict[str, Any]:
        """The first event of a type, whether it has come or comes."""
        return next((event for event in self.events if event["type"] == type), None) or await self.until(type)

    async def say(self, text: str) -> dict[str, Any]:
        """One written turn."""
        part = {"type": "input_text", "text": text}
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        await self.send("response.create")
        return (await self.until("response.done"))["response"]

    async def over(self) -> None:
        """Wait until the other end has ended it."""
        async with asyncio.timeout(WAIT_S):
            while await self.channel.receive() is not None:
                pass

    async def close(self) -> None:
        """Hang up."""
        await self.peer.close()
        await asyncio.gather(*self.tasks)


def post(http: str, body: bytes, headers: dict[str, str], path: str = "/v1/realtime/calls") -> tuple[int, str, str]:
    """Status, Location and body of a POST."""
    answer = httpx.post(http + path, content=body, headers=headers, timeout=WAIT_S)
    return answer.status_code, answer.headers.get("location", ""), answer.text


@contextlib.asynccontextmanager
async def calling(serving: Serving, headers: dict[str, str] | None = None) -> AsyncIterator[Rtc]:
    """A call, after its first event; hung up at the end."""
    rtc = Rtc()
    try:
        await rtc.call(serving, headers)
        await rtc.until("session.created")
        yield rtc
    finally:
        await rtc.close()


async def eventually(state: Callable[[], bool], within_s: float = WAIT_S) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(within_s):
        while not state():  # noqa: ASYNC110 - of another loop, or another process
            await asyncio.sleep(0.02)


def released(serving: Serving) -> Callable[[], bool]:
    """Whether nothing of any call is left."""
    return lambda: not len(serving.hub.calls) and not serving.hub.sessions


def talk(serving: Serving, scenario: Callable[[Rtc], Awaitable[None]], headers: dict[str, str] | None = None) -> None:
    """Play a call through, and see that nothing of it is left."""

    async def play() -> None:
        async with calling(serving, headers) as rtc:
            await scenario(rtc)
        await eventually(released(serving))

    asyncio.run(play())


# ---------------------------------------------------------------- a call
def test_a_caller_is_heard_and_answered_aloud(serve: Any) -> None:
    """Speech by a track makes a turn; the answer comes by a track, its words by the channel, and no sound with them."""

    async def scenario(rtc: Rtc) -> None:
        rtc.to_say += stub_speech(800)
        await rtc.until("output_audio_buffer.stopped")
        await asyncio.sleep(0.1)  # what is on its way
        types = [event["type"] for event in rtc.events]
        assert "input_audio_buffer.speech_started" in types
        assert types.index("response.done") < types.index("output_audio_buffer.stopped")
        assert "response.output_audio.delta" not in types
        assert np.abs(np.frombuffer(bytes(rtc.heard), "<i2")).max() > 1000

    talk(serve(), scenario)


def test_speaking_over_the_answer_silences_it_and_truncates_at_the_server(serve: Any, dial: Any) -> None:
    """The answer stops; what was not heard leaves the conversation, by what the server has sent, not by what we say."""
    serving = serve()

    async def scenario(rtc: Rtc) -> None:
        side = dial(serving, f"?call_id={rtc.name}")
        await rtc.say(STORY)
        begun = await rtc.has("output_audio_buffer.started")
        await asyncio.sleep(0.3)
        rtc.to_say += stub_speech(600)
        cleared = await rtc.until("output_audio_buffer.cleared")
        assert cleared["response_id"] == begun["response_id"]
        cut = await rtc.until("conversation.item.truncated")
        assert 300 <= cut["audio_end_ms"] < 3_000
        told = await asyncio.to_thread(side.until, "conversation.item.truncated")
        assert told["audio_end_ms"] == cut["audio_end_ms"]
        assert not any(event["type"] == "conversation.item.truncate" for event in rtc.events)

    talk(serving, scenario)


def test_a_client_may_clear_what_plays(serve: Any) -> None:
    """``output_audio_buffer.clear`` is answered by ``cleared``."""

    async def scenario(rtc: Rtc) -> None:
        await rtc.say(STORY)
        await rtc.has("output_audio_buffer.started")
        await rtc.send("output_audio_buffer.clear")
        await rtc.until("output_audio_buffer.cleared")

    talk(serve(), scenario)


def test_a_sideband_sees_the_call_and_ends_with_it(serve: Any, dial: Any) -> None:
    """A sideband by ``?call_id=`` hears what the caller hears, may change the session, and is closed at the end."""
    serving = serve()
    sides = []

    async def scenario(rtc: Rtc) -> None:
        sides.append(side := dial(serving, f"?call_id={rtc.name}"))
        await asyncio.to_thread(side.update, instructions="Be brief.")
        assert (await rtc.until("session.updated"))["session"]["instructions"] == "Be brief."
        await rtc.say("Hello")
        assert (await asyncio.to_thread(side.until, "response.done"))["response"]["status"] == "completed"

    talk(serving, scenario)
    assert sides[0].closed() == (1000, "The session has ended.")


def test_hanging_up_ends_a_call_once(serve: Any) -> None:
    """``hangup`` ends the call; a second one finds none; what a telephone does besides does not apply."""
    serving = serve()

    async def scenario(rtc: Rtc) -> None:
        def do(doing: str) -> int:
            path = f"/v1/realtime/calls/{rtc.name}/{doing}"
            return post(serving.http, b"", serving.headers, path)[0]

        assert await asyncio.to_thread(do, "accept") == 400
        assert await asyncio.to_thread(do, "hangup") == 200
        await rtc.over()
        await eventually(released(serving))
        assert await asyncio.to_thread(do, "hangup") == 404

    talk(serving, scenario)


def test_an_event_too_large_for_a_data_channel_goes_without_its_picture(serve: Any, dial: Any) -> None:
    """The channel is told of the item without its heavy part, the sideband with it, and the call goes on."""
    serving = serve()
    noise = Path(__file__).parents[1].joinpath("data", "jfk.wav").read_bytes()
    sound = base64.b64encode(bytes(noise[44:300_044])).decode()

    async def scenario(rtc: Rtc) -> None:
        side = dial(serving, f"?call_id={rtc.name}")
        part = {"type": "input_audio", "audio": sound}
        side.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        added = await rtc.until("conversation.item.added")
        side.send("conversation.item.retrieve", item_id=added["item"]["id"])
        assert (await asyncio.to_thread(side.until, "conversation.item.retrieved"))["item"]["content"][0]["audio"]
        await rtc.send("conversation.item.retrieve", item_id=added["item"]["id"])
        assert not (await rtc.until("conversation.item.retrieved"))["item"]["content"][0]["audio"]
        assert (await rtc.say("Hello"))["status"] == "completed"

    talk(serving, scenario)


# ---------------------------------------------------------------- who may call, and with what
def form(sdp: str, session: dict[str, Any]) -> tuple[bytes, str]:
    """What the official package sends."""
    lines = ["--b", 'Content-Disposition: form-data; name="sdp"', "Content-Type: application/sdp", "", sdp]
    lines += ["--b", 'Content-Disposition: form-data; name="session"', "Content-Type: application/json", ""]
    lines += [json.dumps(session), "--b--", ""]
    return "\r\n".join(lines).encode(), "multipart/form-data; boundary=b"


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


def secret(serving: Serving, **headers: str) -> str:
    """An ephemeral secret."""
    path = "/v1/realtime/client_secrets"
    status, _, said = post(serving.http, b"", {**serving.headers, **headers}, path)
    assert status == 200, said
    return str(json.loads(said)["value"])


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


# ---------------------------------------------------------------- limits, and the end
def test_one_call_too_many_is_refused(serve: Any) -> None:
    """The cap holds, and frees with a call's end."""
    serving = serve(ServerOptions(rtc_calls=1))

    async def scenario(_: Rtc) -> None:
        second = Rtc()
        try:
            offered = (await offer(second.peer, LOOPBACK)).encode()
            headers = {**serving.headers, "Content-Type": "application/sdp"}
            assert (await asyncio.to_thread(post, serving.http, offered, headers))[0] == 429
        finally:
            await second.close()

    async def nothing(_: Rtc) -> None:
        """Be admitted."""

    talk(serving, scenario)
    talk(serving, nothing)


def test_twenty_five_calls_leave_nothing_behind(serve: Any) -> None:
    """Neither a task nor a descriptor nor a port is more after 25 calls than after the first."""
    serving, process = serve(), psutil.Process()

    async def scenario(rtc: Rtc) -> None:
        await rtc.say("Hello")

    def left() -> tuple[int, int, int]:
        async def tasks() -> int:
            return len(asyncio.all_tasks())

        counted = asyncio.run_coroutine_threadsafe(tasks(), serving.loop).result(5)
        ports = [each for each in process.net_connections("udp") if each.status == "NONE"]
        return counted, process.num_fds(), len(ports)

    talk(serving, scenario)
    before = left()
    for _ in range(24):
        talk(serving, scenario)
    assert left() == before


def test_a_killed_caller_is_released(serve: Any) -> None:
    """A peer that dies without a word is noticed by its silence; ICE alone would take half a minute."""
    serving = serve(ServerOptions(rtc_silence_s=2.0))
    assert ServerOptions().rtc_silence_s <= 10
    shown = serving.token.reveal()
    child = subprocess.Popen([sys.executable, __file__, serving.http, shown], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"up"
        time.sleep(0.5)
        assert len(serving.hub.calls) == 1
    finally:
        child.kill()
        child.wait()
    asyncio.run(eventually(released(serving), 6))


def test_a_quiet_caller_is_no_dead_one(serve: Any) -> None:
    """Who says nothing and writes nothing stays connected."""
    serving = serve(ServerOptions(rtc_silence_s=1.5))

    async def scenario(rtc: Rtc) -> None:
        await asyncio.sleep(3)
        assert (await rtc.say("Hello"))["status"] == "completed"

    talk(serving, scenario)


# ---------------------------------------------------------------- what is replaced in aiortc
def test_sound_waits_for_one_packet_and_sockets_are_on_loopback(serve: Any) -> None:
    """The names that are replaced exist and are used: the prefetch is ours, and no socket is off this machine."""
    assert "JitterBuffer(" in inspect.getsource(aiortc.rtcrtpreceiver.RTCRtpReceiver.__init__)
    process = psutil.Process()

    async def scenario(rtc: Rtc) -> None:
        receiver = rtc.peer.getReceivers()[0]
        assert receiver._RTCRtpReceiver__jitter_buffer._prefetch == PREFETCH  # type: ignore[attr-defined]
        assert {each.laddr.ip for each in process.net_connections("udp")} == {"127.0.0.1"}

    talk(serve(), scenario)


def test_names_and_floods_of_candidates_are_left_out() -> None:
    """No candidate that is a name is looked up, and of very many only some are tried."""
    named = "a=candidate:1 1 udp 1 ab-cd.local 5000 typ host"
    many = [f"a=candidate:{n} 1 udp 1 192.0.2.1 {n + 1000} typ host" for n in range(200)]
    left = without_names("\r\n".join(["v=0", "a=ice-pwd:x", named, *many]))
    assert ".local" not in left
    assert left.count("192.0.2.1") < 40
    assert MAX_MESSAGE_BYTES == 262_144


def _child() -> None:
    """Call, say so, and wait to be killed."""

    async def call() -> None:
        rtc = Rtc()
        url, token = sys.argv[1:]
        await rtc.call(Serving("", url, None, None, None), {"Authorization": f"Bearer {token}"})  # type: ignore[arg-type]
        os.write(1, b"up\n")
        await asyncio.sleep(60)

    asyncio.run(call())


if __name__ == "__main__":
    _child()
