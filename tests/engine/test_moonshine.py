"""Speech recognition: real recordings, and everything that is not speech."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from realtime_nb.engine.base import Asr, Samples
from realtime_nb.engine.moonshine import MoonshineAsr, Tokenizer, _unlooped, quiet_cuts
from realtime_nb.errors import ConfigError

NEVER = threading.Event()


def words(text: str) -> list[str]:
    """Lower case, without marks; "Mr." as it is said."""
    return re.sub(r"[^a-z ]", "", text.lower().replace("-", " ").replace("mr.", "mister")).split()


def errors(heard: list[str], said: list[str]) -> int:
    """Words to insert, drop or change (Levenshtein)."""
    row = list(range(len(said) + 1))
    for i, word in enumerate(heard, 1):
        previous, row[0] = row[:], i
        for j, other in enumerate(said, 1):
            row[j] = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (word != other))
    return row[-1]


@pytest.mark.models
def test_is_an_asr(asr: MoonshineAsr) -> None:
    """The stage has the form the engine asks for."""
    assert isinstance(asr, Asr)


@pytest.mark.models
def test_hears_what_people_say(asr: MoonshineAsr, speech: Callable[[str], Samples], data: Path) -> None:
    """Over the five recordings at most one word in twenty is wrong."""
    said = {name: entry["text"] for name, entry in json.loads((data / "transcripts.json").read_text()).items()}
    names = ["austen_0870", "austen_0880", "goforward", "jfk", "something"]
    heard = {name: asr.transcribe(speech(name), cancel=NEVER).text for name in names}
    wrong = sum(errors(words(heard[name]), words(said[name])) for name in names)
    assert wrong / sum(len(words(said[name])) for name in names) <= 0.05, heard


@pytest.mark.models
def test_tells_how_sure_it_is(asr: MoonshineAsr, speech: Callable[[str], Samples]) -> None:
    """Each token has a log-probability, and the tokens make up the text."""
    found = asr.transcribe(speech("goforward"), cancel=NEVER)
    assert found.tokens == len(found.logprobs)
    assert "".join(token for token, _ in found.logprobs).strip() == found.text
    assert all(logprob <= 0 for _, logprob in found.logprobs)
    assert found.language == "en"


@pytest.mark.models
def test_nothing_is_heard_in_noise(asr: MoonshineAsr, noises: Mapping[str, Samples]) -> None:
    """Silence, noise, a tone, hum and a click give the empty text."""
    assert {name: asr.transcribe(sound, cancel=NEVER).text for name, sound in noises.items()} == dict.fromkeys(
        noises, ""
    )


@pytest.mark.models
@pytest.mark.parametrize("samples", [0, 1, 100, 1_599])
def test_too_little_to_hear(asr: MoonshineAsr, samples: int) -> None:
    """A sound of a few samples, or none, gives the empty text."""
    assert asr.transcribe(np.full(samples, 0.1, np.float32), cancel=NEVER).text == ""


@pytest.mark.models
def test_long_speech_is_heard_to_its_end(asr: MoonshineAsr, speech: Callable[[str], Samples]) -> None:
    """Speech longer than the model can take at once is cut where it is quiet, and nothing is lost."""
    pause = np.zeros(8_000, np.float32)
    sound = np.concatenate([speech("goforward"), pause, *[speech("austen_0870"), pause] * 4, speech("something")])
    heard = words(asr.transcribe(sound, cancel=NEVER).text)
    assert len(sound) > 30 * asr.rate
    assert heard[:3] == ["go", "forward", "ten"]
    assert heard[-5:] == ["go", "somewhere", "and", "do", "something"]
    assert heard.count("dashwood") == 4


@pytest.mark.models
def test_cancel_stops_the_writing(asr: MoonshineAsr, speech: Callable[[str], Samples]) -> None:
    """With the cancel set, nothing is heard."""
    cancel = threading.Event()
    cancel.set()
    assert asr.transcribe(speech("jfk"), cancel=cancel).text == ""


@pytest.mark.models
def test_other_languages_are_refused(asr: MoonshineAsr, speech: Callable[[str], Samples]) -> None:
    """A language it does not know is an error, not nonsense; varieties of English are heard."""
    with pytest.raises(ConfigError, match="English only"):
        asr.transcribe(speech("goforward"), cancel=NEVER, language="de")
    assert asr.transcribe(speech("goforward"), cancel=NEVER, language="en-GB").text == "Go forward ten meters."


@pytest.mark.models
def test_threads_do_not_mix(asr: MoonshineAsr, speech: Callable[[str], Samples]) -> None:
    """Two threads that hear different things at once get their own words."""
    heard: dict[str, str] = {}

    def hear(name: str) -> None:
        heard[name] = asr.transcribe(speech(name), cancel=NEVER).text

    threads = [threading.Thread(target=hear, args=(name,)) for name in ("goforward", "something")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"goforward": "Go forward ten meters.", "something": "Go somewhere and do something."}


def test_tokenizer_reads_lengths_of_one_and_two_bytes() -> None:
    """A length of 128 and more takes two bytes, the low seven bits first."""
    tokenizer = Tokenizer(b"\x03<s>" + b"\x06\xe2\x96\x81two" + b"\x80\x01" + b"x" * 128)
    assert tokenizer.pieces[2] == b"x" * 128
    assert tokenizer.text([0, 1, 1]) == " two two"


def test_characters_across_tokens_are_whole() -> None:
    """A character whose bytes are in two tokens is written once both are there."""
    tokenizer = Tokenizer(b"\x01\xc3" + b"\x01\xa9")
    assert tokenizer.text([0, 1]) == "é"


@pytest.mark.parametrize(
    ("tokens", "kept"),
    [
        ([5] * 40, [5]),
        ([1, 2, *[7, 8, 9] * 10], [1, 2, 7, 8, 9]),
        ([3, 3, 3, 3, 4], [3, 3, 3, 3, 4]),
        ([1, 2, 3, 1, 2, 3], [1, 2, 3, 1, 2, 3]),
        (list(range(50)), list(range(50))),
    ],
)
def test_loops_are_cut(tokens: list[int], kept: list[int]) -> None:
    """What is said over and over is kept once; what people repeat stays."""
    assert [token for token, _ in _unlooped((token, 0.0) for token in tokens)] == kept


@pytest.mark.parametrize("seconds", [0, 1, 28, 29, 60, 200])
def test_cuts_leave_nothing_out(seconds: int) -> None:
    """Pieces follow each other, cover everything, and none is too long."""
    sound = np.random.default_rng(1).normal(0, 0.1, seconds * 16_000).astype(np.float32)
    cuts = quiet_cuts(sound)
    assert cuts[0] == 0
    assert cuts[-1] == len(sound)
    assert all(0 <= length <= 28 * 16_000 for length in np.diff(cuts))
