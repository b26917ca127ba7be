"""A conversation priced by every card there is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from realtime_nb.models import ModelCard, Rate, model, names

__all__ = ["what_if"]

_KINDS = ("input", "cached", "output")


def what_if(lines: Sequence[Mapping[str, Any]], card: ModelCard) -> list[dict[str, Any]]:
    """Price the same tokens by every card.

    Parameters
    ----------
    lines : sequence of mapping
        Rows of the ``usage`` frame: ``direction``, ``modality``, ``cached``, ``tokens``.
    card : ModelCard
        The one that was used.

    Returns
    -------
    list of dict
        A row a card, the cheapest first, those without a price last: ``model``, ``used``, ``input_usd`` (not
        cached), ``cached_usd``, ``output_usd``, ``cost_usd``, and ``times``, the cost in units of what the
        conversation did cost.

    Notes
    -----
    Tokens are taken as the model that was used counted and cached them; another may count otherwise.

    Examples
    --------
    >>> said = {"direction": "output", "modality": "audio", "cached": False, "tokens": 1_000_000}
    >>> for row in what_if([said], model("gpt-realtime-mini")):
    ...     if row["model"] in {"gpt-realtime", "gpt-realtime-mini"}:
    ...         print(row["model"], row["cost_usd"], row["times"])
    gpt-realtime-mini 20.0 1.0
    gpt-realtime 64.0 3.2
    """
    cards = {name: model(name) for name in names()} | {card.name: card}
    rows = [_row(each, lines) | {"used": each.name == card.name} for each in cards.values()]
    did_cost = next(row["cost_usd"] for row in rows if row["used"])
    for row in rows:
        row["times"] = row["cost_usd"] / did_cost if did_cost else math.nan
    return sorted(rows, key=lambda row: (math.isnan(row["cost_usd"]), row["cost_usd"], row["model"]))


def _row(card: ModelCard, lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    sums = dict.fromkeys(_KINDS, 0.0)
    for line in lines:
        kind = "cached" if line["cached"] else str(line["direction"])
        usd = getattr(card.rates.get(line["modality"], Rate()), kind)
        sums[kind] += line["tokens"] * (math.nan if usd is None else usd) / 1e6
    return {
        "model": card.name,
        **{f"{kind}_usd": usd for kind, usd in sums.items()},
        "cost_usd": math.fsum(sums.values()),
    }
