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
    """

    url: str
    http: str
    token: Secret | None
    hub: Hub
    loop: asyncio.AbstractEventLoop

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
    hub = Hub(engine, options, rate)
    listening: Future[asyncio.AbstractEventLoop] = Future()
    server = Server(hub, lambda: listening.set_result(asyncio.get_running_loop()))
    thread = threading.Thread(target=server.run, args=([taken],), name="realtime-server", daemon=True)
    thread.start()
    try:
        yield Serving(address.url, address.http, options.token, hub, listening.result(START_S))
    finally:
        server.should_exit = True
        thread.join()
