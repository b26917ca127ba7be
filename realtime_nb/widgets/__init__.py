"""Widgets of the notebook: microphone, sound, talk, camera and meters.

``base`` what each is; ``media`` the path of sound between page and kernel,
``media_socket`` its socket, ``media_frames`` its frames; ``js/`` the page's half,
bundled into ``static/widget.js``.
"""

from __future__ import annotations

from realtime_nb.widgets.camera import Camera
from realtime_nb.widgets.meter import Meter
from realtime_nb.widgets.player import Player
from realtime_nb.widgets.recorder import Recorder

__all__ = ["Camera", "Meter", "Player", "Recorder"]
