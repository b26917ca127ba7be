"""Every limit of a session is an option, and holds to the unit: so much passes, one more does not."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.formats import Pcm, base64_bytes, ms_to_bytes
from realtime_nb.protocol.limits import Limits
from realtime_nb.protocol.session_config import Audio, AudioInput, Session

if TYPE_CHECKING:
    from .conftest import Wire

MakeWire = Callable[..., "Wire"]
around = pytest.mark.parametrize("beyond", [-1, 0, 1])
PUSH_TO_TALK = Session(audio=Audio(input=AudioInput(turn_detection=None)))
MS = 48  # bytes in a millisecond of PCM16 at 24 kHz


def within(**bounds: Any) -> Limits:
    """These limits, and none in time."""
    return Limits(**{"session_s": None, "idle_s": None, **bounds})


def append(size: int) -> str:
    """An append of so many bytes of sound."""
    return json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(size)).decode()})


def picture(width: int, height: int, size: int = 33) -> str:
    """A message with a PNG of so many pixels, by its header alone, and so many bytes."""
    header = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height)
    url = "data:image/png;base64," + base64.b64encode(header + bytes(size - len(header))).decode()
    part = {"type": "input_image", "image_url": url}
    return json.dumps(
        {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [part]}}
    )


@around
def test_bytes_of_an_event(make_wire: MakeWire, beyond: int) -> None:
    """An event's size is counted in bytes of UTF-8, whatever its characters."""
    frame = json.dumps({"type": "conversation.item.delete", "item_id": "é" * 40}, ensure_ascii=False)
    wire = make_wire(limits=within(event_bytes=200))
    code = wire.error(frame + " " * (200 + beyond - len(frame.encode()))).code
    assert code == ("invalid_event" if beyond > 0 else "item_delete_invalid_item_id")


@around
def test_bytes_of_an_append(make_wire: MakeWire, beyond: int) -> None:
    """One append carries so much sound, counted as it is sent."""
    wire = make_wire(limits=within(append_bytes=640))
    events = wire.raw(append(480 + 2 * beyond))  # whole samples; base64 comes in fours: 640, 640 and 644 bytes
    assert [event.error.code for event in events] == (["invalid_value"] if beyond > 0 else [])


def test_the_largest_append_is_an_event_that_may_be() -> None:
    """Before a frame is so large that the connection ends, its sound is so long that an error says so."""
    limits = Limits()
    largest = append(limits.append_bytes // 4 * 3)
    assert limits.append_bytes < len(largest) < limits.event_bytes - 1024


@around
def test_sound_waiting_for_a_commit(make_wire: MakeWire, beyond: int) -> None:
    """With push-to-talk so much sound is kept uncommitted; more is refused, and what was kept stays whole."""
    wire = make_wire(PUSH_TO_TALK, limits=within(audio_buffer_s=1.0))
    wire.raw(append(500 * MS))
    events = wire.raw(append(500 * MS + 2 * beyond))
    assert [event.error.code for event in events] == (["input_audio_buffer_full"] if beyond > 0 else [])
    wire.send(ev.InputAudioBufferCommit())
    assert len(wire.last(fx.Transcribe).audio) == (500 * MS if beyond > 0 else 1000 * MS + 2 * beyond)


@around
def test_sound_that_nobody_commits(make_wire: MakeWire, beyond: int) -> None:
    """With turn detection the oldest sound is forgotten where there would be more, and never the newest."""
    wire = make_wire(limits=within(audio_buffer_s=1.0))
    for _ in range(9):
        assert wire.raw(append(100 * MS)) == []
    assert wire.raw(append(100 * MS + 2 * beyond)) == []
    wire.send(ev.InputAudioBufferCommit())
    kept = wire.last(fx.Transcribe)
    assert kept.audio_end_ms == 1000
    assert (kept.audio_start_ms > 0) is (beyond > 0)
    assert len(kept.audio) <= 1000 * MS


@around
@pytest.mark.parametrize("shortest", [100, 40])
def test_the_shortest_commit(make_wire: MakeWire, shortest: int, beyond: int) -> None:
    """So much sound can be committed, and not one millisecond less; the refusal names the limit that holds."""
    wire = make_wire(PUSH_TO_TALK, limits=within(min_commit_ms=shortest))
    wire.raw(append((shortest + beyond) * MS))
    first = wire.send(ev.InputAudioBufferCommit())[0]
    assert isinstance(first, ev.Error if beyond < 0 else ev.InputAudioBufferCommitted)
    if beyond < 0:
        assert f"at least {shortest}ms of audio, but buffer only has {shortest - 1}.00ms" in first.error.message


@around
def test_bytes_of_a_retrieved_item(make_wire: MakeWire, beyond: int) -> None:
    """An item is retrieved with so much sound, counted as it is sent; with more it comes without its sound."""
    wire = make_wire(PUSH_TO_TALK, limits=within(item_bytes=6404))
    wire.raw(append(4802 + 2 * beyond))  # whole samples; base64 comes in fours: 6400, 6404 and 6408 bytes
    wire.send(ev.InputAudioBufferCommit())
    wire.report(fx.Transcribed(wire.last(fx.Transcribe).item_id, "Hello."))
    (retrieved,) = wire.send(ev.ConversationItemRetrieve(item_id=str(wire.server.conversation.last)))
    part = retrieved.item.content[0]
    assert len(part.audio or b"") == (0 if beyond > 0 else 4802 + 2 * beyond)


def test_by_default_all_that_can_be_said_can_be_retrieved() -> None:
    """The largest sound that the buffer holds is retrieved whole."""
    assert base64_bytes(ms_to_bytes(1000 * Limits().audio_buffer_s, Pcm())) <= Limits().item_bytes


@around
def test_items_of_a_conversation(make_wire: MakeWire, beyond: int) -> None:
    """The conversation holds so many items; when one is deleted there is room again."""
    wire = make_wire(limits=within(items=3))
    for number in range(3 + beyond):
        events = wire.say("Hello", id=f"item_{number}")
    assert isinstance(events[0], ev.Error if beyond > 0 else ev.ConversationItemAdded)
    if beyond > 0:
        assert events[0].error.code == "conversation_items_limit"
        wire.send(ev.ConversationItemDelete(item_id="item_0"))
        assert isinstance(wire.say("Hello")[0], ev.ConversationItemAdded)


@around
def test_responses_at_once(make_wire: MakeWire, beyond: int) -> None:
    """So many responses are under way, those out of band counted in."""
    wire = make_wire(limits=within(responses=2))
    aside = '{"type":"response.create","response":{"conversation":"none"}}'
    events = [wire.raw(aside)[0] for _ in range(2 + beyond)]
    assert isinstance(events[-1], ev.Error if beyond > 0 else ev.ResponseCreated)


@around
def test_bytes_of_a_picture(make_wire: MakeWire, beyond: int) -> None:
    """A picture has so many bytes, counted decoded."""
    wire = make_wire(limits=within(image_bytes=60))
    first = wire.raw(picture(3, 4, 60 + beyond))[0]
    assert isinstance(first, ev.Error if beyond > 0 else ev.ConversationItemAdded)
    if beyond > 0:
        assert first.error.code == "image_too_large"
        assert "61 bytes; at most 60" in first.error.message


@around
def test_pixels_of_a_picture(make_wire: MakeWire, beyond: int) -> None:
    """A picture has so many pixels by its header, so that it need not be decoded to be refused."""
    wire = make_wire(limits=within(image_pixels=12))
    first = wire.raw(picture(12 + beyond, 1))[0]
    assert isinstance(first, ev.Error if beyond > 0 else ev.ConversationItemAdded)
    if beyond > 0:
        assert first.error.code == "image_too_large"


@pytest.mark.parametrize(
    "url",
    [
        "data:image/webp;base64,UklGRg==", "data:image/gif;base64,R0lGODlhAQABAAAAACw=",
        "data:image/svg+xml;base64,PHN2Zz4=", "data:image/png;base64,/9j/4AAQSkZJRg==", "data:image/png,abc",
        "https://example.org/a.png", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_types_of_a_picture(make_wire: MakeWire, url: str) -> None:
    """Only PNG and JPEG in a data URL are pictures; nothing is ever fetched."""
    part = {"type": "input_image", "image_url": url}
    item = {"type": "message", "role": "user", "content": [part]}
    error = make_wire().error(json.dumps({"type": "conversation.item.create", "item": item}))
    assert (error.code, error.param) == ("invalid_value", "item.content[0].image_url")


@around
def test_refused_events(make_wire: MakeWire, beyond: int) -> None:
    """So many refused events are borne within the time; those before it are forgotten."""
    wire = make_wire(limits=within(bad_events=3, bad_events_s=10.0))
    for _ in range(3):
        wire.error("nope")
    wire.wait(10.1)
    for _ in range(3 + beyond):
        wire.error("nope")
    assert wire.server.closed is (beyond > 0)
    assert [effect.code for effect in wire.asked if isinstance(effect, fx.Close)] == ([1008] if beyond > 0 else [])
    assert wire.raw('{"type":"response.cancel"}') == [] if beyond > 0 else wire.error("nope")


@around
@pytest.mark.parametrize(("bound", "code"), [("session_s", "session_expired"), ("idle_s", "session_idle")])
def test_time(make_wire: MakeWire, bound: str, code: str, beyond: int) -> None:
    """A session's life, and its life without a word of the client, end on time with an error and close 1001."""
    wire = make_wire(limits=within(**{bound: 60.0}))
    assert wire.server.deadline() == 60.0
    events = wire.wait(60.0 + beyond)
    assert [event.error.code for event in events] == ([] if beyond < 0 else [code])
    assert [effect.code for effect in wire.asked if isinstance(effect, fx.Close)] == ([] if beyond < 0 else [1001])


@around
@pytest.mark.parametrize("bound", ["max_input_tokens", "context_tokens"])
def test_tokens_that_are_read(make_wire: MakeWire, bound: str, beyond: int) -> None:
    """Where nothing may be dropped, a context of so many tokens is read, and one of a token more fails the response."""

    def answered(limits: Limits) -> ev.ResponseDone:
        wire = make_wire(Session(truncation="disabled"), limits=limits)
        wire.say("one two three four")
        wire.send(ev.ResponseCreate())
        wire.report(fx.Generated("resp_1", "stop"))
        return cast("ev.ResponseDone", wire.last(ev.ResponseDone))

    usage = answered(within()).response.usage
    assert usage is not None
    done = answered(within(**{bound: usage.input_tokens - beyond}))
    assert done.response.status == ("failed" if beyond > 0 else "completed")


# ---------------------------------------------------------------- what a response may be told
def respond(**response: Any) -> str:
    """A response.create."""
    return json.dumps({"type": "response.create", "response": response})


@pytest.mark.parametrize("limit", [1, 2, 4095, 4096, "inf"])
def test_tokens_that_may_be_asked_for(make_wire: MakeWire, limit: int | str) -> None:
    """A response may be allowed 1 to 4096 tokens, or ``inf``; the session, too."""
    wire = make_wire()
    update = {"type": "session.update", "session": {"type": "realtime", "max_output_tokens": limit}}
    assert wire.raw(json.dumps(update))[0].session.max_output_tokens == limit
    created = wire.raw(respond(max_output_tokens=limit))[0]
    assert created.response.max_output_tokens == limit


@pytest.mark.parametrize(
    ("limit", "code"),
    [(0, "integer_below_min_value"), (-1, "integer_below_min_value"), (4097, "integer_above_max_value")],
)
def test_tokens_that_may_not(make_wire: MakeWire, limit: int, code: str) -> None:
    """Below 1 and above 4096 there is an error that names the field."""
    error = make_wire().error(respond(max_output_tokens=limit))
    assert (error.code, error.param) == (code, "response.max_output_tokens")


@around
@pytest.mark.parametrize(
    "metadata",
    [
        lambda beyond: {f"key {n}": "value" for n in range(16 + beyond)},
        lambda beyond: {"k" * (64 + beyond): "value"},
        lambda beyond: {"key": "v" * (512 + beyond)},
    ],
    ids=["pairs", "key", "value"],
)
def test_metadata(make_wire: MakeWire, metadata: Callable[[int], dict[str, str]], beyond: int) -> None:
    """A response has at most 16 pairs of metadata, keys of 64 and values of 512 characters, echoed as they are."""
    wire = make_wire()
    given = metadata(beyond)
    first = wire.raw(respond(metadata=given))[0]
    if beyond > 0:
        assert first.error.param.startswith("response.metadata")
        assert wire.client.active is None
    else:
        assert first.response.metadata == given


def call(words: str) -> fx.Report:
    """A piece of a call's arguments."""
    return fx.CallDelta("resp_1", 0, "look", words)


@around
@pytest.mark.parametrize("asked", ["inf", 4096])
@pytest.mark.parametrize(
    "report",
    [lambda words: fx.TextDelta("resp_1", words), lambda words: fx.SpeechDelta("resp_1", words), call],
    ids=["text", "speech", "call"],
)
def test_tokens_that_are_written(
    make_wire: MakeWire, report: Callable[[str], fx.Report], asked: int | str, beyond: int
) -> None:
    """No response writes more tokens than the option says, in whatever form: there it is stopped, incomplete."""
    wire = make_wire(limits=within(max_output_tokens=5))
    wire.raw(respond(max_output_tokens=asked))
    assert wire.last(fx.Generate).request.max_output_tokens == (None if asked == "inf" else 5)
    wire.report(*(report("word ") for _ in range(5 + beyond)))
    wire.report(fx.Generated("resp_1", "stop"))
    response = wire.last(ev.ResponseDone).response
    assert response.status == ("incomplete" if beyond > 0 else "completed")
    assert response.usage.output_token_details.text_tokens == min(5, 5 + beyond)
    assert (fx.Stop("resp_1") in wire.asked) is (beyond > 0)
    assert response.output[0].status == response.status


def test_every_limit_is_tested_here() -> None:
    """No limit goes untested: each name stands in this file."""
    source = Path(__file__).read_text()
    assert [name for name in Limits.__struct_fields__ if name not in source] == []
