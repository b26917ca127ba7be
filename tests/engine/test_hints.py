"""Words that a recogniser expects."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from realtime_nb.engine.base import Samples
from realtime_nb.engine.hints import BEGINS, GOES_ON, Expected, keywords

PIECES = ("▁J", "▁Jup", "y", "ter", "▁the", "▁", "zz", "▁Ju")
NUMBERS = {piece.encode(): number for number, piece in enumerate(PIECES)}


def due(words: str, written: str) -> dict[str, float]:
    """What each token is favoured by."""
    nothing = np.zeros(len(PIECES), np.float32)
    favoured = Expected(keywords(words), NUMBERS).favour(nothing, written.encode())
    return {piece: float(nats) for piece, nats in zip(PIECES, favoured, strict=True) if nats}


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (None, ()),
        ("", ()),
        ("Jupyter, pandas; DuckDB\nMatplotlib", ("Jupyter", "pandas", "DuckDB", "Matplotlib")),
        ("Siobhan  O'Neill., Siobhan O'Neill", ("Siobhan O'Neill",)),
        ("Expect words that have to do with the analysis of data.", ()),
        ("ab, , ;", ()),
        ("C++, .NET, Yahoo!", ("C++", ".NET", "Yahoo!")),
        ("Write what is said, thank you. Expect technology.", ("Write what is said",)),
    ],
)
def test_keywords_are_found_in_a_prompt(prompt: str | None, words: tuple[str, ...]) -> None:
    """What stands between commas, once each; a sentence about the talk is none."""
    assert keywords(prompt) == words


def test_a_word_is_easily_gone_on_with_and_less_easily_begun() -> None:
    """The more letters of it a token has, the more it is favoured; within a word every token of it is, and no other."""
    begun = {"▁": BEGINS[0], "▁J": BEGINS[0], "▁Ju": BEGINS[1], "▁Jup": BEGINS[2]}
    assert due("Jupyter", "") == begun
    assert due("Jupyter", "▁the") == begun
    assert due("Jupyter", "▁the▁Jup") == {"y": GOES_ON}
    assert due("Jupyter", "▁Jupy") == {"ter": GOES_ON}
    assert due("Jupyter", "▁Jupyter") == begun


def test_where_nothing_is_expected_nothing_changes() -> None:
    """The very array comes back."""
    logits = np.zeros(len(PIECES), np.float32)
    assert Expected(("xylophone",), {b"y": 0}).favour(logits, b"") is logits


def test_keywords_are_counted_whole() -> None:
    """A part of another word is not the word."""
    expected = Expected(keywords("Jupyter, rust"), NUMBERS)
    assert expected.count("The Jupyter notebook is trusted.") == 1
    assert expected.count("rust, and Jupyter") == 2
    assert Expected(keywords("C++, Yahoo!, .NET"), NUMBERS).count("C++ and .NET, at Yahoo! daily") == 3


@pytest.fixture(scope="module")
def hear(weights_or_skip: Callable[..., Any], speech: Callable[[str], Samples]) -> Callable[..., str]:
    """What the shipped recogniser writes of a recording."""
    files = weights_or_skip("moonshine-tiny-en", "silero-vad")
    from realtime_nb.engine.moonshine import MoonshineAsr
    from realtime_nb.engine.silero import SileroVad

    asr = MoonshineAsr(files, SileroVad(files))
    return lambda name, prompt=None: asr.transcribe(speech(name), cancel=threading.Event(), prompt=prompt).text


@pytest.mark.models
def test_a_keyword_is_written_as_the_prompt_has_it(hear: Callable[..., str]) -> None:
    """What sounds like it is written like it."""
    assert "meters" in hear("goforward")
    assert "metres" in hear("goforward", "metres")


@pytest.mark.models
@pytest.mark.parametrize("name", ["austen_0870", "goforward", "jfk", "something", "question"])
def test_keywords_that_nobody_said_change_nothing(hear: Callable[..., str], name: str) -> None:
    """Names that share their beginnings with what was said, too."""
    names = "Astral, Goethe, Siobhan, Kubernetes, Countess Maritza, Fort Worth, Youghal, Somerset, Matplotlib"
    assert hear(name, names) == hear(name)
