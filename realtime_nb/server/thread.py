"""A server in a thread of this process: for tests, benchmarks and a notebook that wants no child."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass

from realtime_nb.engine.build import Engine
from realtime_nb.protocol.limits import RateLimiter
from realtime_nb.secret import Secret
from realtime_nb.server.hub import Hub
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.serving import Server, bind
from realtime_nb.server.sip import bind_phone

__all__ = ["Serving", "serve_in_thread"]

START_S = 10.0


@dataclass(frozen=True)
class Serving:
    """A server that answers.

    Parameters
    ----------
    url : str
        Where its sessions begin.
    http : str
        The root of its HTTP routes.
    token : Secret or None
        What it asks for.
    hub : Hub
        Its inside.
    loop : asyncio.AbstractEventLoop
        What it runs on.
    sip : tuple of (str, int) or None
        Where it takes calls.
    """

    url: str
    http: str
    token: Secret | None
    hub: Hub
    loop: asyncio.AbstractEventLoop
    sip: tuple[str, int] | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What lets a client in."""
        return {} if self.token is None else {"Authorization": f"Bearer {self.token.reveal()}"}


@contextlib.contextmanager
def serve_in_thread(
    engine: Engine, options: ServerOptions | None = None, *, rate: RateLimiter | None = None
) -> Iterator[Serving]:
    """Serve until the block ends.

    Parameters
    ----------
    engine : Engine
        What answers.
    options : ServerOptions, optional
        By default: this machine, any port, a random token.
    rate : RateLimiter, optional
        What all sessions together may ask.

    Yields
    ------
    Serving
        Listening.
    """
    options = options or ServerOptions()
    taken, address = bind(options)
    phone = bind_phone(options.phone) if options.phone is not None else None
    hub = Hub(engine, options, rate)
    listening: Future[asyncio.AbstractEventLoop] = Future()
    server = Server(hub, lambda: listening.set_result(asyncio.get_running_loop()), phone)
    thread = threading.Thread(target=server.run, args=([taken],), name="realtime-server", daemon=True)
    thread.start()
    try:
        sip = phone.address if phone is not None else None
        yield Serving(address.url, address.http, options.token, hub, listening.result(START_S), sip)
    finally:
        server.should_exit = True
        thread.join()
