"""The guard that keeps a session within its budget."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from realtime_nb.errors import BudgetExceeded, ConfigError
from realtime_nb.models import ModelCard
from realtime_nb.protocol.usage import OutputTokens, Usage
from realtime_nb.usage.cost import Cost, cost, input_tokens, read_usage
from realtime_nb.usage.tokens import MODALITIES, NOTHING, Tokens

__all__ = ["BudgetGuard"]

TYPICAL_REPLY = OutputTokens(text_tokens=30, audio_tokens=200)
"""A spoken reply of 10 s (protocol, 5.3): what is expected until a longer one was heard."""
ROUNDING_USD = 1e-12
"""Far below the price of a token: sums of floats may differ by as much."""


class BudgetGuard:
    """Keeps what a session spends within a budget.

    Before a response, :meth:`check` estimates what it may cost and raises
    :class:`~realtime_nb.errors.BudgetExceeded` if that would pass the budget;
    after it, :meth:`settle` books what it did cost.

    Parameters
    ----------
    card : ModelCard
        Whose prices hold.
    budget_usd : float, optional
        What may be spent, in US dollars; None is no limit.

    Raises
    ------
    ConfigError
        The budget is negative or not a number, or the card lacks the prices to hold it against.

    Notes
    -----
    The input is estimated from above: all that was said so far, none of it
    cached. The output is expected to be as long as the longest reply so far.
    A longer one could pass the budget by its own length; a response made with
    ``max_output_tokens`` at :meth:`output_cap` cannot.

    Examples
    --------
    >>> from realtime_nb.models import model
    >>> guard = BudgetGuard(model("gpt-realtime-mini"), budget_usd=0.005)
    >>> round(guard.check(Tokens(text=100, audio=50)), 6)
    0.004632
    >>> guard.settle({"input_tokens": 150, "output_tokens": 500}).total_usd
    0.00129
    >>> guard.check(Tokens(audio=50))
    Traceback (most recent call last):
    realtime_nb.errors.BudgetExceeded: The next response may cost $0.004962; $0.001290 of $0.005000 are spent...
    """

    def __init__(self, card: ModelCard, budget_usd: float | None = None) -> None:
        self.card = card
        self.spent_usd = 0.0
        """What the settled responses cost, in US dollars."""
        self._context = NOTHING
        """What the last response read and said: the next one reads it again."""
        self._longest = TYPICAL_REPLY
        self._reserved: dict[str, float] = {}
        self.budget_usd = budget_usd

    @property
    def budget_usd(self) -> float | None:
        """What may be spent in all, in US dollars; None is no limit. It may be raised at any time."""
        return self._budget_usd

    @budget_usd.setter
    def budget_usd(self, budget_usd: float | None) -> None:
        self._check_budget(budget_usd)
        self._budget_usd = budget_usd

    def _check_budget(self, budget_usd: object) -> None:
        if budget_usd is None:
            return
        if not isinstance(budget_usd, int | float) or not (math.isfinite(budget_usd) and budget_usd >= 0):
            hint = "rt.connect(budget_usd=0.50)"
            raise ConfigError(f"budget_usd is {budget_usd!r}; it must be dollars, 0 or more", hint=hint)
        if math.isnan(self.estimate(Tokens(text=1, audio=1))):
            hint = f'rt.model("{self.card.name}").prices'
            raise ConfigError(f"{self.card.name} has tokens without a price: no budget can be held", hint=hint)

    @property
    def remaining_usd(self) -> float:
        """What is neither spent nor reserved, never below 0; infinite without a budget."""
        if self.budget_usd is None:
            return math.inf
        return max(0.0, self.budget_usd - self.spent_usd - math.fsum(self._reserved.values()))

    def estimate(
        self,
        added: Tokens = NOTHING,
        *,
        output: Literal["audio", "text"] = "audio",
        max_output_tokens: int | None = None,
    ) -> float:
        """What the next response may cost.

        Parameters
        ----------
        added : Tokens
            What is new since the last response: the message; at first the instructions and tools, too.
        output : {"audio", "text"}
            What it answers in.
        max_output_tokens : int, optional
            The response's own limit.

        Returns
        -------
        float
            US dollars.
        """
        seen = self._context + added
        counts = _fit({name: getattr(seen, name) for name in MODALITIES}, self.card.max_input_tokens)
        limit = self.card.max_output_tokens if max_output_tokens is None else max_output_tokens
        said = _reply(self._longest, output, limit)
        return cost(
            Usage(
                input_tokens=sum(counts.values()),
                output_tokens=said.text_tokens + said.audio_tokens,
                input_token_details=input_tokens(counts),
                output_token_details=said,
            ),
            self.card,
        ).total_usd

    def check(
        self,
        added: Tokens = NOTHING,
        *,
        output: Literal["audio", "text"] = "audio",
        max_output_tokens: int | None = None,
        key: str | None = None,
    ) -> float:
        """Make sure that the next response is within the budget.

        Parameters
        ----------
        added : Tokens
            What is new since the last response: the message; at first the instructions and tools, too.
        output : {"audio", "text"}
            What it answers in.
        max_output_tokens : int, optional
            The response's own limit.
        key : str, optional
            Sets the estimate aside under this name until :meth:`settle`, so that responses at
            the same time fit the budget together.

        Returns
        -------
        float
            The estimate, in US dollars.

        Raises
        ------
        BudgetExceeded
            It may pass the budget; nothing is set aside.
        """
        estimate = self.estimate(added, output=output, max_output_tokens=max_output_tokens)
        if self.budget_usd is not None and not estimate <= self.remaining_usd + ROUNDING_USD:
            raise self._exceeded(estimate, self.budget_usd)
        if key is not None:
            self._reserved[key] = estimate
        return estimate

    def _exceeded(self, estimate: float, budget_usd: float) -> BudgetExceeded:
        spent = self.spent_usd + math.fsum(self._reserved.values())
        return BudgetExceeded(
            f"The next response may cost ${estimate:.6f}; ${spent:.6f} of ${budget_usd:.6f} are spent or set aside, "
            f"and budget_usd is not to be passed",
            spent_usd=spent,
            next_usd=estimate,
            budget_usd=budget_usd,
            hint=f"session.budget_usd = {math.ceil(100 * (spent + 10 * estimate)) / 100:.2f}",
        )

    def output_cap(self, added: Tokens = NOTHING) -> int | None:
        """The longest reply that the rest of the budget pays, were all of it the dearest kind of token.

        Parameters
        ----------
        added : Tokens
            What is new since the last response.

        Returns
        -------
        int or None
            For the response's ``max_output_tokens``: 0 when the input alone is too dear, never
            above the card's limit; None without a budget or without a price.
        """
        dearest = max((rate.output or 0.0 for rate in self.card.rates.values()), default=0.0)
        if self.budget_usd is None or not dearest:
            return None
        left = self.remaining_usd - self.estimate(added, max_output_tokens=0)
        tokens = max(0, math.floor((left + ROUNDING_USD) * 1e6 / dearest))
        return min(tokens, self.card.max_output_tokens or tokens)

    def know(self, context: Tokens) -> None:
        """Take over what the conversation has come to: items come and go without a response, too.

        Parameters
        ----------
        context : Tokens
            What the next response would read.

        Examples
        --------
        >>> from realtime_nb.models import model
        >>> guard = BudgetGuard(model("gpt-realtime-mini"))
        >>> before = guard.estimate()
        >>> guard.know(Tokens(image=425))
        >>> guard.estimate() > before
        True
        """
        self._context = context

    def release(self, key: str) -> None:
        """Give back what was set aside for a response that did not come about.

        Parameters
        ----------
        key : str
            What was given to :meth:`check`.
        """
        self._reserved.pop(key, None)

    def settle(
        self, usage: Usage | Mapping[str, Any] | None, key: str | None = None, *, conversation: str = "auto"
    ) -> Cost:
        """Book what a response did use.

        Parameters
        ----------
        usage : Usage or mapping or None
            Its ``response.done``'s usage; None when it ended without one.
        key : str, optional
            What was given to :meth:`check`.
        conversation : str
            ``none`` for a response out of band: what it read is not what the next one reads.

        Returns
        -------
        Cost
            What it cost.
        """
        if key is not None:
            self._reserved.pop(key, None)
        found = read_usage(usage)
        if found is None:
            return Cost()
        bill = cost(found, self.card)
        self.spent_usd += bill.total_usd
        self._learn(found, conversation)
        return bill

    def _learn(self, usage: Usage, conversation: str) -> None:
        given, said = usage.input_token_details, usage.output_token_details
        self._longest = max(self._longest, said, key=lambda reply: (reply.audio_tokens, reply.text_tokens))
        if conversation != "none":
            read = Tokens(given.text_tokens, given.audio_tokens, given.image_tokens)
            self._context = read + Tokens(said.text_tokens, said.audio_tokens)


def _fit(counts: dict[str, int], limit: int | None) -> dict[str, int]:
    """`counts` cut to what the model reads at most; the cheaper kinds are cut first, so this stays an upper bound."""
    over = 0 if limit is None else max(0, sum(counts.values()) - limit)
    for name in ("text", "image", "audio"):
        cut = min(over, counts[name])
        counts[name] -= cut
        over -= cut
    return counts


def _reply(longest: OutputTokens, output: str, limit: int | None) -> OutputTokens:
    """The expected reply within `limit`; its words are cut first, for sound is dearer."""
    if output == "text":
        words = longest.text_tokens
        return OutputTokens(text_tokens=words if limit is None else min(words, limit))
    if limit is None:
        return longest
    sound = min(longest.audio_tokens, limit)
    return OutputTokens(text_tokens=min(longest.text_tokens, limit - sound), audio_tokens=sound)
