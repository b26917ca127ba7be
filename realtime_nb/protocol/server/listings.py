"""What MCP servers offer: each is asked once, when a client declares it, and its answer kept (protocol, 4.9)."""

from __future__ import annotations

from collections.abc import Iterable

from realtime_nb.protocol.effects import ListMcpTools, McpListFailed, McpToolsListed
from realtime_nb.protocol.events import (
    Error,
    ErrorDetail,
    McpListToolsCompleted,
    McpListToolsFailed,
    McpListToolsInProgress,
)
from realtime_nb.protocol.items import McpListTools, McpTool
from realtime_nb.protocol.mcp import RemoteTool, Toolbox, may_call, servers_of
from realtime_nb.protocol.tools import McpServer, Tool

from .state import State

__all__ = ["Listings"]

_NOT_HERE = "Connectors and tunnels belong to the service; a local server is reached by its 'server_url' alone."


class _Listing:
    """One server's tools; None until it has told them."""

    def __init__(self, server: McpServer) -> None:
        self.server = server
        self.tools: tuple[McpTool, ...] | None = None


class Listings:
    """The tools of the MCP servers that were declared.

    Parameters
    ----------
    state : State
        Shared.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._asked: dict[str, _Listing] = {}  # by the item of the list

    def want(self, tools: Iterable[Tool]) -> None:
        """Ask the servers among the tools that were not asked yet; one that failed is asked again."""
        for server in servers_of(tools):
            if self._find(server) is None:
                self._ask(server)

    def forget(self, tools: Iterable[Tool]) -> None:
        """Forget servers that are not among the tools; declared again, they are asked again."""
        kept = servers_of(tools)
        for item_id in [name for name, each in self._asked.items() if each.tools is not None]:
            if self._asked[item_id].server not in kept:
                del self._asked[item_id]

    def is_waiting(self, tools: Iterable[Tool]) -> bool:
        """Whether a server among the tools has been asked and has not answered."""
        found = [self._find(server) for server in servers_of(tools)]
        return any(each is not None and each.tools is None for each in found)

    def toolbox(self, tools: Iterable[Tool]) -> Toolbox:
        """Give what can be called of these tools by now.

        Parameters
        ----------
        tools : iterable of Tool
            A session's or a response's.

        Returns
        -------
        Toolbox
            Servers that have not answered are passed over.
        """
        tools = tuple(tools)
        found = [each for server in servers_of(tools) if (each := self._find(server)) is not None]
        return Toolbox.of(tools, [RemoteTool(each.server, tool) for each in found for tool in each.tools or ()])

    # ------------------------------------------------------------ asked and answered
    def _find(self, server: McpServer) -> _Listing | None:
        return next((each for each in self._asked.values() if each.server == server), None)

    def _ask(self, server: McpServer) -> None:
        state, name = self._state, self._state.ids.new("mcpl")
        self._asked[name] = _Listing(server)
        state.add(McpListTools(id=name, status="in_progress", server_label=server.server_label))
        state.send(McpListToolsInProgress(item_id=name))
        if server.server_url is None:
            self.failed(McpListFailed(name, _NOT_HERE))
        else:
            state.do(ListMcpTools(name, server))

    def listed(self, report: McpToolsListed) -> None:
        """A server has told its tools; those that the client does not allow are left out."""
        listing = self._asked.get(report.item_id)
        if listing is None or listing.tools is not None:
            return
        listing.tools = tuple(tool for tool in report.tools if may_call(listing.server, tool))
        self._state.send(McpListToolsCompleted(item_id=report.item_id))
        self._finish(report.item_id, listing)

    def failed(self, report: McpListFailed) -> None:
        """A server has not told its tools; an ``error`` says why, since the event of the failure has no words."""
        listing = self._asked.get(report.item_id)
        if listing is None or listing.tools is not None:
            return
        del self._asked[report.item_id]
        self._state.send(McpListToolsFailed(item_id=report.item_id))
        self._finish(report.item_id, listing)
        label = listing.server.server_label
        message = f"Error retrieving tool list from MCP server: '{label}'. {report.message}"
        detail = ErrorDetail(type="external_connector_error", code="mcp_list_tools_failed", message=message)
        self._state.send(Error(error=detail))

    def _finish(self, item_id: str, listing: _Listing) -> None:
        self._state.finish(
            McpListTools(
                id=item_id,
                status="incomplete" if listing.tools is None else "completed",
                server_label=listing.server.server_label,
                tools=listing.tools or (),
            )
        )
