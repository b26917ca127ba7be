"""Events to text and back: strictly as a server, leniently as a client."""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from realtime_nb.errors import RemoteProtocolError
from realtime_nb.protocol.faults import EventError, fault
from realtime_nb.protocol.strict import parse, refuse_unknown, to_struct, well_formed, without_nulls

from . import client, response, server
from .beta import to_ga
from .client import ClientEvent
from .server import UnknownEvent

__all__ = [
    "CLIENT_EVENTS",
    "SERVER_EVENTS",
    "KnownServerEvent",
    "ServerEvent",
    "decode_client",
    "decode_server",
    "encode",
]

KnownServerEvent = (
    server.Error
    | server.SessionCreated
    | server.SessionUpdated
    | server.RateLimitsUpdated
    | server.InputAudioBufferCommitted
    | server.InputAudioBufferCleared
    | server.InputAudioBufferSpeechStarted
    | server.InputAudioBufferSpeechStopped
    | server.InputAudioBufferTimeoutTriggered
    | server.InputAudioBufferDtmfEventReceived
    | server.OutputAudioBufferStarted
    | server.OutputAudioBufferStopped
    | server.OutputAudioBufferCleared
    | server.ConversationCreated
    | server.ConversationItemCreated
    | server.ConversationItemAdded
    | server.ConversationItemDone
    | server.ConversationItemRetrieved
    | server.ConversationItemDeleted
    | server.ConversationItemTruncated
    | server.ConversationItemInputAudioTranscriptionDelta
    | server.ConversationItemInputAudioTranscriptionCompleted
    | server.ConversationItemInputAudioTranscriptionSegment
    | server.ConversationItemInputAudioTranscriptionFailed
    | server.McpListToolsInProgress
    | server.McpListToolsCompleted
    | server.McpListToolsFailed
    | response.ResponseCreated
    | response.ResponseDone
    | response.ResponseOutputItemAdded
    | response.ResponseOutputItemDone
    | response.ResponseContentPartAdded
    | response.ResponseContentPartDone
    | response.ResponseOutputTextDelta
    | response.ResponseOutputTextDone
    | response.ResponseOutputAudioDelta
    | response.ResponseOutputAudioDone
    | response.ResponseOutputAudioTranscriptDelta
    | response.ResponseOutputAudioTranscriptDone
    | response.ResponseFunctionCallArgumentsDelta
    | response.ResponseFunctionCallArgumentsDone
    | response.ResponseMcpCallArgumentsDelta
    | response.ResponseMcpCallArgumentsDone
    | response.ResponseMcpCallInProgress
    | response.ResponseMcpCallCompleted
    | response.ResponseMcpCallFailed
)
ServerEvent = KnownServerEvent | UnknownEvent


def _by_type(union: Any) -> dict[str, Any]:
    return {kind.__struct_config__.tag: kind for kind in get_args(union)}


CLIENT_EVENTS: dict[str, type[ClientEvent]] = _by_type(ClientEvent)
"""The struct of each type of client event."""
SERVER_EVENTS: dict[str, type[KnownServerEvent]] = _by_type(KnownServerEvent)
"""The struct of each type of server event."""

_WEBSOCKET_EVENTS = [name for name in CLIENT_EVENTS if name != client.OutputAudioBufferClear.__struct_config__.tag]


def encode(event: ClientEvent | ServerEvent) -> str:
    """Write an event as one frame.

    Parameters
    ----------
    event : ClientEvent or ServerEvent
        Any event.

    Returns
    -------
    str
        JSON; bytes as base64, lone surrogates as U+FFFD.
    """
    raw: Any = event.payload if isinstance(event, UnknownEvent) else event
    try:
        return msgspec.json.encode(raw).decode()
    except UnicodeEncodeError:
        return msgspec.json.encode(well_formed(msgspec.to_builtins(raw))).decode()


def decode_client(text: str) -> ClientEvent:
    """Read a client's frame, strictly.

    Parameters
    ----------
    text : str
        One frame.

    Returns
    -------
    ClientEvent
        The event.

    Raises
    ------
    EventError
        When it is anything else, with the code, message and ``param`` of the catalogue (protocol, 4.10) and the
        client's ``event_id`` where it could be read.
    """
    raw = parse(text)
    try:
        kind = _client_kind(raw)
        event = to_struct(raw, kind)
        refuse_unknown(raw, event)
    except EventError as error:
        given = raw.get("event_id")
        error.event_id = given if isinstance(given, str) else None
        raise
    return event


def _client_kind(raw: dict[str, Any]) -> type[ClientEvent]:
    name = raw.get("type")
    if name is None:
        raise fault("no_type")
    kind = CLIENT_EVENTS.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(f"'{known}'" for known in _WEBSOCKET_EVENTS)
        raise fault("unsupported_value", param="type", value=name, supported=known)
    return kind


def decode_server(text: str | bytes) -> ServerEvent:
    """Read a server's frame, leniently.

    Unknown fields are passed over, unknown types kept as :class:`UnknownEvent`, names and shapes of the
    beta mapped to those of today. A known type that cannot be read is kept as an unknown one, with the reason.

    Parameters
    ----------
    text : str or bytes
        One frame.

    Returns
    -------
    ServerEvent
        The event.

    Raises
    ------
    RemoteProtocolError
        When it is not a JSON object at all.
    """
    try:
        event: ServerEvent = _SERVER.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):  # ValidationError is one, too
        return _decode_slowly(text)
    return event


def _decode_slowly(text: str | bytes) -> ServerEvent:
    try:
        raw = parse(text if isinstance(text, str) else text.decode("utf-8", "replace"))
    except EventError as error:
        raise RemoteProtocolError(f"The server sent a frame that is no event: {error.message}") from None
    given = to_ga(raw)
    name = given.get("type")
    kind = SERVER_EVENTS.get(name) if isinstance(name, str) else None
    if kind is None:
        return UnknownEvent(type=str(name or ""), payload=raw)
    try:
        return msgspec.convert(without_nulls(given, kind), kind)
    except msgspec.ValidationError as error:
        return UnknownEvent(type=str(name), payload=raw, problem=str(error))


_SERVER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(KnownServerEvent)
