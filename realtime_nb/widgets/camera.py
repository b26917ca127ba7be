"""A camera in a cell: a picture of it for the model."""

from __future__ import annotations

import threading
from html import escape
from typing import Any, ClassVar

import traitlets

from realtime_nb.errors import ImageError, RealtimeError
from realtime_nb.images import Image
from realtime_nb.widgets.base import View
from realtime_nb.widgets.media import Channel
from realtime_nb.widgets.media_frames import Header

__all__ = ["Camera"]


class Camera(View):
    """A camera in a cell: press start, look, take a picture; the last one is ``camera.image``.

    The picture travels beside the notebook's own messages, so :meth:`snap` works
    in the middle of a cell.

    Parameters
    ----------
    longest : int
        Pixels of the longer side that are asked of the camera; it may give fewer.

    Attributes
    ----------
    pictures : int
        How many were taken.

    Examples
    --------
    >>> camera = Camera()
    >>> camera
    Camera(no picture yet)
    >>> session.say("What is on my desk?", camera)  # doctest: +SKIP
    """

    view_name: ClassVar[str] = "camera"

    longest = traitlets.Int(1280, min=16, max=4096).tag(sync=True)
    pictures = traitlets.Int(read_only=True).tag(sync=True)

    def __init__(self, *, longest: int = 1280) -> None:
        super().__init__(longest=longest)
        self._news = threading.Condition()
        self._image: Image | None = None
        self._trouble: tuple[str, str] | None = None
        self._wanted = False
        Channel(self, on_event=self._event)

    @property
    def image(self) -> Image:
        """The last picture that was taken, by whom ever."""
        if self._image is None:
            raise ImageError(
                "The Camera has taken no picture yet: it takes one when it is told to.", hint="camera.snap()"
            )
        return self._image

    def snap(self, timeout_s: float = 30.0) -> Image:
        """Take a picture now; starts the camera if it does not run, so a person may be asked to allow it.

        Parameters
        ----------
        timeout_s : float
            How long to wait for it, in seconds.

        Returns
        -------
        Image
            As the camera sees it, not mirrored.

        Raises
        ------
        ImageError
            No page shows the camera, it was refused, or there is none; the hint says what to do.
        """
        with self._news:
            before, self._trouble, self._wanted = self.pictures, None, True
            self._ask()
            try:
                self._news.wait_for(lambda: self.pictures > before or self._trouble is not None, timeout_s)
            finally:
                self._wanted = False
            if self.pictures == before:
                raise self._failure(timeout_s)
            return self.image

    def _ask(self) -> None:
        if self.channel is not None:
            self.channel.send({"t": "snap"}, everyone=False)

    def _failure(self, timeout_s: float) -> ImageError:
        if self._trouble is not None:
            return ImageError(self._trouble[0], hint=f"camera  # {self._trouble[1]}")
        if self.closed:
            return ImageError("The Camera is closed: it takes no more pictures.", hint="camera = rt.Camera()")
        if self.channel is None or not self.channel.paths:
            return ImageError(
                "No page shows the Camera: it looks out of the page it is shown in.", hint="display(camera)"
            )
        return ImageError(f"The page gave no picture within {timeout_s:g} s.", hint="camera.snap(timeout_s=60)")

    # ---------------------------------------------------------------- the page, on the media thread
    def _event(self, header: Header, payload: bytes) -> None:
        if header.get("t") == "opened":
            if self._wanted:
                self._ask()
        elif header.get("t") == "frame":
            threading.Thread(target=self._arrive, args=(payload,), name="realtime_nb camera", daemon=True).start()
        elif header.get("t") == "trouble":
            self._fail(str(header.get("message")), str(header.get("todo")))

    def _arrive(self, payload: bytes) -> None:
        try:
            image = Image(payload)
        except RealtimeError as error:
            self._fail(error.message, error.hint or "")
            return
        with self._news:
            self._image = image
            self.set_trait("pictures", self.pictures + 1)
            self._news.notify_all()
        self.keep()

    def _fail(self, message: str, todo: str) -> None:
        with self._news:
            self._trouble = (message, todo)
            self._news.notify_all()

    def receive(self, message: dict[str, Any], buffers: list[memoryview]) -> None:
        """Take a message of the page by the comm: none is due."""

    # ---------------------------------------------------------------- how it looks
    def static_html(self) -> str:
        """Give the last picture."""
        return "" if self._image is None else f'<div title="{escape(repr(self))}">{self._image._repr_html_()}</div>'

    def facts(self) -> str:
        """Tell how many pictures were taken, and of what size the last one is."""
        if self._image is None:
            return "no picture yet"
        counted = f"{self.pictures} picture{'s' * (self.pictures > 1)}"
        return f"{counted}, {self._image.width} x {self._image.height}"
