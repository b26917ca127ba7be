"""A session by WebRTC: the same turns, sounds and frames as by a WebSocket."""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import json
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest
from websockets.sync.client import connect

pytest.importorskip("aiortc", reason="calls by WebRTC need aiortc")

import realtime_nb as rt
from realtime_nb.errors import ConfigError, ConnectError, ConnectionClosed, MissingExtra
from realtime_nb.portal import call_on, portal
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.thread import Serving, serve_in_thread
from realtime_nb.session.page_call import PageCall
from realtime_nb.testing.stages import StubAsr, StubTts, stub_engine, stub_speech
from realtime_nb.transports.addresses import sideband_url
from realtime_nb.transports.webrtc import HELD_UP_S, WebRtcTransport, open_webrtc
from realtime_nb.transports.webrtc_heard import Heard
from realtime_nb.transports.webrtc_said import Said
from realtime_nb.webrtc import MAX_MESSAGE_BYTES
from realtime_nb.webrtc.sound import Voice

if TYPE_CHECKING:
    from realtime_nb.engine.build import Engine

STORY = "Tell me a long story about a river and a boat and the sea."
WAIT_S = 60.0


# ---------------------------------------------------------------- what is heard, without a network
def event(type: str, response_id: str | None = "r1", **fields: Any) -> str:
    """An event's text."""
    named = {} if response_id is None else {"response_id": response_id}
    return json.dumps({"type": type, **named, **fields})


def done(status: str = "completed", response_id: str = "r1") -> str:
    """The end of a response."""
    return event("response.done", None, response={"id": response_id, "status": status})


PART = event("response.content_part.added", item_id="i1", output_index=0, content_index=0, part={"type": "audio"})
SOUND_DONE = event("response.output_audio.done", item_id="i1")
ITEM_DONE = event("conversation.item.done", None, item={"id": "i1"})
LOUD = np.full(480, 5_000, "<i2").tobytes()


def sounds(frames: list[str]) -> bytes:
    """The sound of what came."""
    events = [json.loads(frame) for frame in frames]
    return b"".join(base64.b64decode(each["delta"]) for each in events if each["type"].endswith("audio.delta"))


def test_an_answer_is_over_when_it_was_heard() -> None:
    """What ends an answer waits for its sound; the sound is the answer's, and comes before the end."""
    heard = Heard()
    assert heard.event(PART) == [PART]
    assert heard.event(SOUND_DONE) == heard.event(ITEM_DONE) == heard.event(done()) == []
    assert heard.unheard
    started = event("output_audio_buffer.started")
    assert heard.event(started) == [started]
    assert not heard.unheard
    came = [text for _ in range(20) for text in heard.sound(LOUD)]
    assert sounds(came) == LOUD * 20
    assert {json.loads(text)["item_id"] for text in came} == {"i1"}
    heard.sound(LOUD)
    last = heard.stop()
    assert sounds(last) == LOUD
    assert last[1:] == [SOUND_DONE, ITEM_DONE, done()]
    assert heard.sound(LOUD) == []


def test_an_interrupted_answer_ends_at_once() -> None:
    """``cleared`` lets go what waits; an answer cancelled before it sounded waits for nothing."""
    heard = Heard()
    heard.event(PART)
    heard.event(event("output_audio_buffer.started"))
    heard.sound(LOUD)
    cleared = event("output_audio_buffer.cleared")
    assert heard.event(cleared)[1:] == [cleared]
    assert heard.event(done("cancelled")) == [done("cancelled")]
    heard.event(PART.replace("r1", "r2").replace("i1", "i2"))
    assert heard.event(SOUND_DONE.replace("r1", "r2")) == []
    assert heard.event(done("cancelled", "r2"))[-1] == done("cancelled", "r2")


def test_the_end_of_an_answer_is_told_before_the_next_begins() -> None:
    """The end waits for the sound that is under way; the next answer does not."""

    async def tell() -> list[str]:
        call = WebRtcTransport("ws://127.0.0.1:9", {})
        for kind, name in (("started", "r1"), ("stopped", "r1"), ("started", "r2")):
            await call._take(event(f"output_audio_buffer.{kind}", name))
        await call.close()
        return [json.loads(call._frames.get_nowait() or "{}")["type"].rpartition(".")[2] for _ in range(3)]

    assert asyncio.run(tell()) == ["started", "stopped", "started"]


def test_a_frame_that_cannot_be_read_does_not_end_the_call() -> None:
    """It is handed on as it came, and so is what comes after it."""
    frames = ["{", "[]", '{"type": "output_audio_buffer.started"}', '{"type": "session.updated"}', PART]

    async def tell() -> list[str | bytes]:
        call = WebRtcTransport("ws://127.0.0.1:9", {})
        for frame in frames:
            call._channel._take(frame)
        call._channel.end()
        await call._read()
        await call.close()
        return [await call.receive() for _ in frames]

    assert asyncio.run(tell()) == frames


def test_an_answer_whose_sound_never_begins_is_given_up() -> None:
    """What waits for it can be had all the same; an answer without sound never waits."""
    heard = Heard()
    assert heard.event(done()) == [done()]
    heard.event(PART)
    heard.event(SOUND_DONE)
    heard.event(done())
    assert heard.give_up() == [SOUND_DONE, done()]
    assert not heard.unheard


def test_an_answer_that_waits_for_its_turn_is_not_given_up() -> None:
    """While another one sounds, however long, it is no wonder that this one does not."""
    heard = Heard()
    second = PART.replace("r1", "r2").replace("i1", "i2")
    started = event("output_audio_buffer.started")
    for text in (PART, started, SOUND_DONE, done(), second, SOUND_DONE.replace("r1", "r2"), done("completed", "r2")):
        heard.event(text)
    assert not heard.unheard
    heard.stop("r1")
    assert heard.unheard
    heard.event(started.replace("r1", "r2"))
    assert {json.loads(text)["item_id"] for _ in range(20) for text in heard.sound(LOUD)} == {"i2"}


# ---------------------------------------------------------------- what is said, without a network
def test_sound_goes_out_with_silence_between_and_keeps_its_place() -> None:
    """A moment of the call is found in what was appended, whatever silence was sent between."""
    said = Said()
    assert said.pull(100) == b""
    said.append(bytes(range(96)) * 50)  # 100 ms
    assert len(said.pull(60)) == 60 * 48
    assert len(said.pull(60)) == 40 * 48
    said.pull(80)
    said.append(bytes(48 * 50))
    said.pull(20)
    assert [said.place(ms) for ms in (50, 100, 150, 220, 299, 300, 310)] == [0, 0, 50, 100, 100, 100, 110]
    said.clear()
    assert said.pull(20) == b""


def test_a_microphone_is_not_later_after_the_loop_stood_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it heard meanwhile goes out at once: else each standstill made the rest of the call that much later."""
    now_s, heard_ms = 0.0, 0

    async def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    async def talk() -> float:
        nonlocal now_s, heard_ms
        said = Said()
        voice = Voice(said.pull, late_s=HELD_UP_S)
        voice._clock = lambda: now_s
        with monkeypatch.context() as patched:
            patched.setattr("realtime_nb.webrtc.sound.asyncio.sleep", sleep)
            for frame in range(250):
                now_s += 1.0 * (frame in {50, 100})
                said.append(bytes(48 * (int(now_s * 1000) - heard_ms)))
                heard_ms = int(now_s * 1000)
                await voice.recv()
        return len(said._waiting) / 48

    assert asyncio.run(talk()) <= 20


def test_a_telephone_s_format_goes_out_as_24_khz() -> None:
    """What is appended as G.711 takes as long as it took."""
    said = Said()
    said.speak("audio/pcmu")
    said.append(b"\xff" * 8_000)
    assert sum(len(said.pull(20)) for _ in range(60)) == pytest.approx(48_000, rel=0.03)


# ---------------------------------------------------------------- Python to Python
Open = Callable[..., Any]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Begin a server, and a session with it by WebRTC; at the end nothing of the call is left."""
    with ExitStack() as stack:

        def begin(
            engine: Any = None, options: ServerOptions | None = None, **config: Any
        ) -> tuple[rt.Session, Serving]:
            engine = engine or stub_engine(asr=StubAsr("hello there"))
            serving = stack.enter_context(serve_in_thread(engine, options))
            key = serving.token.reveal() if serving.token else None
            session = rt.connect(serving.url, api_key=key, transport="webrtc", log=False, timeout_s=WAIT_S, **config)
            stack.callback(gone, serving)
            stack.callback(session.close)
            return session, serving

        yield begin


def gone(serving: Serving) -> None:
    """Wait until no call is left."""
    until(lambda: not len(serving.hub.calls) and not serving.hub.sessions)


def until(state: Callable[[], Any]) -> Any:
    """Wait until something is so."""
    end = time.monotonic() + WAIT_S
    while not (found := state()):
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
    return found


def test_a_written_turn_has_its_sound(opened: Open) -> None:
    """Text in, text and sound out: as long as it took to say, and loud; the frames hold the turn."""
    session, _ = opened()
    turn = session.say("Hello")
    assert turn.text == "You said: Hello."
    assert turn.audio.duration_s == pytest.approx(len(turn.text) * 0.06, abs=0.3)
    assert np.abs(turn.audio.samples).max() > 0.05
    assert list(session.turns["output"]) == ["You said: Hello."]
    assert session.history["audio_s"].iloc[-1] == pytest.approx(turn.audio.duration_s)


def test_a_spoken_turn_is_heard_and_kept(opened: Open) -> None:
    """Speech out by the track becomes a turn with its transcript, its length, and its sound as it was appended."""
    session, _ = opened()
    clip = rt.Audio.from_pcm16(bytes(48 * 200) + stub_speech(800), 24_000)
    turn = session.say(clip.chunks())
    row = session.turns.iloc[-1]
    assert (row["input"], turn.text) == ("hello there", "You said: hello there.")
    assert row["input_s"] == pytest.approx(1.1, abs=0.5)
    assert row["first_audio_ms"] > 0


def test_speaking_over_an_answer_cuts_it(opened: Open) -> None:
    """The server cuts the answer where it was heard; turn and frames say so, and nobody sent a truncate."""
    session, _ = opened(stub_engine(tts=StubTts(seconds_per_word=3.0)))
    session.send({"type": "conversation.item.create", "item": user(STORY)})
    session.send({"type": "response.create"})
    until(lambda: len(session.turns) and session.turns["first_audio_ms"].notna().any())
    session.append(stub_speech(600) + bytes(48 * 600), rate=24_000)
    cut = until(lambda: session.turns["interrupted_at_ms"].dropna().tolist())
    assert 0 < cut[0] < 20_000  # of 45 s
    types = set(session.events["type"])
    assert "output_audio_buffer.cleared" in types
    assert "conversation.item.truncate" not in types


def user(text: str) -> dict[str, Any]:
    """A written message."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def test_interrupting_stops_what_is_heard(opened: Open) -> None:
    """``interrupt()`` ends a turn whose answer is done at the server and still sounds."""
    session, _ = opened(stub_engine(tts=StubTts(seconds_per_word=3.0)))
    session.send({"type": "conversation.item.create", "item": user(STORY)})
    session.send({"type": "response.create"})
    until(lambda: len(session.turns) and session.turns["first_audio_ms"].notna().any())
    session.interrupt()
    assert until(lambda: session.turns["interrupted_at_ms"].dropna().tolist())[0] < 20_000
    assert session.say("Hello").text == "You said: Hello."


def test_push_to_talk(opened: Open) -> None:
    """Without a detector, what was appended has gone out before the commit does."""
    session, _ = opened(turn_detection=None)
    session.send({"type": "input_audio_buffer.clear"})
    session.append(stub_speech(700), rate=24_000)
    session.send({"type": "input_audio_buffer.commit"})
    session.send({"type": "response.create"})
    until(lambda: "completed" in set(session.turns["status"]))
    assert session.turns["output"].iloc[-1] == "You said: hello there."


def test_a_picture_too_large_for_the_channel_goes_by_a_sideband(opened: Open) -> None:
    """It arrives whole, and the turn is like any other."""
    session, serving = opened()
    noise = np.random.default_rng(1).integers(0, 255, (400, 400, 3), np.uint8)
    assert session.say("What is this?", noise, response={"output_modalities": ["text"]}).text
    call_id = next(iter(serving.hub.calls._calls))
    with connect(sideband_url(serving.url, call_id), additional_headers=serving.headers, max_size=None) as side:
        side.send(json.dumps({"type": "conversation.item.retrieve", "item_id": session.history["item_id"].iloc[0]}))
        while (found := json.loads(side.recv(WAIT_S)))["type"] != "conversation.item.retrieved":
            pass
    assert len(found["item"]["content"][1]["image_url"]) > MAX_MESSAGE_BYTES
    assert session.history["role"].tolist() == ["user", "assistant"]


async def eventually(state: Callable[[], bool]) -> None:
    """Wait until something is so, on this loop."""
    async with asyncio.timeout(WAIT_S):
        while not state():  # noqa: ASYNC110 - whatever it is
            await asyncio.sleep(0.01)


def by_itself(use: Callable[[WebRtcTransport], Awaitable[None]]) -> None:
    """Use a call without a session."""

    async def run(serving: Serving) -> None:
        call = await open_webrtc(serving.url, headers=serving.headers, timeout_s=WAIT_S)
        try:
            await use(call)
        finally:
            await call.close()

    with serve_in_thread(stub_engine()) as serving:
        asyncio.run(run(serving))
        gone(serving)


def test_a_sideband_that_was_lost_is_opened_again() -> None:
    """The call goes on without it, and the next large picture finds its way; none is kept longer than it is needed."""
    noise = np.random.default_rng(1).integers(0, 255, (400, 400, 3), np.uint8)
    picture = {"type": "input_image", "image_url": rt.Image.coerce(noise).data_url}

    async def use(call: WebRtcTransport) -> None:
        for number in range(2):
            item = {"type": "message", "role": "user", "id": f"i{number}", "content": [picture]}
            await call.send(json.dumps({"type": "conversation.item.create", "item": item}))
            while (told := json.loads(await call.receive()))["type"] != "conversation.item.done":
                pass
            assert call._side is not None
            await call._side.close()
            await eventually(lambda: call._side is None)
        assert told["item"]["id"] == "i1"
        assert not call._large

    by_itself(use)


def test_a_call_whose_server_fell_silent_is_closed_all_the_same() -> None:
    """Not even a server that lives after all keeps the call."""

    async def use(call: WebRtcTransport) -> None:
        call._channel.end()
        await eventually(lambda: call._over)

    by_itself(use)


def test_a_call_that_is_hung_up_ends_the_session(opened: Open) -> None:
    """The session says that the connection has ended, instead of waiting."""
    session, serving = opened()
    serving.loop.call_soon_threadsafe(next(iter(serving.hub.calls._calls.values())).hang_up)
    with pytest.raises(ConnectionClosed):
        until(lambda: session.say("Hello"))


def test_twenty_five_sessions_in_a_row_leave_nothing_behind() -> None:
    """Neither here nor at the server: no task, no descriptor, no port more than after the first."""
    process = psutil.Process()

    def tasks(loop: asyncio.AbstractEventLoop) -> int:
        async def count() -> int:
            return len(asyncio.all_tasks())

        return asyncio.run_coroutine_threadsafe(count(), loop).result(WAIT_S)

    with serve_in_thread(stub_engine()) as serving:
        assert serving.token is not None
        key = serving.token.reveal()

        def call() -> None:
            with rt.connect(serving.url, api_key=key, transport="webrtc", log=False, timeout_s=WAIT_S) as session:
                session.send({"type": "input_audio_buffer.clear"})
            gone(serving)

        def held() -> tuple[int, int, int, int]:
            ports = sum(each.type == socket.SOCK_DGRAM for each in process.net_connections("inet"))
            return tasks(portal().loop), tasks(serving.loop), process.num_fds(), ports

        call()
        before = held()
        for _ in range(24):
            call()
        until(lambda: all(now <= then for now, then in zip(held(), before, strict=True)))


def test_a_refusal_names_the_place_and_not_the_key() -> None:
    """A wrong key, or nobody there: one line, with the rule."""
    with serve_in_thread(stub_engine()) as serving:
        with pytest.raises(ConnectError, match="refused the call") as refused:
            rt.connect(serving.url, api_key="sk-CANARY", transport="webrtc", log=False)
        assert "CANARY" not in str(refused.value)
    with pytest.raises(ConnectError):
        rt.connect(serving.url, api_key="x", transport="webrtc", log=False)


def test_an_unknown_way_and_a_missing_part_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names there are, and the line that installs what is not there."""
    with pytest.raises(ConfigError, match="webrtc"):
        rt.connect("ws://127.0.0.1:9/x", transport="pigeon")  # type: ignore[arg-type]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra) as missing:
        rt.connect("ws://127.0.0.1:9/x", transport="webrtc")
    assert missing.value.hint == '%pip install "realtime-nb[webrtc]"'


# ---------------------------------------------------------------- a call that a page makes
class Page:
    """What a page does, in Python."""

    def __init__(self, session: rt.Session) -> None:
        self.told: list[dict[str, Any]] = []
        self.call = PageCall(session.aio.actor, lambda _page, event: self.told.append(dict(event)))
        self.wire: WebRtcTransport | None = None

    async def begin(self, url: str) -> None:
        """Call with the secret that was given."""
        headers = {"Authorization": f"Bearer {self.told[-1]['secret']}", "Origin": ORIGIN}
        self.wire = await open_webrtc(url, headers=headers)
        self.call.happened({"t": "called", "page": "p", "call_id": self.wire.call_id})


ORIGIN = "http://localhost:8888"


def by_websocket(serving: Serving) -> rt.Session:
    """A session as one that is to be talked with."""
    assert serving.token is not None
    return rt.connect(serving.url, api_key=serving.token.reveal(), log=False, instructions="Be brief.")


def played_ms(serving: Serving) -> float:
    """How far the answer of the one call was played."""
    call = next(iter(serving.hub.calls._calls.values()))
    return max((part.played / 48 for track in call._live.speaker._tracks for part in track.parts), default=0.0)


def test_a_page_calls_with_a_secret_and_the_session_follows() -> None:
    """The call has the session's settings; the session goes on by its sideband, cuts it, and ends it."""
    with serve_in_thread(stub_engine()) as serving:
        session = by_websocket(serving)
        page = Page(session)
        page.call.happened({"t": "call", "page": "p", "origin": ORIGIN})
        until(lambda: page.told)
        assert page.told[-1]["url"] == f"{serving.http}/v1/realtime/calls"
        call_on(portal().loop, page.begin(serving.url))
        assert page.wire is not None
        until(lambda: serving.hub.sessions == 1)  # the one before is closed
        assert session.config.instructions == "Be brief."
        session.send({"type": "conversation.item.create", "item": user(STORY)})
        session.send({"type": "response.create"})
        until(lambda: "output_audio_buffer.started" in set(session.events["type"]))
        until(lambda: played_ms(serving) > 800)  # some words are heard
        page.call.happened({"t": "stop", "page": "p"})
        until(lambda: session.turns["interrupted_at_ms"].notna().any())
        until(lambda: "conversation.item.retrieved" in set(session.events["type"]))
        assert 0 < len(session.turns["output"].iloc[-1]) < len(STORY)
        assert "ek_" not in session.events.to_string()
        session.close()
        gone(serving)
        call_on(portal().loop, page.wire.close())


def test_a_call_begins_a_conversation() -> None:
    """In a session in which something was said no call is made, and a page that asks is told why."""
    with serve_in_thread(stub_engine()) as serving:
        session = by_websocket(serving)
        page = Page(session)
        session.say("Hello", response={"output_modalities": ["text"]})
        page.call.happened({"t": "call", "page": "p", "origin": ORIGIN})
        until(lambda: page.told)
        assert "secret" not in page.told[-1]
        assert "begins one of its own" in page.told[-1]["text"]
        with pytest.raises(ConfigError, match="begins one of its own"):
            session.talk(transport="webrtc")
        session.close()


@pytest.mark.models
def test_a_spoken_question_is_answered_in_speech(opened: Open, real_engine: Engine, data: Path) -> None:
    """Real speech through Opus to a real engine: its words are right, and the answer is spoken."""
    session, _ = opened(real_engine)
    turn = session.say(rt.Audio.read(data / "question.wav").chunks(), timeout_s=WAIT_S)
    assert "for your country" in session.turns["input"].iloc[-1].lower()
    assert turn.text
    assert turn.audio.duration_s > 0.5
