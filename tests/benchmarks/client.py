"""How many events a client folds in a second."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from realtime_nb.history import EventLog
from realtime_nb.protocol.client import ClientConnection
from realtime_nb.protocol.ids import CountingIds

Figure = tuple[str, float, str]
DELTAS = 2_000


def spoken_turn(number: int) -> list[str]:
    """The frames of one long spoken answer: words and 100 ms of sound by turns."""
    response = {"id": f"resp_{number}", "object": "realtime.response", "status": "in_progress", "output": []}
    item = {"id": f"item_{number}", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    where = {"response_id": response["id"], "item_id": item["id"], "output_index": 0, "content_index": 0}
    sound = base64.b64encode(bytes(4800)).decode()
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "response_id": response["id"], "output_index": 0, "item": item},
        {"type": "conversation.item.added", "item": item, "previous_item_id": None},
        {"type": "response.content_part.added", **where, "part": {"type": "audio", "transcript": ""}},
    ]
    for _ in range(DELTAS // 2):
        events.append({"type": "response.output_audio_transcript.delta", **where, "delta": "word "})
        events.append({"type": "response.output_audio.delta", **where, "delta": sound})
    events.append({"type": "response.done", "response": {**response, "status": "completed"}})
    return [json.dumps({**event, "event_id": f"event_{number}_{i}"}) for i, event in enumerate(events)]


def throughput(runs: int) -> Iterator[Figure]:
    """Decode, check and fold; then the same with the event log that the frames are made of."""
    bare, logged = [], []
    for number in range(runs):
        frames = spoken_turn(number)
        connection = ClientConnection(CountingIds())
        start = time.perf_counter()
        for frame in frames:
            connection.receive(frame)
        bare.append(len(frames) / (time.perf_counter() - start))
        connection, log = ClientConnection(CountingIds()), EventLog()
        start = time.perf_counter()
        for frame in frames:
            log.append("received", connection.receive(frame), time.perf_counter() - start, len(frame))
        logged.append(len(frames) / (time.perf_counter() - start))
    yield "events a second through the client connection", median(bare), "1/s"
    yield "... and into the event log", median(logged), "1/s"
