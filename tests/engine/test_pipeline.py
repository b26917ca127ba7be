"""One response through brain and voice: order, overlap, limits, cancels and faults."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_nb.engine.base import Cancel, ChatDelta, ChatEnd, ChatRead, ChatRequest, ChatText, Samples
from realtime_nb.engine.pipeline import Pipeline
from realtime_nb.protocol.effects import (
    CallDelta,
    Generated,
    GenerateRequest,
    PromptRead,
    Report,
    SpeechDelta,
    TextDelta,
)
from realtime_nb.protocol.formats import AudioFormat, Pcm, Pcma, Pcmu
from realtime_nb.protocol.items import FunctionCall, FunctionCallOutput, InputImage, InputText, Message, OutputAudio
from realtime_nb.testing.stages import Call, StubLlm, StubTts, StubVision, stub_engine

_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
PIXEL = f"data:image/png;base64,{_PNG}"


def request(*items: Any, **more: Any) -> GenerateRequest:
    """A request of one user message, unless items are given."""
    said = items or (Message(role="user", content=(InputText(text="Hello."),)),)
    usual: dict[str, Any] = {
        "instructions": "Be brief.",
        "items": said,
        "voice": "alloy",
        "speed": 1.0,
        "max_output_tokens": None,
        "format": Pcm(),
    }
    return GenerateRequest(**(usual | more))


def reports(pipeline: Pipeline, asked: GenerateRequest) -> list[Report]:
    """All reports of a response."""
    told: list[Report] = []
    pipeline.generate(asked, "resp_1", told.append, Cancel())
    return told


def pipeline(answer: Any, **stages: Any) -> Pipeline:
    """A pipeline whose brain gives this answer."""
    return Pipeline(stub_engine(llm=StubLlm(lambda _: answer), **stages))


def test_words_come_before_their_own_sound() -> None:
    """Each clause is told, then spoken; the words joined are the answer, and the end comes last."""
    told = reports(pipeline("Yes, of course. It is three point five."), request())
    speech = [report for report in told if isinstance(report, SpeechDelta)]
    assert "".join(report.transcript for report in speech) == "Yes, of course. It is three point five."
    assert speech[0].transcript
    assert not speech[0].audio
    assert speech[1].audio
    assert isinstance(told[-1], Generated)
    assert told[-1].reason == "stop"


def test_the_first_clause_is_spoken_while_the_rest_is_written() -> None:
    """The brain, held up after its first clause, goes on only when that clause is heard."""
    heard = threading.Event()

    class Waiting(StubLlm):
        def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
            yield ChatText("This comes first. ")
            assert heard.wait(60), "nothing was spoken before the brain had finished"
            yield ChatText("This comes later.")
            yield ChatEnd("stop", 1, 0, 8)

    told: list[Report] = []

    def emit(report: Report) -> None:
        told.append(report)
        if isinstance(report, SpeechDelta) and report.audio:
            heard.set()

    Pipeline(stub_engine(llm=Waiting())).generate(request(), "resp_1", emit, Cancel())
    assert isinstance(told[-1], Generated)


def test_what_was_read_is_told_before_the_answer_is_whole() -> None:
    """A brain that knows what was in its cache is not made to wait: the answer may be cut off before its end."""

    class Reader(StubLlm):
        def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
            yield ChatRead(40, 30)
            yield from super().chat(request, cancel=cancel)

    told = reports(Pipeline(stub_engine(llm=Reader())), request())
    assert told[0] == PromptRead("resp_1", 40, 30)
    assert isinstance(told[1], SpeechDelta)


def test_written_answers_have_no_sound() -> None:
    """With text as its modality, a response is text deltas alone."""
    told = reports(pipeline("Hello you."), request(output_modalities=("text",)))
    assert "".join(report.text for report in told if isinstance(report, TextDelta)) == "Hello you."
    assert not [report for report in told if isinstance(report, SpeechDelta)]


def test_what_is_said_before_a_call_is_spoken_before_it() -> None:
    """All sound of the words comes before the call's first piece; the call's pieces are its arguments."""
    told = reports(pipeline(["Let me see. ", Call("look", {"where": "here"})]), request())
    first_call = next(index for index, report in enumerate(told) if isinstance(report, CallDelta))
    assert any(isinstance(report, SpeechDelta) and report.audio for report in told[:first_call])
    assert not [report for report in told[first_call:] if isinstance(report, SpeechDelta)]
    calls = [report for report in told if isinstance(report, CallDelta)]
    assert "".join(call.arguments for call in calls) == '{"where": "here"}'
    assert told[-1].reason == "tool_calls"


@pytest.mark.parametrize(("format", "bytes_per_s"), [(Pcm(), 48_000), (Pcmu(), 8_000), (Pcma(), 8_000)])
def test_sound_comes_in_the_sessions_format(format: AudioFormat, bytes_per_s: int) -> None:
    """Four words of 0.3 s are 1.2 s in any format, to a resampler's edge."""
    told = reports(pipeline("one two three four."), request(format=format))
    size = sum(len(report.audio) for report in told if isinstance(report, SpeechDelta))
    assert size / bytes_per_s == pytest.approx(1.2, abs=0.02)


def test_a_cancel_silences_brain_and_voice() -> None:
    """After a cancel nothing more is reported, not even an end."""
    cancel, told = Cancel(), []

    def emit(report: Report) -> None:
        assert not cancel.is_set(), "reported after the cancel"
        told.append(report)
        if isinstance(report, SpeechDelta) and report.audio:
            cancel.set()

    endless = StubLlm(lambda _: "word " * 10_000 + ".", delay_s=0.001)
    Pipeline(stub_engine(llm=endless)).generate(request(), "resp_1", emit, cancel)
    assert told
    assert not [report for report in told if isinstance(report, Generated)]


def test_a_fault_of_the_voice_ends_the_response_and_stops_the_brain() -> None:
    """What the voice raises is raised where the response was asked for."""

    class Broken(StubTts):
        def speak(self, text: str, *, voice: str, speed: float, cancel: Cancel) -> Iterator[Samples]:
            raise OSError("no voice")

    endless = StubLlm(lambda _: "word, " * 10_000, delay_s=0.001)
    with pytest.raises(OSError, match="no voice"):
        reports(Pipeline(stub_engine(llm=endless, tts=Broken())), request())


def test_the_brain_reads_the_conversation() -> None:
    """Instructions, words spoken and written, calls and their results reach the brain in order and role."""
    brain = StubLlm(lambda _: "Fine.")
    items = (
        Message(role="user", content=(InputText(text="Weather?"),)),
        FunctionCall(name="get_weather", arguments='{"city": "Paris"}', call_id="call_1"),
        FunctionCallOutput(call_id="call_1", output="sunny"),
        Message(role="assistant", content=(OutputAudio(transcript="It is sunny."),)),
        Message(role="user", content=(InputText(text="Thanks."),)),
    )
    reports(Pipeline(stub_engine(llm=brain)), request(*items))
    read = brain.requests[0].messages
    assert [message.role for message in read] == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert read[0].text == "Be brief."
    assert read[2].calls[0].arguments == '{"city": "Paris"}'
    assert read[3].call_id == "call_1"
    assert read[4].text == "It is sunny."


@pytest.mark.parametrize("sees", [True, False])
def test_a_picture_is_shown_or_told(sees: bool) -> None:
    """A brain that sees gets the picture; one that does not gets it in words."""
    brain = StubLlm(lambda _: "Nice.", sees_images=sees)
    picture = Message(role="user", content=(InputImage(image_url=PIXEL), InputText(text="What is it?")))
    reports(Pipeline(stub_engine(llm=brain)), request(picture))
    message = brain.requests[0].messages[-1]
    assert (message.images == (PIXEL,)) is sees
    assert ("a picture of" in message.text) is not sees
    assert "What is it?" in message.text


def test_a_picture_is_looked_at_once() -> None:
    """Later responses read the words that the first one got; a look that was cut short is not remembered."""
    looks: list[bytes] = []

    class Eye(StubVision):
        def describe(self, png_or_jpeg: bytes, *, cancel: Cancel) -> str:
            looks.append(png_or_jpeg)
            return super().describe(png_or_jpeg, cancel=cancel)

    shown = request(Message(role="user", content=(InputImage(image_url=PIXEL),)))
    seeing, cancel = pipeline("I see.", vision=Eye()), Cancel()
    cancel.set()
    seeing.generate(shown, "resp_0", lambda _: None, cancel)
    assert len(looks) == 1
    for _ in range(3):
        reports(seeing, shown)
    assert len(looks) == 2


@pytest.mark.parametrize("limit", [5, 12, 40])
def test_a_limit_of_tokens_counts_words_and_sound(limit: int) -> None:
    """A token a word or mark, and one each 50 ms (protocol, 5.2): together never more than the limit."""
    told = reports(pipeline("One two three. Four five six. Seven."), request(max_output_tokens=limit))
    speech = [report for report in told if isinstance(report, SpeechDelta)]
    words = StubLlm().count("".join(report.transcript for report in speech))
    sound_ms = sum(len(report.audio) for report in speech) / 48
    assert words + sound_ms / 50 <= limit or not sound_ms
    end = told[-1]
    assert isinstance(end, Generated)
    assert end.reason == "length"


def test_no_report_is_empty() -> None:
    """A clause that has no words makes no sound; every delta brings something."""
    told = reports(pipeline("Here: ``` and more."), request())
    assert all(report.transcript or report.audio for report in told if isinstance(report, SpeechDelta))
