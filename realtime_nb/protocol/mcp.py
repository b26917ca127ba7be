"""MCP servers of a session: which entries are legal, which of their tools may be called, which need leave (4.9)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from .base import replace
from .faults import EventError, fault
from .items import McpTool
from .tools import (
    BrainChoice,
    FunctionTool,
    McpApprovalFilter,
    McpServer,
    McpToolFilter,
    Tool,
    ToolChoice,
    ToolChoiceFunction,
    ToolChoiceMcp,
)

__all__ = [
    "MAX_SERVERS",
    "REDACTED",
    "RemoteTool",
    "Toolbox",
    "check_servers",
    "may_call",
    "needs_approval",
    "same_but_shown",
    "servers_of",
]

REDACTED = "<redacted>"
"""Stands for an access token, and for the value of a header, in what a client is shown."""

_PLACES = ("server_url", "connector_id", "tunnel_id")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2: a token
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110, 5.5, and no more than Latin-1

MAX_SERVERS = 16
"""A session, or a response, may have so many: each is a connection and a list."""


# ---------------------------------------------------------------- what an entry may say
def servers_of(tools: Iterable[Tool]) -> list[McpServer]:
    """Give the MCP servers among the tools."""
    return [tool for tool in tools if isinstance(tool, McpServer)]


def check_servers(tools: tuple[Tool, ...], at: str) -> None:
    """Refuse entries that name no server, or no one server, or could not be sent as they are.

    Parameters
    ----------
    tools : tuple of Tool
        Of a session or a response.
    at : str
        Their path in the event.

    Raises
    ------
    EventError
        For the first fault.
    """
    if len(servers_of(tools)) > MAX_SERVERS:
        raise fault("too_many_servers", param=at, bound=MAX_SERVERS)
    labels: set[str] = set()
    for index, tool in enumerate(tools):
        if isinstance(tool, McpServer):
            _check_server(tool, f"{at}[{index}]")
            if tool.server_label in labels:
                raise fault("server_label_twice", param=f"{at}[{index}].server_label", label=tool.server_label)
            labels.add(tool.server_label)


def _check_server(server: McpServer, at: str) -> None:
    given = [name for name in _PLACES if getattr(server, name) is not None]
    if not given:
        raise fault("missing_parameter", param=f"{at}.server_url")
    if len(given) > 1:
        raise fault("server_places", param=f"{at}.{given[1]}", given=" and ".join(f"'{name}'" for name in given))
    if server.server_url is not None and not _is_http(server.server_url):
        raise fault("server_url", param=f"{at}.server_url")
    if not _VALUE.fullmatch(server.authorization or ""):
        raise fault("header", param=f"{at}.authorization")
    for name, value in (server.headers or {}).items():
        if not _HEADER.fullmatch(name) or not _VALUE.fullmatch(value):
            raise fault("header", param=f"{at}.headers")


def _is_http(url: str) -> bool:
    """Tell whether this is an address on the web, and nothing else that a client might be brought to open."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_fine and url.isprintable()


def same_but_shown(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    """Give the tools as they are echoed: what opens an MCP server is not told again.

    The token and the headers are the business of whoever declared the server, and an ephemeral secret's session may
    belong to somebody else's page.

    Parameters
    ----------
    tools : tuple of Tool
        With their secrets.

    Returns
    -------
    tuple of Tool
        With :data:`REDACTED` in their place.
    """
    return tuple(_shown(tool) if isinstance(tool, McpServer) else tool for tool in tools)


def _shown(server: McpServer) -> McpServer:
    return replace(
        server,
        authorization=None if server.authorization is None else REDACTED,
        headers=None if server.headers is None else dict.fromkeys(server.headers, REDACTED),
    )


# ---------------------------------------------------------------- which tools
def may_call(server: McpServer, tool: McpTool) -> bool:
    """Tell whether ``allowed_tools`` lets the model see a tool.

    Parameters
    ----------
    server : McpServer
        The session's entry.
    tool : McpTool
        One of the server's.

    Returns
    -------
    bool
        True for every tool where nothing is said.
    """
    allowed = server.allowed_tools
    if isinstance(allowed, McpToolFilter):
        return _fits(allowed, tool)
    return allowed is None or tool.name in allowed


def needs_approval(server: McpServer, tool: McpTool) -> bool:
    """Tell whether a person must be asked before a tool is called.

    What a filter names under ``never`` is not asked about, what it names under ``always`` is. Of the rest the service
    says nothing; here it is asked about, unless the filter has ``always`` alone, which then has told all.

    Parameters
    ----------
    server : McpServer
        The session's entry.
    tool : McpTool
        One of the server's.

    Returns
    -------
    bool
        True where nothing is said.
    """
    rule = server.require_approval
    if not isinstance(rule, McpApprovalFilter):
        return rule != "never"
    if rule.never is not None and _names(rule.never, tool):
        return False
    return rule.always is None or rule.never is not None or _names(rule.always, tool)


def _fits(given: McpToolFilter, tool: McpTool) -> bool:
    """Every condition given holds."""
    read_only = bool((tool.annotations or {}).get("readOnlyHint"))
    return (given.tool_names is None or tool.name in given.tool_names) and given.read_only in (None, read_only)


def _names(given: McpToolFilter, tool: McpTool) -> bool:
    """A condition is given, and holds: an empty filter waives nothing."""
    return given != McpToolFilter() and _fits(given, tool)


# ---------------------------------------------------------------- what a response may call
class RemoteTool(NamedTuple):
    """A tool and whose it is."""

    server: McpServer
    tool: McpTool


class Toolbox(msgspec.Struct, frozen=True, kw_only=True):
    """What one response may call: the client's functions, and the tools of MCP servers under names of their own."""

    functions: tuple[FunctionTool, ...] = ()
    """All of them, as the brain sees them."""
    remote: dict[str, RemoteTool] = {}
    """Those of MCP servers, by the names the brain knows them by."""

    @classmethod
    def of(cls, tools: Iterable[Tool], offers: Iterable[RemoteTool]) -> Toolbox:
        """Give every tool a name.

        Parameters
        ----------
        tools : iterable of Tool
            The session's or the response's.
        offers : iterable of RemoteTool
            What its MCP servers have told by now.

        Returns
        -------
        Toolbox
            A remote tool keeps its name where nobody has it yet; else its server's label goes before it.

        Examples
        --------
        >>> offer = RemoteTool(McpServer(server_label="maps"), McpTool(name="find", input_schema={}))
        >>> [tool.name for tool in Toolbox.of([FunctionTool(name="find")], [offer]).functions]
        ['find', 'maps_find']
        """
        functions = {tool.name: tool for tool in tools if isinstance(tool, FunctionTool)}
        remote: dict[str, RemoteTool] = {}
        for offer in offers:
            name = offer.tool.name if offer.tool.name not in functions else _longer(offer, functions)
            remote[name] = offer
            functions[name] = FunctionTool(
                name=name, description=offer.tool.description or "", parameters=offer.tool.input_schema
            )
        return cls(functions=tuple(functions.values()), remote=remote)

    def choose(self, choice: ToolChoice) -> tuple[BrainChoice, tuple[FunctionTool, ...]]:
        """Say in a brain's words what may be called and what must be.

        Parameters
        ----------
        choice : ToolChoice
            The session's or the response's.

        Returns
        -------
        BrainChoice, tuple of FunctionTool
            A choice of an MCP server becomes one function, or any of that server's.

        Raises
        ------
        EventError
            When the MCP server has not told of such a tool.
        """
        if not isinstance(choice, ToolChoiceMcp):
            return choice, self.functions
        named = [name for name, offer in self.remote.items() if _is_chosen(offer, choice)]
        if not named:
            raise _unlisted(choice)
        if choice.name is not None:
            return ToolChoiceFunction(name=named[0]), self.functions
        return "required", tuple(tool for tool in self.functions if tool.name in named)


def _longer(offer: RemoteTool, taken: Iterable[str]) -> str:
    name = f"{offer.server.server_label}_{offer.tool.name}"
    while name in taken:
        name += "_"
    return name


def _is_chosen(offer: RemoteTool, choice: ToolChoiceMcp) -> bool:
    return offer.server.server_label == choice.server_label and choice.name in (None, offer.tool.name)


def _unlisted(choice: ToolChoiceMcp) -> EventError:
    what = "tools" if choice.name is None else f"tool '{choice.name}'"
    return fault("mcp_tool_choice", what=what, label=choice.server_label)
