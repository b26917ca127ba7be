"""WebRTC as both ends of a call need it: a peer connection, sound in and out, and events by a data channel.

Light to import; what needs aiortc is imported when the first call is made (:func:`require`).
"""

from __future__ import annotations

import importlib.util

from realtime_nb.errors import MissingExtra

__all__ = ["EVENTS", "MAX_MESSAGE_BYTES", "require"]

EVENTS = "oai-events"
"""The label of the data channel that carries the events (protocol, 1.3)."""
MAX_MESSAGE_BYTES = 262_144
"""The largest message of a data channel that every implementation takes: Chromium, libwebrtc, aiortc."""


def require() -> None:
    """Say what to install where WebRTC cannot be had.

    Raises
    ------
    MissingExtra
        aiortc is not installed.
    """
    if importlib.util.find_spec("aiortc") is None:
        raise MissingExtra(
            "A call by WebRTC needs aiortc, and it is not installed.", hint='%pip install "realtime-nb[webrtc]"'
        )
