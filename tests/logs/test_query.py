"""Many sessions at once, in SQL: the right rows, nothing written, and errors in words."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

import realtime_nb as rt
from realtime_nb.errors import ConfigError, MissingExtra
from realtime_nb.testing.server import Reply, ScriptedServer

pytest.importorskip("duckdb")
pytest.importorskip("pyarrow")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two sessions were kept: one of two turns, one of one."""
    monkeypatch.setenv("REALTIME_NB_LOG", str(tmp_path / "logs"))
    with ScriptedServer(*(Reply(f"Answer {n}.", audio=bytes(9600)) for n in (1, 2, 3))) as server:
        for questions in (("One?", "Two?"), ("Three?",)):
            with rt.connect(server.url) as session:
                for question in questions:
                    session.say(question)
    return tmp_path / "logs"


def test_one_query_sees_all_sessions(root: Path) -> None:
    """Turns, items, tokens, events and limits of both, each told apart by its session."""
    counts = rt.sql("select session_id, count(*) as n from turns group by 1 order by n")
    assert counts.n.tolist() == [1, 2]
    assert rt.sql("select text from history where role = 'user' order by text").text.tolist() == [
        "One?",
        "Three?",
        "Two?",
    ]
    joined = rt.sql("select model, sum(tokens) as t from usage join sessions using (session_id) group by model")
    assert joined.model.tolist() == ["gpt-realtime-mini"]
    assert joined.t[0] > 0
    assert rt.sql("select count(distinct session_id) as n from events").n[0] == 2
    assert rt.sql("select count(*) as n from rate_limits").n[0] >= 0


def test_values_are_parameters(root: Path) -> None:
    """By place and by name; what is in them is no SQL."""
    query = "select output from turns where input = ?"
    assert rt.sql(query, ["Two?"]).output.tolist() == ["Answer 2."]
    assert rt.sql("select output from turns where input = $said", {"said": "Three?"}).output.tolist() == ["Answer 3."]
    assert rt.sql(query, ["' or 1=1 --"]).empty


def test_folders_can_be_given(root: Path) -> None:
    """One conversation, several, or a folder of them; the same one twice counts once."""
    first, second = sorted(path for path in root.iterdir() if path.is_dir())
    count = "select count(*) as n from turns"
    assert rt.sql(count, folders=first).n[0] + rt.sql(count, folders=str(second)).n[0] == 3
    assert rt.sql(count, folders=[first, second, root]).n[0] == 3
    with pytest.raises(ConfigError, match="no saved conversation"):
        rt.sql(count, folders=first / "audio")


def test_a_session_saved_many_times_is_many(root: Path, tmp_path: Path) -> None:
    """Folders of one name are told apart, too: no row is joined to another copy's."""
    kept = next(path for path in root.iterdir() if path.is_dir())
    copies = [shutil.copytree(kept, tmp_path / day / "talk") for day in ("mon", "tue", "wed")]
    assert rt.sql("select count(distinct session_id) as n from sessions", folders=copies).n[0] == 3


def test_without_sessions_there_are_empty_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A query works before there is anything to find."""
    monkeypatch.setenv("REALTIME_NB_LOG", str(tmp_path))
    assert rt.sql("select * from turns").columns.tolist()[:3] == ["session_id", "turn", "response_id"]
    assert rt.sql("select * from sessions").empty


@pytest.mark.parametrize(
    ("query", "match"),
    [
        ("delete from turns", "only read"),
        ("select 1; select 2", "one select"),
        ("", "one select"),
        ("selct 1", "cannot be answered"),
        ("select nothing from turns", "nothing"),
        ("select * from tunrs", "sessions, history, turns"),
        ("attach 'x.db'", "only read"),
        ("copy turns to 'x.csv'", "only read"),
        ("select * from read_csv('/etc/passwd')", "cannot be answered"),
        ("select * from '/etc/passwd'", "cannot be answered"),
        ("select * from hidden", "cannot be answered"),
    ],
)
def test_what_is_no_question_is_refused(root: Path, query: str, match: str) -> None:
    """Nothing is written, no file and no variable is read, and the message names the tables."""
    hidden = rt.sql("select 1 as a")  # noqa: F841 - a query must not see it
    with pytest.raises(ConfigError, match=match):
        rt.sql(query)


def test_a_session_that_cannot_be_read_is_left_out(root: Path) -> None:
    """It is told by its name, and the others answer."""
    broken = min(path for path in root.iterdir() if path.is_dir())
    (broken / "events.jsonl").write_text("rubbish\n")
    with pytest.warns(UserWarning, match=f"{broken.name} is left out"):
        assert len(rt.sql("select distinct session_id from turns")) == 1


def test_without_duckdb_the_pip_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is optional fails with the line that installs it."""
    find = importlib.util.find_spec
    missing = SimpleNamespace(find=lambda name: None if name == "duckdb" else find(name))
    monkeypatch.setattr("realtime_nb.logs.query.find_spec", missing.find)
    with pytest.raises(MissingExtra, match=r"needs duckdb[\s\S]*realtime-nb\[sql\]"):
        rt.sql("select 1")
