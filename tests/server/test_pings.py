"""A link is asked whether it still lives; one that does not answer is given up."""

from __future__ import annotations

import threading
from typing import Any

from websockets.frames import Frame, Opcode

from realtime_nb.server.options import ServerOptions


def watch(caller: Any, *, deaf: bool) -> threading.Semaphore:
    """Release once for each ping that comes; a deaf client does not answer them."""
    protocol, pings = caller.socket.protocol, threading.Semaphore(0)
    receive = protocol.recv_frame

    def noted(frame: Frame) -> None:
        is_ping = frame.opcode is Opcode.PING
        if is_ping:
            pings.release()
        if not (deaf and is_ping):
            receive(frame)

    protocol.recv_frame = noted
    return pings


def test_an_idle_client_that_answers_pings_stays(serve: Any, dial: Any) -> None:
    """Pings come while nothing else does, and a turn works after many."""
    caller = dial(serve(ServerOptions(ping_s=0.02, ping_timeout_s=5.0)))
    caller.until("session.created")
    pings = watch(caller, deaf=False)
    assert all(pings.acquire(timeout=5) for _ in range(5))
    assert caller.works()


def test_a_client_that_answers_no_ping_is_given_up(serve: Any, dial: Any) -> None:
    """Within ping and timeout the dead link is noticed, and its place is free."""
    serving = serve(ServerOptions(ping_s=0.05, ping_timeout_s=0.2))
    caller = dial(serving)
    caller.until("session.created")
    pings = watch(caller, deaf=True)
    assert caller.closed()[0] == 1011
    assert pings.acquire(blocking=False)
    again = dial(serving)
    assert again.until("session.created")
