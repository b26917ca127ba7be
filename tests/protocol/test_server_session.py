"""Settings, items and time, played against the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.formats import Pcmu
from realtime_nb.protocol.items import (
    InputAudio,
    InputText,
    Message,
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


# ---------------------------------------------------------------- transcription only
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
    (updated,) = wire.send(
        ev.SessionUpdate(session={"type": "transcription", "audio": {"input": {"turn_detection": None}}})
    )
    assert updated.session.audio.input.turn_detection is None
    assert wire.asked[-1] == fx.Detect(None)


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


def test_who_stops_the_playback_is_asked_sooner(make_wire: Callable[..., Wire]) -> None:
    """The waiting begins when the client plays no more, which it says by a truncation."""
    wire = make_wire(hearing(turn_detection=ServerVad(idle_timeout_ms=5_000)))
    wire.send(ev.ResponseCreate())
    wire.report(fx.SpeechDelta("resp_1", "Once upon a time", bytes(60_000 * MS)), fx.Generated("resp_1", "stop"))
    assert wire.server.deadline() == 65.0
    wire.wait(2.0)
    reply = str(wire.server.conversation.last)
    wire.send(ev.ConversationItemTruncate(item_id=reply, content_index=0, audio_end_ms=2_000))
    assert wire.server.deadline() == 7.0


@pytest.mark.parametrize(
    ("changed", "deadline"),
    [
        ({"type": "semantic_vad"}, None),
        ({"type": "server_vad", "idle_timeout_ms": None}, None),
        ({"type": "server_vad", "idle_timeout_ms": 30_000}, 31.0),
    ],
)
def test_the_alarm_is_the_sessions(make_wire: Callable[..., Wire], changed: Any, deadline: float | None) -> None:
    """Who takes the alarm away, or sets it later, while it waits, is not asked at the old time."""
    wire = make_wire(hearing(turn_detection=ServerVad(idle_timeout_ms=5_000)))
    wire.send(ev.ResponseCreate())
    wire.report(fx.Generated("resp_1", "stop"))
    wire.wait(1.0)
    wire.send(ev.SessionUpdate(session={"type": "realtime", "audio": {"input": {"turn_detection": changed}}}))
    assert wire.server.deadline() == deadline
    assert wire.wait(10.0) == []


def test_answers_that_were_cancelled_are_not_waited_for(make_wire: Callable[..., Wire]) -> None:
    """What was sent of them plays no more: however many were cancelled, the alarm goes by the time of the last."""
    wire = make_wire(hearing(turn_detection=ServerVad(idle_timeout_ms=5_000)))
    for turn in range(1, 6):
        wire.send(ev.ResponseCreate())
        wire.report(fx.SpeechDelta(f"resp_{turn}", "Once upon a time", bytes(60_000 * MS)))
        wire.wait(1.0)
        wire.send(ev.ResponseCancel())
    assert wire.server.deadline() == 10.0


def test_speech_stops_the_alarm(make_wire: Callable[..., Wire]) -> None:
    """Who speaks in time is not asked whether they are there."""
    wire = make_wire(hearing(turn_detection=ServerVad(idle_timeout_ms=5_000)))
    wire.send(ev.ResponseCreate())
    wire.report(fx.Generated("resp_1", "stop"))
    assert wire.server.deadline() == 5.0
    wire.report(fx.SpeechStarted(0))
    assert wire.server.deadline() is None


def test_a_breath_begins_the_waiting_anew(make_wire: Callable[..., Wire]) -> None:
    """Who was only heard to breathe is asked whether they are there, as long after that as after the answer it cut."""
    wire = make_wire(hearing(turn_detection=ServerVad(idle_timeout_ms=5_000)))
    wire.send(ev.ResponseCreate())
    wire.report(fx.SpeechDelta("resp_1", "Once upon a time", bytes(60_000 * MS)))
    wire.send(ev.InputAudioBufferAppend(audio=bytes(1_000 * MS)))
    wire.wait(1.0)
    wire.report(fx.SpeechStarted(0), fx.SpeechStopped(1_000))
    assert wire.server.deadline() is None
    wire.wait(0.5)
    wire.report(fx.Transcribed(wire.last(fx.Transcribe).item_id, ""))
    assert wire.server.deadline() == 6.5
    assert isinstance(wire.wait(5.0)[0], ev.InputAudioBufferTimeoutTriggered)


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
        "type": "realtime",
        "model": "gpt-realtime-2.1",
        "instructions": "Hi.",
        "output_modalities": ["audio"],
        "tools": [],
        "audio": {
            "input": {
                "format": {"type": "audio/pcm", "rate": 24000},
                "transcription": {"model": "gpt-4o-mini-transcribe"},
                "turn_detection": {"type": "semantic_vad", "interrupt_response": True},
            },
            "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "ash"},
        },
    }
    (updated,) = wire.send(ev.SessionUpdate(session=session))
    assert updated.session.model == "gpt-realtime-mini"
    assert updated.session.audio.input.turn_detection == SemanticVad()
    assert updated.session.audio.input.transcription == Transcription(model="gpt-4o-mini-transcribe")
    (updated,) = wire.send(
        ev.SessionUpdate(session={"type": "realtime", "model": "gpt-realtime-2.1", "tracing": "auto"})
    )
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


# ---------------------------------------------------------------- names
def test_the_name_of_what_is_being_said_is_taken(make_wire: Callable[..., Wire], types: Types) -> None:
    """It was announced, and will be an item: a client that uses it is told so, and the turn goes on."""
    wire = make_wire(hearing(turn_detection=ServerVad()))
    wire.send(ev.InputAudioBufferAppend(audio=bytes(1_000 * MS)))
    wire.report(fx.SpeechStarted(0))
    name = wire.last(ev.InputAudioBufferSpeechStarted).item_id
    assert types(wire.say("mine", id=name)) == ["error"]
    wire.report(fx.SpeechStopped(900))
    assert wire.server.conversation.order == (name,)
    wire.send(ev.ConversationItemDelete(item_id=name))
    wire.say("next")
    assert types(wire.send(ev.ResponseCreate())) == ["response.created"]


def test_an_item_named_like_one_out_of_band_is_the_clients(wire: Wire) -> None:
    """What is written out of band is not in the conversation, where its name may be an item of the client's."""
    wire.send(ev.ResponseCreate(response=ev.ResponseParams(conversation="none", input=())))
    wire.report(fx.TextDelta("resp_1", "Aside"))
    name = wire.last(ev.ResponseOutputItemAdded).item.id
    wire.say("mine", id=name)
    wire.report(fx.Generated("resp_1", "stop"))
    assert wire.server.conversation[name].content == (InputText(text="mine"),)
