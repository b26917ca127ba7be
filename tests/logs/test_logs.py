"""Sessions are kept by default, told once, given up when old, and never in the way."""

from __future__ import annotations

import gc
import os
import shutil
import stat
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import realtime_nb as rt
from realtime_nb.archive import Header, Writer
from realtime_nb.cli import main
from realtime_nb.errors import ConfigError
from realtime_nb.logs import shelf
from realtime_nb.models import model
from realtime_nb.testing.server import Reply, ScriptedServer

KEY = "sk-test-CANARY-0123456789"
HALF_S = bytes(24_000)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where sessions are kept in this test."""
    monkeypatch.setenv("REALTIME_NB_LOG", str(tmp_path / "logs"))
    return tmp_path / "logs"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """It answers three times."""
    with ScriptedServer(*(Reply(f"Answer {n}.", audio=HALF_S) for n in (1, 2, 3))) as server:
        yield server


def old(root: Path, name: str, size: int = 0) -> Writer:
    """A session that was kept, and is not yet closed."""
    writer = Writer(root / name, Header(session_id="s", brain="b", begun="2026-01-01", card=model("local")))
    (root / name / "audio" / "x.flac").write_bytes(bytes(size))
    return writer


def until(state: Callable[[], bool]) -> None:
    """Wait for it."""
    end = time.monotonic() + 30
    while not state():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_session_is_kept_without_being_asked(root: Path, server: ScriptedServer) -> None:
    """What was said is there after the close: every frame and every sound, without the key, for its owner only."""
    with rt.connect(server.url, api_key=KEY) as session:
        session.say(f"My key is {KEY}.")
    (kept,) = rt.logs.sessions()
    saved = rt.open_history(kept.path)
    for name in ("usage", "rate_limits"):
        pd.testing.assert_frame_equal(getattr(saved, name), getattr(session, name))
    assert saved.turns.output.tolist() == ["Answer 1."]
    assert [sound.duration_s for sound in saved.sounds.values()] == [0.5]
    assert KEY not in (kept.path / "events.jsonl").read_text()
    assert {stat.S_IMODE(each.stat().st_mode) for each in (root, kept.path)} == {0o700}
    assert not kept.running


@pytest.mark.parametrize("value", ["0", "off", "No"])
def test_one_switch_turns_it_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment says no, and there is no place."""
    monkeypatch.setenv("REALTIME_NB_LOG", value)
    assert rt.logs.folder() is None
    assert rt.logs.sessions() == []


def test_one_session_can_be_left_out(root: Path, server: ScriptedServer) -> None:
    """``log=False`` writes nothing at all."""
    with rt.connect(server.url, log=False) as session:
        session.say("Hello.")
    assert not root.exists()


def test_where_it_is_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the user's data folder; nowhere on a machine that only runs tests."""
    monkeypatch.delenv("REALTIME_NB_LOG")
    monkeypatch.delenv("CI", raising=False)
    assert "realtime-nb" in str(rt.logs.folder())
    monkeypatch.setenv("CI", "true")
    assert rt.logs.folder() is None
    monkeypatch.setenv("REALTIME_NB_LOG", "1")
    assert rt.logs.folder() is not None


def test_it_is_told_once(root: Path, server: ScriptedServer, capsys: pytest.CaptureFixture[str]) -> None:
    """The first session says where and how to turn it off; the second is silent, and a file says all of it."""
    rt.connect(server.url).close()
    first = capsys.readouterr()
    assert str(root) in first.err
    assert "REALTIME_NB_LOG=0" in first.err
    assert not first.out
    rt.connect(server.url).close()
    assert not capsys.readouterr().err
    assert (root / "README.txt").read_text() == shelf.STORED


def test_a_place_that_cannot_be_written_is_a_warning(
    tmp_path: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session goes on without a log."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REALTIME_NB_LOG", str(tmp_path / "file" / "logs"))
    with pytest.warns(UserWarning, match="not kept"), rt.connect(server.url) as session:
        assert session.say("Hello.").text == "Answer 1."


def wait_for_words(root: Path, words: str) -> None:
    """Wait until the log's own thread has written them."""
    end = time.monotonic() + 30
    while not any(words in path.read_text(encoding="utf-8") for path in root.glob("*/events.jsonl")):
        assert time.monotonic() < end, f"{words!r} was not written"
        time.sleep(0.01)


def test_a_full_disk_is_one_warning(root: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session goes on; what was kept before stays."""

    def full(*_args: object) -> int:
        raise OSError(28, "No space left on device")

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with rt.connect(server.url) as session:
            session.say("Hello.")
            wait_for_words(root, "Answer 1.")
            monkeypatch.setattr(Writer, "add", full)
            assert session.say("And?").text == "Answer 2."
            assert session.say("And?").text == "Answer 3."
    assert len([each for each in told if "no longer kept" in str(each.message)]) == 1
    assert rt.open_history(rt.logs.sessions()[0].path).history.text.tolist()[0] == "Hello."


def test_the_session_never_waits_for_the_disk(
    root: Path, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a write hangs, turns go on and the session ends; when it no longer does, all is written, in order."""
    free, real = threading.Event(), Writer.add

    def slow(self: Writer, entry: object) -> int:
        assert free.wait(60)
        return real(self, entry)  # type: ignore[arg-type] - an entry

    monkeypatch.setattr(Writer, "add", slow)
    with rt.connect(server.url) as session:
        assert session.say("Hello.").text == "Answer 1."
    free.set()
    until(lambda: not rt.logs.sessions()[0].running)
    saved = rt.open_history(rt.logs.sessions()[0].path)
    assert not saved.damage
    assert len(saved.events) == len(session.events)


def test_a_session_that_nobody_holds_ends_its_log(root: Path, server: ScriptedServer) -> None:
    """Its last reply is there, and nobody writes to it any more."""
    session = rt.connect(server.url)
    session.say("Hello.")
    del session
    until(lambda: gc.collect() >= 0 and not rt.logs.sessions()[0].running)
    assert rt.open_history(rt.logs.sessions()[0].path).turns.output.tolist() == ["Answer 1."]


def test_the_oldest_go_first_and_running_ones_never(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the cap the oldest are deleted, but for those that are written to."""
    running = old(root, "20260101-000000-a", 600_000)
    for name in ("20260102-000000-b", "20260103-000000-c", "20260104-000000-d"):
        old(root, name, 600_000).close()
    (root / "not a session").mkdir()
    monkeypatch.setenv("REALTIME_NB_LOG_MB", "1.5")
    rt.logs.make_room(root)
    assert [kept.name[-1] for kept in rt.logs.sessions()] == ["d", "c", "a"]
    running.close()
    rt.logs.make_room(root)
    assert [kept.name[-1] for kept in rt.logs.sessions()] == ["d", "c"]
    assert (root / "not a session").exists()


def test_what_runs_is_not_deleted(root: Path) -> None:
    """It is refused, with the reason."""
    writer = old(root, "20260101-000000-a")
    assert rt.logs.find("2026").running
    with pytest.raises(ConfigError, match="goes on"):
        rt.logs.delete(rt.logs.find("2026"))
    writer.close()
    rt.logs.delete(rt.logs.find("2026"))
    assert rt.logs.sessions() == []


def test_who_looks_takes_no_lock_from_who_writes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While others look whether a session goes on, it is marked all the same, and nobody who looks is taken for it."""
    fcntl = pytest.importorskip("fcntl")
    flock, looks = fcntl.flock, []

    def looked_at(file: int, how: int) -> None:
        if not looks:
            looks.append(os.open(root / "20260101-0" / "events.jsonl", os.O_RDONLY))
            flock(looks[0], fcntl.LOCK_SH)
            if not how & fcntl.LOCK_NB:
                threading.Thread(target=os.close, args=looks).start()
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", looked_at)
    running = old(root, "20260101-0")
    assert shelf.find("20260101-0").running
    running.close()
    looks.append(os.open(root / "20260101-0" / "events.jsonl", os.O_RDONLY))
    flock(looks[1], fcntl.LOCK_SH)
    assert not shelf.find("20260101-0").running
    os.close(looks[1])


def test_what_goes_while_it_is_looked_at_is_passed_over(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process writes and makes room, too: a file or a whole session that is gone is no error."""
    for name in ("20260101-0", "20260101-1"):
        old(root, name, 1000).close()
    walk = os.walk

    def vanish(path: Path) -> Iterator[Any]:
        for found in walk(path):
            if found[2] == ["x.flac"]:
                (Path(found[0]) / "x.flac").unlink()
            yield found

    monkeypatch.setattr(os, "walk", vanish)
    assert [kept.name for kept in shelf.sessions()] == ["20260101-1", "20260101-0"]
    is_file = Path.is_file

    def gone(path: Path) -> bool:
        there = is_file(path)
        if "20260101-0" in path.parts:
            shutil.rmtree(root / "20260101-0", ignore_errors=True)
        return there

    monkeypatch.setattr(Path, "is_file", gone)
    monkeypatch.setenv("REALTIME_NB_LOG_MB", "0.000001")
    shelf.make_room(root)
    assert shelf.sessions() == []


def test_the_command_line(root: Path, server: ScriptedServer, capsys: pytest.CaptureFixture[str]) -> None:
    """List, show, search, path and delete do what they say, and drive no terminal."""
    with rt.connect(server.url) as session:
        session.say("Name three \x1b[31mrivers.")
    name = rt.logs.sessions()[0].name
    capsys.readouterr()
    for arguments, words in (
        (["list"], name),
        (["show"], "Model: Answer 1."),
        (["show", name], "You: Name three \N{REPLACEMENT CHARACTER}[31mrivers."),
        (["search", "RIVERS"], name),
        (["path"], str(root)),
        (["path", "last"], str(root / name)),
        (["delete", name], "deleted"),
        (["list"], "Nothing is kept yet."),
    ):
        assert main(["logs", *arguments]) == 0
        assert words in capsys.readouterr().out
    assert main(["logs", "search", "rivers"]) == 1
    assert main(["logs", "show", "nothing"]) == 1
    assert main(["logs", "delete"]) == 1
    assert "--all" in capsys.readouterr().err


def test_the_help_says_what_is_stored(capsys: pytest.CaptureFixture[str]) -> None:
    """In the same words as the file beside the sessions."""
    with pytest.raises(SystemExit):
        main(["logs", "--help"])
    assert shelf.STORED in capsys.readouterr().out
