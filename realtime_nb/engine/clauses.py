"""Cut text, as it is being written, into pieces that can be spoken.

The first piece ends early (at a comma, if there is one), so that the voice can
start while the rest is written; later ones end with the sentence, which sounds
better. The cuts depend on the text alone, not on how it arrived.
"""

from __future__ import annotations

import re

__all__ = ["Clauses", "speakable"]

FIRST_SOFT = 8
"""Characters before the first piece may end at a comma: "Yes," alone leaves a gap after it."""
LATER_SOFT = 70
"""Characters before a later piece may end at a comma: a long sentence takes long to synthesise."""
LONGEST = 240
"""Characters after which a piece ends at any space."""

_DASHES = "\u2013\u2014"
_CLOSERS = "\"')\\]*_\u2019\u201d\u00bb"
_BREAK = re.compile(
    rf"(?P<mark>[.?!\u2026]+|[,;:]|[{_DASHES}])"  # what may end a piece ...
    rf"[{_CLOSERS}]*\s"  # ... with closing quotes, and the space that proves it is no 3.5, no URL
    r"|(?P<wide>[\u3002\uff01\uff1f])"  # full-width marks need no space
    r"|(?P<line>\n)"
)
_SOFT = frozenset(",;:" + _DASHES)
_NO_END = re.compile(
    r"(?:^|[\s(\"'])(?:[A-Z]|M[rs]|Mrs|Dr|Prof|St|Jr|Sr|vs|etc|e\.g|i\.e|approx|[Nn]o|[Ff]ig|[Vv]ol|cf|al)\.$|^\s*\d{1,2}\.$"
)
"""A full stop that ends no sentence: of a title, an initial, ``e.g.``, the number of a list's entry."""

_UNSPOKEN = re.compile(
    r"```\w*|[`*_#|<>~\\]+"  # marks of Markdown
    r"|[\U0001F000-\U0001FAFF\u2600-\u27BF\uFE0F\u200D]+"  # pictographs
)
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


class Clauses:
    """Take text piece by piece and give it back clause by clause.

    Whatever the pieces were, the clauses joined are the text.

    Examples
    --------
    >>> clauses = Clauses()
    >>> clauses.feed("Certainly, Dr. Who: it is 3.5 ")
    ['Certainly, ']
    >>> clauses.feed("metres. Anything")
    ['Dr. Who: it is 3.5 metres. ']
    >>> clauses.finish()
    ['Anything']
    """

    def __init__(self) -> None:
        self._text = ""
        self._soft = FIRST_SOFT

    def feed(self, text: str) -> list[str]:
        """Take the next piece.

        Parameters
        ----------
        text : str
            Any length.

        Returns
        -------
        list of str
            The clauses that are now complete, with the space after them.
        """
        self._text += text
        done = []
        while (cut := self._cut()) is not None:
            done.append(self._text[:cut])
            self._text = self._text[cut:]
            self._soft = LATER_SOFT
        return done

    def finish(self) -> list[str]:
        """Give what is left: nothing more comes.

        Returns
        -------
        list of str
            At most one clause.
        """
        rest, self._text = self._text, ""
        return [rest] if rest else []

    def _cut(self) -> int | None:
        """Where the first complete clause ends, if there is one."""
        head = self._text[:LONGEST]
        for found in _BREAK.finditer(head):
            if self._ends(head, found):
                return found.end()
        if len(head) < LONGEST:
            return None
        return (head.rfind(" ") + 1) or LONGEST

    def _ends(self, head: str, found: re.Match[str]) -> bool:
        if not head[: found.start()].strip():
            return False  # a clause has words
        mark = found["mark"]
        if mark is None:
            return True
        if mark in _SOFT:
            return found.start() >= self._soft
        return mark != "." or not _NO_END.search(head[: found.end("mark")])


def speakable(text: str) -> str:
    """Strip what a voice cannot say: marks of Markdown, pictographs.

    Parameters
    ----------
    text : str
        As it was written.

    Returns
    -------
    str
        As it is to be said; empty if there is no letter or digit in it.

    Examples
    --------
    >>> speakable("**Yes**, see [the page](https://example.org). ")
    'Yes, see the page.'
    >>> speakable("```")
    ''
    """
    said = " ".join(_UNSPOKEN.sub(" ", _LINK.sub(r"\1", text)).split())
    said = re.sub(r"\s+([.,;:?!])", r"\1", said)
    return said if any(map(str.isalnum, said)) else ""
