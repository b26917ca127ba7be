"""The fast voice: understood by the recogniser, ten people, any pace, and silent when told."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import numpy as np
import pytest

from realtime_nb.audio.resample import resample
from realtime_nb.engine.base import Samples, Tts
from realtime_nb.engine.moonshine import MoonshineAsr
from realtime_nb.engine.piper import PiperTts
from realtime_nb.engine.voices import VOICES

pytestmark = pytest.mark.models

NEVER = threading.Event()
SENTENCE = "She sells seven red apples at the market every morning."


@pytest.fixture(scope="module")
def say(piper: PiperTts) -> Callable[..., Samples]:
    """Say something, and give it as one sound."""

    def said(text: str, *, voice: str = "echo", speed: float = 1.0) -> Samples:
        chunks = list(piper.speak(text, voice=voice, speed=speed, cancel=NEVER))
        return np.concatenate([np.zeros(0, np.float32), *chunks])

    return said


def pitch_hz(sound: Samples, rate: int) -> float:
    """The median fundamental of the voiced parts, by autocorrelation between 60 and 300 Hz."""
    found = []
    for start in range(0, len(sound) - 2048, 512):
        window = sound[start : start + 2048]
        spectrum = np.fft.rfft(window - window.mean(), 4096)
        likeness = np.fft.irfft(np.abs(spectrum) ** 2)
        low, high = rate // 300, rate // 60
        lag = low + int(likeness[low:high].argmax())
        if window.std() > 0.03 and likeness[lag] > 0.5 * likeness[0]:
            found.append(rate / lag)
    return float(np.median(found))


def test_is_a_tts(piper: PiperTts) -> None:
    """The stage has the form the engine asks for."""
    assert isinstance(piper, Tts)


@pytest.mark.parametrize(  # plain ones: the voice is never twice the same, and hard ones are misheard now and then
    "text",
    ["The children played in the garden all afternoon.", "Please open the window and close the door behind you."],
)
@pytest.mark.parametrize("voice", ["cedar", "alloy", "shimmer"])
def test_what_is_said_is_understood(
    say: Callable[..., Samples], piper: PiperTts, asr: MoonshineAsr, text: str, voice: str
) -> None:
    """The recogniser hears what was to be said, but for one word at most, from the deepest voice to the highest."""
    heard = asr.transcribe(resample(say(text, voice=voice), piper.rate, asr.rate), cancel=NEVER).text
    expected, found = (re.sub(r"[^a-z ]", "", words.lower()).split() for words in (text, heard))
    assert sum(word in found for word in expected) >= len(expected) - 1, heard


def test_ten_voices_are_ten(say: Callable[..., Samples], piper: PiperTts) -> None:
    """Each of the API's names has a pitch of its own, in the order of the table, over half an octave and more."""
    by_pitch = sorted(VOICES.values(), key=lambda voice: voice.pitch)
    text = f"{SENTENCE} {SENTENCE}"
    heard = [pitch_hz(say(text, voice=voice.name), piper.rate) for voice in by_pitch]
    assert all(later > earlier for earlier, later in zip(heard, heard[2:], strict=False)), heard
    assert heard[-1] / heard[0] > 2**0.5
    assert len({round(pitch, 1) for pitch in heard}) == len(VOICES)


def test_voices_keep_their_pitch(say: Callable[..., Samples], piper: PiperTts) -> None:
    """A name sounds the same from one sentence to the next: its pitch stays within 6 %."""
    once, again = (pitch_hz(say(SENTENCE, voice="marin"), piper.rate) for _ in range(2))
    assert once == pytest.approx(again, rel=0.06)


def test_speed_is_honoured(say: Callable[..., Samples]) -> None:
    """Twice the speed is about half the length, and the slowest is more than twice as long."""
    lengths = {speed: len(say(SENTENCE, speed=speed)) for speed in (0.25, 0.5, 1.0, 1.5)}
    assert sorted(lengths.values(), reverse=True) == list(lengths.values())
    assert lengths[0.25] > 2.5 * lengths[1.0]
    assert lengths[1.5] < 0.85 * lengths[1.0]


def test_sound_is_in_range_and_loud_enough(say: Callable[..., Samples]) -> None:
    """Samples are float32 within [-1, 1], neither faint nor clipped flat."""
    sound = say(SENTENCE)
    assert sound.dtype == np.float32
    assert 0.4 < np.abs(sound).max() <= 1.0
    assert 0.04 < np.sqrt((sound**2).mean()) < 0.2


@pytest.mark.parametrize("text", ["", "   ", "...", "**", "\U0001f600"])
def test_nothing_to_say(say: Callable[..., Samples], text: str) -> None:
    """A text without a word gives no sound."""
    assert len(say(text)) == 0


def test_marks_of_markdown_are_not_read_out(say: Callable[..., Samples], piper: PiperTts, asr: MoonshineAsr) -> None:
    """Stars and backquotes of a brain that writes Markdown are not spoken."""
    sound = say("**Please open** the `window`.")
    assert asr.transcribe(resample(sound, piper.rate, asr.rate), cancel=NEVER).text == "Please open the window."


def test_long_text_comes_in_pieces(piper: PiperTts) -> None:
    """A text of several sentences over 240 characters is given chunk by chunk."""
    chunks = piper.speak(" ".join([SENTENCE] * 6), voice="echo", speed=1.5, cancel=NEVER)
    assert len(next(chunks)) < 6 * piper.rate
    chunks.close()


def test_cancel_stops_in_the_middle(piper: PiperTts) -> None:
    """A cancel during synthesis ends the speech without another chunk."""
    cancel = threading.Event()
    timer = threading.Timer(0.03, cancel.set)
    timer.start()
    assert list(piper.speak(" ".join([SENTENCE] * 4), voice="echo", speed=0.25, cancel=cancel)) == []
    timer.join()


def test_threads_do_not_mix(piper: PiperTts, asr: MoonshineAsr) -> None:
    """Two sessions that speak at once each say their own words."""
    heard: dict[str, str] = {}
    texts = {"window": "Please open the window.", "garden": "The children played in the garden all afternoon."}

    def speak(word: str) -> None:
        (sound,) = piper.speak(texts[word], voice="echo", speed=1.0, cancel=NEVER)
        heard[word] = asr.transcribe(resample(sound, piper.rate, asr.rate), cancel=NEVER).text

    threads = [threading.Thread(target=speak, args=(word,)) for word in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {word: [each for each in texts if each in said] for word, said in heard.items()}
    assert found == {word: [word] for word in texts}
