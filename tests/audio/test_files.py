"""Sound files in and out."""

from __future__ import annotations

import io
import struct
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.audio import Audio, files, lag_s, snr_db
from realtime_nb.errors import AudioError

DATA = Path(__file__).parents[1] / "data"
SPEECH = DATA / "goforward.wav"


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".WAV"])
def test_lossless_files_give_every_sample_back(tmp_path: Path, suffix: str) -> None:
    """A recording saved as WAV or FLAC and read again is the same value."""
    clip = Audio.read(SPEECH)
    assert Audio.read(clip.save(tmp_path / f"clip{suffix}")) == clip


@pytest.mark.parametrize(("suffix", "at_least_db"), [(".ogg", 8), (".opus", 8), (".mp3", 10)])
def test_lossy_files_give_the_same_sound_back(tmp_path: Path, suffix: str, at_least_db: float) -> None:
    """Ogg Vorbis, Ogg Opus and MP3 keep rate, length, place and shape of speech."""
    clip = Audio.read(SPEECH)
    back = Audio.read(clip.save(tmp_path / f"clip{suffix}"))
    assert back.rate == clip.rate
    assert back.duration_s == pytest.approx(clip.duration_s, abs=0.05)
    assert abs(lag_s(clip, back)) < 0.002
    assert snr_db(clip, back) > at_least_db


def test_a_path_a_file_and_its_bytes_are_the_same_sound() -> None:
    """Text, Path, open file, BytesIO, bytes, bytearray and memoryview all read."""
    data = SPEECH.read_bytes()
    with SPEECH.open("rb") as file:
        clips = [
            Audio.read(s)
            for s in (str(SPEECH), SPEECH, file, io.BytesIO(data), data, bytearray(data), memoryview(data))
        ]
    assert len(set(clips)) == 1


def test_stereo_is_averaged(tmp_path: Path) -> None:
    """A file of two channels becomes their mean."""
    path = tmp_path / "stereo.wav"
    soundfile.write(path, np.array([[0.5, 0.0]] * 100), 48_000, subtype="FLOAT")
    assert set(Audio.read(path).samples.tolist()) == {0.25}


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"])
def test_every_kind_of_wav_is_read(tmp_path: Path, subtype: str) -> None:
    """8 to 64 bits, whole or float, or G.711 inside: the tone has its level."""
    tone = Audio.tone(300, 0.2, 8_000)
    path = tmp_path / "tone.wav"
    soundfile.write(path, tone.samples, 8_000, subtype=subtype)
    assert Audio.read(path).level_dbfs == pytest.approx(tone.level_dbfs, abs=0.2)


def test_a_streamed_wav_whose_header_promises_gigabytes_is_read() -> None:
    """Speech APIs stream WAV with a length of 0xFFFFFFFF; what is there is read."""
    pcm16 = Audio.tone(440, 0.5).to_pcm16()
    header = b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 24_000, 48_000, 2, 16)
    assert Audio.read(header + b"data\xff\xff\xff\xff" + pcm16).to_pcm16() == pcm16


def test_floats_over_full_scale_in_a_file_clip(tmp_path: Path) -> None:
    """A float WAV that was recorded too hot is cut at full scale."""
    path = tmp_path / "hot.wav"
    soundfile.write(path, np.array([2.0, -3.0, 0.5]), 24_000, subtype="FLOAT")
    assert Audio.read(path).samples.tolist() == [1.0, -1.0, 0.5]


def test_nan_in_a_file_is_refused(tmp_path: Path) -> None:
    """A float WAV with NaN is no sound."""
    path = tmp_path / "nan.wav"
    soundfile.write(path, np.array([0.0, np.nan]), 24_000, subtype="FLOAT")
    with pytest.raises(AudioError, match="NaN"):
        Audio.read(path)


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    """A misspelt name is met with the file that is there."""
    Audio.silence(0.1).save(tmp_path / "question.wav")
    with pytest.raises(AudioError, match="does not exist") as caught:
        Audio.read(tmp_path / "qestion.wav")
    assert caught.value.hint == f"rt.Audio.read({str(tmp_path / 'question.wav')!r})"


@pytest.mark.parametrize(
    "data",
    [b"", b"hello, I am text and no sound at all", b"RIFF", SPEECH.read_bytes()[:20], SPEECH.read_bytes()[:44]],
    ids=["nothing", "text", "four bytes", "half a header", "header alone"],
)
def test_what_is_no_sound_is_refused(tmp_path: Path, data: bytes) -> None:
    """Nothing, text and headers without samples give an AudioError with a hint, from bytes and from a file."""
    path = tmp_path / "x.wav"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(AudioError) as caught:
            Audio.read(source)
        assert caught.value.hint
        assert " at 0x" not in str(caught.value)


def test_a_flac_cut_in_half_is_refused() -> None:
    """A broken download is an error where the file can tell."""
    data = files.encode_file(Audio.read(SPEECH).samples, 16_000, ".flac")
    with pytest.raises(AudioError, match="no sound that can be read"):
        Audio.read(data[: len(data) // 2])


@settings(deadline=None, max_examples=60)
@given(
    suffix=st.sampled_from([".wav", ".flac", ".ogg", ".opus"]),
    flips=st.lists(st.integers(0, 10**6), max_size=9),
    data=st.data(),
)
def test_a_broken_file_is_a_shorter_sound_or_an_audio_error(suffix: str, flips: list[int], data: st.DataObject) -> None:
    """Whatever is flipped or cut, no other exception comes out, and the sound is finite."""
    broken = bytearray(_encoded(suffix))
    for at in flips:
        broken[at % len(broken)] ^= 0xFF
    try:
        clip = Audio.read(broken[: data.draw(st.integers(0, len(broken)))])
    except AudioError:
        return
    assert np.isfinite(clip.samples).all()


@cache
def _encoded(suffix: str) -> bytes:
    return files.encode_file(Audio.tone(300, 0.3, 16_000).samples, 16_000, suffix)


def test_an_m4a_is_named_and_the_hint_converts_it() -> None:
    """A phone's recording is MP4/AAC, which libsndfile does not read."""
    with pytest.raises(AudioError, match="MP4/AAC") as caught:
        Audio.read(b"\0\0\0\x20ftypM4A " + bytes(100))
    assert "ffmpeg" in (caught.value.hint or "")


@pytest.mark.parametrize("source", [None, 3, 2.5, object(), io.StringIO("text")])
def test_what_is_no_source_is_refused(source: object) -> None:
    """Numbers, nothing and text files are named by their type."""
    with pytest.raises(AudioError, match="is no sound file"):
        Audio.read(source)  # type: ignore[arg-type]  # on purpose


def test_a_longer_sound_than_a_session_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading stops at the limit, whatever the file still holds; the limit itself is allowed."""
    monkeypatch.setattr(files, "MAX_READ_S", 1)
    fits = files.encode_file(np.zeros(8_000, np.float32), 8_000, ".flac")
    too_long = files.encode_file(np.zeros(8_001, np.float32), 8_000, ".flac")
    assert Audio.read(fits).duration_s == 1.0
    with pytest.raises(AudioError, match="longer than"):
        Audio.read(too_long)


@pytest.mark.parametrize("name", ["clip", "clip.m4a", "clip.txt"])
def test_an_unknown_suffix_is_refused(tmp_path: Path, name: str) -> None:
    """The kinds that can be written are listed."""
    with pytest.raises(AudioError, match=r"\.wav, \.flac, \.ogg, \.opus, \.mp3"):
        Audio.silence(0.1).save(tmp_path / name)


@pytest.mark.parametrize(("name", "hint"), [("clip.opus", "resample(48_000)"), ("clip.mp3", "resample(48_000)")])
def test_a_rate_the_file_cannot_hold_is_refused(tmp_path: Path, name: str, hint: str) -> None:
    """The rate is not changed behind one's back; the hint changes it."""
    with pytest.raises(AudioError, match="96,000 Hz") as caught:
        Audio.silence(0.1, 96_000).save(tmp_path / name)
    assert hint in (caught.value.hint or "")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    """The hint makes the folder."""
    with pytest.raises(AudioError, match="cannot be written") as caught:
        Audio.silence(0.1).save(tmp_path / "no" / "clip.wav")
    assert "mkdir" in (caught.value.hint or "")


def test_a_long_vorbis_does_not_kill_the_kernel(tmp_path: Path) -> None:
    """Given a minute in one call, libsndfile 1.2.2 ends the process, so it is given them in blocks."""
    long = Audio.silence(90, 48_000)
    assert Audio.read(long.save(tmp_path / "long.ogg")).duration_s == pytest.approx(90)
