"""What a conversation is made of: messages, function calls and their outputs, MCP items (protocol, 2.3)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from .base import Value, always

__all__ = [
    "ALLOWED_PARTS",
    "FunctionCall",
    "FunctionCallOutput",
    "InputAudio",
    "InputImage",
    "InputText",
    "Item",
    "ItemReference",
    "ItemStatus",
    "McpApprovalRequest",
    "McpApprovalResponse",
    "McpCall",
    "McpError",
    "McpHttpError",
    "McpListTools",
    "McpProtocolError",
    "McpTool",
    "McpToolExecutionError",
    "Message",
    "OutputAudio",
    "OutputText",
    "Part",
    "audio_index",
    "text_of",
    "with_transcript",
    "without_audio",
]

ItemStatus = Literal["completed", "incomplete", "in_progress"]


# ---------------------------------------------------------------- the parts of a message
class InputText(Value, tag="input_text", frozen=True, kw_only=True):
    """Written words of the user or the system."""

    text: str


class InputAudio(Value, tag="input_audio", frozen=True, kw_only=True):
    """Spoken words of the user.

    Live events carry the transcript (null until it is there) but no bytes;
    those come only with ``conversation.item.retrieved``.
    """

    audio: bytes | None = None
    """In the session's input format."""
    transcript: str | None = always(None)


class InputImage(Value, tag="input_image", frozen=True, kw_only=True):
    """A picture shown by the user."""

    image_url: str
    """A data URL of a PNG or a JPEG; hosted URLs are not supported."""
    detail: Literal["auto", "low", "high"] | None = None
    """``auto`` (the default) is ``high``."""


class OutputText(Value, tag="output_text", frozen=True, kw_only=True):
    """Written words of the assistant."""

    text: str


class OutputAudio(Value, tag="output_audio", frozen=True, kw_only=True):
    """Spoken words of the assistant; live events carry the transcript but no bytes."""

    audio: bytes | None = None
    """In the session's output format."""
    transcript: str | None = always(None)


Part = InputText | InputAudio | InputImage | OutputText | OutputAudio

ALLOWED_PARTS: dict[str, tuple[type[Part], ...]] = {
    "system": (InputText,),
    "user": (InputText, InputAudio, InputImage),
    "assistant": (OutputText,),
}
"""What a client may put into a message of each role. The assistant's sound cannot be injected, only its words."""


# ---------------------------------------------------------------- the items
class _Item(Value, frozen=True, kw_only=True):
    id: str = ""
    object: Literal["realtime.item"] = always("realtime.item")
    status: ItemStatus | None = None


class Message(_Item, tag="message", frozen=True, kw_only=True):
    """Something said or shown by somebody."""

    role: Literal["system", "user", "assistant"]
    content: tuple[Part, ...]


class FunctionCall(_Item, tag="function_call", frozen=True, kw_only=True):
    """The model asks for a function to be run."""

    name: str
    arguments: str
    """JSON text, made by the model: parse it defensively."""
    call_id: str = ""


class FunctionCallOutput(_Item, tag="function_call_output", frozen=True, kw_only=True):
    """What the function gave."""

    call_id: str
    output: str


class McpTool(Value, frozen=True, kw_only=True):
    """A tool as an MCP server lists it."""

    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    annotations: dict[str, Any] | None = None


class McpListTools(_Item, tag="mcp_list_tools", frozen=True, kw_only=True):
    """The tools of an MCP server."""

    server_label: str
    tools: tuple[McpTool, ...] = always(())


class McpProtocolError(Value, tag="protocol_error", frozen=True, kw_only=True):
    """The MCP server broke its protocol, or said so."""

    code: int
    message: str


class McpToolExecutionError(Value, tag="tool_execution_error", frozen=True, kw_only=True):
    """The tool ran and failed."""

    message: str


class McpHttpError(Value, tag="http_error", frozen=True, kw_only=True):
    """The MCP server could not be reached."""

    code: int
    message: str


McpError = McpProtocolError | McpToolExecutionError | McpHttpError


class McpCall(_Item, tag="mcp_call", frozen=True, kw_only=True):
    """A call of an MCP tool, run by the server."""

    server_label: str
    name: str
    arguments: str
    output: str | None = None
    error: McpError | None = None
    approval_request_id: str | None = None


class McpApprovalRequest(_Item, tag="mcp_approval_request", frozen=True, kw_only=True):
    """The model asks whether it may call an MCP tool."""

    server_label: str
    name: str
    arguments: str


class McpApprovalResponse(_Item, tag="mcp_approval_response", frozen=True, kw_only=True):
    """The user says whether it may."""

    approval_request_id: str
    approve: bool
    reason: str | None = None


Item = Message | FunctionCall | FunctionCallOutput | McpListTools | McpCall | McpApprovalRequest | McpApprovalResponse


class ItemReference(Value, tag="item_reference", frozen=True, kw_only=True):
    """Stands for an item of the conversation, inside ``response.create``'s ``input`` only."""

    id: str


# ---------------------------------------------------------------- small questions
def text_of(item: Item) -> str:
    """Give the words of an item: written, or spoken and transcribed.

    Parameters
    ----------
    item : Item
        Any item.

    Returns
    -------
    str
        The parts' words, one part a line; a call's arguments; an output's text.
    """
    match item:
        case Message():
            return "\n".join(filter(None, map(_words, item.content)))
        case FunctionCall() | McpCall() | McpApprovalRequest():
            return item.arguments
        case FunctionCallOutput():
            return item.output
        case _:
            return ""


def _words(part: Part) -> str:
    match part:
        case InputText() | OutputText():
            return part.text
        case InputAudio() | OutputAudio():
            return part.transcript or ""
        case _:
            return ""


def audio_index(item: Item) -> int | None:
    """Find the first spoken part.

    Parameters
    ----------
    item : Item
        Any item.

    Returns
    -------
    int or None
        Its ``content_index``, or None when nothing is spoken.
    """
    if not isinstance(item, Message):
        return None
    return next((i for i, part in enumerate(item.content) if isinstance(part, InputAudio | OutputAudio)), None)


def without_audio(item: Item) -> Item:
    """Give the item as live events show it: transcripts, but no audio bytes.

    Parameters
    ----------
    item : Item
        Any item.

    Returns
    -------
    Item
        The same item when it has no bytes.
    """
    if not isinstance(item, Message) or all(getattr(part, "audio", None) is None for part in item.content):
        return item
    content = tuple(
        msgspec.structs.replace(part, audio=None) if isinstance(part, InputAudio | OutputAudio) else part
        for part in item.content
    )
    return msgspec.structs.replace(item, content=content)


def with_transcript(item: Item, content_index: int, transcript: str | None) -> Item:
    """Give the item with the words of one spoken part replaced.

    Parameters
    ----------
    item : Item
        Any item.
    content_index : int
        Which part, from 0.
    transcript : str or None
        The new words.

    Returns
    -------
    Item
        The changed item; the same one when it has no such spoken part.
    """
    content = list(item.content) if isinstance(item, Message) else []
    part = content[content_index] if 0 <= content_index < len(content) else None
    if not isinstance(part, InputAudio | OutputAudio):
        return item
    content[content_index] = msgspec.structs.replace(part, transcript=transcript)
    return msgspec.structs.replace(item, content=tuple(content))
