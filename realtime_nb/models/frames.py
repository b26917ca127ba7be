"""The card's tables as DataFrames; the only module of the foundation that imports pandas, and only when asked."""

from __future__ import annotations

import pandas as pd

from realtime_nb.models.card import ModelCard

__all__ = ["prices_frame", "tiers_frame"]


def prices_frame(card: ModelCard) -> pd.DataFrame:
    """USD per 1M tokens, one row a kind.

    Parameters
    ----------
    card : ModelCard
        The card.

    Returns
    -------
    DataFrame
        Columns ``input``, ``cached``, ``output``.
    """
    columns = pd.Index(["input", "cached", "output"], name="USD per 1M tokens")
    rows = [[rate.input, rate.cached, rate.output] for rate in card.rates.values()]
    index = pd.Index(list(card.rates), name="kind", dtype="string")
    return pd.DataFrame(rows, index=index, columns=columns, dtype="float64")


def tiers_frame(card: ModelCard) -> pd.DataFrame:
    """Requests (``rpm``) and tokens (``tpm``) per minute, one row a tier.

    Parameters
    ----------
    card : ModelCard
        The card.

    Returns
    -------
    DataFrame
        Nullable whole numbers.
    """
    index = pd.Index([limit.tier for limit in card.tier_limits], name="tier", dtype="string")
    data = {
        "rpm": [limit.rpm for limit in card.tier_limits],
        "tpm": [limit.tpm for limit in card.tier_limits],
    }
    return pd.DataFrame(data, index=index, dtype="Int64")
