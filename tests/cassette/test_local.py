"""The embedded engine, recorded once and played again without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb import local

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("engine_weights")]

Kit = Any


def conversation(session: rt.Session, data: Path) -> list[rt.Turn]:
    """A clip, a live stream with voice detection, a typed question, and one beside the conversation."""
    question = rt.Audio.read(data / "question.wav")
    return [
        session.say(question),
        session.say(question.chunks(0.04)),
        session.say("Name one river of Africa."),
        session.say("And one of Asia?", response={"conversation": "none", "output_modalities": ["text"]}),
    ]


@pytest.fixture
def recorded_engine(kit: Kit, data: Path, tmp_path: Path) -> tuple[Path, Any]:
    """The conversation with the real engine, which is gone after it."""
    folder = tmp_path / "engine.cassette"
    with rt.connect("local", instructions="Answer in one short sentence.") as session:
        with session.record(folder):
            turns = conversation(session, data)
        seen = kit.Seen(session, turns)  # when the recording is whole, all is there that belongs to the last answer
    rt.local.stop()
    return folder, seen


def test_twenty_replays_of_the_engine_are_equal(
    kit: Kit, data: Path, recorded_engine: tuple[Path, Any], no_network: None
) -> None:
    """Frames, reprs and latencies of the real engine come back byte for byte, without a socket or an engine."""
    folder, seen = recorded_engine
    for _ in range(20):
        with rt.connect(f"cassette:{folder}") as session:
            seen.same(kit.Seen(session, conversation(session, data)))
            assert session.brain != session.card.name
    assert local.running() == []
