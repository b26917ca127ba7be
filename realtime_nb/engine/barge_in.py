"""What it takes to interrupt an answer: so much speech, and, where the answer comes back as an echo, louder than that.

A loudspeaker beside a microphone without echo cancellation makes the model hear itself.
No setting tells an echo from a user who speaks as softly; but an echo is as loud as
it was a second ago, and a user close by is louder.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from realtime_nb.engine.base import Samples

__all__ = ["ECHO_SAFE", "BargeIn", "EchoGuard", "Levels"]

SILENT_DB = -70.0
"""What is softer is as good as nothing, in dB below full scale."""
HEARD_S = 3.0
"""How long a loudness is remembered."""
LEARN_S = 0.3
"""How long an answer must have played before anything can be louder than it."""
SHARE = 90
"""The percentile of what was heard that counts as its loudness: between syllables an echo is softer."""


@dataclass(frozen=True)
class BargeIn:
    """How an answer is interrupted.

    Parameters
    ----------
    sustained_ms : int
        Speech it takes: 200 to 400 ms keep a cough from cutting an answer off.
    louder_db : float or None
        How much louder than the echo of the answer that speech must be, in dB; None for no matter.
    """

    sustained_ms: int = 224
    louder_db: float | None = None


ECHO_SAFE = BargeIn(sustained_ms=400, louder_db=6.0)
"""For a loudspeaker that the microphone hears."""


class Levels:
    """The loudness of sound, frame by frame, whatever the chunks it comes in.

    Parameters
    ----------
    frame : int
        Samples in a frame.
    """

    def __init__(self, frame: int) -> None:
        self._frame = frame
        self._rest: Samples = np.zeros(0, np.float32)

    def feed(self, samples: Samples) -> list[float]:
        """Take a chunk.

        Parameters
        ----------
        samples : ndarray of float32, shape (n,)
            Any length.

        Returns
        -------
        list of float
            The root mean square of each frame now complete, in dB below full scale.
        """
        pending = np.concatenate((self._rest, samples))
        whole = len(pending) // self._frame * self._frame
        self._rest = pending[whole:]
        power = np.square(pending[:whole].reshape(-1, self._frame)).mean(axis=1)
        levels: list[float] = np.maximum(10 * np.log10(power + 1e-12), SILENT_DB).tolist()
        return levels


class EchoGuard:
    """Remembers how loud the room was while an answer played.

    Parameters
    ----------
    louder_db : float
        By how much speech must exceed that.
    frame_ms : float
        Length of a frame.
    """

    def __init__(self, louder_db: float, frame_ms: float) -> None:
        self._louder_db = louder_db
        self._learn = LEARN_S * 1000 / frame_ms
        self._heard: deque[float] = deque(maxlen=int(HEARD_S * 1000 / frame_ms))

    def note(self, level_db: float) -> None:
        """Remember a frame that was heard while an answer played, and that interrupted nothing."""
        self._heard.append(level_db)

    def is_louder(self, levels_db: Sequence[float]) -> bool:
        """Tell whether this is somebody beside the echo.

        Parameters
        ----------
        levels_db : sequence of float
            The frames of what seems to be speech.

        Returns
        -------
        bool
            Whether half of it or more is so much louder; False as long as too little was heard to compare it with.
        """
        if len(self._heard) < self._learn:
            return False
        return bool(np.median(levels_db) >= np.percentile(self._heard, SHARE) + self._louder_db)
