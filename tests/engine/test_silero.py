"""Voice activity: speech has it, nothing else does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from realtime_nb.engine.base import Samples, Vad
from realtime_nb.engine.silero import SileroVad

pytestmark = pytest.mark.models

RECORDINGS = ["austen_0870", "austen_0880", "goforward", "jfk", "something"]


def test_is_a_vad(vad: SileroVad) -> None:
    """The stage has the form the engine asks for."""
    assert isinstance(vad, Vad)
    assert (vad.rate, vad.frame) == (16_000, 512)


@pytest.mark.parametrize("name", RECORDINGS)
def test_hears_speech(vad: SileroVad, speech: Callable[[str], Samples], name: str) -> None:
    """Half or more of each recording of a person is speech."""
    samples = speech(name)
    assert vad.speech_s(samples) > 0.5 * len(samples) / vad.rate


def test_hears_no_speech_in_noise(vad: SileroVad, noises: Mapping[str, Samples]) -> None:
    """Silence, noise, a tone, hum and a click are no speech."""
    assert {name: vad.speech_s(sound) for name, sound in noises.items()} == dict.fromkeys(noises, 0.0)


def test_chunks_do_not_matter(vad: SileroVad, speech: Callable[[str], Samples]) -> None:
    """The probabilities are those of the whole sound, however it arrives."""
    samples = speech("goforward")
    whole = vad.stream().feed(samples)
    stream = vad.stream()
    pieces = [stream.feed(piece) for piece in np.split(samples, [1, 500, 501, 10_000, 10_512])]
    assert [p for piece in pieces for p in piece] == whole
    assert len(whole) == len(samples) // vad.frame


def test_streams_are_apart(vad: SileroVad, speech: Callable[[str], Samples], noises: Mapping[str, Samples]) -> None:
    """One listener's speech is not another's."""
    one, other = vad.stream(), vad.stream()
    one.feed(speech("goforward"))
    assert other.feed(noises["white"]) == vad.stream().feed(noises["white"])


def test_enough_is_enough(vad: SileroVad, speech: Callable[[str], Samples]) -> None:
    """Asked only whether there is some speech, it stops once it knows."""
    assert vad.speech_s(speech("jfk"), enough_s=0.3) == pytest.approx(0.3, abs=0.04)
