"""``realtime-nb replay``: a cassette on a terminal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb import replay
from realtime_nb.cli import main
from realtime_nb.testing.server import Reply, ScriptedServer

Recorded = tuple[Path, Any]


def test_the_conversation_is_told_as_it_went(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    """Who said what, the functions that were called, and what it came to; no socket and no model is needed."""
    assert main(["replay", str(recorded[0])]) == 0
    shown = capsys.readouterr().out
    parts = (
        "lesson1.cassette/session-1.jsonl: gpt-realtime-mini",
        "you: Hello.",
        "model: One.",
        "you: (a sound)",
        "model: Two.",
        'model: add({"a":',
        "function: 3",
        "model: Three.",
        "turns  5",
        "by the model's card",
    )
    places = [shown.find(part) for part in parts]
    assert -1 not in places, shown
    assert places == sorted(places)


def test_a_script_gets_one_object_a_session(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    """``--json`` prints what the frames say, and nothing else."""
    assert main(["replay", "--json", str(recorded[0])]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    told, frames = json.loads(line), recorded[1].frames
    assert told["turns"] == len(frames["turns"])
    assert told["tokens"] == frames["usage"].tokens.sum()
    assert told["cost_usd"] == pytest.approx(frames["turns"].cost_usd.sum())
    assert told["conversation"][0] == {"role": "user", "words": "Hello."}


def test_real_speed_waits_as_long_as_it_took(
    recorded: Recorded, only_in: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """``--speed real`` by the cassette's clock, ``2x`` half of it, and by default nobody waits."""
    waits: list[float] = []
    only_in(replay, "time", sleep=waits.append)
    took_s = float(recorded[1].frames["events"].t_s.iloc[-1])
    for speed, factor in (("real", 1.0), ("2x", 0.5), ("fast", 0.0)):
        waits.clear()
        assert main(["replay", "--speed", speed, str(recorded[0])]) == 0
        assert sum(waits) == pytest.approx(took_s * factor)
    assert capsys.readouterr().out


def test_what_cannot_be_played_is_told(recorded: Recorded, capsys: pytest.CaptureFixture[str]) -> None:
    """A cassette that was changed, and a speed that is none, end with an error and what to try."""
    for wrong in (["--speed", "quick", str(recorded[0])], [str(recorded[0] / "nothing")]):
        assert main(["replay", *wrong]) != 0
        assert "Try: " in capsys.readouterr().err
    track = recorded[0] / "session-1.jsonl"
    track.write_text(track.read_text().replace("Two.", "Too."))
    assert main(["replay", str(recorded[0])]) != 0
    assert "it was changed" in capsys.readouterr().err


def test_what_a_model_says_cannot_move_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters are shown, not obeyed."""
    folder = tmp_path / "rude.cassette"
    with ScriptedServer(Reply("\x1b[2JGone.")) as server, rt.connect(server.url) as session, session.record(folder):
        session.say("Hello.")
    assert main(["replay", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "Gone." in shown
    assert "\x1b" not in shown
