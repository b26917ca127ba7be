"""Voice activity by Silero VAD v6."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from realtime_nb.engine.base import Samples
from realtime_nb.engine.ort import Model

__all__ = ["SileroStream", "SileroVad"]

_FRAME: Final = 512
_CONTEXT: Final = 64
"""Samples of the frame before, which the model wants in front of each frame."""


class SileroVad:
    """Tells speech from everything else; about 10 ms of one core for a second of sound.

    Parameters
    ----------
    files : dict of str to Path
        What :func:`realtime_nb.engine.weights.ensure` gives for :attr:`weights`.
    """

    weights = "silero-vad"
    name = "silero-vad"
    rate = 16_000
    frame = _FRAME

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._model = Model(files["silero_vad.onnx"])

    def stream(self) -> SileroStream:
        """Start listening afresh; streams share the model and nothing else."""
        return SileroStream(self._model)

    def speech_s(self, samples: Samples, *, threshold: float = 0.5, enough_s: float = math.inf) -> float:
        """How much of a sound is speech.

        Parameters
        ----------
        samples : ndarray of float32, shape (n,)
            At 16 kHz.
        threshold : float
            The probability from which a frame counts, 0 to 1.
        enough_s : float
            Stop listening once this much was found.

        Returns
        -------
        float
            Seconds, in steps of one frame (32 ms).
        """
        stream, found_s = self.stream(), 0.0
        for start in range(0, len(samples), _FRAME):
            found_s += sum(p >= threshold for p in stream.feed(samples[start : start + _FRAME])) * _FRAME / self.rate
            if found_s >= enough_s:
                break
        return found_s


class SileroStream:
    """One listener's state.

    Parameters
    ----------
    model : Model
        The loaded graph.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._rate = np.array(SileroVad.rate, dtype=np.int64)
        self._state: NDArray[np.float32] = np.zeros((2, 1, 128), dtype=np.float32)
        self._context: Samples = np.zeros(_CONTEXT, dtype=np.float32)
        self._rest: Samples = np.zeros(0, dtype=np.float32)

    def feed(self, samples: Samples) -> list[float]:
        """Listen on.

        Parameters
        ----------
        samples : ndarray of float32, shape (n,)
            At 16 kHz, any length; what does not fill a frame waits for the next call.

        Returns
        -------
        list of float
            The probability of speech in each frame of 512 samples now complete.
        """
        pending = np.concatenate((self._rest, samples.astype(np.float32, copy=False)))
        whole = len(pending) // _FRAME * _FRAME
        self._rest = pending[whole:]
        return [self._probability(frame) for frame in pending[:whole].reshape(-1, _FRAME)]

    def _probability(self, frame: Samples) -> float:
        window = np.concatenate((self._context, frame))[None]
        speech, self._state = self._model.run({"input": window, "state": self._state, "sr": self._rate})
        self._context = frame[-_CONTEXT:]
        return float(speech[0, 0])
