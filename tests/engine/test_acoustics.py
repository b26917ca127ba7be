"""A sound without words, in words."""

from __future__ import annotations

import numpy as np
import pytest

from realtime_nb.engine.acoustics import describe, note_name
from realtime_nb.engine.base import Samples

RATE = 16_000


def tone(hertz: float, seconds: float = 1.0, level: float = 0.5) -> Samples:
    """A sine."""
    time_s = np.arange(int(RATE * seconds)) / RATE
    return (level * np.sin(2 * np.pi * hertz * time_s)).astype(np.float32)


def noise(seconds: float = 1.0, level: float = 0.1) -> Samples:
    """White noise."""
    return (level * np.random.default_rng(0).standard_normal(int(RATE * seconds))).astype(np.float32)


@pytest.mark.parametrize("hertz", [60, 110, 440, 1000, 2500, 6000])
@pytest.mark.parametrize("seconds", [0.3, 2.0])
def test_a_steady_tone_is_told_by_its_pitch(hertz: float, seconds: float) -> None:
    """The pitch is right to a hertz or half a percent, and so is its note."""
    told = describe(tone(hertz, seconds), RATE)
    assert told.startswith("a steady tone of ")
    assert float(told.split()[4]) == pytest.approx(hertz, abs=max(1.0, hertz * 0.005))
    assert f"({note_name(hertz)})" in told
    assert f"{seconds:.1f} s" in told


def test_harmonics_are_one_tone() -> None:
    """What has overtones is told by its lowest."""
    told = describe(tone(220) + tone(440, level=0.3) + tone(660, level=0.2), RATE)
    assert told == "a steady tone of 220 Hz (A3), 1.0 s, loud"


def test_a_tone_in_some_noise_is_a_tone() -> None:
    """A little hiss does not hide it."""
    assert "440 Hz (A4)" in describe(tone(440) + noise(level=0.03), RATE)


def test_two_pitches_are_both_told() -> None:
    """A key of a telephone has two, and they are no overtones."""
    assert describe(tone(697, level=0.3) + tone(1209, level=0.3), RATE).startswith("steady tones of 697, 1209 Hz")


@pytest.mark.parametrize(
    ("sound", "kind"),
    [
        (np.zeros(RATE, np.float32), "silence, 1.0 s"),
        (np.zeros(0, np.float32), "silence, 0.0 s"),
        (noise(level=0.0001), "silence, 1.0 s"),
        (noise(), "steady noise, like a hiss, 1.0 s, at a middling level"),
        (noise(level=0.005), "steady noise, like a hiss, 1.0 s, soft"),
    ],
)
def test_noise_and_silence(sound: Samples, kind: str) -> None:
    """What has no pitch is called noise, what is nearly nothing silence."""
    assert describe(sound, RATE) == kind


def test_a_rumble_is_low() -> None:
    """Noise whose power lies low is told from a hiss."""
    low = np.convolve(noise(2.0, 0.5), np.ones(40) / 40, "same").astype(np.float32)
    assert "rumble" in describe(low, RATE) or "without a clear pitch" in describe(low, RATE)


@pytest.mark.parametrize("count", [1, 3])
def test_clicks_are_counted(count: int) -> None:
    """Short bursts with quiet between."""
    sound = np.zeros(2 * RATE, np.float32)
    for number in range(count):
        at = RATE // 4 + number * RATE // 2
        sound[at : at + 160] = noise(0.01, 0.5)
    assert describe(sound, RATE).startswith("a click" if count == 1 else f"{count} clicks")


def test_a_melody_is_told_by_its_notes() -> None:
    """Tones one after another."""
    told = describe(np.concatenate([tone(hertz, 0.4) for hertz in (440.0, 523.25, 659.26, 440.0)]), RATE)
    assert told.startswith("music-like tones")
    assert "A4, C5, E5, A4" in told


def test_a_glide_is_told_by_its_ends() -> None:
    """A sweep is neither steady nor a melody."""
    time_s = np.arange(2 * RATE) / RATE
    sweep = 0.5 * np.sin(2 * np.pi * (300 * time_s + 300 * time_s**2)).astype(np.float32)
    told = describe(sweep, RATE)
    assert told.startswith("a tone that rises from ")
    ends = [float(word) for word in told.replace(",", "").split() if word.replace(".", "").isdigit()]
    assert ends[0] < 400
    assert ends[1] > 1300


@pytest.mark.parametrize("offset", [0.01, 0.1, 0.3])
def test_a_constant_offset_sounds_of_nothing(offset: float) -> None:
    """A microphone's offset changes no description, and alone it is silence."""
    offset = np.float32(offset)
    assert describe(np.full(RATE, offset), RATE) == "silence, 1.0 s"
    assert describe(tone(440) + offset, RATE) == describe(tone(440), RATE)
    keys = tone(697, level=0.3) + tone(1209, level=0.3)
    assert describe(keys + offset, RATE) == describe(keys, RATE)


@pytest.mark.parametrize("ms", [50, 51, 55, 60, 63, 64, 65, 80])
def test_a_sound_may_be_as_short_as_it_likes(ms: int) -> None:
    """Less than the frame in which a melody is looked for is described, too."""
    assert describe(noise(ms / 1000), RATE).startswith("steady noise")
