"""What a small model must be told to talk well, and how a function call looks to it.

The words are the best of a dozen variants tried on Qwen2.5-Coder-0.5B with 49
short conversations (facts told and recalled, words to be said, instructions to
be kept): few worked examples did more than any rule. A call is one line of JSON,
its begin forced on the model, so that it must decide first whether to call.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from realtime_nb.engine.base import ChatCallDelta, ChatMessage, ChatRequest, ChatText, Tool

__all__ = ["PREFILL", "CallReader", "grammar", "prompt", "signature", "transcript"]

PREFILL: Final = '{"function": "'
"""What every answer begins with where there are functions: put into the model's mouth."""
_NONE: Final = 'none"} '

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
        talk = "\n".join(f"User: {said}\nAssistant: {answer}" for said, answer in _TALK)
        return f"{_RULE}\nExamples:\n{talk}\n\n{instructions}".strip()
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
    required = tool.parameters.get("required", ())
    parameters = ", ".join(
        f"{name}{'' if name in required else '?'}: {_type(schema)}"
        for name, schema in tool.parameters.get("properties", {}).items()
    )
    return f"{tool.name}({parameters})" + (f" - {tool.description}" if tool.description else "")


def _type(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "any"
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
    lines = [f"{PREFILL}{_NONE}{message.text}"] if message.text else []
    lines += [f'{PREFILL}{call.name}", "arguments": {call.arguments}}}' for call in message.calls]
    return {"role": "assistant", "content": "\n".join(lines)}


def transcript(request: ChatRequest) -> str:
    """The whole prompt as a written conversation, for a model that follows no chat template.

    Parameters
    ----------
    request : ChatRequest
        Its functions are not shown: such a model cannot choose among them.

    Returns
    -------
    str
        Ends where the assistant is to speak.
    """
    instructions, *rest = _with_instructions(request.messages)
    talk = [line for said, answer in _TALK for line in (f"User: {said}", f"Assistant: {answer}")]
    names = {"user": "User", "assistant": "Assistant", "system": "Note", "tool": "Result"}
    said = [f"{names[message.role]}: {' '.join(message.text.split())}" for message in rest if message.text]
    return "\n".join([instructions.text, *talk, *said, "Assistant:"]).lstrip()


# ---------------------------------------------------------------- what the model may write
def grammar(request: ChatRequest) -> str | None:
    """What an answer may look like, as a Lark grammar of llguidance; the arguments by each function's JSON Schema.

    Parameters
    ----------
    request : ChatRequest
        With functions and how to choose among them.

    Returns
    -------
    str or None
        To follow :data:`PREFILL`. None where there are no functions: then anything may be said.

    Notes
    -----
    After a result, ``auto`` means to talk about it: a model this small would call the same function for ever.
    """
    if not request.tools:
        return None
    choice = request.tool_choice
    if choice == "auto" and request.messages[-1].role == "tool":
        choice = "none"
    tools = [tool for tool in request.tools if choice in ("auto", "required", tool.name)]
    start = {"auto": "say | calls", "none": "say"}.get(choice, "calls")
    rules = ["%llguidance {}", f"start: {start}", f"say: {json.dumps(_NONE)} /[^\\n{{}}]+/"]
    if tools and choice != "none":
        rules.append(f"calls: call ({json.dumps(chr(10) + PREFILL)} call){{0,3}}")
        rules.append("call: " + " | ".join(f"c{index}" for index in range(len(tools))))
        rules += [f"c{index}: {_rule(tool)}" for index, tool in enumerate(tools)]
    return "\n".join(rules)


def _rule(tool: Tool) -> str:
    schema = {"type": "object", **tool.parameters}
    schema["x-guidance"] = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
    return f'{json.dumps(tool.name + chr(34) + ", " + chr(34) + "arguments" + chr(34) + ": ")} %json {json.dumps(schema)} "}}"'


class CallReader:
    """Reads what follows :data:`PREFILL`, as it is written: words, or calls.

    Examples
    --------
    >>> reader = CallReader()
    >>> [*reader.feed('add", "argu'), *reader.feed('ments": {"a": 1}}')]
    [ChatCallDelta(index=0, name='add', arguments='{"a": 1}')]
    >>> [*CallReader().feed('none"} Hello.')]
    [ChatText(text='Hello.')]
    """

    _MIDDLE: Final = '", "arguments": '

    def __init__(self) -> None:
        self._text = ""
        self._talks = False
        self._name: str | None = None
        self.calls = 0
        """How many have begun."""

    def feed(self, text: str) -> Iterator[ChatText | ChatCallDelta]:
        """Take the next piece.

        Parameters
        ----------
        text : str
            Any length.

        Yields
        ------
        ChatText or ChatCallDelta
            What is certain now.
        """
        self._text += text
        if not self._talks and self.calls == 0 and self._text.startswith(_NONE):
            self._talks, self._text = True, self._text[len(_NONE) :]
        if self._talks:
            if self._text:
                yield ChatText(self._text)
            self._text = ""
            return
        yield from self._read_calls()

    def _read_calls(self) -> Iterator[ChatCallDelta]:
        while True:
            if self._name is None:
                name, middle, rest = self._text.partition(self._MIDDLE)
                if not middle:
                    return
                self._name, self._text = name, rest
                self.calls += 1
            line, newline, rest = self._text.partition("\n")
            # The last brace closes the line's own object, not the arguments: it is held back until more comes.
            ready = line[:-1]
            if ready:
                yield ChatCallDelta(self.calls - 1, self._name, ready)
            if not newline:
                self._text = line[-1:]
                return
            self._name, self._text = None, rest.removeprefix(PREFILL)
