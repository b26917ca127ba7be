# ruff: noqa: RUF001 -- phonetic letters
"""Phonemes: what is said, and the marks that shape it."""

from __future__ import annotations

import sys

import pytest

from realtime_nb.engine import espeak
from realtime_nb.errors import MissingExtra, ModelError

pytest.importorskip("espeakng_loader")


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("Hello there, my friend.", "həlˈoʊ ðˈɛɹ, maɪ fɹˈɛnd."),
        ("Yes?! No...", "jˈɛs? nˈoʊ."),
        ("3.5 metres", "θɹˈiː pɔɪnt fˈaɪv mˈiːɾɚz"),
        ("“Yes” — he said", "jˈɛs, hiː sˈɛd"),
        ("...", ""),
        ("", ""),
    ],
)
def test_phonemes(text: str, sounds: str) -> None:
    """Words become IPA; marks stay where they shape the melody, and are not read out."""
    assert espeak.phonemes(text) == sounds


def test_ties_join_the_letters_of_one_sound() -> None:
    """With a tie, the letters of a diphthong are joined by it."""
    assert espeak.phonemes("no", tie="^") == "nˈo^ʊ"


def test_unknown_voice_is_an_error() -> None:
    """A voice that espeak-ng does not have is named."""
    with pytest.raises(ModelError, match="no voice 'xx-nowhere'"):
        espeak.phonemes("no", voice="xx-nowhere")


def test_missing_package_has_its_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without espeak-ng, the error's hint installs it."""
    monkeypatch.setattr(espeak, "_library", espeak._library.__wrapped__)  # past the cache
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(MissingExtra) as caught:
        espeak.phonemes("no")
    assert caught.value.hint == 'pip install "realtime-nb[local]"'
