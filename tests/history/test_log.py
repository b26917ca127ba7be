"""The log, and how events are shown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.history import Entry, EventLog
from realtime_nb.history.payload import payload
from realtime_nb.history.speech import SpeechClock
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.items import InputAudio, InputImage, Message
from realtime_nb.protocol.tools import McpServer

SECRET = "sk-proj-0123456789abcdef"


def shown(event: Any) -> dict[str, Any]:
    """The payload of an event, read back."""
    log = EventLog()
    log.append("sent", event, 0.0, 100)
    found = json.loads(payload(log[0]))
    assert isinstance(found, dict)
    return found


def test_streamed_sound_is_not_kept() -> None:
    """The log keeps the size of streamed sound, both ways, and not the sound."""
    log = EventLog()
    log.append("sent", ev.InputAudioBufferAppend(audio=bytes(4800)), 0.1, 6500)
    place = {"item_id": "a", "response_id": "r", "output_index": 0, "content_index": 0}
    log.append("received", ev.ResponseOutputAudioDelta(delta=bytes(960), **place), 0.2, 1500)  # type: ignore[arg-type]
    assert [(entry.audio_bytes, entry.bytes) for entry in log] == [(4800, 6500), (960, 1500)]
    assert json.loads(payload(log[0]))["audio"] == "<4800 bytes of audio>"
    assert json.loads(payload(log[1]))["delta"] == "<960 bytes of audio>"


def test_the_log_only_grows() -> None:
    """Entries are read from a position on; what was read does not change."""
    log = EventLog()
    log.append("sent", ev.ResponseCreate(), 0.0, 10)
    before = log.since(0)
    log.append("received", ev.InputAudioBufferCleared(), 1.0, 20)
    assert len(before) == 1
    assert [entry.t_s for entry in log.since(1)] == [1.0]
    assert log.since(2) == []


def test_clips_and_pictures_by_size() -> None:
    """A whole clip and a picture are shown by their size."""
    parts = (InputAudio(audio=bytes(100)), InputImage(image_url="data:image/png;base64,iVBORw0K"))
    event = shown(ev.ConversationItemCreate(item=Message(role="user", content=parts)))
    content = event["item"]["content"]
    assert content[0]["audio"] == "<100 bytes of audio>"
    assert content[1]["image_url"] == "<6 bytes of image>"


def test_sound_of_unknown_events_by_size() -> None:
    """Base64 in an event that the catalogue does not have is shown by its size, too."""
    event = shown(ev.UnknownEvent(type="new.audio", payload={"type": "new.audio", "pcm": "AAAA" * 100}))
    assert event == {"type": "new.audio", "pcm": "<300 bytes of audio>"}


@pytest.mark.parametrize(
    "event",
    [
        ev.SessionUpdate(session={"type": "realtime", "instructions": f"my key is {SECRET}, keep it"}),
        ev.SessionUpdate(session={"type": "realtime", "tools": [{"authorization": SECRET, "headers": {"x": SECRET}}]}),
        ev.SessionUpdate(session={"client_secret": {"value": "ek_0123456789abcdef"}}),
        ev.ResponseCreate(
            response=ev.ResponseParams(
                tools=(McpServer(server_label="x", authorization=SECRET, headers={"k": SECRET}),)
            )
        ),
        ev.UnknownEvent(type="x", payload={"a": [{"Authorization": f"Bearer {SECRET}"}]}),
    ],
)
def test_secrets_are_masked(event: Any) -> None:
    """Keys are masked wherever they stand."""
    text = json.dumps(shown(event), ensure_ascii=False)
    assert "0123456789" not in text
    assert "…" in text


def test_what_is_not_secret_is_shown() -> None:
    """Ordinary fields are shown as they are."""
    session = {"type": "realtime", "instructions": "ask-me-anything", "max_output_tokens": 5}
    assert shown(ev.SessionUpdate(session=session))["session"] == session


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30), st.integers(0, 2000))
def test_a_sample_has_a_time(chunks: list[int], place: int) -> None:
    """A place in the sound was sent with the first chunk that reaches it; a place beyond the end, with the last."""
    clock = SpeechClock()
    ends = []
    for index, size in enumerate(chunks):
        clock.append(size * 480, float(index))
        ends.append(sum(chunks[: index + 1]) * 10)
    expected = next((index for index, end in enumerate(ends) if end >= place), len(chunks) - 1)
    assert clock.sent_at(place) == float(expected)


def test_a_refused_commit_leaves_its_sound() -> None:
    """Sound of a refused commit is part of the next piece."""
    clock = SpeechClock()
    clock.append(50 * 48, 1.0)
    clock.commit("x")
    clock.refuse("y")
    clock.refuse("x")
    clock.append(100 * 48, 2.0)
    clock.commit("z")
    heard = clock.committed("u1")
    assert (heard.audio_ms, heard.end_s) == (150.0, 2.0)


def test_a_refused_commit_before_another() -> None:
    """Sound of a refused commit is part of a piece that was committed since."""
    clock = SpeechClock()
    clock.append(50 * 48, 1.0)
    clock.commit("x")
    clock.append(100 * 48, 2.0)
    clock.commit("z")
    clock.refuse("x")
    assert clock.committed("u1").audio_ms == 150.0


def test_a_commit_inside_speech() -> None:
    """A commit while the detector hears speech makes a piece from the start of the speech."""
    clock = SpeechClock()
    clock.append(1000 * 48, 1.0)
    clock.started("u1", 300)
    clock.commit(None)
    clock.append(500 * 48, 2.0)
    heard = clock.committed("u1")
    assert (heard.audio_ms, heard.end_s) == (700.0, 1.0)


def test_commit_of_what_nobody_sent() -> None:
    """A piece that neither detector nor client told of has neither length nor end."""
    heard = SpeechClock().committed("u1")
    assert (heard.audio_ms, heard.end_s) == (None, None)


def test_unknown_events_are_entries() -> None:
    """An event that the catalogue does not have is kept, with its type and ids."""
    entry = Entry(0.0, "received", ev.UnknownEvent(type="new.thing", payload={"type": "new.thing", "n": 1}), 30)
    assert json.loads(payload(entry)) == {"type": "new.thing", "n": 1}
