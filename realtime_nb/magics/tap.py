"""What a cell shows, noticed on its way to the page and passed on unchanged."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from realtime_nb import recorders
from realtime_nb.audio import Audio
from realtime_nb.audio.coerce import is_audio_like
from realtime_nb.errors import ImageError, RealtimeError
from realtime_nb.images import Image, is_image_like
from realtime_nb.turn import Turn

__all__ = ["Basket", "Tap"]

Piece = Audio | Image
_PICTURES = ("image/png", "image/jpeg")
_RATES = range(4_000, 192_001)
"""Samples per second that a pair (array, rate) may declare; other pairs are just numbers."""


class Basket:
    """The pictures and sounds that were shown, each once.

    Parameters
    ----------
    rate : int, optional
        Samples per second of arrays that are shown; without it an array is no sound.
    """

    def __init__(self, rate: int | None = None) -> None:
        self.pieces: list[Piece] = []
        self.notes: list[str] = []
        """What could not be taken, and why."""
        self._rate = rate

    def take(self, shown: Any, data: Mapping[str, Any]) -> None:
        """Take one thing that is shown, if it is a picture or a sound.

        Parameters
        ----------
        shown : object
            What was given to ``display``, or a cell's value.
        data : mapping of str to object
            What the page gets of it, by MIME type.
        """
        try:
            piece = _piece(shown, data, self._rate)
        except RealtimeError as error:
            self.notes.append(str(error))
        except Exception as error:  # noqa: BLE001 - other people's pictures: the cell's output must not fail for it
            self.notes.append(f"a {type(shown).__name__} could not be read: {error}")
        else:
            if piece is not None and piece not in self.pieces:
                self.pieces.append(piece)

    def clear(self) -> None:
        """Forget what is in it."""
        self.pieces.clear()
        self.notes.clear()

    def __str__(self) -> str:
        kinds = {"picture": Image, "sound": Audio}
        counts = {name: sum(isinstance(piece, kind) for piece in self.pieces) for name, kind in kinds.items()}
        return " and ".join(f"{count} {name}{'s' * (count > 1)}" for name, count in counts.items() if count)


def _piece(shown: Any, data: Mapping[str, Any], rate: int | None) -> Piece | None:
    if isinstance(shown, (str, bytes, bytearray, memoryview, os.PathLike)):
        return None  # shown as text: naming a file does not give it away
    if _is_array(shown):
        return None if rate is None else Audio.from_array(shown, rate=rate)
    if _is_pair(shown):
        return Audio.from_array(shown[0], rate=shown[1])
    if recorders.live(shown) == "picture":  # to show a camera is no leave to photograph
        fact, hint = recorders.why_not_live(shown, "picture")
        raise ImageError(f"a {type(shown).__name__} {fact}.", hint=hint)
    return _picture(shown, data) or _sound(shown)


def _picture(shown: Any, data: Mapping[str, Any]) -> Image | None:
    for mime in _PICTURES:  # what the page shows is what the model shall see
        if mime in data:
            return Image(_bytes(data[mime]))
    if _has_figure(shown) or not is_image_like(shown):
        return None
    return Image.coerce(shown, caller="%%ask")


def _has_figure(shown: Any) -> bool:
    """Axes, a title, a grid of plots: the page shows its name, and its figure by itself."""
    figure = getattr(shown, "figure", None)
    return figure is not None and figure is not shown


def _sound(shown: Any) -> Audio | None:
    if hasattr(shown, "__array__") or isinstance(shown, Turn) or not is_audio_like(shown):
        return None  # a turn is in the conversation already
    return Audio.coerce(shown, caller="%%ask")


def _bytes(data: Any) -> bytes:
    return base64.b64decode(data) if isinstance(data, str) else bytes(data)


def _is_array(shown: Any) -> bool:
    """Numbers on one or two axes that do not draw themselves, as tables and PIL's pictures do."""
    drawn = hasattr(shown, "_repr_png_") or hasattr(shown, "_repr_html_")
    return hasattr(shown, "__array__") and not drawn and getattr(shown, "ndim", 0) in (1, 2)


def _is_pair(shown: Any) -> bool:
    return (
        isinstance(shown, tuple)
        and len(shown) == 2
        and _is_array(shown[0])
        and isinstance(shown[1], int)
        and shown[1] in _RATES
    )


class Tap:
    """Stands where IPython turns what is shown into what the page gets; with nobody listening it does nothing.

    Parameters
    ----------
    shell : InteractiveShell
        Whose outputs.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._page = shell.display_pub
        self._baskets: list[Basket] = []
        self._format: Callable[..., Any] = shell.display_formatter.format

    def open(self) -> None:
        """Begin to stand there."""
        self._shell.display_formatter.format = self._pass

    def close(self) -> None:
        """Leave; nobody listens any more."""
        self._baskets.clear()
        formatter = self._shell.display_formatter
        if vars(formatter).get("format") == self._pass:  # else somebody stands in front: then this only passes on
            del formatter.format
            if formatter.format != self._format:  # somebody stood here before
                formatter.format = self._format

    def add(self, basket: Basket) -> None:
        """Let a basket have what is shown from now on."""
        self._baskets.append(basket)

    def remove(self, basket: Basket) -> None:
        """Let it have no more."""
        self._baskets[:] = [other for other in self._baskets if other is not basket]

    @contextlib.contextmanager
    def into(self, basket: Basket) -> Iterator[Basket]:
        """Let a basket have what is shown meanwhile.

        Parameters
        ----------
        basket : Basket
            Takes it.

        Yields
        ------
        Basket
            The same one.
        """
        self.add(basket)
        try:
            yield basket
        finally:
            self.remove(basket)

    def _pass(self, obj: Any, *args: Any, **kwargs: Any) -> Any:
        made = self._format(obj, *args, **kwargs)
        if self._shell.display_pub is self._page:  # else %%capture keeps it from the page
            for basket in self._baskets:
                basket.take(obj, made[0])
        return made
