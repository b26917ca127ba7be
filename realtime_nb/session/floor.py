"""How a talk stands, for all who work at it: the facts, and what a person is to be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from realtime_nb.errors import RealtimeError
from realtime_nb.session.talking import Talking, after

__all__ = ["Floor", "Note"]


class Note(msgspec.Struct, frozen=True):
    """Something to be told to a person: what happened, and what to do."""

    text: str
    todo: str = ""


class Floor:
    """Who has the word now; all on the session's loop.

    Parameters
    ----------
    changed : callable
        Told whenever something may look different; must be quick.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.now = Talking()
        self.note: Note | None = None
        self.changed = changed

    def set(self, event: Any) -> None:
        """Take in what happened, and say so."""
        self.now = after(self.now, event)
        self.changed()

    def tell(self, error: BaseException) -> None:
        """Let a person know what went wrong."""
        message = error.message if isinstance(error, RealtimeError) else str(error)
        self.note = Note(message, getattr(error, "hint", None) or "")
        self.changed()
