"""Between whom a message travels, and what an agent wants done or tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from realtime_nb.wire.sdp import Media, Offer

from .message import Request

__all__ = [
    "Action",
    "Answered",
    "Confirmed",
    "Ended",
    "Endpoint",
    "Invited",
    "Keyed",
    "Path",
    "Referred",
    "Ringing",
    "Send",
    "Updated",
    "hostport",
]

Endpoint = tuple[str, int]
"""IP address and port."""


def hostport(endpoint: Endpoint) -> str:
    """An endpoint as a URI spells it."""
    host, port = endpoint
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(frozen=True)
class Path:
    """One way for messages.

    Parameters
    ----------
    transport : {"udp", "tcp"}
        By what.
    peer, local : tuple of (str, int)
        Its two ends.
    connection : int
        Which TCP connection; 0 for UDP, and for one that is yet to be made.
    """

    transport: Literal["udp", "tcp"]
    peer: Endpoint
    local: Endpoint
    connection: int = 0

    @property
    def reliable(self) -> bool:
        """Whether what is sent arrives, or the path is known to be gone."""
        return self.transport == "tcp"

    @property
    def contact(self) -> str:
        """Where this end is reached, as a Contact header has it."""
        suffix = ";transport=tcp" if self.transport == "tcp" else ""
        return f"<sip:{hostport(self.local)}{suffix}>"


@dataclass(frozen=True)
class Send:
    """Send this."""

    data: bytes
    path: Path


@dataclass(frozen=True)
class Invited:
    """Somebody calls; to be accepted or rejected. Without an offer, this end makes one."""

    call: str
    request: Request
    offer: Offer | None
    path: Path


@dataclass(frozen=True)
class Ringing:
    """The other end has been reached."""

    call: str


@dataclass(frozen=True)
class Answered:
    """The other end took the call that was placed."""

    call: str


@dataclass(frozen=True)
class Confirmed:
    """The caller knows that its call was taken."""

    call: str


@dataclass(frozen=True)
class Updated:
    """The other end's sound goes like this from now on."""

    call: str
    media: Media


@dataclass(frozen=True)
class Keyed:
    """A key came in a message of its own (INFO)."""

    call: str
    key: str


@dataclass(frozen=True)
class Referred:
    """How far the other end is with its transfer: a SIP status."""

    call: str
    status: int


@dataclass(frozen=True)
class Ended:
    """The call is over: `why` in a word, and the SIP status where there is one."""

    call: str
    why: Literal["hangup", "cancelled", "rejected", "unanswered", "unreachable", "local"]
    status: int = 0


Action = Send | Invited | Ringing | Answered | Confirmed | Updated | Keyed | Referred | Ended
