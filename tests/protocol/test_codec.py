"""Events to text and back."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.errors import RemoteProtocolError
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.faults import EventError
from realtime_nb.protocol.formats import Pcm, Pcma, Pcmu
from realtime_nb.protocol.items import InputText, Message, OutputAudio
from realtime_nb.protocol.session_config import Session, TranscriptionSession
from realtime_nb.protocol.strict import MAX_DEPTH

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)


def values(info: msgspec.inspect.Type) -> st.SearchStrategy[Any]:  # noqa: C901, PLR0911 -- one line a type
    """Anything a type of ours can be."""
    mi = msgspec.inspect
    match info:
        case mi.StructType():
            return st.builds(info.cls, **{f.name: values(f.type) for f in info.fields})
        case mi.UnionType():
            return st.one_of([values(t) for t in info.types])
        case mi.VarTupleType():
            return st.lists(values(info.item_type), min_size=info.min_length or 0, max_size=3).map(tuple)
        case mi.DictType():
            return OBJECTS if isinstance(info.value_type, mi.AnyType) else st.dictionaries(TEXT, TEXT, max_size=3)
        case mi.LiteralType():
            return st.sampled_from(info.values)
        case mi.StrType():
            return TEXT
        case mi.BytesType():
            return st.binary(max_size=20)
        case mi.BoolType():
            return st.booleans()
        case mi.IntType():
            low = info.ge if info.ge is not None else -(2**53)
            return st.integers(low, info.le if info.le is not None else 2**53)
        case mi.FloatType():
            return st.floats(info.ge, info.le, allow_nan=False, allow_infinity=False)
        case mi.AnyType():
            return JSON
        case _:
            return st.none()


@pytest.mark.parametrize("name", sorted(ev.CLIENT_EVENTS))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_client_round_trip(name: str, data: st.DataObject) -> None:
    """What a client writes, a strict server reads as the same event."""
    event = data.draw(values(msgspec.inspect.type_info(ev.CLIENT_EVENTS[name])))
    assert ev.decode_client(ev.encode(event)) == event


@pytest.mark.parametrize("name", sorted(ev.SERVER_EVENTS))
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_server_round_trip(name: str, data: st.DataObject) -> None:
    """What a server writes, a client reads as the same event."""
    event = data.draw(values(msgspec.inspect.type_info(ev.SERVER_EVENTS[name])))
    assert ev.decode_server(ev.encode(event)) == event


# ---------------------------------------------------------------- what is written
def test_nothing_that_is_absent_is_written() -> None:
    """Absent fields are left out; those the service spells out are null."""
    item = Message(id="a", role="assistant", content=(OutputAudio(),))
    raw = json.loads(ev.encode(ev.ConversationItemAdded(event_id="e", item=item)))
    assert raw == {
        "type": "conversation.item.added",
        "event_id": "e",
        "previous_item_id": None,
        "item": {
            "type": "message",
            "id": "a",
            "object": "realtime.item",
            "role": "assistant",
            "content": [{"type": "output_audio", "transcript": None}],
        },
    }


def test_lone_surrogates_are_replaced_when_written() -> None:
    """Text that no encoder accepts becomes U+FFFD on the wire."""
    event = ev.ConversationItemCreate(item=Message(role="user", content=(InputText(text="a\ud800b"),)))
    assert json.loads(ev.encode(event))["item"]["content"][0]["text"] == "a\ufffdb"


# ---------------------------------------------------------------- strictly
@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (r"\ud800", "\ufffd"),
        (r"x\udfffy", "x\ufffdy"),
        (r"\ud83d\ude00", "😀"),
        ("\ud800", "\ufffd"),
        (r"\u0000", "\0"),
    ],
)
def test_surrogates_are_replaced_when_read(escaped: str, text: str) -> None:
    """A lone surrogate, escaped or not, becomes U+FFFD; a pair is a character."""
    event = ev.decode_client(f'{{"type":"conversation.item.delete","item_id":"{escaped}"}}')
    assert isinstance(event, ev.ConversationItemDelete)
    assert event.item_id == text


@pytest.mark.parametrize(
    "frame",
    [
        "", " ", "nope", "{", '{"type":}', '{"a":NaN}', '{"a":Infinity}', '{"a":-Infinity}', '{"a":1e999}',
        '{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', "\ufeff{}", '{"a":"\x00"}', "{" * 100_000, "[" * 100_000,
        '{"a":' + "[" * MAX_DEPTH + "]" * MAX_DEPTH + "}", '{"a":' + "1" * 5000 + "}", "{} {}", "{'a':1}", '{"a":01}',
    ],
    ids=lambda frame: repr(frame[:24]),
)  # fmt: skip
def test_what_is_not_json(frame: str) -> None:
    """Each thing that is almost JSON is refused with one code."""
    with pytest.raises(EventError) as caught:
        ev.decode_client(frame)
    assert caught.value.code == "invalid_json"


@pytest.mark.parametrize("frame", ["1", "null", '"x"', "[]", "true", "1.5"])
def test_what_is_no_object(frame: str) -> None:
    """JSON that is no object is no event."""
    with pytest.raises(EventError) as caught:
        ev.decode_client(frame)
    assert caught.value.code == "invalid_event"


def test_depth_is_allowed_up_to_the_limit() -> None:
    """A schema nested nearly as deep as the limit is read."""
    schema = "{" + '"a":{' * (MAX_DEPTH - 6) + "}" * (MAX_DEPTH - 6) + "}"
    frame = (
        f'{{"type":"response.create","response":{{"tools":[{{"type":"function","name":"f","parameters":{schema}}}]}}}}'
    )
    assert isinstance(ev.decode_client(frame), ev.ResponseCreate)


def test_null_is_absent_where_it_is_no_value() -> None:
    """Clients that spell absent fields as null are understood."""
    part = {"type": "input_text", "text": "x"}
    item = {"type": "message", "id": None, "status": None, "role": "user", "content": [part]}
    frame = json.dumps({"type": "conversation.item.create", "event_id": None, "previous_item_id": None, "item": item})
    event = ev.decode_client(frame)
    assert event == ev.ConversationItemCreate(item=Message(role="user", content=(InputText(text="x"),)))


# ---------------------------------------------------------------- leniently
@pytest.mark.parametrize("frame", ["", "{", "[]", "NaN", '"x"', b"\xff\xfe", "[" * 100_000])
def test_what_no_client_can_read(frame: str | bytes) -> None:
    """A frame that is no JSON object is the server's fault, and says so."""
    with pytest.raises(RemoteProtocolError):
        ev.decode_server(frame)


def test_unknown_types_are_kept_raw() -> None:
    """An event of tomorrow is kept as it came, and written as it came."""
    raw = {"type": "response.dance.delta", "event_id": "e", "steps": [1, 2]}
    event = ev.decode_server(json.dumps(raw))
    assert event == ev.UnknownEvent(type="response.dance.delta", payload=raw)
    assert event.event_id == "e"
    assert json.loads(ev.encode(event)) == raw


def test_unknown_fields_are_passed_over() -> None:
    """A field of tomorrow does no harm."""
    known = ev.ResponseOutputTextDelta(
        event_id="e", response_id="r", item_id="i", output_index=0, content_index=0, delta="a"
    )
    raw = json.loads(ev.encode(known))
    event = ev.decode_server(json.dumps({**raw, "obfuscation": "x1"}))
    assert isinstance(event, ev.ResponseOutputTextDelta)
    assert event.delta == "a"


def test_what_cannot_be_read_is_kept_with_the_reason() -> None:
    """A known type whose fields are wrong is kept raw, and says where it is wrong."""
    event = ev.decode_server('{"type":"input_audio_buffer.speech_started","item_id":"i","audio_start_ms":12.5}')
    assert isinstance(event, ev.UnknownEvent)
    assert "$.audio_start_ms" in event.problem


def test_missing_optional_fields() -> None:
    """Other servers leave out what the types allow them to."""
    event = ev.decode_server('{"type":"conversation.item.added","item":{"type":"message","role":"user","content":[]}}')
    assert event == ev.ConversationItemAdded(item=Message(role="user", content=()))


@pytest.mark.parametrize(("old", "new"), sorted(ev.BETA_TO_GA.items()))
def test_beta_names_are_read(old: str, new: str) -> None:
    """An event of the beta is read as the one of today."""
    fields = {
        name: 0 if name.endswith("_index") else "x"
        for name in ("response_id", "item_id", "output_index", "content_index")
    }
    fields |= {"delta": "eA==" if old == "response.audio.delta" else "x", "text": "x", "transcript": "x", "session": {}}
    event = ev.decode_server(json.dumps({"type": old, **fields}))
    assert event.__struct_config__.tag == new


def test_a_session_of_the_beta() -> None:
    """The beta's flat session is read into today's nested one."""
    flat = {
        "id": "sess_1", "object": "realtime.session", "model": "gpt-4o-realtime-preview", "modalities": ["text"],
        "voice": "ash", "input_audio_format": "g711_ulaw", "output_audio_format": "g711_alaw", "temperature": 0.8,
        "turn_detection": None, "input_audio_transcription": {"model": "whisper-1"}, "max_response_output_tokens": 99,
    }  # fmt: skip
    event = ev.decode_server(json.dumps({"type": "session.created", "event_id": "e", "session": flat}))
    assert isinstance(event, ev.SessionCreated)
    session = event.session
    assert isinstance(session, Session)
    assert (session.output_modalities, session.max_output_tokens, session.audio.output.voice) == (("text",), 99, "ash")
    assert (session.audio.input.format, session.audio.output.format) == (Pcmu(), Pcma())
    assert session.audio.input.turn_detection is None
    assert session.audio.input.transcription is not None
    assert session.audio.input.transcription.model == "whisper-1"


def test_a_session_of_tomorrow() -> None:
    """A session of today with a setting of tomorrow is kept raw rather than half understood."""
    session = {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "telepathy"}}}}
    event = ev.decode_server(json.dumps({"type": "session.updated", "event_id": "e", "session": session}))
    assert isinstance(event, ev.UnknownEvent)
    assert "telepathy" in event.problem


def test_a_transcription_session_of_the_beta() -> None:
    """The beta's transcription session is one of today."""
    frame = '{"type":"transcription_session.updated","event_id":"e","session":{"input_audio_format":"pcm16"}}'
    event = ev.decode_server(frame)
    assert isinstance(event, ev.SessionUpdated)
    assert isinstance(event.session, TranscriptionSession)
    assert event.session.audio.input.format == Pcm()


def test_an_item_of_the_beta() -> None:
    """The beta's part types are read as today's, in items and in responses."""
    item = {"type": "message", "id": "i", "role": "assistant", "content": [{"type": "audio", "transcript": "hi"}]}
    event = ev.decode_server(json.dumps({"type": "conversation.item.created", "item": item}))
    assert isinstance(event, ev.ConversationItemCreated)
    assert isinstance(event.item, Message)
    assert event.item.content == (OutputAudio(transcript="hi"),)
    done = ev.decode_server(json.dumps({"type": "response.done", "response": {"id": "r", "output": [item]}}))
    assert isinstance(done, ev.ResponseDone)
    assert done.response.output == (event.item,)


# ---------------------------------------------------------------- fuzz
@settings(max_examples=500, deadline=None)
@given(
    frame=st.text()
    | JSON.map(json.dumps)
    | st.builds(lambda t, o: json.dumps({**o, "type": t}), st.sampled_from(sorted(ev.CLIENT_EVENTS)), OBJECTS)
)
def test_a_server_raises_nothing_but_its_own(frame: str) -> None:
    """Whatever comes, strict decoding gives an event or an EventError."""
    try:
        ev.decode_client(frame)
    except EventError:
        return


@settings(max_examples=500, deadline=None)
@given(
    frame=st.text()
    | st.binary()
    | JSON.map(json.dumps)
    | st.builds(
        lambda t, o: json.dumps({**o, "type": t}), st.sampled_from(sorted({*ev.SERVER_EVENTS, *ev.BETA_TO_GA})), OBJECTS
    )
)
def test_a_client_raises_nothing_but_its_own(frame: str | bytes) -> None:
    """Whatever comes, lenient decoding gives an event or a RemoteProtocolError."""
    try:
        ev.decode_server(frame)
    except RemoteProtocolError:
        return
