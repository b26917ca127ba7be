"""The transcript as Markdown; what was said is text in it, never markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.archive.saved import SavedHistory

__all__ = ["facts", "markdown", "plain", "rows", "said", "who"]

_WHO = {"user": "You", "assistant": "Model", "system": "System"}
_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:@^=])")


def markdown(saved: SavedHistory) -> str:
    """Write the transcript.

    Parameters
    ----------
    saved : SavedHistory
        The conversation.

    Returns
    -------
    str
        A heading, the facts, and a paragraph for each item; good in a notebook's Markdown cell.
    """
    lines = ["# Conversation", "", *(f"- {name}: {plain(fact)}" for name, fact in facts(saved)), ""]
    for row in rows(saved.history):
        words = said(row)
        if words:
            lines += [f"**{who(row)}:** {plain(words)}", ""]
    return "\n".join(lines)


def plain(text: str) -> str:
    r"""Text as Markdown that shows it as it is.

    Parameters
    ----------
    text : str
        Anything.

    Returns
    -------
    str
        One paragraph; lines are broken where the text breaks them.

    Examples
    --------
    >>> plain("2 * 3 <b>")
    '2 \\* 3 &lt;b&gt;'
    """
    return "  \n".join(map(_line, text.splitlines()))


def _line(text: str) -> str:
    """One line; indented after an empty one it would be code, with all its backslashes."""
    words = text.lstrip()
    indent = "&nbsp;" * (len(text) - len(words) if words else 1)
    return indent + _MARKUP.sub(r"\\\1", escape(words, quote=False))


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame, by column."""
    return cast("list[dict[str, Any]]", frame.to_dict("records"))


def who(row: dict[str, Any]) -> str:
    """Whose item a row is."""
    return (
        _WHO.get(row["role"], "") if isinstance(row["role"], str) else str(row["type"]).replace("_", " ").capitalize()
    )


def said(row: dict[str, Any]) -> str:
    """The words of a row: written, spoken, shown, called."""
    found = [row["text"], row["transcript"]]
    if isinstance(row["image"], str):
        found.append(f"[{row['image']}]")
    if isinstance(row["name"], str):
        found.append(f"{row['name']}({row['arguments'] if isinstance(row['arguments'], str) else ''})")
    found.append(row["output"])
    return "\n".join(each for each in found if isinstance(each, str) and each)


def facts(saved: SavedHistory) -> Iterator[tuple[str, str]]:
    """What a reader wants to know first."""
    turns = saved.turns
    yield "model", saved.card.name
    yield "brain", saved.brain
    yield "begun", saved.begun
    yield "turns", str(len(turns))
    yield "cost", f"${turns.cost_usd.sum():.6f}"
