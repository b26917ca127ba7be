"""Whether a turn is over, judged by how it sounds: Smart Turn v3.2.

Words alone cannot tell "I would like..." from "I would like that.": the melody
can. The model reads Whisper's features of the last eight seconds.

Notes
-----
The features are those of ``WhisperFeatureExtractor(chunk_length=8)``: the sound
brought to zero mean and unit variance, then the power spectrum of 25 ms windows
every 10 ms (periodic Hann), through 80 triangles on Slaney's mel scale, as log10, at
most 8 below the loudest, halved twice and moved to about [-1, 1].
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from realtime_nb.engine.base import Samples
from realtime_nb.engine.ort import Model

__all__ = ["SmartTurn", "log_mel"]

_RATE: Final = 16_000
_HEARD: Final = 8 * _RATE
_WINDOW, _HOP, _MELS = 400, 160, 80


class SmartTurn:
    """Tells a finished turn from a pause for thought; about 0.1 s of one core each time it is asked.

    Parameters
    ----------
    files : dict of str to Path
        What :func:`realtime_nb.engine.weights.ensure` gives for :attr:`weights`.
    """

    weights = "smart-turn-v3.2"
    name = "smart-turn-v3.2"
    rate = _RATE

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._model = Model(files["smart-turn-v3.2-cpu.onnx"])

    def complete(self, samples: Samples) -> float:
        """Judge a turn, when a pause begins.

        Parameters
        ----------
        samples : ndarray of float32, shape (n,)
            The turn so far, at 16 kHz; its last eight seconds count.

        Returns
        -------
        float
            The probability that the turn is over.
        """
        last = samples[-_HEARD:]
        sound = np.pad(last, (_HEARD - len(last), 0))
        (probability,) = self._model.run({"input_features": log_mel(sound)[None]})
        return float(probability[0, 0])


def log_mel(sound: Samples) -> NDArray[np.float32]:
    """Compute Whisper's features.

    Parameters
    ----------
    sound : ndarray of float32, shape (n,)
        At 16 kHz.

    Returns
    -------
    ndarray of float32, shape (80, n // 160)
        Mels by time.
    """
    even = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    windows = sliding_window_view(np.pad(even, _WINDOW // 2, mode="reflect"), _WINDOW)[::_HOP][: len(sound) // _HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW + 1)[:-1], axis=1)) ** 2
    loud = np.log10(np.maximum(_triangles() @ power.T, 1e-10))
    features: NDArray[np.float32] = ((np.maximum(loud, loud.max() - 8.0) + 4.0) / 4.0).astype(np.float32)
    return features


@cache
def _triangles() -> NDArray[np.float64]:
    """Slaney's filters, each of unit area: linear up to 1 kHz, then 27 mels to a factor of 6.4."""
    top = 15.0 + 27.0 * np.log(_RATE / 2 / 1000.0) / np.log(6.4)
    mels = np.linspace(0.0, top, _MELS + 2)
    corners = np.where(mels < 15.0, 200.0 * mels / 3.0, 1000.0 * 6.4 ** ((mels - 15.0) / 27.0))
    hertz = np.linspace(0.0, _RATE / 2, _WINDOW // 2 + 1)
    low, middle, high = (corners[i : i + _MELS, None] for i in range(3))
    rising, falling = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    filters: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling)) * 2.0 / (high - low)
    return filters
