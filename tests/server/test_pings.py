"""A link is asked whether it still lives; one that does not answer is given up."""

from __future__ import annotations

import threading
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection

from realtime_nb.server.options import ServerOptions

WAIT_S = 60.0


class Watched(ClientConnection):
    """A client that notes each ping that comes, from the first one on."""

    deaf = False
    """Whether it answers none."""

    def __init__(self, socket: Any, protocol: Any, **options: Any) -> None:
        self.pings = threading.Semaphore(0)
        receive = protocol.recv_frame

        def noted(frame: Frame) -> None:
            is_ping = frame.opcode is Opcode.PING
            if is_ping:
                self.pings.release()
            if not (self.deaf and is_ping):
                receive(frame)

        protocol.recv_frame = noted
        super().__init__(socket, protocol, **options)


class Deaf(Watched):
    """One that answers none of them."""

    deaf = True


def test_an_idle_client_that_answers_pings_stays(serve: Any, dial: Any) -> None:
    """Pings come while nothing else does, and a turn works after many."""
    caller = dial(serve(ServerOptions(ping_s=0.02, ping_timeout_s=WAIT_S)), create_connection=Watched)
    caller.until("session.created")
    assert all(caller.socket.pings.acquire(timeout=WAIT_S) for _ in range(5))
    assert caller.works()


def test_a_client_that_answers_no_ping_is_given_up(serve: Any, dial: Any) -> None:
    """Within ping and timeout the dead link is noticed, and its place is free."""
    serving = serve(ServerOptions(ping_s=0.05, ping_timeout_s=0.2))
    caller = dial(serving, create_connection=Deaf)
    caller.until("session.created")
    assert caller.closed()[0] == 1011
    assert caller.socket.pings.acquire(blocking=False)
    again = dial(serving)
    assert again.until("session.created")
