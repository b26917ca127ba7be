"""Telephone calls to a server with stub stages, placed by our own agent; strangers call in test_sip_peers."""

from __future__ import annotations

import asyncio
import base64
import errno
import itertools
import random
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from realtime_nb.audio import Audio
from realtime_nb.engine.base import Cancel
from realtime_nb.errors import ConfigError, ConnectError
from realtime_nb.secret import Secret
from realtime_nb.server.command import parse_options
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.phone_options import PhoneOptions, Webhook
from realtime_nb.server.sip import Phone, bind_phone
from realtime_nb.server.sip_media import open_media
from realtime_nb.testing.stages import StubTts, stub_engine, stub_speech
from realtime_nb.transports.sip import RATE, PhoneLine, joined, open_line
from realtime_nb.wire.sdp import write_offer
from realtime_nb.wire.sip.message import Response, decode

Talk = Callable[[PhoneLine], Awaitable[Any]]
WAIT_S = 60.0
SPEECH = Audio.from_pcm16(stub_speech(800)).resample(RATE).samples


def options(**phone: Any) -> ServerOptions:
    """A server whose telephone is on any free loopback port."""
    return ServerOptions(phone=PhoneOptions(port=0, **phone))


def call(serving: Any, talk: Talk, transport: str = "udp") -> Any:
    """Call a server, talk, and hang up."""

    async def run() -> Any:
        line = await open_line(f"sip:bob@127.0.0.1:{serving.sip[1]};transport={transport}", timeout_s=WAIT_S)
        try:
            async with asyncio.timeout(WAIT_S):
                return await talk(line)
        finally:
            await line.hang_up()

    return asyncio.run(run())


async def say(line: PhoneLine, sound: Any = SPEECH) -> None:
    """Say something, and wait until it has gone out."""
    await line.said(line.say(sound))


async def hear(line: PhoneLine) -> Audio:
    """Wait until an answer has begun and ended; gives what came meanwhile."""
    start = len(line.heard)

    def spoken() -> Any:
        return joined(line.heard[start:])

    await line.until(lambda: bool(np.abs(spoken()).max(initial=0) > 0.05))
    await line.until(lambda: bool(np.abs(spoken()[-RATE // 2 :]).max(initial=0) < 0.01))
    return Audio(spoken(), RATE)


def settled(serving: Any) -> bool:
    """Wait until nothing of any call is left in a server."""
    end = time.monotonic() + WAIT_S
    while (serving.hub.sessions or len(serving.hub.calls)) and time.monotonic() < end:
        time.sleep(0.01)
    return not serving.hub.sessions and not len(serving.hub.calls)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_telephone_asks_and_is_answered(serve: Any, transport: str) -> None:
    """Speech on the line makes a turn, and its answer is heard on the line; hanging up releases all."""
    serving = serve(options())

    async def talk(line: PhoneLine) -> Audio:
        await say(line)
        return await hear(line)

    heard = call(serving, talk, transport)
    assert heard.peak_dbfs > -20
    assert settled(serving)


def test_keys_and_events_reach_a_sideband(serve: Any, dial: Any) -> None:
    """A sideband by the call's id sees DTMF, the turn and the playback, and no sound."""
    serving = serve(options())

    async def talk(line: PhoneLine) -> Any:
        name = next(iter(serving.hub.calls._calls))
        peer = await asyncio.to_thread(dial, serving, f"?call_id={name}")
        await asyncio.to_thread(peer.until, "session.created")
        line.press("4#")
        keys = [(await asyncio.to_thread(peer.until, "input_audio_buffer.dtmf_event_received")) for _ in range(2)]
        await say(line)
        await asyncio.to_thread(peer.until, "output_audio_buffer.stopped")
        return peer, keys

    peer, keys = call(serving, talk)
    assert [key["event"] for key in keys] == ["4", "#"]
    assert abs(keys[0]["received_at"] - time.time()) < 60
    assert peer.events[0]["session"]["audio"]["input"]["format"]["type"] == "audio/pcmu"
    assert not peer.all("response.output_audio.delta")
    assert peer.closed() == (1000, "The session has ended.")


def test_the_session_hears_the_line_as_well_as_g711_can(serve: Any, dial: Any, tone_snr_db: Any) -> None:
    """What the caller says, as the conversation keeps it, has 35 dB and more; so has what the caller hears."""
    serving = serve(options(), stub_engine(tts=_Tone()))
    tone = Audio.tone(440, 0.8, RATE, peak_dbfs=-6).samples

    async def talk(line: PhoneLine) -> Any:
        peer = await asyncio.to_thread(dial, serving, f"?call_id={next(iter(serving.hub.calls._calls))}")
        await say(line, tone)
        item = (await asyncio.to_thread(peer.until, "input_audio_buffer.committed"))["item_id"]
        answer = await hear(line)
        peer.send("conversation.item.retrieve", item_id=item)
        return (await asyncio.to_thread(peer.until, "conversation.item.retrieved"))["item"], answer

    item, answer = call(serving, talk)
    kept = Audio.from_wire(base64.b64decode(item["content"][0]["audio"]), "audio/pcmu")
    assert tone_snr_db(kept, 440) >= 35
    assert tone_snr_db(answer, 440) >= 35


class _Tone(StubTts):
    """Speaks a pure tone at 440 Hz, in one piece."""

    def speak(self, text: str, *, voice: str, speed: float, cancel: Any) -> Iterator[Any]:
        """A second of it a clause."""
        yield Audio.tone(440, 1.0, self.rate, peak_dbfs=-6).samples


def test_speaking_up_silences_the_answer_and_cuts_the_conversation(serve: Any, dial: Any) -> None:
    """At speech_started what waits is dropped, and the item ends where the caller stopped hearing it."""
    serving = serve(options(), stub_engine(tts=StubTts(seconds_per_word=10.0)))

    async def talk(line: PhoneLine) -> Any:
        peer = await asyncio.to_thread(dial, serving, f"?call_id={next(iter(serving.hub.calls._calls))}")
        await say(line)
        await asyncio.to_thread(peer.until, "output_audio_buffer.started")
        await line.until(lambda: bool((np.abs(joined(line.heard)) > 0.05).sum() > 0.3 * RATE))
        await say(line)
        cut = await asyncio.to_thread(peer.until, "conversation.item.truncated")
        await line.until(lambda: bool(np.abs(joined(line.heard[-10:])).max() < 0.01))
        return cut

    cut = call(serving, talk)
    assert 300 <= cut["audio_end_ms"] <= 20_000  # of 40 s


def test_twenty_five_calls_in_a_row_leave_nothing(serve: Any) -> None:
    """No task, descriptor, port or session more than after the first, of which some may be ending yet."""
    serving = serve(options())

    async def talk(line: PhoneLine) -> None:
        await line.until(lambda: len(line.heard) > 3)

    call(serving, talk)
    assert settled(serving)
    before = _held(serving)
    for transport in itertools.islice(itertools.cycle(["udp", "udp", "tcp"]), 25):
        call(serving, talk, transport)
    assert settled(serving)
    end = time.monotonic() + WAIT_S
    while any(now > then for now, then in zip(_held(serving), before, strict=True)):
        assert time.monotonic() < end, (_held(serving), before)
        time.sleep(0.05)


def _held(serving: Any) -> tuple[int, int, int]:
    """Tasks on the server's loop, open descriptors, and UDP ports of this process."""

    async def tasks() -> int:
        return len(asyncio.all_tasks()) - 1

    process = psutil.Process()
    ports = sum(one.type == socket.SOCK_DGRAM for one in process.net_connections("inet"))
    return asyncio.run_coroutine_threadsafe(tasks(), serving.loop).result(WAIT_S), process.num_fds(), ports


def test_a_caller_who_vanishes_is_let_go(serve: Any) -> None:
    """No packet for the silence time ends the call, with a BYE."""
    serving = serve(options(silence_s=0.5))

    async def talk(line: PhoneLine) -> Any:
        line._line = None  # its RTP stops; its SIP listens on
        await line.until(lambda: line.ended is not None)
        return line.ended

    assert call(serving, talk).why == "hangup"
    assert settled(serving)


def test_a_full_house_is_busy(serve: Any) -> None:
    """When all sessions are taken, the caller hears so."""
    serving = serve(ServerOptions(sessions=1, phone=PhoneOptions(port=0)))

    async def talk(_line: PhoneLine) -> None:
        with pytest.raises(ConnectError, match="486 Busy Here"):
            await open_line(f"sip:bob@127.0.0.1:{serving.sip[1]}")

    call(serving, talk)


def test_a_call_that_there_is_no_port_for_does_not_ring_on(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could decide about it any more: the caller hears so at once, and the next one is taken."""
    serving = serve(options())

    async def no_port(*_args: Any, **_options: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    async def refused() -> None:
        with pytest.raises(ConnectError, match="503 Service Unavailable"):
            await open_line(f"sip:bob@127.0.0.1:{serving.sip[1]}", timeout_s=WAIT_S)

    with monkeypatch.context() as broken:
        broken.setattr("realtime_nb.server.sip_call.open_media", no_port)
        asyncio.run(refused())
    call(serving, lambda line: line.until(lambda: len(line.heard) > 3))
    assert settled(serving)


def test_calls_at_the_same_moment_share_what_is_left(serve: Any) -> None:
    """Of six that come at once to a server with room for one, one is taken."""
    serving = serve(ServerOptions(sessions=1, phone=PhoneOptions(port=0)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as callers:
        callers.bind(("127.0.0.1", 0))
        callers.settimeout(WAIT_S)
        for number in range(6):
            callers.sendto(_invite(number, callers.getsockname()[1]), ("127.0.0.1", serving.sip[1]))
        told: dict[str, int] = {}
        while len(told) < 6:
            answer = decode(callers.recv(8_192))
            assert isinstance(answer, Response)
            told |= {answer.call_id: answer.status} if answer.status >= 200 else {}
    assert sorted(told.values()) == [200, 486, 486, 486, 486, 486]


def test_a_call_that_is_about_to_begin_has_its_place(serve: Any, dial: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session by another way that comes meanwhile does not take it."""
    serving = serve(ServerOptions(sessions=1, phone=PhoneOptions(port=0)))
    beginning, go_on = threading.Event(), threading.Event()

    async def slow(*args: Any, **options: Any) -> Any:
        beginning.set()
        await asyncio.to_thread(go_on.wait, WAIT_S)
        return await open_media(*args, **options)

    monkeypatch.setattr("realtime_nb.server.sip_call.open_media", slow)
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(call, serving, lambda line: line.until(lambda: len(line.heard) > 3))
        assert beginning.wait(WAIT_S)
        late = dial(serving)
        assert late.closed()[0] == 1013
        go_on.set()
        heard.result()
    assert settled(serving)
    assert not serving.hub.is_full


def test_messages_beyond_the_rate_are_not_read_and_calls_beyond_the_cap_refused(serve: Any) -> None:
    """A flood gets 503s or nothing, and a call that is up goes on."""
    serving = serve(options(calls=2, messages_per_s=20))

    async def talk(line: PhoneLine) -> int:
        flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        flood.bind(("127.0.0.1", 0))
        for number in range(300):
            flood.sendto(_invite(number, flood.getsockname()[1]), ("127.0.0.1", serving.sip[1]))
        flood.settimeout(WAIT_S)
        answers = b""
        while b" 503 " not in answers:
            answers = await asyncio.to_thread(flood.recv, 4096)
        flood.close()
        at = len(line.heard)
        await line.until(lambda: len(line.heard) > at + 5)
        return len(serving.hub.calls)

    assert call(serving, talk) <= 2


def _invite(number: int, port: int) -> bytes:
    body = write_offer("127.0.0.1", 40_000, version=1).decode()
    lines = [
        "INVITE sip:bob@127.0.0.1 SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{number}",
        f"From: <sip:a@127.0.0.1>;tag={number}",
        "To: <sip:bob@127.0.0.1>",
        f"Call-ID: {number}@flood",
        "CSeq: 1 INVITE",
        "Content-Type: application/sdp",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", body]).encode()


def test_calls_over_a_bad_network_are_set_up_once_and_released(serve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fifth of SIP's datagrams is lost each way: ten calls at once all come about, one session each, and all end."""
    chance = random.Random(5)
    take, send = Phone._datagram, Phone._send
    monkeypatch.setattr(Phone, "_datagram", lambda *given: chance.random() < 0.2 or take(*given))
    monkeypatch.setattr(Phone, "_send", lambda *given: chance.random() < 0.2 or send(*given))
    serving = serve(options(silence_s=12.0))  # time for an answer that is lost again and again

    async def one() -> bool:
        line = await open_line(f"sip:bob@127.0.0.1:{serving.sip[1]}", timeout_s=WAIT_S)
        await line.until(lambda: len(line.heard) > 5)
        await line.hang_up()
        return line.answered

    async def ten() -> list[bool]:
        return await asyncio.gather(*(one() for _ in range(10)))

    assert asyncio.run(ten()) == [True] * 10
    assert settled(serving)
    opened = httpx.get(f"{serving.http}/metrics", headers=serving.headers, trust_env=False).text
    assert "realtime_nb_sessions_opened_total 10.0" in opened


def test_a_stream_of_garbage_or_of_nothing_is_closed(serve: Any) -> None:
    """TCP peers that send no SIP, or nothing at all; a ping is answered, and OPTIONS in two pieces."""
    serving = serve(options(idle_s=3.0))
    with socket.create_connection(serving.sip, timeout=WAIT_S) as garbage:
        garbage.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert garbage.recv(1) == b""
    with socket.create_connection(serving.sip, timeout=WAIT_S) as peer:
        peer.sendall(b"\r\n\r\n")
        assert peer.recv(2) == b"\r\n"
        text = _invite(1, 9).replace(b"INVITE", b"OPTIONS").replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP")
        peer.sendall(text[:50])
        peer.sendall(text[50:])
        assert peer.recv(4096).startswith(b"SIP/2.0 200 OK\r\n")
        assert peer.recv(1) == b""


def test_nothing_listens_unless_asked_and_then_on_loopback(serve: Any) -> None:
    """No telephone without --sip; with it 127.0.0.1 alone, for UDP and TCP."""
    assert serve().sip is None
    serving = serve(options())
    mine = [one for one in psutil.Process().net_connections("inet") if one.laddr.port == serving.sip[1]]
    assert {one.laddr.ip for one in mine} == {"127.0.0.1"}
    assert {one.type for one in mine} == {socket.SOCK_DGRAM, socket.SOCK_STREAM}


def test_beyond_this_machine_it_is_said_from_where() -> None:
    """An address that others reach needs a list of networks; others are not read."""
    with pytest.raises(ConfigError, match="from where calls may come"):
        PhoneOptions(host="0.0.0.0")
    with pytest.raises(ConfigError, match="IP address"):
        PhoneOptions(host="example.org")
    outside = PhoneOptions(host="0.0.0.0", networks=("192.0.2.0/24",))
    assert [outside.admits(host) for host in ("192.0.2.7", "127.0.0.1", "::ffff:192.0.2.7")] == [True, False, True]
    assert [PhoneOptions().admits(host) for host in ("127.0.0.9", "::1", "192.0.2.7")] == [True, True, False]


def test_a_port_that_is_taken_is_said_so() -> None:
    """Before any model is loaded."""
    taken = bind_phone(PhoneOptions(port=0))
    try:
        with pytest.raises(ConfigError, match="SIP cannot listen"):
            bind_phone(PhoneOptions(port=taken.address[1]))
    finally:
        taken.udp.close()
        taken.tcp.close()


@pytest.mark.parametrize(
    ("given", "address"),
    [([], None), (["--sip"], ("127.0.0.1", 5060)), (["--sip", "127.0.0.2:0"], ("127.0.0.2", 0))],
)
def test_the_command_line_turns_it_on(given: list[str], address: Any) -> None:
    """--sip alone is the usual loopback port."""
    phone = parse_options(given).options.phone
    assert (None if phone is None else (phone.host, phone.port)) == address


def test_the_command_line_has_the_webhook_and_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The secret comes from the environment, or is made up."""
    monkeypatch.setenv("REALTIME_NB_WEBHOOK_SECRET", "whsec_" + base64.b64encode(bytes(32)).decode())
    given = ["--sip", "0.0.0.0", "--sip-from", "192.0.2.0/24", "--webhook", "http://127.0.0.1:9/hook"]
    phone = parse_options(given).options.phone
    assert phone is not None
    assert phone.networks == ("192.0.2.0/24",)
    assert phone.webhook == Webhook("http://127.0.0.1:9/hook", Secret("whsec_" + base64.b64encode(bytes(32)).decode()))
    with pytest.raises(ConfigError, match="http"):
        parse_options(["--sip", "--webhook", "ftp://x"])
    made_up = parse_options(["--sip", "--webhook", "http://127.0.0.1:9/hook"]).options.phone
    assert made_up is not None
    assert made_up.webhook is not None
    assert made_up.webhook.made_up


def test_every_limit_of_the_telephone_is_an_option() -> None:
    """By its name, as a number of its kind, more than nothing."""
    phone = parse_options(["--sip", "--sip-limit", "calls=2", "--sip-limit", "ring_s=1.5"]).options.phone
    assert phone is not None
    assert (phone.calls, phone.ring_s) == (2, 1.5)
    with pytest.raises(ConfigError, match="more than 0"):
        parse_options(["--sip", "--sip-limit", "silence_s=0"])
    with pytest.raises(SystemExit):
        parse_options(["--sip", "--sip-limit", "bogus=1"])


def test_the_doors_of_calls_are_guarded(serve: Any) -> None:
    """Without the token nobody rejects a call; one that is not there is not found."""
    serving = serve(options())
    url = f"{serving.http}/v1/realtime/calls/rtc_none/hangup"
    assert httpx.post(url).status_code == 401
    assert httpx.post(url, headers=serving.headers).status_code == 404


@pytest.mark.models
@pytest.mark.timeout(180)
def test_a_question_on_the_telephone_is_answered_by_the_real_engine(serve: Any, real_engine: Any, data: Path) -> None:
    """A recorded question goes over the line as G.711; what comes back is speech that the recogniser can read."""
    serving = serve(options(), real_engine)
    question = Audio.read(data / "question.wav").resample(RATE).samples

    async def talk(line: PhoneLine) -> Audio:
        await say(line, question)
        return await hear(line)

    answer = call(serving, talk)
    words = real_engine.asr.transcribe(answer.resample(real_engine.asr.rate).samples, cancel=Cancel()).text
    assert len(words.split()) >= 3
