"""Ten thousand events, legal, damaged and senseless, over one live socket: each is answered, and a turn works then."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from realtime_nb.protocol.events import CLIENT_EVENTS
from realtime_nb.protocol.limits import Limits
from realtime_nb.server.options import ServerOptions

Event = dict[str, Any]
Dice = random.Random

SEED = 20_251_122
EVENTS = 10_000
AHEAD = 50
"""Events sent before the answers are read."""
LIMITS = Limits(bad_events=10**6, items=10**6)
"""What would end the session, as it should, is lifted."""

SOUND = base64.b64encode(bytes(4_800)).decode()
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5"
    "ErkJggg=="
)


def message(**fields: Any) -> Event:
    """A message with all a user's can have."""
    parts = [
        {"type": "input_text", "text": "Hello."},
        {"type": "input_audio", "audio": SOUND},
        {"type": "input_image", "image_url": PIXEL, "detail": "low"},
    ]
    return {"type": "message", "role": "user", "content": parts, **fields}


TOOL = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object", "properties": {}}}
HEARD = {
    "format": {"type": "audio/pcm", "rate": 24_000},
    "noise_reduction": {"type": "near_field"},
    "transcription": {"model": "whisper-1", "language": "en"},
    "turn_detection": {"type": "server_vad", "threshold": 0.5, "idle_timeout_ms": None},
}
SESSION = {
    "type": "realtime",
    "output_modalities": ["text"],
    "instructions": "Be brief.",
    "tools": [TOOL],
    "tool_choice": "auto",
    "max_output_tokens": 64,
    "truncation": {"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 9_000}},
    "include": ["item.input_audio_transcription.logprobs"],
    "audio": {"input": HEARD, "output": {"voice": "alloy", "speed": 1.0}},
}
RESPONSE = {
    "conversation": "none",
    "output_modalities": ["text"],
    "instructions": "Be brief.",
    "input": [message(), {"type": "item_reference", "id": "item_0"}],
    "tools": [TOOL],
    "tool_choice": {"type": "function", "name": "look"},
    "max_output_tokens": 8,
    "metadata": {"topic": "fuzz"},
}
WHOLE: list[Event] = [
    {"type": "session.update", "session": SESSION},
    {"type": "input_audio_buffer.append", "audio": SOUND},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "conversation.item.create", "item": message(id="item_0"), "previous_item_id": "root"},
    {"type": "conversation.item.create", "item": message()},
    {"type": "conversation.item.create", "item": {"type": "function_call", "name": "look", "arguments": "{}"}},
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "{}"}},
    {"type": "conversation.item.retrieve", "item_id": "item_0"},
    {"type": "conversation.item.delete", "item_id": "item_0"},
    {"type": "conversation.item.truncate", "item_id": "item_0", "content_index": 0, "audio_end_ms": 10},
    {"type": "response.create", "response": RESPONSE},
    {"type": "response.create"},
    {"type": "response.cancel"},
    {"type": "output_audio_buffer.clear"},
]
"""One of everything, whole: what the damage is done to."""

ANSWERS = {
    "session.update": "session.updated",
    "input_audio_buffer.commit": "input_audio_buffer.committed",
    "input_audio_buffer.clear": "input_audio_buffer.cleared",
    "conversation.item.create": "conversation.item.added",
    "conversation.item.retrieve": "conversation.item.retrieved",
    "conversation.item.delete": "conversation.item.deleted",
    "conversation.item.truncate": "conversation.item.truncated",
    "response.create": "response.created",
    "response.cancel": "response.done",
}
"""The event that answers each; an append has none."""
ALONE = {
    "session.updated",
    "input_audio_buffer.cleared",
    "conversation.item.retrieved",
    "conversation.item.deleted",
    "conversation.item.truncated",
}
"""Answers that nothing else brings about: beside an error they would be a second answer."""

ODD: list[Callable[[Dice], Any]] = [
    lambda _: None,
    lambda dice: dice.random() < 0.5,
    lambda dice: dice.randint(-10, 10_000),
    lambda dice: dice.choice([0.5, 1e300, 10**400, -(2**63)]),
    lambda dice: dice.choice(
        ["", "root", "inf", "none", "auto", "semantic_vad", "audio/pcmu", "transcription", "item_0"]
    ),
    lambda dice: dice.choice(["\ud800", "\u202e", "\0", "Grüße", "x" * 300]),
    lambda dice: base64.b64encode(dice.randbytes(dice.randrange(30))).decode(),
    lambda _: [],
    lambda _: {},
    lambda dice: deepcopy(dice.choice(WHOLE)),
    lambda _: [message()] * 2,
]


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place in an event where something stands: what holds it, and its key or index."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places(value[key])


def damaged(dice: Dice) -> Event:
    """An event with up to three things gone, changed, added or doubled; now and then with none."""
    event = deepcopy(dice.choice(WHOLE))
    for _ in range(dice.randrange(4)):
        holder, key = dice.choice(list(places(event)))
        match dice.randrange(4):
            case 0:
                del holder[key]
            case 1:
                holder[key] = dice.choice(ODD)(dice)
            case 2 if isinstance(holder, dict):
                holder[dice.choice(["bogus", "id", "type", "audio", "rate", "name", "text"])] = dice.choice(ODD)(dice)
            case _ if isinstance(holder, list):
                holder.append(deepcopy(holder[key]))
            case _:
                pass
        if not event:
            break
    return event


def fuzzed(dice: Dice, name: str) -> str | bytes:
    """A frame: mostly an event of that name, sometimes less than one."""
    kind = dice.random()
    if kind < 0.03:
        return dice.randbytes(dice.randrange(1, 40))
    if kind < 0.08:
        return "".join(map(chr, dice.choices(range(0x20, 0x3000), k=dice.randrange(1, 40))))
    text = json.dumps({"event_id": name, **damaged(dice)})
    return text[: dice.randrange(1, len(text))] if kind < 0.12 else text


def answers(frame: str | bytes, events: list[Event]) -> bool:
    """Whether a frame was answered by its event or else by one error. What else came is of responses under way."""
    errors = sum(event["type"] == "error" for event in events)
    try:
        sent = json.loads(frame)
        kind = sent["type"] if isinstance(frame, str) else None
    except (ValueError, LookupError, TypeError):
        kind = None
    if kind == "input_audio_buffer.append":
        return errors <= 1
    answer = ANSWERS.get(kind) if isinstance(kind, str) else None
    answered = any(event["type"] == answer for event in events)
    return (errors == 1 and not (answered and answer in ALONE)) or (errors == 0 and answered)


def test_ten_thousand_events(serve: Any, dial: Any) -> None:
    """Each of ten thousand fuzzed events is answered by its event or one error; an ordinary turn works afterwards."""
    caller = dial(serve(ServerOptions(limits=LIMITS)))
    caller.until("session.created")
    dice = random.Random(SEED)
    refused = 0
    for start in range(0, EVENTS, AHEAD):
        names = [f"fuzz_{n}" for n in range(start, start + AHEAD)]
        frames = [fuzzed(dice, name) for name in names]
        for name, frame in zip(names, frames, strict=True):
            caller.socket.send(frame)
            caller.send("conversation.item.retrieve", item_id="nothing", event_id=f"after_{name}")
        for name, frame in zip(names, frames, strict=True):
            events = until_mark(caller, f"after_{name}")
            assert answers(frame, events), (frame, [event for event in events if event["type"] == "error"])
            refused += any(event["type"] == "error" for event in events)
        caller.events.clear()
    assert EVENTS // 3 < refused < EVENTS * 9 // 10, "neither all legal nor all senseless"
    assert_a_turn_works(caller)


def until_mark(caller: Any, mark: str) -> list[Event]:
    """The events before the error that answers the marker."""
    events = []
    while (event := caller.receive()).get("error", {}).get("event_id") != mark:
        events.append(event)
    return events


def assert_a_turn_works(caller: Any) -> None:
    """Whatever the session was told before, a spoken turn is heard, written down and answered."""
    caller.send("response.cancel")
    heard = {"format": {"type": "audio/pcm", "rate": 24_000}, "turn_detection": {"type": "server_vad"}}
    caller.update(
        tools=[],
        tool_choice="auto",
        truncation="auto",
        max_output_tokens="inf",
        output_modalities=["text"],
        audio={"input": heard | {"transcription": {"model": "whisper-1"}}},
    )
    caller.send("input_audio_buffer.clear")
    caller.until("input_audio_buffer.cleared")
    caller.speak()
    mine = caller.until("input_audio_buffer.committed")["item_id"]
    while caller.until("conversation.item.input_audio_transcription.completed")["item_id"] != mine:
        pass
    assert caller.until("response.done")["response"]["status"] == "completed"


def test_every_kind_of_event_is_fuzzed() -> None:
    """The whole events that are damaged are of all eleven kinds."""
    assert {event["type"] for event in WHOLE} == set(CLIENT_EVENTS)
