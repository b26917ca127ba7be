"""Responses (protocol 4.1, 4.5, 4.7), played against the server."""

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
    OutputText,
    text_of,
)
from realtime_nb.protocol.session_config import (
    Audio,
    AudioInput,
    ServerVad,
    Session,
    Transcription,
)
from realtime_nb.protocol.tools import FunctionTool

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


# ---------------------------------------------------------------- text
def test_opening(wire: Wire, types: Types) -> None:
    """The session is announced whole, then the detector is set and the prefix warmed."""
    assert types(wire.log) == ["session.created"]
    session = wire.client.session
    assert isinstance(session, Session)
    assert (session.id, session.brain) == ("sess_1", "stub")
    assert wire.asked == [fx.Detect(ServerVad()), fx.Warm("", ())]


def test_text_turn(wire: Wire, types: Types) -> None:
    """A written question gets a written answer, in the order of September 2026."""
    wire.send(
        ev.SessionUpdate(session={"type": "realtime", "output_modalities": ["text"], "instructions": "Be brief."})
    )
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


# ---------------------------------------------------------------- calls
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
    assert types(wire.send(ev.ConversationItemCreate(item=result))) == [
        "conversation.item.added",
        "conversation.item.done",
    ]
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


def test_an_output_whose_call_was_deleted_is_not_read(wire: Wire) -> None:
    """A brain may refuse a tool's answer that nobody asked for."""
    wire.send(ev.ConversationItemCreate(item=FunctionCall(id="asked", name="f", call_id="call_1", arguments="{}")))
    wire.send(ev.ConversationItemCreate(item=FunctionCallOutput(call_id="call_1", output="1")))
    wire.send(ev.ConversationItemDelete(item_id="asked"), ev.ResponseCreate())
    assert wire.last(fx.Generate).request.items == ()


def test_an_output_without_its_call_is_read_where_a_client_chose_so(wire: Wire) -> None:
    """A response's own input may answer a call of the conversation, and leave the call itself out."""
    wire.send(ev.ConversationItemCreate(item=FunctionCall(name="f", call_id="call_1", arguments="{}")))
    given = (FunctionCallOutput(call_id="call_1", output="1"),)
    wire.send(ev.ResponseCreate(response=ev.ResponseParams(conversation="none", input=given)))
    assert [item.output for item in wire.last(fx.Generate).request.items] == ["1"]


def test_a_client_may_inject_a_call(wire: Wire) -> None:
    """History with calls can be replayed; a call without an id is given one."""
    (added, _) = wire.send(ev.ConversationItemCreate(item=FunctionCall(name="f", arguments="{}")))
    assert added.item.call_id == "call_1"
    assert wire.send(ev.ConversationItemCreate(item=FunctionCallOutput(call_id="call_1", output="1")))


# ---------------------------------------------------------------- out of band
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


# ---------------------------------------------------------------- failures
def test_the_brain_fails(wire: Wire, types: Types) -> None:
    """What was written is closed, incomplete; the response fails with the brain's own reason."""
    wire.send(ev.ResponseCreate())
    wire.report(fx.TextDelta("resp_1", "Well"))
    events = wire.report(fx.GenerationFailed("resp_1", "model_error", "Out of memory."))
    assert types(events)[-4:] == [
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = events[-2].response
    assert response.status == "failed"
    assert response.status_details.error == ev.ResponseError(
        type="server_error", code="model_error", message="Out of memory."
    )
    assert response.output[0].status == "incomplete"
    assert not any(isinstance(each, fx.Stop) for each in wire.asked)


def test_speech_is_cut_at_the_token_limit(wire: Wire) -> None:
    """Text and sound together never pass max_output_tokens: the sound is cut there, and the response incomplete."""
    wire.send(ev.ResponseCreate(response=ev.ResponseParams(max_output_tokens=12)))
    wire.report(fx.SpeechDelta("resp_1", "one two", bytes(300 * MS)))
    events = wire.report(fx.SpeechDelta("resp_1", "", bytes(300 * MS)))
    response = events[-2].response
    assert (response.status, response.status_details.reason) == ("incomplete", "max_output_tokens")
    assert (response.usage.output_token_details.text_tokens, response.usage.output_token_details.audio_tokens) == (
        2,
        10,
    )
    assert sum(len(chunk) for chunk in wire.client.responses["resp_1"].audio) == 500 * MS
    assert wire.asked[-1] == fx.Stop("resp_1")


# ---------------------------------------------------------------- what comes late
@pytest.mark.parametrize(
    "report",
    [
        fx.TextDelta("resp_1", "x"), fx.SpeechDelta("resp_1", "x", b"\0\0"), fx.CallDelta("resp_1", 0, "f", "{}"),
        fx.PromptRead("resp_1", 1, 1),
        fx.Generated("resp_1", "stop"), fx.GenerationFailed("resp_1", "c", "m"), fx.SpeechStopped(5),
        fx.Transcribed("item_9", "x"), fx.TranscribedDelta("item_9", "x"), fx.TranscriptionFailed("item_9", "c", "m"),
    ],
    ids=lambda report: type(report).__name__,
)  # fmt: skip
def test_late_reports_are_ignored(wire: Wire, report: fx.Report) -> None:
    """A report about what is over, or never was, has no effect: threads finish when they do."""
    wire.send(ev.ResponseCreate(), ev.ResponseCancel())
    before = len(wire.log)
    assert wire.report(report) == []
    assert len(wire.log) == before


def test_nothing_to_hear(wire: Wire) -> None:
    """An empty append is no sound and no fault."""
    before = list(wire.asked)
    assert wire.raw('{"type":"input_audio_buffer.append","audio":""}') == []
    assert wire.asked == before


def test_out_of_band_speech(wire: Wire) -> None:
    """A response out of band may speak: its sound is sent, kept nowhere, and does not fix the voice."""
    wire.send(ev.ResponseCreate(response=ev.ResponseParams(conversation="none")))
    wire.report(fx.SpeechDelta("resp_1", "Psst", bytes(100 * MS)), fx.CallDelta("resp_1", 0, "f", ""))
    (done, _) = wire.report(fx.Generated("resp_1", "stop"))[-2:]
    assert [type(item) for item in done.response.output] == [Message, FunctionCall]
    assert done.response.usage.output_token_details.audio_tokens == 2
    assert len(wire.server.conversation) == 0
    (updated,) = wire.send(ev.SessionUpdate(session={"type": "realtime", "audio": {"output": {"voice": "ash"}}}))
    assert isinstance(updated, ev.SessionUpdated)


def test_no_words_are_told_of_items_nobody_knows(make_wire: Callable[..., Wire], types: Types) -> None:
    """Sound in a response's own input is written down without transcription events."""
    wire = make_wire(hearing(transcription=Transcription()))
    message = Message(role="user", content=(InputAudio(audio=bytes(200 * MS)),))
    item = ItemReference(id="item_c1")
    wire.say("Hello")
    for report in (fx.Transcribed("item_1", "Hi"), fx.TranscriptionFailed("item_2", "c", "m")):
        params = ev.ResponseParams(conversation="none", input=(item, item, message))
        wire.send(ev.ResponseCreate(response=params))
        assert not any("transcription" in name for name in types(wire.report(report)))


def test_an_input_may_have_a_call_with_its_output(wire: Wire) -> None:
    """A call that the conversation does not know is known by the output that follows it."""
    items = (FunctionCall(name="f", call_id="call_1", arguments="{}"), FunctionCallOutput(call_id="call_1", output="1"))
    wire.send(ev.ResponseCreate(response=ev.ResponseParams(conversation="none", input=items)))
    assert [type(item) for item in wire.last(fx.Generate).request.items] == [FunctionCall, FunctionCallOutput]


def test_two_inputs_may_name_their_items_alike(wire: Wire) -> None:
    """Each response reads what is said in its own, also when the other is over."""
    item = Message(id="question", role="user", content=(InputAudio(audio=bytes(200 * MS)),))
    asked = ev.ResponseCreate(response=ev.ResponseParams(conversation="none", input=(item,)))
    wire.send(asked, asked)
    first, second = (each.item_id for each in wire.asked if isinstance(each, fx.Transcribe))
    wire.report(fx.Transcribed(first, "One?"), fx.Generated("resp_1", "stop"), fx.Transcribed(second, "Two?"))
    read = [each.request.items for each in wire.asked if isinstance(each, fx.Generate)]
    assert [[text_of(item) for item in items] for items in read] == [["One?"], ["Two?"]]


def test_a_failure_nobody_reads_about(wire: Wire) -> None:
    """Without a transcription setting a failed recognition shows in the response alone."""
    speak(wire)
    events = wire.report(fx.TranscriptionFailed(wire.last(fx.Transcribe).item_id, "c", "m"))
    assert events[1].response.status_details.error.code == "c"


def test_another_format_while_nothing_is_buffered(wire: Wire, types: Types) -> None:
    """An empty buffer changes its format without a word."""
    g711 = {"type": "realtime", "audio": {"input": {"format": {"type": "audio/pcmu"}}}}
    assert types(wire.send(ev.SessionUpdate(session=g711))) == ["session.updated"]


def test_a_response_that_waits_is_closed_silently(make_wire: Callable[..., Wire]) -> None:
    """When the client leaves, a response that never started needs no stop."""
    wire = make_wire(hearing(turn_detection=None))
    wire.send(ev.InputAudioBufferAppend(audio=bytes(200 * MS)), ev.InputAudioBufferCommit(), ev.ResponseCreate())
    assert wire.server.close(0.0) == []


def test_cut_below_its_words(wire: Wire) -> None:
    """A limit that the words alone pass ends the response without sound."""
    wire.send(ev.ResponseCreate(response=ev.ResponseParams(max_output_tokens=1)))
    events = wire.report(fx.SpeechDelta("resp_1", "one two three", bytes(MS)))
    assert not any(isinstance(event, ev.ResponseOutputAudioDelta) for event in events)
    assert events[-2].response.status == "incomplete"
