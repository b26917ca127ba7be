"""Whether a sentence is over, judged by its words alone: what ``semantic_vad`` waits by."""

from __future__ import annotations

__all__ = ["completeness"]

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
