"""Pictures in words: what is measured is right, what is not known is said."""

from __future__ import annotations

import io
import shutil
import threading
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from realtime_nb.engine import vision
from realtime_nb.engine.base import Vision
from realtime_nb.engine.shapes import Word
from realtime_nb.engine.vision import PixelVision
from realtime_nb.errors import ImageError

NEVER = threading.Event()


@pytest.fixture(autouse=True)
def no_reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """No text reader is installed, but for the test of reading."""
    if request.function is not test_text_is_read:
        monkeypatch.setattr(vision.shutil, "which", lambda _: None)
        monkeypatch.setattr(vision.importlib.util, "find_spec", lambda _: None)


def png(picture: Image.Image) -> bytes:
    """The picture's file."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def drawing(size: tuple[int, int] = (400, 300)) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A white sheet."""
    picture = Image.new("RGB", size, "white")
    return picture, ImageDraw.Draw(picture)


def described(picture: Image.Image) -> str:
    """What is said of a picture."""
    return PixelVision().describe(png(picture), cancel=NEVER)


def test_is_a_vision() -> None:
    """The stage has the form the engine asks for."""
    assert isinstance(PixelVision(), Vision)


def test_size_and_colours() -> None:
    """Size and shares of colours are told."""
    picture, draw = drawing((300, 200))
    draw.rectangle((0, 0, 99, 199), "red")
    assert described(picture).startswith("The picture is 300 by 200 pixels. Its colours: white (67%), red (33%).")


def test_bars_are_measured() -> None:
    """Bars of a chart are counted and compared, from left to right."""
    picture, draw = drawing()
    for number, height in enumerate((50, 100, 200)):
        draw.rectangle((50 + 100 * number, 280 - height, 100 + 100 * number, 279), (31, 119, 180))
    assert "3 bars stand side by side" in described(picture)
    assert "blue 25%, blue 50%, blue 100%" in described(picture)
    assert "The tallest is number 3 from the left, the shortest is number 1 from the left." in described(picture)


def test_a_word_under_a_bar_is_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the words that are read, the first line below a bar, as far as the bar reaches."""
    picture, draw = drawing()
    words = [Word("Sales", 0.4, 0.6, 0.02, 0.06), Word("fruit", 0.4, 0.6, 0.98, 1.0)]
    for number, (name, height) in enumerate((("apples", 50), ("pears", 200), ("plums", 100))):
        left = 50 + 100 * number
        draw.rectangle((left, 280 - height, left + 50, 279), (31, 119, 180))
        words.append(Word(name, left / picture.width, (left + 50) / picture.width, 0.95, 0.97))
    monkeypatch.setattr(PixelVision, "_reader", staticmethod(lambda _picture, _cancel: words))
    assert "apples (blue) 25%, pears (blue) 100%, plums (blue) 50%" in described(picture)
    assert "The tallest is pears, the shortest is apples." in described(picture)


@pytest.mark.parametrize(("end", "way"), [(20, "rises"), (280, "falls"), (150, "ends as high as it starts,")])
def test_lines_are_followed(end: int, way: str) -> None:
    """A line of a chart is told with its direction."""
    picture, draw = drawing()
    draw.line((20, 150, 380, end), (255, 127, 14), 3)
    assert f"an orange line that {way} from left to right" in described(picture)


def test_shapes_and_places() -> None:
    """Circles, rectangles and triangles are told with colour and place."""
    picture, draw = drawing()
    draw.ellipse((20, 20, 120, 120), "red")
    draw.rectangle((250, 180, 380, 280), "green")
    draw.polygon([(50, 290), (20, 200), (80, 200)], "blue")
    text = described(picture)
    assert "a red circle (upper left)" in text
    assert "a green rectangle (lower right)" in text
    assert "a blue triangle (lower left)" in text


def test_photographs_are_not_taken_for_drawings() -> None:
    """A picture of many shades is called so, and no shapes are invented."""
    noise = np.random.default_rng(1).integers(0, 255, (60, 80, 3), dtype=np.uint8)
    text = described(Image.fromarray(noise).resize((800, 600)))
    assert "many shades of a photograph" in text
    assert "There is" not in text


def test_transparent_is_white() -> None:
    """What is transparent counts as white paper."""
    assert "white (100%)" in described(Image.new("RGBA", (50, 50), (0, 0, 0, 0)))


def test_says_what_it_could_not_do() -> None:
    """Without a text reader, that is said; that nothing else is recognised, always."""
    text = described(drawing()[0])
    assert "no text reader is installed" in text
    assert "Nothing else of it could be recognised" in text


@pytest.mark.parametrize("data", [b"", b"not a picture", png(Image.new("RGB", (50, 50)))[:60]])
def test_no_picture_is_an_error(data: bytes) -> None:
    """Bytes that are no picture raise."""
    with pytest.raises(ImageError, match="cannot be decoded"):
        PixelVision().describe(data, cancel=NEVER)


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (5000, 2)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    """The smallest and the thinnest pictures are described too."""
    assert f"{size[0]} by {size[1]} pixels" in described(Image.new("RGB", size, "blue"))


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_text_is_read() -> None:
    """Printed words are read where tesseract is installed."""
    picture, draw = drawing()
    draw.text((40, 100), "Exit to the left", "black", ImageFont.load_default(40))
    assert 'Text in it: "Exit to the left".' in described(picture)


def _slow(picture: Any, cancel: threading.Event) -> list[Word]:
    raise TimeoutError


def test_slow_reading_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text reader that takes too long leaves the rest of the description."""
    seer = PixelVision()
    monkeypatch.setattr(PixelVision, "_reader", staticmethod(_slow))
    assert "reading took too long" in seer.describe(png(drawing()[0]), cancel=NEVER)
