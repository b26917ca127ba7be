"""Who may come in: Host, then Origin, then token, on every route and every upgrade.

Pure functions over headers; the middleware that asks them is in
:mod:`realtime_nb.server.guard`. The order matters. The Host is the only header
that tells a rebound DNS name; the Origin the only one a page cannot forge; the
token is the real lock.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from realtime_nb.secret import Secret
from realtime_nb.server.options import ServerOptions

__all__ = [
    "CALLS_PATH",
    "ELSEWHERE",
    "KEY_PROTOCOL",
    "SUBPROTOCOL",
    "Grant",
    "Headers",
    "Policy",
    "Refusal",
    "calling_page",
    "check_place",
    "check_token",
    "credential",
]

SUBPROTOCOL = "realtime"
"""The one subprotocol selected and echoed."""
KEY_PROTOCOL = "openai-insecure-api-key."
"""How a browser, which cannot set headers on a WebSocket, shows its key."""

CALLS_PATH = "/v1/realtime/calls"
"""Where a page may begin a call by WebRTC: the one path that an ephemeral secret opens over HTTP."""

Headers = Mapping[str, str]
"""Names in small letters; Latin-1, as HTTP/1.1 has it."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?", re.IGNORECASE)


@dataclass(frozen=True)
class Refusal:
    """Why a caller stays outside.

    Parameters
    ----------
    status : int
        Of the HTTP answer.
    code : str or None
        The error's code, as the API has it (protocol, 1.1).
    message : str
        In words; never with what was shown.
    """

    status: int
    code: str | None
    message: str


ELSEWHERE = Refusal(403, "origin_not_allowed", "Pages of this origin may not use this server.")


@dataclass(frozen=True)
class Grant:
    """What a caller may do.

    Parameters
    ----------
    ephemeral : bool
        It came with an ``ek_`` secret: it may open sessions, and nothing else.
    session : dict
        The session fields its secret was issued with.
    origin : str, optional
        Of the page that its secret was issued for: such a page may call, and nothing else.
    """

    ephemeral: bool = False
    session: Mapping[str, Any] | None = None
    origin: str | None = None


@dataclass(frozen=True)
class Policy:
    """What the checks go by.

    Parameters
    ----------
    hosts : frozenset of str
        Host headers accepted, without port, in small letters.
    origins : frozenset of str
        Origins accepted, exactly.
    token : Secret or None
        What must be shown; None for an open server on this machine.
    ephemeral : callable
        Gives the :class:`Grant` of a live ``ek_`` secret, else None.
    page : callable, optional
        Whether an ``ek_`` secret is out for pages of an origin.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    token: Secret | None
    ephemeral: Callable[[str], Grant | None]
    page: Callable[[str], bool] = lambda _: False

    @classmethod
    def of(
        cls,
        options: ServerOptions,
        ephemeral: Callable[[str], Grant | None],
        page: Callable[[str], bool] = lambda _: False,
    ) -> Policy:
        """Take the policy from the options."""
        return cls(options.host_names, frozenset(options.origins), options.token, ephemeral, page)


def calling_page(policy: Policy, headers: Headers) -> str | None:
    """Find the origin of a page that may begin a call.

    Parameters
    ----------
    policy : Policy
        What is accepted.
    headers : mapping
        Of the request.

    Returns
    -------
    str or None
        An origin that the operator listed, or that a live secret was made for.
    """
    origin = headers.get("origin")
    return origin if origin is not None and (origin in policy.origins or policy.page(origin)) else None


def check_place(policy: Policy, headers: Headers, page: str | None = None) -> Refusal | None:
    """Check where a request comes from: first its Host, then its Origin.

    Parameters
    ----------
    policy : Policy
        What is accepted.
    headers : mapping
        Of the request.
    page : str, optional
        An origin accepted beside those of the policy.

    Returns
    -------
    Refusal or None
        None when it may go on.

    Notes
    -----
    A request that a browser marks ``cross-site`` is refused unless its Origin is
    listed by the operator: the list is the stronger word, and a page cannot
    forge its Origin. The port of the Host is free, so that a forwarded port works.
    """
    return _check_host(policy, headers.get("host", "")) or _check_origin(policy, headers, page)


def _check_host(policy: Policy, host: str) -> Refusal | None:
    match = _HOST.fullmatch(host)
    if match is not None and match[1].lower() in policy.hosts:
        return None
    return Refusal(403, "host_not_allowed", "The Host of this request is not one of this server's names.")


def _check_origin(policy: Policy, headers: Headers, page: str | None) -> Refusal | None:
    origin = headers.get("origin")
    if origin is not None:
        allowed = origin in policy.origins or origin == page
    else:
        allowed = headers.get("sec-fetch-site", "none").lower() != "cross-site"
    return None if allowed else ELSEWHERE


def credential(headers: Headers, subprotocols: Iterable[str] = ()) -> str | None:
    """Find what a caller shows: bearer token, Azure's ``api-key``, or the browser's subprotocol; never the URL.

    Parameters
    ----------
    headers : mapping
        Of the request.
    subprotocols : iterable of str
        What a WebSocket upgrade offers.

    Returns
    -------
    str or None
        The first of them; None when there is none.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    if key := headers.get("api-key", "").strip():
        return key
    keys = (name.removeprefix(KEY_PROTOCOL) for name in subprotocols if name.startswith(KEY_PROTOCOL))
    return next(keys, None)


def check_token(policy: Policy, headers: Headers, subprotocols: Iterable[str] = ()) -> Grant | Refusal:
    """Check what a caller shows.

    Parameters
    ----------
    policy : Policy
        What is accepted.
    headers : mapping
        Of the request.
    subprotocols : iterable of str
        What a WebSocket upgrade offers.

    Returns
    -------
    Grant or Refusal
        The refusals are the service's own: 401, and as close code 3000 (protocol, 1.1).
    """
    shown = credential(headers, subprotocols)
    if shown is not None and (grant := policy.ephemeral(shown)) is not None:
        return grant
    if policy.token is None:
        return Grant()
    if shown is None:
        return Refusal(401, None, "Missing bearer or basic authentication in header")
    if _same(shown, policy.token.reveal()):
        return Grant()
    return Refusal(401, "invalid_api_key", "Incorrect API key provided.")


def _same(shown: str, token: str) -> bool:
    """Compare in a time that tells nothing, not even the length: digests are of one size."""
    left, right = (hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (shown, token))
    return hmac.compare_digest(left, right)
