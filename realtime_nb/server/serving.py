"""uvicorn, told how: one port, our WebSocket, quiet logs, and an end that is ours to call."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn

from realtime_nb.errors import ConfigError
from realtime_nb.server.app import PATH, build_app
from realtime_nb.server.hub import Hub
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.sip import Sockets
from realtime_nb.server.wire import Wire

__all__ = ["Address", "Server", "bind"]

GRACE_S = 2
"""How long sessions may take to end when the server does."""


@dataclass(frozen=True)
class Address:
    """Where a server answers.

    Parameters
    ----------
    host : str
        As a URL spells it.
    port : int
        The port.
    """

    host: str
    port: int

    @property
    def http(self) -> str:
        """The root of its HTTP routes."""
        return f"http://{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Where its sessions begin."""
        return f"ws://{self.host}:{self.port}{PATH}"


def bind(options: ServerOptions) -> tuple[socket.socket, Address]:
    """Take the port, without listening yet: a port in use is known before any model is loaded.

    Parameters
    ----------
    options : ServerOptions
        With host and port.

    Returns
    -------
    socket, Address
        For :class:`Server`; and where it will answer.

    Raises
    ------
    ConfigError
        When the address cannot be had.
    """
    host = options.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(
        family, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # unnamed, asyncio leaves Nagle on: 40 ms an event
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, options.port))
    except (OSError, OverflowError) as fault:
        taken.close()
        why = fault.strerror if isinstance(fault, OSError) else "a port is a number from 0 to 65535"
        raise ConfigError(
            f"cannot listen on {host} port {options.port}: {why}", hint="realtime-nb serve --port 0"
        ) from None
    any_address = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - named, not bound
    name = any_address.get(host, host)
    return taken, Address(f"[{name}]" if ":" in name else name, taken.getsockname()[1])


class Server(uvicorn.Server):
    """A server on a port that is already taken.

    Parameters
    ----------
    hub : Hub
        What it serves; closed when it ends.
    when_listening : callable
        Called on the loop once connections are accepted.
    phone : Sockets, optional
        Where calls are taken.

    Notes
    -----
    uvicorn raises a signal anew after it has shut down, which ends the process
    before its own clean-up; and it takes the signals of a thread's host. So the
    signals are left to whoever runs this: set :attr:`should_exit` to end it.
    """

    def __init__(self, hub: Hub, when_listening: Callable[[], None], phone: Sockets | None = None) -> None:
        options = hub.options
        config = uvicorn.Config(
            build_app(hub, phone),
            http="h11",
            ws=Wire,
            loop="asyncio",
            lifespan="on",
            ws_max_size=options.limits.event_bytes,
            ws_ping_interval=options.ping_s,
            ws_ping_timeout=options.ping_timeout_s,
            ws_per_message_deflate=options.deflate,
            log_config=None,
            log_level="warning",  # at info, uvicorn writes URLs
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
        super().__init__(config)
        self._when_listening = when_listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._when_listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield
