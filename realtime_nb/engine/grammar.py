"""What a small model may write where there are functions, and how that is read.

Every answer begins with :data:`PREFILL`, which is put into the model's mouth: so
it must decide first whether to call. A call is one line of JSON whose arguments
keep to the function's JSON Schema, token by token: they always parse. Calls may
come after words, too, as of a model that says what it is about to do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from realtime_nb.engine.base import ChatCallDelta, ChatRequest, ChatText, Tool

__all__ = ["MIDDLE", "NONE", "PREFILL", "CallReader", "allowed", "grammar", "openings", "plain_schema"]

PREFILL: Final = '{"function": "'
"""What every answer begins with where there are functions."""
NONE: Final = 'none"} '
"""What follows if none of them is called, or none yet; then come words."""
MIDDLE: Final = '", "arguments": '
"""What stands between a function's name and its arguments."""
MOST_CALLS: Final = 4
"""Calls in one answer."""
MOST_ENTRIES: Final = 32
"""Of an array whose schema sets no limit: a small model may never end it."""


# ---------------------------------------------------------------- what may be written
def allowed(request: ChatRequest) -> tuple[bool, tuple[Tool, ...]]:
    """Tell what an answer may be.

    Parameters
    ----------
    request : ChatRequest
        With functions and how to choose among them.

    Returns
    -------
    bool
        Whether it may be words.
    tuple of Tool
        The functions it may call.

    Notes
    -----
    After a result, ``auto`` means to talk about it: a model this small would call the same function for ever.
    """
    choice = request.tool_choice
    if choice == "none" or (choice == "auto" and request.messages[-1].role == "tool"):
        return True, ()
    tools = tuple(tool for tool in request.tools if choice in ("auto", "required", tool.name))
    return choice == "auto" or not tools, tools


def grammar(request: ChatRequest, *, end: str = "", loose: bool = False) -> str | None:
    """Write down what may follow :data:`PREFILL`, as a Lark grammar of llguidance.

    Parameters
    ----------
    request : ChatRequest
        With functions and how to choose among them.
    end : str
        What closes the answer, for a model that knows no end of its own.
    loose : bool
        Whether the arguments may be anything under their names: for schemas that no grammar can hold.

    Returns
    -------
    str or None
        None where there are no functions: then anything may be said.
    """
    if not request.tools:
        return None
    may_talk, tools = allowed(request)
    close = f" {json.dumps(end)}" if end else ""
    rules = ["%llguidance {}", f"start: ({' | '.join(['say'] * may_talk + ['calls'] * bool(tools))}){close}"]
    if may_talk:
        then = f" ({json.dumps(PREFILL)} calls)?" if tools else ""
        rules.append(f"say: {json.dumps(NONE)} /[^\\n{{}}]+/{then}")
    if tools:
        again = f"({json.dumps(chr(10) + PREFILL)} call){{0,{MOST_CALLS - 1}}}" if not end else ""
        rules.append(f"calls: call {again}".rstrip())
        rules.append("call: " + " | ".join(f"call_{index}" for index in range(len(tools))))
        rules += [f"call_{index}: {_call(tool, loose=loose)}" for index, tool in enumerate(tools)]
    return "\n".join(rules)


def openings(request: ChatRequest) -> tuple[str, ...]:
    """Tell how all that :func:`grammar` allows begins.

    Parameters
    ----------
    request : ChatRequest
        With functions, or without: then anything may be said.

    Returns
    -------
    tuple of str
        What follows :data:`PREFILL` begins with one of them.
    """
    if not request.tools:
        return ("",)
    may_talk, tools = allowed(request)
    return (*((NONE,) if may_talk else ()), *(tool.name + MIDDLE for tool in tools))


def _call(tool: Tool, *, loose: bool) -> str:
    schema = _loose(tool.parameters) if loose else plain_schema(tool.parameters)
    if not any(name in schema for name in ("anyOf", "allOf", "$ref")):
        schema = {"additionalProperties": False, "properties": {}, **schema}
    schema = {**schema, "type": "object"}
    # "lenient": what a schema says that the grammar cannot hold is left out, instead of the whole grammar.
    spaces = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": ", "lenient": True}
    return f'{json.dumps(tool.name + MIDDLE)} %json {json.dumps(schema | {"x-guidance": spaces})} "}}"'


def _loose(schema: Any) -> dict[str, Any]:
    """The names of a schema's properties, and nothing else of it."""
    named = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(named, Mapping) or not named:
        return {"additionalProperties": True}
    required = [name for name in named if name in (schema.get("required") or ())]
    return {"properties": {str(name): {} for name in named}, "required": required}


_TYPES: Final[Mapping[str, str]] = {  # JSON Schema's own, and what people write for them
    **{name: name for name in ("string", "number", "integer", "boolean", "object", "array", "null")},
    "str": "string",
    "float": "number",
    "double": "number",
    "int": "integer",
    "bool": "boolean",
    "dict": "object",
    "list": "array",
}
_BOUNDS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_SIZES: Final = ("minLength", "maxLength", "minItems", "maxItems")


def plain_schema(schema: Any) -> dict[str, Any]:
    """Keep of a JSON Schema what a grammar can hold, and mend what is no JSON Schema.

    Parameters
    ----------
    schema : Any
        As a client sent it: perhaps wrong.

    Returns
    -------
    dict
        A correct schema: ``{}``, which allows anything, where nothing of it can be kept.

    Examples
    --------
    >>> plain_schema({"type": "float", "title": "Speed", "minimum": 0})
    {'type': 'number', 'minimum': 0}
    """
    if not isinstance(schema, Mapping):
        return {}
    plain: dict[str, Any] = {}
    for keep in (_kept_type, _kept_values, _kept_limits, _kept_parts, _kept_choices, _kept_names):
        plain |= keep(schema)
    if plain.get("type") == "array":
        plain.setdefault("maxItems", max(MOST_ENTRIES, plain.get("minItems", 0)))
    return plain


def _kept_type(schema: Mapping[str, Any]) -> dict[str, Any]:
    given = schema.get("type")
    names = given if isinstance(given, list) else [given]
    known = [_TYPES[name] for name in names if isinstance(name, str) and name in _TYPES]
    if not known:
        return {"type": "object"} if isinstance(schema.get("properties"), Mapping) else {}
    return {"type": known[0] if len(known) == 1 else known}


def _kept_values(schema: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"const": schema["const"]} if "const" in schema else {}
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        kept["enum"] = schema["enum"]
    return kept


def _kept_limits(schema: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {name: schema[name] for name in _BOUNDS if _is_number(schema.get(name))}
    kept |= {name: schema[name] for name in _SIZES if type(schema.get(name)) is int and schema[name] >= 0}  # no bool
    return kept | {name: schema[name] for name in ("pattern", "format") if isinstance(schema.get(name), str)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kept_parts(schema: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if isinstance(schema.get("properties"), Mapping):
        kept["properties"] = {str(name): plain_schema(part) for name, part in schema["properties"].items()}
        required = schema.get("required")
        kept["required"] = [name for name in kept["properties"] if isinstance(required, list) and name in required]
        kept["additionalProperties"] = False  # a model that may invent parameters does, without end
    if isinstance(schema.get("items"), Mapping):
        kept["items"] = plain_schema(schema["items"])
    more = schema.get("additionalProperties")
    if isinstance(more, bool | Mapping):
        kept["additionalProperties"] = more if isinstance(more, bool) else plain_schema(more)
    return kept


def _kept_choices(schema: Mapping[str, Any]) -> dict[str, Any]:
    kept = {}
    for given, name in (("oneOf", "anyOf"), ("anyOf", "anyOf"), ("allOf", "allOf")):
        if isinstance(schema.get(given), list) and schema[given]:
            kept[name] = [plain_schema(part) for part in schema[given]]
    return kept


def _kept_names(schema: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {"$ref": schema["$ref"]} if isinstance(schema.get("$ref"), str) else {}
    for name in ("$defs", "definitions"):
        if isinstance(schema.get(name), Mapping):
            kept[name] = {str(key): plain_schema(part) for key, part in schema[name].items()}
    return kept


# ---------------------------------------------------------------- how it is read
class CallReader:
    """Reads what follows :data:`PREFILL`, as it is written: words, calls, or calls after words.

    The first call is passed on as it comes. A further one is passed on when it is
    complete, and only if it was not made already: a small model repeats itself.

    Examples
    --------
    >>> reader = CallReader()
    >>> [*reader.feed('add", "argu'), *reader.feed('ments": {"a": 1}}')]
    [ChatCallDelta(index=0, name='add', arguments='{"a": 1}')]
    >>> [*CallReader().feed('none"} Hello.')]
    [ChatText(text='Hello.')]
    """

    def __init__(self) -> None:
        self._text = ""  # all of it, unless it is words
        self._talks = False
        self._shown = 0  # characters of the first call's arguments that were passed on
        self._lines: list[str] = []  # the calls after the first, as they were written
        self.calls = 0
        """How many were passed on."""
        self.repeats = False
        """Whether a call was made twice: then nothing new will come."""
        self.is_cut = False
        """After :meth:`finish`: whether the first call was not written to its end."""

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
        if not self._talks and self._text.startswith(NONE):
            self._talks, self._text = True, self._text.removeprefix(NONE)
        if self._talks:
            yield from self._say()
        if not self._talks:
            yield from self._read()

    def _say(self) -> Iterator[ChatText]:
        """Pass words on, but not what may be the begin of a call."""
        words, begun, rest = self._text.partition(PREFILL)
        self._talks = not begun
        end = len(words.rstrip()) if begun else _certain(words)
        self._text = rest if begun else words[end:]
        if end:
            yield ChatText(words[:end])

    def finish(self) -> Iterator[ChatText | ChatCallDelta]:
        """Give the last call, if it is complete and new, or the blanks that were held back.

        Yields
        ------
        ChatText or ChatCallDelta
            At most one.
        """
        if self._talks and self._text and PREFILL[0] not in self._text:  # the begin of a call that was cut is no word
            yield ChatText(self._text)
        if not self._talks:
            first = self._text.partition("\n")[0].partition(MIDDLE)[2]
            self.is_cut = bool(self.calls) and not _parses(first[:-1])
            self._text += "\n"
            yield from self._read()

    def _read(self) -> Iterator[ChatCallDelta]:
        first, *further = self._text.split("\n")
        name, _, arguments = first.partition(MIDDLE)
        ready = arguments[self._shown : -1]  # the last brace may be the one that closes the line, not the arguments
        if ready:
            self._shown += len(ready)
            self.calls = max(self.calls, 1)
            yield ChatCallDelta(0, name, ready)
        for line in further[len(self._lines) : -1]:
            yield from self._further(line.removeprefix(PREFILL), first)
            self._lines.append(line)

    def _further(self, line: str, first: str) -> Iterator[ChatCallDelta]:
        """A call after the first, on a line of its own."""
        name, _, arguments = line.partition(MIDDLE)
        if line == first or PREFILL + line in self._lines:
            self.repeats = True
        elif _parses(arguments[:-1]):
            yield ChatCallDelta(self.calls, name, arguments[:-1])
            self.calls += 1


def _certain(words: str) -> int:
    """How many characters are words, whatever comes next."""
    brace = words.rfind(PREFILL[0])
    may_call = brace >= 0 and PREFILL.startswith(words[brace:])
    return len(words[:brace].rstrip() if may_call else words.rstrip())


def _parses(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
