"""What responses cost by the card, how full the context is, and the guard that keeps a session within its budget."""

from __future__ import annotations

from realtime_nb.usage.budget import BudgetGuard
from realtime_nb.usage.cost import Cost, CostLine, cost, read_usage
from realtime_nb.usage.meter import ContextMeter
from realtime_nb.usage.reading import Reading
from realtime_nb.usage.tokens import Tokens

__all__ = ["BudgetGuard", "ContextMeter", "Cost", "CostLine", "Reading", "Tokens", "cost", "read_usage"]
