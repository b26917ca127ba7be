"""The small languages inside SIP headers: addresses, URIs, Via (RFC 3261, 19 and 20)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from .message import SipError

__all__ = ["Address", "Uri", "Via", "parse_address", "parse_uri", "parse_via"]

_HOST = r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})"
_URI = re.compile(rf"(sips?):(?:([^@<>\s]{{1,256}})@)?{_HOST}(?::(\d{{1,5}}))?([;?].*)?")
_NAMED = re.compile(r'\s*("(?:\\.|[^"\\])*"\s*|[^"<]*)<([^<>]*)>(.*)', re.DOTALL)
_VIA = re.compile(rf"SIP\s*/\s*2\.0\s*/\s*([A-Za-z]{{1,8}})\s+{_HOST}(?:\s*:\s*(\d{{1,5}}))?\s*(;.*)?")
_PARAM = re.compile(r';\s*([^\s=;,"]+)\s*(?:=\s*("(?:\\.|[^"\\])*"|[^\s;,"]*))?')
PORT = 5060
"""Where SIP is spoken when nothing else is said."""


def _params(text: str) -> dict[str, str]:
    return {name.lower(): value.strip('"') for name, value in _PARAM.findall(text)}


@dataclass(frozen=True)
class Uri:
    """A ``sip:`` or ``sips:`` URI.

    Parameters
    ----------
    host : str
        A name or an address; IPv6 without brackets.
    user : str
        Before the ``@``, unescaped; may be empty.
    port : int or None
        When it is given.
    params : mapping
        Such as ``transport``.
    scheme : str
        ``sip`` or ``sips``.
    """

    host: str
    user: str = ""
    port: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    scheme: str = "sip"

    @property
    def transport(self) -> str:
        """Such as ``udp``; that is what is meant when nothing is said."""
        return self.params.get("transport", "udp").lower()


def parse_uri(text: str) -> Uri:
    """Read a URI.

    Parameters
    ----------
    text : str
        Such as ``sip:bob@127.0.0.1:5060;transport=tcp``.

    Returns
    -------
    Uri
        Its parts.

    Raises
    ------
    SipError
        When it is none; 416 for another scheme.

    Examples
    --------
    >>> uri = parse_uri("sip:bob@[::1]:5070;transport=tcp")
    >>> uri.user, uri.host, uri.port, uri.transport
    ('bob', '::1', 5070, 'tcp')
    """
    found = _URI.fullmatch(text.strip())
    if found is None:
        other = not text.strip().lower().startswith(("sip:", "sips:"))
        raise SipError("no sip: URI", 416 if other else 400)
    scheme, user, host, port, rest = found.groups()
    params = _params((rest or "").partition("?")[0])
    name = unquote((user or "").partition(":")[0])
    return Uri(host.strip("[]"), name, _port(port), params, scheme)


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    if not 0 < int(text) < 65_536:
        raise SipError("a port is a number from 1 to 65535")
    return int(text)


@dataclass(frozen=True)
class Address:
    """The value of From, To, Contact, Route and their like.

    Parameters
    ----------
    uri : str
        As it stands there.
    display : str
        The name before it; may be empty.
    params : mapping
        Behind it, such as ``tag``.
    """

    uri: str
    display: str = ""
    params: Mapping[str, str] = field(default_factory=dict)

    @property
    def tag(self) -> str:
        """The party's half of the dialog's name; empty before there is one."""
        return self.params.get("tag", "")


def parse_address(text: str) -> Address:
    """Read an address, in angle brackets or bare.

    Parameters
    ----------
    text : str
        The header's value.

    Returns
    -------
    Address
        Its parts; whether the URI is one is not looked at.

    Examples
    --------
    >>> found = parse_address('"Bob, the <b>" <sip:bob@host;lr>;tag=a6')
    >>> found.display, found.uri, found.tag
    ('Bob, the <b>', 'sip:bob@host;lr', 'a6')
    """
    named = _NAMED.fullmatch(text)
    if named is not None:
        display = named[1].strip().strip('"').replace('\\"', '"')
        return Address(named[2].strip(), display, _params(named[3]))
    uri, semicolon, rest = text.strip().partition(";")  # without brackets, the parameters are the header's
    return Address(uri, "", _params(semicolon + rest))


@dataclass(frozen=True)
class Via:
    """One hop of a request's way.

    Parameters
    ----------
    transport : str
        In capitals.
    host : str
        As the sender calls itself.
    port : int or None
        When it is given.
    params : mapping
        Such as ``branch`` and ``rport``.
    """

    transport: str
    host: str
    port: int | None
    params: Mapping[str, str]

    @property
    def branch(self) -> str:
        """The transaction's name."""
        return self.params.get("branch", "")


def parse_via(text: str) -> Via:
    """Read a Via.

    Parameters
    ----------
    text : str
        The header's value.

    Returns
    -------
    Via
        Its parts.

    Raises
    ------
    SipError
        When it is none.
    """
    found = _VIA.fullmatch(text.strip())
    if found is None:
        raise SipError("no Via of SIP/2.0")
    transport, host, port, rest = found.groups()
    return Via(transport.upper(), host.strip("[]"), _port(port), _params(rest or ""))
