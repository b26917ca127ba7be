"""Rates: streaming is one-shot, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.audio import Resampler
from realtime_nb.audio.resample import resample
from realtime_nb.errors import AudioError

RATES = st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000])
CHUNKS = st.lists(st.integers(0, 3_000), max_size=12)


@settings(deadline=None, max_examples=150)
@given(rate_in=RATES, rate_out=RATES, chunks=CHUNKS, seed=st.integers(0, 2**32 - 1))
def test_streaming_equals_one_shot_for_every_chunking(
    rate_in: int, rate_out: int, chunks: list[int], seed: int
) -> None:
    """However sound is cut, the joined results are bit for bit those of the whole, clipping included."""
    sound = np.random.default_rng(seed).uniform(-1, 1, sum(chunks)).astype(np.float32)
    stream = Resampler(rate_in, rate_out)
    edges = np.cumsum(chunks)[:-1] if chunks else []
    pieces = [stream.feed(piece) for piece in np.split(sound, edges)]
    joined = np.concatenate([*pieces, stream.finish()])
    assert np.array_equal(joined, resample(sound, rate_in, rate_out))


@given(n=st.integers(0, 5_000), rate_in=RATES, rate_out=RATES)
@settings(deadline=None)
def test_the_length_is_the_ratio_of_the_rates(n: int, rate_in: int, rate_out: int) -> None:
    """No sample is lost at the end and none is added: at most the rounding."""
    assert abs(len(resample(np.zeros(n, np.float32), rate_in, rate_out)) - n * rate_out / rate_in) <= 1


@pytest.mark.parametrize(
    ("rate_in", "rate_out"), [(48_000, 24_000), (24_000, 16_000), (8_000, 24_000), (44_100, 24_000)]
)
def test_a_tone_keeps_its_pitch_and_level(rate_in: int, rate_out: int) -> None:
    """1 kHz stays 1 kHz, within a bin and 0.1 dB."""
    tone = np.sin(2 * np.pi * 1_000 * np.arange(rate_in) / rate_in).astype(np.float32) / 2
    out = resample(tone, rate_in, rate_out)[rate_out // 4 : rate_out * 3 // 4]
    spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out))))
    assert np.argmax(spectrum) * rate_out / len(out) == pytest.approx(1_000, abs=2)
    assert np.sqrt(np.mean(out**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_what_the_new_rate_cannot_hold_is_gone() -> None:
    """7 kHz brought to 8,000 samples a second does not come back as an alias at 1 kHz."""
    tone = np.sin(2 * np.pi * 7_000 * np.arange(24_000) / 24_000).astype(np.float32)
    assert np.abs(resample(tone, 24_000, 8_000)[500:-500]).max() < 1e-4


def test_the_filters_overshoot_is_clipped() -> None:
    """A square wave of full scale rings; the result stays in [-1, 1]."""
    square = np.sign(np.sin(np.arange(4_800) / 8)).astype(np.float32)
    assert np.abs(resample(square, 24_000, 48_000)).max() == 1.0


def test_the_same_rate_gives_a_copy() -> None:
    """What comes out may be written into without changing what went in."""
    sound = np.ones(4, np.float32)
    resample(sound, 24_000, 24_000)[:] = 0
    assert sound.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("rate_out", [24_000, 16_000])
def test_a_finished_stream_takes_no_more(rate_out: int) -> None:
    """Feeding after the end is refused, and the hint makes a new stream."""
    stream = Resampler(24_000, rate_out)
    stream.finish()
    for call in (lambda: stream.feed(np.zeros(1, np.float32)), stream.finish):
        with pytest.raises(AudioError, match="finished") as caught:
            call()
        assert f"Resampler(24_000, {rate_out:_}" in str(caught.value.hint)
