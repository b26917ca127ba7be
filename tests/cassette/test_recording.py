"""What is written: all of the wire, nothing of a key, and no file of anybody else."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb import errors
from realtime_nb.cassette.cut import cut, mend
from realtime_nb.cassette.mask import masked
from realtime_nb.cassette.match import same, same_sound
from realtime_nb.cassette.media import Shelf
from realtime_nb.cassette.writer import TrackWriter
from realtime_nb.testing.server import Reply, ScriptedServer

Kit = Any
Recorded = tuple[Path, Any]


def all_text(folder: Path) -> str:
    """All that is in it, as letters."""
    return "".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


def test_two_sessions_at_once_are_two_on_the_cassette(tmp_path: Path) -> None:
    """What is being recorded is there already: another session is added to it, and does not replace it meanwhile."""
    folder = tmp_path / "two.cassette"
    with (
        ScriptedServer(Reply("One."), Reply("Two.")) as server,
        rt.connect(server.url) as first,
        rt.connect(server.url) as second,
        first.record(folder),
    ):
        for mode in ("once", "all"):
            with pytest.raises(errors.ConfigError, match="record"):
                second.record(folder, mode=mode)
        with second.record(folder, mode="new"):
            first.say("First.")
            second.say("Second.")
    for number, text in enumerate(("First.", "Second."), 1):
        with rt.connect(f"cassette:{folder}?session={number}") as session:
            session.say(text)


@pytest.mark.skipif(os.name == "nt", reason="a file has no such lock there")
def test_what_another_process_records_is_left_whole(tmp_path: Path) -> None:
    """Its session is there already: another one is added to it, or refused; what was broken off is begun anew."""
    folder, nothing = tmp_path / "two.cassette", cast("Any", None)
    with ScriptedServer(Reply("One."), Reply("Two.")) as server, rt.connect(server.url) as session:
        code = "import sys; from pathlib import Path; from realtime_nb.cassette.writer import _claimed; "
        code += "file = _claimed(*map(Path, sys.argv[1:])); print(flush=True); sys.stdin.read()"
        folder.mkdir()
        files = [folder / "session-1.part", folder / "session-1.jsonl"]
        with Popen([sys.executable, "-c", code, *map(str, files)], stdin=PIPE, stdout=PIPE) as other:
            assert other.stdout is not None
            other.stdout.readline()
            for mode in ("once", "all"):
                with pytest.raises(errors.ConfigError, match="record"):
                    session.record(folder, mode=mode)
            with pytest.raises(errors.ConfigError, match="another process"):  # who looked a moment earlier
                TrackWriter(files[1], nothing)
            with session.record(folder, mode="new"):
                session.say("Hello.")
            other.kill()
        with session.record(folder, mode="all"):
            session.say("Hello.")
    assert sorted(path.name for path in folder.iterdir()) == ["session-1.jsonl"]


def test_the_lines_can_be_read_and_compared(recorded: Recorded) -> None:
    """A header that says who and when, then one JSON object a line, in the order of the wire; no line is sound."""
    folder = recorded[0]
    text = (folder / "session-1.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    header = lines[0]
    assert (header["line"], header["version"], header["session_id"]) == ("cassette", 1, "sess_1")
    assert header["card"]["name"] == header["brain"] == "gpt-realtime-mini"
    assert header["begun"].endswith("+00:00")
    assert lines[-1]["line"] == "end"
    events = [line for line in lines if line["line"] == "event"]
    assert len(events) == lines[-1]["events"] == len(recorded[1].frames["events"])
    assert [event["t_s"] for event in events] == sorted(event["t_s"] for event in events)
    assert max(map(len, text.splitlines()[1:])) < 3000


def test_whoever_answered_the_form_is_the_same(kit: Kit, stub_server: Any, tmp_path: Path) -> None:
    """Of a server that speaks as OpenAI's does, and of our own: the same lines, with the same fields."""

    def form(session: rt.Session, folder: Path) -> dict[str, set[str]]:
        with session.record(folder):
            session.say("Hello.")
            session.say(kit.speech)
        lines = map(json.loads, (folder / "session-1.jsonl").read_text().splitlines())
        return {line["line"]: set(line) - {"cut"} for line in lines}

    with ScriptedServer(*kit.script()) as server, rt.connect(server.url) as session:
        theirs = form(session, tmp_path / "theirs.cassette")
    with stub_server() as session:
        ours = form(session, tmp_path / "ours.cassette")
    assert ours == theirs
    assert set(ours) == {"cassette", "event", "sound", "end"}


def test_equal_sounds_are_kept_once(recorded: Recorded) -> None:
    """Two replies of one sound and a tone are two files."""
    assert len(list((recorded[0] / "media").iterdir())) == 2


def test_no_key_is_on_it(kit: Kit, tmp_path: Path) -> None:
    """Not that of the handshake, not one in the settings, not one in words; sizes stay what they were."""
    folder = tmp_path / "key.cassette"
    tool = {
        "type": "mcp",
        "server_label": "x",
        "server_url": "https://x.example",
        "authorization": f"Bearer {kit.canary}",
    }
    tool["headers"] = {"X-Token": "hunter2hunter2"}

    config: dict[str, Any] = {"tools": [tool]}
    opened = {"api_key": kit.canary, **config}
    with ScriptedServer(Reply(kit.canary)) as server, rt.connect(server.url, **opened) as session:
        with session.record(folder):
            turn = session.say(f"My key is {kit.canary}.")
        seen = kit.Seen(session, [turn])
        session.send({"type": "input_audio_buffer.clear"})  # after the recording: not on it
    assert kit.canary not in all_text(folder)
    assert "CANARY" not in all_text(folder)
    assert "hunter2" not in all_text(folder)
    with rt.connect(f"cassette:{folder}", **config) as session:
        turn = session.say(f"My key is {kit.canary}.")
        assert turn.text.startswith("sk-x")
        for name, frame in seen.frames.items():
            if name in {"events", "usage", "rate_limits"}:
                assert frame.to_json() == getattr(session, name).to_json()


def test_what_is_masked_keeps_its_length() -> None:
    """Keys in words, and all text under names that hold secrets."""
    text = '{"a": "sk-0123456789", "authorization": "abc", "headers": {"h": "zz", "n": 1}, "b": "task-force"}'
    assert (
        masked(text)
        == '{"a": "sk-xxxxxxxxxx", "authorization": "xxx", "headers": {"h": "xx", "n": 1}, "b": "task-force"}'
    )
    escaped = '{"authorization": "\\u0041bcdef"}'
    assert "bcdef" not in masked(escaped)


@given(st.binary(max_size=60), st.booleans(), st.booleans())
def test_what_is_cut_is_mended_to_the_letter(data: bytes, spaced: bool, spoken: bool) -> None:
    """Whatever the frame's form, it comes back as it was."""
    import base64

    sound = base64.b64encode(data).decode()
    frame = {
        "type": "response.output_audio.delta" if spoken else "response.output_text.delta",
        "delta": sound,
        "item": [{"audio": sound}, {"audio": ""}, {"audio": {"x": 1}}, {"audio": "no base64!"}],
        "image_url": f"data:image/png;base64,{sound}",
        "words": f'"audio":"{sound}" data:image/png;base64,{sound}',
    }
    text = json.dumps(frame, separators=(", ", ": ") if spaced else (",", ":"))
    rest, found = cut(text)
    assert mend(rest, lambda number: None if found[number] is None else found[number].data) == text
    if len(data) > 8:
        assert json.loads(rest)["item"][0]["audio"] == ""
        assert json.loads(rest)["words"] == frame["words"]


@given(st.binary(max_size=400), st.sampled_from(["flac", "bin", "png"]))
def test_a_shelf_gives_back_what_it_got(tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: str) -> None:
    """Any bytes, to the last: FLAC where that is exact, else as they are."""
    shelf = Shelf(tmp_path_factory.getbasetemp() / "shelf")
    assert shelf.get(shelf.put(data, kind)) == data


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
def test_g711_comes_back_to_the_letter(tmp_path: Path, kind: str) -> None:
    """Every code of the telephone's formats, those that mean the same too."""
    folder = tmp_path / "phone.cassette"
    sound = bytes(range(256))
    both = {"format": {"type": kind}}
    script = ScriptedServer(Reply("Hi.", audio=sound), session={"audio": {"input": both, "output": both}})
    with script as server, rt.connect(server.url) as live, live.record(folder):
        live.say("Hello.")
    with rt.connect(f"cassette:{folder}") as session_again:
        turn = session_again.say("Hello.")
        assert b"".join(turn.replies[0].state.audio) == sound


def test_pictures_are_kept_beside_the_lines(tmp_path: Path) -> None:
    """As the file they are; drawn a little otherwise, they still match; another picture is a miss."""
    folder = tmp_path / "figure.cassette"
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:48, 16:48] = 200
    with ScriptedServer(Reply("A square.")) as server, rt.connect(server.url) as session, session.record(folder):
        session.say("What is it?", picture)
    assert [path.suffix for path in (folder / "media").iterdir()] == [".png"]
    near = picture + 1
    for shown in (picture, near):
        with rt.connect(f"cassette:{folder}") as session:
            assert session.say("What is it?", shown).text == "A square."
    with rt.connect(f"cassette:{folder}") as session, pytest.raises(errors.CassetteMiss, match="bytes of image"):
        session.say("What is it?", 255 - picture)


def test_what_counts_as_the_same() -> None:
    """Words to the letter; a sound within -60 dBFS and of one length."""
    one = (np.sin(np.arange(2400) / 8) * 9000).astype("<i2")
    assert same_sound(one.tobytes(), (one + 1).tobytes())
    assert not same_sound(one.tobytes(), (one + 400).tobytes())
    assert not same_sound(one.tobytes(), one[:-1].tobytes())
    assert same({"a": [1, "x"]}, {"a": [1, "x"]})
    for other in ({"a": [1, "y"]}, {"a": [1]}, {"a": [True, "x"]}, {"b": [1, "x"]}, {"a": [1, "x"], "b": None}):
        assert not same({"a": [1, "x"]}, other)


# ---------------------------------------------------------------- where it is written
def test_nothing_is_recorded_over_without_being_asked(recorded: Recorded) -> None:
    """Once refuses, new adds a session, all replaces what was there and leaves no sound behind."""
    folder = recorded[0]
    with ScriptedServer(Reply("A."), Reply("B."), Reply("C.")) as server:
        with rt.connect(server.url) as session:
            with pytest.raises(errors.ConfigError, match="recorded over"):
                session.record(folder)
            with session.record(folder, mode="new"):
                session.say("First.")
        with rt.connect(f"cassette:{folder}?session=2") as session:
            assert session.say("First.").text == "A."
        with rt.connect(server.url) as session, session.record(folder, mode="all"):
            session.say("Second.")
    assert sorted(path.name for path in folder.rglob("*")) == ["media", "session-1.jsonl"]
    with rt.connect(f"cassette:{folder}") as session:
        assert session.say("Second.").text == "B."
    with pytest.raises(errors.CassetteError, match="1 sessions, and no 2"):
        rt.connect(f"cassette:{folder}?session=2")


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    """Whatever the mode."""
    (tmp_path / "thesis.txt").write_text("all my work")
    with ScriptedServer() as server, rt.connect(server.url) as session:
        for mode in ("once", "new", "all"):
            with pytest.raises(errors.ConfigError, match="left alone") as caught:
                session.record(tmp_path, mode=mode)
            assert caught.value.hint == f'session.record("{tmp_path.name}-2.cassette")'
        with pytest.raises(errors.ConfigError, match="records nothing"):
            session.record(tmp_path / "x", mode="none")
    assert (tmp_path / "thesis.txt").read_text() == "all my work"


def test_a_replay_is_not_recorded(kit: Kit, recorded: Recorded, tmp_path: Path) -> None:
    """The same lesson, with its ``record``, is played again without writing anything."""
    with rt.connect(f"cassette:{recorded[0]}") as session, session.record(tmp_path / "copy.cassette"):
        kit.lesson(session)
    assert not (tmp_path / "copy.cassette").exists()


def test_a_recording_that_begins_late_has_what_came_then(tmp_path: Path) -> None:
    """What was said before is not on it, what set the session up is; names of items go on as they did."""
    folder = tmp_path / "late.cassette"
    with ScriptedServer(Reply("A."), Reply("B.")) as server, rt.connect(server.url) as session:
        session.say("First.")
        session.update(instructions="Be brief.")
        with session.record(folder):
            session.say("Second.")
        item_id = session.history.item_id.iloc[2]
    with rt.connect(f"cassette:{folder}") as session:
        session.update(instructions="Be brief.")
        assert session.say("Second.").text == "B."
        assert session.history.item_id.iloc[0] == item_id


def test_the_awaitable_face_records_too(tmp_path: Path) -> None:
    """``async with await session.aio.record(...)``."""
    import asyncio

    folder = tmp_path / "aio.cassette"

    async def cell(session: rt.Session) -> None:
        async with await session.aio.record(folder) as recording:
            await session.aio.say("Hello.")
            assert "recording" in repr(recording)
        assert "done" in repr(recording)

    with ScriptedServer(Reply("A.")) as server, rt.connect(server.url) as session:
        asyncio.run(cell(session))
    with rt.connect(f"cassette:{folder}") as session:
        assert session.say("Hello.").text == "A."


def test_a_full_disk_ends_the_recording_and_not_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The conversation goes on; a warning says that nothing more is recorded."""
    from realtime_nb.cassette.writer import TrackWriter

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    with ScriptedServer(Reply("A.")) as server, rt.connect(server.url) as session:
        recording = session.record(tmp_path / "full.cassette")
        monkeypatch.setattr(TrackWriter, "frame", full)

        def go_on() -> str:
            text = session.say("Hello.").text
            recording.close()
            return text

        with pytest.warns(UserWarning, match="Nothing more is recorded"):
            assert go_on() == "A."
