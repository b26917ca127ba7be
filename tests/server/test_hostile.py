"""What a broken or hostile client may send: an error event each, and an end only where framing or limits are abused."""

from __future__ import annotations

import contextlib
import json
import socket as sockets
from typing import Any
from urllib.parse import urlsplit

import pytest
from waiting import wait_for
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from realtime_nb.protocol.limits import Limits
from realtime_nb.server.options import ServerOptions

PATIENT = Limits(bad_events=1_000_000)
BAD_FRAMES: list[tuple[str | bytes, str | None]] = [
    ("", "invalid_json"),
    ("{", "invalid_json"),
    ("null", "invalid_event"),
    ("[]", "invalid_event"),
    ('"text"', "invalid_event"),
    ("{}", "invalid_event"),
    ('{"type": null}', "invalid_event"),
    ('{"type": 7}', "invalid_value"),
    ('{"type": "nope"}', "invalid_value"),
    ('{"type": "session.created"}', "invalid_value"),
    ('{"type": "session.update"}', "missing_required_parameter"),
    ('{"type": "session.update", "session": {}}', "missing_required_parameter"),
    ('{"type": "response.create", "extra": 1}', "unknown_parameter"),
    ('{"type": "response.cancel", "type": "response.cancel"}', "invalid_json"),
    ('{"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": NaN}', "invalid_json"),
    (
        '{"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 1e999}',
        "invalid_json",
    ),
    (f'{{"type": "conversation.item.delete", "item_id": {"9" * 4301}}}', None),
    ("[" * 100_000, "invalid_json"),
    ("\ufeff{}", "invalid_json"),
    ("\x00", "invalid_json"),
    ('{"type": "input_audio_buffer.append", "audio": "!!!!"}', "invalid_value"),
    ('{"type": "input_audio_buffer.append", "audio": "AA"}', "invalid_value"),
    ('{"type": "input_audio_buffer.append", "audio": "AA=="}', "invalid_value"),
    ('{"type": "input_audio_buffer.append", "audio": "AA AA"}', "invalid_value"),
    (b"\x00\x01\x02", "invalid_event"),
    (b"", "invalid_event"),
    (b'{"type": "response.create"}', "invalid_event"),
]


@pytest.mark.parametrize(("frame", "code"), BAD_FRAMES, ids=lambda value: repr(value)[:40])
def test_a_bad_frame_gets_one_error_and_keeps_the_socket(caller: Any, frame: str | bytes, code: str | None) -> None:
    """Whatever is no event is answered by one error of the catalogue, and an ordinary turn works afterwards."""
    caller.socket.send(frame)
    error = caller.until("error")["error"]
    assert error["type"] == "invalid_request_error"
    assert code is None or error["code"] == code
    assert caller.works()
    assert len(caller.all("error")) == 1


def test_text_that_is_no_utf8_ends_the_connection(caller: Any) -> None:
    """RFC 6455 leaves no choice about a text frame of other bytes: close code 1007."""
    with caller.socket.send_context():
        caller.socket.protocol.send_frame(Frame(Opcode.TEXT, b"\xff\xfe{}"))
    assert caller.closed()[0] == 1007


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_an_event_has_a_largest_size(serve: Any, dial: Any, beyond: int) -> None:
    """An event of the largest size is read, one byte more closes the connection with 1009."""
    bound = 1024 * 1024
    caller = dial(serve(ServerOptions(limits=Limits(event_bytes=bound))))
    caller.until("session.created")
    caller.socket.send("x" * (bound + beyond))
    if beyond > 0:
        assert caller.closed()[0] == 1009
    else:
        assert caller.until("error")["error"]["code"] == "invalid_json"
        assert caller.works()


def test_an_oversized_event_is_refused_although_the_client_goes_on_sending(
    serve: Any, dial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client in the middle of 64 MiB still gets the close frame, not a reset."""
    monkeypatch.setattr("realtime_nb.server.wire.CLOSE_S", 60.0)  # a busy machine takes its time over so much
    caller = dial(serve())
    caller.until("session.created")
    with contextlib.suppress(ConnectionClosed):  # cut off in the middle
        caller.socket.send("x" * (64 * 1024 * 1024))
    assert caller.closed()[0] == 1009


@pytest.mark.parametrize("sent", [99, 100, 101])
def test_too_much_nonsense_ends_the_session(serve: Any, dial: Any, sent: int) -> None:
    """A hundred refused events in ten seconds are borne, the hundred and first closes with 1008."""
    caller = dial(serve())
    caller.until("session.created")
    for _ in range(sent):
        caller.socket.send("{}")
    for _ in range(sent):
        caller.until("error")
    if sent > 100:
        assert caller.closed()[0] == 1008
    else:
        assert caller.works()


def test_a_client_that_never_reads_is_let_go_and_the_others_do_not_notice(serve: Any, dial: Any) -> None:
    """What waits for a client that never reads is bounded, its session ends, and another's turns work meanwhile."""
    serving = serve(ServerOptions(send_bytes=200_000, stall_s=0.5, limits=PATIENT))
    lazy = raw_client(serving)
    other = dial(serving)
    other.until("session.created")
    deaf = {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "id": "x" * 32}}
    deaf["item"]["content"] = [{"type": "input_text", "text": "y" * 500_000}]
    lazy.sendall(frame(json.dumps(deaf)))
    retrieve = frame(json.dumps({"type": "conversation.item.retrieve", "item_id": "x" * 32}))
    lazy.settimeout(0.5)
    for _ in range(40):  # 20 MB to be sent to it
        try:
            lazy.sendall(retrieve)
        except OSError:
            break
    assert other.works()
    wait_for(lambda: serving.hub.sessions == 1)
    assert b'closed_by_server_total{code="1013"} 1.0' in serving.hub.meter.render()
    assert other.works()
    lazy.close()


def raw_client(serving: Any) -> sockets.socket:
    """A WebSocket that is shaken hands with and then not read."""
    parts = urlsplit(serving.http)
    raw = sockets.create_connection((parts.hostname, parts.port), timeout=60)
    raw.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4096)
    lines = [
        "GET /v1/realtime?model=gpt-realtime-mini HTTP/1.1",
        f"Host: {parts.netloc}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        *(f"{name}: {value}" for name, value in serving.headers.items()),
    ]
    raw.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert raw.recv(12) == b"HTTP/1.1 101"
    return raw


def frame(text: str) -> bytes:
    """A client's text frame."""
    return Frame(Opcode.TEXT, text.encode()).serialize(mask=True)


@pytest.mark.parametrize("garbage", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 100, b"A" * 100_000])
def test_garbage_instead_of_a_handshake_harms_nobody(serve: Any, dial: Any, garbage: bytes) -> None:
    """Connections that never speak HTTP are dropped, thirty of each, and the next session works."""
    serving = serve()
    parts = urlsplit(serving.http)
    for _ in range(30):
        with sockets.create_connection((parts.hostname, parts.port), timeout=60) as raw:
            raw.sendall(garbage)
    caller = dial(serving)
    caller.until("session.created")
    assert caller.works()


def test_a_flood_of_sound_waits_at_the_sender_s(serve: Any, dial: Any) -> None:
    """More sound than the detector keeps up with is not piled up: the socket is read as room comes; none is lost."""
    caller = dial(serve(ServerOptions(hearing_bytes=100_000)))
    caller.until("session.created")
    caller.append(bytes(48 * 60_000), chunk=480_000)
    caller.speak()
    caller.until("response.done")
    assert caller.all("input_audio_buffer.speech_started")[0]["audio_start_ms"] >= 59_000
