"""Many inputs, many settings: rows for all of them, whatever happens to one."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import realtime_nb as rt
from realtime_nb import comparison, errors
from realtime_nb.batching import COLUMNS
from realtime_nb.testing.server import Reply, ScriptedServer
from realtime_nb.turn import Turn

SOUND = rt.Audio.tone(440, 0.5).to_pcm16()
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server that echoes how often it was asked."""
    with ScriptedServer(*(Reply(f"Answer {n}.", audio=SOUND) for n in range(1, 9))) as each:
        yield each


# ---------------------------------------------------------------- batch
def test_each_input_is_a_row(server: ScriptedServer) -> None:
    """One row an input, in order, each answered in a session of its own."""
    frame = rt.batch(["One?", ("Two?", rt.Audio.tone(440, 0.3))], to=server.url, parallel=1, log=False)
    assert frame.text.tolist() == ["Answer 1.", "Answer 2."]
    assert frame.input[0] == "One?"
    assert frame.status.tolist() == ["completed"] * 2
    assert frame.audio_s.tolist() == [0.5, 0.5]
    assert (frame.cost_usd > 0).all()
    assert frame.error.isna().all()
    assert len(server.paths) == 2
    server.wait_for_end()


@pytest.mark.parametrize("one", ["Hello.", b"Hello.", Path("a.wav"), rt.Audio.tone(440, 0.3), {"a": "b"}])
def test_one_input_is_no_list(one: Any) -> None:
    """A text is not asked letter by letter, nor a sound sample by sample."""
    with pytest.raises(errors.ConfigError, match="takes a list"):
        rt.batch(one, to="ws://127.0.0.1:9/v1/realtime", log=False)


@pytest.mark.parametrize("options", [{"voic": "marin"}, {"tier": 9}, {"budget_usd": "1"}])
def test_options_that_are_wrong_for_all_are_an_error(options: Any) -> None:
    """Nothing is asked, and the error is what ``rt.connect`` says."""
    with pytest.raises(errors.ConfigError, match=next(iter(options))):
        rt.batch(["One?", "Two?"], to="ws://127.0.0.1:9/v1/realtime", log=False, **options)


def test_an_empty_batch_has_the_same_columns(server: ScriptedServer) -> None:
    """Columns and dtypes are the same when nothing was asked."""
    full, empty = (rt.batch(inputs, to=server.url, log=False) for inputs in (["One?"], []))
    assert full.columns.tolist() == empty.columns.tolist() == ["input", *COLUMNS]
    assert full[list(COLUMNS)].dtypes.equals(empty[list(COLUMNS)].dtypes)


def test_what_fails_is_a_row(server: ScriptedServer) -> None:
    """A bad input and a failed response have their errors; the others are answered."""
    server._replies.insert(1, Reply(error=("boom", "No.")))
    frame = rt.batch(["One?", "no-such-file.wav", "Two?", "Three?"], to=server.url, parallel=1, log=False)
    assert frame.status.tolist() == ["completed", "failed", "failed", "completed"]
    assert "AudioError" in frame.error[1]
    assert "TurnFailed" in frame.error[2]


def test_a_generator_that_fails_is_a_row(server: ScriptedServer) -> None:
    """Whatever an input raises is its own error: what was answered before it, and comes after it, is there."""

    def broken() -> Iterator[bytes]:
        yield bytes(1920)
        raise ValueError("no microphone")

    frame = rt.batch(["One?", broken(), "Two?"], to=server.url, parallel=1, log=False)
    assert frame.status.tolist() == ["completed", "failed", "completed"]
    assert frame.error[1] == "ValueError: no microphone"


def test_a_disk_that_fails_ends_no_batch(server: ScriptedServer, tmp_path: Path) -> None:
    """What cannot be written is a warning; the answers are given all the same."""
    (tmp_path / "results.jsonl").mkdir()
    with pytest.warns(UserWarning, match="not kept"):
        frame = rt.batch(["One?", "Two?"], to=server.url, log=False, folder=tmp_path)
    assert frame.status.tolist() == ["completed", "completed"]


def test_a_server_that_is_not_there_is_a_row() -> None:
    """No connection: the row says so."""
    frame = rt.batch(["One?"], to="ws://127.0.0.1:9/v1/realtime", log=False)
    assert frame.error[0].startswith("ConnectError")


def test_a_batch_goes_on_where_it_stopped(server: ScriptedServer, tmp_path: Path) -> None:
    """With a folder, only what has no good answer is asked again; the sounds are files."""
    server._replies.insert(1, Reply(error=("boom", "No.")))
    options: dict[str, Any] = {"to": server.url, "parallel": 1, "log": False, "folder": tmp_path}
    first = rt.batch(["One?", "Two?"], **options)
    assert first.status.tolist() == ["completed", "failed"]
    with (tmp_path / "results.jsonl").open("a") as torn:
        torn.write('{"key": "abc')
    second = rt.batch(["One?", "Two?", "Three?"], **options)
    assert second.text.tolist() == ["Answer 1.", "Answer 2.", "Answer 3."]
    assert len(server.of_type("response.create")) == 4
    assert rt.Audio.read(tmp_path / second.audio[0]).duration_s == 0.5
    third = rt.batch(["One?", "Two?", "Three?"], **options)
    pd.testing.assert_frame_equal(third, second)
    assert rt.batch(["One?"], **options, instructions="Otherwise.").text[0] == "Answer 4."


def test_what_a_generator_gives_is_never_known(server: ScriptedServer, tmp_path: Path) -> None:
    """Two of them are not the same, nor is what cannot be said; each has its own answer, in every run."""
    options: dict[str, Any] = {"to": server.url, "parallel": 1, "folder": tmp_path, "turn_detection": None}
    for first in (1, 3):
        inputs = [iter([bytes(9600)]), iter([bytes(9600)]), "no-such-file.wav"]
        frame = rt.batch(inputs, **options, log=False)
        assert frame.status.tolist() == ["completed", "completed", "failed"]
        assert frame.text.tolist()[:2] == [f"Answer {first}.", f"Answer {first + 1}."]
        assert frame.audio.nunique() == 2


def test_a_function_that_is_made_again_is_the_same(server: ScriptedServer, tmp_path: Path) -> None:
    """A notebook that is run again, in another kernel too, asks nothing that has its answer."""

    def made() -> Any:
        def weather(city: str) -> str:
            """The weather in a city."""
            return city

        return weather

    for tool in (made(), made()):
        frame = rt.batch(["One?"], to=server.url, folder=tmp_path, log=False, tools=[tool])
        assert frame.text[0] == "Answer 1."


def test_a_key_is_never_written(server: ScriptedServer, tmp_path: Path) -> None:
    """What is kept has no key in it."""
    rt.batch(["One?"], to=server.url, folder=tmp_path, api_key="sk-test-CANARY-0123456789", log=False)
    assert "CANARY" not in (tmp_path / "results.jsonl").read_text()


def test_a_budget_is_for_all_together(server: ScriptedServer) -> None:
    """Once the budget is spent, the rest is refused before it is asked for."""
    frame = rt.batch(["One?", "Two?", "Three?"], to=server.url, budget_usd=0.0044, log=False)
    assert frame.status.tolist() == ["completed", "completed", "failed"]
    assert "BudgetExceeded" in frame.error[2]
    assert len(server.of_type("response.create")) == 2


def test_what_was_spent_is_summed_up_as_it_is_spent(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each answer the cost is asked for the budget once, and once for its row, however many there were before."""
    asked: list[object] = []
    found = Turn.cost_usd.fget  # type: ignore[attr-defined]  # a property
    monkeypatch.setattr(Turn, "cost_usd", property(lambda turn: (asked.append(turn), found(turn))[1]))
    rt.batch([f"Question {n}?" for n in range(8)], to=server.url, budget_usd=1.0, log=False)
    assert len(asked) == 2 * 8


def test_an_interrupt_keeps_what_is_done() -> None:
    """The kernel's Interrupt ends the batch; what was answered is there, the rest is cancelled."""
    with ScriptedServer(Reply("Answer 1."), Reply("Half", end="hang")) as server:
        threading.Thread(target=press_when, args=(server,)).start()
        frame = rt.batch(["One?", "Two?", "Three?"], to=server.url, parallel=1, log=False)
        server.wait_for_end()
    assert frame.status.tolist() == ["completed", "cancelled", "cancelled"]
    assert frame.text[0] == "Answer 1."


def press_when(server: ScriptedServer) -> None:
    """Press Interrupt once the second response is asked for."""
    server.wait_for("response.create", 2)
    os.kill(os.getpid(), signal.SIGINT)


def test_no_more_sessions_than_said(server: ScriptedServer) -> None:
    """``parallel`` is how many sessions there are at a time; it must be a number of them."""
    seen: list[int] = []
    server.on["response.create"] = lambda _event: seen.append(len(server._peers))
    rt.batch([f"{n}?" for n in range(6)], to=server.url, parallel=2, log=False)
    assert len(seen) == 6
    assert max(seen) <= 2
    with pytest.raises(errors.ConfigError, match="parallel=0"):
        rt.batch(["One?"], to=server.url, parallel=0)


# ---------------------------------------------------------------- compare
def test_every_combination_is_tried(server: ScriptedServer) -> None:
    """All combinations, in order; each is a row with what was varied."""
    found = rt.compare(
        "Hello.", over={"voice": ["marin", "cedar"], "output_modalities": ["audio", "text"]}, to=server.url, log=False
    )
    frame = found.frame
    assert list(zip(frame.voice, frame.output_modalities, strict=True)) == [
        ("marin", "audio"), ("marin", "text"), ("cedar", "audio"), ("cedar", "text"),
    ]  # fmt: skip
    assert frame.text.tolist() == [f"Answer {n}." for n in range(1, 5)]
    assert [update["session"]["audio"]["output"]["voice"] for update in server.of_type("session.update")] == [
        "marin", "marin", "cedar", "cedar",
    ]  # fmt: skip
    assert len(found) == 4
    assert found[0] is not None
    assert found[0].text == "Answer 1."
    assert "marin" in repr(found)


def test_a_setting_that_is_refused_is_a_row(server: ScriptedServer) -> None:
    """A model that is not known, or a value that is refused, is a row with its error."""
    found = rt.compare("Hello.", over={"model": ["gpt-realtime-mini", "gpt-banana"]}, to=server.url, log=False)
    assert found.frame.status.tolist() == ["completed", "failed"]
    assert "gpt-banana" in found.frame.error[1]
    assert found.turns[1] is None


@pytest.mark.parametrize("give", [lambda sound, _: sound, lambda sound, path: sound.save(path)], ids=["clip", "file"])
def test_turn_detection_hears_a_stream(server: ScriptedServer, tmp_path: Path, give: Callable[..., Any]) -> None:
    """Where turn detection is varied, a sound is streamed, a file's too; without detection it is committed."""
    question = give(rt.Audio.tone(300, 0.3), tmp_path / "question.wav")
    found = rt.compare(question, over={"turn_detection": [None]}, to=server.url, log=False)
    assert found.frame.status.tolist() == ["completed"]
    assert found.frame.turn_detection.tolist() == ["None"]
    assert server.of_type("input_audio_buffer.append")
    assert server.of_type("input_audio_buffer.commit")


def test_a_model_without_a_price_has_none_in_the_gallery() -> None:
    """Its tokens are counted, and no dollars that are no number."""
    row = {"status": "completed", "input_tokens": 2, "output_tokens": 3, "cost_usd": float("nan")}
    assert comparison._facts(row) == "completed · 2 + 3 tokens"


def test_the_gallery_has_players_and_escapes() -> None:
    """Each answer is a card with its player; what a model or a label says is never markup."""
    with ScriptedServer(Reply(EVIL, audio=SOUND), Reply("Fine.")) as server:
        found = rt.compare("Hello.", over={"instructions": [EVIL, "Be brief."]}, to=server.url, log=False)
    html = found._repr_html_()
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html
    assert html.count("<audio") == 1
    assert "Fine." in html


@pytest.mark.parametrize(
    ("over", "options", "words"),
    [
        ({}, {}, "nothing to vary"),
        ({"voice": "marin"}, {}, "a list"),
        ({"voice": []}, {}, "a list"),
        ({"voice": ["marin"]}, {"voice": "cedar"}, "both"),
        ({"voic": ["marin", "cedar"]}, {}, "voice"),
    ],
)
def test_what_to_vary_must_make_sense(over: Any, options: Any, words: str) -> None:
    """Nothing, no list, or a setting twice: an error with a line that runs."""
    with pytest.raises(errors.ConfigError, match=words):
        rt.compare("Hello.", over=over, **options)
