"""What was kept comes back: the same frames and sounds, no secrets, and nothing from outside the folder."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb.archive import Recorder, Tape, Writer, open_history
from realtime_nb.archive.writer import read_sound
from realtime_nb.errors import AudioError, CassetteError, ConfigError
from realtime_nb.history import EventLog
from realtime_nb.plots import PlotAccessor

FRAMES = ("history", "turns", "usage", "events", "rate_limits")
Keep = Callable[[Any], Path]


@pytest.mark.parametrize("name", FRAMES)
def test_the_frames_are_the_same(talk: Any, keep: Keep, name: str) -> None:
    """Each frame of the opened conversation equals the session's, value by value and dtype by dtype."""
    saved = open_history(keep(talk))
    kept, lived = getattr(saved, name), getattr(talk.frames, name).replace({talk.key: "sk-…"}, regex=True)
    assert len(lived)
    pd.testing.assert_frame_equal(kept, lived)


@pytest.mark.parametrize("name", FRAMES)
def test_the_frames_do_not_depend_on_who_holds_the_texts(talk: Any, keep: Keep, name: str) -> None:
    """With pyarrow or without, a frame has the same values, and the same ones missing."""
    pytest.importorskip("pyarrow")
    saved = open_history(keep(talk))
    frames = []
    for storage in ("python", "pyarrow"):
        with pd.option_context("mode.string_storage", storage):
            frames.append(getattr(saved, name))
    first, second = (frame.astype(object).where(frame.notna(), None).to_dict("list") for frame in frames)
    assert first == second
    assert len(frames[0])


def test_sounds_come_back_bit_by_bit(talk: Any, keep: Keep) -> None:
    """Clip, streamed speech and reply are kept as they were, by the item they belong to."""
    sounds = open_history(keep(talk)).sounds
    assert list(sounds) == ["item_clip", "item_q0", "item_a0", "item_q1", "item_a1"]
    assert sounds["item_clip"].to_pcm16() == talk.tone[: 300 * 48]
    assert sounds["item_q1"].to_pcm16() == talk.tone[200 * 48 : 700 * 48]
    assert sounds["item_a0"].duration_s == 1.0
    line = sounds.lines["item_q0"]
    assert line.role == "user"
    assert 0.2 < line.start_s < 0.5


def test_a_sound_that_comes_twice_is_kept_once(talk: Any, keep: Keep) -> None:
    """Files are named by their content."""
    folder = keep(talk)
    assert len(list((folder / "audio").iterdir())) == 3
    assert not list((folder / "audio").glob("*.part"))


def test_secrets_stay_behind(talk: Any, keep: Keep) -> None:
    """No key is in the file, wherever it was said, and no sound."""
    text = (keep(talk) / "events.jsonl").read_text()
    assert talk.key not in text
    assert "CANARY" not in text
    assert "AQIDAQID" not in text


def test_only_its_owner_reads_it(talk: Any, keep: Keep) -> None:
    """Files are 0600, folders 0700."""
    folder = keep(talk)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert modes[folder / "audio"] == stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_none_is_written_over_another(talk: Any, keep: Keep) -> None:
    """A folder with a conversation is refused, and left as it was."""
    folder = keep(talk)
    before = (folder / "events.jsonl").read_bytes()
    with pytest.raises(ConfigError, match="none is written over another"):
        Writer(folder, talk.header)
    assert (folder / "events.jsonl").read_bytes() == before


def test_a_folder_at_home_is_opened_as_it_was_saved(talk: Any, keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    """``~`` is the home folder for both."""
    folder = keep(talk)
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(folder.parent))
    assert len(open_history(f"~/{folder.name}").turns) == 2


def test_a_conversation_is_followed(talk: Any, tmp_path: Path) -> None:
    """What was so far and what comes later is all in the file, each event once, as soon as it has come."""
    recorder = Recorder(Writer(tmp_path / "talk", talk.header), talk.log, talk.tape)
    recorder.follow()
    talk.go()
    assert len(open_history(tmp_path / "talk").events) == len(talk.log)
    recorder.close()
    recorder.close()
    talk.get("session.updated", session={"type": "realtime"})
    saved = open_history(tmp_path / "talk")
    assert len(saved.events) == len(talk.log) - 1
    assert not saved.damage


def test_a_broken_off_reply_is_kept(talk: Any, tmp_path: Path) -> None:
    """The sound of a reply that never ended is there, too."""
    recorder = Recorder(Writer(tmp_path / "talk", talk.header), talk.log, talk.tape)
    talk.answer("resp_9", "item_9", ends=False)
    recorder.close()
    assert open_history(tmp_path / "talk").sounds["item_9"].duration_s == 1.0


def test_a_full_disk_ends_the_keeping_not_the_talk(talk: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk is told once; the log goes on, and what was written opens."""
    recorder = Recorder(Writer(tmp_path / "talk", talk.header), talk.log, talk.tape)
    recorder.follow()
    kept = len(talk.log)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.write", full)
        with pytest.warns(UserWarning, match="No space left"):
            talk.go()
    recorder.close()
    assert len(open_history(tmp_path / "talk").events) == kept


@pytest.mark.parametrize("name", ["/etc/passwd", "../events.jsonl", "..", "", "a" * 64, f"{'a' * 64}.flac/../x"])
def test_only_names_of_sounds_are_opened(tmp_path: Path, name: str) -> None:
    """A path, absolute or upwards, is no name of a sound."""
    with pytest.raises(CassetteError, match="no name of a sound"):
        read_sound(tmp_path, name)


def test_a_changed_sound_is_refused(talk: Any, keep: Keep) -> None:
    """A file whose content is not what its name says is no longer the sound that was kept."""
    folder = keep(talk)
    saved = open_history(folder)
    path = folder / "audio" / saved.sounds.lines["item_a0"].file
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(CassetteError, match="was changed"):
        saved.sounds["item_a0"]


def test_what_it_says_of_itself(talk: Any, keep: Keep) -> None:
    """Its repr has the facts of the session; its plots are those of a session."""
    saved = open_history(keep(talk))
    assert "turns 2" in repr(saved)
    assert "sound 3.3 s" in repr(saved)
    assert repr(saved.sounds) == "5 sounds, 3.3 s"
    assert saved.card == talk.header.card
    assert (saved.id, saved.brain) == ("sess_1", "a model")
    assert isinstance(saved.plot, PlotAccessor)
    assert "<table" in saved._repr_html_()
    assert np.isfinite(saved.turns.cost_usd).all()


@pytest.mark.parametrize("text", ["", "{}\n", "[]\n", "rubbish\n", '{"version": 1}\n'])
def test_what_is_no_conversation_is_told(tmp_path: Path, text: str) -> None:
    """A folder without, or with another first line, is not opened."""
    with pytest.raises(CassetteError):
        open_history(tmp_path)
    (tmp_path / "events.jsonl").write_text(text)
    with pytest.raises(CassetteError):
        open_history(tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """The reader says that it is too old, and what to do."""
    (tmp_path / "events.jsonl").write_text('{"line":"header","version":99}\n')
    with pytest.raises(CassetteError, match="format 99") as caught:
        open_history(tmp_path)
    assert "upgrade" in str(caught.value)


def test_both_voices_are_one_plot(talk: Any, keep: Keep) -> None:
    """The user's and the model's sound lie on one time line, equally long, and the waveform shows them without more."""
    saved = open_history(keep(talk))
    user, model = saved.audio
    assert user.rate == model.rate == 24_000
    assert user.duration_s == model.duration_s > 3
    assert np.abs(user[:0.3].samples).max() > 0
    assert not np.abs(model[:0.3].samples).max()
    assert len(saved.plot.waveform().lines) + len(saved.plot.waveform().collections) >= 2


def test_a_written_conversation_has_no_voices(talk: Any, tmp_path: Path) -> None:
    """None, and the plot says that there is nothing to draw."""
    log = EventLog()
    Recorder(Writer(tmp_path / "quiet", talk.header), log, Tape(log)).close()
    saved = open_history(tmp_path / "quiet")
    assert saved.audio is None
    with pytest.raises(AudioError, match="needs a sound"):
        saved.plot.waveform()


def test_an_opened_conversation_outlives_its_folder(talk: Any, keep: Keep) -> None:
    """Frames that are read when asked for can still be read when the folder was deleted."""
    folder = keep(talk)
    saved = open_history(folder)
    shutil.rmtree(folder)
    assert len(saved.events) == len(talk.log) == len(list(saved.entries()))
