"""What can be measured on a sound: level, noise, delay, and where speech begins and ends."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from realtime_nb.audio.pcm import Samples
from realtime_nb.errors import AudioError

if TYPE_CHECKING:
    from realtime_nb.audio.clip import Audio

__all__ = ["lag_s", "peak_dbfs", "rms_dbfs", "snr_db", "speech_bounds"]

_FRAME_S = 0.01
_SMOOTH_FRAMES = 3  # 30 ms: one click is no speech, one glottal pulse is no pause
_ABOVE_FLOOR_DB = 10.0
_BELOW_PEAK_DB = 25.0
_AT_LEAST_BELOW_PEAK_DB = 6.0  # a clip cut so tight that it has no background
_INAUDIBLE_DBFS = -70.0


def rms_dbfs(samples: Samples) -> float:
    """Measure the mean level.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        In [-1, 1].

    Returns
    -------
    float
        dB relative to a square wave of full scale; -inf for silence or nothing.
    """
    mean = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    return 10 * math.log10(mean) if mean > 0 else -math.inf


def peak_dbfs(samples: Samples) -> float:
    """Measure the highest sample.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        In [-1, 1].

    Returns
    -------
    float
        dB relative to full scale; -inf for silence or nothing.
    """
    peak = float(np.max(np.abs(samples))) if len(samples) else 0.0
    return 20 * math.log10(peak) if peak > 0 else -math.inf


def snr_db(clean: Audio, heard: Audio) -> float:
    """Measure how much of `heard` is `clean`; both begin at the same instant.

    Parameters
    ----------
    clean, heard : Audio
        Of one rate; the longer is cut.

    Returns
    -------
    float
        Signal to noise in dB, the best gain applied first; inf when they are the same.
    """
    a, b = _pair(clean, heard)
    energy = float(b @ b)
    gain = float(a @ b) / energy if energy else 0.0
    noise = float(np.sum((a - gain * b) ** 2))
    signal = float(a @ a)
    if noise <= signal * 1e-15:
        return math.inf
    return 10 * math.log10(signal / noise)


def lag_s(reference: Audio, heard: Audio) -> float:
    """Find by how much `heard` is later than `reference`, by cross-correlation.

    Parameters
    ----------
    reference, heard : Audio
        Of one rate.

    Returns
    -------
    float
        Seconds, to one sample; negative when `heard` is earlier.
    """
    _check_rates(reference, heard)
    n = len(reference.samples) + len(heard.samples)
    size = 1 << max(n - 1, 1).bit_length()
    spectrum = np.fft.rfft(heard.samples, size) * np.conj(np.fft.rfft(reference.samples, size))
    best = int(np.argmax(np.fft.irfft(spectrum, size)))
    return (best if best < len(heard.samples) else best - size) / reference.rate


def speech_bounds(audio: Audio) -> tuple[float, float] | None:
    """Find where speech truly begins and ends in a clip, by its energy.

    Latency is counted from this end, not from the end of the file or from the last
    chunk sent, which would hide the silence a server waits for.

    Parameters
    ----------
    audio : Audio
        One utterance, pauses inside or not, over a steady background.

    Returns
    -------
    (start_s, end_s) : tuple of float, or None
        Seconds from the clip's beginning, to 10 ms; None when nothing is loud enough to hear.

    Notes
    -----
    A frame of 10 ms, smoothed over 30 ms, is speech when it is 10 dB above the
    background (the 5th percentile) and not 25 dB under the loudest. Applause
    or music after the last word counts as speech: energy cannot tell.
    """
    frame = max(round(_FRAME_S * audio.rate), 1)
    n = len(audio.samples) // frame
    if n == 0:
        return None
    power = np.mean(np.square(audio.samples[: n * frame].reshape(n, frame), dtype=np.float64), axis=1)
    smooth = np.convolve(power, np.full(_SMOOTH_FRAMES, 1 / _SMOOTH_FRAMES), mode="same")[:n]
    level = 10 * np.log10(smooth + 1e-12)
    peak, floor = float(np.percentile(level, 99)), float(np.percentile(level, 5))
    if peak < _INAUDIBLE_DBFS:
        return None
    threshold = min(max(floor + _ABOVE_FLOOR_DB, peak - _BELOW_PEAK_DB), peak - _AT_LEAST_BELOW_PEAK_DB)
    speech = np.flatnonzero(level > threshold)
    return float(speech[0] * frame / audio.rate), float((speech[-1] + 1) * frame / audio.rate)


def _check_rates(a: Audio, b: Audio) -> None:
    if a.rate != b.rate:
        raise AudioError(
            f"Clips of {a.rate:,} and {b.rate:,} Hz cannot be compared: they need one rate.",
            hint=f"second.resample({a.rate:_})",
        )


def _pair(a: Audio, b: Audio) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], ...]:
    _check_rates(a, b)
    n = min(len(a.samples), len(b.samples))
    return a.samples[:n].astype(np.float64), b.samples[:n].astype(np.float64)
