"""Whether a sentence is over, judged by its words alone: what ``semantic_vad`` waits by."""

from __future__ import annotations

__all__ = ["completeness"]

_OPEN = """
a an the and or but so because if when while that which who of to in on at for with from by about my your his her its
our their is are was were be am do does did can could will would should may might i you we they he she um uh er
"""
OPEN_WORDS = frozenset(_OPEN.split())
"""Words after which an English sentence goes on."""

_CLOSERS = "\"')\u201d\u2019"
_OPEN_ENDS = ("...", "\u2026", ",", ":", "-", "\u2014")
_ENDS = (".", "!", "?")


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
    if not words or words[-1].endswith(_OPEN_ENDS) or words[-1].rstrip("".join(_ENDS)).lower() in OPEN_WORDS:
        return 0.0
    return 1.0 if words[-1].endswith(_ENDS) else 0.5
