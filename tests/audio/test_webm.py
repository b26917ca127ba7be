"""What a browser's recorder hands over."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.audio import Audio, lag_s, snr_db, webm
from realtime_nb.errors import AudioError

DATA = Path(__file__).parents[1] / "data"
RECORDED = (DATA / "goforward.webm").read_bytes()


def test_a_recording_of_chromium_is_the_speech_that_was_played() -> None:
    """The WebM/Opus of MediaRecorder, moved into Ogg, is the original recording."""
    original, heard = Audio.read(DATA / "goforward.wav").resample(48_000), Audio.read(RECORDED)
    lag = lag_s(original, heard)
    assert heard.rate == 48_000
    assert 0 <= lag < 0.05
    assert snr_db(original[:2.4], heard[lag:]) > 10


def test_a_recording_cut_short_is_read_as_far_as_it_goes() -> None:
    """A recorder that was stopped in the middle of a cluster still gives the sound before it."""
    assert Audio.read(RECORDED[: len(RECORDED) // 2]).duration_s == pytest.approx(1.4, abs=0.3)


@pytest.mark.parametrize(
    "data", [RECORDED[:4], RECORDED[:300], b"\x1aE\xdf\xa3" + b"\0" * 50, b"\x1aE\xdf\xa3" + b"\xff" * 50]
)
def test_a_recording_without_sound_is_refused(data: bytes) -> None:
    """A header alone, zeros and nonsense are an AudioError."""
    with pytest.raises(AudioError):
        Audio.read(data)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, len(RECORDED) - 1), st.integers(0, 255)), max_size=20),
    st.integers(4, len(RECORDED)),
)
def test_nothing_but_an_audio_error_comes_of_a_broken_recording(flips: list[tuple[int, int]], cut: int) -> None:
    """Bytes changed and ends cut never raise anything else, and never hang."""
    data = bytearray(RECORDED)
    for at, value in flips:
        data[at] = value
    with suppress(AudioError):
        webm.to_ogg(bytes(data[:cut]))


@pytest.mark.parametrize(
    ("toc", "samples"),
    [(0x08, 960), (0x18, 2880), (0x60, 480), (0x80, 120), (0xF8, 960), (0xF9, 1920), (0x78 | 0x80, 960)],
)
def test_a_packets_length_is_read_from_its_first_byte(toc: int, samples: int) -> None:
    """SILK, hybrid and CELT frames of 2.5 to 60 ms (RFC 6716, table 2)."""
    assert webm._duration(bytes([toc, 0])) == samples


def test_a_packet_with_a_count_of_frames_is_as_long_as_all_of_them() -> None:
    """Code 3: the second byte has the number of frames; 3 of 20 ms are 60 ms."""
    assert webm._duration(bytes([0xFB, 3])) == 2880


def test_large_packets_are_shared_out_to_several_pages() -> None:
    """A page has room for 255 lacing values and no more."""
    packets = [bytes([0xF8]) + bytes(1_000)] * 200
    groups = list(webm._groups(packets))
    assert list(chain.from_iterable(groups)) == packets
    assert max(sum(len(p) // 255 + 1 for p in g) for g in groups) <= 255
