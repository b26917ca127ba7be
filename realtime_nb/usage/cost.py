"""What a response costs by the card."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from realtime_nb.errors import ConfigError
from realtime_nb.models import ModelCard, Rate
from realtime_nb.protocol.usage import CachedTokens, InputTokens, OutputTokens, Usage
from realtime_nb.usage.tokens import MODALITIES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Cost", "CostLine", "cost", "input_tokens", "read_usage"]


_UNPRICED = Rate()


class CostLine(msgspec.Struct, frozen=True, gc=False):
    """One kind of token of one response, and what it cost."""

    direction: Literal["input", "output"]
    modality: str
    """``text``, ``audio`` or ``image``."""
    cached: bool
    tokens: int
    usd_per_1m: float
    """NaN where the card names no price."""

    @property
    def cost_usd(self) -> float:
        """Tokens x price, in US dollars."""
        return self.tokens * self.usd_per_1m / 1e6

    def row(self) -> dict[str, Any]:
        """The line as a row of a frame."""
        return {
            "direction": self.direction,
            "modality": self.modality,
            "cached": self.cached,
            "tokens": self.tokens,
            "usd_per_1m": self.usd_per_1m,
            "cost_usd": self.cost_usd,
        }


@dataclass(frozen=True, slots=True)
class Cost:
    """What a response cost, line by line.

    Examples
    --------
    >>> from realtime_nb.models import model
    >>> bill = cost({"input_tokens": 120, "output_tokens": 7}, model("gpt-realtime-mini"))
    >>> bill
    $0.000089: 120 text in $0.000072, 7 text out $0.000017
    >>> round(bill.total_usd, 9)
    8.88e-05
    """

    lines: tuple[CostLine, ...] = ()

    @property
    def total_usd(self) -> float:
        """All lines together, in US dollars; NaN if one has no price."""
        return math.fsum(line.cost_usd for line in self.lines)

    @property
    def frame(self) -> pd.DataFrame:
        """One row a line: ``direction, modality, cached, tokens, usd_per_1m, cost_usd``."""
        from realtime_nb.history.schema import COST

        return COST.frame(line.row() for line in self.lines)

    def __float__(self) -> float:
        return self.total_usd

    def __repr__(self) -> str:
        lines = ", ".join(f"{_words(line)} ${line.cost_usd:.6f}" for line in self.lines)
        return f"${self.total_usd:.6f}: {lines or 'no tokens'}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(_words(line))}</td><td>${line.usd_per_1m:.2f} per 1M</td>"
            f"<td>${line.cost_usd:.6f}</td></tr>"
            for line in self.lines
        )
        return f"<table>{rows}<tr><th>total</th><th></th><th>${self.total_usd:.6f}</th></tr></table>"


def _words(line: CostLine) -> str:
    cached = "cached " if line.cached else ""
    return f"{line.tokens} {cached}{line.modality} {'in' if line.direction == 'input' else 'out'}"


def cost(usage: Usage | Mapping[str, Any] | None, card: ModelCard) -> Cost:
    """What a response cost by the card: each kind of token at its own price, cached input at the cached one.

    Parameters
    ----------
    usage : Usage or mapping or None
        ``response.done``'s ``usage``, as struct or as JSON object (protocol, 5.1);
        None costs nothing.
    card : ModelCard
        Whose prices hold.

    Returns
    -------
    Cost
        A line for every kind of token there was.

    Notes
    -----
    Tokens whose modality the server does not tell are counted as text; cached
    tokens without details are taken off text first, then audio, then image.
    """
    found = read_usage(usage)
    return Cost(tuple(_lines(found, card)) if found is not None else ())


def read_usage(usage: Usage | Mapping[str, Any] | None) -> Usage | None:
    """Read a usage as it may come: struct, JSON object with holes and nulls, or nothing.

    Parameters
    ----------
    usage : Usage or mapping or None
        What the server sent.

    Returns
    -------
    Usage or None
        The struct, with every token in a modality.

    Raises
    ------
    ConfigError
        The mapping is not a usage.
    """
    if usage is None:
        return None
    if not isinstance(usage, Usage):
        try:
            usage = msgspec.convert(_without_nulls(usage), Usage)
        except msgspec.ValidationError as error:
            raise ConfigError(f"This is not a usage: {error}", hint="cost(turn.usage, card)") from error
    return _complete(usage)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


def _complete(usage: Usage) -> Usage:
    """`usage` with what has no modality put where the notes of :func:`cost` say."""
    if _adds_up(usage):
        return usage
    given, said = usage.input_token_details, usage.output_token_details
    counts = {name: getattr(given, f"{name}_tokens") for name in MODALITIES}
    counts["text"] += max(0, usage.input_tokens - sum(counts.values()))
    cached = {name: min(getattr(given.cached_tokens_details, f"{name}_tokens"), counts[name]) for name in MODALITIES}
    loose = given.cached_tokens - sum(cached.values())
    for name in MODALITIES:
        more = max(0, min(loose, counts[name] - cached[name]))
        cached[name] += more
        loose -= more
    more = max(0, usage.output_tokens - said.text_tokens - said.audio_tokens)
    read, spoken = sum(counts.values()), said.text_tokens + said.audio_tokens + more
    return Usage(
        total_tokens=read + spoken,
        input_tokens=read,
        output_tokens=spoken,
        input_token_details=input_tokens(counts, cached),
        output_token_details=OutputTokens(text_tokens=said.text_tokens + more, audio_tokens=said.audio_tokens),
    )


def _adds_up(usage: Usage) -> bool:
    """Whether every token has a modality, as it should."""
    given, said = usage.input_token_details, usage.output_token_details
    hits = given.cached_tokens_details
    return (
        given.text_tokens + given.audio_tokens + given.image_tokens == usage.input_tokens
        and said.text_tokens + said.audio_tokens == usage.output_tokens
        and usage.input_tokens + usage.output_tokens == usage.total_tokens
        and hits.text_tokens + hits.audio_tokens + hits.image_tokens == given.cached_tokens
        and hits.text_tokens <= given.text_tokens
        and hits.audio_tokens <= given.audio_tokens
        and hits.image_tokens <= given.image_tokens
    )


def input_tokens(counts: Mapping[str, int], cached: Mapping[str, int] | None = None) -> InputTokens:
    """Make the protocol's struct of counts by modality.

    Parameters
    ----------
    counts : mapping of str to int
        ``text``, ``audio`` and ``image``: tokens.
    cached : mapping of str to int, optional
        How many of them were cached.

    Returns
    -------
    InputTokens
        The struct.
    """
    hits = cached or dict.fromkeys(MODALITIES, 0)
    return InputTokens(
        text_tokens=counts["text"],
        audio_tokens=counts["audio"],
        image_tokens=counts["image"],
        cached_tokens=sum(hits.values()),
        cached_tokens_details=CachedTokens(
            text_tokens=hits["text"], audio_tokens=hits["audio"], image_tokens=hits["image"]
        ),
    )


def _lines(usage: Usage, card: ModelCard) -> Iterator[CostLine]:
    """A line for each kind of token, in the card's order; kinds that did not occur have none."""
    given, hits, said = (
        usage.input_token_details,
        usage.input_token_details.cached_tokens_details,
        usage.output_token_details,
    )
    for name in MODALITIES:
        rate = card.rates.get(name, _UNPRICED)
        cached = getattr(hits, f"{name}_tokens")
        fresh = getattr(given, f"{name}_tokens") - cached
        if fresh:
            yield CostLine("input", name, cached=False, tokens=fresh, usd_per_1m=_price(rate.input))
        if cached:
            yield CostLine("input", name, cached=True, tokens=cached, usd_per_1m=_price(rate.cached))
        if spoken := getattr(said, f"{name}_tokens", 0):
            yield CostLine("output", name, cached=False, tokens=spoken, usd_per_1m=_price(rate.output))


def _price(usd_per_1m: float | None) -> float:
    return math.nan if usd_per_1m is None else usd_per_1m
