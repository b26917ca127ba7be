"""The canonical sequences of protocol 4, played against the server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.formats import Pcm, Pcmu
from realtime_nb.protocol.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputText,
    ItemReference,
    Message,
    OutputAudio,
    OutputText,
)
from realtime_nb.protocol.session_config import (
    Audio,
    AudioInput,
    SemanticVad,
    ServerVad,
    Session,
    Transcription,
    TranscriptionAudio,
    TranscriptionSession,
)
from realtime_nb.protocol.tools import FunctionTool

if TYPE_CHECKING:
    from .conftest import Wire

Types = Callable[[list[Any]], list[str]]

MS = 48


def hearing(**fields: Any) -> Session:
    return Session(audio=Audio(input=AudioInput(**fields)))


def speak(wire: Wire, ms: int = 1_000, *, at: int = 0) -> list[Any]:
    """The user speaks: the sound comes in, the detector hears it begin and end."""
    events = wire.send(ev.InputAudioBufferAppend(audio=b"\1\0" * (ms * MS // 2)))
    return events + wire.report(fx.SpeechStarted(at), fx.SpeechStopped(at + ms))


# ---------------------------------------------------------------- 4.1 text
def test_opening(wire: Wire, types: Types) -> None:
    """The session is announced whole, then the detector is set and the prefix warmed."""
    assert types(wire.log) == ["session.created"]
    session = wire.client.session
    assert isinstance(session, Session)
    assert (session.id, session.brain) == ("sess_1", "stub")
    assert wire.asked == [fx.Detect(ServerVad()), fx.Warm("", ())]


def test_text_turn(wire: Wire, types: Types) -> None:
    """A written question gets a written answer, in the order of September 2026."""
    wire.send(ev.SessionUpdate(session={"type": "realtime", "output_modalities": ["text"], "instructions": "Be brief."}))
    assert wire.asked[-1] == fx.Warm("Be brief.", ())
    assert types(wire.say("Name a river.")) == ["conversation.item.added", "conversation.item.done"]
    assert types(wire.send(ev.ResponseCreate())) == ["response.created"]
    asked = wire.last(fx.Generate)
    assert asked.request.instructions == "Be brief."
    assert [item.content for item in asked.request.items] == [(InputText(text="Name a river."),)]
    events = wire.report(fx.TextDelta("resp_1", "The"), fx.TextDelta("resp_1", " Nile"))
    events += wire.report(fx.Generated("resp_1", "stop", 20, 0, 2))
    assert types(events) == [
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = events[-2].response
    assert response.status == "completed"
    assert response.status_details is None
    assert response.output[0].content == (OutputText(text="The Nile"),)
    assert response.usage.output_token_details.text_tokens == 2
    assert events[1].previous_item_id == "item_c1"
    assert events[-1].rate_limits == ()


def test_response_created_is_empty(wire: Wire) -> None:
    """A response begins in progress, without output and usage, in the conversation."""
    (created,) = wire.send(ev.ResponseCreate())
    raw = json.loads(ev.encode(created))["response"]
    assert raw == {
        "object": "realtime.response",
        "id": "resp_1",
        "status": "in_progress",
        "status_details": None,
        "output": [],
        "conversation_id": "conv_1",
        "output_modalities": ["audio"],
        "max_output_tokens": "inf",
        "audio": {"output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "alloy"}},
        "usage": None,
        "metadata": None,
    }


# ---------------------------------------------------------------- 4.2 voice
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
    assert (events[0].delta, events[1].transcript, events[1].logprobs) == ("Nenne einen Fluss.", "Nenne einen Fluss.", None)
    assert json.loads(ev.encode(events[1]))["usage"] == {
        "type": "tokens", "total_tokens": 25, "input_tokens": 17, "output_tokens": 8,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 17},
    }  # fmt: skip
    request = wire.last(fx.Generate).request
    assert request.items[0].content == (InputAudio(transcript="Nenne einen Fluss."),)
    events = wire.report(fx.SpeechDelta("resp_1", "Der Rhein.", b"\1\0" * 2_400), fx.SpeechDelta("resp_1", "", b"\2\0" * 2_400))
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
    events = wire.report(fx.TranscribedDelta(name, "Hel"), fx.TranscribedDelta(name, "lo"), fx.Transcribed(name, "Hello"))
    assert [event.delta for event in events[:2]] == ["Hel", "lo"]
    assert types(events[2:]) == ["conversation.item.input_audio_transcription.completed", "response.created"]


def test_logprobs_where_they_are_asked_for(make_wire: Callable[..., Wire]) -> None:
    """``include`` brings each token with its bytes and its probability."""
    session = Session(
        include=("item.input_audio_transcription.logprobs",), audio=Audio(input=AudioInput(transcription=Transcription()))
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


# ---------------------------------------------------------------- 4.3 barge-in
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


# ---------------------------------------------------------------- 4.4 push to talk
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


# ---------------------------------------------------------------- 4.5 calls
def test_calls_after_speech(wire: Wire, types: Types) -> None:
    """A response may speak and then call twice; each is an item with its own index and call id."""
    tool = {"type": "function", "name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    wire.send(ev.SessionUpdate(session={"type": "realtime", "tools": [tool]}), ev.ResponseCreate())
    assert [each.name for each in wire.last(fx.Generate).request.tools] == ["get_weather"]
    wire.report(fx.SpeechDelta("resp_1", "Let me see.", bytes(MS)))
    events = wire.report(fx.CallDelta("resp_1", 0, "get_weather", '{"city":'), fx.CallDelta("resp_1", 0, "", '"Oslo"}'))
    assert types(events)[-4:] == [
        "response.output_item.added",
        "conversation.item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
    ]
    events += wire.report(fx.CallDelta("resp_1", 1, "get_weather", "{}"), fx.Generated("resp_1", "tool_calls"))
    done = [event for event in events if isinstance(event, ev.ResponseFunctionCallArgumentsDone)]
    assert [(each.output_index, each.name, each.arguments) for each in done] == [
        (1, "get_weather", '{"city":"Oslo"}'),
        (2, "get_weather", "{}"),
    ]
    output = events[-2].response.output
    assert [item.status for item in output] == ["completed"] * 3
    call = output[1]
    assert isinstance(call, FunctionCall)
    assert call.call_id == done[0].call_id
    result = FunctionCallOutput(call_id=call.call_id, output='{"c":3}')
    assert types(wire.send(ev.ConversationItemCreate(item=result))) == ["conversation.item.added", "conversation.item.done"]
    wire.send(ev.ResponseCreate())
    assert [item.id for item in wire.last(fx.Generate).request.items] == [*(item.id for item in output), "item_c1"]


def test_a_cut_call_is_not_read(wire: Wire) -> None:
    """A call that was cut is listed, incomplete, with what there is; the brain does not see it again."""
    wire.send(ev.ResponseCreate())
    wire.report(fx.CallDelta("resp_1", 0, "f", '{"a":'))
    events = wire.report(fx.Generated("resp_1", "length"))
    response = events[-2].response
    assert (response.status, response.status_details.reason) == ("incomplete", "max_output_tokens")
    assert (response.output[0].status, response.output[0].arguments) == ("incomplete", '{"a":')
    wire.send(ev.ResponseCreate())
    assert wire.last(fx.Generate).request.items == ()


def test_a_client_may_inject_a_call(wire: Wire) -> None:
    """History with calls can be replayed; a call without an id is given one."""
    (added, _) = wire.send(ev.ConversationItemCreate(item=FunctionCall(name="f", arguments="{}")))
    assert added.item.call_id == "call_1"
    assert wire.send(ev.ConversationItemCreate(item=FunctionCallOutput(call_id="call_1", output="1")))


# ---------------------------------------------------------------- 4.7 out of band
def test_out_of_band(wire: Wire, types: Types) -> None:
    """A response beside the conversation has its own context and leaves no trace in it."""
    wire.say("Hello")
    wire.send(ev.ResponseCreate())
    params = ev.ResponseParams(
        conversation="none",
        output_modalities=("text",),
        instructions="Classify.",
        metadata={"topic": "mood"},
        input=(ItemReference(id="item_c1"), Message(role="user", content=(InputText(text="?"),))),
    )
    (created,) = wire.send(ev.ResponseCreate(response=params))
    assert (created.response.conversation_id, created.response.metadata) == (None, {"topic": "mood"})
    request = wire.last(fx.Generate).request
    assert (request.instructions, request.output_modalities, len(request.items)) == ("Classify.", ("text",), 2)
    events = wire.report(fx.TextDelta("resp_2", "good"), fx.Generated("resp_2", "stop", 10, 0, 1))
    assert not any(name.startswith("conversation") for name in types(events))
    assert events[-2].response.metadata == {"topic": "mood"}
    assert wire.client.responses["resp_2"].text == "good"
    assert wire.client.active is not None
    assert wire.server.conversation.order == ("item_c1",)


def test_an_empty_input_is_an_empty_context(wire: Wire) -> None:
    """``input: []`` reads nothing of the conversation; the answer still goes into it."""
    wire.say("Hello")
    wire.send(ev.ResponseCreate(response=ev.ResponseParams(input=())))
    assert wire.last(fx.Generate).request.items == ()
    wire.report(fx.TextDelta("resp_1", "Hi"))
    assert len(wire.server.conversation) == 2


def test_sound_in_an_input_is_written_down_first(wire: Wire) -> None:
    """A response whose own input has sound waits for its words, and forgets them when it is done."""
    part = InputAudio(audio=bytes(500 * MS))
    params = ev.ResponseParams(conversation="none", input=(Message(role="user", content=(part,)),))
    wire.send(ev.ResponseCreate(response=params))
    asked = wire.last(fx.Transcribe)
    wire.report(fx.Transcribed(asked.item_id, "Hello"))
    assert wire.last(fx.Generate).request.items[0].content == (InputAudio(transcript="Hello"),)
    (done, _) = wire.report(fx.Generated("resp_1", "stop"))
    assert done.response.usage.input_token_details.audio_tokens == 5


def test_overrides_hold_for_one_response(wire: Wire) -> None:
    """What a response is told otherwise is forgotten after it; what the session is told meanwhile does not reach it."""
    tool = FunctionTool(name="f")
    params = ev.ResponseParams(
        instructions="Sing.",
        tools=(tool,),
        tool_choice="required",
        max_output_tokens=50,
        audio=ev.ResponseAudio(output=ev.ResponseAudioOutput(voice="ash", format=Pcmu())),
    )
    wire.send(ev.ResponseCreate(response=params))
    request = wire.last(fx.Generate).request
    assert (request.instructions, request.tools, request.tool_choice) == ("Sing.", (tool,), "required")
    assert (request.max_output_tokens, request.voice, request.format) == (50, "ash", Pcmu())
    wire.send(ev.SessionUpdate(session={"type": "realtime", "audio": {"output": {"speed": 1.5}}}))
    (done, _) = wire.report(fx.Generated("resp_1", "stop"))
    assert done.response.audio.output == ev.ResponseAudioOutput(voice="ash", format=Pcmu())
    wire.send(ev.ResponseCreate())
    request = wire.last(fx.Generate).request
    assert (request.instructions, request.tools, request.tool_choice) == ("", (), "auto")
    assert (request.max_output_tokens, request.voice, request.speed, request.format) == (None, "alloy", 1.5, Pcm())


# ---------------------------------------------------------------- 4.8 transcription only
def test_transcription_session(make_wire: Callable[..., Wire], types: Types) -> None:
    """A transcription session hears, writes down, and answers nothing."""
    heard = AudioInput(transcription=Transcription())
    wire = make_wire(TranscriptionSession(audio=TranscriptionAudio(input=heard)))
    assert [type(each) for each in wire.asked] == [fx.Detect]
    speak(wire)
    events = wire.report(fx.Transcribed(wire.last(fx.Transcribe).item_id, "Hello", (), 1))
    assert types(events) == [
        "conversation.item.input_audio_transcription.delta",
        "conversation.item.input_audio_transcription.completed",
    ]
    (updated,) = wire.send(ev.SessionUpdate(session={"type": "transcription", "audio": {"input": {"turn_detection": None}}}))
    assert updated.session.audio.input.turn_detection is None
    assert wire.asked[-1] == fx.Detect(None)


# ---------------------------------------------------------------- failures
def test_the_brain_fails(wire: Wire, types: Types) -> None:
    """What was written is closed, incomplete; the response fails with the brain's own reason."""
    wire.send(ev.ResponseCreate())
    wire.report(fx.TextDelta("resp_1", "Well"))
    events = wire.report(fx.GenerationFailed("resp_1", "model_error", "Out of memory."))
    assert types(events)[-4:] == ["conversation.item.done", "response.output_item.done", "response.done", "rate_limits.updated"]
    response = events[-2].response
    assert response.status == "failed"
    assert response.status_details.error == ev.ResponseError(type="server_error", code="model_error", message="Out of memory.")
    assert response.output[0].status == "incomplete"
    assert not any(isinstance(each, fx.Stop) for each in wire.asked)


def test_speech_is_cut_at_the_token_limit(wire: Wire) -> None:
    """Text and sound together never pass max_output_tokens: the sound is cut there, and the response incomplete."""
    wire.send(ev.ResponseCreate(response=ev.ResponseParams(max_output_tokens=12)))
    wire.report(fx.SpeechDelta("resp_1", "one two", bytes(300 * MS)))
    events = wire.report(fx.SpeechDelta("resp_1", "", bytes(300 * MS)))
    response = events[-2].response
    assert (response.status, response.status_details.reason) == ("incomplete", "max_output_tokens")
    assert (response.usage.output_token_details.text_tokens, response.usage.output_token_details.audio_tokens) == (2, 10)
    assert sum(len(chunk) for chunk in wire.client.responses["resp_1"].audio) == 500 * MS
    assert wire.asked[-1] == fx.Stop("resp_1")


# ---------------------------------------------------------------- time
def test_expiry(make_wire: Callable[..., Wire]) -> None:
    """After its time the session says so, stops what runs, and closes with 1001."""
    from realtime_nb.protocol.limits import Limits

    wire = make_wire(limits=Limits(session_s=3_600, idle_s=None))
    assert wire.server.deadline() == 3_600
    wire.send(ev.ResponseCreate())
    assert wire.wait(3_599.9) == []
    (event,) = wire.wait(0.1)
    assert event.error.code == "session_expired"
    assert event.error.message == "Your session hit the maximum duration of 60 minutes."
    assert wire.asked[-2:] == [fx.Stop("resp_1"), fx.Close(1001, event.error.message)]
    assert wire.server.deadline() is None


def test_idle(make_wire: Callable[..., Wire]) -> None:
    """A client that sends nothing for half an hour is let go; any frame keeps it."""
    from realtime_nb.protocol.limits import Limits

    wire = make_wire(limits=Limits(session_s=None, idle_s=1_800))
    wire.wait(1_000)
    wire.say("Hello")
    assert wire.server.deadline() == 2_800
    assert wire.wait(1_799) == []
    (event,) = wire.wait(1)
    assert (event.error.code, wire.last(fx.Close).code) == ("session_idle", 1001)


def test_nobody_speaks(make_wire: Callable[..., Wire], types: Types) -> None:
    """Once the reply has been played and nobody says anything, the model asks, and only once."""
    wire = make_wire(hearing(turn_detection=ServerVad(idle_timeout_ms=6_000)))
    assert wire.server.deadline() is None
    wire.send(ev.ResponseCreate())
    wire.report(fx.SpeechDelta("resp_1", "Hello?", bytes(2_000 * MS)), fx.Generated("resp_1", "stop"))
    wire.send(ev.InputAudioBufferAppend(audio=bytes(5_000 * MS)))
    assert wire.server.deadline() == 8.0
    assert wire.wait(7.9) == []
    events = wire.wait(0.1)
    assert types(events) == [
        "input_audio_buffer.timeout_triggered",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    assert (events[0].audio_start_ms, events[0].audio_end_ms) == (0, 5_000)
    assert wire.last(fx.Generate).request.items[-1].content[0].transcript.startswith("(The user has said nothing")
    wire.report(fx.SpeechDelta("resp_2", "Are you there?", bytes(MS)), fx.Generated("resp_2", "stop"))
    assert wire.server.deadline() is None


def test_speech_stops_the_alarm(make_wire: Callable[..., Wire]) -> None:
    """Who speaks in time is not asked whether they are there."""
    wire = make_wire(hearing(turn_detection=ServerVad(idle_timeout_ms=5_000)))
    wire.send(ev.ResponseCreate())
    wire.report(fx.Generated("resp_1", "stop"))
    assert wire.server.deadline() == 5.0
    wire.report(fx.SpeechStarted(0))
    assert wire.server.deadline() is None


def test_closing(wire: Wire) -> None:
    """When the client is gone, what runs is stopped, once, and nothing has an effect any more."""
    wire.send(ev.ResponseCreate())
    assert wire.server.close(1.0) == [fx.Stop("resp_1")]
    assert wire.server.close(1.0) == []
    assert wire.server.report(fx.TextDelta("resp_1", "late"), 1.0) == []


# ---------------------------------------------------------------- settings
def test_what_stock_clients_send(wire: Wire) -> None:
    """The updates of openai-agents are accepted: another model, tracing, a semantic_vad with fields missing."""
    session = {
        "type": "realtime", "model": "gpt-realtime-2.1", "instructions": "Hi.", "output_modalities": ["audio"], "tools": [],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "gpt-4o-mini-transcribe"},
                "turn_detection": {"type": "semantic_vad", "interrupt_response": True},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash"},
        },
    }  # fmt: skip
    (updated,) = wire.send(ev.SessionUpdate(session=session))
    assert updated.session.model == "gpt-realtime-mini"
    assert updated.session.audio.input.turn_detection == SemanticVad()
    assert updated.session.audio.input.transcription == Transcription(model="gpt-4o-mini-transcribe")
    (updated,) = wire.send(ev.SessionUpdate(session={"type": "realtime", "model": "gpt-realtime-2.1", "tracing": "auto"}))
    assert updated.session.tracing == "auto"
    assert fx.Detect(SemanticVad()) in wire.asked


def test_another_format_forgets_what_is_buffered(wire: Wire, types: Types) -> None:
    """Sound that was not committed when the format changes is dropped, and the client told; the clock runs on."""
    wire.send(ev.InputAudioBufferAppend(audio=bytes(300 * MS)))
    g711 = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    assert types(wire.send(ev.SessionUpdate(session=g711))) == ["session.updated", "input_audio_buffer.cleared"]
    wire.send(ev.InputAudioBufferAppend(audio=b"\xff" * 801))
    assert wire.asked[-1] == fx.Hear(b"\xff" * 801, Pcmu())
    wire.send(ev.InputAudioBufferCommit())
    asked = wire.last(fx.Transcribe)
    assert (asked.format, len(asked.audio), asked.audio_start_ms, asked.audio_end_ms) == (Pcmu(), 801, 300, 400)


def test_push_to_talk_in_the_middle_of_speech(wire: Wire) -> None:
    """Turning detection off forgets that somebody speaks, not what they said."""
    wire.send(ev.InputAudioBufferAppend(audio=bytes(500 * MS)))
    wire.report(fx.SpeechStarted(0))
    wire.send(ev.SessionUpdate(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}}))
    wire.send(ev.InputAudioBufferCommit())
    assert len(wire.last(fx.Transcribe).audio) == 500 * MS


# ---------------------------------------------------------------- items
@pytest.mark.parametrize(("after", "order"), [(None, "abx"), ("root", "xab"), ("a", "axb"), ("b", "abx")])
def test_where_an_item_goes(wire: Wire, after: str | None, order: str) -> None:
    """An item goes to the end, to the beginning, or after the one that is named; both ends agree."""
    for name in "ab":
        wire.send(ev.ConversationItemCreate(item=Message(id=name, role="user", content=())))
    item = Message(id="x", role="user", content=())
    added, done = wire.send(ev.ConversationItemCreate(item=item, previous_item_id=after))
    previous = order[order.index("x") - 1] if order[0] != "x" else None
    assert (added.previous_item_id, done.previous_item_id) == (previous, previous)
    assert "".join(wire.server.conversation.order) == order == "".join(wire.client.conversation.order)


def test_items_with_sound(wire: Wire) -> None:
    """Injected sound is written down for the brain, kept for retrieval, and not shown in live events."""
    parts = (InputAudio(audio=b"\1\0" * 2_400), InputText(text="and"), InputAudio(audio=b"\2\0" * 2_400))
    (added, _) = wire.send(ev.ConversationItemCreate(item=Message(role="user", content=parts)))
    assert [getattr(part, "audio", None) for part in added.item.content] == [None] * 3
    asked = wire.last(fx.Transcribe)
    assert asked.audio == b"\1\0" * 2_400 + b"\2\0" * 2_400
    wire.report(fx.Transcribed(asked.item_id, "Hello"))
    wire.send(ev.ResponseCreate())
    assert wire.last(fx.Generate).request.items[0].content == (InputAudio(transcript="Hello"), InputText(text="and"))
    (retrieved,) = wire.send(ev.ConversationItemRetrieve(item_id=added.item.id))
    assert retrieved.item.content == parts
    (done, _) = wire.report(fx.Generated("resp_1", "stop"))
    assert done.response.usage.input_token_details.audio_tokens == 2


def test_words_without_sound(wire: Wire) -> None:
    """A replayed turn may have its transcript only; then that is what is read."""
    part = InputAudio(transcript="as I said")
    wire.send(ev.ConversationItemCreate(item=Message(role="user", content=(part,))))
    assert not any(isinstance(each, fx.Transcribe) for each in wire.asked)
    wire.send(ev.ResponseCreate())
    assert wire.last(fx.Generate).request.items[0].content == (part,)


def test_a_breath_with_a_picture_keeps_the_picture(wire: Wire) -> None:
    """When nothing was said in an item, its other parts are still read."""
    parts = (InputAudio(audio=bytes(100 * MS)), InputText(text="look"))
    wire.send(ev.ConversationItemCreate(item=Message(role="user", content=parts)))
    wire.report(fx.Transcribed(wire.last(fx.Transcribe).item_id, ""))
    wire.send(ev.ResponseCreate())
    assert wire.last(fx.Generate).request.items[0].content == (InputText(text="look"),)
