"""A picture in words, for a brain that cannot see: its size, colours, shapes, and the text in it.

No model is needed, and no guess is made: what was measured is said, and so is
what could not be done. Text is read by ``tesseract`` (or ``rapidocr``) where
one of them is installed.
"""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

import numpy as np
from PIL import Image

from realtime_nb.engine.shapes import Word, colours, shapes
from realtime_nb.errors import ImageError

__all__ = ["PixelVision"]

_WORKING_PX: Final = 400
_READING_PX: Final = 2_000
_SMALL_PRINT_PX: Final = 1_000
_READING_S: Final = 5.0
_SURE: Final = 50.0
"""Percent of confidence from which a word counts."""
_TALLEST: Final = 0.25
"""Of the picture's height: what is larger is more often a shape than a letter..."""
_CERTAIN: Final = 90.0
"""... unless it is a whole word, as on a sign, read with this confidence."""
_WATCH_S: Final = 0.05


class PixelVision:
    """Measures a picture and reads its text; needs no weights."""

    name = "pixels"

    def describe(self, png_or_jpeg: bytes, *, cancel: threading.Event) -> str:
        """Say what is in a picture.

        Parameters
        ----------
        png_or_jpeg : bytes
            The picture's file.
        cancel : threading.Event
            Set it, and what is known so far comes back within 100 ms.

        Returns
        -------
        str
            A few English sentences.

        Raises
        ------
        ImageError
            If it cannot be decoded.
        """
        picture = _opened(png_or_jpeg)
        width, height = picture.size
        small = picture.copy()
        small.thumbnail((_WORKING_PX, _WORKING_PX), Image.Resampling.NEAREST)  # mixes no colours
        pixels = np.asarray(small)
        found = colours(pixels)
        shares = ", ".join(
            f"{colour.name} ({colour.share:.0%})" if colour.share >= 0.01 else f"a little {colour.name}"
            for colour in found
        )
        words, told = self._read(picture, cancel)
        sentences = [f"The picture is {width} by {height} pixels. Its colours: {shares}."]
        sentences += shapes(pixels, found, words)
        sentences.append(told)
        sentences.append("Nothing else of it could be recognised: people and things are not seen by this engine.")
        return " ".join(sentences)

    def _read(self, picture: Image.Image, cancel: threading.Event) -> tuple[list[Word], str]:
        """Read the words in it, and put them, or why there are none, into a sentence."""
        if self._reader is None:
            return [], "Whether there is text in it is not known: no text reader is installed."
        try:
            words = self._reader(_readable(picture), cancel)
        except TimeoutError:
            return [], "Whether there is text in it is not known: reading took too long."
        text = " ".join(" ".join(word.text for word in words).split())
        return words, f'Text in it: "{text}".' if text else "No text was found in it."

    @cached_property
    def _reader(self) -> Any:
        if shutil.which("tesseract"):
            return _by_tesseract
        return _RapidOcr() if importlib.util.find_spec("rapidocr") else None


def _opened(data: bytes) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(data))
        picture.load()
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"The picture cannot be decoded: {error}") from error
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")


def _readable(picture: Image.Image) -> Image.Image:
    """Grey, and neither so small that letters blur nor so large that it takes long."""
    grey = picture.convert("L")
    longest = max(grey.size)
    factor = 2.0 if longest < _SMALL_PRINT_PX else min(1.0, _READING_PX / longest)
    if factor == 1.0:
        return grey
    size = max(1, round(grey.width * factor)), max(1, round(grey.height * factor))
    return grey.resize(size, Image.Resampling.LANCZOS)


def _by_tesseract(picture: Image.Image, cancel: threading.Event) -> list[Word]:
    """Page mode 11: scattered text, as charts and signs have it."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    with subprocess.Popen(
        ["tesseract", "stdin", "stdout", "--psm", "11", "tsv"],  # noqa: S607 -- the person's own, on the path
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_THREAD_LIMIT": "1"},  # its threads wait for each other longer than they work
    ) as reader:
        sent: bytes | None = file.getvalue()
        for _ in range(int(_READING_S / _WATCH_S)):
            try:
                table, _ = reader.communicate(sent, timeout=_WATCH_S)
            except subprocess.TimeoutExpired:
                sent = None
                if cancel.is_set():
                    break
            else:
                return list(_sure_words(table.decode("utf-8", "replace"), picture.size))
        reader.kill()
    raise TimeoutError


def _sure_words(table: str, size: tuple[int, int]) -> Iterator[Word]:
    """Take, of tesseract's table, the words it is sure of and that are no shapes taken for letters."""
    for row in table.splitlines()[1:]:
        *_, left, top, width, height, confidence, word = row.split("\t")
        letters = sum(map(str.isalnum, word))
        sure, least = (_CERTAIN, 3) if int(height) > _TALLEST * size[1] else (_SURE, 1)
        if float(confidence) >= sure and letters >= least:
            x, y = int(left), int(top)
            yield _word(word, (x, x + int(width)), (y, y + int(height)), size)


def _word(text: str, across: Any, down: Any, size: tuple[int, int]) -> Word:
    """Make a word of the pixels it reaches over."""
    width, height = size
    return Word(text, min(across) / width, max(across) / width, min(down) / height, max(down) / height)


class _RapidOcr:
    """The ``rapidocr`` package, loaded when it is first needed; a run of it cannot be stopped."""

    def __call__(self, picture: Image.Image, cancel: threading.Event) -> list[Word]:
        if cancel.is_set():
            return []
        found = self._engine(np.asarray(picture.convert("RGB")))
        words = []
        for text, box in zip(found.txts or (), found.boxes if found.txts else (), strict=True):
            across, down = np.asarray(box).T
            words.append(_word(text, across, down, picture.size))
        return words

    @cached_property
    def _engine(self) -> Any:
        return importlib.import_module("rapidocr").RapidOCR()
