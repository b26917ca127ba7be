"""Python functions that the model may call: declared, checked, run, and their results put into words."""

from __future__ import annotations

from realtime_nb.tools.box import TIMEOUT_S, CallRecord, ToolBox
from realtime_nb.tools.declare import Tool, declare

__all__ = ["TIMEOUT_S", "CallRecord", "Tool", "ToolBox", "declare"]
