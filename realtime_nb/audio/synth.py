"""Sounds made and joined, and the border where seconds become frames."""

from __future__ import annotations

import numpy as np

from realtime_nb.audio.pcm import Samples, check_rate
from realtime_nb.errors import AudioError

__all__ = ["frame_at", "frames_in", "join", "silence", "sine"]

_FADE_S = 0.005  # long enough that the edges do not click


def frame_at(seconds: float, rate: int) -> int:
    """Find the frame at an instant.

    Parameters
    ----------
    seconds : float
        Seconds, of either sign.
    rate : int
        Samples per second.

    Returns
    -------
    int
        The nearest frame.

    Raises
    ------
    AudioError
        It is no finite number.
    """
    try:
        return round(seconds * rate)
    except (TypeError, ValueError, OverflowError):
        raise AudioError(f"{seconds!r} is no number of seconds.", hint="clip[0.5:2.0]") from None


def frames_in(duration_s: float, rate: int) -> int:
    """Count the frames of a duration.

    Parameters
    ----------
    duration_s : float
        Seconds, 0 or more.
    rate : int
        Samples per second.

    Returns
    -------
    int
        To the nearest.

    Raises
    ------
    AudioError
        The duration is negative or no finite number.
    """
    frames = frame_at(duration_s, check_rate(rate))
    if frames < 0:
        raise AudioError(f"A sound of {duration_s} s cannot be: a duration is 0 or more.", hint="rt.Audio.silence(0.5)")
    return frames


def silence(duration_s: float, rate: int) -> Samples:
    """Make a sound of nothing.

    Parameters
    ----------
    duration_s : float
        Seconds, 0 or more.
    rate : int
        Samples per second.

    Returns
    -------
    ndarray of float32, shape (n,)
        Zeros.
    """
    return np.zeros(frames_in(duration_s, rate), np.float32)


def sine(frequency_hz: float, duration_s: float, rate: int, peak_dbfs: float) -> Samples:
    """Make a sine tone that begins at phase 0, faded in and out over 5 ms.

    Parameters
    ----------
    frequency_hz : float
        Up to half the rate.
    duration_s : float
        Seconds, 0 or more.
    rate : int
        Samples per second.
    peak_dbfs : float
        Height of its peaks; above 0 is 0.

    Returns
    -------
    ndarray of float32, shape (n,)
        The tone.

    Raises
    ------
    AudioError
        The frequency cannot be had at this rate.
    """
    t = np.arange(frames_in(duration_s, rate))
    if not 0 < frequency_hz <= rate / 2:
        raise AudioError(
            f"A tone of {frequency_hz} Hz cannot be had at {rate:,} samples per second: half the rate is the most.",
            hint=f"rt.Audio.tone(440, {duration_s}, {rate:_})",
        )
    fade = np.minimum(np.minimum(t, t[::-1]) / (_FADE_S * rate), 1.0)
    height = 10 ** (min(peak_dbfs, 0.0) / 20)
    tone: Samples = (height * fade * np.sin(2 * np.pi * frequency_hz / rate * t)).astype(np.float32)
    return tone


def join(parts: list[tuple[Samples, int]]) -> tuple[Samples, int]:
    """Join sounds end to end.

    Parameters
    ----------
    parts : list of (ndarray of float32, shape (n,), rate)
        At least one; all of one rate.

    Returns
    -------
    samples : ndarray of float32, shape (m,)
        All of them.
    rate : int
        Samples per second.

    Raises
    ------
    AudioError
        There is none, or their rates differ.
    """
    if not parts:
        raise AudioError("There is no clip to join: its rate would be a guess.", hint="rt.Audio.silence(0, 24_000)")
    rates = sorted({rate for _, rate in parts})
    if len(rates) > 1:
        raise AudioError(
            f"Clips of {' and '.join(f'{r:,}' for r in rates)} Hz cannot be joined: a sound has one rate.",
            hint=f"first + second.resample({parts[0][1]:_})",
        )
    return np.concatenate([samples for samples, _ in parts]), rates[0]
