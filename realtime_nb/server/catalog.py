"""The names a session may be asked for by: those of the API's realtime models, all answered by the one engine."""

from __future__ import annotations

from functools import cache, lru_cache

from realtime_nb.errors import ConfigError
from realtime_nb.models import model, names
from realtime_nb.protocol.limits import RateLimiter

__all__ = ["DEFAULT_MODEL", "TIERS", "api_models", "is_known", "rate_limiter"]

DEFAULT_MODEL = "gpt-realtime-mini"
"""What a session is called when the client names no model."""
TIERS = ("free", "1", "2", "3", "4", "5")
"""The usage tiers of the model card."""


@cache
def api_models() -> tuple[str, ...]:
    """The models that have a card.

    Returns
    -------
    tuple of str
        Aliases, in order.
    """
    return names()


@lru_cache(maxsize=256)
def is_known(name: str) -> bool:
    """Say whether a name is an alias or a snapshot of a realtime model.

    Parameters
    ----------
    name : str
        What the client asks for.

    Returns
    -------
    bool
        Whether there is a card.
    """
    try:
        model(name)
    except ConfigError:
        return False
    return True


def rate_limiter(tier: str | None) -> RateLimiter | None:
    """Make the limiter of a usage tier, as its card has it.

    Parameters
    ----------
    tier : str or None
        One of :data:`TIERS`; None for no limits.

    Returns
    -------
    RateLimiter or None
        For all sessions of a server together. A tier that the card does not serve refuses everything.
    """
    if tier is None:
        return None
    limit = next(limit for limit in model(DEFAULT_MODEL).tier_limits if limit.tier.lower() == tier)
    return RateLimiter(requests_per_min=limit.rpm or 0, tokens_per_min=limit.tpm or 0, model=DEFAULT_MODEL)
