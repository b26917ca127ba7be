"""A conversation as files: what is in them, and that words stay words."""

from __future__ import annotations

import base64
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

import realtime_nb as rt
from realtime_nb import plots
from realtime_nb.archive import SavedHistory, open_history
from realtime_nb.archive.markdown import plain
from realtime_nb.archive.mix import RATE
from realtime_nb.audio.player import HUES
from realtime_nb.errors import AudioError, ConfigError, MissingExtra
from realtime_nb.testing.server import Reply, ScriptedServer


@pytest.fixture
def saved(talk: Any, keep: Callable[[Any], Path]) -> SavedHistory:
    """The conversation, opened."""
    return open_history(keep(talk))


def test_each_voice_is_on_its_side_when_it_spoke(saved: SavedHistory) -> None:
    """The user is left, the model right; each sound lies where it was on the clock, from the first one on."""
    lanes = saved.mix()
    lines = saved.sounds.lines
    first_s = lines["item_clip"].start_s
    for item_id, side in (("item_clip", 0), ("item_q0", 0), ("item_a0", 1), ("item_q1", 0)):
        at = round((lines[item_id].start_s - first_s) * RATE)
        sound = np.frombuffer(saved.sounds[item_id].to_pcm16(), "<i2")
        assert (lanes[at : at + len(sound), side] == sound).all(), item_id
    assert not lanes[: round(0.2 * RATE), 1].any()


def test_a_cut_reply_is_as_long_as_it_was_heard(talk: Any, keep: Callable[[Any], Path]) -> None:
    """What the listener did not hear is not in the mix."""
    talk.get("conversation.item.truncated", item_id="item_a1", content_index=0, audio_end_ms=400)
    cut = open_history(keep(talk))
    start_s = cut.sounds.lines["item_a1"].start_s - cut.sounds.lines["item_clip"].start_s
    assert len(cut.mix()) == pytest.approx((start_s + 0.4) * RATE, abs=2)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_the_mix_is_a_stereo_file(saved: SavedHistory, tmp_path: Path, suffix: str) -> None:
    """It has two channels of 16 bits."""
    path = saved.export(tmp_path / f"mix{suffix}")
    info = soundfile.info(path)
    assert (info.channels, info.samplerate, info.subtype) == (2, RATE, "PCM_16")


def test_a_silent_conversation_has_no_mix(tmp_path: Path) -> None:
    """A written one says so."""
    with ScriptedServer(Reply("One.")) as server, rt.connect(server.url, output_modalities="text") as session:
        session.say("Hello.")
        with pytest.raises(AudioError, match="Nothing was said aloud"):
            session.export(tmp_path / "mix.wav")


@pytest.mark.parametrize("name", ["history", "turns", "usage", "events", "rate_limits", "what_if"])
def test_a_frame_is_a_table(saved: SavedHistory, tmp_path: Path, name: str) -> None:
    """A file named after a frame has that frame; another has the one that is asked for."""
    rows = pd.read_csv(saved.export(tmp_path / f"{name}.csv"))
    assert rows.columns.tolist() == getattr(saved, name).columns.tolist()
    assert len(rows) == len(getattr(saved, name))
    assert pd.read_csv(saved.export(tmp_path / "x.csv", frame=name)).equals(rows)


def test_parquet_needs_pyarrow(saved: SavedHistory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it, the line that mends it is told."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match="pip install pyarrow"):
        saved.export(tmp_path / "turns.parquet")


def test_a_frame_is_a_parquet_file(saved: SavedHistory, tmp_path: Path) -> None:
    """Columns and values come back."""
    pytest.importorskip("pyarrow")
    rows = pd.read_parquet(saved.export(tmp_path / "turns.parquet"))
    assert rows.columns.tolist() == saved.turns.columns.tolist()
    assert rows.response_id.tolist() == saved.turns.response_id.tolist()


def test_the_transcript_is_markdown(saved: SavedHistory, tmp_path: Path) -> None:
    """Who said what, in order; markup that was said shows as it was said."""
    text = saved.export(tmp_path / "talk.md").read_text()
    assert re.findall(r"^\*\*(\w+):\*\*", text, re.MULTILINE) == ["You", "You", "Model", "You", "Model"]
    assert "&lt;b&gt;What&lt;/b&gt; is next?" in text
    assert "<b>" not in text
    assert plain("[a](javascript:x) `$y$`\n# z") == "\\[a\\]\\(javascript\\:x\\) \\`\\$y\\$\\`  \n\\# z"


def test_code_that_was_said_keeps_its_indent_in_markdown() -> None:
    """After an empty line, too, where four spaces would make a block of its own, backslashes and all."""
    assert plain("def f(x):\n\n    return x*2") == "def f\\(x\\)\\:  \n&nbsp;  \n" + "&nbsp;" * 4 + "return x\\*2"


def test_the_report_is_one_file_without_scripts(saved: SavedHistory, tmp_path: Path) -> None:
    """It has players, plots and frames, asks nothing of the network, and what was said is text in it."""
    text = saved.export(tmp_path / "talk.html").read_text()
    assert text.count("<audio ") == 5
    assert text.count("data:image/png;base64,") == 7
    assert "&lt;b&gt;What&lt;/b&gt;" in text
    assert "<b>What" not in text
    assert "<script" not in text
    assert not re.findall(r'(?:src|href)="(?!data:)', text)
    assert "default-src 'none'" in text


def test_the_report_is_on_light_paper(saved: SavedHistory, tmp_path: Path) -> None:
    """In a dark notebook, too: each plot is on the paper of the page, and each player in the hue of its voice."""
    with plots.theme("dark"):
        text = saved.export(tmp_path / "talk.html").read_text()
    pictures = [base64.b64decode(data) for data in re.findall(r"data:image/png;base64,([^\"]+)", text)]
    papers = {Image.open(io.BytesIO(picture)).convert("RGB").getpixel((1, 1)) for picture in pictures}
    assert papers == {(255, 255, 255)}
    waves = [base64.b64decode(data).decode() for data in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", text)]
    assert [next(voice for voice, hue in HUES.items() if hue in wave) for wave in waves] == [
        "user" if role == "user" else "model" for role in saved.history.dropna(subset="audio_s").role
    ]


def test_a_reply_of_which_nothing_was_heard_is_reported(talk: Any, keep: Callable[[Any], Path], tmp_path: Path) -> None:
    """There is its sound, but no time line of sound; the other plots are there."""
    talk = type(talk)()  # an empty one
    talk.open()
    talk.answer("resp_1", "item_1", ends=False)
    talk.get("conversation.item.truncated", item_id="item_1", content_index=0, audio_end_ms=0)
    saved = open_history(keep(talk))
    assert len(saved.sounds) == 1
    text = saved.export(tmp_path / "talk.html").read_text()
    assert text.count("data:image/png;base64,") == 6


def test_other_suffixes_and_frames_are_refused(saved: SavedHistory, tmp_path: Path) -> None:
    """The errors say what there is."""
    with pytest.raises(ConfigError, match=r"not as \.docx"):
        saved.export(tmp_path / "talk.docx")
    with pytest.raises(ConfigError, match="no frame 'turn'"):
        saved.export(tmp_path / "talk.csv", frame="turn")


@pytest.mark.parametrize("name", ["talk.wav", "talk.flac", "turns.csv", "turns.parquet", "talk.md", "talk.html"])
def test_a_folder_that_is_not_there_is_told_with_the_line_that_makes_it(
    saved: SavedHistory, tmp_path: Path, name: str
) -> None:
    """In the same words, whatever writes the file."""
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        saved.export(tmp_path / "none" / name)
    assert caught.value.hint is not None
    exec(caught.value.hint, {"Path": Path})  # noqa: S102 - the remedy runs
    assert saved.export(tmp_path / "none" / name).exists()


def test_a_session_exports_itself(tmp_path: Path) -> None:
    """While it is open, as it is now, and leaves nothing else behind."""
    with ScriptedServer(Reply("One.", audio=bytes(24_000))) as server, rt.connect(server.url) as session:
        session.say(rt.Audio.tone(440, 0.25))
        sound, rate = soundfile.read(session.export(tmp_path / "talk.wav"))
    assert rate == RATE
    assert np.abs(sound[:6000, 0]).max() > 0.1
    assert [path.name for path in tmp_path.iterdir()] == ["talk.wav"]
