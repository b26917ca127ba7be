"""The events a server sends while it answers (protocol, 2.2 and 3.7)."""

from __future__ import annotations

from typing import Literal

from realtime_nb.protocol.base import Value, always
from realtime_nb.protocol.items import Item
from realtime_nb.protocol.session_config import MaxTokens, Modalities
from realtime_nb.protocol.usage import Usage

from .client import ResponseAudio
from .server import ContentEvent, ServerEventBase

__all__ = [
    "ContentPart",
    "Response",
    "ResponseContentPartAdded",
    "ResponseContentPartDone",
    "ResponseCreated",
    "ResponseDone",
    "ResponseError",
    "ResponseFunctionCallArgumentsDelta",
    "ResponseFunctionCallArgumentsDone",
    "ResponseMcpCallArgumentsDelta",
    "ResponseMcpCallArgumentsDone",
    "ResponseMcpCallCompleted",
    "ResponseMcpCallFailed",
    "ResponseMcpCallInProgress",
    "ResponseOutputAudioDelta",
    "ResponseOutputAudioDone",
    "ResponseOutputAudioTranscriptDelta",
    "ResponseOutputAudioTranscriptDone",
    "ResponseOutputItemAdded",
    "ResponseOutputItemDone",
    "ResponseOutputTextDelta",
    "ResponseOutputTextDone",
    "ResponseReason",
    "ResponseStatus",
    "StatusDetails",
]

ResponseStatus = Literal["in_progress", "completed", "cancelled", "incomplete", "failed"]
ResponseReason = Literal["turn_detected", "client_cancelled", "max_output_tokens", "content_filter"]


class ResponseError(Value, frozen=True, kw_only=True):
    """Why a response failed."""

    type: str | None = None
    code: str | None = None
    message: str | None = None


class StatusDetails(Value, frozen=True, kw_only=True):
    """Why a response did not complete."""

    type: ResponseStatus | None = None
    reason: ResponseReason | None = None
    error: ResponseError | None = None


class Response(Value, frozen=True, kw_only=True):
    """A response, as it begins and as it ends."""

    object: Literal["realtime.response"] = always("realtime.response")
    id: str
    status: ResponseStatus = always("in_progress")
    status_details: StatusDetails | None = always(None)
    output: tuple[Item, ...] = always(())
    conversation_id: str | None = always(None)
    """Null out of band."""
    output_modalities: Modalities = always(("audio",))
    max_output_tokens: MaxTokens = always("inf")
    audio: ResponseAudio | None = None
    usage: Usage | None = always(None)
    """Null until done."""
    metadata: dict[str, str] | None = always(None)


class ResponseCreated(ServerEventBase, tag="response.created", frozen=True, kw_only=True):
    """A response begins."""

    response: Response


class ResponseDone(ServerEventBase, tag="response.done", frozen=True, kw_only=True):
    """A response is over, whatever its status.

    Open, and chosen here: with truncation disabled a context that is too long fails with
    ``context_length_exceeded``; a response may read 28,224 tokens of a window of 32,000, the SDK's figure;
    ``image_tokens`` are an estimate by GPT-4o's tiles, for no formula of this family is known. Ours: they are marked,
    by ``usage.input_token_details.image_tokens_estimated``.
    """

    response: Response


# ---------------------------------------------------------------- items
class _Output(ServerEventBase, frozen=True, kw_only=True):
    response_id: str
    output_index: int


class _OutputItem(_Output, frozen=True, kw_only=True):
    item: Item


class _OutputContent(ContentEvent, frozen=True, kw_only=True):
    response_id: str
    output_index: int


class ResponseOutputItemAdded(_OutputItem, tag="response.output_item.added", frozen=True, kw_only=True):
    """The response begins an item."""


class ResponseOutputItemDone(_OutputItem, tag="response.output_item.done", frozen=True, kw_only=True):
    """The response has finished an item, or left it."""


class ContentPart(Value, frozen=True, kw_only=True):
    """A part of a reply; its type has the short names of the beta."""

    type: Literal["text", "audio"]
    text: str | None = None
    transcript: str | None = None
    audio: bytes | None = None


class ResponseContentPartAdded(_OutputContent, tag="response.content_part.added", frozen=True, kw_only=True):
    """The item begins a part."""

    part: ContentPart


class ResponseContentPartDone(_OutputContent, tag="response.content_part.done", frozen=True, kw_only=True):
    """The item has finished a part."""

    part: ContentPart


# ---------------------------------------------------------------- text and sound
class ResponseOutputTextDelta(_OutputContent, tag="response.output_text.delta", frozen=True, kw_only=True):
    """Some written words."""

    delta: str


class ResponseOutputTextDone(_OutputContent, tag="response.output_text.done", frozen=True, kw_only=True):
    """All the written words."""

    text: str


class ResponseOutputAudioDelta(_OutputContent, tag="response.output_audio.delta", frozen=True, kw_only=True):
    """Some sound, in the response's output format."""

    delta: bytes


class ResponseOutputAudioDone(_OutputContent, tag="response.output_audio.done", frozen=True, kw_only=True):
    """No more sound of this part."""


class ResponseOutputAudioTranscriptDelta(
    _OutputContent, tag="response.output_audio_transcript.delta", frozen=True, kw_only=True
):
    """Some spoken words."""

    delta: str


class ResponseOutputAudioTranscriptDone(
    _OutputContent, tag="response.output_audio_transcript.done", frozen=True, kw_only=True
):
    """All the spoken words."""

    transcript: str


# ---------------------------------------------------------------- calls
class _OutputCall(_Output, frozen=True, kw_only=True):
    item_id: str


class ResponseFunctionCallArgumentsDelta(
    _OutputCall, tag="response.function_call_arguments.delta", frozen=True, kw_only=True
):
    """Some of a call's arguments."""

    call_id: str
    delta: str


class ResponseFunctionCallArgumentsDone(
    _OutputCall, tag="response.function_call_arguments.done", frozen=True, kw_only=True
):
    """All of a call's arguments."""

    call_id: str
    name: str
    arguments: str


class ResponseMcpCallArgumentsDelta(_OutputCall, tag="response.mcp_call_arguments.delta", frozen=True, kw_only=True):
    """Some of an MCP call's arguments."""

    delta: str
    obfuscation: str | None = None


class ResponseMcpCallArgumentsDone(_OutputCall, tag="response.mcp_call_arguments.done", frozen=True, kw_only=True):
    """All of an MCP call's arguments.

    Where the tool needs leave, an item ``mcp_approval_request`` follows and the response goes on without the call,
    whose item stays in progress until the client's ``mcp_approval_response``.
    """

    arguments: str


class _McpCall(ServerEventBase, frozen=True, kw_only=True):
    item_id: str
    output_index: int


class ResponseMcpCallInProgress(_McpCall, tag="response.mcp_call.in_progress", frozen=True, kw_only=True):
    """The MCP server was asked.

    Of a call that needed leave it comes after its response, when leave is given; ``output_index`` is the place it
    had.
    """


class ResponseMcpCallCompleted(_McpCall, tag="response.mcp_call.completed", frozen=True, kw_only=True):
    """The MCP server answered.

    The model speaks of it when the client sends ``response.create``; nothing does so by itself.
    """


class ResponseMcpCallFailed(_McpCall, tag="response.mcp_call.failed", frozen=True, kw_only=True):
    """The MCP server did not, or said no.

    The item's ``error`` says why. Ours: a server that cannot be reached is an ``http_error`` 424, one that takes
    too long 504; what the user did not approve is a ``tool_execution_error``. A response that is stopped stops its
    calls.
    """
