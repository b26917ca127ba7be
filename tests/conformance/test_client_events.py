"""Every event a client may send: what is answered to it, and how it is refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol.events import CLIENT_EVENTS

if TYPE_CHECKING:
    from .conftest import Peer

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "protocol_events.json").read_text())
SILENCE = base64.b64encode(bytes(48 * 200)).decode()
MESSAGE = {"type": "message", "id": "m", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}


def nothing(peer: Peer) -> dict[str, Any]:
    """As the session begins."""
    return {}


def sound(peer: Peer) -> dict[str, Any]:
    """Sound is buffered."""
    peer.append()
    return {}


def message(peer: Peer) -> dict[str, Any]:
    """A message is in the conversation."""
    peer.send("conversation.item.create", item=MESSAGE)
    return {}


def spoken(peer: Peer) -> dict[str, Any]:
    """The assistant has spoken."""
    return {"item_id": peer.reply()[-2]["response"]["output"][0]["id"]}


def answering(peer: Peer) -> dict[str, Any]:
    """The assistant is at it."""
    peer.send("response.create")
    return {}


Before = Callable[["Peer"], dict[str, Any]]
EVENTS: dict[str, tuple[Before, dict[str, Any], list[str]]] = {
    "session.update": (nothing, {"session": {"type": "realtime", "instructions": "Be brief."}}, ["session.updated"]),
    "input_audio_buffer.append": (nothing, {"audio": SILENCE}, []),
    "input_audio_buffer.commit": (
        sound,
        {},
        ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"],
    ),
    "input_audio_buffer.clear": (sound, {}, ["input_audio_buffer.cleared"]),
    "conversation.item.create": (nothing, {"item": MESSAGE}, ["conversation.item.added", "conversation.item.done"]),
    "conversation.item.retrieve": (message, {"item_id": "m"}, ["conversation.item.retrieved"]),
    "conversation.item.delete": (message, {"item_id": "m"}, ["conversation.item.deleted"]),
    "conversation.item.truncate": (spoken, {"content_index": 0, "audio_end_ms": 100}, ["conversation.item.truncated"]),
    "response.create": (nothing, {}, ["response.created"]),
    "response.cancel": (answering, {}, ["response.done", "rate_limits.updated"]),
}
"""What is the case, what is sent, and the events that answer it at once."""

CALLS_ONLY = {"output_audio_buffer.clear"}
"""What only a WebRTC or SIP session has: there the server keeps the playback buffer."""


def test_every_event_is_here() -> None:
    """The tables below have each event of the catalogue once."""
    assert EVENTS.keys() | CALLS_ONLY == CLIENT_EVENTS.keys() == RECORDED["client"].keys()
    assert set(RECORDED["notes"]["webrtc_sip_only_client"]) == CALLS_ONLY


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_answered(peer: Peer, name: str) -> None:
    """A legal event gets its own answer, and nothing else."""
    before, fields, answers = EVENTS[name]
    fields = {**before(peer), **fields}
    assert [event["type"] for event in peer.send(name, event_id="mine", **fields)] == answers


@pytest.mark.parametrize("name", EVENTS)
def test_a_strange_field_is_refused(peer: Peer, name: str) -> None:
    """A field that the event does not have refuses it, by name, with the client's own id of the event."""
    before, fields, _ = EVENTS[name]
    [error] = peer.send(name, event_id="mine", bogus=1, **{**before(peer), **fields})
    assert error["error"] == {
        "type": "invalid_request_error",
        "code": "unknown_parameter",
        "message": "Unknown parameter: 'bogus'.",
        "param": "bogus",
        "event_id": "mine",
    }


NEEDED = [(name, field) for name in EVENTS for field in RECORDED["client"][name] if field != "type"]


@pytest.mark.parametrize(("name", "field"), NEEDED)
def test_a_missing_field_is_refused(peer: Peer, name: str, field: str) -> None:
    """A field that the event must have is asked for by name."""
    before, fields, _ = EVENTS[name]
    given = {**before(peer), **fields}
    del given[field]
    [error] = peer.send(name, event_id="mine", **given)
    assert (error["error"]["code"], error["error"]["param"]) == ("missing_required_parameter", field)


@pytest.mark.parametrize("name", [*CALLS_ONLY, "session.close", "session.input_audio_buffer.append", "nope"])
def test_what_a_websocket_does_not_take(peer: Peer, name: str) -> None:
    """What belongs to calls and translations, and what nobody knows, is refused with the list of what is taken."""
    [error] = peer.send(name, event_id="mine")
    assert (error["error"]["code"], error["error"]["param"]) == ("invalid_value", "type")
    assert error["error"]["message"].startswith(f"Invalid value: '{name}'. Supported values are: ")
    taken = error["error"]["message"].partition("are: ")[2].rstrip(".").replace("'", "").split(", ")
    assert set(taken) >= set(EVENTS)
    assert peer.send("response.create")[0]["type"] == "response.created", "the session goes on"


def test_an_item_may_be_put_anywhere(peer: Peer) -> None:
    """``previous_item_id`` puts an item behind another, ``root`` before all, and an unknown one is refused."""
    for name, after in (("a", None), ("b", "a"), ("c", "root"), ("d", "a")):
        peer.send("conversation.item.create", item={**MESSAGE, "id": name}, previous_item_id=after)
    assert peer.server.conversation.order == ("c", "a", "d", "b")
    assert [event["previous_item_id"] for event in peer.log if event["type"] == "conversation.item.added"] == [
        None,
        "a",
        None,
        "a",
    ]
    [error] = peer.send("conversation.item.create", item={**MESSAGE, "id": "e"}, previous_item_id="nobody")
    assert error["error"]["param"] == "previous_item_id"


def test_a_response_may_be_named_to_be_cancelled(peer: Peer) -> None:
    """``response_id`` cancels that response alone: one out of band ends, the conversation's goes on."""
    peer.send("response.create")
    aside = peer.send("response.create", response={"conversation": "none"})[0]["response"]["id"]
    done = peer.send("response.cancel", response_id=aside)[0]["response"]
    assert (done["id"], done["status"], done["status_details"]["reason"]) == (aside, "cancelled", "client_cancelled")
    assert peer.send("response.cancel")[0]["type"] == "response.done"
    assert peer.send("response.cancel")[0]["error"]["code"] == "response_cancel_not_active"


# ---------------------------------------------------------------- response.create
PARAMS: dict[str, tuple[Any, Callable[[Any, fx.GenerateRequest], bool]]] = {
    "response.output_modalities": (
        ["text"],
        lambda shown, asked: shown["output_modalities"] == list(asked.output_modalities),
    ),
    "response.instructions": ("Hum.", lambda _, asked: asked.instructions == "Hum."),
    "response.audio": (
        {"output": {"voice": "cedar", "format": {"type": "audio/pcmu"}}},
        lambda shown, asked: shown["audio"]["output"]["voice"] == asked.voice == "cedar",
    ),
    "response.tools": (
        [{"type": "function", "name": "f"}],
        lambda _, asked: [tool.name for tool in asked.tools] == ["f"],
    ),
    "response.tool_choice": ("none", lambda _, asked: asked.tool_choice == "none"),
    "response.max_output_tokens": (7, lambda shown, asked: shown["max_output_tokens"] == asked.max_output_tokens == 7),
    "response.metadata": ({"topic": "x"}, lambda shown, _: shown["metadata"] == {"topic": "x"}),
    "response.prompt": ({"id": "p"}, lambda shown, _: "prompt" not in shown),
    "response.conversation": ("none", lambda shown, _: shown["conversation_id"] is None),
    "response.input": ([], lambda _, asked: asked.items == ()),
    "response.parallel_tool_calls": (False, lambda shown, _: "parallel_tool_calls" not in shown),
    "response.reasoning": ({"effort": "low"}, lambda shown, _: "reasoning" not in shown),
}
"""A value for each field of ``response``, and what shows that it was obeyed (or, where nothing can, taken)."""


@pytest.mark.parametrize("name", PARAMS)
def test_a_response_has_its_own_settings(peer: Peer, name: str) -> None:
    """Each field of ``response.create`` holds for that response, and leaves the session as it is."""
    given, is_obeyed = PARAMS[name]
    before = peer.server.session
    peer.say("Hello")
    created = peer.send("response.create", response={name.partition(".")[2]: given})[0]
    assert is_obeyed(created["response"], peer.last(fx.Generate).request)
    assert peer.server.session == before
