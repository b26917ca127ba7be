"""Waiting rather than being refused: all sessions of a model at one place stand in one line for its rate limits."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Awaitable, Callable, Iterable

from realtime_nb.errors import RateLimited
from realtime_nb.models import ModelCard, TierLimit
from realtime_nb.protocol.events import RateLimit
from realtime_nb.protocol.limits import RateLimiter, RateRefusal

__all__ = ["Line", "line_for"]


LEAST_S = 0.01
"""A wait is rounded up to this: a shorter one might not move the clock."""


class Line:
    """Lets one response after another pass, as the tier of the model's card allows.

    Parameters
    ----------
    card : ModelCard
        Of the model.
    limit : TierLimit
        What it allows in a minute.
    clock : callable
        Seconds, never going back.
    sleep : coroutine function
        Waits so many seconds.

    Notes
    -----
    The limits fill up in a straight line (protocol, 6.1). A response sets aside
    what it reads and all it may write; what it did not use is given back at its
    end. Where the server says that less is left, for others use the same key,
    that holds.
    """

    def __init__(
        self,
        card: ModelCard,
        limit: TierLimit,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.name = f"tier {limit.tier}: {limit.rpm or 0:,} requests, {limit.tpm or 0:,} tokens a minute"
        self._card = card
        self._limiter = RateLimiter(
            requests_per_min=limit.rpm or 0, tokens_per_min=limit.tpm or 0, model=f"{card.name} at tier {limit.tier}"
        )
        self._clock = clock
        self._sleep = sleep
        self._turnstile = asyncio.Lock()

    async def enter(self, tokens: int, told: Callable[[str], object]) -> None:
        """Wait until a response may be made; a cancel here leaves the line.

        Parameters
        ----------
        tokens : int
            What it reads, and all it may write.
        told : callable
            Given the words that a person sees while this waits; ``""`` when it does no longer.

        Raises
        ------
        RateLimited
            So many tokens are never allowed at once.
        """
        try:
            if self._turnstile.locked():
                told(f"waiting behind others for {self.name}")
            async with self._turnstile:  # one after another: a long wait is not overtaken
                while (refusal := self._limiter.reserve(tokens, self._clock())) is not None:
                    await self._wait(refusal, told)
        finally:
            told("")

    async def _wait(self, refusal: RateRefusal, told: Callable[[str], object]) -> None:
        if refusal.wait_s is None:
            raise RateLimited(
                refusal.message, code="rate_limit_exceeded", hint=f'rt.model("{self._card.name}").tiers  # a higher one'
            )
        told(f"waiting {refusal.wait_s:.1f} s for {self.name}")
        await self._sleep(max(LEAST_S, refusal.wait_s))

    def settle(self, reserved: int, used: int) -> None:
        """Give back what a response set aside and did not use.

        Parameters
        ----------
        reserved, used : int
            Tokens.
        """
        self._limiter.settle(reserved, used, self._clock())

    def told(self, rows: Iterable[RateLimit]) -> None:
        """Take over what the server says is left, where that is less.

        Parameters
        ----------
        rows : iterable of RateLimit
            Of ``rate_limits.updated``.
        """
        self._limiter.told(rows, self._clock())


_lines: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str, str], Line]] = (
    weakref.WeakKeyDictionary()
)


def line_for(place: str, card: ModelCard, limit: TierLimit) -> Line:
    """The line in front of a model at a place; the same one for every session of this process there.

    Parameters
    ----------
    place : str
        The server's host and port.
    card : ModelCard
        Of the model.
    limit : TierLimit
        What its tier allows in a minute.

    Returns
    -------
    Line
        Belongs to the running loop.
    """
    lines = _lines.setdefault(asyncio.get_running_loop(), {})
    key = (place, card.name, limit.tier)
    if key not in lines:
        lines[key] = Line(card, limit)
    return lines[key]
