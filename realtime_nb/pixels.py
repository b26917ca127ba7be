"""Pictures in bytes and out of them, through Pillow: what is opened, what is refused, how it is written.

A header that promises more than 16 megapixels is refused before a pixel is
decoded: a PNG of 20 kB can hold 169 of them, and would take 900 MB.
"""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib
from typing import TYPE_CHECKING, Any, Literal

from realtime_nb.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

__all__ = ["MAX_FILE_BYTES", "MAX_PIXELS", "checked", "decoded", "encode", "flat", "from_array", "loaded"]

MAX_PIXELS = 16_000_000
"""The largest picture that is decoded, in pixels."""

MAX_FILE_BYTES = 20_000_000
"""The largest file that is opened, in bytes."""

Format = Literal["PNG", "JPEG"]
"""What the Realtime API takes (protocol, ``input_image``)."""

_OPENED = ("PNG", "JPEG", "WEBP", "GIF")  # the last two are sent as PNG, of a GIF the first frame
_WRITTEN = {"PNG": frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}), "JPEG": frozenset({"L", "RGB"})}
_NO_WHITE = frozenset({"I", "F"})  # modes whose white is anybody's guess
_SIXTEEN_BITS = "I;16"
_FAULTS = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, OverflowError, struct.error, zlib.error)
_ORIENTATION = 0x0112  # EXIF: how the camera was held
_TURNED_QUALITY = 95
_WARNING_FILTERS = threading.Lock()  # they are the whole process's
_HINT = 'rt.Image.read("photo.png")'


def checked(data: bytes) -> tuple[bytes, Format, tuple[int, int]]:
    """Make sure that a file is a sound PNG or JPEG.

    Parameters
    ----------
    data : bytes
        PNG, JPEG, WebP or GIF.

    Returns
    -------
    data : bytes
        The same; WebP and GIF made PNG, a JPEG from a turned camera upright.
    format : {"PNG", "JPEG"}
        Which it is now.
    size : tuple of int
        Width and height, in pixels.

    Raises
    ------
    ImageError
        It is something else, too large, or broken.
    """
    from PIL import ImageOps

    picture = decoded(data)
    turned = picture.getexif().get(_ORIENTATION, 1) != 1
    kind: Format = "JPEG" if picture.format == "JPEG" else "PNG"
    if picture.format == "PNG" or (kind == "JPEG" and not turned):
        return data, kind, picture.size
    upright = ImageOps.exif_transpose(picture)
    return encode(upright, kind, quality=_TURNED_QUALITY), kind, upright.size


def decoded(data: bytes) -> PilImage:
    """Decode a file to its last pixel, so that a broken one shows here.

    Parameters
    ----------
    data : bytes
        PNG, JPEG, WebP or GIF.

    Returns
    -------
    PIL.Image.Image
        Loaded.

    Raises
    ------
    ImageError
        It is something else, too large, or broken.
    """
    from PIL import Image

    _check_bytes(data)
    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with _WARNING_FILTERS, warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=_OPENED)
    except bombs as error:
        raise ImageError(f"The picture is too large: {error}", hint=_HINT) from error
    except _FAULTS as error:
        raise ImageError(
            f"{len(data):,} bytes beginning with {data[:8]!r} are no picture: PNG, JPEG, WebP and GIF are read.",
            hint=_HINT,
        ) from error
    return loaded(picture)


def loaded(picture: PilImage) -> PilImage:
    """Decode a picture somebody opened.

    Parameters
    ----------
    picture : PIL.Image.Image
        Pillow reads the pixels of a file when they are first asked for.

    Returns
    -------
    PIL.Image.Image
        The same.

    Raises
    ------
    ImageError
        It has no pixels, too many, or broken ones.
    """
    width, height = picture.size
    _check_size(width, height)
    try:
        picture.load()
        picture.getexif()
    except _FAULTS as error:
        raise ImageError(f"The picture of {width} x {height} pixels is broken: {error}.", hint=_HINT) from error
    return picture


def encode(picture: PilImage, format: Format, *, quality: int = 90) -> bytes:
    """Write a picture.

    Parameters
    ----------
    picture : PIL.Image.Image
        Of any mode that says what white is.
    format : {"PNG", "JPEG"}
        In JPEG, transparent parts are white.
    quality : int
        Of a JPEG, 1 to 95.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    ImageError
        The picture's numbers have no agreed white.
    """
    if picture.mode in _NO_WHITE:
        raise ImageError(
            f"A picture of mode {picture.mode!r} has no agreed white: 8-bit grey, RGB and RGBA have.",
            hint='rt.Image.coerce(picture.convert("L"))',
        )
    if picture.mode not in _WRITTEN[format]:
        picture = flat(picture)
    out = io.BytesIO()
    picture.save(out, format, quality=quality)
    return out.getvalue()


def flat(picture: PilImage) -> PilImage:
    """Lay a picture on white, so that nothing shines through.

    Parameters
    ----------
    picture : PIL.Image.Image
        Of any mode.

    Returns
    -------
    PIL.Image.Image
        Grey or RGB.
    """
    from PIL import Image

    if picture.mode in _WRITTEN["JPEG"]:
        return picture
    if picture.mode.startswith(_SIXTEEN_BITS):
        return _eight_bits(picture)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    colours = picture.convert("RGBA")
    white = Image.new("RGBA", colours.size, "white")
    return Image.alpha_composite(white, colours).convert("RGB")


def _eight_bits(picture: PilImage) -> PilImage:
    """Scale 16-bit grey; Pillow itself clips it, and all but the darkest is white."""
    import numpy as np
    from PIL import Image

    return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))


def from_array(x: Any) -> PilImage:
    """Take pixels from an array.

    Parameters
    ----------
    x : array_like of uint8, shape (height, width), (height, width, 3) or (height, width, 4)
        Grey, RGB or RGBA.

    Returns
    -------
    PIL.Image.Image
        A copy.

    Raises
    ------
    ImageError
        Another dtype or shape, or too large.
    """
    import numpy as np
    from PIL import Image

    array = np.asarray(x)
    if array.dtype != np.uint8:
        raise ImageError(
            f"An array of dtype {array.dtype} is no picture: pixels are uint8 from 0 to 255, and what white is in "
            "other numbers would be a guess.",
            hint='rt.Image.from_array((x * 255).astype("uint8"))  # when white is 1',
        )
    colours = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or colours not in (1, 3, 4) or (array.ndim == 3 and colours == 1):
        raise ImageError(
            f"An array of shape {array.shape} is no picture: (height, width), (height, width, 3) "
            "and (height, width, 4) are.",
            hint="rt.Image.from_array(x.transpose(1, 2, 0))  # when colours come first",
        )
    _check_size(array.shape[1], array.shape[0])
    return Image.fromarray(np.ascontiguousarray(array))


def _check_bytes(data: bytes) -> None:
    if not data:
        raise ImageError("There are no bytes: a picture has some.", hint=_HINT)
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"The picture has {len(data):,} bytes: {MAX_FILE_BYTES:,} is the most.", hint=_HINT)
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<svg", b"<?xml", b"<!doctype svg")):
        raise ImageError(
            "SVG is refused: it is a program that can fetch, not a picture.", hint='figure.savefig("picture.png")'
        )


def _check_size(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise ImageError(f"A picture of {width} x {height} pixels has nothing to see.", hint=_HINT)
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"A picture of {width:,} x {height:,} has {width * height / 1e6:,.1f} megapixels: "
            f"{MAX_PIXELS / 1e6:g} is the most.",
            hint="rt.Image.from_array(x[::4, ::4])",
        )
