"""What a session has used and what is left: tokens, cost, context, rate limits; live, from the session's own books."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import traitlets

from realtime_nb.errors import ConnectionClosed
from realtime_nb.protocol.events import RateLimit, RateLimitsUpdated
from realtime_nb.protocol.usage import Usage, add
from realtime_nb.usage import CostLine, cost
from realtime_nb.widgets.base import View

if TYPE_CHECKING:
    import asyncio

    from realtime_nb.history.log import Entry
    from realtime_nb.session.actor import Actor
    from realtime_nb.session.seen import Seen

__all__ = ["Gauge", "Meter"]

BEAT_S = 0.5
"""How often the page is told at most; each message costs it a redraw (measured)."""
_DIRECTIONS = {"input": "Tokens in", "output": "Tokens out"}


@dataclass(frozen=True, slots=True)
class Gauge:
    """One line of a meter: what it measures, how much of how much, and the same in words.

    Parameters
    ----------
    name : str
        What it measures.
    words : str
        The figures, for people; a screen reader says them.
    parts : tuple of (str, float)
        What the bar is made of: kind and amount. Kinds are ``text``, ``audio``, ``image``, ``cached``, ``used``.
    most : float
        Where the bar ends; 0 for no bar.
    full : bool
        Whether that is nearly reached: 80 % of it and more.
    """

    name: str
    words: str
    parts: tuple[tuple[str, float], ...] = ()
    most: float = 0.0
    full: bool = False


class Meter(View):
    """Shows what a session has used and what is left, as it goes on.

    Parameters
    ----------
    session : Session
        Or its ``aio`` face.

    Examples
    --------
    >>> meter = Meter(session)  # doctest: +SKIP
    >>> meter  # doctest: +SKIP
    Meter(tokens in 71 (71 text), tokens out 3 (3 text), cost $0.000050, no budget, context 74 of 28,224 (0.3%))
    """

    view_name: ClassVar[str] = "meter"

    gauges: traitlets.List[dict[str, Any]] = traitlets.List(read_only=True).tag(sync=True)
    title = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init__(self, session: Seen) -> None:
        super().__init__()
        self._actor: Actor = session.actor
        self._limits: tuple[RateLimit, ...] = ()
        self._read = 0
        self._beat: asyncio.TimerHandle | None = None
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="realtime_nb meter")
        self._name = session.brain
        self._end: asyncio.Task[None] | None = None
        self._measure()
        self._actor.loop.call_soon_threadsafe(self._begin)

    # ---------------------------------------------------------------- the session, on its thread
    def _begin(self) -> None:
        self._actor.link.log.follow(self._heard)
        self._end = self._actor.loop.create_task(self._see_the_end())

    async def _see_the_end(self) -> None:
        try:
            await self._actor.link.until(lambda: False, math.inf)
        except ConnectionClosed:
            self._due()

    def _heard(self, entry: Entry, audio: bytes) -> None:
        del entry
        if self._beat is None and not audio:
            self._beat = self._actor.loop.call_later(BEAT_S, self._due)

    def _due(self) -> None:
        self._beat = None
        if not self.closed:
            self._clerk.submit(self._measure)

    # ---------------------------------------------------------------- the clerk, on its own
    def _measure(self) -> None:
        """Read the books and show what they say."""
        over = self._actor.link.closed is not None
        self.set_trait("title", f"{self._name} (the session is closed)" if over else self._name)
        found = [*self._tokens(), self._cost(), *self._context(), *self._left()]
        self.set_trait("gauges", [msgspec.to_builtins(gauge) for gauge in found])
        self.keep()

    def _tokens(self) -> list[Gauge]:
        used = reduce(add, (turn.usage for turn in list(self._actor.book.turns)), Usage())
        lines = cost(used, self._actor.card).lines
        names = _DIRECTIONS.items()
        most = max(sum(line.tokens for line in lines if line.direction == way) for way, _ in names)
        return [_tokens(name, [line for line in lines if line.direction == way], most) for way, name in names]

    def _cost(self) -> Gauge:
        spent, budget = self._actor.guard.spent_usd, self._actor.guard.budget_usd
        if math.isnan(spent):
            return Gauge("Cost", "this model's card names no price")
        if not budget:
            return Gauge("Cost", f"${spent:.6f}, no budget")
        return _share("Cost", spent, budget, f"${spent:.6f} of ${budget:.2f}")

    def _context(self) -> list[Gauge]:
        context = self._actor.reading.meter()
        total, limit = context.tokens.total, context.limit
        about = "about " if context.estimated else ""
        if limit is None:
            return [Gauge("Context", f"{about}{total:,} tokens")]
        return [_share("Context", total, limit, f"{about}{total:,} of {limit:,} ({context.fill:.1%})")]

    def _left(self) -> list[Gauge]:
        news = self._actor.link.log.since(self._read)
        self._read += len(news)
        told = [entry.event.rate_limits for entry in news if isinstance(entry.event, RateLimitsUpdated)]
        self._limits = told[-1] if told else self._limits
        return [
            _share(
                f"{one.name.capitalize()} a minute",
                one.limit - one.remaining,
                one.limit,
                f"{one.remaining:,} of {one.limit:,} left (full in {one.reset_seconds:.0f} s)",
            )
            for one in self._limits
        ]

    # ---------------------------------------------------------------- how it looks, and its end
    @property
    def text(self) -> str:
        """All of it in words: a line a gauge."""
        return "\n".join(f"{gauge['name']}: {gauge['words']}" for gauge in self.gauges)

    def facts(self) -> str:
        """Tell the figures in one line."""
        return ", ".join(f"{gauge['name'].lower()} {gauge['words']}" for gauge in self.gauges)

    def static_html(self) -> str:
        """Give the last figures as a table."""
        rows = "".join(
            f'<tr><th style="text-align:left">{escape(gauge["name"])}</th>'
            f'<td style="text-align:left">{escape(gauge["words"])}</td></tr>'
            for gauge in self.gauges
        )
        return f"<table><caption>{escape(self.title)}</caption>{rows}</table>"

    def release(self) -> None:
        """Follow the session no more."""
        self._actor.loop.call_soon_threadsafe(self._leave)
        self._clerk.shutdown(wait=False)

    def _leave(self) -> None:
        self._actor.link.log.unfollow(self._heard)
        if self._end is not None:
            self._end.cancel()


def _tokens(name: str, lines: list[CostLine], most: int) -> Gauge:
    parts = tuple(("cached" if line.cached else line.modality, float(line.tokens)) for line in lines)
    total = sum(line.tokens for line in lines)
    kinds = [f"{line.tokens:,} {'cached ' if line.cached else ''}{line.modality}" for line in lines]
    return Gauge(name, f"{total:,}" + (f" ({', '.join(kinds)})" if kinds else ""), parts, float(most))


def _share(name: str, used: float, most: float, words: str) -> Gauge:
    return Gauge(name, words, (("used", float(used)),), float(most), full=bool(used >= 0.8 * most))
