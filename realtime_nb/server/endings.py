"""Whether a sentence is over, by its words and by how it sounds: what ``semantic_vad`` waits by.

Neither tells all. A recogniser puts a full stop behind what only paused, and words
know nothing of a voice that stays up; a voice may fall at "the capital of".
"""

from __future__ import annotations

__all__ = ["combined", "completeness"]

UNSURE, SURE = 0.2, 0.8
"""Below and above these the voice is sure: of five sentences each, whole ones came above, cut ones below."""

OPEN_WORDS = frozenset(
    {"a", "an", "and", "because", "but", "er", "if", "my", "of", "or", "our", "than", "the", "uh", "um", "your"}
)
"""Words no English statement ends with, though a recogniser may put a full stop after them."""

_CLOSERS = "\"')\u201d\u2019"
_OPEN_ENDS = ("...", "\u2026", ",", ":", "-", "\u2014")
_SURE_ENDS = ("?", "!")


def completeness(text: str) -> float:
    """Guess from the words alone whether a turn is over.

    Parameters
    ----------
    text : str
        What was recognised up to a pause.

    Returns
    -------
    float
        From 0, surely not, to 1, surely.

    Examples
    --------
    >>> completeness("What is the capital of France?"), completeness("What is the capital of")
    (1.0, 0.0)
    """
    words = text.rstrip().rstrip(_CLOSERS).split()
    if not words or words[-1].endswith(_OPEN_ENDS):
        return 0.0
    if words[-1].endswith(_SURE_ENDS):
        return 1.0
    if words[-1].rstrip(".").lower() in OPEN_WORDS:
        return 0.0
    return 1.0 if words[-1].endswith(".") else 0.5


def combined(words: float, voice: float | None) -> float:
    """Put both opinions together: the voice decides, open words take half of it back.

    Parameters
    ----------
    words : float
        What :func:`completeness` says.
    voice : float or None
        What a :class:`~realtime_nb.engine.base.TurnEnd` says; None where there is none, and the words decide.

    Returns
    -------
    float
        From 0, surely not over, to 1, surely.

    Examples
    --------
    >>> combined(1.0, None), combined(1.0, 0.05), combined(0.5, 0.9), combined(0.0, 0.9)
    (1.0, 0.0, 1.0, 0.5)
    """
    if voice is None:
        return words
    sure = min(max((voice - UNSURE) / (SURE - UNSURE), 0.0), 1.0)
    return sure if words else sure / 2
