"""Calls by WebRTC: answered, heard, interrupted, hung up, and left without a trace."""

from __future__ import annotations

import asyncio
import base64
import inspect
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

pytest.importorskip("aiortc", reason="calls by WebRTC need aiortc")

import aiortc.rtcrtpreceiver
from rtc import LOOPBACK, STORY, WAIT_S, Rtc, eventually, post, released, talk

from realtime_nb.server.options import ServerOptions
from realtime_nb.testing.stages import StubTts, stub_engine, stub_speech
from realtime_nb.webrtc import MAX_MESSAGE_BYTES
from realtime_nb.webrtc.peer import PREFETCH, offer, without_names

RTC = str(Path(__file__).with_name("rtc.py"))


def loud_ms(rtc: Rtc) -> float:
    """How much of what a caller heard is no silence."""
    return float((np.abs(np.frombuffer(bytes(rtc.heard), "<i2")) > 1000).sum() / 24)


# ---------------------------------------------------------------- a call
def test_a_caller_is_heard_and_answered_aloud(serve: Any) -> None:
    """Speech by a track makes a turn; the answer comes by a track, its words by the channel, and no sound with them."""

    async def scenario(rtc: Rtc) -> None:
        rtc.to_say += stub_speech(800)
        await rtc.until("output_audio_buffer.stopped")
        await eventually(lambda: loud_ms(rtc) > 0)
        types = [event["type"] for event in rtc.events]
        assert "input_audio_buffer.speech_started" in types
        assert types.index("response.done") < types.index("output_audio_buffer.stopped")
        assert "response.output_audio.delta" not in types

    talk(serve(), scenario)


def test_speaking_over_the_answer_silences_it_and_truncates_at_the_server(serve: Any, dial: Any) -> None:
    """The answer stops; what was not heard leaves the conversation, by what the server has sent, not by what we say."""
    serving = serve(engine=stub_engine(tts=StubTts(seconds_per_word=3.0)))

    async def scenario(rtc: Rtc) -> None:
        side = dial(serving, f"?call_id={rtc.name}")
        await rtc.say(STORY)
        begun = await rtc.has("output_audio_buffer.started")
        await eventually(lambda: loud_ms(rtc) > 300)
        rtc.to_say += stub_speech(600)
        cleared = await rtc.until("output_audio_buffer.cleared")
        assert cleared["response_id"] == begun["response_id"]
        cut = await rtc.until("conversation.item.truncated")
        assert 300 <= cut["audio_end_ms"] < 20_000  # of 45 s
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
        await eventually(lambda: rtc.peer.connectionState == "closed")  # before we close: the server has let go
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


@pytest.mark.parametrize("bound", ["rtc_calls", "sessions"])
def test_the_cap_holds_for_offers_made_at_once(serve: Any, bound: str) -> None:
    """Of four offers that come together, two are taken where two calls, or two sessions, may be."""
    serving = serve(ServerOptions(**{bound: 2}))
    headers = {**serving.headers, "Content-Type": "application/sdp"}

    async def scenario() -> list[int]:
        callers = [Rtc() for _ in range(4)]
        try:
            offers = [(await offer(caller.peer, LOOPBACK)).encode() for caller in callers]
            posts = [asyncio.to_thread(post, serving.http, offered, headers) for offered in offers]
            return sorted(answered[0] for answered in await asyncio.gather(*posts))
        finally:
            for caller in callers:
                await caller.close()

    assert asyncio.run(scenario()) == [201, 201, 429, 429]


def test_twenty_five_calls_leave_nothing_behind(serve: Any) -> None:
    """Neither a task nor a descriptor nor a port is more after 25 calls than after the first."""
    serving, process = serve(), psutil.Process()

    async def scenario(rtc: Rtc) -> None:
        await rtc.say("Hello")

    def left() -> tuple[int, int, int]:
        async def tasks() -> int:
            return len(asyncio.all_tasks())

        counted = asyncio.run_coroutine_threadsafe(tasks(), serving.loop).result(WAIT_S)
        ports = [each for each in process.net_connections("udp") if each.status == "NONE"]
        return counted, process.num_fds(), len(ports)

    talk(serving, scenario)
    before = left()
    for _ in range(24):
        talk(serving, scenario)
    end = time.monotonic() + WAIT_S
    while any(now > then for now, then in zip(left(), before, strict=True)):
        assert time.monotonic() < end, (left(), before)
        time.sleep(0.05)


def test_a_killed_caller_is_released(serve: Any) -> None:
    """A peer that dies without a word is noticed by its silence; ICE alone would take half a minute."""
    serving = serve(ServerOptions(rtc_silence_s=3.0))
    assert ServerOptions().rtc_silence_s <= 10
    shown = serving.token.reveal()
    child = subprocess.Popen([sys.executable, RTC, serving.http, shown], stdout=subprocess.PIPE)
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == b"up"
        assert len(serving.hub.calls) == 1
    finally:
        child.kill()
        child.wait()
    asyncio.run(eventually(released(serving), 25))


def test_an_offer_that_nobody_takes_up_is_released(serve: Any) -> None:
    """Who is answered and never calls holds a place no longer than one who died."""
    serving = serve(ServerOptions(rtc_silence_s=3.0, rtc_calls=1))

    async def offered() -> tuple[int, int]:
        rtc = Rtc()
        try:
            body = (await offer(rtc.peer, LOOPBACK)).encode()
            headers = {**serving.headers, "Content-Type": "application/sdp"}
            status, _, _ = await asyncio.to_thread(post, serving.http, body, headers)
            held = len(serving.hub.calls)
            await eventually(released(serving), 25)
            return status, held
        finally:
            await rtc.close()

    assert asyncio.run(offered()) == (201, 1)


def test_a_quiet_caller_is_no_dead_one(serve: Any) -> None:
    """Who says nothing and writes nothing stays connected."""
    serving = serve(ServerOptions(rtc_silence_s=3.0))

    async def scenario(rtc: Rtc) -> None:
        await asyncio.sleep(5)
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
