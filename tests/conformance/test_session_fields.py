"""Every field of a session: set and echoed, or refused by its name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from .fields import session_fields

if TYPE_CHECKING:
    from .conftest import Peer

BAD_KIND, BAD_VALUE = "invalid_type", "invalid_value"
LOW, HIGH = "decimal_below_min_value", "decimal_above_max_value"
TOO_FEW, TOO_MANY = "integer_below_min_value", "integer_above_max_value"
HIDDEN = "<redacted>"
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}

FIELDS: dict[str, tuple[Any, Any, str]] = {
    "type": ("realtime", "nope", BAD_VALUE),
    "output_modalities": (["text"], ["text", "audio"], BAD_VALUE),
    "instructions": ("Be brief.", 1, BAD_KIND),
    "tools": ([], {}, BAD_KIND),
    "tools[](function).type": ("function", "web_search", BAD_VALUE),
    "tools[](function).name": ("find", 1, BAD_KIND),
    "tools[](function).description": ("Finds.", 1, BAD_KIND),
    "tools[](function).parameters": (SCHEMA, "q", BAD_KIND),
    "tools[](mcp).type": ("mcp", "web_search", BAD_VALUE),
    "tools[](mcp).server_label": ("maps", 1, BAD_KIND),
    "tools[](mcp).server_url": ("https://maps.example/mcp", "file:///etc/passwd", BAD_VALUE),
    "tools[](mcp).connector_id": ("connector_gmail", 1, BAD_KIND),
    "tools[](mcp).tunnel_id": ("tunnel_1", 1, BAD_KIND),
    "tools[](mcp).server_description": ("Maps.", 1, BAD_KIND),
    "tools[](mcp).authorization": ("token", "two\nlines", BAD_VALUE),
    "tools[](mcp).headers": ({"X-Key": "pepper"}, {"X Key": "pepper"}, BAD_VALUE),
    "tools[](mcp).allowed_tools": (["find"], "find", BAD_KIND),
    "tools[](mcp).allowed_tools.tool_names": (["find"], "find", BAD_KIND),
    "tools[](mcp).allowed_tools.read_only": (True, "yes", BAD_KIND),
    "tools[](mcp).allowed_callers": (["direct"], ["nobody"], BAD_VALUE),
    "tools[](mcp).require_approval": ("never", "sometimes", BAD_VALUE),
    "tools[](mcp).require_approval.always": ({"read_only": False}, "find", BAD_KIND),
    "tools[](mcp).require_approval.always.tool_names": (["find"], "find", BAD_KIND),
    "tools[](mcp).require_approval.always.read_only": (True, "yes", BAD_KIND),
    "tools[](mcp).require_approval.never": ({"read_only": True}, "find", BAD_KIND),
    "tools[](mcp).require_approval.never.tool_names": (["find"], "find", BAD_KIND),
    "tools[](mcp).require_approval.never.read_only": (True, "yes", BAD_KIND),
    "tools[](mcp).defer_loading": (True, "yes", BAD_KIND),
    "tool_choice": ("required", "sometimes", BAD_VALUE),
    "tool_choice(function).type": ("function", "web_search", BAD_VALUE),
    "tool_choice(function).name": ("find", 1, BAD_KIND),
    "tool_choice(mcp).type": ("mcp", "web_search", BAD_VALUE),
    "tool_choice(mcp).server_label": ("maps", 1, BAD_KIND),
    "tool_choice(mcp).name": ("find", 1, BAD_KIND),
    "max_output_tokens": (4096, 4097, TOO_MANY),
    "tracing": ("auto", "always", BAD_VALUE),
    "tracing.workflow_name": ("lesson", 1, BAD_KIND),
    "tracing.group_id": ("class", 1, BAD_KIND),
    "tracing.metadata": ({"room": "4"}, "room", BAD_KIND),
    "truncation": ("disabled", "always", BAD_VALUE),
    "truncation(retention_ratio).type": ("retention_ratio", "ratio", BAD_VALUE),
    "truncation(retention_ratio).retention_ratio": (0.8, 1.1, HIGH),
    "truncation(retention_ratio).token_limits": ({"post_instructions": 8000}, 8000, BAD_KIND),
    "truncation(retention_ratio).token_limits.post_instructions": (8000, -1, TOO_FEW),
    "prompt": ({"id": "pmpt_1"}, "pmpt_1", BAD_KIND),
    "prompt.id": ("pmpt_1", 1, BAD_KIND),
    "prompt.version": ("2", 2, BAD_KIND),
    "prompt.variables": ({"name": "Ada"}, "Ada", BAD_KIND),
    "include": (["item.input_audio_transcription.logprobs"], ["item.everything"], BAD_VALUE),
    "reasoning": ({"effort": "low"}, "low", BAD_KIND),
    "reasoning.effort": ("high", "most", BAD_VALUE),
    "parallel_tool_calls": (False, "no", BAD_KIND),
    "audio": ({"output": {"speed": 1.2}}, "loud", BAD_KIND),
    "audio.input": ({"turn_detection": None}, "ears", BAD_KIND),
    "audio.input.format": ({"type": "audio/pcmu"}, "pcm16", BAD_KIND),
    "audio.input.format(audio/pcm).type": ("audio/pcm", "audio/opus", BAD_VALUE),
    "audio.input.format(audio/pcm).rate": (24000, 16000, TOO_FEW),
    "audio.input.format(audio/pcmu).type": ("audio/pcmu", "audio/opus", BAD_VALUE),
    "audio.input.format(audio/pcma).type": ("audio/pcma", "audio/opus", BAD_VALUE),
    "audio.input.transcription": ({"model": "whisper-1"}, "whisper-1", BAD_KIND),
    "audio.input.transcription.model": ("whisper-1", 1, BAD_KIND),
    "audio.input.transcription.language": ("de", 1, BAD_KIND),
    "audio.input.transcription.prompt": ("Rhein, Nil", 1, BAD_KIND),
    "audio.input.transcription.languages": (["de", "en"], "de", BAD_KIND),
    "audio.input.transcription.keywords": (["Rhein"], "Rhein", BAD_KIND),
    "audio.input.transcription.delay": ("low", "none", BAD_VALUE),
    "audio.input.noise_reduction": ({"type": "near_field"}, "near_field", BAD_KIND),
    "audio.input.noise_reduction.type": ("far_field", "mid_field", BAD_VALUE),
    "audio.input.noise_reduction.strength": (0.5, 2, HIGH),
    "audio.input.turn_detection": (None, "server_vad", BAD_KIND),
    "audio.input.turn_detection(server_vad).type": ("server_vad", "client_vad", BAD_VALUE),
    "audio.input.turn_detection(server_vad).threshold": (0.7, -0.1, LOW),
    "audio.input.turn_detection(server_vad).prefix_padding_ms": (200, -1, TOO_FEW),
    "audio.input.turn_detection(server_vad).silence_duration_ms": (700, -1, TOO_FEW),
    "audio.input.turn_detection(server_vad).idle_timeout_ms": (5000, 4999, TOO_FEW),
    "audio.input.turn_detection(server_vad).create_response": (False, "no", BAD_KIND),
    "audio.input.turn_detection(server_vad).interrupt_response": (False, "no", BAD_KIND),
    "audio.input.turn_detection(semantic_vad).type": ("semantic_vad", "client_vad", BAD_VALUE),
    "audio.input.turn_detection(semantic_vad).eagerness": ("high", "greedy", BAD_VALUE),
    "audio.input.turn_detection(semantic_vad).create_response": (False, "no", BAD_KIND),
    "audio.input.turn_detection(semantic_vad).interrupt_response": (False, "no", BAD_KIND),
    "audio.output": ({"voice": "cedar"}, "mouth", BAD_KIND),
    "audio.output.format": ({"type": "audio/pcmu"}, "pcm16", BAD_KIND),
    "audio.output.format(audio/pcm).type": ("audio/pcm", "audio/opus", BAD_VALUE),
    "audio.output.format(audio/pcm).rate": (24000, 16000, TOO_FEW),
    "audio.output.format(audio/pcmu).type": ("audio/pcmu", "audio/opus", BAD_VALUE),
    "audio.output.format(audio/pcma).type": ("audio/pcma", "audio/opus", BAD_VALUE),
    "audio.output.voice": ("cedar", 1, BAD_KIND),
    "audio.output.voice.id": ("voice_1", 1, BAD_KIND),
    "audio.output.speed": (1.5, 1.6, HIGH),
}
"""A value that each field takes, one that it does not take, and the code of the refusal."""
SET_BY_THE_SERVER = {"object": "realtime.session", "id": "sess_2", "expires_at": 1, "brain": "mine"}
ALSO: dict[str, dict[str, Any]] = {
    "tools[](function)": {"name": "f"},
    "tools[](mcp)": {"server_label": "maps", "server_url": "https://maps.example/"},
    "tool_choice(function)": {"name": "find"},
    "tool_choice(mcp)": {"server_label": "maps"},
    "truncation(retention_ratio)": {"retention_ratio": 0.5},
    "prompt": {"id": "pmpt_1"},
    "audio.input.noise_reduction": {"type": "near_field"},
}
"""What must stand beside a field so that its object is whole."""
INSTEAD = {"tools[](mcp).connector_id": "server_url", "tools[](mcp).tunnel_id": "server_url"}
"""What must not stand beside it."""
TOOLS = [{"type": "function", "name": "find"}, {"type": "mcp", **ALSO["tools[](mcp)"]}]
STEP = re.compile(r"(?P<name>\w+)(?P<many>\[\])?(?:\((?P<kind>[^)]+)\))?(?:\.|$)")


def update(path: str, value: Any) -> dict[str, Any]:
    """The ``session`` of an update that sets one field."""
    session = {"type": "realtime", **({"tools": TOOLS} if path.startswith("tool_choice(") else {})}
    here: dict[str, Any] = session
    for step in STEP.finditer(path):
        if step.end() == len(path):
            break
        kind, whole = step["kind"], path[: step.end() - 1]
        below = {**({"type": kind} if kind else {}), **ALSO.get(whole, {})}
        below.pop(INSTEAD.get(path, ""), None)
        here[step["name"]] = [below] if step["many"] else below
        here = below
    here[path.rpartition(".")[2]] = value
    return session


def echoed(session: Any, path: str) -> Any:
    """What a session says of one field."""
    for step in STEP.finditer(path):
        session = session[step["name"]]
        session = session[0] if step["many"] else session
    return session


def shown(path: str, value: Any) -> Any:
    """What is to be said of it."""
    if path.endswith(".authorization"):
        return HIDDEN
    return dict.fromkeys(value, HIDDEN) if path.endswith(".headers") else value


def test_every_field_is_here() -> None:
    """The table has each field of the session's types once."""
    assert sorted([*FIELDS, *SET_BY_THE_SERVER, "model"]) == sorted(field.path for field in session_fields())


@pytest.mark.parametrize("path", FIELDS)
def test_a_field_is_set(peer: Peer, path: str) -> None:
    """The update is answered with the whole session, which has the new value in its place."""
    value = FIELDS[path][0]
    [answer, *_] = peer.send("session.update", session=update(path, value))
    assert answer["type"] == "session.updated"
    found, wanted = echoed(answer["session"], path), shown(path, value)
    if isinstance(wanted, dict):  # what is not named keeps its value
        assert wanted.items() <= found.items() or path == "audio"
    else:
        assert found == wanted


@pytest.mark.parametrize("path", FIELDS)
def test_a_wrong_value_is_refused(peer: Peer, path: str) -> None:
    """The error names the field, and nothing of the update is done."""
    _, wrong, code = FIELDS[path]
    before = peer.server.session
    given = {**update(path, wrong), "max_output_tokens": 5} if path != "max_output_tokens" else update(path, wrong)
    [error] = peer.send("session.update", event_id="mine", session=given)
    dotted = re.sub(r"\([^)]*\)", "", path).replace("[]", "[0]")
    assert (error["type"], error["error"]["event_id"]) == ("error", "mine")
    assert error["error"]["code"] == code
    assert error["error"]["param"] is not None
    assert error["error"]["param"].startswith(f"session.{dotted}")
    assert peer.server.session == before


@pytest.mark.parametrize("path", SET_BY_THE_SERVER)
def test_what_the_server_sets(peer: Peer, path: str) -> None:
    """A client may not set what is the server's to say."""
    assert path in peer.log[0]["session"] or path == "brain"
    [error] = peer.send("session.update", session={"type": "realtime", path: SET_BY_THE_SERVER[path]})
    assert (error["error"]["code"], error["error"]["param"]) == ("unknown_parameter", f"session.{path}")


def test_the_model_stays(peer: Peer) -> None:
    """``model`` is taken and passed over: stock clients send it."""
    [answer] = peer.update(model="gpt-realtime-2.1", instructions="Be brief.")
    assert (answer["session"]["model"], answer["session"]["instructions"]) == ("gpt-realtime-mini", "Be brief.")


def test_a_detector_of_another_type_replaces_the_first(peer: Peer) -> None:
    """No field of ``server_vad`` stays in a ``semantic_vad``; one of the same type keeps what is not named."""
    peer.update(audio={"input": {"turn_detection": {"type": "server_vad", "threshold": 0.9}}})
    peer.update(audio={"input": {"turn_detection": {"silence_duration_ms": 300}}})
    assert peer.log[-1]["session"]["audio"]["input"]["turn_detection"]["threshold"] == 0.9
    [answer] = peer.update(audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
    assert answer["session"]["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }


def test_what_is_cleared(peer: Peer) -> None:
    """Empty values clear: no instructions, no tools, no detector, no transcription."""
    peer.update(instructions="Be brief.", tools=TOOLS[:1], audio={"input": {"transcription": {}}})
    [answer] = peer.update(instructions="", tools=[], audio={"input": {"turn_detection": None, "transcription": None}})
    session = answer["session"]
    assert (session["instructions"], session["tools"]) == ("", [])
    assert (session["audio"]["input"]["turn_detection"], session["audio"]["input"]["transcription"]) == (None, None)


def test_what_may_not_change_any_more(peer: Peer) -> None:
    """The voice is fixed once it was heard, tracing once it is set, and a session keeps its type."""
    peer.update(tracing="auto", audio={"output": {"voice": "cedar"}})
    peer.reply()
    for change, code in (
        ({"audio": {"output": {"voice": "marin"}}}, "cannot_update_voice"),
        ({"tracing": {"group_id": "g"}}, "cannot_update_tracing"),
        ({"type": "transcription"}, None),
    ):
        [error] = peer.send("session.update", session={"type": "realtime", **change})
        assert error["error"]["code"] == code
    assert peer.update(audio={"output": {"voice": "cedar", "speed": 0.9}})[0]["type"] == "session.updated"
