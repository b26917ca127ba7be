"""What the local voices share: a text as the pieces they say in one breath."""

from __future__ import annotations

from realtime_nb.engine.clauses import LONGEST, Clauses, speakable

__all__ = ["breaths"]


def breaths(text: str, speed: float = 1.0) -> list[str]:
    """Cut a text into what is synthesised at once.

    A clause of the usual length stays whole, as it sounds best; only what is
    too long for one run is cut, where sentences or clauses end.

    Parameters
    ----------
    text : str
        As it was written.
    speed : float
        Slow speech is longer, so that less of the text is one run.

    Returns
    -------
    list of str
        Pieces with something to say in each; none if there is nothing.

    Examples
    --------
    >>> breaths("**Yes**, of course.")
    ['Yes, of course.']
    >>> breaths("...")
    []
    """
    if len(text) <= LONGEST * min(1.0, speed):
        parts = [text]
    else:
        clauses = Clauses()
        parts = [*clauses.feed(text), *clauses.finish()]
    return [said for part in parts if (said := speakable(part))]
