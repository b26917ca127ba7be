"""Our types against two other sources: the openai package that is installed, and the recorded list of events."""

from __future__ import annotations

import json
import re
import types
import typing
from pathlib import Path
from typing import Any

import msgspec
import openai.types.realtime as theirs
import pydantic
import pytest

from realtime_nb.protocol import events as ev
from realtime_nb.protocol import items, session_config, tools
from realtime_nb.protocol.usage import InputTokens, OutputTokens, Usage

RECORDED = json.loads((Path(__file__).parents[1] / "data" / "protocol_events.json").read_text())

OURS_ALONE = {
    "brain",  # which local models answer
    "image_tokens_estimated",  # that they are
    "object",  # their session types leave it out; the wire has it
    "id",
    "expires_at",
    "event_id",
}


def members(union: Any) -> list[type[pydantic.BaseModel]]:
    """The models of a union, however deeply it is nested."""
    if isinstance(union, type) and issubclass(union, pydantic.BaseModel):
        return [union]
    return [model for part in typing.get_args(union) for model in members(part)]


def literal(model: type[pydantic.BaseModel], field: str) -> str:
    """The one value a field can have."""
    annotation = model.model_fields[field].annotation
    options = (annotation, *typing.get_args(annotation))
    return str(next(typing.get_args(o)[0] for o in options if typing.get_origin(o) is typing.Literal))


def ours(kind: type[msgspec.Struct]) -> dict[str, bool]:
    """Our fields, and whether each is required; the tag counts as a required field."""
    fields = {field.encode_name: field.required for field in msgspec.structs.fields(kind)}
    return {"type": True, **fields} if kind.__struct_config__.tag else fields


def required(kind: type[msgspec.Struct]) -> set[str]:
    """Our required fields."""
    return {name for name, needed in ours(kind).items() if needed}


CLIENT = {literal(model, "type"): model for model in members(theirs.RealtimeClientEvent)}
SERVER = {literal(model, "type"): model for model in members(theirs.RealtimeServerEvent)}


@pytest.mark.parametrize("name", sorted({*ev.CLIENT_EVENTS, *CLIENT, *RECORDED["client"]}))
def test_client_event(name: str) -> None:
    """A client event has the fields, and requires the fields, that both sources give it."""
    kind, model = ev.CLIENT_EVENTS[name], CLIENT[name]
    assert set(ours(kind)) == set(model.model_fields)
    assert set(ours(kind)) == {*RECORDED["client"][name], *RECORDED["client_optional"][name]}
    assert required(kind) == {field for field, info in model.model_fields.items() if info.is_required()}
    assert required(kind) == set(RECORDED["client"][name])


@pytest.mark.parametrize("name", sorted({*ev.SERVER_EVENTS, *SERVER, *RECORDED["server"]}))
def test_server_event(name: str) -> None:
    """A server event has the fields, and requires the fields, that both sources give it; its id is filled in late."""
    kind, model = ev.SERVER_EVENTS[name], SERVER[name]
    assert set(ours(kind)) - {"event_id"} == set(model.model_fields) - {"event_id"}
    recorded = {*RECORDED["server"][name], *RECORDED["server_optional"][name]}
    assert set(ours(kind)) - {"event_id"} == recorded - {"event_id"}
    assert required(kind) == {field for field, info in model.model_fields.items() if info.is_required()} - {"event_id"}
    assert required(kind) == set(RECORDED["server"][name]) - {"event_id"}


@pytest.mark.parametrize("name", sorted({**ev.CLIENT_EVENTS, **ev.SERVER_EVENTS}))
def test_name(name: str) -> None:
    """A struct is named after its event's type, in CamelCase."""
    kind = {**ev.CLIENT_EVENTS, **ev.SERVER_EVENTS}[name]
    assert kind.__name__ == "".join(word.capitalize() for word in re.split(r"[._]", name))


PAIRS: list[tuple[type[msgspec.Struct], type[pydantic.BaseModel]]] = [
    (session_config.Session, theirs.RealtimeSessionCreateRequest),
    (session_config.TranscriptionSession, theirs.RealtimeTranscriptionSessionCreateRequest),
    (session_config.Audio, theirs.RealtimeAudioConfig),
    (session_config.AudioInput, theirs.RealtimeAudioConfigInput),
    (session_config.AudioOutput, theirs.RealtimeAudioConfigOutput),
    (session_config.Transcription, theirs.AudioTranscription),
    (session_config.RetentionRatio, theirs.RealtimeTruncationRetentionRatio),
    (ev.ResponseParams, theirs.RealtimeResponseCreateParams),
    (ev.Response, theirs.RealtimeResponse),
    (ev.StatusDetails, theirs.RealtimeResponseStatus),
    (ev.ErrorDetail, theirs.RealtimeError),
    (ev.LogProb, theirs.LogProbProperties),
    (Usage, theirs.RealtimeResponseUsage),
    (InputTokens, theirs.RealtimeResponseUsageInputTokenDetails),
    (OutputTokens, theirs.RealtimeResponseUsageOutputTokenDetails),
    (tools.FunctionTool, theirs.RealtimeFunctionTool),
    (items.FunctionCall, theirs.RealtimeConversationItemFunctionCall),
    (items.FunctionCallOutput, theirs.RealtimeConversationItemFunctionCallOutput),
    (items.Message, theirs.RealtimeConversationItemUserMessage),
    (items.McpCall, theirs.RealtimeMcpToolCall),
    (items.McpListTools, theirs.RealtimeMcpListTools),
    (items.McpApprovalRequest, theirs.RealtimeMcpApprovalRequest),
    (items.McpApprovalResponse, theirs.RealtimeMcpApprovalResponse),
    (items.McpProtocolError, theirs.RealtimeMcpProtocolError),
    (items.McpHttpError, theirs.RealtimeMcphttpError),
    (items.McpToolExecutionError, theirs.RealtimeMcpToolExecutionError),
]


@pytest.mark.parametrize(("kind", "model"), PAIRS, ids=lambda each: each.__name__)
def test_resource(kind: type[msgspec.Struct], model: type[pydantic.BaseModel]) -> None:
    """What events carry has the same fields as there, but for those that are ours alone."""
    mcp = {"object", "status"} if kind.__name__.startswith("Mcp") else set()  # every item of ours may have them
    assert set(ours(kind)) - OURS_ALONE - mcp == set(model.model_fields) - OURS_ALONE


def test_mcp_server() -> None:
    """An MCP tool entry has the same fields as there."""
    module = typing.cast(
        "types.ModuleType", __import__("openai.types.realtime.realtime_tools_config_union", fromlist=["Mcp"])
    )
    assert set(ours(tools.McpServer)) == set(module.Mcp.model_fields)


def test_detection() -> None:
    """Both ways to detect turns have the same fields as there."""
    models = {literal(model, "type"): model for model in members(theirs.RealtimeAudioInputTurnDetection)}
    for kind in (session_config.ServerVad, session_config.SemanticVad):
        assert set(ours(kind)) == set(models[str(kind.__struct_config__.tag)].model_fields)


def test_beta_names() -> None:
    """Each event the beta named otherwise is known by its name of today."""
    recorded = {old: new for old, new in RECORDED["notes"]["beta_to_ga"].items() if isinstance(new, str)}
    for old, new in recorded.items():
        if not old.endswith(".update"):  # of the client's
            assert ev.BETA_TO_GA[old] == new


def test_their_client_reads_what_we_send() -> None:
    """The default session is one that the openai package validates, in the shape recorded live."""
    raw = json.loads(ev.encode(ev.SessionCreated(event_id="e", session=session_config.Session())))
    event = theirs.SessionCreatedEvent.model_validate(raw)
    assert event.session.audio.input.turn_detection.silence_duration_ms == 200  # type: ignore[union-attr]
    assert list(raw["session"]) == [
        "type", "object", "id", "model", "output_modalities", "instructions", "tools", "tool_choice",
        "max_output_tokens", "tracing", "truncation", "prompt", "expires_at", "include", "audio",
    ]  # fmt: skip
