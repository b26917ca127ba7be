"""Asking for a response, and seeing it through: the server's own may come first, and whoever waits may give up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from realtime_nb.errors import LocalProtocolError, RealtimeError, ServerError
from realtime_nb.protocol import events as ev
from realtime_nb.session.book import Ask, TurnBook
from realtime_nb.session.gate import Permit
from realtime_nb.session.link import Link
from realtime_nb.session.reply import Reply
from realtime_nb.turn import Turn

__all__ = ["CANCEL_S", "Asker"]

CANCEL_S = 1.0
"""How long a cancelled response may take to say so; a cancel takes effect within 100 ms."""
MAX_ATTEMPTS = 5
"""How often a response is asked for while the server's own ones keep coming first."""
_BUSY = "conversation_already_has_active_response"


class Asker:
    """Asks for responses.

    Parameters
    ----------
    link : Link
        The connection.
    book : TurnBook
        Notes what answers what.
    """

    def __init__(self, link: Link, book: TurnBook) -> None:
        self._link = link
        self._book = book

    async def quiet(self, timeout_s: float) -> None:
        """Wait until nothing answers in the conversation: only one response at a time."""
        connection = self._link.connection
        await self._link.until(lambda: connection.active is None, timeout_s, what="the end of the response under way")

    async def respond(
        self,
        turn: Turn,
        params: ev.ResponseParams,
        timeout_s: float,
        *,
        permit: Permit | None = None,
        about: Sequence[str] = (),
        mark: str | None = None,
    ) -> Reply:
        """Ask for a response and see it through; again, if the server's own was faster.

        Parameters
        ----------
        turn : Turn
            Which it belongs to.
        params : ResponseParams
            What it is to do otherwise.
        timeout_s : float
            How long the server may be silent.
        permit : Permit, optional
            The leave for it.
        about : sequence of str
            Ids of the events that led to it: their refusal is raised.
        mark : str, optional
            Out of band: what its metadata says.

        Returns
        -------
        Reply
            Done.
        """
        for left in reversed(range(MAX_ATTEMPTS)):
            if mark is None:
                await self.quiet(timeout_s)
            ask = Ask(turn, self._link.now_s, mark, permit)
            try:
                return await self._ask(ask, params, timeout_s, about)
            except ServerError as error:
                self._book.disown(ask)
                if error.code != _BUSY or mark is not None or not left:
                    raise
            except LocalProtocolError:
                self._book.withdraw(ask)
                if self._link.connection.active is None or not left:
                    raise
            except (asyncio.CancelledError, TimeoutError):
                await self._stop(ask)
                raise
        raise AssertionError("the last attempt returns or raises")

    async def _ask(self, ask: Ask, params: ev.ResponseParams, timeout_s: float, about: Sequence[str]) -> Reply:
        self._book.ask(ask)
        given = None if params == ev.ResponseParams() else params
        ids = [*about, await self._link.send(ev.ResponseCreate(response=given))]
        try:
            reply = await self._link.until(lambda: ask.reply, timeout_s, about=ids, what="the response")
            await self._link.until(lambda: reply.done, timeout_s, about=ids, what="the end of the response")
        except ServerError as error:
            if error.event_id in about:  # what was said was refused: no answer is wanted
                await self._stop(ask)
            raise
        return reply

    async def _stop(self, ask: Ask) -> None:
        """Nobody waits for this response any more: cancel it, now or when it begins."""
        ask.abandoned = True
        if ask.event_id is None:  # it was never sent: the next response answers something else
            self._book.withdraw(ask)
            return
        if ask.reply is not None and ask.reply.done:
            return
        with contextlib.suppress(RealtimeError, TimeoutError):
            await self.cancel(ask.reply.id if ask.reply is not None else None)
            await self._link.until(lambda: ask.reply is not None and ask.reply.done, CANCEL_S)

    async def cancel(self, response_id: str | None) -> str:
        """Cancel a response; None is the one under way."""
        return await self._link.send(ev.ResponseCancel(response_id=response_id))

    async def truncate(self, turn: Turn, audio_end_ms: int) -> None:
        """Let the model forget what was not heard.

        Parameters
        ----------
        turn : Turn
            The interrupted one.
        audio_end_ms : int
            How much of its sound was heard.
        """
        spoken = turn.replies[-1].spoken if turn.replies else None
        if spoken is None:
            return
        item_id, content_index, came_ms = spoken
        if audio_end_ms <= 0:  # truncating to nothing is an error there; deleting is not
            await self._link.send(ev.ConversationItemDelete(item_id=item_id))
            return
        await self._link.send(
            ev.ConversationItemTruncate(
                item_id=item_id, content_index=content_index, audio_end_ms=min(audio_end_ms, came_ms)
            )
        )
