"""Turns of speech and their interruption (protocol 4.2 to 4.4), played against the server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.items import (
    InputAudio,
    InputText,
    Message,
    OutputAudio,
)
from realtime_nb.protocol.session_config import (
    Audio,
    AudioInput,
    SemanticVad,
    ServerVad,
    Session,
    Transcription,
)
from realtime_nb.protocol.usage import CachedTokens

if TYPE_CHECKING:
    from .conftest import Wire

Types = Callable[[list[Any]], list[str]]

MS = 48


def hearing(**fields: Any) -> Session:
    """A session that hears like this."""
    return Session(audio=Audio(input=AudioInput(**fields)))


def speak(wire: Wire, ms: int = 1_000, *, at: int = 0) -> list[Any]:
    """The user speaks: the sound comes in, the detector hears it begin and end."""
    events = wire.send(ev.InputAudioBufferAppend(audio=b"\1\0" * (ms * MS // 2)))
    return events + wire.report(fx.SpeechStarted(at), fx.SpeechStopped(at + ms))


# ---------------------------------------------------------------- voice
def test_voice_turn(make_wire: Callable[..., Wire], types: Types) -> None:
    """Speech becomes an item, its words come, and the answer is spoken."""
    wire = make_wire(hearing(transcription=Transcription(model="gpt-4o-transcribe", language="de", prompt="Fluss")))
    events = speak(wire, 1_630, at=0)
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
    ]
    assert len({event.item_id for event in events[:3]} | {event.item.id for event in events[3:]}) == 1
    assert events[3].item.content == (InputAudio(transcript=None),)
    asked = wire.last(fx.Transcribe)
    assert (asked.language, asked.prompt, asked.audio_start_ms, asked.audio_end_ms) == ("de", "Fluss", 0, 1_630)
    assert len(asked.audio) == 1_630 * MS
    events = wire.report(fx.Transcribed(asked.item_id, " Nenne einen Fluss. ", (("Nenne", -0.1),), 8))
    assert types(events) == [
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
        "response.created",
    ]
    assert (events[0].delta, events[1].transcript, events[1].logprobs) == (
        "Nenne einen Fluss.",
        "Nenne einen Fluss.",
        None,
    )
    assert json.loads(ev.encode(events[1]))["usage"] == {
        "type": "tokens", "total_tokens": 25, "input_tokens": 17, "output_tokens": 8,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 17},
    }  # fmt: skip
    request = wire.last(fx.Generate).request
    assert request.items[0].content == (InputAudio(transcript="Nenne einen Fluss."),)
    events = wire.report(
        fx.SpeechDelta("resp_1", "Der Rhein.", b"\1\0" * 2_400), fx.SpeechDelta("resp_1", "", b"\2\0" * 2_400)
    )
    events += wire.report(fx.Generated("resp_1", "stop", 30, 0, 3))
    assert types(events) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    assert events[2].part == ev.ContentPart(type="audio", transcript="")
    assert events[9].item.content == (OutputAudio(transcript="Der Rhein."),)
    usage = events[-2].response.usage
    assert (usage.input_token_details.audio_tokens, usage.output_token_details.audio_tokens) == (17, 4)
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens


def test_words_are_wanted_even_where_nobody_reads_them(wire: Wire, types: Types) -> None:
    """Without a transcription setting the brain still gets the words; the client gets no transcription events."""
    speak(wire)
    asked = wire.last(fx.Transcribe)
    assert types(wire.report(fx.Transcribed(asked.item_id, "Hello"))) == ["response.created"]
    assert wire.last(fx.Generate).request.items[0].content == (InputAudio(transcript="Hello"),)
    item = wire.server.conversation[asked.item_id]
    assert isinstance(item, Message)
    assert item.content == (InputAudio(transcript=None),)


def test_a_breath_makes_no_response(make_wire: Callable[..., Wire], types: Types) -> None:
    """An empty transcript makes no response, and is not read later."""
    wire = make_wire(hearing(transcription=Transcription()))
    speak(wire, 300)
    events = wire.report(fx.Transcribed(wire.last(fx.Transcribe).item_id, "  "))
    assert types(events) == ["conversation.item.input_audio_transcription.completed"]
    wire.say("Hello")
    wire.send(ev.ResponseCreate())
    assert [type(item.content[0]) for item in wire.last(fx.Generate).request.items] == [InputText]


def test_streamed_words_are_told_once(make_wire: Callable[..., Wire], types: Types) -> None:
    """Where the recogniser streams, its deltas are passed on, and the whole is only in the last event."""
    wire = make_wire(hearing(transcription=Transcription()))
    speak(wire)
    name = wire.last(fx.Transcribe).item_id
    events = wire.report(
        fx.TranscribedDelta(name, "Hel"), fx.TranscribedDelta(name, "lo"), fx.Transcribed(name, "Hello")
    )
    assert [event.delta for event in events[:2]] == ["Hel", "lo"]
    assert types(events[2:]) == ["conversation.item.input_audio_transcription.completed", "response.created"]


def test_logprobs_where_they_are_asked_for(make_wire: Callable[..., Wire]) -> None:
    """``include`` brings each token with its bytes and its probability."""
    session = Session(
        include=("item.input_audio_transcription.logprobs",),
        audio=Audio(input=AudioInput(transcription=Transcription())),
    )
    wire = make_wire(session)
    speak(wire)
    events = wire.report(fx.Transcribed(wire.last(fx.Transcribe).item_id, "é", (("é", -0.5),)))
    assert events[1].logprobs == (ev.LogProb(token="é", bytes=(195, 169), logprob=-0.5),)


def test_whisper_is_billed_by_time(make_wire: Callable[..., Wire]) -> None:
    """whisper-1's usage is whole seconds, rounded up."""
    wire = make_wire(hearing(transcription=Transcription(model="whisper-1")))
    speak(wire, 1_100)
    events = wire.report(fx.Transcribed(wire.last(fx.Transcribe).item_id, "Hello"))
    assert json.loads(ev.encode(events[1]))["usage"] == {"type": "duration", "seconds": 2.0}


def test_a_failed_transcription_makes_a_failed_response(make_wire: Callable[..., Wire], types: Types) -> None:
    """When the words cannot be had, the client hears of it and the response fails with the reason."""
    wire = make_wire(hearing(transcription=Transcription()))
    speak(wire)
    events = wire.report(fx.TranscriptionFailed(wire.last(fx.Transcribe).item_id, "audio_unintelligible", "Mumbling."))
    assert types(events) == [
        "conversation.item.input_audio_transcription.failed",
        "response.created",
        "response.done",
        "rate_limits.updated",
    ]
    details = events[2].response.status_details
    assert (details.type, details.error.code) == ("failed", "audio_unintelligible")


def test_turns_that_make_no_response(make_wire: Callable[..., Wire]) -> None:
    """With create_response off, the words come but no response does."""
    wire = make_wire(hearing(turn_detection=ServerVad(create_response=False)))
    speak(wire)
    assert wire.report(fx.Transcribed(wire.last(fx.Transcribe).item_id, "Hello")) == []
    wire.send(ev.ResponseCreate())
    assert wire.last(fx.Generate)


def test_speech_goes_on_before_the_words_are_there(wire: Wire, types: Types) -> None:
    """Who goes on speaking is not answered in between, but once for all that was said."""
    wire.send(ev.InputAudioBufferAppend(audio=bytes(4_000 * MS)))
    wire.report(fx.SpeechStarted(0), fx.SpeechStopped(1_000))
    first = wire.last(fx.Transcribe).item_id
    wire.report(fx.SpeechStarted(1_500))
    assert wire.report(fx.Transcribed(first, "I think")) == []
    wire.report(fx.SpeechStopped(3_000))
    second = wire.last(fx.Transcribe).item_id
    assert types(wire.report(fx.Transcribed(second, ""))) == ["response.created"]
    assert [item.id for item in wire.last(fx.Generate).request.items] == [first]


def test_a_commit_inside_speech(wire: Wire, types: Types) -> None:
    """A client's commit inside speech takes what there is; no speech_stopped follows, and no response."""
    wire.send(ev.InputAudioBufferAppend(audio=bytes(500 * MS)))
    (started,) = wire.report(fx.SpeechStarted(100))
    events = wire.send(ev.InputAudioBufferCommit())
    assert types(events) == ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]
    assert events[0].item_id == started.item_id
    assert isinstance(wire.asked[-2], fx.ForgetAudio)
    assert len(wire.last(fx.Transcribe).audio) == 500 * MS
    assert wire.report(fx.SpeechStopped(500)) == []
    assert wire.report(fx.Transcribed(started.item_id, "Hello")) == []


def test_reports_of_a_detector_that_is_off(make_wire: Callable[..., Wire]) -> None:
    """With push-to-talk the detector only keeps the time; its late reports are ignored."""
    wire = make_wire(hearing(turn_detection=None))
    wire.send(ev.InputAudioBufferAppend(audio=bytes(500 * MS)))
    assert isinstance(wire.asked[-1], fx.Hear)
    assert wire.report(fx.SpeechStarted(0), fx.SpeechStopped(400)) == []


# ---------------------------------------------------------------- barge-in
@pytest.mark.parametrize(
    "forgotten",
    [
        (ev.InputAudioBufferClear(),),
        (ev.InputAudioBufferCommit(),),
        tuple(
            ev.SessionUpdate(session={"type": "realtime", "audio": {"input": {"turn_detection": detection}}})
            for detection in (None, {"type": "server_vad"})
        ),
    ],
    ids=["cleared", "committed", "off and on"],
)
def test_a_late_report_of_speech_that_is_forgotten(
    wire: Wire, types: Types, forgotten: tuple[ev.ClientEvent, ...]
) -> None:
    """The detector, which began afresh, would never tell its end; what it hears from there on is speech."""
    wire.send(ev.InputAudioBufferAppend(audio=bytes(1_000 * MS)), *forgotten)
    assert wire.report(fx.SpeechStarted(300)) == []
    wire.send(ev.InputAudioBufferAppend(audio=bytes(1_000 * MS)))
    assert types(wire.report(fx.SpeechStarted(1_000))) == ["input_audio_buffer.speech_started"]


def test_barge_in(wire: Wire, types: Types) -> None:
    """Speech stops the response: all that is open is closed, incomplete, then it is done, cancelled."""
    wire.send(ev.ResponseCreate())
    wire.report(fx.SpeechDelta("resp_1", "Once upon a time", bytes(1_000 * MS)))
    item_id = wire.server.conversation.last
    wire.send(ev.InputAudioBufferAppend(audio=bytes(500 * MS)))
    events = wire.report(fx.SpeechStarted(100))
    assert types(events) == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    assert wire.asked[-1] == fx.Stop("resp_1")
    assert events[4].item.status == "incomplete"
    response = events[6].response
    assert (response.status, response.status_details.type, response.status_details.reason) == (
        "cancelled", "cancelled", "turn_detected",
    )  # fmt: skip
    assert response.usage.output_token_details.audio_tokens == 20
    assert wire.report(fx.SpeechDelta("resp_1", "there was", b"\0\0"), fx.Generated("resp_1", "stop")) == []
    (truncated,) = wire.send(ev.ConversationItemTruncate(item_id=str(item_id), content_index=0, audio_end_ms=500))
    assert truncated.audio_end_ms == 500
    (retrieved,) = wire.send(ev.ConversationItemRetrieve(item_id=str(item_id)))
    assert retrieved.item.content == (OutputAudio(audio=bytes(500 * MS), transcript="Once"),)


@pytest.mark.parametrize(("told", "cached"), [((), 0), ((fx.PromptRead("resp_1", 400, 300),), 128)])
def test_what_a_cut_answer_had_in_the_cache(wire: Wire, told: tuple[fx.Report, ...], cached: int) -> None:
    """An answer that is spoken over has read all the same: where the brain said what, its usage says what was saved."""
    wire.send(ev.SessionUpdate(session={"type": "realtime", "instructions": "word " * 200}))
    wire.send(ev.ResponseCreate())
    wire.report(*told, fx.SpeechDelta("resp_1", "Once upon a time", bytes(1_000 * MS)))
    wire.report(fx.SpeechStarted(0))
    response = wire.last(ev.ResponseDone).response
    assert response.status == "cancelled"
    assert response.usage.input_tokens > 200
    assert response.usage.input_token_details.cached_tokens_details == CachedTokens(text_tokens=cached)


def test_speech_that_begins_twice(wire: Wire, types: Types) -> None:
    """A detector that begins afresh in the middle of speech starts no second item, but still interrupts."""
    wire.send(ev.InputAudioBufferAppend(audio=bytes(900 * MS)))
    wire.report(fx.SpeechStarted(100))
    wire.send(ev.ResponseCreate())
    assert types(wire.report(fx.SpeechStarted(500))) == ["response.done", "rate_limits.updated"]
    wire.report(fx.SpeechStopped(900))
    assert wire.last(fx.Transcribe).audio_start_ms == 100


def test_barge_in_while_thinking(wire: Wire, types: Types) -> None:
    """A response that has written nothing yet is cancelled without output, and used no output tokens."""
    wire.send(ev.ResponseCreate())
    events = wire.report(fx.SpeechStarted(0))
    assert types(events) == ["input_audio_buffer.speech_started", "response.done", "rate_limits.updated"]
    assert (events[1].response.output, events[1].response.usage.output_tokens) == ((), 0)


def test_no_barge_in_where_it_is_off(make_wire: Callable[..., Wire], types: Types) -> None:
    """With interrupt_response off, the response goes on, and the turn is answered after it."""
    wire = make_wire(hearing(turn_detection=SemanticVad(interrupt_response=False)))
    wire.send(ev.ResponseCreate())
    speak(wire)
    assert wire.report(fx.Transcribed(wire.last(fx.Transcribe).item_id, "Stop!")) == []
    events = wire.report(fx.Generated("resp_1", "stop"))
    assert types(events) == ["response.done", "rate_limits.updated", "response.created"]


def test_out_of_band_is_not_interrupted(wire: Wire, types: Types) -> None:
    """Speech stops the conversation's response only."""
    wire.send(ev.ResponseCreate(response=ev.ResponseParams(conversation="none")))
    assert types(wire.report(fx.SpeechStarted(0))) == ["input_audio_buffer.speech_started"]


def test_truncating_the_item_in_progress_stops_it(wire: Wire, types: Types) -> None:
    """Stock clients send only a truncation when their user interrupts; the response ends, client_cancelled."""
    wire.send(ev.ResponseCreate())
    wire.report(fx.SpeechDelta("resp_1", "Once upon a time", bytes(1_000 * MS)))
    name = str(wire.server.conversation.last)
    events = wire.send(ev.ConversationItemTruncate(item_id=name, content_index=0, audio_end_ms=0))
    assert types(events)[-3:] == ["response.done", "rate_limits.updated", "conversation.item.truncated"]
    assert events[-3].response.status_details.reason == "client_cancelled"
    assert fx.Stop("resp_1") in wire.asked
    item = wire.server.conversation[name]
    assert isinstance(item, Message)
    assert item.content == (OutputAudio(transcript=""),)
    wire.send(ev.ResponseCreate())
    assert wire.last(fx.Generate).request.items == ()


def test_deleting_the_item_in_progress_stops_it(wire: Wire, types: Types) -> None:
    """An item that is being written can be deleted; its response ends first."""
    wire.send(ev.ResponseCreate())
    wire.report(fx.TextDelta("resp_1", "Once"))
    events = wire.send(ev.ConversationItemDelete(item_id=str(wire.server.conversation.last)))
    assert types(events)[-3:] == ["response.done", "rate_limits.updated", "conversation.item.deleted"]
    assert len(wire.server.conversation) == 0


def test_cancel(wire: Wire) -> None:
    """A client's cancel ends the conversation's response, or the one it names."""
    wire.send(ev.ResponseCreate(), ev.ResponseCreate(response=ev.ResponseParams(conversation="none")))
    (done, _) = wire.send(ev.ResponseCancel(response_id="resp_2"))
    assert (done.response.id, done.response.status_details.reason) == ("resp_2", "client_cancelled")
    (done, _) = wire.send(ev.ResponseCancel())
    assert done.response.id == "resp_1"
    assert [each.response_id for each in wire.asked if isinstance(each, fx.Stop)] == ["resp_2", "resp_1"]


def test_cancel_before_the_words_are_there(wire: Wire) -> None:
    """A turn whose words are still to come gets no answer after a cancel; there is nothing to be done with yet."""
    speak(wire)
    (error,) = wire.send(ev.ResponseCancel())
    assert error.error.code == "response_cancel_not_active"
    assert wire.report(fx.Transcribed(wire.last(fx.Transcribe).item_id, "Hello")) == []


# ---------------------------------------------------------------- push to talk
def test_push_to_talk(make_wire: Callable[..., Wire], types: Types) -> None:
    """Clear, append, commit, create: the response waits for the words, then begins to generate."""
    wire = make_wire(hearing(turn_detection=None))
    wire.send(ev.InputAudioBufferAppend(audio=bytes(10 * MS)))
    assert types(wire.send(ev.InputAudioBufferClear())) == ["input_audio_buffer.cleared"]
    wire.send(ev.InputAudioBufferAppend(audio=b"\1\0" * 4_800), ev.InputAudioBufferCommit())
    assert types(wire.send(ev.ResponseCreate())) == ["response.created"]
    assert not any(isinstance(each, fx.Generate) for each in wire.asked)
    asked = wire.last(fx.Transcribe)
    assert (asked.audio_start_ms, asked.audio_end_ms) == (10, 210)
    wire.report(fx.Transcribed(asked.item_id, "Hello"))
    assert wire.last(fx.Generate).request.items[0].content == (InputAudio(transcript="Hello"),)


def test_a_waiting_response_can_be_cancelled(make_wire: Callable[..., Wire]) -> None:
    """A response that waits for words is cancelled without the brain's ever hearing of it."""
    wire = make_wire(hearing(turn_detection=None))
    wire.send(ev.InputAudioBufferAppend(audio=bytes(200 * MS)), ev.InputAudioBufferCommit(), ev.ResponseCreate())
    (done, _) = wire.send(ev.ResponseCancel())
    assert done.response.usage.total_tokens == 0
    wire.report(fx.Transcribed(wire.last(fx.Transcribe).item_id, "Hello"))
    assert not any(isinstance(each, fx.Generate | fx.Stop) for each in wire.asked)


def test_a_deleted_item_is_not_waited_for(make_wire: Callable[..., Wire]) -> None:
    """Deleting the item whose words are awaited lets the response go on without it."""
    wire = make_wire(hearing(turn_detection=None))
    wire.say("Hello")
    wire.send(ev.InputAudioBufferAppend(audio=bytes(200 * MS)), ev.InputAudioBufferCommit(), ev.ResponseCreate())
    name = wire.last(fx.Transcribe).item_id
    wire.send(ev.ConversationItemDelete(item_id=name))
    assert [item.id for item in wire.last(fx.Generate).request.items] == ["item_c1"]
    assert wire.report(fx.Transcribed(name, "late")) == []
