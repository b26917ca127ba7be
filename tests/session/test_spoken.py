"""Turns that are spoken live, against our own server with stages of no cost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb import errors
from realtime_nb.server.thread import serve_in_thread
from realtime_nb.session import stream
from realtime_nb.testing.stages import Call, StubAsr, StubLlm, stub_engine, stub_speech

Talk = Callable[..., rt.Session]
SPEECH = rt.Audio.from_pcm16(stub_speech(400))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sound is sent much faster than it is spoken: the server counts time in sound, and has some to answer in."""

    async def no_wait(_pace: object, _seconds: float) -> None:
        await asyncio.sleep(0.002)

    monkeypatch.setattr(stream.Pace, "keep", no_wait)
    monkeypatch.setattr(stream, "PATIENCE_S", 20.0)  # of sound, which passes faster than the server answers


@pytest.fixture
def talk() -> Iterator[Talk]:
    """A session with a server whose stages are stubs."""
    with ExitStack() as stack:

        def begin(stages: dict[str, Any] | None = None, **config: Any) -> rt.Session:
            serving = stack.enter_context(serve_in_thread(stub_engine(**(stages or {}))))
            return stack.enter_context(rt.connect(serving.url, api_key=serving.token, **config))

        yield begin


def test_a_clip_is_answered(talk: Talk) -> None:
    """A whole clip goes as one item; its words come back as the turn's transcript."""
    turn = talk({"asr": StubAsr("good morning")}).say(SPEECH)
    assert turn.transcript == "good morning"
    assert turn.text == "You said: good morning."
    assert turn.audio.duration_s > 0.5


def test_a_generator_is_heard_by_voice_detection(talk: Talk) -> None:
    """Chunks are streamed, the server ends the turn, and the answer to it is the turn."""
    session = talk({"asr": StubAsr("good morning")})
    turn = session.say(SPEECH.chunks(0.05))
    assert turn.transcript == "good morning"
    assert turn.text == "You said: good morning."
    assert turn.status == "completed"
    assert "input_audio_buffer.speech_stopped" in session.events.type.tolist()
    assert "response.create" not in session.events.type.tolist()
    latency = turn.latency
    assert latency.silence_ms is not None
    assert latency.first_audio_ms >= latency.silence_ms


def test_without_voice_detection_the_end_of_the_generator_ends_the_turn(talk: Talk) -> None:
    """turn_detection=None: the sound is committed and a response asked for."""
    session = talk({"asr": StubAsr("good morning")}, turn_detection=None)
    turn = session.say(SPEECH.chunks(0.05))
    assert turn.transcript == "good morning"
    assert turn.text == "You said: good morning."
    types = session.events.type.tolist()
    assert types.index("input_audio_buffer.commit") < types.index("response.create")


def test_detection_that_makes_no_response_is_asked_for_one(talk: Talk) -> None:
    """create_response=False: the server finds the end, we ask."""
    session = talk(turn_detection={"type": "server_vad", "create_response": False})
    assert session.say(SPEECH.chunks(0.05)).text == "You said: hello there."
    assert session.events.type.tolist().count("response.create") == 1


@pytest.mark.parametrize(
    ("chunks", "rate"),
    [
        (lambda: SPEECH.chunks(0.03), None),
        (lambda: SPEECH.resample(48_000).chunks(0.03), None),
        (lambda: iter([stub_speech(200)] * 2), None),
        (lambda: iter([stub_speech(200, rate=8_000)] * 2), 8_000),
        (lambda: iter(np.array_split(SPEECH.resample(16_000).samples, 7)), 16_000),
    ],
    ids=["audio", "audio at 48 kHz", "wire bytes", "bytes at 8 kHz", "arrays at 16 kHz"],
)
def test_chunks_may_be_of_any_kind(talk: Talk, chunks: Callable[[], Iterator[Any]], rate: int | None) -> None:
    """Audio, bytes and arrays at any rate are heard the same."""
    session = talk(turn_detection=None)
    assert session.say(chunks(), rate=rate).text == "You said: hello there."
    assert session.turns.input_s.tolist() == pytest.approx([0.4], abs=0.002)


def test_an_async_generator_runs_on_its_own_loop(talk: Talk) -> None:
    """In the awaitable face a generator may use its own loop's things; in the blocking face it has the session's."""
    session = talk({"asr": StubAsr(["one", "two"])}, turn_detection=None)
    ran_on: list[int] = []

    async def chunks(queue: asyncio.Queue[rt.Audio] | None) -> AsyncIterator[rt.Audio]:
        ran_on.append(threading.get_ident())
        for clip in SPEECH.chunks(0.1):
            yield clip if queue is None else await queue.get()

    async def cell() -> str:
        queue: asyncio.Queue[rt.Audio] = asyncio.Queue()
        feeding = asyncio.create_task(_feed(queue))
        turn = await session.aio.say(chunks(queue))
        await feeding
        return turn.text

    assert asyncio.run(cell()) == "You said: one."
    assert ran_on == [threading.get_ident()]
    assert session.say(chunks(None)).text == "You said: two."
    assert ran_on[1] != threading.get_ident()


def test_an_async_generator_does_not_wait_for_a_loop_that_stands_still(talk: Talk) -> None:
    """A notebook's cell runs on the kernel's loop: while the blocking face waits, nothing else does there."""
    session = talk({"asr": StubAsr(["one"])}, turn_detection=None)
    said: list[str] = []

    async def chunks() -> AsyncIterator[rt.Audio]:
        for clip in SPEECH.chunks(0.1):
            yield clip

    async def cell() -> None:
        said.append(session.say(chunks()).text)

    kernel = threading.Thread(target=asyncio.run, args=(cell(),), daemon=True)
    kernel.start()
    kernel.join(10)
    assert said == ["You said: one."]


async def _feed(queue: asyncio.Queue[rt.Audio]) -> None:
    for clip in SPEECH.chunks(0.1):
        await asyncio.sleep(0.001)
        queue.put_nowait(clip)


def test_words_go_before_the_sound(talk: Talk) -> None:
    """Text and a live stream in one say: the message first, then the speech, one answer."""
    llm = StubLlm()
    session = talk({"llm": llm, "asr": StubAsr("what is that?")}, turn_detection=None)
    session.say("Look at this:", SPEECH.chunks(0.1))
    assert [message.text for message in llm.requests[-1].messages if message.role == "user"] == [
        "Look at this:",
        "what is that?",
    ]


def test_a_pause_inside_makes_two_turns_and_gives_the_last(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream with a pause is two pieces of speech; what answered the first is a turn of its own."""
    monkeypatch.undo()  # at the true pace: the pause must be one
    session = talk({"asr": StubAsr(["first", "second"])})
    pause = rt.Audio.silence(0.6)
    turn = session.say((SPEECH + pause + SPEECH).chunks(0.1))
    assert turn.transcript == "second"
    assert turn.text == "You said: second."
    assert session.turns.input.tolist() == ["first", "second"]


def test_silence_is_no_speech(talk: Talk) -> None:
    """A stream without a voice in it is an error that says so; the session goes on."""
    session = talk()
    with pytest.raises(errors.AudioError, match="no speech"):
        session.say(rt.Audio.silence(0.5).chunks(0.1))
    assert session.say("Hello.").text == "You said: Hello.."


@pytest.mark.parametrize("budget_usd", [None, 1.0])
def test_a_voice_without_words_makes_no_turn(talk: Talk, budget_usd: float | None) -> None:
    """Noise that the recogniser makes nothing of is an error that says so, soon; within a budget, too."""
    session = talk({"asr": StubAsr("")}, budget_usd=budget_usd)
    with pytest.raises(errors.AudioError, match="no words"):
        session.say(SPEECH.chunks(0.1))
    assert session.say("Hello.").text == "You said: Hello.."


@pytest.mark.parametrize(
    ("chunks", "rate", "words"),
    [
        (lambda: iter(()), None, "no sound"),
        (lambda: iter([np.zeros(480, np.float32)]), None, "without its sample rate"),
        (lambda: iter([b"abc"]), None, "whole number of samples"),
        (lambda: iter([rt.Audio.silence(0.05)]), None, "100 ms"),
    ],
)
def test_chunks_that_are_none_are_refused(talk: Talk, chunks: Any, rate: int | None, words: str) -> None:
    """A stream that cannot be sent is an AudioError, and the session goes on."""
    session = talk(turn_detection=None)
    with pytest.raises(errors.AudioError, match=words) as caught:
        session.say(chunks(), rate=rate)
    assert caught.value.hint
    assert session.say("Hello.").text == "You said: Hello.."


def test_a_generator_that_fails_takes_its_sound_back(talk: Talk) -> None:
    """An error inside the generator is raised as it is; what was sent is not left in the buffer."""
    session = talk(turn_detection=None)

    def broken() -> Iterator[rt.Audio]:
        yield SPEECH
        raise OSError("the microphone is gone")

    with pytest.raises(OSError, match="microphone"):
        session.say(broken())
    assert "input_audio_buffer.clear" in session.events.type.tolist()
    assert session.say("Hello.").text == "You said: Hello.."


def test_sound_that_is_appended_makes_turns_of_its_own(talk: Talk) -> None:
    """append() is for a microphone: voice detection makes turns, with their functions run."""

    def answer(request: Any) -> Any:
        return "It is four." if request.messages[-1].role == "tool" else Call("add", {"a": 2, "b": 2})

    session = talk({"asr": StubAsr("two and two"), "llm": StubLlm(answer)})
    done = threading.Event()

    @session.tool
    def add(a: float, b: float) -> float:
        """Add two numbers."""
        done.set()
        return a + b

    for chunk in (SPEECH + rt.Audio.silence(0.6)).chunks(0.1):
        session.append(chunk)
    assert done.wait(60)
    turns = session.aio.actor.book.turns
    while not turns or not turns[0].done:
        threading.Event().wait(0.005)
    assert turns[0].text == "It is four."
    assert turns[0].transcript == "two and two"
    assert turns[0].calls[0].output == "4.0"


def test_speaking_over_an_answer_cancels_it(talk: Talk) -> None:
    """Barge-in: say()'s answer is cancelled by voice, its turn keeps what came, the next turn is answered."""
    slow = StubLlm(lambda request: "so " * 2_000 if "Hello" in request.messages[-1].text else "Yes?", delay_s=0.01)
    session = talk({"llm": slow})
    turn = session.say("Hello.", wait=False)
    while not turn.text:
        threading.Event().wait(0.005)
    answer = session.say("Go on.", wait=False)
    for chunk in (SPEECH + rt.Audio.silence(0.6)).chunks(0.1):
        session.append(chunk)
    assert turn.wait(60).status == "cancelled"
    assert turn.reason == "turn_detected"
    assert turn.text.startswith("so")
    assert answer.wait(60).text == "Yes?"


def test_g711_both_ways(talk: Talk) -> None:
    """A session in G.711 sends and receives it; the turn's audio is at 8 kHz."""
    session = talk(input_format="audio/pcmu", output_format="audio/pcma", turn_detection=None)
    turn = session.say(SPEECH.chunks(0.1))
    assert turn.text == "You said: hello there."
    assert turn.audio.rate == 8_000
    assert turn.audio.duration_s > 0.5
