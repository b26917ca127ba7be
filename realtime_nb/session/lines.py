"""The transcript as lines: what was said, in the conversation's order, while it is being said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Reversible
from typing import Any, Literal

import msgspec

from realtime_nb.display import plain
from realtime_nb.history.items import ItemState

__all__ = ["Line", "Who", "as_json", "changes", "last_lines", "lines"]

Who = Literal["user", "assistant", "system", "call"]
"""The roles of the protocol; a call is the model's, of a function."""


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a transcript.

    Parameters
    ----------
    id : str
        The item's.
    who : {"user", "assistant", "system", "call"}
        Whose it is.
    text : str
        The words so far; of a call, its arguments.
    state : {"open", "done", "cut"}
        Whether more will come; cut: it was interrupted.
    name : str
        Of the function that is called.
    output : str
        What the function gave.
    pictures : int
        How many are shown in it.
    seconds : float
        How long its sound is; 0 where there is none.
    """

    id: str
    who: Who
    text: str = ""
    state: Literal["open", "done", "cut"] = "done"
    name: str = ""
    output: str = ""
    pictures: int = 0
    seconds: float = 0.0


def lines(items: Iterable[ItemState]) -> list[Line]:
    """The transcript of a conversation.

    Parameters
    ----------
    items : iterable of ItemState
        In the conversation's order.

    Returns
    -------
    list of Line
        In the same order; what a function gave stands on the line of its call. Without control characters:
        they are data of a model, to be shown as text and nothing else.
    """
    found: list[Line] = []
    calls: dict[str | None, int] = {}
    for item in items:
        if item.deleted:
            continue
        if item.type == "function_call_output" and item.call_id in calls:
            place = calls[item.call_id]
            found[place] = msgspec.structs.replace(found[place], output=plain(item.output or ""), state="done")
        elif item.type in _READERS:
            calls[item.call_id] = len(found)
            found.append(_READERS[item.type](item))
    return found


def last_lines(items: Reversible[ItemState], most: int) -> list[Line]:
    """The end of a transcript; what is before it is not looked at.

    Parameters
    ----------
    items : reversible of ItemState
        In the conversation's order.
    most : int
        How many lines, 1 or more.

    Returns
    -------
    list of Line
        The last of :func:`lines`.
    """
    end: list[ItemState] = []
    for item in reversed(items):
        end.append(item)
        most -= item.type in _READERS and not item.deleted
        if not most:
            break
    return lines(reversed(end))


def _message(item: ItemState) -> Line:
    who = _ROLES.get(item.role or "", "assistant")
    unheard = who == "user" and item.audio_ms is not None and item.transcript is None
    going = item.status == "in_progress" or unheard
    cut = item.truncated or item.status == "incomplete"
    return Line(
        item.item_id,
        who,
        plain(item.words),
        "cut" if cut else "open" if going else "done",
        pictures=len(item.images),
        seconds=round((item.audio_ms or 0.0) / 1000, 2),
    )


def _call(item: ItemState) -> Line:
    return Line(item.item_id, "call", plain(item.arguments or ""), "open", name=plain(item.name or ""))


_ROLES: Mapping[str, Who] = {"user": "user", "assistant": "assistant", "system": "system"}
_READERS = {"message": _message, "function_call": _call, "mcp_call": _call}


def changes(known: Mapping[str, Line], now: Iterable[Line]) -> list[Line]:
    """The lines that somebody does not know yet, or knows otherwise.

    Parameters
    ----------
    known : mapping of str to Line
        By id.
    now : iterable of Line
        As they are.

    Returns
    -------
    list of Line
        In order.
    """
    return [line for line in now if known.get(line.id) != line]


def as_json(found: Iterable[Line]) -> list[dict[str, Any]]:
    """Lines as the page reads them.

    Parameters
    ----------
    found : iterable of Line
        The lines.

    Returns
    -------
    list of dict
        JSON values; what is empty is left out.
    """
    return [msgspec.to_builtins(line) for line in found]
