"""How a magic's line is read: options first seen in a table, then words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from realtime_nb.errors import ConfigError

__all__ = ["Grammar", "Line", "nearest", "read_line"]


@dataclass(frozen=True)
class Grammar:
    """What a magic's line may hold.

    Parameters
    ----------
    name : str
        The magic, as it is typed.
    example : str
        A line that runs.
    values : frozenset of str
        Options that take the word after them.
    flags : frozenset of str
        Options that stand alone.
    verbatim : bool
        Whether what follows the options is a person's own text, to be kept as it is.
    """

    name: str
    example: str
    values: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    verbatim: bool = False

    @property
    def options(self) -> list[str]:
        """All options, sorted."""
        return sorted(self.values | self.flags)


@dataclass
class Line:
    """A line that was read.

    Parameters
    ----------
    options : dict of str to str
        What was given to each option; a flag has the empty string.
    text : str
        The rest.
    """

    options: dict[str, str] = field(default_factory=dict)
    text: str = ""


_WORD = re.compile(r"\s*(\S+)")


def read_line(text: str, grammar: Grammar) -> Line:
    """Read a magic's line.

    Parameters
    ----------
    text : str
        What stands after the magic's name.
    grammar : Grammar
        What it may hold.

    Returns
    -------
    Line
        Options anywhere, or, where the rest is verbatim, before it.

    Raises
    ------
    ConfigError
        An unknown option, or one without its value.
    """
    line, words, at = Line(), list[str](), 0
    while (found := _WORD.match(text, at)) is not None:
        word = found[1]
        if not word.startswith("--"):
            if grammar.verbatim:
                break
            words.append(word.strip("\"'"))
            at = found.end()
            continue
        name, equals, value = word.partition("=")
        _check(name, grammar)
        at = found.end()
        if name in grammar.values and not equals:
            found = _WORD.match(text, at)
            value, at = (found[1], found.end()) if found else ("", at)
        _store(line, name, value.strip("\"'"), grammar)
    line.text = text[at:].strip() if grammar.verbatim else " ".join(words)
    return line


def _check(name: str, grammar: Grammar) -> None:
    if name in grammar.options:
        return
    known = f"its options are {', '.join(grammar.options)}" if grammar.options else "it takes none"
    raise ConfigError(
        f"{grammar.name} has no option {name}{nearest(name, grammar.options)}: {known}", hint=grammar.example
    )


def _store(line: Line, name: str, value: str, grammar: Grammar) -> None:
    if name in grammar.values and not value:
        raise ConfigError(f"{grammar.name} got {name} without what it is to be", hint=grammar.example)
    if name in grammar.flags and value:
        raise ConfigError(f"{grammar.name} got {name}={value}: {name} takes no value", hint=grammar.example)
    line.options[name] = value


def nearest(word: str, known: Collection[str]) -> str:
    """What a mistyped word was probably meant to be, as the end of a clause.

    Parameters
    ----------
    word : str
        What was typed.
    known : collection of str
        What there is.

    Returns
    -------
    str
        ``", but 'status'"`` or nothing.

    Examples
    --------
    >>> nearest("stats", ["status", "usage"])
    ", but 'status'"
    """
    close = difflib.get_close_matches(word, known, n=1)
    return f", but {close[0]!r}" if close else ""
