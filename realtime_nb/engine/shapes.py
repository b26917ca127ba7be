"""Colours and simple shapes of a drawing, measured: bars and their heights, lines and where they go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Colour", "Word", "colours", "shapes"]

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_NAMED: Final = {  # several points where a name covers much of the cube
    "black": ((0, 0, 0), (25, 25, 25)),
    "dark grey": ((75, 75, 75),),
    "grey": ((128, 128, 128),),
    "light grey": ((200, 200, 200),),
    "white": ((255, 255, 255), (244, 244, 244)),
    "red": ((255, 0, 0), (214, 39, 40), (255, 70, 60)),
    "dark red": ((128, 0, 0),),
    "orange": ((255, 165, 0), (255, 127, 14)),
    "yellow": ((255, 255, 0), (250, 225, 80)),
    "olive": ((128, 128, 0), (188, 189, 34)),
    "light green": ((144, 238, 144),),
    "green": ((0, 200, 0), (44, 160, 44), (0, 128, 0)),
    "dark green": ((0, 80, 0),),
    "cyan": ((0, 255, 255), (23, 190, 207), (0, 128, 128)),
    "light blue": ((173, 216, 230), (120, 180, 250)),
    "blue": ((0, 0, 255), (31, 119, 180), (65, 105, 225)),
    "dark blue": ((0, 0, 128),),
    "purple": ((128, 0, 128), (148, 103, 189)),
    "pink": ((255, 192, 203), (227, 119, 194), (255, 0, 255)),
    "brown": ((140, 86, 75), (139, 69, 19)),
    "beige": ((235, 220, 190),),
}
_ANCHORS: Final = np.array([point for points in _NAMED.values() for point in points], dtype=np.int32)
_NAMES: Final = [name for name, points in _NAMED.items() for _ in points]

_LEAST_SHARE: Final = 0.0015
_MOST_COLOURS: Final = 7
_GREYS: Final = frozenset(("black", "dark grey", "grey", "light grey", "white"))
_FLAT: Final = 0.6
"""A drawing has this share of its pixels in four exact colours; a photograph has far less."""
_LEAST_AREA: Final = 0.0008
_AROUND: Final = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
_MOST_SHAPES: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class Colour:
    """A colour by name, and where it is.

    Parameters
    ----------
    name : str
        In English.
    share : float
        Of the picture, 0 to 1.
    where : ndarray of bool, shape (height, width)
        Its pixels.
    """

    name: str
    share: float
    where: Mask


@dataclass(frozen=True, slots=True)
class Word:
    """A word that was read in a picture, and where; in shares of its width and height, from the upper left.

    Parameters
    ----------
    text : str
        The word.
    left, right, top, bottom : float
        Its box, 0 to 1.
    """

    text: str
    left: float
    right: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class _Blob:
    """Connected pixels of one colour; rows count from the top."""

    colour: str
    left: int
    right: int
    top: int
    bottom: int
    area: int

    @property
    def width(self) -> int:
        return self.right - self.left + 1

    @property
    def height(self) -> int:
        return self.bottom - self.top + 1

    @property
    def fill(self) -> float:
        return self.area / (self.width * self.height)


def colours(pixels: Pixels) -> list[Colour]:
    """Find the colours that matter, by how much of the picture they take.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        Red, green, blue.

    Returns
    -------
    list of Colour
        At most seven, the largest first.
    """
    distances = ((pixels[:, :, None].astype(np.int32) - _ANCHORS) ** 2).sum(axis=3)
    nearest = distances.argmin(axis=2)
    found = []
    for name in _NAMED:
        where = np.isin(nearest, [number for number, other in enumerate(_NAMES) if other == name])
        found.append(Colour(name, float(where.mean()), where))
    found.sort(key=lambda colour: -colour.share)
    return [colour for colour in found[:_MOST_COLOURS] if colour.share >= _LEAST_SHARE]


def shapes(pixels: Pixels, found: Sequence[Colour], words: Sequence[Word] = ()) -> list[str]:
    """Say what simple shapes there are.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        Red, green, blue.
    found : sequence of Colour
        What :func:`colours` gives; the first is taken for the ground.
    words : sequence of Word
        What was read in it: a word under a bar is the bar's name.

    Returns
    -------
    list of str
        Sentences, none of them a guess.
    """
    if not _is_drawing(pixels):
        return ["It has the many shades of a photograph."]
    size = pixels.shape[1], pixels.shape[0]
    blobs = [blob for colour in found[1:] for blob in _blobs(colour)]
    bars = _bars(blobs)
    rest = [blob for blob in blobs if blob not in bars]
    told = [*_lines(found[1:]), *(text for blob in rest if (text := _told(blob, size)))][:_MOST_SHAPES]
    sentences = [_told_bars(bars, size, words)] if bars else []
    if told:
        sentences.append(f"There is {', '.join(told)}.")
    return ["It has the few flat colours of a drawing or chart.", *sentences]


def _is_drawing(pixels: Pixels) -> bool:
    coarse = (pixels >> 3).astype(np.int32)
    _, counts = np.unique(coarse[..., 0] << 10 | coarse[..., 1] << 5 | coarse[..., 2], return_counts=True)
    return bool(np.sort(counts)[-4:].sum() >= _FLAT * counts.sum())


def _blobs(colour: Colour) -> Iterator[_Blob]:
    """Connected areas that are large enough to be meant."""
    left = colour.where.copy()
    for row, column in np.argwhere(left):
        if left[row, column]:
            rows, columns = np.array(_flood(left, int(row), int(column))).T
            if len(rows) >= _LEAST_AREA * left.size:
                box = int(columns.min()), int(columns.max()), int(rows.min()), int(rows.max())
                yield _Blob(colour.name, *box, len(rows))


def _flood(left: Mask, row: int, column: int) -> list[tuple[int, int]]:
    """Take a connected area out of `left`."""
    height, width = left.shape
    left[row, column] = False
    area, border = [], [(row, column)]
    while border:
        y, x = border.pop()
        area.append((y, x))
        for step_y, step_x in _AROUND:
            near_y, near_x = y + step_y, x + step_x
            if 0 <= near_y < height and 0 <= near_x < width and left[near_y, near_x]:
                left[near_y, near_x] = False
                border.append((near_y, near_x))
    return area


def _lines(found: Sequence[Colour]) -> Iterator[str]:
    """Curves: thin, wide and nearly unbroken; a thin one is drawn in a colour and its lighter shade."""
    for base in dict.fromkeys(_base(colour) for colour in found if colour.name not in _GREYS):
        where = np.logical_or.reduce([colour.where for colour in found if _base(colour) == base])
        height, width = where.shape
        thickness = where.sum(axis=0)
        columns = np.flatnonzero(thickness)
        wide = columns[-1] - columns[0] + 1
        if wide > 0.4 * width and len(columns) > 0.7 * wide and thickness[columns].mean() < 0.04 * height:
            rows = [float(np.flatnonzero(where[:, column]).mean()) for column in (columns[0], columns[-1])]
            rise = (rows[0] - rows[1]) / height
            way = "rises" if rise > 0.05 else "falls" if rise < -0.05 else "ends as high as it starts,"
            yield f"{_a(base)} line that {way} from left to right"


def _a(colour: str) -> str:
    return f"an {colour}" if colour[0] in "aeiou" else f"a {colour}"


def _base(colour: Colour) -> str:
    return colour.name.split()[-1]


def _bars(blobs: Sequence[_Blob]) -> list[_Blob]:
    """Upright rectangles of about one width that stand on one line, from left to right."""
    upright = [blob for blob in blobs if blob.fill > 0.85]
    for foot in upright:
        row = [
            blob
            for blob in upright
            if abs(blob.bottom - foot.bottom) <= 2 and abs(blob.width - foot.width) <= 2 + foot.width // 5
        ]
        if len(row) >= 3:
            return sorted(row, key=lambda blob: blob.left)
    return []


def _told_bars(bars: Sequence[_Blob], size: tuple[int, int], words: Sequence[Word]) -> str:
    tallest = max(bars, key=lambda bar: bar.height)
    names = [_under(bar, size, words) for bar in bars]
    named = all(names) and len(set(names)) == len(names)
    heights = ", ".join(
        f"{f'{name} ({bar.colour})' if named else bar.colour} {bar.height / tallest.height:.0%}"
        for bar, name in zip(bars, names, strict=True)
    )
    shortest = min(bars, key=lambda bar: bar.height)
    high, low = (
        names[place] if named else f"number {place + 1} from the left"
        for place in (bars.index(tallest), bars.index(shortest))
    )
    return (
        f"{len(bars)} bars stand side by side; from left to right, in percent of the tallest: {heights}. "
        f"The tallest is {high}, the shortest is {low}."
    )


def _under(bar: _Blob, size: tuple[int, int], words: Sequence[Word]) -> str:
    """Read what is written under a bar: the words of the first line below it, within its reach."""
    width, height = size
    reach = 0.25 * bar.width
    below = [
        word
        for word in words
        if bar.left - reach <= (word.left + word.right) / 2 * width <= bar.right + reach
        and word.top * height >= bar.bottom
    ]
    line = min((word.bottom for word in below), default=0.0)
    return " ".join(word.text for word in below if word.top < line)


def _told(blob: _Blob, size: tuple[int, int]) -> str:
    width, height = size
    across = ("left", "centre", "right")[min(2, (blob.left + blob.right) * 3 // (2 * width))]
    down = ("upper", "middle", "lower")[min(2, (blob.top + blob.bottom) * 3 // (2 * height))]
    kind = _kind(blob)
    return f"{_a(blob.colour)} {kind} ({down} {across})" if kind else ""


def _kind(blob: _Blob) -> str:
    """Tell by how much of its box a shape fills: all, pi/4, or half."""
    if min(blob.width, blob.height) < 4:
        return ""
    if blob.fill > 0.92:
        return "rectangle"
    if 0.72 < blob.fill < 0.85:
        return "circle" if 0.85 < blob.width / blob.height < 1.18 else "ellipse"
    return "triangle" if 0.42 < blob.fill < 0.58 else ""
