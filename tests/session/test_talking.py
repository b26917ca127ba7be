"""Who has the word, what was heard, and what stands in the transcript: the pure parts of a spoken conversation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.history.fold import Fold
from realtime_nb.history.items import ItemState
from realtime_nb.history.log import EventLog
from realtime_nb.models import model
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.items import FunctionCall
from realtime_nb.protocol.session_config import Audio, AudioInput, ServerVad, Session
from realtime_nb.protocol.usage import DurationUsage
from realtime_nb.session.lines import changes, last_lines, lines
from realtime_nb.session.playlist import Cut, Playlist
from realtime_nb.session.talking import MEANING, PHASES, Closed, Held, Mic, Muted, Playing, Talking, after


def session(detection: ServerVad | None = None) -> ev.SessionUpdated:
    """A session with this turn detection."""
    return ev.SessionUpdated(session=Session(audio=Audio(input=AudioInput(turn_detection=detection))))


def response(name: str, status: str = "in_progress", *output: Any, conversation_id: str | None = "conv_1") -> Any:
    """A response's resource."""
    return ev.Response(id=name, status=status, output=output, conversation_id=conversation_id)  # type: ignore[arg-type]


STARTED = ev.InputAudioBufferSpeechStarted(item_id="item_1", audio_start_ms=0)
STOPPED = ev.InputAudioBufferSpeechStopped(item_id="item_1", audio_end_ms=900)
COMMITTED = ev.InputAudioBufferCommitted(item_id="item_1")
WORDLESS = ev.ConversationItemInputAudioTranscriptionCompleted(
    item_id="item_1", content_index=0, transcript=" ", usage=DurationUsage(seconds=1)
)
CREATED = ev.ResponseCreated(response=response("resp_1"))
ASIDE = ev.ResponseCreated(response=response("resp_2", conversation_id=None))
DONE = ev.ResponseDone(response=response("resp_1", "completed"))
CALLED = ev.ResponseDone(
    response=response("resp_1", "completed", FunctionCall(id="c", name="f", call_id="1", arguments="{}"))
)
CANCELLED = ev.ResponseDone(response=response("resp_1", "cancelled"))
ASKED = ev.ResponseCreate(event_id="event_1")
REFUSED = ev.Error(error=ev.ErrorDetail(type="invalid_request_error", message="no", event_id="event_1"))

BUFFER = (ev.OutputAudioBufferStarted, ev.OutputAudioBufferStopped, ev.OutputAudioBufferCleared)
HAPPENINGS = (
    *(STARTED, STOPPED, COMMITTED, WORDLESS, CREATED, ASIDE, DONE, CALLED, CANCELLED, ASKED, REFUSED),
    *(ev.InputAudioBufferCleared(), ev.RateLimitsUpdated(rate_limits=()), session(ServerVad()), session()),
    *(kind(response_id="resp_1") for kind in BUFFER),
    *(kind(on=on) for kind in (Mic, Muted, Held, Playing) for on in (True, False)),
)


def told(*happened: Any, now: Talking | None = None) -> list[str]:
    """The phase after each of these."""
    now = now or Talking(mic=True)
    phases = []
    for event in happened:
        now = after(now, event)
        phases.append(now.phase)
    return phases


@pytest.mark.parametrize(
    ("happened", "phases"),
    [
        ([STARTED, STOPPED, COMMITTED, CREATED], ["hearing", "listening", "thinking", "thinking"]),
        (
            [COMMITTED, CREATED, Playing(on=True), DONE, Playing(on=False)],
            ["thinking"] * 2 + ["speaking"] * 2 + ["listening"],
        ),
        (
            [CREATED, Playing(on=True), STARTED, CANCELLED, Playing(on=False)],
            ["thinking", "speaking"] + ["hearing"] * 3,
        ),
        ([COMMITTED, WORDLESS], ["thinking", "listening"]),
        ([CREATED, CALLED, CREATED, DONE], ["thinking", "calling", "thinking", "listening"]),
        ([ASKED, REFUSED], ["thinking", "listening"]),
        ([ASIDE], ["listening"]),
        ([session(ServerVad(create_response=False)), COMMITTED], ["listening", "listening"]),
        ([session(), Held(on=True), Held(on=False)], ["muted", "hearing", "muted"]),
        ([Muted(on=True), CREATED, DONE, Muted(on=False)], ["muted", "thinking", "muted", "listening"]),
        ([Mic(on=False), CREATED, DONE], ["off", "thinking", "off"]),
        ([STARTED, Closed()], ["hearing", "closed"]),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value[0], str) else "",
)
def test_what_a_person_is_told(happened: list[Any], phases: list[str]) -> None:
    """Each turn of a conversation shows as the phase a person would name."""
    assert told(*happened) == phases


@given(st.lists(st.sampled_from(HAPPENINGS)))
def test_any_order_has_a_phase_and_the_end_is_the_end(happened: list[Any]) -> None:
    """Whatever comes in whatever order, there is a phase; after the end nothing changes."""
    phases = told(*happened, Closed(), *happened)
    assert set(phases) <= set(PHASES)
    assert set(phases[len(happened) :]) == {"closed"}


@given(st.lists(st.sampled_from(HAPPENINGS)))
def test_what_was_begun_and_ended_leaves_no_trace(happened: list[Any]) -> None:
    """When speech, answer and sound are over, a page with an open microphone listens, whatever was before."""
    endings = (session(ServerVad()), Held(on=False), Muted(on=False), Mic(on=True), STOPPED, CREATED, DONE)
    assert told(*happened, *endings, Playing(on=False))[-1] == "listening"


@given(st.lists(st.sampled_from(HAPPENINGS)), st.booleans(), st.booleans())
def test_only_its_own_buttons_mute(happened: list[Any], muted: bool, mic: bool) -> None:
    """No event of the server opens or mutes a microphone."""
    now = Talking(mic=mic, muted=muted)
    for event in happened:
        if not isinstance(event, Mic | Muted):
            now = after(now, event)
    assert (now.mic, now.muted) == (mic, muted)


@given(st.lists(st.sampled_from(HAPPENINGS)))
def test_a_muted_microphone_is_never_open_but_by_its_key(happened: list[Any]) -> None:
    """What is muted reaches the server only while the key to talk is down."""
    now = Talking(mic=True, muted=True)
    for event in happened:
        if not isinstance(event, Muted):
            now = after(now, event)
        assert now.open == now.held


def test_every_meaning_gives_a_new_value() -> None:
    """The fold changes nothing in place: what was known stays what it was."""
    before = Talking(mic=True, playing=True)
    for event in HAPPENINGS:
        after(before, event)
    assert before == Talking(mic=True, playing=True)
    assert {type(event) for event in HAPPENINGS} >= set(MEANING) - {ev.SessionCreated, Closed}


# ---------------------------------------------------------------- what was heard
@given(
    st.lists(st.integers(1, 200_000), min_size=1, max_size=6),
    st.data(),
)
def test_a_stop_cuts_what_was_not_heard_and_nothing_else(sizes: list[int], data: st.DataObject) -> None:
    """Items before the one that plays are whole; it is cut where it was heard; those after it at their beginning."""
    playlist = Playlist()
    for number, size in enumerate(sizes):
        playlist.add(f"item_{number}", 0, size)
    at = data.draw(st.integers(0, len(sizes) - 1))
    heard = data.draw(st.integers(-1000, sizes[at]))
    playlist.reach(f"item_{at}")
    playlist.drop()
    cuts = playlist.stop(f"item_{at}", heard)
    assert not playlist.pending
    for cut in cuts:
        number = int(cut.item_id.removeprefix("item_"))
        assert number >= at
        assert 1 <= cut.audio_end_ms <= max(1, sizes[number] * 1000 // 24_000)
        if number == at:
            assert cut.audio_end_ms == pytest.approx(max(1, heard / 24), abs=1)
        else:
            assert cut.audio_end_ms == 1


def test_what_was_played_to_its_end_is_not_cut() -> None:
    """An item that the page has finished is heard, and so are those before it."""
    playlist = Playlist()
    for name in ("a", "b", "c"):
        playlist.add(name, 0, 24_000)
    playlist.done("b")
    assert "a" not in playlist
    assert playlist.stop("c", 12_000) == [Cut("c", 0, 500)]


def test_what_was_heard_to_its_end_is_not_cut() -> None:
    """Where all that came was heard, there is nothing to forget."""
    playlist = Playlist()
    playlist.add("a", 0, 24_000)
    assert playlist.stop("a", 24_000) == []


def test_a_stop_before_the_first_sound_cuts_all() -> None:
    """Sound that waited for its first sample was not heard at all."""
    playlist = Playlist()
    playlist.add("a", 2, 24_000)
    playlist.drop()
    assert playlist.stop(None, 0) == [Cut("a", 2, 1)]


# ---------------------------------------------------------------- the transcript
def folded(*events: Any) -> list[Any]:
    """The lines after these events."""
    log, fold = EventLog(), Fold(model("local"))
    for event in events:
        log.append("received", event, 1.0, 10)
    for entry in log:
        fold.add(entry)
    return lines(fold.items)


def message(name: str, role: str, *content: Any, status: str = "completed", **fields: Any) -> dict[str, Any]:
    """An item as JSON."""
    return {"id": name, "type": "message", "role": role, "content": list(content), "status": status, **fields}


def event(type: str, **fields: Any) -> Any:
    """A server event of JSON values."""
    return ev.decode_server(json.dumps({"type": type, "event_id": "e", **fields}))


def test_words_stream_into_the_line_of_their_item() -> None:
    """A line is open while its words come, stands in the conversation's order, and has no control characters."""
    said = message("u", "user", {"type": "input_audio", "transcript": None})
    begun = message("a", "assistant", status="in_progress")
    spoken = {"response_id": "r", "item_id": "a", "output_index": 0, "content_index": 0}
    heard = {"item_id": "u", "content_index": 0, "transcript": "Rivers?", "usage": {"type": "duration", "seconds": 1}}
    found = folded(
        event("input_audio_buffer.committed", item_id="u", previous_item_id=None),
        event("conversation.item.added", item=said, previous_item_id=None),
        event("response.created", response={"id": "r", "status": "in_progress", "output": [], "conversation_id": "c"}),
        event("response.output_item.added", response_id="r", output_index=0, item=begun),
        event("conversation.item.added", item=begun, previous_item_id="u"),
        event("response.output_audio_transcript.delta", delta="Ni\x1ble", **spoken),
        event("conversation.item.input_audio_transcription.completed", **heard),
    )
    assert [(line.id, line.who, line.text, line.state) for line in found] == [
        ("u", "user", "Rivers?", "done"),
        ("a", "assistant", "Nile", "open"),
    ]


def test_a_call_and_what_it_gave_are_one_line() -> None:
    """The output of a function stands on the line of its call."""
    call = {"id": "f", "type": "function_call", "name": "get_weather", "call_id": "1", "arguments": '{"city":"Paris"}'}
    gave = {"id": "o", "type": "function_call_output", "call_id": "1", "output": "22 degrees"}
    before = folded(event("conversation.item.done", item=call, previous_item_id=None))
    found = folded(
        event("conversation.item.done", item=call, previous_item_id=None),
        event("conversation.item.done", item=gave, previous_item_id="f"),
    )
    assert [(line.who, line.name, line.text, line.output, line.state) for line in before + found] == [
        ("call", "get_weather", '{"city":"Paris"}', "", "open"),
        ("call", "get_weather", '{"city":"Paris"}', "22 degrees", "done"),
    ]


def test_what_was_deleted_is_not_shown() -> None:
    """An item that left the conversation leaves the transcript."""
    one = {"type": "input_text", "text": "One"}
    found = folded(
        event("conversation.item.done", item=message("a", "user", one), previous_item_id=None),
        event("conversation.item.deleted", item_id="a"),
    )
    assert found == []


def test_only_what_changed_is_told() -> None:
    """A line that is known as it is is not told again."""
    one, two = ({"type": "input_text", "text": text} for text in ("One", "Two"))
    found = folded(
        event("conversation.item.done", item=message("a", "user", one), previous_item_id=None),
        event("conversation.item.done", item=message("b", "user", two), previous_item_id="a"),
    )
    known = {line.id: line for line in found}
    assert changes(known, found) == []
    assert changes({"a": found[0]}, found) == [found[1]]


def test_the_end_of_a_transcript_is_read_without_what_is_before_it() -> None:
    """Its lines are those of the whole, with what functions gave; deleted items are none of them."""
    read: list[str] = []

    class Items(list[ItemState]):
        def __reversed__(self) -> Any:
            return (read.append(item.item_id) or item for item in super().__reversed__())  # type: ignore[func-returns-value]

    items = Items(ItemState(f"item_{n}", 0.0) for n in range(1000))
    kinds = ("message", "function_call", "function_call_output", "message")
    for n, item in enumerate(items):
        item.type, item.call_id, item.deleted = kinds[n % 4], f"call_{n // 4}", n % 7 == 0
    for most in (1, 2, 20, 2000):
        read.clear()
        assert last_lines(items, most) == lines(items)[-most:]
        assert len(read) <= 2 * most
