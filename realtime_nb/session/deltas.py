"""A turn's pieces as they come, for ``for`` and for ``async for``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

from realtime_nb.portal import await_on, call_on
from realtime_nb.session.reply import Delta
from realtime_nb.turn import Turn

if TYPE_CHECKING:
    from realtime_nb.session.actor import Actor

__all__ = ["Deltas"]


class Deltas:
    """The pieces of one turn; iterate once. Leaving the loop early interrupts the turn.

    Parameters
    ----------
    actor : Actor
        The session at home.
    turn : Turn
        What the pieces add up to.
    queue : asyncio.Queue
        Where they come; None is the end.
    """

    def __init__(self, actor: Actor, turn: Turn, queue: asyncio.Queue[Delta | None]) -> None:
        self.turn = turn
        """Fills meanwhile, and is whole after the loop."""
        self._actor = actor
        self._queue = queue

    def __iter__(self) -> Iterator[Delta]:
        loop = self._actor.loop
        try:
            while (delta := call_on(loop, self._queue.get())) is not None:
                yield delta
            call_on(loop, self.turn.whole())
        finally:
            call_on(loop, self._actor.abort(self.turn))

    async def __aiter__(self) -> AsyncIterator[Delta]:
        loop = self._actor.loop
        try:
            while (delta := await await_on(loop, self._queue.get())) is not None:
                yield delta
            await await_on(loop, self.turn.whole())
        finally:
            await await_on(loop, self._actor.abort(self.turn))

    def __repr__(self) -> str:
        return f"Deltas({self.turn!r})"
