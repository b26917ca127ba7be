"""What stands before each response: the budget, which refuses, and the tier's limits, which make it wait."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from realtime_nb.protocol.events import ResponseParams
from realtime_nb.protocol.session_config import Session
from realtime_nb.protocol.usage import Usage
from realtime_nb.session.pacing import Line
from realtime_nb.usage import BudgetGuard, Reading, Tokens, read_usage
from realtime_nb.usage.tokens import NOTHING, text_tokens

__all__ = ["Gate", "Permit"]


@dataclass(eq=False)
class Permit:
    """Leave to make one response, and what was set aside for it."""

    key: str
    tokens: int
    is_open: bool = True


class Gate:
    """Lets a response pass, or says why not.

    Parameters
    ----------
    guard : BudgetGuard
        What may be spent.
    reading : Reading
        What a response would read.
    line : Line, optional
        Where to wait for the rate limits; None: nowhere.
    """

    def __init__(self, guard: BudgetGuard, reading: Reading, line: Line | None = None) -> None:
        self.guard = guard
        self.line = line
        self._reading = reading
        self._keys = (f"response_{number}" for number in itertools.count(1))

    @property
    def holds(self) -> bool:
        """Whether there is anything that could stop a response."""
        return self.line is not None or self.guard.budget_usd is not None

    def check(
        self, session: Session, params: ResponseParams, added: Tokens = NOTHING, *, key: str | None = None
    ) -> None:
        """Make sure that a response is within the budget, before anything is spent.

        Parameters
        ----------
        session : Session
            The settings in force.
        params : ResponseParams
            What this response is to do otherwise.
        added : Tokens
            What it will read beside what is in the conversation.
        key : str, optional
            Sets the estimate aside under this name.

        Raises
        ------
        BudgetExceeded
            It may pass the budget.
        """
        if params.instructions:
            added += Tokens(text=text_tokens(params.instructions))
        self.guard.know(self._reading.total())
        modalities = params.output_modalities or session.output_modalities
        self.guard.check(
            added,
            output="text" if modalities == ("text",) else "audio",
            max_output_tokens=_limit(session, params),
            key=key,
        )

    @contextlib.asynccontextmanager
    async def leave(
        self, session: Session, params: ResponseParams, added: Tokens = NOTHING, *, told: Callable[[str], object]
    ) -> AsyncIterator[Permit]:
        """Check the budget, then wait for the rate limits; what a response that came not had set aside is given back.

        Parameters
        ----------
        session : Session
            The settings in force.
        params : ResponseParams
            What this response is to do otherwise.
        added : Tokens
            What it will read beside what is in the conversation.
        told : callable
            Given the words that a person sees while this waits.

        Yields
        ------
        Permit
            To be settled when the response is done.

        Raises
        ------
        BudgetExceeded
            It may pass the budget.
        RateLimited
            The tier never allows so much at once.
        """
        key, card = next(self._keys), self.guard.card
        self.check(session, params, added, key=key)
        read = (self._reading.total() + added).total
        permit = Permit(key, min(read, card.max_input_tokens or read) + _most(session, params, card.max_output_tokens))
        if self.line is not None:
            try:
                await self.line.enter(permit.tokens, told)
            except BaseException:
                self.guard.release(key)
                raise
        try:
            yield permit
        finally:
            self._close(permit, 0)  # once it is settled, this does nothing

    def settle(self, permit: Permit | None, usage: Usage | None, *, conversation: str = "auto") -> None:
        """Book what a response did use.

        Parameters
        ----------
        permit : Permit, optional
            Its leave; None for one that the server made by itself.
        usage : Usage, optional
            What it used.
        conversation : str
            ``none`` for a response out of band.
        """
        found = read_usage(usage)
        self.guard.settle(found, conversation=conversation)
        self._close(permit, found.total_tokens if found is not None else 0)

    def _close(self, permit: Permit | None, used: int) -> None:
        reserved = 0
        if permit is not None and permit.is_open:
            permit.is_open, reserved = False, permit.tokens
            self.guard.release(permit.key)
        if self.line is not None:
            self.line.settle(reserved, used)


def _limit(session: Session, params: ResponseParams) -> int | None:
    limit = params.max_output_tokens or session.max_output_tokens
    return None if limit == "inf" else limit


def _most(session: Session, params: ResponseParams, card_limit: int | None) -> int:
    limit = _limit(session, params)
    return (card_limit or 0) if limit is None else limit
