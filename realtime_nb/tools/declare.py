"""From a Python function to what the model is told of it, and from the model's JSON back to its arguments."""

from __future__ import annotations

import copy
import enum
import functools
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from realtime_nb.errors import ConfigError
from realtime_nb.protocol.tools import FunctionTool
from realtime_nb.tools.docstrings import Described, read_docstring

__all__ = ["Tool", "declare"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HINT = 'def weather(city: str) -> str: "Give the weather."'


@dataclass(frozen=True, slots=True, repr=False)
class Tool:
    """A function the model may call."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the arguments object."""
    function: Callable[..., Any]
    _arguments: type[msgspec.Struct]
    _positional: tuple[str, ...]

    @property
    def declaration(self) -> FunctionTool:
        """The tool as the session declares it."""
        return FunctionTool(name=self.name, description=self.description, parameters=self.parameters)

    def bind(self, arguments: str) -> tuple[list[Any], dict[str, Any]]:
        """Read the model's arguments and turn them into what the function's annotations say.

        Parameters
        ----------
        arguments : str
            JSON text, made by the model.

        Returns
        -------
        tuple
            Positional and keyword arguments for the function.

        Raises
        ------
        ValueError
            Not JSON, or not what the schema says; the message has the place.
        """
        text = arguments.strip() or "{}"
        read = msgspec.json.decode(text, type=self._arguments, strict=False, dec_hook=_from_plain)
        values = {name: getattr(read, name) for name in self._arguments.__struct_fields__}
        return [values.pop(name) for name in self._positional], values

    def __repr__(self) -> str:
        return f"Tool({self.name}({', '.join(self.parameters.get('properties', ()))}))"


def declare(function: Callable[..., Any], *, name: str | None = None, description: str | None = None) -> Tool:
    """Make a tool of a function: its name, docstring and annotations tell the model what it is for.

    Parameters
    ----------
    function : callable
        Plain or coroutine function, bound method, or anything callable with named
        parameters. Annotations may be whatever JSON can carry: numbers, text, ``list``,
        ``dict``, ``Literal``, ``Enum``, unions, dataclasses, typed dicts,
        ``Annotated[int, "a description"]``, ``msgspec`` structs, pydantic models.
        Without an annotation, anything goes.
    name : str, optional
        Instead of the function's own.
    description : str, optional
        Instead of the docstring's first part.

    Returns
    -------
    Tool
        With its JSON Schema.

    Raises
    ------
    ConfigError
        No usable name, parameters without names, or an annotation that JSON cannot carry.

    Examples
    --------
    >>> def weather(city: str, days: int = 1) -> str:
    ...     '''Give the weather.
    ...
    ...     Parameters
    ...     ----------
    ...     city : str
    ...         Where.
    ...     '''
    >>> tool = declare(weather)
    >>> tool.description
    'Give the weather.'
    >>> tool.parameters["properties"]
    {'city': {'description': 'Where.', 'type': 'string'}, 'days': {'type': 'integer', 'default': 1}}
    >>> tool.bind('{"city": "Oslo", "days": "3"}')
    ([], {'city': 'Oslo', 'days': 3})
    """
    if not callable(function):
        raise ConfigError(f"A tool is a function, not {function!r}", hint=_HINT)
    named = name or _own_name(function)
    if not _NAME.fullmatch(named):
        raise ConfigError(f"{named!r} is no name for a tool: 1 to 64 of A-Z a-z 0-9 _ -", hint=_HINT)
    said = read_docstring(_docstring(function))
    try:
        fields, positional = _fields(function, said)
        arguments = msgspec.defstruct("Arguments", fields, kw_only=True, forbid_unknown_fields=True)
        schema = msgspec.json.schema(arguments, schema_hook=_schema_of)
        parameters = _plain(schema, schema.get("$defs", {}), ())
    except (TypeError, NameError, NotImplementedError) as error:
        raise ConfigError(f"{named}() cannot be a tool: {error}", hint=_HINT) from error
    return Tool(named, description or said.summary, parameters, function, arguments, positional)


def _own_name(function: Any) -> str:
    if isinstance(function, functools.partial):
        return _own_name(function.func)
    return str(getattr(function, "__name__", type(function).__name__))


def _docstring(function: Any) -> str | None:
    if isinstance(function, functools.partial):
        return _docstring(function.func)
    found = inspect.getdoc(function)
    if inspect.isroutine(function):
        return found
    return inspect.getdoc(type(function).__call__) or found  # an object that can be called


# ---------------------------------------------------------------- fields
def _fields(function: Callable[..., Any], said: Described) -> tuple[list[Any], tuple[str, ...]]:
    """The fields of the arguments' struct, and which of them go by position."""
    hints = _hints(function)
    fields, positional = [], []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            raise TypeError(f"its parameter {parameter} has no fixed names, and the model must be told each")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(parameter.name)
        annotation = _annotation(hints.get(parameter.name, Any), parameter.default)
        described = _described(annotation, said.parameters.get(parameter.name, ""))
        fields.append((parameter.name, described, *_default(parameter.default)))
    return fields, tuple(positional)


def _hints(function: Any) -> dict[str, Any]:
    """The annotations, with names resolved; of a partial or a callable object, those of what is called."""
    if isinstance(function, functools.partial):
        return _hints(function.func)
    called = function if inspect.isroutine(function) else type(function).__call__
    return get_type_hints(called, include_extras=True)


def _annotation(annotation: Any, default: Any) -> Any:
    """``x: int = None`` means that None may be given."""
    return Union[annotation, None] if default is None else annotation  # noqa: UP007 - annotation is a value here


def _described(annotation: Any, text: str) -> Any:
    """The annotation with its description: ``Annotated``'s own words, else the docstring's."""
    if get_origin(annotation) is Annotated:
        base, *extras = get_args(annotation)
        words = [extra for extra in extras if isinstance(extra, str)]
        metas = [extra for extra in extras if isinstance(extra, msgspec.Meta)]
        for meta in metas:
            base = Annotated[base, meta]
        text = words[0] if words else "" if any(meta.description for meta in metas) else text
        annotation = base
    return Annotated[annotation, msgspec.Meta(description=text)] if text else annotation


def _default(default: Any) -> Iterator[Any]:
    """A field's default: constants go into the schema, others are copied for each call."""
    if default is inspect.Parameter.empty:
        return
    constant = default is None or isinstance(default, str | int | float | bool | enum.Enum)
    if constant and not (isinstance(default, float) and not math.isfinite(default)):
        yield default
    else:
        yield msgspec.field(default_factory=lambda: copy.deepcopy(default))


# ---------------------------------------------------------------- schema
def _schema_of(kind: type) -> dict[str, Any]:
    """The schema of a type that msgspec does not know: pydantic models bring their own."""
    own = getattr(kind, "model_json_schema", None)
    if own is None:
        raise NotImplementedError(f"JSON has nothing like {kind.__module__}.{kind.__qualname__}")
    found: dict[str, Any] = own()
    return found


def _from_plain(kind: type, value: Any) -> Any:
    """A value of a type that brings its own validation."""
    return kind.model_validate(value)  # type: ignore[attr-defined]  # only such types pass _schema_of


def _plain(node: Any, defs: Mapping[str, Any], seen: tuple[str, ...]) -> Any:
    """The schema without references and titles: small models and grammars read it better."""
    if isinstance(node, list):
        return [_plain(inner, defs, seen) for inner in node]
    if not isinstance(node, dict):
        return node
    defs = {**defs, **node.get("$defs", {})}
    if "$ref" in node:
        name = str(node["$ref"]).rpartition("/")[2]
        if name in seen:
            raise TypeError(f"the type {name} contains itself, and the model must be told all of it")
        beside = {key: value for key, value in node.items() if key not in {"$ref", "$defs"}}
        return _plain(defs[name], defs, (*seen, name)) | beside
    return {key: _keyword(key, value, defs, seen) for key, value in node.items() if not _left_out(key, value)}


def _left_out(key: str, value: Any) -> bool:
    return key in {"$defs", "discriminator"} or (key == "title" and isinstance(value, str))


def _keyword(key: str, value: Any, defs: Mapping[str, Any], seen: tuple[str, ...]) -> Any:
    if key == "properties":
        return {name: _plain(inner, defs, seen) for name, inner in value.items()}
    return value if key in {"default", "enum", "const", "examples"} else _plain(value, defs, seen)
