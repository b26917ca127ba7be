# ruff: noqa: RUF001, RUF002 -- phonetic letters are what is handled here
"""Kokoro-82M: ten people's voices, better than Piper's, at about the speed of speech.

Notes
-----
The model has an alphabet of its own: espeak's IPA with the diphthongs and
affricates as single letters. The letters are those of its own front end
(hexgrad/misaki, ``EspeakFallback``, Apache-2.0), the numbers those of the
model's ``config.json``.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from realtime_nb.engine.base import Samples
from realtime_nb.engine.espeak import phonemes
from realtime_nb.engine.ort import Model
from realtime_nb.engine.utterance import SpeaksByBreath
from realtime_nb.engine.voices import VOICES, Voice

__all__ = ["KokoroTts", "alphabet"]

_STYLE: Final = (-1, 1, 256)
"""A voice's file: one style for each number of phonemes."""
_MOST_IDS: Final = 510

_QUIET: Final = 3e-3
_LEAD, _TAIL = 960, 4_800
"""Samples of silence left before and after: the model gives up to 0.3 s, which a listener would wait for."""

_LETTERS: Final = {  # the longer first
    "ʔˌn\u0329": "tn", "ʔn\u0329": "tn", "ʔn": "tn", "a^ɪ": "I", "a^ʊ": "W", "d^ʒ": "ʤ", "e^ɪ": "A", "t^ʃ": "ʧ",
    "ɔ^ɪ": "Y", "ə^l": "ᵊl", "ʲo": "jo", "ʲə": "jə", "e": "A", "r": "ɹ", "x": "k", "c\u0327": "k", "ɐ": "ə",
    "ɬ": "l", "ʔ": "t", "ʲ": "", "ɚ": "əɹ", "\u0303": "",
}  # fmt: skip
_BRITISH: Final = {"ɛ^ə": "ɛː", "iə": "ɪə", "ə^ʊ": "Q"}
_AMERICAN: Final = {"o^ʊ": "O", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪə": "iə", "ː": ""}
_LAST: Final = {"o": "ɔ", "ɾ": "T", "^": ""}

_NUMBERS: Final = {  # those of English
    ";": 1, ":": 2, ",": 3, ".": 4, "!": 5, "?": 6, " ": 16,
    "A": 24, "I": 25, "O": 31, "Q": 33, "T": 36, "W": 39, "Y": 41, "ᵊ": 42,
    "a": 43, "b": 44, "d": 46, "f": 48, "h": 50, "i": 51, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56, "o": 57,
    "p": 58, "s": 61, "t": 62, "u": 63, "v": 64, "w": 65, "z": 68,
    "ɑ": 69, "ɒ": 71, "æ": 72, "ɔ": 76, "ð": 81, "ʤ": 82, "ə": 83, "ɛ": 86, "ɜ": 87, "ɡ": 92, "ɪ": 102, "ŋ": 112,
    "θ": 119, "ɹ": 123, "ʃ": 131, "ʧ": 133, "ʊ": 135, "ʌ": 138, "ʒ": 147, "ˈ": 156, "ˌ": 157, "ː": 158, "ᵻ": 177,
}  # fmt: skip


def alphabet(sounds: str, *, british: bool = False) -> str:
    """Write espeak's phonemes in the model's letters.

    Parameters
    ----------
    sounds : str
        IPA, decomposed, with ``^`` for ties.
    british : bool
        As said in Britain, else in America.

    Returns
    -------
    str
        One character for each sound.

    Examples
    --------
    >>> alphabet("d^ʒˈo^ʊk")
    'ʤˈOk'
    """
    for old, new in _LETTERS.items():
        sounds = sounds.replace(old, new)
    sounds = re.sub("(\\S)\u0329", "ᵊ\\1", sounds)
    for old, new in ((_BRITISH if british else _AMERICAN) | _LAST).items():
        sounds = sounds.replace(old, new)
    return sounds


class KokoroTts(SpeaksByBreath):
    """Speaks English, in ten voices.

    Parameters
    ----------
    files : dict of str to Path
        What :func:`realtime_nb.engine.weights.ensure` gives for :attr:`weights`.
    """

    weights = "kokoro-82m"
    name = "kokoro-82m"
    rate = 24_000

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._model = Model(files["kokoro-v1.0.int8.onnx"])
        self._styles = {
            voice.kokoro: np.fromfile(files[f"{voice.kokoro}.bin"], dtype="<f4").reshape(_STYLE)
            for voice in VOICES.values()
        }

    def _say(self, said: str, speaker: Voice, speed: float, cancel: threading.Event) -> Samples:
        british = speaker.kokoro.startswith("b")
        sounds = alphabet(phonemes(said, voice="gmw/en" if british else "en-us", tie="^"), british=british)
        ids = [_NUMBERS[sound] for sound in sounds if sound in _NUMBERS][:_MOST_IDS]
        feeds = {
            "tokens": np.array([[0, *ids, 0]]),
            "style": self._styles[speaker.kokoro][len(ids)],
            "speed": np.array([speed], dtype=np.float32),
        }
        (sound,) = self._model.run(feeds, cancel=cancel)
        samples: Samples = _trimmed(sound.ravel()) * speaker.kokoro_gain
        return samples.clip(-1.0, 1.0)


def _trimmed(sound: Samples) -> Samples:
    heard = np.flatnonzero(np.abs(sound) > _QUIET)
    if not len(heard):
        return sound
    return sound[max(0, heard[0] - _LEAD) : heard[-1] + _TAIL]
