"""What the server logs: faults, and never a key, a URL's query or a sound."""

from __future__ import annotations

import base64
import logging
from typing import Any

import httpx
import pytest

from realtime_nb.secret import Secret
from realtime_nb.server.options import ServerOptions
from realtime_nb.testing.stages import stub_speech

CANARY = "canary-0123456789"


def test_no_key_is_ever_logged(serve: Any, dial: Any, caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at DEBUG: right and wrong keys, in headers, subprotocols and URLs, and sound leave no trace."""
    caplog.set_level(logging.DEBUG)
    serving = serve(ServerOptions(token=Secret(CANARY)))
    caplog.set_level(logging.WARNING, "websockets.client")  # the test's own client tells all
    caplog.set_level(logging.WARNING, "httpcore")
    caplog.set_level(logging.WARNING, "httpx")
    for headers, subprotocols in (
        ({"Authorization": f"Bearer {CANARY}"}, None),
        ({"api-key": CANARY}, None),
        ({"Authorization": f"Bearer {CANARY}-wrong"}, None),
        ({}, ["realtime", f"openai-insecure-api-key.{CANARY}"]),
    ):
        caller = dial(serving, f"?key={CANARY}", additional_headers=headers, subprotocols=subprotocols)
        caller.receive()
        caller.socket.close()
    httpx.get(f"{serving.http}/v1/models?key={CANARY}", trust_env=False)
    caller = dial(serving)
    caller.until("session.created")
    caller.speak()
    caller.until("response.done")
    assert CANARY not in caplog.text
    assert base64.b64encode(stub_speech(800))[:60].decode() not in caplog.text


def test_a_port_leaves_no_event_waiting(serve: Any) -> None:
    """Nagle's algorithm is off on the sockets the server accepts: an event is sent when it happens."""
    from realtime_nb.server.serving import bind

    taken, _ = bind(ServerOptions())
    with taken:
        assert taken.proto == 6  # asyncio turns Nagle off only where the socket says TCP
