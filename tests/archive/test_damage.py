"""What a crash or a bad disk leaves: all that was acknowledged is there, and what is not is told by its line."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from realtime_nb.archive import SavedHistory, Writer, open_history
from realtime_nb.archive.lines import Line
from realtime_nb.archive.reader import Damage, LineFile

Keep = Callable[[Any], Path]
KILLS = 50
WRITERS = """
import os, signal, sys
from pathlib import Path
from realtime_nb.archive import Header, Writer
from realtime_nb.history import Entry
from realtime_nb.models import model
from realtime_nb.protocol.events import InputAudioBufferCommit

header = Header(session_id="s", brain="b", begun="", card=model("local"))

def write(folder, acknowledge):
    writer = Writer(Path(folder), header)
    for number in range(10**9):
        event = InputAudioBufferCommit(event_id=f"event_{number}")
        seq = writer.add(Entry(number / 1000, "sent", event, 50))
        os.write(acknowledge, b"%d\\n" % seq)

for line in sys.stdin:
    after, folder = line.strip().split(" ", 1)
    here, there = os.pipe()
    child = os.fork()
    if not child:
        write(folder, there)
    os.close(there)
    told = b""
    with os.fdopen(here, "rb", buffering=0) as pipe:
        while told.count(b"\\n") < int(after):
            told += pipe.read(1000)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        told += pipe.read()
    print(told.split(b"\\n")[-2].decode())
"""
"""Of each line of its input it makes a writer, and kills it when so many events were acknowledged; says how many."""


def opened(folder: Path) -> SavedHistory:
    """Open, warning or not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return open_history(folder)


def test_killed_at_any_point_no_acknowledged_event_is_lost(tmp_path: Path) -> None:
    """Fifty writers are killed at random points: what each had acknowledged is there, in order, without a gap."""
    chance = random.Random(5)
    points = [chance.randrange(1, 400) for _ in range(KILLS)]
    asked = "".join(f"{after} {tmp_path / str(kill)}\n" for kill, after in enumerate(points))
    done = subprocess.run([sys.executable, "-c", WRITERS], input=asked, capture_output=True, text=True, check=True)
    acknowledged = [int(line) for line in done.stdout.split()]
    assert len(acknowledged) == KILLS
    for kill, (count, after) in enumerate(zip(acknowledged, points, strict=True)):
        saved = opened(tmp_path / str(kill))
        ids = saved.events.event_id.tolist()
        assert len(ids) >= count >= after
        assert ids == [f"event_{n}" for n in range(len(ids))]


def test_a_last_line_torn_at_any_byte_is_dropped(talk: Any, keep: Keep) -> None:
    """Whatever is left of the last line, all lines before it are there, and the torn one is told by its number."""
    path = keep(talk) / "events.jsonl"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    before = sum(map(len, lines[:-1]))
    for size in range(before + 1, len(whole)):
        path.write_bytes(whole[:size])
        saved = opened(path.parent)
        assert [damage.line for damage in saved.damage] == [len(lines)]
        assert "torn" in saved.damage[0].problem
    path.write_bytes(whole[:before])
    assert not opened(path.parent).damage


ODD = b'{"line":"event","t_s":0.0,"direction":"sent","bytes":%d,"event":{"type":"response.create"},"seq":%d}'


@pytest.mark.parametrize(
    "rubbish",
    [
        *(b"rubbish", b"", b"\xff\xfe", b'{"line":"event"}', b"{}", b"null", b'{"a":"\r\r"'),
        *(ODD % (50, 99_999_999_999), ODD % (-1, 20)),
    ],
)
def test_a_damaged_line_is_left_out_and_told(talk: Any, keep: Keep, rubbish: bytes) -> None:
    """A line that cannot be read is told by its number, and so is the gap it leaves; all others are there."""
    path = keep(talk) / "events.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[20] = rubbish
    path.write_bytes(b"\n".join(lines))
    with pytest.warns(UserWarning, match="line 21"):
        saved = open_history(path.parent)
    assert {damage.line for damage in saved.damage} <= {21, 22}
    assert len(saved.events) == len(talk.log) - 1
    assert "damage line 21" in repr(saved)


def test_a_file_that_became_shorter_is_read_to_its_end(talk: Any, keep: Keep) -> None:
    """Whoever cuts a file that is open finds the lines before the cut, and no reader that waits for the rest."""
    path = keep(talk) / "events.jsonl"
    file, damage = LineFile(path.parent), list[Damage]()
    size = path.stat().st_size - 10
    os.truncate(path, size)
    lines = [line for lines in file.lines(Line, damage) for line in lines]
    assert len(lines) == path.read_bytes().count(b"\n") - 1
    assert len(damage) == 1


def test_a_line_longer_than_a_block_is_whole(talk: Any, keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little is read at a time, the frames are the same, and a torn end is told by its line."""
    path = keep(talk) / "events.jsonl"
    whole = open_history(path.parent).events
    monkeypatch.setattr("realtime_nb.archive.reader._BLOCK", 37)
    pd.testing.assert_frame_equal(open_history(path.parent).events, whole)
    path.write_bytes(path.read_bytes()[:-1])
    saved = opened(path.parent)
    assert [each.line for each in saved.damage] == [path.read_bytes().count(b"\n") + 1]
    assert len(saved.events) >= len(whole) - 1


def test_a_line_that_is_gone_is_told(talk: Any, keep: Keep) -> None:
    """Records are numbered: a missing one shows where it was."""
    path = keep(talk) / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:20] + lines[21:]))
    damage = opened(path.parent).damage
    assert [(each.line, each.problem) for each in damage] == [(21, "record 21 follows record 19")]


def test_a_line_that_comes_again_counts_once(talk: Any, keep: Keep) -> None:
    """A repeated record is left out."""
    path = keep(talk) / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:21] + lines[20:]))
    saved = opened(path.parent)
    assert len(saved.events) == len(talk.log)
    assert [each.line for each in saved.damage] == [22]


def test_a_write_that_fails_half_way_spoils_one_line(talk: Any, tmp_path: Path) -> None:
    """When the disk was full in the middle of a line, the next one begins on a new one."""
    writer = Writer(tmp_path / "talk", talk.header)
    write = os.write
    writer.add(talk.log[0])

    def half(file: int, data: bytes) -> int:
        write(file, data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.write", half)
        with pytest.raises(OSError, match="No space"):
            writer.add(talk.log[1])
    writer.add(talk.log[1])
    writer.close()
    saved = opened(tmp_path / "talk")
    assert len(saved.events) == 2
    assert [damage.line for damage in saved.damage] == [3]
