"""What Tab offers after ``%rt``, ``%%ask`` and ``%%say``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, get_args

from realtime_nb.magics.ask import ASK, SAY
from realtime_nb.magics.line import Grammar
from realtime_nb.magics.rt import COMMANDS, CONNECT, WATCH

__all__ = ["offers", "rt_matcher"]

_LINE = re.compile(r"\s*(%rt|%%ask|%%say)\s+(.*)", re.DOTALL)
_PLACES = ("local", "openai")


def offers(line: str) -> list[str]:
    """What may stand at the end of a line.

    Parameters
    ----------
    line : str
        Up to the cursor.

    Returns
    -------
    list of str
        Whole words; none where the line is no magic of ours, or free text.

    Examples
    --------
    >>> offers("%rt st")
    ['status']
    >>> offers("%rt watch ")
    ['on', 'off']
    """
    found = _LINE.fullmatch(line)
    if found is None:
        return []
    *before, last = found[2].split(" ")
    before = [word for word in before if word]
    return [word for word in _known(found[1], before) if word.startswith(last)]


def _known(magic: str, before: list[str]) -> Iterable[str]:
    if magic == "%%ask":
        return _options(ASK, before, verbatim=True)
    if magic == "%%say":
        return _options(SAY, before)
    if not before:
        return COMMANDS
    if before == ["watch"]:
        return WATCH
    if before[0] == "connect":
        return _options(CONNECT, before[1:], first=_PLACES)
    return ()


def _options(
    grammar: Grammar, before: list[str], *, first: tuple[str, ...] = (), verbatim: bool = False
) -> Iterable[str]:
    if before and before[-1] in grammar.values:
        return _VALUES.get(before[-1], tuple)()
    if verbatim and any(not word.startswith("--") and not word.isdecimal() for word in before):
        return ()  # a question has begun
    left = [option for option in grammar.options if option not in before]
    return (*(() if before else first), *left)


def _voices() -> Iterable[str]:
    from realtime_nb.session.config import Voice

    return [name for part in get_args(Voice) for name in get_args(part)]


def _models() -> Iterable[str]:
    from realtime_nb.models.shelf import names

    return names()


_VALUES: dict[str, Callable[[], Iterable[str]]] = {"--voice": _voices, "--model": _models}


def rt_matcher() -> Callable[[Any], Any]:
    """Make IPython's matcher for these lines.

    Returns
    -------
    callable
        Of the second generation of matchers, for ``shell.Completer.custom_matchers``.
    """
    from IPython.core.completer import SimpleCompletion, context_matcher

    def match(context: Any) -> Any:
        line = context.line_with_cursor[: context.cursor_position]
        words = offers(line)
        return {"completions": [SimpleCompletion(word) for word in words], "suppress": bool(words)}

    matcher: Callable[[Any], Any] = context_matcher(identifier="realtime_nb")(match)
    return matcher
