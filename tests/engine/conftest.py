"""Stages loaded once for all tests of the engine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from realtime_nb.engine.base import Samples

if TYPE_CHECKING:
    from realtime_nb.engine.moonshine import MoonshineAsr
    from realtime_nb.engine.piper import PiperTts
    from realtime_nb.engine.silero import SileroVad


@pytest.fixture(scope="session")
def vad(weights_or_skip: Callable[..., Any]) -> SileroVad:
    """The voice activity detector."""
    files = weights_or_skip("silero-vad")
    from realtime_nb.engine.silero import SileroVad

    return SileroVad(files)


@pytest.fixture(scope="session")
def asr(weights_or_skip: Callable[..., Any], vad: SileroVad) -> MoonshineAsr:
    """The recogniser."""
    files = weights_or_skip("moonshine-tiny-en")
    from realtime_nb.engine.moonshine import MoonshineAsr

    return MoonshineAsr(files, vad)


@pytest.fixture(scope="session")
def piper(weights_or_skip: Callable[..., Any]) -> PiperTts:
    """The fast voice."""
    pytest.importorskip("espeakng_loader")
    files = weights_or_skip("piper-en-us-joe")
    from realtime_nb.engine.piper import PiperTts

    return PiperTts(files)


@pytest.fixture(scope="session")
def speech(data: Path) -> Callable[[str], Samples]:
    """Read a recording, at its own 16 kHz."""
    import soundfile

    def read(name: str) -> Samples:
        samples, rate = soundfile.read(data / f"{name}.wav", dtype="float32")
        assert rate == 16_000
        return np.asarray(samples, dtype=np.float32)

    return read


@pytest.fixture(scope="session")
def noises() -> dict[str, Samples]:
    """Two seconds each of what is no speech, at 16 kHz."""
    random = np.random.default_rng(7)
    time_s = np.arange(32_000) / 16_000
    click = np.zeros(32_000)
    click[16_000:16_040] = 0.8
    spectrum = np.fft.rfft(random.normal(size=32_000)) / np.sqrt(np.arange(16_001) + 1)
    pink = np.fft.irfft(spectrum)
    made = {
        "silence": np.zeros(32_000),
        "faint": random.normal(0, 0.001, 32_000),
        "white": random.normal(0, 0.05, 32_000),
        "loud": random.normal(0, 0.2, 32_000),
        "pink": 0.3 * pink / np.abs(pink).max(),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * time_s),
        "hum": 0.1 * np.sign(np.sin(2 * np.pi * 50 * time_s)),
        "click": click,
    }
    return {name: sound.astype(np.float32) for name, sound in made.items()}
