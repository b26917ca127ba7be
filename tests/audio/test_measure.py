"""Level, noise, delay, and the true end of speech."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.audio import Audio, lag_s, snr_db, speech_bounds
from realtime_nb.errors import AudioError

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize(
    ("name", "start_s", "end_s"),  # read off the energy of each 10 ms; nobody labelled them by ear
    [("goforward", 0.50, 2.35), ("something", 0.46, 2.33), ("austen_0880", 0.25, 2.80), ("question", 0.24, 2.41)],
)
def test_the_bounds_of_recorded_speech_are_found(name: str, start_s: float, end_s: float) -> None:
    """In real recordings with their own noise, to 100 ms."""
    bounds = speech_bounds(Audio.read(DATA / f"{name}.wav"))
    assert bounds == pytest.approx((start_s, end_s), abs=0.1)


@settings(deadline=None)
@given(
    before=st.floats(0.2, 2),
    after=st.floats(0.2, 2),
    noise_dbfs=st.floats(-90, -50),
    rate=st.sampled_from([8_000, 24_000]),
)
def test_silence_round_speech_does_not_move_its_bounds(
    before: float, after: float, noise_dbfs: float, rate: int
) -> None:
    """However long the silence and whatever its noise, a tone's ends are found to 30 ms."""
    clip = Audio.silence(before, rate) + Audio.tone(300, 1, rate) + Audio.silence(after, rate)
    noise = np.random.default_rng(0).standard_normal(len(clip.samples)) * 10 ** (noise_dbfs / 20)
    bounds = speech_bounds(Audio.from_array(clip.samples + noise, rate=rate))
    assert bounds == pytest.approx((before, before + 1), abs=0.03)


@pytest.mark.parametrize(
    "clip", [Audio.silence(1), Audio.from_pcm16(b""), Audio.silence(0.001), Audio.tone(300, 1, peak_dbfs=-80)]
)
def test_where_nothing_is_heard_there_are_no_bounds(clip: Audio) -> None:
    """Silence, nothing, and a whisper under -70 dBFS have none."""
    assert speech_bounds(clip) is None


def test_a_clip_cut_tight_is_speech_from_end_to_end() -> None:
    """Without a background there is nothing to stand out from, and the whole is speech."""
    assert speech_bounds(Audio.tone(300, 1)) == pytest.approx((0, 1), abs=0.02)


@given(shift=st.integers(-2_000, 2_000))
@settings(deadline=None, max_examples=30)
def test_a_delay_is_found_to_the_sample(shift: int) -> None:
    """Later is positive, earlier negative."""
    sound = np.random.default_rng(1).uniform(-0.5, 0.5, 8_000)
    padded = Audio.from_array(np.pad(sound, 2_000), rate=8_000)
    moved = Audio.from_array(np.pad(sound, (2_000 + shift, 2_000 - shift)), rate=8_000)
    assert lag_s(padded, moved) * 8_000 == pytest.approx(shift, abs=1e-6)


def test_a_short_reference_is_found_in_a_long_recording() -> None:
    """A word's place in what was heard, whatever its gain."""
    word = Audio.from_array(np.random.default_rng(2).uniform(-1, 1, 800), rate=8_000)
    heard = Audio.silence(3, 8_000) + Audio.from_array(word.samples * 0.1, rate=8_000) + Audio.silence(1, 8_000)
    assert lag_s(word, heard) == pytest.approx(3.0)
    assert lag_s(heard, word) == pytest.approx(-3.0)


def test_noise_is_measured_whatever_the_gain() -> None:
    """Half as loud with noise 20 dB under it is 20 dB; the same is infinite."""
    rng = np.random.default_rng(3)
    clean, noise = rng.standard_normal((2, 80_000)) * 0.05
    a = Audio.from_array(clean, rate=8_000)
    assert snr_db(a, Audio.from_array((clean + noise * 0.1) / 2, rate=8_000)) == pytest.approx(20, abs=0.2)
    assert snr_db(a, a) == math.inf


@pytest.mark.parametrize("measure", [snr_db, lag_s])
def test_clips_of_two_rates_are_not_compared(measure) -> None:  # noqa: ANN001 - two functions
    """The hint resamples the second."""
    with pytest.raises(AudioError, match="cannot be compared"):
        measure(Audio.silence(1), Audio.silence(1, 8_000))
