"""The Audio value."""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb.audio import Audio
from realtime_nb.errors import AudioError

DATA = Path(__file__).parents[1] / "data"


def test_the_door_has_it() -> None:
    """rt.Audio is the value of this package."""
    assert rt.Audio is Audio


def test_its_samples_cannot_be_written() -> None:
    """A clip is a value: neither its samples nor its rate can be changed."""
    clip = Audio.tone(440, 0.1)
    with pytest.raises(ValueError, match="read-only"):
        clip.samples[0] = 1
    with pytest.raises(AttributeError):
        clip.rate = 8_000  # type: ignore[misc]  # on purpose


def test_it_does_not_change_with_the_array_it_came_from() -> None:
    """An array written into afterwards leaves the clip as it was."""
    x = np.zeros(10, np.float32)
    clip = Audio.from_array(x, rate=8_000)
    x[:] = 1
    assert not clip.samples.any()


def test_an_array_without_its_rate_is_refused_with_the_reason() -> None:
    """A rate is never guessed."""
    with pytest.raises(AudioError, match=r"shape \(48000,\) without its sample rate, and will not guess") as caught:
        Audio.from_array(np.zeros(48_000))
    assert caught.value.hint == "rt.Audio.from_array(x, rate=48_000)"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda clip: pickle.loads(pickle.dumps(clip))])  # noqa: S301 - our own bytes
def test_a_copy_is_equal_and_as_unchangeable(again) -> None:  # noqa: ANN001 - three functions
    """Copied, or sent to another process, it is the same value."""
    clip = Audio.tone(440, 0.1)
    other = again(clip)
    assert other == clip
    assert hash(other) == hash(clip)
    assert not other.samples.flags.writeable


def test_equality_is_of_samples_and_rate() -> None:
    """The same samples at another rate are another sound; a negative zero is a zero."""
    zeros = np.zeros(8_000, np.float32)
    clip = Audio.from_array(zeros, rate=8_000)
    assert clip != Audio.from_array(zeros, rate=16_000)
    assert clip != zeros.tolist()
    assert clip == Audio.from_array(-zeros, rate=8_000)
    assert hash(clip) == hash(Audio.from_array(-zeros, rate=8_000))


@pytest.mark.parametrize(
    ("clip", "text"),
    [
        (Audio.tone(440, 2.0, 16_000), "Audio(2.00 s, 16,000 Hz, -15.0 dBFS)"),
        (Audio.silence(0.5), "Audio(0.50 s, 24,000 Hz, silent)"),
        (Audio.from_pcm16(b""), "Audio(0.00 s, 24,000 Hz, silent)"),
    ],
)
def test_its_repr_says_what_a_person_wants_to_know(clip: Audio, text: str) -> None:
    """Length, rate and level; no address."""
    assert repr(clip) == text


@pytest.mark.parametrize(
    ("span", "frames"),
    [
        (slice(0.5, 1), (4_000, 8_000)),
        (slice(None, 0.25), (0, 2_000)),
        (slice(-0.5, None), (12_000, 16_000)),
        (slice(1, 99), (8_000, 16_000)),
        (slice(1.5, 1), (0, 0)),
        (slice(None), (0, 16_000)),
    ],
)
def test_a_slice_is_of_seconds(span: slice, frames: tuple[int, int]) -> None:
    """Whole or broken seconds, from the end when negative, cut at the ends."""
    x = np.linspace(-1, 1, 16_000, dtype=np.float32)
    clip = Audio.from_array(x, rate=8_000)
    assert np.array_equal(clip[span].samples, x[slice(*frames)])


@pytest.mark.parametrize(
    "span", [3, 0.5, slice(0, 1, 2), slice("a", None), slice(math.nan, None), slice(math.inf, None)]
)
def test_what_is_no_span_of_seconds_is_refused(span: object) -> None:
    """An index, a step, text and NaN are no spans."""
    with pytest.raises(AudioError, match="second"):
        Audio.silence(1)[span]


@settings(deadline=None)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=8))
def test_pieces_joined_are_as_long_as_all_of_them(lengths: list[int]) -> None:
    """Nothing is lost or added when clips are joined."""
    clips = [Audio.from_pcm16(bytes([i, 0]) * n, 8_000) for i, n in enumerate(lengths)]
    joined = Audio.concatenate(clips)
    assert joined.to_pcm16() == b"".join(clip.to_pcm16() for clip in clips)


def test_clips_of_two_rates_are_not_joined() -> None:
    """The hint resamples the second."""
    with pytest.raises(AudioError, match="8,000 and 24,000 Hz") as caught:
        Audio.silence(1) + Audio.silence(1, 8_000)
    assert caught.value.hint == "first + second.resample(24_000)"


def test_joining_nothing_is_refused() -> None:
    """No clip, no rate."""
    with pytest.raises(AudioError, match="guess"):
        Audio.concatenate([])


def test_a_clip_is_not_joined_to_a_number() -> None:
    """Adding what is no clip is Python's own TypeError."""
    with pytest.raises(TypeError):
        Audio.silence(1) + 1


@pytest.mark.parametrize("chunk_s", [0.1, 0.02, 0.33, 5])
def test_chunks_joined_are_the_clip(chunk_s: float) -> None:
    """Cut for streaming, nothing is lost; all but the last are of one length."""
    clip = Audio.read(DATA / "goforward.wav")
    chunks = list(clip.chunks(chunk_s))
    assert Audio.concatenate(chunks) == clip
    assert len({len(chunk.samples) for chunk in chunks[:-1]}) <= 1


def test_levels_are_relative_to_full_scale() -> None:
    """A square of full scale is 0 dBFS, its half 6 dB less; a sine's mean is 3 dB under its peak."""
    square = np.resize([1.0, -1.0], 1_000)
    assert Audio(square, 8_000).level_dbfs == pytest.approx(0.0)
    assert Audio(square / 2, 8_000).peak_dbfs == pytest.approx(-6.02, abs=0.01)
    tone = Audio.tone(440, 2, peak_dbfs=-20)
    assert tone.peak_dbfs == pytest.approx(-20, abs=0.05)
    assert tone.level_dbfs == pytest.approx(-23, abs=0.05)


def test_silence_and_nothing_have_no_level() -> None:
    """Their level is minus infinity, not an error."""
    assert Audio.silence(0.1).level_dbfs == Audio.from_pcm16(b"").peak_dbfs == -math.inf


def test_a_clip_is_true_when_there_is_sound_in_it() -> None:
    """Silence is a sound; nothing is none."""
    assert Audio.silence(0.1)
    assert not Audio.silence(0)


def test_resampling_to_its_own_rate_is_itself() -> None:
    """Nothing is computed for nothing."""
    clip = Audio.tone(440, 0.1)
    assert clip.resample(24_000) is clip
    assert clip.resample(48_000).duration_s == pytest.approx(0.1)


@pytest.mark.parametrize("duration_s", [-0.1, math.nan, math.inf, "1"])
def test_a_duration_is_a_number_of_seconds(duration_s: float) -> None:
    """Negative, endless and spelt-out durations are refused."""
    with pytest.raises(AudioError):
        Audio.silence(duration_s)


@pytest.mark.parametrize("frequency_hz", [0, -1, 12_001, math.nan])
def test_a_tone_the_rate_cannot_hold_is_refused(frequency_hz: float) -> None:
    """Half the rate is the most."""
    with pytest.raises(AudioError, match="half the rate"):
        Audio.tone(frequency_hz, 1)


def test_the_question_that_ships_is_real_speech() -> None:
    """The package carries a spoken question, small enough for a wheel."""
    path = Path(rt.audio.__file__).parent / "assets" / "question.wav"
    question = Audio.read(path)
    assert question.rate == 16_000
    assert 2 < question.duration_s < 10
    assert path.stat().st_size <= 300_000
    assert question == Audio.read(DATA / "question.wav")
