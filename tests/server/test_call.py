"""A call without a telephone: a session with a media leg, run as SIP and WebRTC run theirs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from realtime_nb.protocol.formats import AudioFormat, Pcm, Pcmu
from realtime_nb.server.live import LiveSession
from realtime_nb.testing.stages import stub_speech

FRAME_MS = 20
WAIT_S = 60.0


class Call:
    """A media leg whose clock is the test's."""

    def __init__(self, serving: Any, format: AudioFormat) -> None:
        self.serving, self.format = serving, format
        self.name = serving.hub.ids.new("rtc")
        begun: Future[LiveSession] = Future()

        async def run() -> None:
            hub = serving.hub
            live = LiveSession(hub, hub.new_connection(hub.new_session(), plays=True), self.name, format)
            begun.set_result(live)
            await live.run()

        self.over = asyncio.run_coroutine_threadsafe(run(), serving.loop)
        self.live = begun.result(WAIT_S)

    def on_loop(self, function: Any, *args: Any) -> Any:
        """Call something where the session lives."""

        async def call() -> Any:
            return function(*args)

        return asyncio.run_coroutine_threadsafe(call(), self.serving.loop).result(WAIT_S)

    def say(self, audio: bytes) -> None:
        """Say something, in frames."""
        size = len(audio) // 100 * 2
        for start in range(0, len(audio), size):
            self.on_loop(self.live.hear, audio[start : start + size], self.format)

    def listen(self, ms: int) -> bytes:
        """Let so much of the call's time pass."""
        return b"".join(self.on_loop(self.live.speaker.pull, FRAME_MS) for _ in range(ms // FRAME_MS))

    def waits(self, ms: float) -> None:
        """Wait until so much of an answer is there."""
        end = time.monotonic() + WAIT_S
        while self.live.speaker.waiting_ms < ms:
            assert time.monotonic() < end, "no answer came"
            time.sleep(0.01)


@pytest.fixture
def call(serve: Any) -> Iterator[Call]:
    """A call that has just been answered."""
    call = Call(serve(), Pcm())
    yield call
    call.on_loop(call.live.end)
    call.over.result(WAIT_S)


def attach(dial: Any, call: Call) -> Any:
    """A sideband of a call."""
    peer = dial(call.serving, f"?call_id={call.name}")
    peer.until("session.created")
    return peer


def test_a_call_is_heard_and_answered(call: Call, dial: Any) -> None:
    """Speech of the caller makes a turn; its answer is pulled as sound, and the sideband sees all but that sound."""
    peer = attach(dial, call)
    call.say(stub_speech(800) + bytes(48 * 600))
    peer.until("response.done")
    call.waits(100)
    assert any(call.listen(200))
    peer.until("output_audio_buffer.started")
    call.listen(60_000)
    peer.until("output_audio_buffer.stopped")
    assert not peer.all("response.output_audio.delta")
    types = [event["type"] for event in peer.events]
    assert types.index("response.done") < types.index("output_audio_buffer.stopped")


def test_speech_silences_the_call_and_truncates(call: Call, dial: Any) -> None:
    """A caller who speaks while the answer plays hears it stop; what was not heard leaves the conversation."""
    peer = attach(dial, call)
    reply = peer.say("Tell me a long story about a river and a boat and the sea.")["output"][0]
    call.waits(100)
    call.listen(200)
    call.say(stub_speech(800))
    peer.until("output_audio_buffer.cleared")
    cut = peer.until("conversation.item.truncated")
    assert (cut["item_id"], cut["audio_end_ms"]) == (reply["id"], 200)
    assert not call.listen(100)


def test_a_sideband_controls_the_call(call: Call, dial: Any) -> None:
    """A sideband may write, clear the playback and change the session."""
    peer = attach(dial, call)
    assert peer.update(instructions="Be brief.")["instructions"] == "Be brief."
    peer.say("Hello")
    peer.send("output_audio_buffer.clear")
    peer.until("output_audio_buffer.cleared")
    assert not call.listen(100)


def test_a_call_lives_without_sidebands_and_ends_them(call: Call, dial: Any) -> None:
    """A sideband's leaving does not end a call; the call's end does end a sideband, with 1000."""
    attach(dial, call).socket.close()
    peer = attach(dial, call)
    call.on_loop(call.live.end)
    assert peer.closed() == (1000, "The session has ended.")
    call.over.result(WAIT_S)
    assert call.serving.hub.sessions == 0


def test_a_telephone_s_format_is_converted(serve: Any, dial: Any) -> None:
    """The leg speaks G.711 and the session 24 kHz PCM: neither notices."""
    call = Call(serve(), Pcmu())
    peer = attach(dial, call)
    peer.say("Hello")
    call.waits(100)
    heard = call.listen(20)
    assert len(heard) == 160
    call.on_loop(call.live.end)
    call.over.result(WAIT_S)
