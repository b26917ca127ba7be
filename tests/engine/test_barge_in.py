"""Interrupting an answer that the microphone hears: by speech that is long enough, and louder than the echo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from realtime_nb.audio import Audio
from realtime_nb.audio.pcm import encode_pcm16
from realtime_nb.engine.barge_in import ECHO_SAFE, BargeIn, Levels
from realtime_nb.engine.silero import SileroVad
from realtime_nb.engine.turns import TurnDetector
from realtime_nb.protocol.effects import SpeechStarted
from realtime_nb.protocol.formats import Pcm
from realtime_nb.protocol.session_config import ServerVad
from realtime_nb.testing.stages import StubVad

RATE = 24_000


def hum(db: float, seconds: float) -> np.ndarray:
    """Steady noise of so many dB below full scale; the stub takes all from -40 dB or so for speech."""
    noise = np.random.default_rng(1).standard_normal(int(RATE * seconds)).astype(np.float32)
    return noise * 10 ** (db / 20)


def starts(detector: TurnDetector, sound: np.ndarray) -> list[int]:
    """Where turns begin, in milliseconds."""
    audio = encode_pcm16(np.clip(sound, -1, 1))
    events = [event for at in range(0, len(audio), 960) for event in detector.feed(audio[at : at + 960], Pcm())]
    return [event.audio_start_ms for event in events if isinstance(event, SpeechStarted)]


def listening(vad: StubVad | SileroVad, barge_in: BargeIn) -> TurnDetector:
    """A detector while an answer plays."""
    detector = TurnDetector(vad, ServerVad(prefix_padding_ms=0), barge_in)
    detector.responding = detector.playing = True
    return detector


@pytest.mark.parametrize("chunk", [1, 100, 512, 700, 5000])
def test_levels_do_not_depend_on_chunks(chunk: int) -> None:
    """Each frame of 512 samples has its loudness, however the sound comes."""
    sound = hum(-20, 0.5)
    levels = Levels(512)
    found = [level for at in range(0, len(sound), chunk) for level in levels.feed(sound[at : at + chunk])]
    assert len(found) == len(sound) // 512
    assert np.mean(found) == pytest.approx(-20, abs=0.3)


@pytest.mark.parametrize(("ms", "barge_in", "interrupts"), [
    (190, BargeIn(), False),
    (260, BargeIn(), True),
    (360, ECHO_SAFE, False),
    (440, ECHO_SAFE, True),
    (360, BargeIn(300), True),
])  # fmt: skip
def test_it_takes_as_much_speech_as_the_option_says(ms: int, barge_in: BargeIn, *, interrupts: bool) -> None:
    """Just less than that is a cough, just more is a barge-in; in a silent room loudness is no matter."""
    sound = np.concatenate((np.zeros(RATE), hum(-30, ms / 1000), np.zeros(RATE // 2))).astype(np.float32)
    assert bool(starts(listening(StubVad(), barge_in), sound)) == interrupts


@pytest.mark.parametrize("barge_in", [BargeIn(), ECHO_SAFE])
def test_without_an_answer_the_option_changes_nothing(barge_in: BargeIn) -> None:
    """Where nothing plays, the usual onset begins a turn."""
    detector = TurnDetector(StubVad(), ServerVad(prefix_padding_ms=0), barge_in)
    assert starts(detector, np.concatenate((np.zeros(RATE), hum(-30, 0.2))).astype(np.float32))


def test_an_echo_interrupts_only_where_the_option_is_off() -> None:
    """A steady echo is a barge-in by default; echo-safe it is none, however long it lasts."""
    echo = np.concatenate((np.zeros(RATE // 10), hum(-30, 8.0))).astype(np.float32)
    assert starts(listening(StubVad(), BargeIn()), echo)
    assert not starts(listening(StubVad(), ECHO_SAFE), echo)


@pytest.mark.parametrize(("above_db", "interrupts"), [(3, False), (12, True)])
def test_a_voice_must_be_above_the_echo(above_db: float, *, interrupts: bool) -> None:
    """Somebody who speaks 12 dB above the echo interrupts, 3 dB above is not told from it."""
    sound = hum(-30, 4.0)
    sound[3 * RATE :] += hum(-30 + above_db, 1.0)
    found = starts(listening(StubVad(), ECHO_SAFE), sound)
    assert bool(found) == interrupts
    assert all(2750 <= start <= 3400 for start in found)


def test_thinking_can_be_interrupted_softly() -> None:
    """While an answer is made and not heard yet there is no echo, and any sustained speech interrupts."""
    detector = listening(StubVad(), ECHO_SAFE)
    detector.playing = False
    assert starts(detector, np.concatenate((np.zeros(RATE), hum(-30, 0.6))).astype(np.float32))


@pytest.mark.models
def test_real_speech_in_a_real_echo(vad: SileroVad, data: Path) -> None:
    """A reply heard back at -30 dB does not interrupt itself when echo-safe; a user at the microphone does."""
    reply = Audio.read(data / "austen_0870.wav").resample(RATE).samples
    user = Audio.read(data / "goforward.wav").resample(RATE).samples
    echo = scaled(reply[: 8 * RATE], -34)
    assert starts(listening(vad, BargeIn()), echo)
    assert not starts(listening(vad, ECHO_SAFE), echo)
    mixed = echo.copy()
    begin = 3 * RATE
    length = min(len(user), len(mixed) - begin)
    mixed[begin : begin + length] += scaled(user, -20)[:length]
    found = starts(listening(vad, ECHO_SAFE), mixed)
    assert found
    assert 3000 <= found[0] <= 3000 + 1000 * length / RATE


def scaled(samples: np.ndarray, db: float) -> np.ndarray:
    """The sound at so many dB below full scale."""
    level = np.sqrt(np.square(samples).mean())
    return (samples * (10 ** (db / 20) / level)).astype(np.float32)
