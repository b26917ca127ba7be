"""Words that are expected, for a recogniser that reads no prompt: written where they fit the sound nearly as well.

The prompt of a transcription is a list of keywords, as for whisper-1 (protocol, 3.2). At each step of a greedy decoder
the tokens that begin or go on with one of them get some nats more. Beginnings get little, so that a name that was not
said is not heard; a word half written gets more, so that it is written to its end. What was written so counts only if
there are more of the keywords in it than in what is written without: else a beginning that led nowhere would spoil it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Expected", "keywords"]

BEGINS: Final = (1.0, 2.0, 3.0)
"""Nats for a token that begins an expected word with one letter, two, or more: a letter begins many words."""
GOES_ON: Final = 6.0
"""Nats for one that goes on with it."""
MOST_WORDS: Final = 4
"""In a keyword: what is longer is a sentence about the talk, and no keyword."""
MOST_KEYWORDS: Final = 200
_SPACE: Final = "\u2581"
_SENTENCES: Final = re.compile(r"[.?!]\s")


def keywords(prompt: str | None) -> tuple[str, ...]:
    """Find the keywords in a prompt.

    Parameters
    ----------
    prompt : str or None
        Keywords with commas, semicolons or line ends between; sentences are passed over.

    Returns
    -------
    tuple of str
        Each once.

    Examples
    --------
    >>> keywords("Jupyter, Siobhan O'Neill; a talk about all that people do with notebooks.")
    ('Jupyter', "Siobhan O'Neill")
    """
    parts = (part.strip().rstrip(".") for part in re.split(r"[,;\n]", prompt or ""))
    short = (
        part for part in parts if len(part) > 2 and len(part.split()) <= MOST_WORDS and not _SENTENCES.search(part)
    )
    return tuple(dict.fromkeys(" ".join(part.split()) for part in short))[:MOST_KEYWORDS]


class Expected:
    """What is expected, in the tokens of a recogniser.

    Parameters
    ----------
    words : tuple of str
        From :func:`keywords`.
    numbers : mapping of bytes to int
        Each token's text, with U+2581 for a space, and its number.
    """

    def __init__(self, words: tuple[str, ...], numbers: Mapping[bytes, int]) -> None:
        self._known = [re.compile(rf"(?<!\w){re.escape(word)}(?!\w)") for word in words]
        self._words = [f"{_SPACE}{word.replace(' ', _SPACE)}".encode() for word in words]
        self._numbers = numbers

    def count(self, text: str) -> int:
        """Say how many of the keywords are in a text."""
        return sum(known.search(text) is not None for known in self._known)

    def favour(self, logits: NDArray[np.float32], written: bytes) -> NDArray[np.float32]:
        """Give the tokens of expected words their due.

        Parameters
        ----------
        logits : ndarray of float32, shape (tokens,)
            The model's.
        written : bytes
            What was written so far, with U+2581 for spaces.

        Returns
        -------
        ndarray of float32, shape (tokens,)
            The same where nothing is expected.
        """
        due: dict[int, float] = {}
        for word in self._words:
            begun = _begun(word, written)
            rest = word[begun:]
            for end in range(1, len(rest) + 1):
                if (number := self._numbers.get(rest[:end])) is not None:
                    due[number] = max(due.get(number, 0.0), _nats(begun, begun + end))
        if not due:
            return logits
        favoured = logits.copy()
        favoured[list(due)] += np.array(list(due.values()), dtype=np.float32)
        return favoured


def _nats(begun: int, end: int) -> float:
    """What a token is due that goes on from one byte of a word to another; the space before it is no letter."""
    letters = end - len(_SPACE.encode())
    return GOES_ON if begun > len(_SPACE.encode()) else BEGINS[min(max(letters, 1), len(BEGINS)) - 1]


def _begun(word: bytes, written: bytes) -> int:
    """How many bytes of a word stand at the end of what was written."""
    longest = min(len(word) - 1, len(written))
    return next((size for size in range(longest, 0, -1) if written.endswith(word[:size])), 0)
