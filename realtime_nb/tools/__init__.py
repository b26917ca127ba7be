"""Python functions that the model may call: declared, checked, run, and their results put into words."""

from __future__ import annotations

from realtime_nb.tools.box import CallRecord, ToolBox
from realtime_nb.tools.declare import Tool, declare

__all__ = ["CallRecord", "Tool", "ToolBox", "declare"]
