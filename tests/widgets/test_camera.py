"""The camera's half in the kernel."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.errors import ImageError
from realtime_nb.widgets.camera import Camera


class Page:
    """Stands in for the page on the media path: answers what the camera asks."""

    def __init__(self, answer: Callable[[Camera], None] | None) -> None:
        self.answer = answer
        self.asked = 0
        self.paths = ("here",) if answer else ()

    def send(self, event: dict[str, Any], payload: bytes = b"", *, everyone: bool = True) -> None:
        """Take an event."""
        assert event == {"t": "snap"}
        assert not everyone, "one page's camera is enough"
        self.asked += 1
        if self.answer:
            threading.Thread(target=self.answer, args=(self.camera,)).start()

    def close(self) -> None:
        """End."""


def camera_with(answer: Callable[[Camera], None] | None) -> tuple[Camera, Page]:
    """A camera, and its page."""
    camera, page = Camera(), Page(answer)
    assert camera.channel is not None
    camera.channel.close()
    page.camera = camera  # type: ignore[attr-defined]
    camera.channel = page  # type: ignore[assignment]
    return camera, page


@pytest.fixture(scope="module")
def photo() -> rt.Image:
    """What the page sends."""
    return rt.Image.from_array(np.full((48, 64, 3), 90, np.uint8))


def test_a_picture_comes_while_the_cell_waits(photo: rt.Image) -> None:
    """snap() asks one page and gives its picture, which is then the camera's image and a part of a message."""
    camera, page = camera_with(lambda camera: camera._event({"t": "frame"}, photo.data))
    assert camera.snap(timeout_s=10) == photo
    assert (camera.image, camera.pictures, page.asked) == (photo, 1, 1)
    assert rt.Image.coerce(camera) == photo
    assert repr(camera) == "Camera(1 picture, 64 x 48)"
    assert "<img" in camera.static_html()


def test_a_page_that_comes_later_is_asked_then(photo: rt.Image) -> None:
    """A camera shown in the same cell is not there yet: the question waits for its page."""
    camera, page = camera_with(None)
    page.paths = ("here",)

    def come(event: dict[str, Any], payload: bytes = b"", *, everyone: bool = True) -> None:
        page.asked += 1
        if page.asked == 1:
            threading.Thread(target=camera._event, args=({"t": "opened"}, b"")).start()
        else:
            camera._event({"t": "frame"}, photo.data)

    page.send = come  # type: ignore[method-assign]
    assert camera.snap(timeout_s=10) == photo
    assert page.asked == 2


def test_what_the_page_says_of_a_failure_is_the_error() -> None:
    """A refused camera raises at once, with the page's own advice."""
    trouble = {
        "t": "trouble",
        "code": "denied",
        "message": "The browser did not allow the camera.",
        "todo": "Click the lock.",
    }
    camera, _ = camera_with(lambda camera: camera._event(trouble, b""))
    with pytest.raises(ImageError, match="did not allow the camera") as caught:
        camera.snap(timeout_s=10)
    assert caught.value.hint == "camera  # Click the lock."


def test_without_a_page_it_says_where_a_camera_looks() -> None:
    """snap() of a camera that no page shows ends with the line that shows it."""
    camera, _ = camera_with(None)
    with pytest.raises(ImageError, match="No page shows the Camera") as caught:
        camera.snap(timeout_s=0.05)
    assert caught.value.hint == "display(camera)"


def test_a_silent_page_and_a_closed_camera_are_told(photo: rt.Image) -> None:
    """Each ends with its own words, never in a wait without end."""
    camera, _ = camera_with(lambda _: None)
    with pytest.raises(ImageError, match="no picture within"):
        camera.snap(timeout_s=0.05)
    camera.close()
    with pytest.raises(ImageError, match="closed"):
        camera.snap(timeout_s=0.05)


def test_what_is_no_picture_is_refused() -> None:
    """Bytes from a page are data to judge: broken ones become the error, not the image."""
    camera, _ = camera_with(lambda camera: camera._event({"t": "frame"}, b"\xff\xd8\xff broken"))
    with pytest.raises(ImageError):
        camera.snap(timeout_s=10)
    assert camera.pictures == 0


def test_before_the_first_picture_it_says_how_to_take_one() -> None:
    """image, and a message with the camera in it, raise with the line that takes one."""
    for ask in (lambda: Camera().image, lambda: rt.Image.coerce(Camera())):
        with pytest.raises(ImageError, match="no picture yet") as caught:
            ask()
        assert caught.value.hint == "camera.snap()"
