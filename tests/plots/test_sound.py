"""Waveforms and spectrograms."""

from __future__ import annotations

import numpy as np
import pytest

from realtime_nb import plots
from realtime_nb.audio import Audio
from realtime_nb.errors import AudioError
from realtime_nb.plots.envelope import envelope, mel, mel_to_hz, spectrum

RNG = np.random.default_rng(5)
NOISE = Audio(RNG.uniform(-0.8, 0.8, 24_000).astype(np.float32), 24_000)


def texts(ax: object) -> list[str]:
    """What is written into a plot."""
    return [text.get_text() for text in ax.texts]  # type: ignore[attr-defined]  # an Axes


@pytest.mark.parametrize("length", [1, 7, 1999, 2000, 2001, 48_017])
def test_an_envelope_loses_no_peak(length: int) -> None:
    """Lowest and highest samples survive, and the energy is the same, at every length."""
    samples = RNG.uniform(-1, 1, length).astype(np.float32)
    wave = envelope(samples, 24_000)
    each = -(-length // 2000)
    assert len(wave.low) == -(-length // each) <= 2000
    assert wave.low.min() == samples.min()
    assert wave.high.max() == samples.max()
    counts = np.diff(np.append(np.arange(0, length, each), length))
    assert (wave.rms**2 * counts).sum() == pytest.approx(float((samples.astype(float) ** 2).sum()), rel=1e-4)
    assert (wave.time_s <= length / 24_000).all()


def test_an_empty_envelope_is_empty() -> None:
    """No samples, no columns."""
    assert len(envelope(np.empty(0, np.float32), 24_000).low) == 0


def test_a_waveform_spans_the_sound() -> None:
    """The time axis is as long as the sound, the level axis holds its peaks, and both say their units."""
    ax = plots.waveform(NOISE)
    assert ax.get_xlim() == (0, 1)
    assert ax.get_ylim()[1] > 0.8
    assert ax.get_xlabel() == "time (seconds)"
    assert ax.get_ylabel() == "level (full scale 1)"
    assert len(ax.collections) == 2


def test_silence_is_not_blown_up() -> None:
    """Nothing stays nothing: the axis keeps a floor, and the title says so."""
    ax = plots.waveform(Audio.silence(1))
    assert ax.get_ylim() == (-0.05, 0.05)
    assert "silent" in ax.get_title(loc="left")


def test_two_voices_are_mirrored() -> None:
    """The user is above the line and the model below it, on the time line of the longer one."""
    ax = plots.waveform((NOISE, NOISE[:0.5]))
    user, model = ax.collections[0], ax.collections[2]
    assert user.get_datalim(ax.transData).y0 >= 0
    assert model.get_datalim(ax.transData).y1 <= 0
    assert ax.get_xlim() == (0, 1)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["user, above", "model, below"]


def test_a_pair_with_a_silent_half_is_drawn() -> None:
    """One of the two may have said nothing at all."""
    ax = plots.waveform((NOISE, Audio.silence(0)))
    assert len(ax.collections) == 4


def test_an_array_with_its_rate_is_one_sound() -> None:
    """``(array, rate)`` is a clip, not a pair of voices."""
    assert plots.waveform((NOISE.samples, 24_000)).get_title(loc="left").startswith("Sound: 1.00 s")


def test_a_turn_is_drawn_by_its_sound() -> None:
    """What has an ``audio`` is drawn as that."""

    class Turn:
        audio = NOISE

    assert plots.spectrogram(Turn()).get_xlim() == (0, 1)


def test_words_are_written_where_they_were_said() -> None:
    """Each word stands over the middle of its span, the user's above and the model's below."""
    ax = plots.waveform((NOISE, NOISE), words=([("hello", 0.2, 0.4)], [("yes", 0.6, 0.8)]))
    hello, yes = ax.texts
    assert (hello.get_text(), yes.get_text()) == ("hello", "yes")
    assert hello.get_position()[0] == pytest.approx(0.3)
    assert yes.get_position()[0] == pytest.approx(0.7)
    assert hello.get_position()[1] > 0.8
    assert yes.get_position()[1] < -0.8


def test_words_never_overlap() -> None:
    """Of words that are too many for the width, those that fit are written, in at most three rows."""
    ax = plots.waveform(NOISE, words=[("considerable", at / 100, at / 100 + 0.01) for at in range(100)])
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert 10 < len(boxes) < 60
    assert len({round(box.y0) for box in boxes}) == 3
    assert not any(a.overlaps(b) for at, a in enumerate(boxes) for b in boxes[:at])


def test_words_stay_within_the_axes() -> None:
    """A word at the edge moves in rather than out."""
    ax = plots.waveform(NOISE, words=[("extraordinarily", 0.0, 0.01), ("incomprehensible", 0.99, 1.0)])
    ax.figure.draw_without_rendering()
    frame = ax.get_window_extent()
    for text in ax.texts:
        box = text.get_window_extent()
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1


@pytest.mark.parametrize("plot", [plots.waveform, plots.spectrogram])
def test_no_sound_says_what_to_do(plot: object) -> None:
    """An empty clip gives an empty plot with a line that mends it."""
    ax = plot(Audio.silence(0))  # type: ignore[operator]  # one of two functions
    assert "no sound yet" in texts(ax)
    assert any("session.say" in text for text in texts(ax))
    assert not ax.get_xticks().size


@pytest.mark.parametrize("plot", [plots.waveform, plots.spectrogram])
def test_an_array_without_rate_is_refused(plot: object) -> None:
    """A rate is never guessed, not even for a picture."""
    with pytest.raises(AudioError, match="rate"):
        plot(np.zeros(100, np.float32))  # type: ignore[operator]  # one of two functions


@pytest.mark.parametrize("hz", [300.0, 1000.0, 5000.0])
def test_a_tone_is_loudest_at_its_frequency(hz: float) -> None:
    """The brightest band of a tone's spectrum is where the tone is."""
    power = spectrum(Audio.tone(hz, 1.0).samples, 24_000)
    bands = mel_to_hz((np.arange(len(power)) + 0.5) / len(power) * mel(12_000))
    assert bands[power.mean(axis=1).argmax()] == pytest.approx(hz, rel=0.03)
    assert power.max() == 0


@pytest.mark.parametrize("length", [1, 100, 768, 5_000, 240_000])
def test_a_spectrum_is_had_of_any_length(length: int) -> None:
    """One sample or ten seconds: some columns, no more than can be seen, all finite."""
    power = spectrum(RNG.uniform(-1, 1, length).astype(np.float32), 24_000)
    assert 1 <= power.shape[1] <= 720
    assert np.isfinite(power).all()


def test_a_spectrum_of_silence_is_silent() -> None:
    """There is no loudest to compare with."""
    assert (spectrum(np.zeros(5_000, np.float32), 24_000) == -200).all()


def test_a_spectrogram_reads_in_hertz() -> None:
    """Its vertical axis is in hertz, so that a line of yours at 1,000 is at 1,000, up to half the rate."""
    ax = plots.spectrogram(Audio.tone(1000, 1.0, 16_000))
    assert tuple(ax.get_ylim()) == (0, 8000)
    assert ax.get_ylabel() == "frequency (Hz)"
    (image,) = ax.images
    row = np.asarray(image.get_array()).mean(axis=1).argmax()
    where = tuple(image.get_extent()[2:])
    assert where == (0, 8000)
    middle = ax.transData.transform((0, 1000))[1]
    low, high = (ax.transData.transform((0, edge))[1] for edge in where)
    assert (row + 0.5) / image.get_array().shape[0] == pytest.approx((middle - low) / (high - low), abs=0.02)


def test_the_frequencies_of_two_voices_are_those_of_both_together() -> None:
    """A pair is drawn as it sounds: as long as the longer one, with the tones of both."""
    low, high = Audio.tone(440, 1.0, peak_dbfs=-6), Audio.tone(4000, 2.0, rate=16_000, peak_dbfs=-6)
    both = plots.spectrogram((low, high))
    assert both.get_xlim() == (0, 2)
    loud = np.asarray(both.images[0].get_array()) > -20
    quarter = loud.shape[1] // 4
    tones = [
        np.diff(part.any(axis=1), prepend=False, append=False).sum() / 2
        for part in (loud[:, :quarter], loud[:, -quarter:])
    ]
    assert tones == [2, 1]
