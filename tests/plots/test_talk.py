"""The time line."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from realtime_nb import plots
from realtime_nb.errors import ConfigError
from realtime_nb.history import EventLog, History
from realtime_nb.models import model
from realtime_nb.plots.spans import time_line
from realtime_nb.protocol.events import decode_server


def drawn(ax: Axes, label: str) -> int:
    """How many spans or paths carry a label."""
    return sum(len(one.get_paths()) for one in ax.collections if one.get_label() == label)


def test_everything_that_happened_is_drawn(talk: Any) -> None:
    """Speech, detection, replies, waits, the interruption, the call, picture and clip: each as often as it was."""
    ax = plots.timeline(talk.history, talk.turns, talk.events)
    counts = {"said": 3, "voice detected": 3, "heard": 4, "not heard": 1, "written": 1, "interrupted": 1, "tools": 1}
    assert {label: drawn(ax, label) for label in counts} == counts
    assert drawn(ax, "wait for the reply") == 5
    assert {line.get_label(): len(line.get_xdata()) for line in ax.lines} == {"sent": 1, "showed": 1}
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["user", "model", "tools"]
    assert ax.get_title(loc="left") == "Who spoke when: 6 turns, reply begins after 798 ms (median), 1 interrupted"


def test_the_axis_holds_all_of_it(talk: Any) -> None:
    """The time axis begins at the session's first second and ends after the last sound."""
    ax = plots.timeline(talk.history, talk.turns, talk.events)
    start, end = time_line(talk.history, talk.turns, talk.events).extent_s
    assert ax.get_xlim()[0] <= start == 0
    assert ax.get_xlim()[1] >= end > 30


def test_a_reply_lasts_as_it_was_played(talk: Any) -> None:
    """It begins with its first sound and is as long as its sound, or as what was heard of it."""
    line = time_line(talk.history, talk.turns, talk.events)
    turns = talk.turns
    zero = turns["speech_end_s"][0]
    assert line.heard.start_s[0] == pytest.approx(zero + turns["first_audio_ms"][0] / 1000)
    assert line.heard.end_s[0] - line.heard.start_s[0] == pytest.approx(turns["output_s"][0])
    assert line.heard.end_s[1] - line.heard.start_s[1] == pytest.approx(2.9)
    assert line.cuts.tolist() == pytest.approx([line.heard.end_s[1]])


def test_what_was_made_but_not_heard_follows_the_cut(talk: Any) -> None:
    """Its length is the sound that came over the wire, less what was played."""
    line = time_line(talk.history, talk.turns, talk.events)
    assert line.unheard.start_s.tolist() == pytest.approx([line.heard.end_s[1]])
    made_s = 0.38 * len(talk.turns["output"][1].split())
    assert line.unheard.end_s[0] - line.heard.start_s[1] == pytest.approx(made_s, abs=1e-3)


def test_g711_sound_is_measured_by_its_format(talk: Any) -> None:
    """A second of mu-law is 8,000 bytes, a sixth of PCM's."""
    created = '{"type":"session.created","session":{"audio":{"output":{"format":{"type":"audio/pcmu"}}}}}'
    first = pd.DataFrame({"t_s": [0.0], "type": ["session.created"], "payload": [created]})
    line = time_line(talk.history, talk.turns, pd.concat([first, talk.events], ignore_index=True))
    plain = time_line(talk.history, talk.turns, talk.events)
    made, made_pcm = (one.unheard.end_s[0] - one.heard.start_s[1] for one in (line, plain))
    assert made > made_pcm


def test_a_wait_goes_on_while_functions_are_called(talk: Any) -> None:
    """The user waits from the end of the question to the first sound of the answer, over both responses."""
    line = time_line(talk.history, talk.turns, talk.events)
    question = talk.turns["speech_end_s"][2]
    assert line.waits.start_s[2] == pytest.approx(question)
    assert line.waits.end_s[2] == pytest.approx(question + 1.9 + talk.turns["first_audio_ms"][3] / 1000)


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_reply_that_never_came_leaves_no_wait_to_the_next(talk: Any, status: str) -> None:
    """Who asks again minutes later has waited for that answer only."""
    turns = talk.turns.copy()
    turns.loc[0, "status"] = status
    turns.loc[0, ["first_text_ms", "first_audio_ms", "output_s"]] = np.nan
    line, whole = (time_line(talk.history, rows, talk.events) for rows in (turns, talk.turns))
    assert line.waits.start_s.tolist() == whole.waits.start_s[1:].tolist()


def test_voice_activity_is_on_the_wires_time_line(talk: Any) -> None:
    """A span ends when the server said so and is as long as it said, padding and silence included."""
    line = time_line(talk.history, talk.turns, talk.events)
    length = line.said.end_s[0] - 1.2
    assert line.voice.start_s[0] == pytest.approx(1.2 - 0.3)
    assert line.voice.end_s[0] == pytest.approx(1.2 + length + 0.5)
    assert line.said.start_s[0] == pytest.approx(line.voice.start_s[0])


def test_a_clip_sent_whole_is_an_instant(talk: Any) -> None:
    """Nobody spoke it in real time, so it is no span of speech."""
    line = time_line(talk.history, talk.turns, talk.events)
    assert line.sent.text == ("Thank you.",)
    assert line.sent.start_s.tolist() == pytest.approx([talk.turns["speech_end_s"][5]])
    assert "Thank you." not in line.said.text


def test_without_events_less_is_known(talk: Any) -> None:
    """Voice activity and unheard sound are left out; turns that were not spoken begin with their first item."""
    ax = plots.timeline(talk.history, talk.turns)
    assert drawn(ax, "voice detected") == drawn(ax, "not heard") == 0
    assert drawn(ax, "heard") == 4
    assert drawn(ax, "written") == 1


def test_a_reply_ends_where_the_next_begins(talk: Any) -> None:
    """Turns that follow faster than their sound lasts do not lie upon each other."""
    turns = talk.turns.copy()
    turns["output_s"] = turns["output_s"] * 20
    line = time_line(talk.history, turns, None)
    assert (line.heard.end_s[:-1] <= line.heard.start_s[1:] + 1e-9).all()


def test_what_is_missing_is_left_out(talk: Any) -> None:
    """Turns that failed, with nothing but their name, are counted and not drawn."""
    turns = talk.turns.copy()
    for column in turns.columns.difference(["turn", "response_id"]):
        turns[column] = turns[column].astype("object").mask(turns["turn"] > 1, pd.NA)
    turns = turns.convert_dtypes()
    ax = plots.timeline(talk.history, turns, talk.events)
    assert drawn(ax, "heard") == 1
    assert "6 turns" in ax.get_title(loc="left")


def test_an_unanswered_call_is_marked(talk: Any) -> None:
    """A call without an output yet has no length, and is seen all the same."""
    history = talk.history[talk.history["type"] != "function_call_output"]
    ax = plots.timeline(history, talk.turns, talk.events)
    assert drawn(ax, "tools") == 0
    assert {"unanswered"} <= {line.get_label() for line in ax.lines}


def test_replies_that_touch_stay_two(talk: Any, make_talk: Callable[[int], Any]) -> None:
    """A seam of paper parts bars that follow without a gap; in a long talk it would be all that is seen."""
    for frames, seam in ((talk, 0.8), (make_talk(1_000), 0.0)):
        ax = plots.timeline(frames.history, frames.turns, frames.events)
        (heard,) = (one for one in ax.collections if one.get_label() == "heard")
        assert heard.get_linewidths()[0] == pytest.approx(seam)


def test_a_call_that_took_no_time_is_seen(talk: Any) -> None:
    """However short a call was, its bar has an edge that can be seen at the scale of the whole talk."""
    history = talk.history.copy()
    history.loc[history["type"] == "function_call_output", "created_s"] = (
        history.loc[history["type"] == "function_call", "created_s"].iloc[0] + 0.001
    )
    ax = plots.timeline(history, talk.turns, talk.events)
    (tools,) = (one for one in ax.collections if one.get_label() == "tools")
    assert len(tools.get_paths()) == 1
    assert tools.get_linewidths()[0] >= 2
    assert tuple(tools.get_edgecolors()[0]) == tuple(tools.get_facecolors()[0])


def test_waits_that_meet_lie_on_two_levels(talk: Any) -> None:
    """Where one wait begins as the one before ends, each can be followed; elsewhere all have one height."""
    levels = {True: 1, False: 2}
    for far, count in levels.items():
        turns = talk.turns.copy()
        if not far:
            turns["first_audio_ms"] = 9_000.0
        ax = plots.timeline(talk.history, turns, talk.events)
        (waits,) = (one for one in ax.collections if one.get_label() == "wait for the reply")
        assert len({float(path.vertices[1, 1]) for path in waits.get_paths()}) == count


def test_a_wait_says_how_long_it_was_in_its_own_line(talk: Any) -> None:
    """A length that fits into the line of its wait is written there, whatever comes after it."""
    ax = plots.timeline(talk.history, talk.turns, talk.events, figsize=(20, 3.1))
    line = time_line(talk.history, talk.turns, talk.events)
    start, end = float(line.waits.start_s[2]), float(line.waits.end_s[2])
    (length,) = (text for text in ax.texts if text.get_text() == f"{end - start:.2f} s")
    assert start < length.get_position()[0] < end


def test_bars_say_what_was_said_within_themselves(talk: Any) -> None:
    """Text is written only where it fits: no bar's words reach out of it."""
    for width in (4, 9, 20):
        ax = plots.timeline(talk.history, talk.turns, talk.events, figsize=(width, 3.1))
        ax.figure.draw_without_rendering()
        line = time_line(talk.history, talk.turns, talk.events)
        for text in ax.texts:
            box = text.get_window_extent().transformed(ax.transData.inverted())
            for span, lane in ((line.said, 2.0), (line.heard, 0.45)):
                inside = (span.start_s <= box.x0) & (box.x0 < span.end_s) & (lane < box.y0 < lane + 0.9)
                assert (box.x1 <= span.end_s[inside] + 0.05).all(), text


def test_nothing_yet_says_what_to_do(nothing: Any) -> None:
    """Empty frames give an empty plot with a line that changes that."""
    ax = plots.timeline(nothing.history, nothing.turns, nothing.events)
    assert [text.get_text() for text in ax.texts] == ["no turns yet", 'session.say("Name three rivers of Africa.")']


def test_ten_thousand_turns_are_drawn(make_talk: Callable[[int], Any]) -> None:
    """A talk of a day is drawn as so many spans, in as many artists as a short one."""
    talk = make_talk(10_000)
    ax = plots.timeline(talk.history, talk.turns, talk.events)
    assert drawn(ax, "heard") == drawn(ax, "said") == 10_000
    assert len(ax.collections) < 12
    assert not ax.texts
    assert ax._repr_png_()


def test_another_frame_is_refused(talk: Any) -> None:
    """The error names what is missing and the call that is meant."""
    with pytest.raises(ConfigError, match=r"without role.*session\.history"):
        plots.timeline(talk.usage, talk.turns)
    with pytest.raises(ConfigError, match="got a list"):
        plots.timeline([], talk.turns)  # type: ignore[arg-type]  # that is the test


def test_the_frames_of_a_real_log_are_understood() -> None:
    """What the fold makes of the wire's events is what the plot reads: speech, a cut reply, its unheard rest."""
    log, pcm = EventLog(), "A" * 64_000  # 48,000 bytes of PCM: one second
    about = {"response_id": "r", "item_id": "a", "output_index": 0, "content_index": 0}
    item = {"id": "a", "type": "message", "role": "assistant", "content": []}
    response = {"id": "r", "object": "realtime.response", "status": "in_progress", "output": []}
    wire: list[tuple[float, str, dict[str, Any]]] = [
        (1.0, "input_audio_buffer.speech_started", {"audio_start_ms": 700, "item_id": "u"}),
        (3.0, "input_audio_buffer.speech_stopped", {"audio_end_ms": 3000, "item_id": "u"}),
        (3.0, "input_audio_buffer.committed", {"item_id": "u"}),
        (3.1, "response.created", {"response": response}),
        (3.2, "response.output_item.added", {"response_id": "r", "output_index": 0, "item": item}),
        *((3.5 + at / 10, "response.output_audio.delta", {"delta": pcm} | about) for at in range(4)),
        (6.0, "response.done", {"response": response | {"status": "cancelled"}}),
        (6.0, "conversation.item.truncated", {"item_id": "a", "content_index": 0, "audio_end_ms": 2500}),
    ]
    for t_s, kind, fields in wire:
        text = json.dumps({"type": kind, "event_id": "event_1"} | fields)
        log.append("received", decode_server(text), t_s, len(text))
    frames = History(log, model("gpt-realtime-mini"))
    line = time_line(frames.history, frames.turns, frames.events)
    assert (line.heard.start_s[0], line.heard.end_s[0]) == pytest.approx((3.5, 6.0))
    assert line.unheard.end_s[0] == pytest.approx(7.5)
    assert line.cuts.tolist() == pytest.approx([6.0])
    assert (line.voice.start_s[0], line.voice.end_s[0]) == pytest.approx((0.7, 3.0))
    assert np.isfinite(line.waits.end_s).all()
    assert drawn(plots.timeline(frames.history, frames.turns, frames.events), "interrupted") == 1
