"""What responses cost by the card, and the guard that keeps a session within its budget."""

from __future__ import annotations

from realtime_nb.usage.budget import BudgetGuard, Tokens
from realtime_nb.usage.cost import Cost, CostLine, cost, read_usage

__all__ = ["BudgetGuard", "Cost", "CostLine", "Tokens", "cost", "read_usage"]
