"""The events a server sends (protocol, 2.2): about the session, the sound that is heard, and the conversation."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from realtime_nb.protocol.base import Value, always
from realtime_nb.protocol.items import Item
from realtime_nb.protocol.session_config import AnySession
from realtime_nb.protocol.usage import TranscriptionUsage

__all__ = [
    "ContentEvent",
    "ConversationCreated",
    "ConversationItemAdded",
    "ConversationItemCreated",
    "ConversationItemDeleted",
    "ConversationItemDone",
    "ConversationItemInputAudioTranscriptionCompleted",
    "ConversationItemInputAudioTranscriptionDelta",
    "ConversationItemInputAudioTranscriptionFailed",
    "ConversationItemInputAudioTranscriptionSegment",
    "ConversationItemRetrieved",
    "ConversationItemTruncated",
    "ConversationResource",
    "Error",
    "ErrorDetail",
    "InputAudioBufferCleared",
    "InputAudioBufferCommitted",
    "InputAudioBufferDtmfEventReceived",
    "InputAudioBufferSpeechStarted",
    "InputAudioBufferSpeechStopped",
    "InputAudioBufferTimeoutTriggered",
    "LogProb",
    "McpListToolsCompleted",
    "McpListToolsFailed",
    "McpListToolsInProgress",
    "OutputAudioBufferCleared",
    "OutputAudioBufferStarted",
    "OutputAudioBufferStopped",
    "RateLimit",
    "RateLimitsUpdated",
    "ServerEventBase",
    "SessionCreated",
    "SessionUpdated",
    "TranscriptionError",
    "UnknownEvent",
]


class ServerEventBase(Value, frozen=True, kw_only=True):
    """What all server events have; the connection that sends fills in the id."""

    event_id: str = ""


class _OfItem(ServerEventBase, frozen=True, kw_only=True):
    item_id: str


class _OfResponse(ServerEventBase, frozen=True, kw_only=True):
    response_id: str


class _Carrying(ServerEventBase, frozen=True, kw_only=True):
    item: Item
    previous_item_id: str | None = always(None)
    """The one before it; null for the first."""


# ---------------------------------------------------------------- session
class ErrorDetail(Value, frozen=True, kw_only=True):
    """What went wrong."""

    type: str = always("invalid_request_error")
    code: str | None = always(None)
    message: str
    param: str | None = always(None)
    """The dotted path of the field at fault."""
    event_id: str | None = always(None)
    """The client's own id of the event at fault."""


class Error(ServerEventBase, tag="error", frozen=True, kw_only=True):
    """Something was refused; the session goes on.

    Open: the wording of ``invalid_json`` and of a missing ``type`` is known from one probe each. ``session.close``
    and ``session.input_audio_buffer.append``, which the live service names among its types, belong to translation
    sessions and are refused here. Open: who of several peers is told; here the one who caused it, alone. A
    ``call_id`` that names no session is answered by code ``call_id_not_found`` and close 4000, an ephemeral secret
    that would attach by ``ephemeral_secret`` and 3000, one peer too many by ``peer_limit_reached`` and 1013.

    Ours: an error of type ``external_connector_error`` says why an MCP server's tools could not be listed.
    """

    error: ErrorDetail


class SessionCreated(ServerEventBase, tag="session.created", frozen=True, kw_only=True):
    """The first event of a connection.

    Open: ``silence_duration_ms`` is 200 live and 500 in the docs; 200 here. Open: what a sideband
    (``/v1/realtime?call_id=``) is told first. Here this event, with the session as it is by then; ``call_id`` takes
    a call's ``rtc_...`` and any other session's ``id`` alike. From then on it gets every event that the others get,
    of a WebSocket's session the sound, too. Ours: ``session.brain`` says which models answer.
    """

    session: AnySession


class SessionUpdated(ServerEventBase, tag="session.updated", frozen=True, kw_only=True):
    """The answer to ``session.update``: the whole session as it is now.

    Ours: what opens an MCP server, ``authorization`` and the values of ``headers``, is shown as ``<redacted>``.
    """

    session: AnySession


class RateLimit(Value, frozen=True, kw_only=True):
    """One limit, after the last response was settled."""

    name: Literal["requests", "tokens"]
    limit: int
    """What a minute allows."""
    remaining: int
    reset_seconds: float
    """Until all of it is there again."""


class RateLimitsUpdated(ServerEventBase, tag="rate_limits.updated", frozen=True, kw_only=True):
    """Comes after each ``response.done``; empty where nothing is limited.

    Open: the docs put it at the response's beginning, captures after its end; and only a ``tokens`` row was ever
    seen. Here it comes after the end, with both rows where a tier holds.
    """

    rate_limits: tuple[RateLimit, ...]


# ---------------------------------------------------------------- what is heard
class InputAudioBufferCommitted(_OfItem, tag="input_audio_buffer.committed", frozen=True, kw_only=True):
    """The buffered sound became this item."""

    previous_item_id: str | None = always(None)


class InputAudioBufferCleared(ServerEventBase, tag="input_audio_buffer.cleared", frozen=True, kw_only=True):
    """The buffered sound is forgotten."""


class InputAudioBufferSpeechStarted(_OfItem, tag="input_audio_buffer.speech_started", frozen=True, kw_only=True):
    """Somebody speaks; stop the playback. The item is the one the speech will become."""

    audio_start_ms: int
    """From the session's first sound; the padding is counted in."""


class InputAudioBufferSpeechStopped(_OfItem, tag="input_audio_buffer.speech_stopped", frozen=True, kw_only=True):
    """Nobody speaks any more."""

    audio_end_ms: int
    """From the session's first sound; the silence that ended it is counted in."""


class InputAudioBufferTimeoutTriggered(_OfItem, tag="input_audio_buffer.timeout_triggered", frozen=True, kw_only=True):
    """Nobody has said anything for ``idle_timeout_ms`` since the reply was played.

    It comes once; an empty turn is committed, and answered.
    """

    audio_start_ms: int
    audio_end_ms: int


class InputAudioBufferDtmfEventReceived(
    ServerEventBase, tag="input_audio_buffer.dtmf_event_received", frozen=True, kw_only=True
):
    """A key of a telephone (SIP only); has no ``event_id`` on the wire.

    Comes with SIP: a WebSocket has no telephone.
    """

    event: str
    received_at: int
    """Unix time in seconds."""


class OutputAudioBufferStarted(_OfResponse, tag="output_audio_buffer.started", frozen=True, kw_only=True):
    """Playback begins (WebRTC and SIP).

    Comes with WebRTC and SIP: over a WebSocket the client plays, and it alone knows.
    """


class OutputAudioBufferStopped(_OfResponse, tag="output_audio_buffer.stopped", frozen=True, kw_only=True):
    """All was played (WebRTC and SIP).

    Comes with WebRTC and SIP: over a WebSocket the client plays, and it alone knows.
    """


class OutputAudioBufferCleared(_OfResponse, tag="output_audio_buffer.cleared", frozen=True, kw_only=True):
    """Playback was cut (WebRTC and SIP).

    Open: what answers ``output_audio_buffer.clear`` when nothing plays. Here this event with an empty
    ``response_id``. It is followed by ``conversation.item.truncated`` for each item that was not heard to its end.
    Comes with WebRTC and SIP: over a WebSocket the client plays, and it alone knows.
    """


# ---------------------------------------------------------------- conversation
class ConversationResource(Value, frozen=True, kw_only=True):
    """The conversation, by name."""

    id: str | None = None
    object: str | None = None


class ConversationCreated(ServerEventBase, tag="conversation.created", frozen=True, kw_only=True):
    """Of the beta; accepted, never sent.

    The GA interface names the conversation in ``response.conversation_id`` alone.
    """

    conversation: ConversationResource


class ConversationItemCreated(_Carrying, tag="conversation.item.created", frozen=True, kw_only=True):
    """Of the beta, for ``added`` and ``done``; accepted, never sent.

    A GA client gets ``conversation.item.added`` and ``.done`` in its place.
    """


class ConversationItemAdded(_Carrying, tag="conversation.item.added", frozen=True, kw_only=True):
    """An item is in the conversation, perhaps unfinished."""


class ConversationItemDone(_Carrying, tag="conversation.item.done", frozen=True, kw_only=True):
    """An item is finished.

    Of a response's item it comes before ``response.output_item.done``, as captured in September 2026; in January it
    was the other way about, so a client must take both.
    """


class ConversationItemRetrieved(ServerEventBase, tag="conversation.item.retrieved", frozen=True, kw_only=True):
    """An item, whole, with its audio bytes; of several peers the one who asked gets it.

    Ours: a sound beyond ``item_bytes`` is left out, for clients that read no messages so large; by default none is.
    """

    item: Item


class ConversationItemDeleted(_OfItem, tag="conversation.item.deleted", frozen=True, kw_only=True):
    """An item is gone."""


class ContentEvent(_OfItem, frozen=True, kw_only=True):
    """What happens to one part of an item."""

    content_index: int


class ConversationItemTruncated(ContentEvent, tag="conversation.item.truncated", frozen=True, kw_only=True):
    """The unheard part of an item is forgotten."""

    audio_end_ms: int


class LogProb(Value, frozen=True, kw_only=True):
    """How sure the recogniser is of one token."""

    token: str
    bytes: tuple[int, ...]
    """The token's UTF-8."""
    logprob: float
    """Natural logarithm."""


class ConversationItemInputAudioTranscriptionDelta(
    _OfItem, tag="conversation.item.input_audio_transcription.delta", frozen=True, kw_only=True
):
    """Some words of what the user said."""

    content_index: int = always(0)
    delta: str = always("")
    logprobs: tuple[LogProb, ...] | None = None


class ConversationItemInputAudioTranscriptionCompleted(
    ContentEvent, tag="conversation.item.input_audio_transcription.completed", frozen=True, kw_only=True
):
    """All the words of what the user said."""

    transcript: str
    usage: TranscriptionUsage
    logprobs: tuple[LogProb, ...] | None = None
    languages: tuple[Any, ...] | None = None


class ConversationItemInputAudioTranscriptionSegment(
    ContentEvent, tag="conversation.item.input_audio_transcription.segment", frozen=True, kw_only=True
):
    """Who said what when (diarising models).

    Never sent: the local recogniser does not tell speakers apart, whatever model is asked for.
    """

    id: str
    text: str
    speaker: str
    start: float
    """Seconds."""
    end: float
    """Seconds."""


class TranscriptionError(Value, frozen=True, kw_only=True):
    """Why there are no words."""

    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None


class ConversationItemInputAudioTranscriptionFailed(
    ContentEvent, tag="conversation.item.input_audio_transcription.failed", frozen=True, kw_only=True
):
    """What the user said could not be written down."""

    error: TranscriptionError


class McpListToolsInProgress(_OfItem, tag="mcp_list_tools.in_progress", frozen=True, kw_only=True):
    """An MCP server is asked for its tools.

    It is asked when it is declared: in ``session.update``, in a response's own tools, or in the settings a session
    begins with. Declared again as it was, it is not asked again.
    """


class McpListToolsCompleted(_OfItem, tag="mcp_list_tools.completed", frozen=True, kw_only=True):
    """It answered; the tools are in the item."""


class McpListToolsFailed(_OfItem, tag="mcp_list_tools.failed", frozen=True, kw_only=True):
    """It did not.

    The event has no words, so an ``error`` with the reason follows. Lists of connectors and tunnels, which are the
    service's own, fail at once. Declared again, the server is asked again.
    """


# ---------------------------------------------------------------- what we do not know
class UnknownEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is not in the catalogue, or not as the catalogue has it; kept as it came."""

    type: str
    payload: dict[str, Any]
    problem: str = ""
    """Why a known type could not be read; empty for an unknown one."""

    @property
    def event_id(self) -> str:
        """The event's id, if it has one."""
        return str(self.payload.get("event_id") or "")
