"""A conversation's items as the messages a language model reads."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable

from realtime_nb.engine.base import ChatCall, ChatMessage, ChatRequest, Tool
from realtime_nb.protocol.effects import GenerateRequest
from realtime_nb.protocol.items import FunctionCall, FunctionCallOutput, InputImage, Item, McpCall, Message, text_of
from realtime_nb.protocol.tools import BrainChoice, FunctionTool, ToolChoiceFunction

__all__ = ["chat_request", "system_message", "tools_of"]

Describe = Callable[[bytes], str]
"""Words for a PNG or JPEG, for a brain that cannot see."""


def chat_request(request: GenerateRequest, describe: Describe | None) -> ChatRequest:
    """What the brain is asked for a response.

    Parameters
    ----------
    request : GenerateRequest
        From the protocol's core.
    describe : callable, optional
        Puts pictures into words; None where the brain sees them itself.

    Returns
    -------
    ChatRequest
        Instructions first, then the conversation.
    """
    messages = (system_message(request.instructions), *_messages(request.items, describe))
    return ChatRequest(
        messages=messages,
        tools=tools_of(request.tools),
        tool_choice=_choice(request.tool_choice),
        max_tokens=request.max_output_tokens,
    )


def system_message(instructions: str) -> ChatMessage:
    """The instructions, as the model's chat template wants them."""
    return ChatMessage("system", instructions)


def tools_of(tools: Iterable[FunctionTool]) -> tuple[Tool, ...]:
    """The session's tools, as the engine names them."""
    return tuple(Tool(tool.name, tool.description, tool.parameters) for tool in tools)


def _choice(choice: BrainChoice) -> str:
    return choice.name if isinstance(choice, ToolChoiceFunction) else choice


def _messages(items: Iterable[Item], describe: Describe | None) -> list[ChatMessage]:
    messages: list[ChatMessage] = []
    for item in items:
        for message in _of_item(item, describe):
            _join(messages, message)
    return messages


def _join(messages: list[ChatMessage], message: ChatMessage) -> None:
    """Put a call into the assistant's last message: templates want words and calls of one answer together."""
    last = messages[-1] if messages else None
    if message.calls and last is not None and last.role == "assistant":
        messages[-1] = ChatMessage("assistant", last.text, (*last.calls, *message.calls))
    else:
        messages.append(message)


def _of_item(item: Item, describe: Describe | None) -> list[ChatMessage]:
    if isinstance(item, Message):
        return _of_message(item, describe)
    if isinstance(item, FunctionCall):
        return [ChatMessage("assistant", "", (ChatCall(item.call_id, item.name, item.arguments),))]
    if isinstance(item, FunctionCallOutput):
        return [ChatMessage("tool", item.output, call_id=item.call_id)]
    if isinstance(item, McpCall):
        result = item.output if item.error is None else f"error: {item.error.message}"
        call = ChatMessage("assistant", "", (ChatCall(item.id, item.name, item.arguments),))
        return [call, ChatMessage("tool", result or "", call_id=item.id)]
    return []  # lists of tools and approvals are between client and server


def _of_message(item: Message, describe: Describe | None) -> list[ChatMessage]:
    pictures = tuple(part.image_url for part in item.content if isinstance(part, InputImage))
    words = text_of(item)
    if pictures and describe is not None:
        seen = "\n".join(f"[Picture shown by the user: {describe(_bytes(url))}]" for url in pictures)
        words, pictures = f"{seen}\n{words}".strip(), ()
    return [ChatMessage(item.role, words, images=pictures)] if words or pictures else []


def _bytes(data_url: str) -> bytes:
    return base64.b64decode(data_url.partition(",")[2])
