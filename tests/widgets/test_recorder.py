"""The recorder's half in the kernel: what the page says is what it holds."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.errors import AudioError

Frames = list[tuple[dict[str, Any], bytes]]


@pytest.fixture
def recorder() -> Iterator[rt.Recorder]:
    """A recorder that no page shows."""
    widget = rt.Recorder(echo_cancellation=False, max_s=60)
    yield widget
    widget.close()


@pytest.fixture
def sent(recorder: rt.Recorder, monkeypatch: pytest.MonkeyPatch) -> Frames:
    """What goes to the pages."""
    frames: Frames = []

    def keep(event: dict[str, Any], payload: bytes = b"", **_: Any) -> None:
        frames.append((event, payload))

    monkeypatch.setattr(recorder._channel, "send", keep)
    monkeypatch.setattr(recorder._channel, "answer", lambda _page, event, payload: keep(event, payload))
    monkeypatch.setattr(recorder._channel, "push", lambda pcm, header: keep(header, pcm))
    return frames


def chunk(number: int) -> bytes:
    """The `number`-th 20 ms of a ramp."""
    return (np.arange(480 * number, 480 * (number + 1)) % 30_000).astype("<i2").tobytes()


def say(recorder: rt.Recorder, phase: str, **more: Any) -> None:
    """Let the page say how things stand."""
    recorder._note({"t": "recorder", "phase": phase, "page": "p1", "owner": True, **more}, b"")


def hear(recorder: rt.Recorder, *numbers: int) -> None:
    """Let these chunks arrive."""
    for number in numbers:
        recorder._hear(chunk(number), {"t": "audio", "at": 480 * number})


def test_the_sound_is_there_while_it_comes(recorder: rt.Recorder) -> None:
    """Empty, growing, paused and done: sound, length and repr follow, and every sample is the page's."""
    assert repr(recorder) == "Recorder(empty)"
    with pytest.raises(AudioError, match="nothing is recorded yet"):
        recorder.audio  # noqa: B018 - the access is the test
    say(recorder, "recording")
    hear(recorder, 0, 1, 2)
    assert (recorder.recording, recorder.duration_s, repr(recorder)) == (True, 0.06, "Recorder(0.06 s, recording)")
    say(recorder, "paused")
    assert recorder.recording is False
    hear(recorder, 3)
    say(recorder, "done", recorded=1920)
    assert repr(recorder) == "Recorder(0.08 s)"
    assert recorder.audio == rt.Audio.from_pcm16(b"".join(map(chunk, range(4))))
    assert recorder.lost_s == 0


def test_the_last_chunk_may_come_after_the_word_that_all_is_said(recorder: rt.Recorder) -> None:
    """Two ways lead through the page: what is still due counts as lost only until it is here."""
    say(recorder, "recording")
    hear(recorder, 0)
    say(recorder, "done", recorded=960)
    assert recorder.lost_s == 0.02
    hear(recorder, 1)
    assert recorder.lost_s == 0
    assert recorder.duration_s == 0.04


def test_a_chunk_that_never_came_is_silence_and_counted(recorder: rt.Recorder) -> None:
    """A hole keeps its length, so that what follows lies where it was spoken."""
    hear(recorder, 0, 2)
    assert recorder.duration_s == 0.06
    assert recorder.lost_s == 0.02
    assert not recorder.audio.samples[480:960].any()


def test_a_new_recording_replaces_the_old(recorder: rt.Recorder) -> None:
    """The first sample of a recording clears what was before; a refused microphone leaves it."""
    hear(recorder, 0, 1, 2)
    say(recorder, "asking")
    say(recorder, "done")
    recorder._note({"t": "trouble", "message": "No microphone was found.", "todo": "Plug one in.", "page": "p1"}, b"")
    assert recorder.duration_s == 0.06
    assert recorder.trouble == "No microphone was found. Plug one in."
    hear(recorder, 0)
    assert recorder.duration_s == 0.02
    say(recorder, "recording")
    assert recorder.trouble is None


def test_a_page_that_comes_sees_how_things_stand(recorder: rt.Recorder, sent: Frames) -> None:
    """A reload or a second tab is told phase, length and waveform."""
    recorder._note({"t": "opened", "page": "p0"}, b"")
    idle = {"t": "recorder", "phase": "idle", "samples": 0, "by": "", "turn": 0, "peaks": True}
    assert sent.pop() == (idle, b"")
    say(recorder, "recording", turn=2)
    hear(recorder, *range(5))
    recorder._note({"t": "opened", "page": "p2"}, b"")
    state, peaks = sent.pop()
    assert state == {"t": "recorder", "phase": "recording", "samples": 2400, "by": "p1", "turn": 2, "peaks": True}
    expected = np.array([959, 1919, 2399], dtype=np.float32) / 32768
    assert np.array_equal(np.frombuffer(peaks, "<f4"), expected)


def test_a_page_that_goes_ends_its_recording(recorder: rt.Recorder, sent: Frames) -> None:
    """A closed tab cannot record on: what there is stays, and the other pages are told."""
    say(recorder, "recording")
    hear(recorder, 0)
    recorder._note({"t": "closed", "page": "p2"}, b"")
    assert recorder.recording is True
    recorder._note({"t": "closed", "page": "p1"}, b"")
    assert recorder.recording is False
    assert sent[-1][0]["phase"] == "done"


def test_a_page_whose_microphone_another_one_took_does_not_end_its_recording(recorder: rt.Recorder) -> None:
    """What a page tells late, of the time before its way was lost, is passed over where another page records now."""
    say(recorder, "recording", page="p2")
    say(recorder, "done", owner=False, recorded=0)
    assert recorder.recording


def test_a_recording_is_played_whole(recorder: rt.Recorder, sent: Frames) -> None:
    """The page gets every sample in order, and the word that this was the last."""
    hear(recorder, *range(120))
    recorder._note({"t": "play", "page": "p1"}, b"")
    pieces = [(header, pcm) for header, pcm in sent if "item" in header]
    assert b"".join(pcm for _, pcm in pieces) == recorder.audio.to_pcm16()
    assert [header.get("last", False) for header, _ in pieces] == [False] * (len(pieces) - 1) + [True]


def test_a_long_recording_is_sent_as_it_is_played(recorder: rt.Recorder, sent: Frames) -> None:
    """Half an hour at once is more than a page keeps, and more than may wait for it: it would be cut off."""
    minute = bytes(2 * 24_000 * 60)
    for number in range(30):
        recorder._hear(minute, {"t": "audio", "at": number * 24_000 * 60})
    player = {"page": "p1", "item": "p1", "owner": True}
    recorder._note({"t": "play", **player}, b"")
    for played in range(0, 30 * 24_000 * 60, 24_000 * 60):
        recorder._note({"t": "position", "played": played, **player}, b"")
        waiting = sum(len(pcm) for _, pcm in sent) - 2 * played
        assert len(minute) <= waiting <= 10 * len(minute)  # it never runs dry
    assert sum(len(pcm) for _, pcm in sent) == 30 * len(minute)
    assert [header["last"] for header, _ in sent].index(True) == len(sent) - 1
    before = len(sent)
    recorder._note({"t": "done", "played": played, **player}, b"")
    recorder._note({"t": "position", "played": 0, **player}, b"")
    assert len(sent) == before
    recorder._hear(b"", {"t": "audio", "at": 0})  # a new recording: half an hour takes seconds to become a player


def test_a_waveform_is_drawn_without_a_copy_of_the_recording(recorder: rt.Recorder) -> None:
    """It is drawn where all sound passes: of half an hour a copy as floats held up every talk for a second."""
    loudest = (np.arange(480) == 7) * np.int16(-32768)
    for at in range(0, 480 * 3000, 480):
        recorder._hear(loudest.astype("<i2").tobytes(), {"t": "audio", "at": at})
    tracemalloc.start()
    peaks = np.frombuffer(recorder._tape.peaks(), "<f4")
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peaks.tolist() == [1.0] * 1500
    assert most < 480 * 3000
    hear(recorder, 3000)  # and the tape can grow on


def test_the_buttons_can_be_pressed_from_a_cell(recorder: rt.Recorder, sent: Frames) -> None:
    """record, stop and play ask the page that has the microphone."""
    recorder.record()
    recorder.stop()
    recorder.play()
    assert [event["act"] for event, _ in sent] == ["record", "stop", "play"]


def test_a_recorder_is_a_sound(recorder: rt.Recorder) -> None:
    """Wherever a sound is taken, a recorder is; an empty one says what to press."""
    with pytest.raises(AudioError, match="press record"):
        rt.Audio.coerce(recorder)
    hear(recorder, 0)
    assert rt.Audio.coerce(recorder).duration_s == 0.02


def test_the_static_form_is_a_player(recorder: rt.Recorder) -> None:
    """Nothing while there is nothing; then a player with the sound inside."""
    assert recorder.static_html() == ""
    hear(recorder, *range(10))
    assert "<audio controls" in recorder.static_html()


def test_closing_twice_is_no_error(recorder: rt.Recorder) -> None:
    """The sound outlives the widget."""
    hear(recorder, 0)
    recorder.close()
    recorder.close()
    assert recorder.audio.duration_s == 0.02
    assert recorder.closed


def test_of_two_static_forms_the_newer_one_stays(recorder: rt.Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoding takes a while: a form that was begun with less sound is not drawn over one with more."""
    drawn: list[str] = []
    begun, go_on = threading.Event(), threading.Event()

    def static_html() -> str:
        seen = recorder.duration_s
        if not begun.is_set():
            begun.set()
            go_on.wait()
        return f"{seen:g} s"

    monkeypatch.setattr(recorder, "static_html", static_html)
    monkeypatch.setattr(recorder._twin, "draw", lambda _text, html: drawn.append(html))
    hear(recorder, 0)
    threads = [threading.Thread(target=recorder.keep) for _ in range(2)]
    threads[0].start()
    begun.wait()
    hear(recorder, 1)
    threads[1].start()
    threads[1].join(0.2)  # done by now, if it did not have to wait
    go_on.set()
    for thread in threads:
        thread.join()
    assert drawn[-1] == "0.04 s"
