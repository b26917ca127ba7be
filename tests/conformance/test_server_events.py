"""Every event a server may send: when it comes, and exactly its fields."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol.events import SERVER_EVENTS
from realtime_nb.protocol.items import McpToolExecutionError
from realtime_nb.protocol.session_config import TranscriptionSession

from .conftest import SERVER, Peer

if TYPE_CHECKING:
    from .conftest import Event

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "protocol_events.json").read_text())


# ---------------------------------------------------------------- what happens
def a_session() -> Peer:
    """It begins, and is changed."""
    return Peer(instructions="Be brief.")


def a_refusal() -> Peer:
    """Something is wrong."""
    peer = Peer()
    peer.raw("no json")
    return peer


def a_text_turn() -> Peer:
    """A question and an answer in writing."""
    peer = Peer(output_modalities=["text"])
    peer.say("Hello")
    peer.respond(lambda name: fx.TextDelta(name, "Hi."))
    return peer


def a_voice_turn() -> Peer:
    """Speech, its words, and a spoken answer, which is cut and asked for whole."""
    peer = Peer(audio={"input": {"transcription": {"model": "whisper-1"}}})
    peer.speak()
    peer.write_down()
    name = peer.last(fx.Generate).response_id
    peer.report(fx.SpeechDelta(name, "Hi.", bytes(48 * 300)), fx.Generated(name, "stop", 10, 0, 1))
    spoken = peer.server.conversation.last
    peer.send("conversation.item.truncate", item_id=spoken, content_index=0, audio_end_ms=100)
    peer.send("conversation.item.retrieve", item_id=spoken)
    peer.send("conversation.item.delete", item_id=spoken)
    return peer


def an_unheard_turn() -> Peer:
    """Speech that the recogniser cannot make out."""
    peer = Peer(TranscriptionSession())
    peer.send("session.update", session={"type": "transcription", "audio": {"input": {"transcription": {}}}})
    peer.speak()
    peer.report(fx.TranscriptionFailed(peer.last(fx.Transcribe).item_id, "audio_unintelligible", "Noise."))
    return peer


def a_change_of_mind() -> Peer:
    """Sound that is taken back."""
    peer = Peer()
    peer.append()
    peer.send("input_audio_buffer.clear")
    return peer


def a_silence() -> Peer:
    """Nobody says anything after the answer."""
    peer = Peer(audio={"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}})
    peer.reply()
    peer.wait(6.0)
    return peer


def a_function_call() -> Peer:
    """The model calls."""
    peer = Peer(tools=[{"type": "function", "name": "f"}])
    peer.respond(lambda name: fx.CallDelta(name, 0, "f", "{}"))
    return peer


def an_mcp_call() -> Peer:
    """The model calls a tool of an MCP server."""
    peer = Peer(tools=[SERVER])
    peer.list_tools()
    peer.call_tool()
    peer.report(fx.McpCalled(peer.last(fx.CallMcpTool).item_id, "found"))
    return peer


def a_failing_mcp_call() -> Peer:
    """The tool fails."""
    peer = Peer(tools=[SERVER])
    peer.list_tools()
    peer.call_tool()
    peer.report(fx.McpCallFailed(peer.last(fx.CallMcpTool).item_id, McpToolExecutionError(message="Lost.")))
    return peer


def a_missing_mcp_server() -> Peer:
    """Nobody answers."""
    peer = Peer(tools=[SERVER])
    peer.report(fx.McpListFailed(peer.last(fx.ListMcpTools).item_id, "Nobody is there."))
    return peer


EVENTS: dict[str, Callable[[], Peer]] = {
    "error": a_refusal,
    "session.created": a_session,
    "session.updated": a_session,
    "conversation.item.added": a_text_turn,
    "conversation.item.done": a_text_turn,
    "conversation.item.retrieved": a_voice_turn,
    "conversation.item.truncated": a_voice_turn,
    "conversation.item.deleted": a_voice_turn,
    "conversation.item.input_audio_transcription.delta": a_voice_turn,
    "conversation.item.input_audio_transcription.completed": a_voice_turn,
    "conversation.item.input_audio_transcription.failed": an_unheard_turn,
    "input_audio_buffer.committed": a_voice_turn,
    "input_audio_buffer.cleared": a_change_of_mind,
    "input_audio_buffer.speech_started": a_voice_turn,
    "input_audio_buffer.speech_stopped": a_voice_turn,
    "input_audio_buffer.timeout_triggered": a_silence,
    "rate_limits.updated": a_text_turn,
    "response.created": a_text_turn,
    "response.done": a_text_turn,
    "response.output_item.added": a_text_turn,
    "response.output_item.done": a_text_turn,
    "response.content_part.added": a_text_turn,
    "response.content_part.done": a_text_turn,
    "response.output_text.delta": a_text_turn,
    "response.output_text.done": a_text_turn,
    "response.output_audio.delta": a_voice_turn,
    "response.output_audio.done": a_voice_turn,
    "response.output_audio_transcript.delta": a_voice_turn,
    "response.output_audio_transcript.done": a_voice_turn,
    "response.function_call_arguments.delta": a_function_call,
    "response.function_call_arguments.done": a_function_call,
    "mcp_list_tools.in_progress": an_mcp_call,
    "mcp_list_tools.completed": an_mcp_call,
    "mcp_list_tools.failed": a_missing_mcp_server,
    "response.mcp_call_arguments.delta": an_mcp_call,
    "response.mcp_call_arguments.done": an_mcp_call,
    "response.mcp_call.in_progress": an_mcp_call,
    "response.mcp_call.completed": an_mcp_call,
    "response.mcp_call.failed": a_failing_mcp_call,
}
"""When each event comes."""

NEVER = {
    "conversation.created": "of the beta",
    "conversation.item.created": "of the beta",
    "conversation.item.input_audio_transcription.segment": "of models that tell speakers apart",
    "input_audio_buffer.dtmf_event_received": "comes with SIP",
    "output_audio_buffer.started": "comes with WebRTC and SIP",
    "output_audio_buffer.stopped": "comes with WebRTC and SIP",
    "output_audio_buffer.cleared": "comes with WebRTC and SIP",
}
"""What a WebSocket session never gets, and why."""


@pytest.fixture(scope="module")
def logs() -> dict[Callable[[], Peer], list[Event]]:
    """What came, whatever happened."""
    return {story: story().log for story in EVENTS.values()}


def test_every_event_is_here() -> None:
    """The tables have each event of the catalogue once; what only calls and the beta have is as recorded."""
    assert EVENTS.keys() | NEVER.keys() == SERVER_EVENTS.keys() == RECORDED["server"].keys()
    assert not EVENTS.keys() & NEVER.keys()
    notes = RECORDED["notes"]
    calls_only = {*notes["webrtc_sip_only_server"], *notes["sip_only_server"], *notes["beta_only_or_legacy_server"]}
    assert NEVER.keys() - calls_only == {"conversation.item.input_audio_transcription.segment"}


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_has_its_fields(logs: Any, name: str) -> None:
    """It comes when it should, with every field it must have and none that it may not have; times are whole numbers."""
    found = [event for event in logs[EVENTS[name]] if event["type"] == name]
    assert found
    required, optional = set(RECORDED["server"][name]), set(RECORDED["server_optional"][name])
    for event in found:
        assert required <= event.keys() <= required | optional
        assert event["event_id"]
        assert all(isinstance(value, int) for field, value in event.items() if field.endswith(("_ms", "_index")))
        assert "previous_item_id" in event or "previous_item_id" not in optional, "null is said, too"


@pytest.mark.parametrize("name", NEVER)
def test_an_event_never_comes(logs: Any, name: str) -> None:
    """Over a WebSocket it is not sent, whatever happens."""
    assert all(event["type"] != name for log in logs.values() for event in log)


def test_ids_are_used_once(logs: Any) -> None:
    """No two events of a connection have the same id."""
    for log in logs.values():
        assert len({event["event_id"] for event in log}) == len(log)


def test_what_is_opened_is_closed(logs: Any) -> None:
    """Every item and part that is added is done, once, with the same id."""
    for log in logs.values():
        for kind in ("conversation.item", "response.output_item", "response.content_part"):
            added, done = (
                [event.get("item_id") or event["item"]["id"] for event in log if event["type"] == f"{kind}.{end}"]
                for end in ("added", "done")
            )
            assert sorted(added) == sorted(done)
