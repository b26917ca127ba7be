"""Piper: an English voice several times faster than speech on one core.

The model (VITS) makes a whole clause at once: the first sound is there when the
first clause is done. A cancel stops the run in the middle of its graph.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from realtime_nb.audio.resample import resample
from realtime_nb.engine.base import Samples
from realtime_nb.engine.espeak import phonemes
from realtime_nb.engine.ort import Model
from realtime_nb.engine.utterance import SpeaksByBreath
from realtime_nb.engine.voices import Voice

__all__ = ["PiperTts"]

_GAIN: Final = 1.5
"""Brings the voice joe, whose peaks are at 0.5 to 0.6, to the usual level."""


class PiperTts(SpeaksByBreath):
    """Speaks English.

    Parameters
    ----------
    files : dict of str to Path
        What :func:`realtime_nb.engine.weights.ensure` gives for :attr:`weights`.
    """

    weights = "piper-en-us-joe"
    name = "piper-en-us-joe"
    rate = 24_000

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._model = Model(files["en_US-joe-medium.onnx"])
        config = json.loads(files["en_US-joe-medium.onnx.json"].read_text(encoding="utf-8"))
        self._ids: Mapping[str, list[int]] = config["phoneme_id_map"]
        self._espeak_voice: str = config["espeak"]["voice"]
        self._model_rate: int = config["audio"]["sample_rate"]
        self._noise: Mapping[str, Any] = config["inference"]

    def _say(self, said: str, speaker: Voice, speed: float, cancel: threading.Event) -> Samples:
        ids = self._phoneme_ids(phonemes(said, voice=self._espeak_voice))
        length = self._noise["length_scale"] * speaker.pace * speaker.pitch / speed
        scales = np.array([self._noise["noise_scale"], length, self._noise["noise_w"]], dtype=np.float32)
        feeds = {"input": np.array([ids]), "input_lengths": np.array([len(ids)]), "scales": scales}
        (sound,) = self._model.run(feeds, cancel=cancel)
        played_at = round(self._model_rate * speaker.pitch)
        return resample(sound.ravel() * _GAIN, played_at, self.rate)

    def _phoneme_ids(self, sounds: str) -> list[int]:
        """Number the phonemes, each followed by the pad that gives it time; unknown ones are left out."""
        pad = self._ids["_"]
        known = [self._ids[sound] + pad for sound in sounds if sound in self._ids]
        return [*self._ids["^"], *(number for numbers in known for number in numbers), *self._ids["$"]]
