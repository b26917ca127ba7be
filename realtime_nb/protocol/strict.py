"""From text to typed values, strictly: what a server does to what it is sent.

msgspec checks types, ranges and base64 and says where it met the fault; the
table :data:`PROBLEMS` turns its words into the service's codes. Around it stand
the checks msgspec does not make: duplicate keys, infinite numbers, lone
surrogates, depth, and unknown fields (the structs are lenient, as the client
needs them).
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn, TypeVar

import msgspec
from msgspec import inspect

from .faults import EventError, fault

__all__ = ["MAX_DEPTH", "PROBLEMS", "parse", "refuse_unknown", "to_struct", "well_formed", "without_nulls"]

MAX_DEPTH = 64
"""Levels of arrays and objects in an event: far above any JSON Schema, far below any stack."""

T = TypeVar("T", bound=msgspec.Struct)


# ---------------------------------------------------------------- JSON
def parse(text: str) -> dict[str, Any]:
    """Read one JSON object.

    Parameters
    ----------
    text : str
        One frame. Lone surrogates, escaped or not, become U+FFFD.

    Returns
    -------
    dict[str, Any]
        The object; all numbers are finite, no key comes twice, at most :data:`MAX_DEPTH` levels.

    Raises
    ------
    EventError
        ``invalid_json`` when it is not JSON, ``invalid_event`` when it is not an object.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise fault("not_json", reason="It is nested too deeply.") from None
    except ValueError as error:
        raise fault("not_json", reason=f"{error}.") from None
    if not isinstance(value, dict):
        raise fault("not_object", got=_json_kind(value))
    _check_depth(value)
    return value if _is_well_formed(text) else well_formed(value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("A key comes twice in an object")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:20]} is out of range")
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant)
_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")


def _is_well_formed(text: str) -> bool:
    plain = text.isascii() and "\\u" not in text  # fast, and true of all sound
    return plain or not _SURROGATE.search(text)


def well_formed(value: Any) -> Any:
    """Replace lone surrogates, which no encoder accepts, by U+FFFD.

    Parameters
    ----------
    value : Any
        JSON values, nested.

    Returns
    -------
    Any
        The same values, whose text can be written anywhere.
    """
    match value:
        case str():
            return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        case list() | tuple():
            return [well_formed(each) for each in value]
        case dict():
            return {well_formed(name): well_formed(each) for name, each in value.items()}
        case _:
            return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for each in level for child in _children(each)]
        if not level:
            return
    raise fault("not_json", reason="It is nested too deeply.")


def _children(value: Any) -> Iterable[Any]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


_JSON_KINDS = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "an integer"}


def _json_kind(value: Any) -> str:
    return "null" if value is None else _JSON_KINDS.get(type(value), "a number")


# ---------------------------------------------------------------- types
PROBLEMS: tuple[tuple[str, str], ...] = (
    (r"Object missing required field `(?P<field>[^`]+)`", "missing_parameter"),
    (r"Invalid enum value (?P<value>.*)", "unsupported_value"),
    (r"Invalid value (?P<value>.*)", "unsupported_value"),
    (r"Invalid base64 encoded string", "bad_audio"),
    (r"Expected `int` >= (?P<bound>\S+)", "integer_below"),
    (r"Expected `int` <= (?P<bound>\S+)", "integer_above"),
    (r"Expected `float` >= (?P<bound>\S+)", "number_below"),
    (r"Expected `float` <= (?P<bound>\S+)", "number_above"),
    (r"(Number|Integer value) out of range", "number_range"),
    (r"Expected `str` of length <= (?P<bound>\d+)", "string_too_long"),
    (r"Expected `object` of length <= (?P<bound>\d+)", "object_too_long"),
    (r"Expected `(?P<expected>[^`]+)`, got `(?P<got>[^`]+)`", "wrong_type"),
    (r"(?P<reason>.*)", "invalid"),
)
"""What msgspec says, as a pattern, and the row of the catalogue it stands for."""

_WHERE = re.compile(r"(?P<said>.*?)(?: - at (?:`key` in )?`\$(?P<path>.*)`)?", re.DOTALL)
_PATTERNS = [(re.compile(pattern, re.DOTALL), name) for pattern, name in PROBLEMS]
_KINDS = {"str": "a string", "int": "an integer", "float": "a number", "bool": "a boolean", "array": "an array"}
_KINDS |= {"object": "an object", "null": "null", "bytes": "a base64 string"}


def to_struct(raw: Mapping[str, Any], kind: type[T], at: str = "") -> T:
    """Give JSON values their type.

    Parameters
    ----------
    raw : Mapping[str, Any]
        JSON values. A null where null is no value counts as absent.
    kind : type
        The struct wanted.
    at : str
        The path of `raw` in its event, for ``param``.

    Returns
    -------
    Struct
        The typed value; unknown fields are passed over (see :func:`refuse_unknown`).

    Raises
    ------
    EventError
        With the code, message and ``param`` of the catalogue.
    """
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        if "got `null`" not in str(error):
            raise _refusal(str(error), kind, at) from None
    try:
        return msgspec.convert(without_nulls(raw, kind), kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), kind, at) from None


def _refusal(message: str, kind: type, at: str) -> EventError:
    found = _WHERE.fullmatch(message)
    said, path = (found["said"], found["path"] or "") if found else (message, "")
    name, match = next((name, match) for pattern, name in _PATTERNS if (match := pattern.fullmatch(said)))
    return _fault_of(name, match.groupdict(), kind, at, path)


def _fault_of(name: str, words: dict[str, str], kind: type, at: str, path: str) -> EventError:
    where = (at + path).lstrip(".")
    if name == "missing_parameter":
        return fault(name, param=".".join(filter(None, (where, words["field"]))))
    if name == "unsupported_value":
        choices = ", ".join(f"'{choice}'" for choice in _choices(kind, path))
        return fault(name, param=where or None, value=words["value"].strip("'"), supported=choices)
    words = {word: _spelt(text) for word, text in words.items()}
    return fault(name, param=where or None, **words)


def _spelt(kinds: str) -> str:
    return " or ".join(_KINDS.get(kind, kind) for kind in kinds.split(" | "))


@functools.cache
def _info(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _choices(kind: type, path: str) -> list[Any]:
    """The values that would have been right at `path`: literals, or the tags of a union."""
    options = list(_options(_info(kind)))
    for step in re.findall(r"[^.\[\]]+", path):
        options = [option for each in options for child in _below(each, step) for option in _options(child)]
    values = [value for each in options if isinstance(each, inspect.LiteralType) for value in each.values]
    return list(dict.fromkeys(values))


def _options(info: inspect.Type) -> Iterator[inspect.Type]:
    if isinstance(info, inspect.UnionType):
        for each in info.types:
            yield from _options(each)
    else:
        yield info


def _below(info: inspect.Type, step: str) -> Iterator[inspect.Type]:
    match info:
        case inspect.StructType():
            if step == info.tag_field:
                yield inspect.LiteralType((info.tag,))
            yield from (field.type for field in info.fields if field.encode_name == step)
        case inspect.VarTupleType():
            yield info.item_type
        case inspect.DictType():
            yield info.value_type
        case _:
            pass


# ---------------------------------------------------------------- nulls and strangers
def without_nulls(raw: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Drop the nulls that stand where null is no value; clients send them for *absent*.

    Parameters
    ----------
    raw : Mapping[str, Any]
        JSON values.
    kind : type
        The struct they are meant for.

    Returns
    -------
    dict[str, Any]
        The same values without those nulls, at any depth.
    """
    return dict(_kept(dict(raw), [_info(kind)]))


def _cleaned(raw: Any, infos: list[inspect.Type]) -> Any:
    options = [option for info in infos for option in _options(info)]
    match raw:
        case dict():
            return dict(_kept(raw, _fitting(options, raw)))
        case list() | tuple():
            return [
                _cleaned(each, [o.item_type for o in options if isinstance(o, inspect.VarTupleType)]) for each in raw
            ]
        case _:
            return raw


def _kept(raw: dict[str, Any], options: list[inspect.Type]) -> Iterator[tuple[str, Any]]:
    for name, value in raw.items():
        below = [child for each in options for child in _below(each, name)]
        if value is not None or not below or _nullable(below):
            yield name, _cleaned(value, below)


def _fitting(options: list[inspect.Type], raw: Mapping[str, Any]) -> list[inspect.Type]:
    """Of a tagged union, the one struct that `raw` says it is."""
    named = [o for o in options if isinstance(o, inspect.StructType) and o.tag is not None and o.tag == raw.get("type")]
    return list(named) or options


def _nullable(infos: list[inspect.Type]) -> bool:
    return any(isinstance(option, inspect.NoneType | inspect.AnyType) for info in infos for option in _options(info))


def refuse_unknown(raw: Any, value: Any, at: str = "") -> None:
    """Refuse fields that the typed value does not have.

    Parameters
    ----------
    raw : Any
        JSON values.
    value : Any
        What they became; may have more than `raw` had.
    at : str
        The path of `raw` in its event.

    Raises
    ------
    EventError
        ``unknown_parameter`` with the path of the first stranger.
    """
    if isinstance(value, msgspec.Struct) and isinstance(raw, Mapping):
        known = {*value.__struct_fields__, value.__struct_config__.tag_field}
        for name, below in raw.items():
            where = f"{at}.{name}" if at else name
            if name not in known:
                raise fault("unknown_parameter", param=where)
            refuse_unknown(below, getattr(value, name, None), where)
    elif isinstance(value, tuple) and isinstance(raw, list | tuple):
        for index, (below, each) in enumerate(zip(raw, value, strict=False)):
            refuse_unknown(below, each, f"{at}[{index}]")
