"""What is read of a picture's header."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.items import InputImage, Message
from realtime_nb.protocol.limits import Limits
from realtime_nb.protocol.pictures import Picture, read_data_url

if TYPE_CHECKING:
    from .conftest import Wire


def data_url(data: bytes, kind: str = "png") -> str:
    """A data URL of these bytes."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def jpeg(*segments: bytes) -> bytes:
    """A JPEG of these segments."""
    return b"\xff\xd8" + b"".join(segments) + b"\xff\xd9"


SOF = b"\xff\xc0" + struct.pack(">HBHH", 11, 8, 480, 640) + bytes(4)
APP = b"\xff\xe0" + struct.pack(">H", 6) + b"abcd"


def test_headers_are_read() -> None:
    """Type and size come from the header, behind whatever segments and padding a JPEG has."""
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 480)
    assert read_data_url(data_url(png)) == Picture("image/png", 24, 640, 480)
    for picture in (jpeg(SOF), jpeg(APP, SOF), jpeg(APP, b"\xff", SOF)):
        assert read_data_url(data_url(picture, "jpeg")) == Picture("image/jpeg", len(picture), 640, 480)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://example.org/x.png",
        "data:image/png;base64,",
        "data:image/gif;base64,R0lGOD",
        "data:image/png;base64,AAA",
        data_url(b"\x89PNG"),
        data_url(jpeg(SOF)),
        data_url(jpeg(APP), "jpeg"),
        data_url(b"\xff\xd8\xff", "jpeg"),
        data_url(b"\xff\xd8" + b"\xff\xe0\0\0" * 9, "jpeg"),
        data_url(bytes(40), "jpeg"),
        data_url(jpeg(SOF).replace(b"\x02\x80", b"\0\0"), "jpeg"),
    ],
    ids=lambda url: url[:40],
)
def test_what_is_no_picture(url: str) -> None:
    """Another scheme, another type, a broken header: no picture."""
    assert read_data_url(url) is None


@given(st.binary(max_size=80), st.sampled_from(["png", "jpeg"]))
def test_any_bytes(data: bytes, kind: str) -> None:
    """Whatever the bytes are, reading ends and raises nothing."""
    for head in (b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"):
        found = read_data_url(data_url(head + data, kind))
        assert found is None or found.width * found.height > 0


def test_what_is_far_too_long_is_not_read(make_wire: Callable[..., Wire]) -> None:
    """A picture whose text alone shows that it is too large is refused before it is decoded."""
    wire = make_wire(limits=Limits(image_bytes=30))
    item = Message(role="user", content=(InputImage(image_url=data_url(bytes(100))),))
    (event,) = wire.send(ev.ConversationItemCreate(item=item))
    assert isinstance(event, ev.Error)
    assert event.error.message == "Invalid 'item.content[0].image_url': more than 30 bytes."
