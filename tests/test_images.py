"""Pictures: what a notebook shows, as the Realtime API takes it."""

from __future__ import annotations

import base64
import copy
import io
import pickle
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import IPython.display
import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.figure import Figure

import realtime_nb as rt
from realtime_nb import pixels
from realtime_nb.errors import ImageError
from realtime_nb.images import Image, is_image_like

RED = np.full((30, 40, 3), [200, 10, 20], np.uint8)


def written(picture: PIL.Image.Image, format: str, **options: Any) -> bytes:
    """Give a file of a picture."""
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


def seen(image: Image) -> np.ndarray:
    """Give the pixels of an image, as RGB."""
    return np.asarray(PIL.Image.open(io.BytesIO(image.data)).convert("RGB"))


def png_header(width: int, height: int) -> bytes:
    """Give a PNG that promises a size, and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


PNG = written(PIL.Image.fromarray(RED), "PNG")
JPEG = written(PIL.Image.fromarray(RED), "JPEG")


def test_the_door_has_it() -> None:
    """rt.Image is the value of this module."""
    assert rt.Image is Image


@pytest.mark.parametrize(("data", "mime"), [(PNG, "image/png"), (JPEG, "image/jpeg")])
def test_png_and_jpeg_are_sent_byte_for_byte(data: bytes, mime: str) -> None:
    """What the API takes is not touched."""
    image = Image.coerce(data)
    assert (image.data, image.mime, image.width, image.height) == (data, mime, 40, 30)
    assert image.data_url == f"data:{mime};base64,{base64.b64encode(data).decode()}"


def widget(data: bytes) -> SimpleNamespace:
    """Stand in for ipywebrtc's ImageRecorder."""
    return SimpleNamespace(image=SimpleNamespace(value=data))


class Drawn:
    """Shows itself as PNG, as many libraries' objects do."""

    def __init__(self, shown: object) -> None:
        self.shown = shown

    def _repr_png_(self) -> object:
        return self.shown


@pytest.mark.parametrize(
    "obj",
    [
        Image(PNG),
        bytearray(PNG),
        memoryview(PNG),
        RED,
        PIL.Image.fromarray(RED),
        f"data:image/png;base64,{base64.b64encode(PNG).decode()}",
        IPython.display.Image(data=PNG),
        widget(PNG),
        Drawn(PNG),
        Drawn((PNG, {"width": 40})),
        Drawn(base64.encodebytes(PNG).decode()),
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_every_face_of_a_picture_is_the_same_picture(obj: object) -> None:
    """Value, bytes, array, PIL, data URL, IPython's, widgets and anything that draws itself."""
    assert np.array_equal(seen(Image.coerce(obj)), RED)


def test_a_path_is_read_as_text_or_path(tmp_path: Path) -> None:
    """The file's own bytes."""
    path = tmp_path / "red.jpg"
    path.write_bytes(JPEG)
    assert Image.coerce(path).data == Image.coerce(str(path)).data == Image.read(path).data == JPEG


def test_the_widget_that_shows_a_picture_is_read() -> None:
    """The Image of ipywidgets holds its file's bytes."""
    ipywidgets = pytest.importorskip("ipywidgets")
    assert Image.coerce(ipywidgets.Image(value=PNG)).data == PNG


def figure() -> Figure:
    """Give a figure made without pyplot."""
    drawn = Figure(figsize=(4, 3), dpi=50)
    drawn.add_subplot().plot([1, 3, 2])
    return drawn


@pytest.mark.parametrize(
    "part", [lambda f: f, lambda f: f.axes[0], lambda f: SimpleNamespace(figure=f), lambda f: f.subfigures()]
)
def test_a_figure_and_what_stands_in_it_is_drawn_as_it_is_shown(part: Callable[[Figure], object]) -> None:
    """A figure, its axes, a grid that has a figure, and a subfigure give the figure at its own size."""
    image = Image.coerce(part(figure()))
    assert (image.mime, image.width, image.height) == ("image/png", 200, 150)


def test_a_figure_with_a_transparent_ground_is_laid_on_white() -> None:
    """A dark theme's figure does not reach the model black on black."""
    drawn = Figure(figsize=(1, 1), dpi=20, facecolor="none")
    assert np.all(seen(Image.coerce(drawn)) == 255)


def test_drawing_a_figure_never_touches_pyplot() -> None:
    """Neither importing us nor taking a figure imports pyplot, so any thread may do it."""
    code = (
        "import sys, realtime_nb as rt; from matplotlib.figure import Figure; f = Figure(); f.add_subplot();"
        "rt.Image.coerce(f); rt.Image.coerce(f.axes[0]); sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_us_imports_neither_pillow_nor_matplotlib() -> None:
    """They come when a picture does."""
    code = "import sys, realtime_nb.images; sys.exit(any(m in sys.modules for m in ('PIL', 'matplotlib', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@settings(deadline=None, max_examples=40)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from([3, 4])))
    | hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20)))
)
def test_an_array_keeps_every_pixel(x: np.ndarray) -> None:
    """Grey, RGB and RGBA arrive exactly as they were."""
    assert np.array_equal(np.asarray(PIL.Image.open(io.BytesIO(Image.from_array(x).data))), x)


@pytest.mark.parametrize("dtype", [np.float64, np.int64, np.uint16, bool, object])
def test_numbers_whose_white_is_a_guess_are_refused(dtype: type) -> None:
    """Floats and wider integers are refused, and the hint scales them."""
    with pytest.raises(ImageError, match="guess") as caught:
        Image.coerce(np.zeros((4, 4, 3), dtype))
    assert '(x * 255).astype("uint8")' in (caught.value.hint or "")


@pytest.mark.parametrize("shape", [(4,), (3, 8, 8), (4, 4, 2), (4, 4, 1), (1, 2, 3, 4), ()])
def test_shapes_that_are_no_picture_are_refused(shape: tuple[int, ...]) -> None:
    """Colours come last; one, two or five of them are no picture."""
    with pytest.raises(ImageError, match="is no picture"):
        Image.from_array(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(0, 4), (4, 0, 3)])
def test_a_picture_without_pixels_is_refused(shape: tuple[int, ...]) -> None:
    """There is nothing to see."""
    with pytest.raises(ImageError, match="nothing to see"):
        Image.from_array(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I;16"])
def test_every_mode_that_knows_white_is_taken(mode: str) -> None:
    """Pillow's modes become PNG, converted where PNG has none."""
    assert Image.coerce(PIL.Image.new(mode, (5, 6))).mime == "image/png"


@pytest.mark.parametrize("mode", ["F", "I"])
def test_modes_that_do_not_know_white_are_refused(mode: str) -> None:
    """Floats and 32-bit integers: the same rule as for arrays."""
    with pytest.raises(ImageError, match="no agreed white"):
        Image.coerce(PIL.Image.new(mode, (5, 6)))


@pytest.mark.parametrize("format", ["WEBP", "GIF"])
def test_webp_and_gif_become_png(format: str) -> None:
    """The API takes PNG and JPEG alone."""
    image = Image(written(PIL.Image.fromarray(RED), format))
    assert (image.mime, image.width, image.height) == ("image/png", 40, 30)


def test_of_a_moving_gif_the_first_frame_is_taken() -> None:
    """No model here sees motion."""
    frames = [PIL.Image.new("RGB", (4, 4), colour) for colour in ("blue", "red", "lime")]
    gif = written(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert seen(Image(gif))[0, 0].tolist() == [0, 0, 255]


def test_a_photo_of_a_turned_camera_is_set_upright() -> None:
    """EXIF says how the camera was held; the model is shown what a person sees."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    photo = written(PIL.Image.fromarray(RED), "JPEG", exif=exif)
    image = Image(photo)
    assert (image.mime, image.width, image.height) == ("image/jpeg", 30, 40)


@pytest.mark.parametrize("size", [(13_000, 13_000), (30_000, 30_000), (4_001, 4_000), (2**31 - 1, 1)])
def test_a_bomb_is_refused_before_it_is_unpacked(size: tuple[int, int], recwarn: pytest.WarningsRecorder) -> None:
    """Some bytes that promise more than 16 megapixels are refused by their header, without a warning."""
    with pytest.raises(ImageError, match=r"megapixels|too large"):
        Image(png_header(*size))
    assert not recwarn.list


def test_sixteen_megapixels_are_taken_and_a_row_more_is_not() -> None:
    """The limit itself is allowed."""
    picture = PIL.Image.new("1", (4_000, 4_000))
    assert Image(written(picture, "PNG")).width == 4_000
    with pytest.raises(ImageError, match="megapixels"):
        Image.coerce(PIL.Image.new("1", (4_000, 4_001)))
    with pytest.raises(ImageError, match="megapixels"):
        Image.from_array(np.broadcast_to(np.uint8(0), (4_001, 4_000)))


def test_a_bomb_of_text_is_refused() -> None:
    """A compressed comment of 70 MB in a small PNG is not unpacked."""
    packed = zlib.compress(bytes(70_000_000), 9)
    text = b"Comment\0\0" + packed
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    with pytest.raises(ImageError):
        Image(PNG[:33] + chunk + PNG[33:])


def test_a_file_over_twenty_megabytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit itself is allowed; one byte more is not opened."""
    monkeypatch.setattr(pixels, "MAX_FILE_BYTES", len(PNG))
    assert Image(PNG).data == PNG
    with pytest.raises(ImageError, match="is the most"):
        Image(PNG + b"\0")


@pytest.mark.parametrize(
    "svg",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\xef\xbb\xbf <?xml version='1.0'?><svg/>",
        b"<!DOCTYPE svg><svg/>",
    ],
)
def test_svg_is_refused(svg: bytes, tmp_path: Path) -> None:
    """As bytes, as a file and as IPython's object: it can fetch."""
    path = tmp_path / "a.svg"
    path.write_bytes(svg)
    for obj in (svg, path):
        with pytest.raises(ImageError, match="SVG is refused"):
            Image.coerce(obj)


def test_ipythons_svg_is_refused() -> None:
    """An object that shows itself as SVG alone is no picture for a model."""
    with pytest.raises(ImageError, match="SVG"):
        Image.coerce(IPython.display.SVG(data="<svg xmlns='http://www.w3.org/2000/svg'></svg>"))


@pytest.mark.parametrize(
    "url",
    ["http://169.254.169.254/x.png", "https://example.org/a.png", "file:///etc/passwd", "ftp://example.org/a.png"],
)
def test_no_url_is_opened(url: str) -> None:
    """Nothing is fetched, not even from this machine; neither as text nor as IPython's link."""
    with pytest.raises(ImageError, match="nothing is fetched"):
        Image.coerce(url)


def test_ipythons_link_is_not_followed() -> None:
    """A display object with only a URL is refused."""
    with pytest.raises(ImageError, match="only a link"):
        Image.coerce(IPython.display.Image(url="https://example.org/a.png"))


@pytest.mark.parametrize(
    "url", ["data:image/svg+xml;base64,PHN2Zy8+", "data:text/html,hi", "data:image/png;base64,%%%", "data:"]
)
def test_a_data_url_of_something_else_is_refused(url: str) -> None:
    """PNG, JPEG, WebP and GIF in base64, and nothing more."""
    with pytest.raises(ImageError, match="data URL"):
        Image.coerce(url)


def test_a_data_url_that_lies_about_its_kind_is_corrected() -> None:
    """What the bytes are decides, not what the URL says of them."""
    assert Image.coerce(f"data:image/png;base64,{base64.b64encode(JPEG).decode()}").mime == "image/jpeg"


@pytest.mark.parametrize("data", [b"", b"not a picture", PNG[:8], PNG[:-30], JPEG[: len(JPEG) // 2]])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    """Nothing, text, and files cut short give an ImageError with a hint."""
    with pytest.raises(ImageError) as caught:
        Image(data)
    assert caught.value.hint


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([PNG, JPEG]),
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=12),
    st.integers(0, 2_000),
)
def test_nothing_but_an_image_error_comes_of_a_broken_file(data: bytes, flips: list[tuple[int, int]], cut: int) -> None:
    """Bytes changed and ends cut give a picture or an ImageError."""
    broken = bytearray(data)
    for at, value in flips:
        broken[at % len(broken)] = value
    try:
        image = Image(bytes(broken[:cut]))
    except ImageError:
        return
    assert image.width * image.height <= pixels.MAX_PIXELS


@pytest.mark.parametrize("obj", [None, 3, object(), [1, 2], Drawn(None)])
def test_what_is_no_picture_is_named(obj: object) -> None:
    """Anything else is refused."""
    with pytest.raises(ImageError):
        Image.coerce(obj, caller="say()")


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (Image(PNG), True),
        (PIL.Image.fromarray(RED), True),
        (RED, True),
        (figure(), True),
        (PNG, True),
        (JPEG, True),
        (b"RIFF\0\0\0\0WEBP", True),
        (Path("a.PNG"), True),
        ("data:image/png;base64,", True),
        (widget(b""), True),
        (Drawn(None), True),
        (b"RIFF\0\0\0\0WAVE", False),
        (Path("a.wav"), False),
        ("a.png", False),
        (np.zeros((4, 2), np.float32), False),
        (np.zeros(8, np.uint8), False),
        (rt.Audio.silence(0.1), False),
        ((np.zeros(4), 8_000), False),
        (IPython.display.Audio(np.ones(8), rate=8_000), False),
        (SimpleNamespace(audio=SimpleNamespace(value=b"")), False),
        (None, False),
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_a_picture_is_told_from_sound_and_from_text(obj: object, expected: bool) -> None:
    """A message's part is a picture by its kind, its suffix or its signature; text is text."""
    assert is_image_like(obj) is expected


def test_an_empty_recorder_says_when_its_picture_comes() -> None:
    """Before a picture is taken, the widget holds no bytes."""
    with pytest.raises(ImageError, match="no picture yet"):
        Image.coerce(widget(b""))


@pytest.mark.parametrize(
    ("size", "detail", "tokens"),
    [
        ((1024, 1024), "auto", 765),
        ((1024, 1024), "high", 765),
        ((4000, 3000), "low", 85),
        ((2048, 4000), "high", 1105),
        ((10, 10), "high", 255),
    ],
)
def test_tokens_are_estimated_by_the_tile_rule(size: tuple[int, int], detail: str, tokens: int) -> None:
    """85, and 170 for each tile of 512 after fitting; low detail is 85."""
    assert Image(written(PIL.Image.new("1", size), "PNG")).tokens(detail) == tokens


NOISE = np.random.default_rng(0).integers(0, 256, (900, 1200, 3), np.uint8)


@pytest.mark.parametrize("max_bytes", [1_000_000, 180_000, 20_000, 1_000])
def test_a_picture_is_made_to_fit(max_bytes: int) -> None:
    """Even noise, which compresses worst, gets under any size a wire has, in its own shape."""
    image = Image.coerce(NOISE, max_bytes=max_bytes)
    assert len(image.data) <= max_bytes
    assert image.mime == "image/jpeg"
    assert image.width / image.height == pytest.approx(4 / 3, rel=0.1)


def test_what_fits_is_left_alone() -> None:
    """The limit itself is enough."""
    image = Image(PNG)
    assert image.fit(len(PNG)) is image


def test_a_picture_cannot_fit_into_nothing() -> None:
    """No JPEG has ten bytes."""
    with pytest.raises(ImageError, match="fits into 10 bytes"):
        Image.from_array(NOISE).fit(10)


def test_transparent_parts_become_white_in_jpeg() -> None:
    """They would be black otherwise."""
    clear = np.zeros((300, 300, 4), np.uint8)
    clear[..., :3] = np.random.default_rng(0).integers(0, 256, (300, 300, 3))
    assert seen(Image.from_array(clear).fit(20_000)).min() > 250


@pytest.mark.parametrize("mode", ["I;16", "I;16B"])
def test_sixteen_bits_of_grey_keep_their_brightness_in_jpeg(mode: str) -> None:
    """A scan's dark half is dark, and its middle is no white."""
    rise = np.tile(np.linspace(0, 65_535, 256), (64, 1)).astype(">u2" if mode.endswith("B") else "<u2")
    picture = PIL.Image.frombytes(mode, (256, 64), rise.tobytes())
    grey = np.asarray(pixels.flat(picture)).astype(int)
    assert np.abs(grey - np.arange(256)).max() <= 1


def test_its_repr_says_what_a_person_wants_to_know() -> None:
    """Size, kind, bytes and what it costs; no address."""
    assert repr(Image(PNG)) == "Image(40 x 30, PNG, 1 kB, about 255 tokens)"


def test_its_html_is_a_picture_and_its_facts() -> None:
    """No script, a data URL, and the estimate marked as one; a huge picture is shown smaller."""
    shown = Image(PNG)._repr_html_()
    assert f'src="{Image(PNG).data_url}"' in shown
    assert "(estimate)" in shown
    assert len(Image.from_array(NOISE)._repr_html_()) < 600_000


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda image: pickle.loads(pickle.dumps(image))])  # noqa: S301 - our own bytes
def test_it_is_a_value(again: Callable[[Image], Image]) -> None:
    """Copies are equal, and it cannot be changed."""
    image = Image(PNG)
    assert again(image) == image
    assert hash(again(image)) == hash(image)
    assert image != PNG
    with pytest.raises(AttributeError):
        image.width = 3  # type: ignore[misc]  # on purpose
