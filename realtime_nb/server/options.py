"""What may be chosen about a server, and the rules a choice must keep."""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from realtime_nb.engine.barge_in import BargeIn
from realtime_nb.errors import ConfigError
from realtime_nb.protocol.limits import Limits
from realtime_nb.secret import Secret
from realtime_nb.server.phone_options import PhoneOptions

__all__ = ["LOOPBACK_NAMES", "SIZES", "ServerOptions", "is_loopback", "new_token"]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
"""The names this machine has for itself, as a Host header spells them."""


def new_token() -> Secret:
    """Draw a random token of 256 bits."""
    return Secret(secrets.token_urlsafe(32))


def is_loopback(host: str) -> bool:
    """Say whether an address to listen on can be reached from this machine alone.

    Parameters
    ----------
    host : str
        An address, or ``localhost``. Any other name may mean any address.

    Returns
    -------
    bool
        True for 127.0.0.0/8, ``::1`` and ``localhost``.
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """Every choice and limit of a server; the defaults are the promises of the documentation.

    Raises
    ------
    ConfigError
        When it would listen beyond this machine without a token, or a limit is not positive.
    """

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes any free port."""
    token: Secret | None = field(default_factory=new_token)
    """What a caller must show; None lets everybody on this machine in."""
    hosts: tuple[str, ...] = ()
    """Host headers accepted beside the machine's own names and :attr:`host`; without ports."""
    origins: tuple[str, ...] = ()
    """Origins of web pages that may connect, as a browser spells them: ``https://lab.example.org``."""

    phone: PhoneOptions | None = None
    """Where telephone calls are taken (SIP); by default nowhere."""

    require_model: bool = False
    """Refuse a connection without ``?model=``, as the service does. There is one engine here, so it is taken."""

    sessions: int = 16
    """Sessions at once; a further one is told so, and closed with 1013."""
    rtc_calls: int = 8
    """Calls by WebRTC at once, each of them a session, too; each takes a seventh of a core. One more gets 429."""
    rtc_silence_s: float = 10.0
    """How long a call's other end may send nothing at all, before it is taken for dead."""
    peers: int = 8
    """Connections to one session: its own, and those attached by ``?call_id=``."""
    frames_ahead: int = 2
    """Frames taken from a socket before their turn; the rest waits in TCP, at the sender's."""
    barge_in: BargeIn = field(default_factory=BargeIn)
    """What it takes to interrupt an answer; :data:`~realtime_nb.engine.barge_in.ECHO_SAFE` where it is heard back.

    An option of the server, and no field of the session: a session says the same to
    every server, and how a loudspeaker stands to a microphone is no matter of the API.
    """
    limits: Limits = field(default_factory=Limits)
    """Those of each session: its length, its context, its sound, its pictures, the size of an event."""
    hearing_bytes: int = 4 * 1024 * 1024
    """Audio that may wait for the turn detector; beyond it the socket is not read."""
    send_bytes: int = 8 * 1024 * 1024
    """What may wait for a slow reader; beyond it the session closes with 1013."""
    stall_s: float = 10.0
    """How long a reader may take nothing at all; then close 1013."""
    mcp_s: float = 30.0
    """How long an MCP server may take to list its tools, or to run one."""
    mcp_bytes: int = 1024 * 1024
    """The largest answer of an MCP server; a larger one fails."""
    ping_s: float = 5.0
    """Pause between pings: a dead link is noticed within ping and timeout."""
    ping_timeout_s: float = 10.0
    deflate: bool = True
    """Offer ``permessage-deflate``, as the service does."""
    body_bytes: int = 1024 * 1024
    """Largest body of an HTTP request; a larger one gets 413."""

    def __post_init__(self) -> None:
        """Hold the rules."""
        if self.token is None and not is_loopback(self.host):
            raise ConfigError(
                f"the server would listen on {self.host} without a token: beyond this machine everybody could use it",
                hint=f"realtime-nb serve --host {self.host} --token {new_token().reveal()}",
            )
        _check_positive("ServerOptions", {name: getattr(self, name) for name in SIZES})
        _check_positive("BargeIn", vars(self.barge_in))
        _check_positive("Limits", msgspec.structs.asdict(self.limits))

    @property
    def host_names(self) -> frozenset[str]:
        """Every name a Host header may have, in small letters."""
        own = f"[{self.host.strip('[]')}]" if ":" in self.host else self.host
        return frozenset(name.lower() for name in (*LOOPBACK_NAMES, own, *self.hosts))


SIZES = (
    "sessions",
    "rtc_calls",
    "rtc_silence_s",
    "peers",
    "frames_ahead",
    "hearing_bytes",
    "send_bytes",
    "stall_s",
    "mcp_s",
    "mcp_bytes",
    "ping_s",
    "ping_timeout_s",
    "body_bytes",
)
"""The limits of the server itself, beside those of each session."""


def _check_positive(where: str, limits: Mapping[str, float | None]) -> None:
    for name, value in limits.items():
        if value is not None and value <= 0:
            raise ConfigError(f"{name} is {value}, and must be more than 0", hint=f"{where}({name}=1)")
