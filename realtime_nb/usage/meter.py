"""How full the model's window is, and what the next response would read of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

from realtime_nb.models import ModelCard
from realtime_nb.protocol.context import Context, ContextOverflow, Cost
from realtime_nb.protocol.items import Item
from realtime_nb.protocol.limits import Limits
from realtime_nb.protocol.session_config import RetentionRatio, Truncation
from realtime_nb.usage.outlook import REPLY, SAID, SETTINGS, outlook
from realtime_nb.usage.tokens import MODALITIES, Tokens

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ContextMeter", "ItemTokens", "summed"]


@dataclass(frozen=True, slots=True)
class ItemTokens:
    """An item of the conversation, and what it comes to."""

    item: Item
    tokens: Tokens


def summed(items: Iterable[ItemTokens]) -> Tokens:
    """What several items come to.

    Parameters
    ----------
    items : iterable of ItemTokens
        Any.

    Returns
    -------
    Tokens
        By modality.
    """
    found = list(items)
    return Tokens(**{name: sum(getattr(each.tokens, name) for each in found) for name in MODALITIES})


@dataclass(frozen=True, eq=False)
class ContextMeter:
    """The context of a session at one moment; ``session.context``.

    Parameters
    ----------
    card : ModelCard
        Of the model.
    fixed : Tokens
        Instructions and tools.
    items : tuple of ItemTokens
        The conversation, oldest first.
    unread : Tokens
        Of `items`, what no response has read yet: an estimate.
    estimated : bool
        Whether anything of this is an estimate.
    limit : int, optional
        What a response may read; None where the card does not say.
    truncation : Truncation
        What the server does where that is passed.
    cached : Tokens
        What of its input the last response had from the cache.
    """

    card: ModelCard
    fixed: Tokens
    items: tuple[ItemTokens, ...]
    unread: Tokens
    estimated: bool
    limit: int | None
    truncation: Truncation
    cached: Tokens

    # ---------------------------------------------------------------- how full it is
    @cached_property
    def tokens(self) -> Tokens:
        """All of it: instructions, tools and conversation, by modality."""
        return (self.fixed + summed(self.items)).floored()

    @property
    def window(self) -> int | None:
        """What the model reads and writes in all; the last of it is kept for the answer."""
        return self.card.context_window

    @property
    def fill(self) -> float:
        """The share of :attr:`limit` that is used; above 1 the server cuts. NaN without a limit."""
        return math.nan if self.limit is None else self.tokens.total / self.limit

    # ---------------------------------------------------------------- what is sent of it
    @cached_property
    def next_tokens(self) -> Tokens | None:
        """What the next response would read, after the server's truncation; None when it would fail instead."""
        kept = self.kept(self.truncation)
        return None if kept is None else (self.fixed + summed(kept)).floored()

    @property
    def dropped(self) -> Tokens:
        """What the server would leave out of it."""
        return self.tokens - (self.next_tokens or self.fixed)

    @property
    def next_usd(self) -> float:
        """What reading it costs if nothing of it is cached, in US dollars: an upper bound."""
        return 0.0 if self.next_tokens is None else self.next_tokens.input_usd(self.card)

    def kept(self, truncation: Truncation) -> tuple[ItemTokens, ...] | None:
        """The items a response reads under a truncation setting.

        Parameters
        ----------
        truncation : Truncation
            ``auto``, ``disabled`` or a retention ratio.

        Returns
        -------
        tuple of ItemTokens or None
            None when the response would fail.
        """
        if self.limit is None:
            return self.items
        limits = Limits(context_tokens=self.window or self.limit, max_input_tokens=self.limit)
        pairs = [(each.item, _cost(each.tokens)) for each in self.items]
        try:
            fitted = Context.fit(pairs, _cost(self.fixed), truncation, limits)
        except ContextOverflow:
            return None
        ids = set(fitted.ids)
        return tuple(each for each in self.items if each.item.id in ids)

    def truncations(self, turns: int = 60) -> pd.DataFrame:
        """Compare what the server's truncation settings would cost, were this talk to go on as it has.

        Parameters
        ----------
        turns : int
            How many more.

        Returns
        -------
        pandas.DataFrame
            One row a setting: ``truncation``, ``in_force``, ``turns`` (fewer where responses fail), ``cuts``,
            ``dropped_tokens``, ``cached_tokens``, ``uncached_tokens``, ``cost_usd``.

        Notes
        -----
        ``auto`` drops as little as it must, so once the window is full every turn loses the cache; a
        retention ratio drops more at once, and keeps the cache until the window is full again. Turns are as
        long as these were in the mean, or 5 s asked and 10 s answered where there were none.
        """
        import pandas as pd

        settings = {_named(each): each for each in (*SETTINGS, self.truncation)}
        rows = [
            {"truncation": name, "in_force": each == self.truncation, **self._outlook(each, turns)}
            for name, each in settings.items()
        ]
        return pd.DataFrame(rows)

    def _outlook(self, truncation: Truncation, turns: int) -> dict[str, Any]:
        held = [each.tokens for each in self.items]
        asked = [each.tokens for each in self.items if getattr(each.item, "role", "") == "user"]
        answered = [each.tokens for each in self.items if getattr(each.item, "role", "") == "assistant"]
        said, reply = _mean(asked) or SAID, _mean(answered) or REPLY
        return outlook(self.card, truncation, turns=turns, fixed=self.fixed, held=held, said=said, reply=reply)

    # ---------------------------------------------------------------- how it looks
    def __repr__(self) -> str:
        return f"Context({self._words})"

    @property
    def _words(self) -> str:
        about = "about " if self.estimated else ""
        count = f"{about}{self.tokens.total:,}"
        filled = f"{count} tokens" if self.limit is None else f"{count} of {self.limit:,} tokens, {self.fill:.1%}"
        new = f"; {self.unread.total:,} not read yet" if self.unread else ""
        return f"{filled} ({self.tokens}){new}; truncation {_named(self.truncation)}: {self._fate}"

    @property
    def _fate(self) -> str:
        if self.next_tokens is None:
            return "the next response would fail"
        if not self.dropped:
            return "the next response reads all of it"
        return f"the next response reads {self.next_tokens.total:,}, without the oldest {self.dropped.total:,}"

    def _repr_html_(self) -> str:
        most = self.limit or max(1, self.tokens.total)
        bar = (
            f'<meter min="0" max="{most}" high="{0.8 * most:.0f}" value="{min(self.tokens.total, most)}" '
            f'style="width:16em"></meter>'
        )
        return (
            f'<div class="rtnb-context">{bar}<div style="font-size:12px;opacity:.8">{escape(self._words)}</div></div>'
        )


def _mean(items: list[Tokens]) -> Tokens:
    count = max(1, len(items))
    return Tokens(**{name: round(sum(getattr(each, name) for each in items) / count) for name in MODALITIES})


def _cost(tokens: Tokens) -> Cost:
    return Cost(tokens.text, tokens.audio, tokens.image)


def _named(truncation: Truncation) -> str:
    if not isinstance(truncation, RetentionRatio):
        return truncation
    cap = truncation.token_limits.post_instructions if truncation.token_limits else None
    return f"retention_ratio {truncation.retention_ratio:g}" + (f", at most {cap:,}" if cap is not None else "")
