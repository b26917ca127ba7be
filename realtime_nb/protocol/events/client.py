"""The events a client sends (protocol, 2.1)."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from realtime_nb.protocol.base import Value
from realtime_nb.protocol.formats import AudioFormat
from realtime_nb.protocol.items import Item, ItemReference
from realtime_nb.protocol.session_config import MaxTokens, Modalities, Prompt, Reasoning, Voice
from realtime_nb.protocol.tools import Tool, ToolChoice

__all__ = [
    "ClientEvent",
    "ConversationItemCreate",
    "ConversationItemDelete",
    "ConversationItemRetrieve",
    "ConversationItemTruncate",
    "InputAudioBufferAppend",
    "InputAudioBufferClear",
    "InputAudioBufferCommit",
    "Metadata",
    "OutputAudioBufferClear",
    "ResponseAudio",
    "ResponseAudioOutput",
    "ResponseCancel",
    "ResponseCreate",
    "ResponseParams",
    "SessionUpdate",
]


class _ClientEvent(Value, frozen=True, kw_only=True):
    event_id: Annotated[str, Meta(max_length=512)] | None = None


class SessionUpdate(_ClientEvent, tag="session.update", frozen=True, kw_only=True):
    """Change the session; refused whole when any field is wrong. The answer is ``session.updated``.

    ``model`` is passed over, whatever it says: it cannot change, and stock clients send it.
    """

    session: dict[str, Any]
    """JSON values in the API's words; only present fields change. ``type`` is required."""


class InputAudioBufferAppend(_ClientEvent, tag="input_audio_buffer.append", frozen=True, kw_only=True):
    """Give sound to hear, in the session's input format; not acknowledged.

    Open: whether the 15 MiB that one may have are those of the sound or of its base64. Here they are those of the
    base64, so that more of it is refused by an ``error`` before the frame is too large for the connection.
    """

    audio: bytes


class InputAudioBufferCommit(_ClientEvent, tag="input_audio_buffer.commit", frozen=True, kw_only=True):
    """Make the buffered sound a user's item; needs 100 ms. Makes no response by itself."""


class InputAudioBufferClear(_ClientEvent, tag="input_audio_buffer.clear", frozen=True, kw_only=True):
    """Forget the buffered sound."""


class OutputAudioBufferClear(_ClientEvent, tag="output_audio_buffer.clear", frozen=True, kw_only=True):
    """Stop what is being played; for WebRTC and SIP, where the server keeps the playback buffer.

    Refused over a WebSocket, as the live service does: there the client keeps that buffer, and empties it itself.
    """


class ConversationItemCreate(_ClientEvent, tag="conversation.item.create", frozen=True, kw_only=True):
    """Put an item into the conversation.

    Ours: sound without words (a tone, noise, clicks), sent so or committed by hand, is described to a brain that cannot
    hear: its kind, pitch, length and loudness. The description is in what the brain reads, not in the transcript. What
    turn detection took for speech and has no words is not described, and gets no answer.
    """

    item: Item
    previous_item_id: str | None = None
    """Goes after this one; ``root`` is the beginning, absent is the end."""


class ConversationItemRetrieve(_ClientEvent, tag="conversation.item.retrieve", frozen=True, kw_only=True):
    """Ask for an item whole, with its audio bytes."""

    item_id: str


class ConversationItemDelete(_ClientEvent, tag="conversation.item.delete", frozen=True, kw_only=True):
    """Take an item out of the conversation."""

    item_id: str


class ConversationItemTruncate(_ClientEvent, tag="conversation.item.truncate", frozen=True, kw_only=True):
    """Forget the part of a spoken reply that was not heard: its sound and its words.

    Open, and chosen here: to cut behind the end is refused with ``invalid_value``. To cut the item that is being
    spoken stops its response (``cancelled``, ``client_cancelled``), since stock clients send nothing else when
    their user interrupts.
    """

    item_id: str
    content_index: Annotated[int, Meta(ge=0)]
    audio_end_ms: Annotated[int, Meta(ge=0)]
    """How much was heard, in milliseconds; inclusive."""


class ResponseAudioOutput(Value, frozen=True, kw_only=True):
    """How one response sounds."""

    format: AudioFormat | None = None
    voice: Voice | None = None


class ResponseAudio(Value, frozen=True, kw_only=True):
    """How one response sounds."""

    output: ResponseAudioOutput | None = None


Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]


class ResponseParams(Value, frozen=True, kw_only=True):
    """What one response does otherwise than the session (protocol, 3.6)."""

    output_modalities: Modalities | None = None
    instructions: str | None = None
    audio: ResponseAudio | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: ToolChoice | None = None
    max_output_tokens: MaxTokens | None = None
    metadata: Metadata | None = None
    prompt: Prompt | None = None
    """Of the service; taken and passed over here, where no prompts are stored."""
    conversation: str | None = None
    """``auto`` (the default), or ``none``: out of band, beside the conversation."""
    input: tuple[Item | ItemReference, ...] | None = None
    """Replaces the conversation as what is read; ``()`` is an empty context."""
    parallel_tool_calls: bool | None = None
    """For reasoning models only; taken and passed over."""
    reasoning: Reasoning | None = None
    """For reasoning models only; taken and passed over."""


class ResponseCreate(_ClientEvent, tag="response.create", frozen=True, kw_only=True):
    """Ask for a response; only one at a time in the conversation, others out of band beside it.

    A response that brings MCP servers of its own waits until they have told their tools. For those of the session
    it does not wait: it has what they have told by then.
    """

    response: ResponseParams | None = None


class ResponseCancel(_ClientEvent, tag="response.cancel", frozen=True, kw_only=True):
    """Stop a response; by default the conversation's."""

    response_id: str | None = None


ClientEvent = (
    SessionUpdate
    | InputAudioBufferAppend
    | InputAudioBufferCommit
    | InputAudioBufferClear
    | OutputAudioBufferClear
    | ConversationItemCreate
    | ConversationItemRetrieve
    | ConversationItemDelete
    | ConversationItemTruncate
    | ResponseCreate
    | ResponseCancel
)
