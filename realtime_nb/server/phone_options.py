"""What may be chosen about the server's telephone, and the rules a choice must keep."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from realtime_nb.errors import ConfigError
from realtime_nb.secret import Secret
from realtime_nb.wire.webhooks import signing_key

__all__ = ["SIP_PORT", "SIZES", "PhoneOptions", "Webhook", "parse_address"]

SIP_PORT = 5060
_LOOPBACK = ("127.0.0.0/8", "::1/128")


@dataclass(frozen=True)
class Webhook:
    """Who is told of a call, and asked what becomes of it.

    Parameters
    ----------
    url : str
        Where ``realtime.call.incoming`` is posted. It comes from the operator alone, never from a caller.
    secret : Secret
        ``whsec_`` and base64: signs it (Standard Webhooks).
    timeout_s : float
        How long one attempt may take.
    made_up : bool
        Whether the secret is new, and has to be shown to the operator.
    """

    url: str
    secret: Secret
    timeout_s: float = 5.0
    made_up: bool = False

    def __post_init__(self) -> None:
        """Hold the rules."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(
                "a webhook goes to an http:// or https:// URL", hint="--webhook http://127.0.0.1:9000/webhook"
            )
        signing_key(self.secret)


@dataclass(frozen=True, kw_only=True)
class PhoneOptions:
    """Where calls are taken, from whom, and how many.

    Raises
    ------
    ConfigError
        When it would take calls from beyond this machine without saying from where.
    """

    host: str = "127.0.0.1"
    port: int = SIP_PORT
    """Of SIP, by UDP and TCP; 0 takes any free one."""
    networks: tuple[str, ...] = ()
    """Whose messages are read, such as ``192.0.2.0/24``; on loopback this machine's alone."""
    webhook: Webhook | None = None
    """Without one, every call is taken at once."""
    calls: int = 32
    """Calls at once; a further one gets 503."""
    ring_s: float = 60.0
    """How long a call may wait for a decision; then it gets 480."""
    silence_s: float = 30.0
    """How long the caller may send no packet; then the call ends. On hold, the caller is asked whether it goes on."""
    messages_per_s: float = 200.0
    """From one address; more are not read."""
    connections: int = 64
    """TCP connections at once."""
    idle_s: float = 120.0
    """How long a TCP connection may say nothing while no call is on it."""

    def __post_init__(self) -> None:
        """Hold the rules."""
        try:
            outside = not ipaddress.ip_address(self.host).is_loopback
            for network in self.networks:
                ipaddress.ip_network(network)
        except ValueError as fault:
            raise ConfigError(
                f"SIP listens at an IP address, and takes networks: {fault}", hint="--sip 127.0.0.1:5060"
            ) from None
        for name in SIZES:
            if getattr(self, name) <= 0:
                raise ConfigError(f"{name} must be more than 0", hint=f"--sip-limit {name}=1")
        if outside and not self.networks:
            raise ConfigError(
                f"SIP would listen on {self.host}, where anybody could call: say from where calls may come",
                hint=f"--sip {self.host} --sip-from 192.0.2.0/24",
            )

    def admits(self, host: str) -> bool:
        """Say whether messages from an address are read."""
        address = ipaddress.ip_address(host.partition("%")[0])
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in ipaddress.ip_network(network) for network in self.networks or _LOOPBACK)


SIZES = ("calls", "ring_s", "silence_s", "messages_per_s", "connections", "idle_s")
"""The limits, by name."""


def parse_address(text: str) -> tuple[str, int]:
    """Read ``ADDR``, ``ADDR:PORT`` or ``[ADDR]:PORT``.

    Parameters
    ----------
    text : str
        With an IP address.

    Returns
    -------
    tuple of (str, int)
        The port is 5060 where none is given.

    Raises
    ------
    ValueError
        When the port is no number.

    Examples
    --------
    >>> parse_address("127.0.0.1"), parse_address("127.0.0.1:0"), parse_address("[::1]:5070")
    (('127.0.0.1', 5060), ('127.0.0.1', 0), ('::1', 5070))
    """
    host, bracket, rest = text.rpartition("]")
    if bracket:
        return host.lstrip("["), int(rest.lstrip(":") or SIP_PORT)
    host, colon, port = text.partition(":")
    return (host, int(port)) if colon else (text, SIP_PORT)
