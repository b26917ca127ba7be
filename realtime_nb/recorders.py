"""Widgets that hold a sound or a picture, ipywebrtc's first: what is in them, or why nothing is.

They are told by their shape, and nothing is imported for it. Measured with ipywebrtc
0.6 in JupyterLab 4.6: the bytes come when the recording has ended and the kernel is
free, so not in the cell that ends it; an AudioRecorder gives nothing on a stream that
has a picture too, because browsers refuse to record it.

A stream of pictures holds nothing, but a picture of it can be taken in the middle of a cell (:func:`snapshot`):
in 0.1 s, or 0.5 s where the camera has to be opened first, displayed or not, with ipykernel 7.4.
"""

from __future__ import annotations

import sys
import threading
from typing import Any, Literal

from realtime_nb.comms import answer_where_asked, hears_meanwhile

__all__ = ["SNAP_S", "Kind", "held", "is_link", "live", "snapshot", "why_empty", "why_no_picture", "why_not_live"]

Kind = Literal["sound", "picture"]

SNAP_S = 10.0
"""How long the page may take for a picture: a person may have to allow the camera first."""
_HOLDERS: dict[Kind, tuple[str, ...]] = {"sound": ("audio", "video"), "picture": ("image",)}
_SOUND_ONLY = 'ipywebrtc.CameraStream(constraints={"audio": True, "video": False})'
_NOTHING: dict[Kind, tuple[str, str]] = {
    "sound": (
        "with nothing recorded: its sound comes when recording has ended and the kernel is free, so in a later cell",
        "recorder.recording = True  # speak, then False; session.say(recorder) in the next cell",
    ),
    "picture": (
        "with no picture yet: it comes when one was taken and the kernel is free, so in a later cell",
        "recorder.recording = True  # takes one; session.say(recorder) in the next cell",
    ),
}


def held(obj: Any, kind: Kind) -> bytes | None:
    """Give what a recorder, a stream of a file, or ipywidgets' own Audio, Video or Image holds.

    Parameters
    ----------
    obj : object
        Anything.
    kind : {"sound", "picture"}
        What is wanted of it.

    Returns
    -------
    bytes or None
        A file; empty when there is nothing yet; None when it is no such widget.
    """
    value = getattr(_holder(obj, kind), "value", None)
    return bytes(value) if isinstance(value, (bytes, bytearray, memoryview)) else None


def is_link(obj: Any, kind: Kind) -> bool:
    """Tell whether a widget holds an address instead of a file; nothing is ever fetched.

    Parameters
    ----------
    obj : object
        A widget that holds something.
    kind : {"sound", "picture"}
        What is wanted of it.

    Returns
    -------
    bool
        As ``ipywidgets.Image.from_url`` makes it.
    """
    return getattr(_holder(obj, kind), "format", None) == "url"


def live(obj: Any) -> Kind | None:
    """Tell what a stream of the page, which holds nothing itself, would give if it were recorded.

    Parameters
    ----------
    obj : object
        Anything.

    Returns
    -------
    {"sound", "picture"} or None
        None when it is no such stream, or holds a file.
    """
    if "MediaStream" not in _classes(obj) or any(held(obj, kind) is not None for kind in _HOLDERS):
        return None
    return "picture" if _shows(obj) else "sound"


def snapshot(stream: Any) -> bytes | None:
    """Take a picture of what flows in the page now, by a recorder of ours that goes again; waits up to :data:`SNAP_S`.

    Parameters
    ----------
    stream : object
        A stream that is :func:`live`.

    Returns
    -------
    bytes or None
        A file; empty when the page gave none in time; None when none can come: pages cannot draw a WidgetStream
        (measured), and before ipykernel 7 a page is heard only between two cells.
    """
    if "WidgetStream" in _classes(stream) or not hears_meanwhile(getattr(stream, "comm", None)):
        return None
    recorder = sys.modules["ipywebrtc"].ImageRecorder(stream=stream, format="jpeg")
    image, came = recorder.image, threading.Event()
    try:
        for widget in (recorder, image):
            answer_where_asked(widget.comm)
        image.observe(lambda _: came.set(), "value")
        recorder.recording = True
        came.wait(SNAP_S)
        return bytes(image.value)
    finally:
        recorder.close()
        image.close()


def why_empty(obj: Any, kind: Kind) -> tuple[str, str]:
    """Say why a widget holds nothing.

    Parameters
    ----------
    obj : object
        A widget whose :func:`held` is empty.
    kind : {"sound", "picture"}
        What is wanted of it.

    Returns
    -------
    fact, hint : str
        The fact begins after "got a Recorder", the hint is a line that runs.
    """
    if getattr(obj, "recording", False):
        return f"that is still recording: its {kind} comes when that ends", "recorder.recording = False"
    stream = getattr(obj, "stream", None)
    if kind == "sound" and hasattr(obj, "audio") and stream is not None and _shows(stream):
        return (
            "with nothing recorded: a browser records no sound alone from a stream that has a picture too",
            f"recorder.stream = {_SOUND_ONLY}",
        )
    return _NOTHING[kind]


def why_not_live(obj: Any, kind: Kind) -> tuple[str, str]:
    """Say what to do with a stream that holds nothing itself.

    Parameters
    ----------
    obj : object
        A stream that is :func:`live`.
    kind : {"sound", "picture"}
        What is wanted of it.

    Returns
    -------
    fact, hint : str
        The fact begins after "got a CameraStream", the hint is a line that runs.
    """
    recorder = "AudioRecorder" if kind == "sound" else "ImageRecorder"
    stream = "stream" if kind == "picture" or not _shows(obj) else _SOUND_ONLY
    return (
        f"that flows in the page and holds no {kind}: a recorder on it takes one",
        f"recorder = ipywebrtc.{recorder}(stream={stream})",
    )


def why_no_picture(stream: Any) -> tuple[str, str]:
    """Say why :func:`snapshot` of a stream was empty.

    Parameters
    ----------
    stream : object
        A stream that is :func:`live`.

    Returns
    -------
    fact, hint : str
        The fact begins after "got a CameraStream", the hint is a line that runs.
    """
    _, hint = why_not_live(stream, "picture")
    return f"that gave no picture within {SNAP_S:g} s: allow the camera in the page that shows it", hint


def _holder(obj: Any, kind: Kind) -> Any:
    for name in _HOLDERS[kind]:
        inner = getattr(obj, name, obj if type(obj).__name__ == name.title() else None)
        if hasattr(inner, "value"):
            return inner
    return None


def _classes(obj: Any) -> set[str]:
    return {kind.__name__ for kind in type(obj).__mro__ if kind.__module__.startswith("ipywebrtc")}


def _shows(stream: Any) -> bool:
    """Whether a stream has a picture; a camera's has one unless its constraints say no."""
    constraints = getattr(stream, "constraints", None)
    if constraints is not None:
        return bool(constraints.get("video"))
    return "AudioStream" not in _classes(stream)
