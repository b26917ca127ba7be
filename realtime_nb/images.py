"""A picture as a value: what a notebook shows, made the PNG or JPEG data URL the Realtime API takes.

Nothing is fetched: no URL is opened, of whatever scheme.
"""

from __future__ import annotations

import base64
import binascii
import html
import io
import os
import re
import sys
from collections.abc import Callable
from typing import Any, Self

from realtime_nb import pixels, recorders
from realtime_nb.errors import ImageError
from realtime_nb.localfile import FileKind
from realtime_nb.protocol.usage import image_tokens

__all__ = ["SUFFIXES", "Image", "is_image_like"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
"""What the names of picture files end in."""

_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_FILE = FileKind(ImageError, "rt.Image.read", "photo.png", pixels.MAX_FILE_BYTES)
_MIMES = {"PNG": "image/png", "JPEG": "image/jpeg"}
_QUALITIES = (90, 80, 65)  # JPEG: below 65 text becomes hard to read, so the picture is made smaller instead
_SHRINK = 0.75
_SMALLEST = 16  # pixels of the longer side
_LONGEST_SENT = 2048  # the API itself fits a picture into 2048 x 2048 before it looks (GPT-4o tile rule)
_SHOWN_BYTES = 400_000  # of a picture kept in a notebook's file


class Image:
    """A picture: PNG or JPEG bytes, with their size. It never changes.

    Parameters
    ----------
    data : bytes
        A PNG or JPEG file, kept byte for byte; WebP or GIF, made PNG.

    Examples
    --------
    >>> import numpy as np
    >>> Image.from_array(np.zeros((480, 640, 3), np.uint8))
    Image(640 x 480, PNG, ... kB, about 425 tokens)
    """

    __slots__ = ("_data", "_format", "_size")
    _data: bytes
    _format: str
    _size: tuple[int, int]

    def __init__(self, data: bytes) -> None:
        self._data, self._format, self._size = pixels.checked(bytes(data))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read a picture file: PNG, JPEG, WebP, or a GIF's first frame.

        Parameters
        ----------
        path : path
            A file, never a URL.

        Returns
        -------
        Image
            PNG and JPEG byte for byte, but for a JPEG its camera held turned: that is turned upright.

        Raises
        ------
        ImageError
            The file is missing, too large, broken, or no picture.
        """
        return cls(_FILE.load(path))

    @classmethod
    def from_array(cls, x: Any) -> Self:
        """Take pixels from an array.

        Parameters
        ----------
        x : array_like of uint8, shape (height, width), (height, width, 3) or (height, width, 4)
            Grey, RGB or RGBA. Floats are refused, because whether white is 1.0
            or 255.0 would be a guess.

        Returns
        -------
        Image
            A PNG.

        Raises
        ------
        ImageError
            Another dtype or shape, or too large.
        """
        return cls(pixels.encode(pixels.from_array(x), "PNG"))

    @classmethod
    def coerce(cls, obj: Any, *, max_bytes: int | None = None, caller: str = "rt.Image.coerce()") -> Image:
        """Take whatever a notebook calls a picture.

        Parameters
        ----------
        obj : Image, figure, axes, PIL image, uint8 array, path, bytes, data URL, IPython.display.Image, or a widget
            The picture. A widget is what has ``.image.value`` (ipywebrtc's
            ImageRecorder and ImageStream) or ``.value`` (ipywidgets' Image), or an
            ``.image`` that is an Image (our Camera); of ipywebrtc's CameraStream a picture
            is taken now. Anything else with ``_repr_png_`` is taken too.
        max_bytes : int, optional
            Make it a smaller JPEG when it has more; see :meth:`fit`.
        caller : str
            Who asks, for the error's message.

        Returns
        -------
        Image
            `obj` itself when it is one and small enough.

        Raises
        ------
        ImageError
            It is no picture, too large, SVG, or a link.
        """
        for is_kind, take in _KINDS:
            if is_kind(obj):
                image = take(obj, caller)
                return image if max_bytes is None else image.fit(max_bytes)
        raise ImageError(
            f"{caller} got a {type(obj).__name__}, which is no picture: a figure, a PIL image, a uint8 array, a file's "
            "path or bytes, or an image widget is.",
            hint=_FILE.hint,
        )

    @property
    def data(self) -> bytes:
        """The file: PNG or JPEG."""
        return self._data

    @property
    def mime(self) -> str:
        """``image/png`` or ``image/jpeg``."""
        return _MIMES[self._format]

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self._size[0]

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self._size[1]

    @property
    def data_url(self) -> str:
        """The picture as ``input_image.image_url`` wants it."""
        return f"data:{self.mime};base64,{base64.b64encode(self._data).decode()}"

    def tokens(self, detail: str = "auto") -> int:
        """Estimate what looking at it costs, each turn.

        Parameters
        ----------
        detail : {"auto", "high", "low"}
            As in ``input_image.detail``; ``auto`` is ``high``.

        Returns
        -------
        int
            Input tokens by GPT-4o's tile rule; the realtime models' own is not published.
        """
        return image_tokens(self.width, self.height, detail)

    def fit(self, max_bytes: int) -> Image:
        """Make it small enough, at the cost of detail.

        Parameters
        ----------
        max_bytes : int
            The most its file may have; the data URL is a third longer.

        Returns
        -------
        Image
            Itself when it fits; else a JPEG, transparent parts white, first of
            lower quality, then of fewer pixels.

        Raises
        ------
        ImageError
            Not even a few pixels fit.
        """
        if len(self._data) <= max_bytes:
            return self
        picture = pixels.flat(pixels.decoded(self._data))
        picture.thumbnail((_LONGEST_SENT, _LONGEST_SENT))
        while max(picture.size) >= _SMALLEST:
            for quality in _QUALITIES:
                data = pixels.encode(picture, "JPEG", quality=quality)
                if len(data) <= max_bytes:
                    return Image(data)
            width, height = (max(int(side * _SHRINK), 1) for side in picture.size)
            picture = picture.resize((width, height))
        raise ImageError(f"No picture fits into {max_bytes} bytes.", hint="image.fit(100_000)")

    def __eq__(self, other: object) -> bool:
        return self._data == other._data if isinstance(other, Image) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._data)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Image, (self._data,))

    def __repr__(self) -> str:
        return f"Image({self._facts('x')})"

    def _facts(self, times: str) -> str:
        size = f"{max(round(len(self._data) / 1000), 1):,} kB"
        return f"{self.width} {times} {self.height}, {self._format}, {size}, about {self.tokens():,} tokens"

    def _repr_html_(self) -> str:
        facts = html.escape(self._facts("\N{MULTIPLICATION SIGN}"))
        shown = self.fit(_SHOWN_BYTES).data_url
        return (
            f'<div><img alt="{facts}" src="{shown}" style="max-width:100%;max-height:300px;border-radius:6px">'
            f'<div style="font-size:12px;opacity:.7">{facts} (estimate)</div></div>'
        )


def is_image_like(obj: Any) -> bool:
    """Tell whether an object is a picture by its kind, so that it can be told from sound and text.

    Parameters
    ----------
    obj : object
        A part of a message. A path counts by its suffix, bytes by their signature,
        an array when it is uint8 of two or three axes; text never does, but for a data URL of a picture.

    Returns
    -------
    bool
        The picture itself may still turn out to be wrong.
    """
    if isinstance(obj, str):
        return obj[:11].lower() == "data:image/"
    if isinstance(obj, os.PathLike):
        return str(obj).lower().endswith(SUFFIXES)
    if _is_bytes(obj):
        head = bytes(obj[:12])
        return head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:] == b"WEBP")
    if _is_array(obj):
        return str(getattr(obj, "dtype", "")).endswith("uint8") and getattr(obj, "ndim", 0) in (2, 3)
    if flows := recorders.live(obj):
        return flows == "picture"
    return any(is_kind(obj) for is_kind, _ in _KINDS)


def _is_array(obj: Any) -> bool:
    return hasattr(obj, "__array__") and not hasattr(obj, "_repr_png_") and not _is_instance("PIL.Image", "Image")(obj)


def _is_bytes(obj: Any) -> bool:
    return isinstance(obj, (bytes, bytearray, memoryview))


def _is_data_url(obj: Any) -> bool:
    return isinstance(obj, str) and obj[:5].lower() == "data:"


def _is_instance(module: str, *names: str) -> Callable[[Any], bool]:
    """Test for classes of a module that is not imported for it: an object of theirs means that it is."""

    def test(obj: Any) -> bool:
        loaded = sys.modules.get(module)
        return loaded is not None and isinstance(obj, tuple(getattr(loaded, name) for name in names))

    return test


def _is_drawn(obj: Any) -> bool:
    """Whether it is a figure, or has one: axes, seaborn's grids."""
    is_figure = _is_instance("matplotlib.figure", "FigureBase")
    return is_figure(obj) or is_figure(getattr(obj, "figure", None))


def _has_picture(obj: Any) -> bool:
    return isinstance(getattr(obj, "image", None), Image)


def _is_widget(obj: Any) -> bool:
    return recorders.held(obj, "picture") is not None


def _is_svg(obj: Any) -> bool:
    return hasattr(obj, "_repr_svg_") and not hasattr(obj, "_repr_png_")


def _from_data_url(url: str) -> Image:
    match = re.fullmatch(r"data:image/(?:png|jpe?g|webp|gif);base64,([A-Za-z0-9+/=\s]+)", url, re.IGNORECASE)
    if match is None:
        raise ImageError(f"{url[:40]!r} is no picture: a data URL of PNG or JPEG in base64 is.", hint=_FILE.hint)
    try:
        return Image(base64.b64decode(match[1]))
    except binascii.Error as error:
        raise ImageError(f"The data URL is broken: {error}.", hint=_FILE.hint) from error


def _from_drawn(obj: Any) -> Image:
    """Draw a figure as it is shown, on white; pyplot is never asked."""
    figure = obj
    while getattr(figure, "figure", figure) is not figure:
        figure = figure.figure
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=figure.dpi)
    return Image(pixels.encode(pixels.flat(pixels.decoded(out.getvalue())), "PNG"))


def _from_pil(obj: Any) -> Image:
    return Image(pixels.encode(pixels.loaded(obj), "PNG"))


def _from_ipython(obj: Any) -> Image:
    if not obj.data:
        raise ImageError(
            f"The IPython Image is only a link ({obj.url}): pictures are never fetched.",
            hint='IPython.display.Image(filename="photo.png")',
        )
    return _from_held(obj.data)


def _from_widget(obj: Any, caller: str) -> Image:
    data = recorders.held(obj, "picture")
    if recorders.is_link(obj, "picture"):
        raise ImageError(
            f"{caller} got a {type(obj).__name__} that is only a link: pictures are never fetched.",
            hint='ipywidgets.Image.from_file("photo.png")',
        )
    if not data:
        fact, hint = recorders.why_empty(obj, "picture")
        raise ImageError(f"{caller} got a {type(obj).__name__} {fact}.", hint=hint)
    return Image(data)


def _from_stream(obj: Any, caller: str) -> Image:
    """Take what flows in the page now, where it can be had."""
    taken = recorders.snapshot(obj) if recorders.live(obj) == "picture" else None
    if taken:
        return Image(taken)
    fact, hint = recorders.why_not_live(obj, "picture") if taken is None else recorders.why_no_picture(obj)
    raise ImageError(f"{caller} got a {type(obj).__name__} {fact}.", hint=hint)


def _from_repr(obj: Any) -> Image:
    shown = obj._repr_png_()
    return _from_held(shown[0] if isinstance(shown, tuple) else shown)


def _from_held(data: Any) -> Image:
    """Take what display objects hold: a file's bytes, or their base64."""
    if isinstance(data, str):
        return _from_data_url(f"data:image/png;base64,{data}")
    if not _is_bytes(data):
        raise ImageError("The object shows no PNG.", hint=_FILE.hint)
    return Image(data)


def _refuse_svg(obj: Any) -> Image:
    raise ImageError(
        f"A {type(obj).__name__} is SVG, which is refused: it is a program that can fetch, not a picture.",
        hint='figure.savefig("picture.png")',
    )


_KINDS: tuple[tuple[Callable[[Any], Any], Callable[[Any, str], Image]], ...] = (
    (lambda obj: isinstance(obj, Image), lambda obj, _: obj),
    (_is_data_url, lambda obj, _: _from_data_url(obj)),
    (lambda obj: isinstance(obj, (str, os.PathLike)), lambda obj, _: Image.read(obj)),
    (_is_bytes, lambda obj, _: Image(obj)),
    (_is_drawn, lambda obj, _: _from_drawn(obj)),
    (_is_instance("PIL.Image", "Image"), lambda obj, _: _from_pil(obj)),
    (_is_instance("IPython.core.display", "Image"), lambda obj, _: _from_ipython(obj)),
    (_has_picture, lambda obj, _: obj.image),
    (_is_widget, _from_widget),
    (recorders.live, _from_stream),
    (_is_svg, lambda obj, _: _refuse_svg(obj)),
    (_is_array, lambda obj, _: Image.from_array(obj)),
    (lambda obj: hasattr(obj, "_repr_png_"), lambda obj, _: _from_repr(obj)),
)
