"""What leaves the conversation when it is trimmed, and what that costs in cache: decided before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from realtime_nb.models import ModelCard
from realtime_nb.protocol.items import InputImage, InputText, Item, Message
from realtime_nb.usage.meter import ContextMeter, ItemTokens, summed
from realtime_nb.usage.tokens import NOTHING, Tokens

__all__ = ["SUMMARY", "Plan", "Trimmed", "plan", "trimmed"]

SUMMARY = "What was said before, summed up: "
"""How a summary begins; the next one replaces it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which items go, and which lose their pictures."""

    gone: tuple[str, ...]
    stripped: tuple[str, ...]


def plan(items: Sequence[ItemTokens], *, last: int | None, images: bool) -> Plan:
    """Choose what leaves.

    Parameters
    ----------
    items : sequence of ItemTokens
        The conversation, oldest first.
    last : int, optional
        So many turns stay, counted from the end; a turn begins with what the user says. None: all.
    images : bool
        False: pictures leave, with the message where nothing else is in it.

    Returns
    -------
    Plan
        Words of the system stay, but for an earlier summary.
    """
    begun = [index for index, each in enumerate(items) if getattr(each.item, "role", "") == "user"]
    cut = 0 if last is None or len(begun) < last else len(items) if not last else begun[-last]
    gone = [each.item.id for each in items[:cut] if not _stays(each.item)]
    pictured = [] if images else [each.item for each in items if each.item.id not in gone and _pictures(each.item)]
    bare = [item.id for item in pictured if isinstance(item, Message) and _pictures(item) == len(item.content)]
    return Plan((*gone, *bare), tuple(item.id for item in pictured if item.id not in bare))


def _stays(item: Item) -> bool:
    if not isinstance(item, Message) or item.role != "system":
        return False
    return not any(isinstance(part, InputText) and part.text.startswith(SUMMARY) for part in item.content)


def _pictures(item: Item) -> int:
    return sum(isinstance(part, InputImage) for part in item.content) if isinstance(item, Message) else 0


@dataclass(frozen=True, eq=False)
class Trimmed:
    """What a trim freed, and what it costs; :meth:`realtime_nb.Session.trim` gives one.

    Parameters
    ----------
    card : ModelCard
        Whose prices hold.
    before, after : Tokens
        The context.
    items : int
        How many left or lost their pictures.
    uncached : Tokens
        Of what stays, what the next response reads at the full price: a cache keeps a prefix, and what comes
        behind the first change is read anew.
    caches : bool
        Whether the last response had anything from the cache.
    summary : str
        The model's words that stand for what left; empty without.
    summary_usd : float
        What they cost, in US dollars.

    Notes
    -----
    Estimated as if all that was read before were cached, as it is by a server that caches; where the
    last response had nothing from the cache, there is nothing to lose.
    """

    card: ModelCard
    before: Tokens
    after: Tokens
    items: int
    uncached: Tokens
    caches: bool = True
    summary: str = ""
    summary_usd: float = 0.0

    @property
    def freed(self) -> Tokens:
        """What no response reads any more."""
        return self.before - self.after

    @property
    def next_usd(self) -> float:
        """What the next response costs more (or, below 0, less) than without the trim."""
        dearer = self.uncached.input_usd(self.card) - self.uncached.input_usd(self.card, cached=True)
        return dearer + self.later_usd

    @property
    def later_usd(self) -> float:
        """What each response after that costs more; below 0, it costs less."""
        return -self.freed.input_usd(self.card, cached=self.caches)

    @property
    def pays_after(self) -> float:
        """After how many responses the trim has paid; infinite where it never does, NaN without prices."""
        spent = self.summary_usd + self.next_usd
        if math.isnan(spent):
            return math.nan
        if spent <= 0:
            return 1
        return 1 + math.ceil(spent / -self.later_usd) if self.later_usd < 0 else math.inf

    def __repr__(self) -> str:
        return f"Trimmed({self._words})"

    @property
    def _words(self) -> str:
        if not self.items:
            return "nothing to trim"
        pays = (
            f"pays after {self.pays_after:,.0f} responses" if math.isfinite(self.pays_after) else "never pays by price"
        )
        summed_up = f", the summary cost ${self.summary_usd:.6f}" if self.summary else ""
        return (
            f"{self.before.total:,} tokens are {self.after.total:,} (freed: {self.freed}); "
            f"{self.uncached.total:,} lose their cache: the next response costs {_more(self.next_usd)}, "
            f"later ones {_more(self.later_usd)} each{summed_up}; {pays}"
        )

    def _repr_html_(self) -> str:
        return f'<div class="rtnb-trimmed">{escape(self._words)}</div>'


def _more(usd: float) -> str:
    return f"${abs(usd):.6f} {'more' if usd > 0 else 'less'}"


def trimmed(before: ContextMeter, after: ContextMeter, changed: Plan, *, summary: str, summary_usd: float) -> Trimmed:
    """The report of a trim.

    Parameters
    ----------
    before, after : ContextMeter
        The context.
    changed : Plan
        What was done.
    summary : str
        The model's words, if there are any.
    summary_usd : float
        What they cost.

    Returns
    -------
    Trimmed
        With the sums.
    """
    touched = {*changed.gone, *changed.stripped}
    first = next((index for index, each in enumerate(before.items) if each.item.id in touched), len(before.items))
    prefix = {each.item.id for each in before.items[:first]}
    behind = summed(each for each in after.items if summary or each.item.id not in prefix)
    return Trimmed(
        card=before.card,
        before=before.tokens,
        after=after.tokens,
        items=len(touched),
        uncached=behind if touched and before.cached else NOTHING,
        caches=bool(before.cached),
        summary=summary,
        summary_usd=summary_usd,
    )
