"""A cassette that is put in: the same code is recorded once and played from then on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb import errors
from realtime_nb.cassette import deck
from realtime_nb.testing.server import Reply, ScriptedServer

Kit = Any


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a new kernel knows of the environment's cassette: nothing."""
    monkeypatch.setattr(deck, "_environment", {})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """What ``rt.connect("openai")`` reaches."""
    with ScriptedServer(*(Reply(f"Answer {number}.") for number in range(9))) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url.removesuffix("/realtime"))
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
        yield server


class Kernel:
    """Runs a lesson as a new kernel would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
        self._monkeypatch = monkeypatch
        self._path = path

    def run(self, mode: str, *words: str, **config: Any) -> list[str]:
        """A session for each text, all alike."""
        self._monkeypatch.setenv("REALTIME_NB_CASSETTE", str(self._path))
        self._monkeypatch.setenv("REALTIME_NB_RECORD", mode)
        self._monkeypatch.setattr(deck, "_environment", {})
        return self.go_on(*words, **config)

    def go_on(self, *words: str, **config: Any) -> list[str]:
        """More sessions in the same kernel."""
        answers = []
        for each in words:
            with rt.connect("openai", **config) as session:
                answers.append(session.say(each).text)
        return answers


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kernel:
    """With a cassette that is not there yet."""
    return Kernel(monkeypatch, tmp_path / "lesson.cassette")


def test_once_records_and_then_plays(kernel: Kernel, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second kernel reaches nobody, needs no key, and gets the same answers."""
    first = kernel.run("once", "One?", "Two?")
    assert len(server.headers) == 2
    monkeypatch.delenv("OPENAI_API_KEY")
    assert kernel.run("once", "One?", "Two?") == first == ["Answer 0.", "Answer 1."]
    assert kernel.run("none", "One?", "Two?") == first
    assert kernel.go_on("One?", "Two?") == first  # all cells once more, in the same kernel
    assert len(server.headers) == 2


def test_none_without_a_cassette_says_what_to_do(kernel: Kernel, server: ScriptedServer) -> None:
    """Nothing is connected to, and the hint names the variable."""
    with pytest.raises(errors.CassetteError, match="is not there") as caught:
        kernel.run("none", "One?")
    assert "REALTIME_NB_RECORD=once" in str(caught.value.hint)
    assert not server.headers


def test_none_is_the_default(kernel: Kernel, monkeypatch: pytest.MonkeyPatch, server: ScriptedServer) -> None:
    """A cassette without a mode is played."""
    with pytest.raises(errors.CassetteError, match="'none'"):
        kernel.run("", "One?")
    assert not server.headers


def test_once_does_not_add(kernel: Kernel, server: ScriptedServer) -> None:
    """A session that was opened otherwise is a miss, with both settings."""
    kernel.run("once", "One?")
    with pytest.raises(errors.CassetteMiss, match="was opened like this") as caught:
        kernel.run("once", "One?", instructions="Be brief.")
    assert "Be brief." in caught.value.diff
    assert len(server.headers) == 1


def test_new_adds_what_is_not_there(kernel: Kernel, server: ScriptedServer) -> None:
    """A session opened otherwise, or once more, is recorded beside the others, which are played."""
    kernel.run("once", "One?")
    assert kernel.run("new", "One?", "Two?") == ["Answer 0.", "Answer 1."]
    assert kernel.run("new", "One?", instructions="Be brief.") == ["Answer 2."]
    assert len(server.headers) == 3
    assert kernel.run("none", "One?", "Two?") == ["Answer 0.", "Answer 1."]
    assert kernel.run("none", "One?", instructions="Be brief.") == ["Answer 2."]


def test_new_begins_a_cassette(kernel: Kernel, server: ScriptedServer) -> None:
    """Where there is none yet."""
    assert kernel.run("new", "One?") == kernel.run("none", "One?") == ["Answer 0."]
    assert len(server.headers) == 1


def test_all_records_anew(kernel: Kernel, server: ScriptedServer) -> None:
    """What was there is gone, all of it."""
    kernel.run("once", "One?", "Two?")
    assert kernel.run("all", "One?") == ["Answer 2."]
    assert kernel.run("none", "One?") == ["Answer 2."]
    with pytest.raises(errors.CassetteMiss):
        kernel.run("none", "One?", "Two?")
    assert len(server.headers) == 3


def test_the_header_names_the_place_without_keys(kernel: Kernel, tmp_path: Path, server: ScriptedServer) -> None:
    """A URL with a token in it is kept without."""
    import json

    kernel.run("once", "One?")
    with rt.connect("cassette:" + str(tmp_path / "lesson.cassette")) as session:
        assert session.say("One?").text == "Answer 0."
    header = json.loads((tmp_path / "lesson.cassette" / "session-1.jsonl").read_text().splitlines()[0])
    assert (header["to"], header["model"]) == ("openai", None)
    opening = deck.Opening.of("wss://user:pass@host/v1/realtime?token=secret", None, {}, bare=True)
    assert opening.to == "wss://host/v1/realtime"
    assert server.headers


def test_sessions_have_their_place_by_the_order_of_the_calls(tmp_path: Path) -> None:
    """The connection that comes about last may be the one that was asked for first."""
    cassette = deck.Deck(tmp_path / "many.cassette", "once")
    slots = [cassette.slot(deck.Opening.of(None, None, {}, bare=True)) for _ in range(3)]
    assert [slot.number for slot in slots] == [1, 2, 3]
    with ScriptedServer(Reply("C."), Reply("B."), Reply("A.")) as server:
        for slot, words in zip(reversed(slots), "cba", strict=True):
            with rt.connect(server.url) as session:
                slot.record(session.actor.link, session_id="s", brain="b", card=session.card)
                session.say(words)
    for number, words in enumerate("abc", start=1):
        with rt.connect(f"cassette:{tmp_path / 'many.cassette'}?session={number}") as session:
            assert session.say(words).text == f"{words.upper()}."


def test_an_unknown_mode_is_told(kernel: Kernel) -> None:
    """With the modes there are."""
    with pytest.raises(errors.ConfigError, match="none, once, new, all"):
        kernel.run("sometimes", "One?")


def test_options_go_with_the_path(kernel: Kernel, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """``REALTIME_NB_CASSETTE=lesson.cassette?match=lenient``."""
    kernel.run("once", "One?")
    kernel._path = Path(f"{kernel._path}?match=lenient")
    assert kernel.run("none", "Something else?") == ["Answer 0."]
    assert len(server.headers) == 1


def test_a_session_that_nobody_closes_is_whole(tmp_path: Path) -> None:
    """A kernel that ends makes its recording whole."""
    import os
    import subprocess
    import sys

    source = """
import realtime_nb as rt
from realtime_nb.testing.server import Reply, ScriptedServer
server = ScriptedServer(Reply("One.", audio=bytes(48_000))).__enter__()
session = rt.connect(server.url, model="gpt-realtime-mini")
print(session.say("Hello.").text)
"""
    env = {**os.environ, "REALTIME_NB_CASSETTE": str(tmp_path / "end.cassette"), "REALTIME_NB_RECORD": "once"}
    subprocess.run([sys.executable, "-c", source], check=True, env=env, timeout=60, capture_output=True)
    with rt.connect(f"cassette:{tmp_path / 'end.cassette'}") as session:
        assert session.say("Hello.").text == "One."
