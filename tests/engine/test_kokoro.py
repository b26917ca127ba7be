# ruff: noqa: RUF001 -- phonetic letters
"""The better voice: understood word for word, ten different people."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from realtime_nb.audio.resample import resample
from realtime_nb.engine.base import Tts
from realtime_nb.engine.kokoro import KokoroTts, alphabet
from realtime_nb.engine.moonshine import MoonshineAsr

NEVER = threading.Event()


@pytest.fixture(scope="module")
def kokoro(weights_or_skip: Callable[..., Any]) -> KokoroTts:
    """The better voice."""
    pytest.importorskip("espeakng_loader")
    return KokoroTts(weights_or_skip("kokoro-82m"))


@pytest.mark.models
def test_is_a_tts(kokoro: KokoroTts) -> None:
    """The stage has the form the engine asks for."""
    assert isinstance(kokoro, Tts)


@pytest.mark.models
@pytest.mark.parametrize("voice", ["marin", "ballad"])
def test_what_is_said_is_understood(kokoro: KokoroTts, asr: MoonshineAsr, voice: str) -> None:
    """The recogniser hears every word, American and British."""
    text = "Please open the window and close the door behind you."
    (sound,) = kokoro.speak(text, voice=voice, speed=1.0, cancel=NEVER)
    heard = asr.transcribe(resample(sound, kokoro.rate, asr.rate), cancel=NEVER).text
    assert re.sub(r"[^a-z ]", "", heard.lower()) == text.lower().strip(".")
    assert np.abs(sound).max() <= 1.0


@pytest.mark.models
def test_speed_is_honoured(kokoro: KokoroTts) -> None:
    """Faster is shorter."""
    slow, fast = (
        sum(map(len, kokoro.speak("Good morning.", voice="echo", speed=speed, cancel=NEVER))) for speed in (0.7, 1.5)
    )
    assert fast < 0.75 * slow


@pytest.mark.models
def test_no_wait_before_the_first_word(kokoro: KokoroTts) -> None:
    """The silence that the model puts before the first word is cut to a twentieth of a second."""
    (sound,) = kokoro.speak("Good morning.", voice="marin", speed=1.0, cancel=NEVER)
    assert int(np.flatnonzero(np.abs(sound) > 0.003)[0]) <= kokoro.rate // 20


@pytest.mark.models
def test_cancel_stops_in_the_middle(kokoro: KokoroTts) -> None:
    """A cancel during synthesis ends the speech without a chunk."""
    cancel = threading.Event()
    timer = threading.Timer(0.05, cancel.set)
    timer.start()
    text = "Please open the window and close the door behind you, and then come back."
    assert list(kokoro.speak(text, voice="marin", speed=1.0, cancel=cancel)) == []
    timer.join()


@pytest.mark.parametrize(
    ("sounds", "british", "letters"),
    [
        ("d^ʒˈo^ʊk", False, "ʤˈOk"),
        ("nˈə^ʊ", True, "nˈQ"),
        ("bˈʌʔn\u0329", False, "bˈʌtn"),
        ("θˈɜːɾi", False, "θˈɜɹTi"),
        ("ðˈɛ^ə", True, "ðˈɛː"),
    ],
)
def test_alphabet(sounds: str, british: bool, letters: str) -> None:
    """Diphthongs and affricates become the model's single letters."""
    assert alphabet(sounds, british=british) == letters
