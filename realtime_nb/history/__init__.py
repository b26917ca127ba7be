"""The append-only event log, and the DataFrames folded from it when they are asked for."""

from __future__ import annotations

from realtime_nb.history.frames import History
from realtime_nb.history.log import Direction, Entry, EventLog

__all__ = ["Direction", "Entry", "EventLog", "History"]
