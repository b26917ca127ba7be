"""The border where arrays become samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from realtime_nb.audio import pcm
from realtime_nb.errors import AudioError

ALL_PCM16 = np.arange(-32_768, 32_768).astype("<i2").tobytes()


def test_every_16_bit_value_survives_the_way_through_float() -> None:
    """PCM16 -> float -> PCM16 is the identity on all 65,536 values."""
    assert pcm.encode_pcm16(pcm.decode_pcm16(ALL_PCM16)) == ALL_PCM16


@settings(deadline=None)
@given(st.binary(max_size=999).map(lambda b: b[: len(b) // 2 * 2]))
def test_any_even_number_of_bytes_round_trips(data: bytes) -> None:
    """Bytes that came from the wire go back to it unchanged."""
    assert pcm.encode_pcm16(pcm.decode_pcm16(data)) == data


def test_int16_arrays_and_int16_bytes_are_the_same_sound() -> None:
    """An array of int16 has the scale of PCM16."""
    steps = np.frombuffer(ALL_PCM16, "<i2")
    assert np.array_equal(pcm.check_samples(steps), pcm.decode_pcm16(ALL_PCM16))


@settings(deadline=None)
@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e300, 1e300)))
@pytest.mark.filterwarnings("ignore:Float samples reach")
def test_what_is_out_of_range_clips_and_never_wraps(x: np.ndarray) -> None:
    """However loud a float is, its PCM16 has the same sign and at most full scale."""
    out = np.frombuffer(pcm.encode_pcm16(pcm.check_samples(x)), "<i2")
    assert np.all(out[x >= 1.0] == 32_767)
    assert np.all(out[x <= -1.0] == -32_768)
    assert np.all(np.sign(out) * np.sign(x) >= 0)


@pytest.mark.parametrize(
    ("dtype", "full"), [("int16", -32_768), (">i2", -32_768), ("int32", -(2**31)), ("float16", -1), ("float64", -1)]
)
def test_full_scale_of_each_dtype_is_minus_one(dtype: str, full: int) -> None:
    """The most negative value of a dtype is exactly -1.0, whatever its byte order."""
    assert pcm.check_samples(np.array([full, 0], dtype)).tolist() == [-1.0, 0.0]


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int64", "bool", "complex64", "object", "U3"])
def test_a_dtype_without_an_agreed_scale_is_refused(dtype: str) -> None:
    """8-bit, unsigned, 64-bit, logical, complex and object arrays are refused by name."""
    with pytest.raises(AudioError, match="full scale"):
        pcm.check_samples(np.zeros(4).astype(dtype))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_their_place(bad: float) -> None:
    """One bad sample of many is found, and its frame is named."""
    x = np.zeros((100, 2))
    x[57, 1] = bad
    with pytest.raises(AudioError, match=r"1 of 200 samples .* frame 57"):
        pcm.check_samples(x)


def test_several_channels_are_averaged_in_either_layout() -> None:
    """(n, 2) by default and (2, n) when it is said give the same mean."""
    stereo = np.array([[0.5, 0.0], [-0.5, 0.5]])
    assert pcm.check_samples(stereo).tolist() == [0.25, 0.0]
    assert pcm.check_samples(stereo.T, layout="channels,frames").tolist() == [0.25, 0.0]


def test_swapped_axes_are_noticed_and_the_hint_mends_it() -> None:
    """(2, 48000) would be 48,000 channels; the other layout is named."""
    with pytest.raises(AudioError, match="48000 channels") as caught:
        pcm.check_samples(np.zeros((2, 48_000)))
    assert 'layout="channels,frames"' in (caught.value.hint or "")


@pytest.mark.parametrize(
    "x", [np.zeros((2, 3, 4)), np.float32(0.5), np.zeros((0,)), np.zeros((0, 2)), [], [[1.0], [1.0, 2.0]]]
)
def test_shapes_that_are_no_sound_are_refused(x: object) -> None:
    """No axis, three axes, a ragged list or nothing at all is no sound."""
    with pytest.raises(AudioError):
        pcm.check_samples(x)  # type: ignore[arg-type]  # on purpose


def test_an_unknown_layout_is_refused() -> None:
    """A layout is one of two words."""
    with pytest.raises(AudioError, match="layout='n,ch'"):
        pcm.check_samples(np.zeros((4, 2)), layout="n,ch")  # type: ignore[arg-type]  # on purpose


def test_floats_in_16_bit_numbers_warn() -> None:
    """12,000.0 is clipped, and a warning says which unit was probably meant."""
    with pytest.warns(UserWarning, match="32_768"):
        assert pcm.check_samples(np.array([12_000.0])).tolist() == [1.0]


def test_a_little_over_full_scale_is_quiet(recwarn: pytest.WarningsRecorder) -> None:
    """Overshoot of a filter clips without a word."""
    assert pcm.check_samples(np.array([1.2, -1.2])).tolist() == [1.0, -1.0]
    assert not recwarn.list


def test_an_odd_number_of_bytes_is_refused() -> None:
    """Half a sample is a fault upstream, not noise to play."""
    with pytest.raises(AudioError, match="3 bytes are no PCM16"):
        pcm.decode_pcm16(b"abc")


@pytest.mark.parametrize(
    "rate", [None, "24000", 24_000.5, float("nan"), float("inf"), True, [24_000], -8_000, 0, 10**9]
)
def test_what_is_no_rate_is_refused(rate: object) -> None:
    """A rate is a whole number of Hz in the range of real devices."""
    with pytest.raises(AudioError, match="no sample rate"):
        pcm.check_rate(rate)


def test_a_rate_in_khz_is_recognised() -> None:
    """16 is refused, and 16_000 offered."""
    with pytest.raises(AudioError) as caught:
        pcm.check_rate(16)
    assert caught.value.hint == "rate=16_000"


def test_a_whole_float_or_numpy_number_is_a_rate() -> None:
    """Other libraries hand out 44100.0 and np.int64."""
    assert pcm.check_rate(44_100.0) == 44_100
    assert pcm.check_rate(np.int64(8_000)) == 8_000
