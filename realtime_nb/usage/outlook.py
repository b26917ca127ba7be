"""How a talk would go on under each truncation setting: what is cut, what the cache loses, what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from realtime_nb.models import ModelCard
from realtime_nb.protocol.context import CACHE_STEP, Context, ContextOverflow, Cost
from realtime_nb.protocol.items import Message
from realtime_nb.protocol.limits import Limits
from realtime_nb.protocol.session_config import RetentionRatio, Truncation
from realtime_nb.usage.tokens import NOTHING, Tokens

__all__ = ["REPLY", "SAID", "SETTINGS", "outlook"]

SAID = Tokens(audio=50)
REPLY = Tokens(text=30, audio=200)
"""A talk of five seconds asked and ten answered (protocol, 5.3)."""


def outlook(
    card: ModelCard,
    truncation: Truncation,
    *,
    turns: int,
    fixed: Tokens,
    held: Sequence[Tokens] = (),
    said: Tokens = SAID,
    reply: Tokens = REPLY,
) -> dict[str, Any]:
    """Let a talk go on, and sum up what it would cost.

    Parameters
    ----------
    card : ModelCard
        Its limits and prices hold.
    truncation : Truncation
        What the server does where the window is full.
    turns : int
        How many more.
    fixed : Tokens
        Instructions and tools.
    held : sequence of Tokens
        The items there are, oldest first; all of them read, and cached.
    said, reply : Tokens
        What each turn adds.

    Returns
    -------
    dict
        ``turns`` that were answered, ``cuts``, ``dropped_tokens``, ``cached_tokens``,
        ``uncached_tokens``, ``cost_usd``.

    Notes
    -----
    A cache keeps a prefix, in steps of 64 tokens of each modality; once the
    oldest items are dropped, only instructions and tools are left of it.

    Examples
    --------
    >>> from realtime_nb.models import model
    >>> round(outlook(model("gpt-realtime-mini"), "auto", turns=60, fixed=Tokens(text=100))["cost_usd"], 2)
    0.43
    """
    talk = _Talk(card, truncation, fixed)
    for tokens in held:
        talk.add(tokens)
    talk.known = len(talk.items)
    for _ in range(turns):
        talk.add(said)
        if not talk.respond(reply):
            break
    return talk.sums


class _Talk:
    def __init__(self, card: ModelCard, truncation: Truncation, fixed: Tokens) -> None:
        self.items: list[tuple[Message, Cost]] = []
        self.known = 0
        self.sums: dict[str, Any] = dict.fromkeys(
            ("turns", "cuts", "dropped_tokens", "cached_tokens", "uncached_tokens"), 0
        ) | {"cost_usd": 0.0}
        self._card = card
        self._truncation = truncation
        self._fixed = Cost(fixed.text, fixed.audio, fixed.image)
        self._first = 0
        most = card.max_input_tokens or card.context_window or 2**31
        self._limits = Limits(context_tokens=card.context_window or most, max_input_tokens=most)

    def add(self, tokens: Tokens) -> None:
        """Put an item in."""
        item = Message(id=str(len(self.items)), role="user", content=())
        self.items.append((item, Cost(tokens.text, tokens.audio, tokens.image)))

    def respond(self, reply: Tokens) -> bool:
        """One response: False when it would fail."""
        still = self.items[self._first :]  # what was dropped stays dropped: that is how a prefix comes to last
        try:
            read = Context.fit(still, self._fixed, self._truncation, self._limits)
        except ContextOverflow:
            return False
        dropped = len(still) - len(read.ids)
        begun = bool(self.sums["turns"] or self.known)
        self._book(read, reply, known=0 if dropped else self.known - self._first, begun=begun)
        self.sums["cuts"] += bool(dropped)
        self.sums["dropped_tokens"] += sum(cost.total for _, cost in still[:dropped])
        self._first += dropped
        self.add(reply)
        self.known = len(self.items)
        return True

    def _book(self, read: Context, reply: Tokens, *, known: int, begun: bool) -> None:
        whole = _summed((read.fixed, *read.costs))
        kept = _stepped(_summed((read.fixed, *read.costs[:known]))) if begun else NOTHING
        fresh = whole - kept
        said_usd = math.fsum(
            getattr(reply, name) * (rate.output or 0.0) for name, rate in self._card.rates.items() if name != "image"
        )
        self.sums["turns"] += 1
        self.sums["cached_tokens"] += kept.total
        self.sums["uncached_tokens"] += fresh.total
        self.sums["cost_usd"] += fresh.input_usd(self._card) + kept.input_usd(self._card, cached=True) + said_usd / 1e6


def _summed(costs: Sequence[Cost]) -> Tokens:
    return Tokens(*(sum(column) for column in zip(*costs, strict=True)))


def _stepped(tokens: Tokens) -> Tokens:
    return Tokens(*(count - count % CACHE_STEP for count in (tokens.text, tokens.audio, tokens.image)))


SETTINGS: tuple[Truncation, ...] = (
    "auto",
    RetentionRatio(retention_ratio=0.8),
    RetentionRatio(retention_ratio=0.5),
    "disabled",
)
"""What is compared, beside the one in force."""
