"""A sound made small enough to draw: its envelope and its spectrum, by the pixel column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from realtime_nb.plots.columns import Floats

__all__ = ["Envelope", "envelope", "mel", "mel_to_hz", "spectrum"]

_COLUMNS = 2000  # twice a notebook's width in pixels
_WINDOW_S = 0.032
_EACH = 8  # windows averaged in a column, at most
_BANDS = 160


@dataclass(frozen=True, slots=True)
class Envelope:
    """The outline of a wave.

    Parameters
    ----------
    time_s : ndarray of float64, shape (columns,)
        Middle of each column.
    low, high : ndarray of float64, shape (columns,)
        Lowest and highest sample in it.
    rms : ndarray of float64, shape (columns,)
        Root mean square in it.
    """

    time_s: Floats
    low: Floats
    high: Floats
    rms: Floats


def envelope(samples: NDArray[np.float32], rate: int, columns: int = _COLUMNS) -> Envelope:
    """Reduce samples to at most `columns` columns, losing no peak.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        In [-1, 1].
    rate : int
        Samples per second.
    columns : int
        How many can be told apart.

    Returns
    -------
    Envelope
        Its arrays have ``ceil(n / each)`` elements.

    Examples
    --------
    >>> import numpy as np
    >>> envelope(np.array([0, 1, -1, 0, 0.5], np.float32), 5, columns=3).high.tolist()
    [1.0, 0.0, 0.5]
    """
    if not len(samples):
        return Envelope(*(np.empty(0) for _ in range(4)))
    each = max(1, -(-len(samples) // columns))
    whole = len(samples) // each
    parts = [samples[: whole * each].reshape(whole, each)]
    if whole * each < len(samples):
        parts.append(samples[None, whole * each :])
    low, high, square = (
        np.concatenate([reduce(part) for part in parts]).astype(np.float64)
        for reduce in (lambda part: part.min(axis=1), lambda part: part.max(axis=1), _mean_square)
    )
    time_s = (np.arange(len(low)) + 0.5) * each / rate
    return Envelope(np.minimum(time_s, len(samples) / rate), low, high, np.sqrt(square))


def _mean_square(part: NDArray[np.float32]) -> NDArray[Any]:
    return np.asarray(np.einsum("ij,ij->i", part, part) / part.shape[1])


def mel(hz: Any) -> Any:
    """Hertz as mel: equal steps sound equally far apart (O'Shaughnessy's formula)."""
    return 2595 * np.log10(1 + np.maximum(hz, 0) / 700)


def mel_to_hz(mel: Any) -> Any:
    """Mel as hertz."""
    return 700 * (10 ** (np.asarray(mel) / 2595) - 1)


def spectrum(samples: NDArray[np.float32], rate: int, columns: int = 720) -> Floats:
    """Power over time at frequencies spaced by mel, from 0 to half the rate.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        In [-1, 1]; at least one.
    rate : int
        Samples per second.
    columns : int
        How many can be told apart.

    Returns
    -------
    ndarray of float64, shape (160, columns or fewer)
        Decibels relative to the loudest, at least -200; silence is -200 everywhere.
    """
    window = round(_WINDOW_S * rate)
    padded = samples if len(samples) >= window else np.pad(samples, (0, window - len(samples)))
    last = len(padded) - window
    shown = min(columns, 1 + last // max(1, window // 4))
    each = max(1, min(_EACH, last // max(1, shown * (window // 4))))
    starts = np.linspace(0, last, shown * each).astype(int)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[starts] * np.hanning(window).astype(np.float32)
    size = 1 << (window - 1).bit_length()
    power = np.abs(np.fft.rfft(frames, n=size)).astype(np.float64) ** 2
    power = _bands(power.reshape(shown, each, -1).mean(axis=1), rate)
    loudest = power.max()
    return np.full(power.T.shape, -200.0) if loudest <= 0 else 10 * np.log10(np.maximum(power.T / loudest, 1e-20))


def _bands(power: Floats, rate: int) -> Floats:
    """Linear frequency bins, last axis, as bands of equal mel: between bins interpolated, across bins averaged."""
    bins = power.shape[1]
    edges = mel_to_hz(np.linspace(0, mel(rate / 2), _BANDS + 1)) / (rate / 2) * (bins - 1)
    total = np.concatenate([np.zeros((len(power), 1)), np.cumsum((power[:, 1:] + power[:, :-1]) / 2, axis=1)], axis=1)
    at = np.minimum(edges.astype(int), bins - 2)
    part = edges - at
    begun = total[:, at] + part * (power[:, at] + part * (power[:, at + 1] - power[:, at]) / 2)
    return np.asarray(np.diff(begun, axis=1) / np.diff(edges), dtype=np.float64)
