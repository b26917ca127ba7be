"""The API's ten voice names, and who speaks for them here.

Kokoro has people enough. Piper has one man: his voice is made deeper or higher
by playing it slower or faster (which moves pitch and formants together), while
he speaks faster or slower to keep the pace.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

__all__ = ["VOICES", "Voice", "voice_for"]


@dataclass(frozen=True, slots=True)
class Voice:
    """One of the ten.

    Parameters
    ----------
    name : str
        The API's name.
    pitch : float
        Piper: how much higher than the model's own voice.
    pace : float
        Piper: how much slower than the model's own pace.
    kokoro : str
        Kokoro: the voice's file, without ``.bin``.
    kokoro_gain : float
        Kokoro: brings the voice to the level of the others (0.075 RMS over five sentences, measured).
    """

    name: str
    pitch: float
    pace: float
    kokoro: str
    kokoro_gain: float


VOICES: Final[dict[str, Voice]] = {
    voice.name: voice
    for voice in (
        Voice("alloy", 1.135, 1.00, "af_alloy", 1.0),
        Voice("ash", 0.900, 0.97, "am_michael", 1.3),
        Voice("ballad", 1.070, 1.08, "bm_george", 0.85),
        Voice("coral", 1.360, 0.98, "af_bella", 1.1),
        Voice("echo", 0.955, 1.03, "am_echo", 1.0),
        Voice("sage", 1.205, 1.06, "af_sarah", 1.0),
        Voice("shimmer", 1.440, 1.02, "af_nova", 1.75),
        Voice("verse", 1.010, 0.95, "am_puck", 0.7),
        Voice("marin", 1.280, 1.00, "af_heart", 1.1),
        Voice("cedar", 0.850, 1.02, "am_fenrir", 0.75),
    )
}
"""By name, in the order of the API's documentation."""


def voice_for(name: str) -> Voice:
    """Find who speaks for a name.

    Parameters
    ----------
    name : str
        One of the ten, or any other: that gets one of the ten, always the same.

    Returns
    -------
    Voice
        The voice.

    Examples
    --------
    >>> voice_for("marin").kokoro
    'af_heart'
    >>> voice_for("my-own").name == voice_for("my-own").name
    True
    """
    if name in VOICES:
        return VOICES[name]
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return tuple(VOICES.values())[number % len(VOICES)]
