"""The tools a session declares and how the model may choose among them (protocol, 3.1, 4.9 and 7)."""

from __future__ import annotations

from typing import Any, Literal

from .base import Value, always

__all__ = [
    "FunctionTool",
    "McpApprovalFilter",
    "McpServer",
    "McpToolFilter",
    "Tool",
    "BrainChoice",
    "ToolChoice",
    "ToolChoiceFunction",
    "ToolChoiceMcp",
]


class FunctionTool(Value, tag="function", frozen=True, kw_only=True):
    """A function of the client's; flat, and without ``strict``, unlike chat completions'."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = always({"type": "object", "properties": {}})
    """JSON Schema of the arguments object."""


class McpToolFilter(Value, frozen=True, kw_only=True):
    """Some of an MCP server's tools."""

    tool_names: tuple[str, ...] | None = None
    read_only: bool | None = None


class McpApprovalFilter(Value, frozen=True, kw_only=True):
    """Which MCP tools need the user's leave, and which never do."""

    always: McpToolFilter | None = None
    never: McpToolFilter | None = None


class McpServer(Value, tag="mcp", frozen=True, kw_only=True):
    """A remote server of tools, which our server calls by itself."""

    server_label: str
    server_url: str | None = None
    """``http`` or ``https``; spoken to by streamable HTTP."""
    connector_id: str | None = None
    """The service's own; here the list of its tools fails."""
    tunnel_id: str | None = None
    """The service's own; here the list of its tools fails."""
    server_description: str | None = None
    """Kept and echoed; the local brain goes by the descriptions of the tools."""
    authorization: str | None = None
    """A token, sent to the server as ``Bearer``, and never shown again."""
    headers: dict[str, str] | None = None
    """Sent to the server; their values are never shown again."""
    allowed_tools: tuple[str, ...] | McpToolFilter | None = None
    """Those the model may see; all when absent."""
    allowed_callers: tuple[Literal["direct", "programmatic"], ...] | None = None
    """Kept and echoed: here the model alone calls."""
    require_approval: Literal["always", "never"] | McpApprovalFilter | None = None
    """``always`` when absent."""
    defer_loading: bool | None = None
    """Kept and echoed: tools are listed at once."""


Tool = FunctionTool | McpServer


class ToolChoiceFunction(Value, tag="function", frozen=True, kw_only=True):
    """The model must call this function."""

    name: str


class ToolChoiceMcp(Value, tag="mcp", frozen=True, kw_only=True):
    """The model must call a tool of this MCP server."""

    server_label: str
    name: str | None = None


BrainChoice = Literal["auto", "none", "required"] | ToolChoiceFunction
"""What a brain is told: it knows functions, and nothing of the servers some of them are at."""
ToolChoice = BrainChoice | ToolChoiceMcp
