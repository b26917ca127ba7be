"""Names for events, items, responses and calls, from a source that is given: the core itself has no randomness."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Protocol

__all__ = ["CountingIds", "IdFactory", "Ids", "SeededIds"]


class IdFactory(Protocol):
    """Makes names that are unique within a connection."""

    def new(self, prefix: str) -> str:
        """Make a name such as ``item_CKf3...``; `prefix` says of what: event, item, resp, conv, sess or call."""
        ...


class Ids:
    """Names from a source of unguessable text.

    Parameters
    ----------
    seed_source : Callable[[], str]
        Called once a name, such as ``lambda: secrets.token_hex(10)``.
    """

    def __init__(self, seed_source: Callable[[], str]) -> None:
        self._source = seed_source

    def new(self, prefix: str) -> str:
        """Make a name.

        Parameters
        ----------
        prefix : str
            What it names: event, item, resp, conv, sess or call.

        Returns
        -------
        str
            The prefix, an underscore, and the source's text.
        """
        return f"{prefix}_{self._source()}"


class CountingIds:
    """Names that count, the same in every run: for tests and for recordings.

    Parameters
    ----------
    mark : str
        Put before the number, so that two ends of a connection do not clash.

    Examples
    --------
    >>> ids = CountingIds()
    >>> ids.new("item"), ids.new("resp"), ids.new("item")
    ('item_1', 'resp_1', 'item_2')
    """

    def __init__(self, mark: str = "") -> None:
        self._mark = mark
        self._counts: dict[str, int] = {}

    def new(self, prefix: str) -> str:
        """Make the next name of its kind.

        Parameters
        ----------
        prefix : str
            What it names; each prefix counts by itself.

        Returns
        -------
        str
            The prefix, an underscore, the mark, and a number from 1.
        """
        self._counts[prefix] = self._counts.get(prefix, 0) + 1
        return f"{prefix}_{self._mark}{self._counts[prefix]}"


class SeededIds:
    """Names nobody can guess who has not the seed, and the same again for who has.

    Parameters
    ----------
    seed : str
        Random text, one a connection.
    drawn : mapping of str to int, optional
        How many names of each prefix were made before.

    Examples
    --------
    >>> one, other = SeededIds("0f3a"), SeededIds("0f3a", {"item": 1})
    >>> one.new("item")
    'item_940218db8591aa0885bc'
    >>> one.new("item") == other.new("item")
    True
    """

    def __init__(self, seed: str, drawn: Mapping[str, int] | None = None) -> None:
        self.seed = seed
        self.drawn = dict(drawn or {})
        """How many names of each prefix were made."""

    def new(self, prefix: str) -> str:
        """Make the next name of its kind.

        Parameters
        ----------
        prefix : str
            What it names; each prefix is a sequence of its own.

        Returns
        -------
        str
            The prefix, an underscore, and 20 hexadecimal digits.
        """
        count = self.drawn.get(prefix, 0)
        self.drawn[prefix] = count + 1
        return f"{prefix}_{hashlib.sha256(f'{self.seed} {prefix} {count}'.encode()).hexdigest()[:20]}"
