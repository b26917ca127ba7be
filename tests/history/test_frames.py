"""The frames: their columns, and what a session looks like in them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from realtime_nb.history import Entry, EventLog, History
from realtime_nb.history.schema import EVENTS, HISTORY, RATE_LIMITS, TURNS, USAGE
from realtime_nb.models import model
from realtime_nb.protocol import events as ev

NAMES = ["history", "turns", "usage", "events", "rate_limits"]
HOUSE = {
    "history": "item_id, turn, role, type, status, text, transcript, audio_s, image, call_id, name, arguments, output, "
    "created_s",
    "turns": "turn, response_id, status, reason, input, output, input_s, output_s, speech_end_s, first_text_ms, "
    "first_audio_ms, total_ms, input_tokens, cached_tokens, output_tokens, cost_usd, interrupted_at_ms",
    "usage": "turn, response_id, direction, modality, cached, tokens, usd_per_1m, cost_usd",
    "events": "t_s, direction, type, event_id, item_id, response_id, bytes, payload",
    "rate_limits": "t_s, name, limit, remaining, reset_s",
}


@pytest.mark.parametrize("name", NAMES)
def test_columns(name: str, wire: Any) -> None:
    """Each frame has the columns of the house, in order, empty and full, with the same dtypes and a plain index."""
    empty = getattr(wire.frames, name)
    wire.text_turn(1, at=1.0)
    full = getattr(wire.frames, name)
    assert ", ".join(empty.columns) == ", ".join(full.columns) == HOUSE[name]
    assert empty.dtypes.equals(full.dtypes)
    assert len(empty) == 0
    assert len(full) > 0
    assert full.index.equals(pd.RangeIndex(len(full)))


@pytest.mark.parametrize("table", [HISTORY, TURNS, USAGE, EVENTS, RATE_LIMITS])
def test_dtypes_do_not_depend_on_the_rows(table: Any) -> None:
    """A row of nothing has the dtypes of no row."""
    assert table.frame([{}]).dtypes.equals(table.frame([]).dtypes)
    assert table.frame([{}]).isna().all(axis=None)


def test_a_written_turn(wire: Any) -> None:
    """A written turn is two items, one response timed from ``response.create``, priced by the card."""
    wire.text_turn(1, at=1.0)
    history = wire.frames.history
    assert history["item_id"].tolist() == ["u1", "a1"]
    assert history["turn"].tolist() == [1, 1]
    assert history["role"].tolist() == ["user", "assistant"]
    assert history["status"].tolist() == ["completed", "completed"]
    assert history["text"].tolist() == ["question 1", "answer 1"]
    assert history["transcript"].isna().all()
    assert history["audio_s"].isna().all()
    turn = wire.frames.turns.iloc[0]
    assert (turn["status"], turn["input"], turn["output"]) == ("completed", "question 1", "answer 1")
    assert turn[["first_text_ms", "total_ms"]].tolist() == pytest.approx([200, 300])
    assert turn[["speech_end_s", "first_audio_ms", "reason", "interrupted_at_ms"]].isna().all()
    assert turn[["input_tokens", "cached_tokens", "output_tokens"]].tolist() == [20, 0, 10]
    assert turn["cost_usd"] == pytest.approx((20 * 0.6 + 10 * 2.4) / 1e6)
    usage = wire.frames.usage
    assert usage[["direction", "modality", "cached", "tokens", "usd_per_1m"]].to_numpy().tolist() == [
        ["input", "text", False, 20, 0.6],
        ["output", "text", False, 10, 2.4],
    ]
    assert usage["cost_usd"].sum() == pytest.approx(turn["cost_usd"])
    assert wire.frames.rate_limits.to_numpy().tolist() == [[pytest.approx(1.3), "tokens", 40_000, 39_000, 1.5]]


def test_answers_so_far(wire: Any) -> None:
    """A response that is still under way has a row with what came so far."""
    wire.type("hello", "u1", at=1.0)
    wire.send(ev.ResponseCreate())
    wire.begin("r1", 1.1)
    wire.open("r1", "a1", previous="u1")
    wire.delta("output_text", "r1", "a1", "Good ", 1.2)
    wire.delta("output_text", "r1", "a1", "day", 1.3)
    turn = wire.frames.turns.iloc[0]
    assert (turn["status"], turn["output"]) == ("in_progress", "Good day")
    assert pd.isna(turn["total_ms"])
    assert pd.isna(turn["cost_usd"])
    assert wire.frames.history["status"].tolist() == ["completed", "in_progress"]


def test_every_event_is_a_row(wire: Any) -> None:
    """The events frame has each event with its ids, its size on the wire and who sent it."""
    wire.text_turn(1, at=1.0)
    events = wire.frames.events
    assert len(events) == len(wire.log)
    assert events["t_s"].is_monotonic_increasing
    assert set(events["direction"]) == {"sent", "received"}
    by_type = events.set_index("type")
    assert by_type.loc["response.create", "event_id"] == "c1"
    assert by_type.loc["response.done", "response_id"] == "r1"
    assert by_type.loc["response.output_text.delta", ["item_id", "response_id"]].tolist() == ["a1", "r1"]
    assert by_type.loc["conversation.item.create", "item_id"] == "u1"
    assert (events["bytes"] > 0).all()


class Counting(EventLog):
    """A log that tells how many of its entries were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def since(self, position: int) -> list[Entry]:
        """The entries, counted."""
        entries = list(super().since(position))
        self.read += len(entries)
        return entries


def test_only_new_events_are_folded(wire: Any) -> None:
    """However often a frame is asked for, each event is folded once: growth is linear."""
    wire.log = Counting()
    wire.frames = History(wire.log, model("gpt-realtime-mini"))
    for number in range(1, 21):
        wire.text_turn(number, at=float(number))
        for _ in range(3):
            assert len(wire.frames.history) == 2 * number
            assert len(wire.frames.turns) == number
            assert len(wire.frames.usage) == 2 * number
            assert len(wire.frames.rate_limits) == number
    assert wire.log.read == len(wire.log)
    assert len(wire.frames.events) == len(wire.log)
    assert len(wire.frames.events) == len(wire.log)
    assert wire.log.read == 2 * len(wire.log)


def test_asking_early_changes_nothing(wire: Any) -> None:
    """Frames asked for after every event end up the same as frames asked for once."""
    wire.text_turn(1, at=1.0)
    wire.text_turn(2, at=2.0)
    log = EventLog()
    eager = History(log, model("gpt-realtime-mini"))
    for entry in wire.log:
        log.append(entry.direction, entry.event, entry.t_s, entry.bytes)
        for name in NAMES:
            getattr(eager, name)
    for name in NAMES:
        pd.testing.assert_frame_equal(getattr(eager, name), getattr(wire.frames, name))


def test_frames_are_the_callers(wire: Any) -> None:
    """Changing a frame does not change the next one."""
    wire.text_turn(1, at=1.0)
    for name in NAMES:
        before = getattr(wire.frames, name)
        mine = getattr(wire.frames, name)
        mine.loc[0, mine.columns[-1]] = None
        mine["more"] = 1
        pd.testing.assert_frame_equal(getattr(wire.frames, name), before)


def test_repr(wire: Any) -> None:
    """The reprs say how much there is."""
    wire.text_turn(1, at=1.0)
    assert repr(wire.frames) == f"History({len(wire.log)} events, 2 items, 1 turns)"
    assert repr(wire.log) == f"EventLog(2 sent, {len(wire.log) - 2} received)"
