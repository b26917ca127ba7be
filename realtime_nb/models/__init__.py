"""Model cards as data: what a model hears and says, its limits, and its price.

Every figure stands once, in ``cards/<name>.toml``; code asks the card.
"""

from __future__ import annotations

from realtime_nb.models.card import ModelCard, Rate, Shutdown, TierLimit
from realtime_nb.models.shelf import model, names, read_card

__all__ = ["ModelCard", "Rate", "Shutdown", "TierLimit", "model", "names", "read_card"]
