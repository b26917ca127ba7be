"""What a small model must be told to talk well, and how a function call looks to it.

The words are the best of a dozen variants tried on Qwen2.5-Coder-0.5B with 49
short conversations (facts told and recalled, words to be said, instructions to
be kept): few worked examples did more than any rule. A still smaller model gets
more of them, after the instructions, as one written conversation.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from realtime_nb.engine.base import ChatMessage, ChatRequest, Tool
from realtime_nb.engine.grammar import MIDDLE, NONE, PREFILL, plain_schema

__all__ = ["prompt", "signature", "system", "transcript"]

_RULE: Final = (
    "You are a voice assistant in a spoken conversation. Reply in one or two short sentences of plain spoken words, "
    "with no lists, no markdown, no emoji and no code."
)
_TALK: Final = (
    ("Please say the word apple.", "Apple."),
    ("My dog is called Rex.", "Rex is a lovely name for a dog."),
    ("What is my dog called?", "Your dog is called Rex."),
    ("Remember the number seven.", "All right, I will remember the number seven."),
    ("I live in Rome.", "Rome is a beautiful city to live in."),
    ("Where do I live?", "You live in Rome."),
)
_FACTS: Final = (
    ("What is the capital of Spain?", "The capital of Spain is Madrid."),
    ("How many legs has a spider?", "A spider has eight legs."),
    ("Who wrote Faust?", "Faust was written by Goethe."),
)
_CALLS: Final = """\
User: How far is it from Madrid to Lisbon?
Assistant: {"function": "get_distance", "arguments": {"from": "Madrid", "to": "Lisbon"}}
Result: {"km": 625}
Assistant: {"function": "none"} It is 625 kilometres from Madrid to Lisbon.
User: My dog is called Rex.
Assistant: {"function": "none"} Rex is a lovely name for a dog.
User: Play some jazz and set the volume to three.
Assistant: {"function": "play_music", "arguments": {"style": "jazz"}}
{"function": "set_volume", "arguments": {"level": 3}}
User: Please say the word apple.
Assistant: {"function": "none"} Apple.
User: What is the capital of Spain?
Assistant: {"function": "none"} The capital of Spain is Madrid."""


# ---------------------------------------------------------------- what the model reads
def prompt(request: ChatRequest) -> list[dict[str, str]]:
    """The messages of a chat template.

    Parameters
    ----------
    request : ChatRequest
        The session's instructions are its first message.

    Returns
    -------
    list of dict
        ``role`` and ``content``; with functions, the last one is the begin of the answer.
    """
    instructions, *rest = _with_instructions(request.messages)
    messages = [{"role": "system", "content": system(instructions.text, request.tools)}]
    messages += [_entry(message, told=bool(request.tools)) for message in rest]
    if request.tools:
        messages.append({"role": "assistant", "content": PREFILL})
    return messages


def _with_instructions(messages: Sequence[ChatMessage]) -> Sequence[ChatMessage]:
    return messages if messages and messages[0].role == "system" else (ChatMessage("system", ""), *messages)


def system(instructions: str, tools: Sequence[Tool]) -> str:
    """The system message: how to talk, what can be called, and what the session says.

    Parameters
    ----------
    instructions : str
        The session's; last, for a small model keeps best what it read last.
    tools : sequence of Tool
        The session's.

    Returns
    -------
    str
        The same for the same session, to the letter: it is the cached prefix.
    """
    if not tools:
        return f"{_RULE}\nExamples:\n{_written(_TALK)}\n\n{instructions}".strip()
    known = "\n".join(map(signature, tools))
    return (
        f"{_RULE}\nYou can use these functions:\n{known}\n"
        "none() - For everything else: talk, questions, facts, jokes.\n"
        "Begin every reply with the JSON of the function that does what the user wants, or of none.\n\n"
        f"Examples, with other functions:\n{_CALLS}\n\n{instructions}"
    ).strip()


def signature(tool: Tool) -> str:
    """A function in one line, as a person would write it down.

    Parameters
    ----------
    tool : Tool
        As declared.

    Returns
    -------
    str
        Name, parameters with types, and what it is for.

    Examples
    --------
    >>> signature(Tool("get_weather", "The weather in a city.", {"properties": {"city": {"type": "string"}}}))
    'get_weather(city?: string) - The weather in a city.'
    """
    schema = plain_schema(tool.parameters)
    required = schema.get("required", ())
    parameters = ", ".join(
        f"{name}{'' if name in required else '?'}: {_type(part)}" for name, part in schema.get("properties", {}).items()
    )
    return f"{tool.name}({parameters})" + (f" - {tool.description}" if tool.description else "")


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "|".join(map(json.dumps, schema["enum"]))
    kind = schema.get("type", "any")
    return "|".join(kind) if isinstance(kind, list) else str(kind)


def _entry(message: ChatMessage, *, told: bool) -> dict[str, str]:
    """A message of the past; `told`: the model was told how calls look, so its own words begin with ``none``."""
    if message.role == "tool":
        return {"role": "user", "content": f"Result: {message.text}"}
    if message.role != "assistant" or not (told or message.calls):
        return {"role": message.role, "content": message.text}
    words = [f"{PREFILL}{NONE}{message.text}"] if message.text else []
    calls = "\n".join(f"{PREFILL}{call.name}{MIDDLE}{call.arguments}}}" for call in message.calls)
    return {"role": "assistant", "content": " ".join([*words, calls]).rstrip()}


def transcript(request: ChatRequest) -> str:
    """The whole prompt as a written conversation, for a model that follows no chat template.

    Parameters
    ----------
    request : ChatRequest
        The session's instructions are its first message.

    Returns
    -------
    str
        Ends where the assistant is to speak; with functions, after the begin of the answer.
    """
    instructions, *rest = _with_instructions(request.messages)
    told = bool(request.tools)
    head = system(instructions.text, request.tools) if told else _written_head(instructions.text)
    said = [_line(message, told=told) for message in rest if message.text or message.calls]
    return "\n".join([head, *said, f"Assistant: {PREFILL}" if told else "Assistant:"])


def _written_head(instructions: str) -> str:
    return f"{_RULE}\n{instructions}\n\n{_written((*_TALK[:3], *_FACTS, *_TALK[4:]))}"


def _written(talk: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"User: {said}\nAssistant: {answer}" for said, answer in talk)


_NAMES: Final = {"user": "User: ", "assistant": "Assistant: ", "system": "Note: ", "tool": ""}


def _line(message: ChatMessage, *, told: bool) -> str:
    """A message of the past, on one line: a line's end is the end of an answer."""
    text = _entry(message, told=told)["content"]
    return _NAMES[message.role] + (text if message.calls else " ".join(text.split()))
