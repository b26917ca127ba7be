"""What a sound without words sounds like, in words: for a brain that cannot hear.

As :mod:`realtime_nb.engine.vision` does for a picture: what is measured is told, and
nothing is guessed about what made the sound.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_nb.engine.base import Samples

__all__ = ["describe", "note_name"]

SILENT_DB: Final = -60.0
LOUDNESS: Final = ((-12.0, "loud"), (-30.0, "at a middling level"), (SILENT_DB, "soft"))
FRAME_S, CLICK_S = 0.01, 0.06
"""Of loudness, and the longest that is called a click."""
CLICK_SHARE: Final = 0.25
"""Clicks leave at least the rest of the time quiet."""
LOOKED_S: Final = 30.0
"""How much of a sound its kind is judged by."""
NEAR: Final = 0.015
"""Half a semitone, and half of that again, as a ratio: what is nearer is the same pitch."""
TONAL: Final = 0.8
"""The share of the power that lies in a few lines of the spectrum, if it is a steady tone."""
SUNG: Final = 0.5
"""The share within one frame, and the share of such frames, if it is a melody."""
NOISY: Final = 0.1
"""Spectral flatness from which a sound is noise: white noise has 0.56 in one long transform, a tone next to 0."""
_NOTES: Final = ("C", "C sharp", "D", "D sharp", "E", "F", "F sharp", "G", "G sharp", "A", "A sharp", "B")

Array = NDArray[np.float64]


def describe(samples: Samples, rate: int) -> str:
    """Say what a sound is like.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        In [-1, 1].
    rate : int
        Samples per second.

    Returns
    -------
    str
        Its kind, its pitch where it has one, its length and its loudness.

    Examples
    --------
    >>> time_s = np.arange(16_000) / 16_000
    >>> describe(0.5 * np.sin(2 * np.pi * 440 * time_s).astype(np.float32), 16_000)
    'a steady tone of 440 Hz (A4), 1.0 s, loud'
    """
    sound = np.asarray(samples, np.float64)
    if len(sound):
        sound = sound - np.mean(sound)  # the constant offset of a cheap microphone sounds of nothing
    level_db = 10 * np.log10(np.mean(sound**2) + 1e-12) if len(sound) else -120.0
    length = f"{len(sound) / rate:.1f} s"
    if level_db < SILENT_DB or len(sound) < rate // 20:
        return f"silence, {length}"
    loudness = next((name for bound, name in LOUDNESS if level_db >= bound), "soft")
    first = sound[: int(LOOKED_S * rate)]
    return f"{_clicks(first, rate) or _kind(first, rate)}, {length}, {loudness}"


def note_name(hertz: float) -> str:
    """Name the note of the piano nearest to a pitch.

    Parameters
    ----------
    hertz : float
        Above 0.

    Returns
    -------
    str
        Such as ``A4``, which is 440 Hz.

    Examples
    --------
    >>> note_name(440), note_name(261.6)
    ('A4', 'C4')
    """
    number = round(69 + 12 * np.log2(hertz / 440))
    return f"{_NOTES[number % 12]}{number // 12 - 1}"


def _clicks(sound: Array, rate: int) -> str | None:
    """How many clicks, if that is all there is."""
    size = max(1, int(rate * FRAME_S))
    power = np.square(sound[: len(sound) // size * size]).reshape(-1, size).mean(axis=1)
    loud = power > power.max() / 100
    edges = np.flatnonzero(np.diff(np.concatenate(([False], loud, [False]))))
    lengths = (edges[1::2] - edges[::2]) * FRAME_S
    if loud.mean() > CLICK_SHARE or lengths.max() > CLICK_S:
        return None
    return "a click" if len(lengths) == 1 else f"{len(lengths)} clicks"


def _kind(sound: Array, rate: int) -> str:
    heard = _trimmed(sound)
    power, step_hz = _spectrum(heard), rate / len(heard)
    lines, share = _lines(power, step_hz)
    if share >= TONAL and all(_holds(half, lines[:2], rate) for half in np.array_split(heard, 2)):
        return _tones(lines)
    if melody := _melody(sound, rate):
        return melody
    audible = power[int(50 / step_hz) :]
    flatness = np.exp(np.mean(np.log(audible + 1e-20))) / (np.mean(audible) + 1e-20)
    if flatness < NOISY:
        return "a sound without words and without a clear pitch"
    middle_hz = float(np.sum(np.arange(len(power)) * power) / np.sum(power)) * step_hz
    return "steady noise, like a rumble" if middle_hz < rate / 16 else "steady noise, like a hiss"


def _trimmed(sound: Array) -> Array:
    """The sound from where it begins to where it ends."""
    loud = np.flatnonzero(np.abs(sound) > np.abs(sound).max() / 30)
    return sound[loud[0] : loud[-1] + 1]


def _spectrum(sound: Array) -> Array:
    power: Array = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    power[0] = 0.0  # no pitch: it would be 0 Hz
    return power


def _lines(power: Array, step_hz: float) -> tuple[list[float], float]:
    """The strongest lines of a spectrum, in Hz, and the share of the power in them."""
    lines: list[float] = []
    left, total = power.copy(), power.sum()
    strongest = power.max()
    while len(lines) < 8 and left.max() > strongest / 400:
        peak = int(left.argmax())
        lines.append(_between(power, peak) * step_hz)
        reach = max(3, int(peak * NEAR))
        left[max(0, peak - reach) : peak + reach + 1] = 0
    return lines, 1 - float(left.sum() / total)


def _holds(part: Array, lines: list[float], rate: int) -> bool:
    """Whether a part of the sound has these lines, too."""
    found, _share = _lines(_spectrum(part), rate / len(part))
    return all(any(abs(one - line) < NEAR * line for one in found) for line in lines)


def _between(power: Array, peak: int) -> float:
    """Where a peak is, to a fraction of a step: the top of a parabola through three points."""
    if not 0 < peak < len(power) - 1:
        return float(peak)
    before, at, after = np.log(power[peak - 1 : peak + 2] + 1e-20)
    return peak + 0.5 * float((before - after) / (before - 2 * at + after))


def _tones(lines: list[float]) -> str:
    lowest = min(lines)
    if all(abs(line / lowest - round(line / lowest)) < NEAR * round(line / lowest) for line in lines):
        return f"a steady tone of {lowest:.0f} Hz ({note_name(lowest)})"
    pitches = ", ".join(f"{line:.0f}" for line in sorted(lines)[:4])
    return f"steady tones of {pitches} Hz together"


def _melody(sound: Array, rate: int) -> str | None:
    """Tones that follow one another, if most of the sound is that."""
    size = int(rate * 0.064)
    if len(sound) < size:
        return None
    frames = sound[: len(sound) // size * size].reshape(-1, size)
    frames = frames[np.square(frames).mean(axis=1) > np.square(frames).mean(axis=1).max() / 100]
    found = [_lines(_spectrum(frame), rate / size) for frame in frames]
    pitches = [lines[0] for lines, share in found if share >= SUNG and len(lines) <= 6]
    if len(pitches) < max(4, SUNG * len(frames)):
        return None
    steps = np.diff(pitches)
    if np.all(steps > 0) or np.all(steps < 0):
        way = "rises" if steps[0] > 0 else "falls"
        return f"a tone that {way} from {pitches[0]:.0f} to {pitches[-1]:.0f} Hz"
    notes = [note_name(pitch) for pitch in pitches]
    told = [note for index, note in enumerate(notes) if index == 0 or note != notes[index - 1]]
    return f"music-like tones, one after another: {', '.join(told[:12])}"
