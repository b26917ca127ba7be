"""The catalogue of errors (protocol, 4.10): each wrong event, and the one error it is answered with."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.faults import CATALOGUE
from realtime_nb.protocol.items import InputText, Message
from realtime_nb.protocol.limits import Limits
from realtime_nb.protocol.session_config import TranscriptionSession

if TYPE_CHECKING:
    from .conftest import Wire


def png(width: int, height: int) -> str:
    """A PNG of that size, by its header alone, as a data URL."""
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    return "data:image/png;base64," + base64.b64encode(header + bytes(9)).decode()


def update(**session: Any) -> dict[str, Any]:
    """A session.update."""
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def heard(**audio_input: Any) -> dict[str, Any]:
    """A session.update of how the session hears."""
    return update(audio={"input": audio_input})


def item(role: str = "user", **part: Any) -> dict[str, Any]:
    """A message with one part."""
    return {"type": "conversation.item.create", "item": {"type": "message", "role": role, "content": [part]}}


def respond(**response: Any) -> dict[str, Any]:
    """A response.create."""
    return {"type": "response.create", "response": response}


def truncate(item_id: str, ms: int, index: int = 0) -> dict[str, Any]:
    """A truncation."""
    return {"type": "conversation.item.truncate", "item_id": item_id, "content_index": index, "audio_end_ms": ms}


WRONG = json.loads((Path(__file__).parents[1] / "data" / "protocol_errors.json").read_text())
"""One wrong event a line, with the code, param and message it is answered with."""


@pytest.mark.parametrize("row", WRONG, ids=[str(row["event"])[:60] for row in WRONG])
def test_wrong_event(wire: Wire, row: dict[str, Any]) -> None:
    """A wrong event is answered by one error with code, param, message and the client's id, and changes nothing."""
    before = (wire.server.session, wire.server.conversation.order)
    error = wire.error(json.dumps({**row["event"], "event_id": "mine"}))
    assert (error.code, error.param, error.message) == (row["code"], row["param"], row["message"])
    assert (error.type, error.event_id) == ("invalid_request_error", "mine")
    assert (wire.server.session, wire.server.conversation.order) == before
    assert wire.say("still here")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("nope", "invalid_json"),
        ("[]", "invalid_event"),
        (b"{}", "invalid_event"),
        (b"\xff\xff", "invalid_event"),
        ("{", "invalid_json"),
    ],
)
def test_no_event_at_all(wire: Wire, frame: str | bytes, code: str) -> None:
    """What is no event is answered by an error without the client's id."""
    error = wire.error(frame)
    assert (error.code, error.event_id) == (code, None)


def test_an_event_id_that_is_no_text_is_not_echoed(wire: Wire) -> None:
    """Only a client's own text comes back as its event id."""
    assert wire.error('{"type":"nope","event_id":5}').event_id is None


# ---------------------------------------------------------------- errors that need a state
def speak(wire: Wire, ms: int = 1_000) -> str:
    """Have the assistant say something, and give the item."""
    wire.send(ev.ResponseCreate())
    name = wire.last(fx.Generate).response_id
    wire.report(fx.SpeechDelta(name, "Hello there.", bytes(ms * 48)), fx.Generated(name, "stop"))
    return str(wire.server.conversation.last)


def test_second_response(wire: Wire) -> None:
    """A second response in the conversation is refused, and names the first."""
    wire.send(ev.ResponseCreate())
    error = wire.error('{"type":"response.create","event_id":"mine"}')
    assert (error.code, error.event_id) == ("conversation_already_has_active_response", "mine")
    assert error.message == (
        "Conversation already has an active response in progress: resp_1. "
        "Wait until the response is finished before creating a new one."
    )


def test_truncate_too_far(wire: Wire) -> None:
    """A truncation beyond the sound there is, is refused in the service's words."""
    name = speak(wire, 925)
    error = wire.error(json.dumps(truncate(name, 926)))
    assert (error.code, error.message) == ("invalid_value", "Audio content of 925ms is already shorter than 926ms")
    assert wire.raw(json.dumps(truncate(name, 925)))


@pytest.mark.parametrize("index", [0, 1])
def test_truncate_what_was_not_spoken(wire: Wire, index: int) -> None:
    """Only a spoken part of the assistant can be truncated."""
    wire.say("Hello")
    error = wire.error(json.dumps(truncate(str(wire.server.conversation.last), 0, index)))
    assert (error.code, error.message) == (
        "unsupported_content_type", "Only model output audio messages can be truncated",
    )  # fmt: skip


def test_voice_is_fixed_once_heard(wire: Wire) -> None:
    """The voice may change until it was heard, then neither by the session nor by a response."""
    assert not isinstance(wire.raw(json.dumps(update(audio={"output": {"voice": "marin"}})))[0], ev.Error)
    speak(wire)
    for event, param in (
        (update(audio={"output": {"voice": "ash"}}), "session.audio.output.voice"),
        (respond(audio={"output": {"voice": "ash"}}), "response.audio.output.voice"),
    ):
        error = wire.error(json.dumps(event))
        assert (error.code, error.param) == ("cannot_update_voice", param)
        assert error.message == "Cannot update a conversation's voice if assistant audio is present."
    assert not isinstance(wire.raw(json.dumps(update(audio={"output": {"voice": "marin", "speed": 1.2}})))[0], ev.Error)
    assert not isinstance(
        wire.raw(json.dumps(respond(conversation="none", audio={"output": {"voice": "ash"}})))[0], ev.Error
    )


def test_tracing_is_fixed_once_set(wire: Wire) -> None:
    """Tracing may be set once, and set again to the same."""
    for _ in range(2):
        assert not isinstance(wire.raw(json.dumps(update(tracing="auto")))[0], ev.Error)
    assert wire.error(json.dumps(update(tracing=None))).code == "cannot_update_tracing"


def test_short_commit_says_how_much_there_is(wire: Wire) -> None:
    """A commit of less than 100 ms is refused with the length, and leaves the sound where it is."""
    wire.send(ev.InputAudioBufferAppend(audio=bytes(48 * 99 + 24)))
    error = wire.error('{"type":"input_audio_buffer.commit"}')
    assert error.message.endswith("but buffer only has 99.50ms of audio.")
    wire.send(ev.InputAudioBufferAppend(audio=bytes(24)))
    assert isinstance(wire.send(ev.InputAudioBufferCommit())[0], ev.InputAudioBufferCommitted)


def test_an_id_is_used_once(wire: Wire) -> None:
    """An item with the id of another is refused, in the conversation and in a response's input."""
    mine = Message(id="mine", role="user", content=(InputText(text="x"),))
    wire.send(ev.ConversationItemCreate(item=mine))
    raw = {"type": "message", "id": "mine", "role": "user", "content": []}
    error = wire.error(json.dumps({"type": "conversation.item.create", "item": raw}))
    assert (error.code, error.param) == ("item_create_duplicate_item_id", "item.id")
    error = wire.error(json.dumps(respond(input=[raw])))
    assert (error.code, error.param) == ("item_create_duplicate_item_id", "response.input[0].id")


@pytest.mark.parametrize("kind", ["response.create", "response.cancel", "conversation.item.truncate"])
def test_a_transcription_session_answers_nothing(make_wire: Callable[..., Wire], kind: str) -> None:
    """In a transcription session the events of responses are unknown."""
    wire = make_wire(TranscriptionSession())
    fields = truncate("x", 0) if kind.endswith("truncate") else {"type": kind}
    error = wire.error(json.dumps(fields))
    assert (error.code, error.param) == ("invalid_value", "type")
    assert f"'{kind}'" not in error.message.removeprefix(f"Invalid value: '{kind}'")


def test_the_other_session_cannot_be_passed(make_wire: Callable[..., Wire]) -> None:
    """A transcription session refuses what is meant for one that talks."""
    error = make_wire(TranscriptionSession()).error(json.dumps(update()))
    assert error.message == "Passing a realtime session update event to a transcription session is not allowed."


# ---------------------------------------------------------------- the table itself
def test_every_row_of_the_catalogue_is_used() -> None:
    """No row of the catalogue is dead, and none is missing."""
    import realtime_nb.protocol

    folder = Path(realtime_nb.protocol.__file__).parent
    source = "\n".join(path.read_text() for path in folder.rglob("*.py") if path.name != "faults.py")
    used = set(re.findall(r'fault\(\s*"(\w+)"', source)) | set(re.findall(r'", "(\w+)"\),\n', source))
    assert used >= set(CATALOGUE)


# ---------------------------------------------------------------- fuzz
KEYS = st.sampled_from(
    [
        "type",
        "session",
        "item",
        "audio",
        "response",
        "item_id",
        "content",
        "role",
        "tools",
        "input",
        "text",
        "metadata",
        "format",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        [
            "realtime",
            "message",
            "user",
            "input_text",
            "input_audio",
            "AAAA",
            "function",
            "audio/pcmu",
            *ev.CLIENT_EVENTS,
        ]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
FRAMES = st.one_of(
    st.text(),
    st.binary(),
    VALUES.map(json.dumps),
    st.builds(
        lambda kind, rest: json.dumps({**rest, "type": kind}),
        st.sampled_from(sorted(ev.CLIENT_EVENTS)),
        st.dictionaries(KEYS, VALUES, max_size=5),
    ),
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frames=st.lists(FRAMES, max_size=15))
def test_whatever_comes_is_answered(make_wire: Callable[..., Wire], frames: list[str | bytes]) -> None:
    """Nothing that a client sends raises; each frame is answered by its events or one error, and a turn works then."""
    wire = make_wire(limits=Limits(bad_events=1_000_000))
    for frame in frames:
        errors = [event for event in wire.raw(frame) if isinstance(event, ev.Error)]
        assert len(errors) <= 1
    if wire.client.active:
        wire.send(ev.ResponseCancel(response_id=wire.client.active.id))
    wire.say("Hello")
    wire.send(
        ev.ResponseCreate(
            response=ev.ResponseParams(
                input=(), tool_choice="auto", output_modalities=("text",), instructions="", tools=()
            )
        )
    )
    name = wire.last(fx.Generate).response_id
    done = wire.report(fx.TextDelta(name, "Hi"), fx.Generated(name, "stop"))
    assert isinstance(done[-2], ev.ResponseDone)
    assert done[-2].response.status == "completed"
