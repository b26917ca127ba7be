# ruff: noqa: RUF001, RUF002 -- typographic marks and phonetic letters are what is handled here
"""Text to phonemes (IPA) by espeak-ng.

espeak-ng is GPL-3: it comes as an optional package, is loaded at run time, and
nothing of it is part of this project. The library keeps one global state, so
all calls take their turn at one lock.
"""

from __future__ import annotations

import ctypes
import re
import threading
import unicodedata
from functools import cache
from typing import Any, Final

from realtime_nb.engine.ort import EXTRA
from realtime_nb.errors import MissingExtra, ModelError

__all__ = ["phonemes"]

_SYNCHRONOUS: Final = 2
_UTF8: Final = 1
_IPA: Final = 2
_USE_TIE: Final = 0x80
"""Bits of ``espeak_TextToPhonemes``; the tie character stands above them (speak_lib.h)."""

_lock = threading.Lock()

_ALIKE: Final = str.maketrans(
    {"’": "'", "‘": "'", "…": ".", "—": ",", "–": ",", "。": ".", "，": ",", "！": "!", "？": "?"}
)
_UNSAID: Final = re.compile(r"[\"“”«»()\[\]{}]+")
_CLAUSE: Final = re.compile(r"(.+?)([.?!,;:]+)(?=\s|$)|(.+)$", re.DOTALL)
_LANGUAGE: Final = re.compile(r"\([a-z-]{2,7}\)")
"""How espeak marks a word that it says in another language."""


def phonemes(text: str, *, voice: str = "en-us", tie: str = "") -> str:
    """Say how a text is pronounced.

    Parameters
    ----------
    text : str
        Words, numbers and marks.
    voice : str
        An espeak-ng voice, by name or file: ``en-us``, ``gmw/en`` (British).
    tie : str
        A character put between the letters of one sound (``a^ɪ``).

    Returns
    -------
    str
        IPA in decomposed form (NFD), with the marks ``. , ; : ? !`` where the text
        has them; empty if nothing is to be said.

    Raises
    ------
    MissingExtra
        Without espeak-ng.
    ModelError
        If espeak-ng does not start, or lacks the voice.
    """
    said = _UNSAID.sub(" ", text.translate(_ALIKE))
    with _lock:
        library = _library()
        if library.espeak_SetVoiceByName(voice.encode()):
            raise ModelError(f"espeak-ng has no voice {voice!r}.")
        parts = [_pronounced(library, found, tie) for found in _CLAUSE.finditer(said)]
    return unicodedata.normalize("NFD", " ".join(filter(None, parts)))


def _pronounced(library: Any, found: re.Match[str], tie: str) -> str:
    words, marks, rest = found.groups()
    mode = _IPA | (_USE_TIE | ord(tie) << 8 if tie else 0)
    pointer = ctypes.c_char_p((words or rest).strip().encode())
    sounds = []
    while pointer.value is not None:  # a call says one clause and moves the pointer on
        sounds.append(library.espeak_TextToPhonemes(ctypes.byref(pointer), _UTF8, mode).decode())
    said = " ".join(_LANGUAGE.sub("", " ".join(sounds)).split())
    return said + _mark(marks) if said else ""


def _mark(marks: str | None) -> str:
    """Of several marks in a row, the one that decides the melody."""
    return next((mark for mark in "?!.;:," if mark in (marks or "")), "")


@cache
def _library() -> Any:
    try:
        import espeakng_loader
    except ImportError as error:
        raise MissingExtra("The local voices need espeak-ng for their phonemes.", hint=EXTRA) from error
    library = ctypes.CDLL(str(espeakng_loader.get_library_path()))
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
    data = str(espeakng_loader.get_data_path()).encode()
    if library.espeak_Initialize(_SYNCHRONOUS, 0, data, 0) < 0:
        raise ModelError(
            "espeak-ng does not start: its data cannot be read.", hint="pip install --force-reinstall espeakng-loader"
        )
    return library
