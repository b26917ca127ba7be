"""Noise reduction: steady noise becomes softer, speech stays, and without it nothing is touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime_nb.audio import Audio
from realtime_nb.audio.pcm import encode_pcm16
from realtime_nb.engine.base import Samples
from realtime_nb.engine.noise import FLOOR_DB, NoiseGate, quieter
from realtime_nb.engine.silero import SileroVad
from realtime_nb.engine.turns import TurnDetector
from realtime_nb.protocol.effects import SpeechStarted
from realtime_nb.protocol.formats import Pcm
from realtime_nb.protocol.session_config import NoiseReduction, ServerVad
from realtime_nb.testing.stages import StubVad

RATE = 16_000
NEAR, FAR = NoiseReduction(type="near_field"), NoiseReduction(type="far_field")


def noise(seconds: float, db: float = -30, seed: int = 0) -> Samples:
    """White noise of so many dB below full scale."""
    samples = np.random.default_rng(seed).standard_normal(int(RATE * seconds))
    return (samples * 10 ** (db / 20)).astype(np.float32)


def snr_db(clean: Samples, heard: Samples) -> float:
    """How far what is not the clean sound lies below it."""
    return float(10 * np.log10(np.mean(clean**2) / np.mean((heard - clean) ** 2)))


def spoken(data: Path) -> Samples:
    """A sentence with half a second of silence about it."""
    samples = Audio.read(data / "goforward.wav").resample(RATE).samples
    return np.pad(samples, RATE // 2).astype(np.float32)


@pytest.mark.parametrize("reduction", [NEAR, FAR])
def test_noise_becomes_as_soft_as_it_says(reduction: NoiseReduction) -> None:
    """White noise falls by 12 dB at a headset and by 20 dB in a room, give or take 2."""
    sound = noise(4)
    heard = quieter(sound, reduction)
    assert len(heard) == len(sound)
    assert 20 * np.log10(heard.std() / sound.std()) == pytest.approx(FLOOR_DB[reduction.type], abs=2)


@pytest.mark.parametrize("reduction", [NEAR, FAR])
@pytest.mark.parametrize("streamed", [False, True])
def test_speech_in_noise_stands_out(data: Path, reduction: NoiseReduction, *, streamed: bool) -> None:
    """At 5 dB the ratio of speech to noise gains 5 dB and more."""
    clean = spoken(data)
    level_db = 10 * np.log10(np.mean(clean**2)) - 5
    noisy = clean + noise(len(clean) / RATE, level_db)
    heard = stream(noisy, reduction) if streamed else quieter(noisy, reduction)
    assert snr_db(clean, noisy) == pytest.approx(5, abs=0.2)
    assert snr_db(clean, heard) > 10


def test_clean_speech_stays(data: Path) -> None:
    """What is changed of speech without noise lies 20 dB below it."""
    clean = spoken(data)
    assert snr_db(clean, quieter(clean, FAR)) > 20


def stream(sound: Samples, reduction: NoiseReduction, chunk: int = 320) -> Samples:
    """The sound through a gate, chunk by chunk."""
    gate = NoiseGate(reduction)
    pieces = [gate.feed(sound[at : at + chunk]) for at in range(0, len(sound), chunk)]
    return np.concatenate([*pieces, gate.finish()])


@pytest.mark.parametrize("chunk", [1, 160, 320, 777, 16_000])
def test_chunks_do_not_matter(chunk: int) -> None:
    """Whatever the chunks, the result is the same, and as long as the sound."""
    sound = noise(1.0)
    heard = stream(sound, FAR, chunk)
    assert len(heard) == len(sound)
    assert np.array_equal(heard, stream(sound, FAR, 512))


def test_nothing_is_shifted() -> None:
    """A click stays where it was."""
    sound = noise(2.0, -70)
    sound[RATE] = 0.9
    assert int(np.argmax(np.abs(stream(sound, FAR)))) == RATE


def test_strength_scales_the_effect() -> None:
    """Half the strength is half the decibels, none leaves the sound."""
    sound = noise(3.0)
    half = quieter(sound, NoiseReduction(type="far_field", strength=0.5))
    assert 20 * np.log10(half.std() / sound.std()) == pytest.approx(FLOOR_DB["far_field"] / 2, abs=2)
    none = quieter(sound, NoiseReduction(type="far_field", strength=0.0))
    assert np.allclose(none, sound, atol=1e-5)


def test_without_it_the_sound_is_the_same_object() -> None:
    """Null touches nothing."""
    sound = noise(1.0)
    assert quieter(sound, None) is sound


class Listener(StubVad):
    """A detector that remembers what it heard; loud is speech."""

    def __init__(self) -> None:
        self.heard: list[Samples] = []

    def stream(self) -> Listener:
        """Itself."""
        self._inner = StubVad().stream()
        return self

    def feed(self, samples: Samples) -> list[float]:
        """Remember."""
        self.heard.append(samples)
        return self._inner.feed(samples)


def turns_in(sound: Samples, reduction: NoiseReduction | None) -> tuple[int, Samples]:
    """How many turns begin, and what the detector heard."""
    ear = Listener()
    detector = TurnDetector(ear, None)
    detector.configure(ServerVad(), reduction)
    audio = encode_pcm16(np.repeat(sound, 3)[::2])  # 24 kHz
    events = [event for at in range(0, len(audio), 960) for event in detector.feed(audio[at : at + 960], Pcm())]
    return sum(isinstance(event, SpeechStarted) for event in events), np.concatenate(ear.heard)


def test_noise_alone_is_no_speech_any_more() -> None:
    """Noise that a detector takes for speech makes no turn once it is reduced; speech-loud bursts still do."""
    hiss = noise(6.0, -28)
    assert turns_in(hiss, None)[0] == 1
    assert turns_in(hiss, FAR)[0] == 0
    burst = hiss.copy()
    burst[4 * RATE : 5 * RATE] += noise(1.0, -14, seed=1)
    assert turns_in(burst, FAR)[0] == 1


def test_the_detector_hears_the_very_samples_without_it() -> None:
    """With null the detector is given what it would be given if there were no gate at all."""
    sound = noise(2.0)
    plain = Listener()
    detector = TurnDetector(plain, ServerVad())
    audio = encode_pcm16(np.repeat(sound, 3)[::2])
    for at in range(0, len(audio), 960):
        detector.feed(audio[at : at + 960], Pcm())
    assert np.array_equal(turns_in(sound, None)[1], np.concatenate(plain.heard))
    assert not np.array_equal(turns_in(sound, FAR)[1][:16_000], np.concatenate(plain.heard)[:16_000])


@pytest.mark.models
def test_fewer_pauses_are_taken_for_speech(vad: SileroVad, data: Path) -> None:
    """In pink noise 5 dB above the speech the shipped detector takes pauses for speech, and behind the gate fewer."""
    clean = np.pad(Audio.read(data / "jfk.wav").resample(RATE).samples, RATE // 2).astype(np.float32)
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(len(clean)))
    pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 1)), len(clean))
    noisy = (clean + pink / pink.std() * clean.std() * 10 ** (5 / 20)).astype(np.float32)
    speech = np.array(vad.stream().feed(clean)) > 0.5
    plain, gated = (np.array(vad.stream().feed(sound)) > 0.5 for sound in (noisy, quieter(noisy, FAR)))
    assert np.mean(gated[~speech]) < np.mean(plain[~speech])
    assert np.mean(gated[speech]) >= np.mean(plain[speech]) - 0.05
