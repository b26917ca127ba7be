"""The fields of a session: which there are, what each may be, and where the code obeys them."""

from __future__ import annotations

import ast
import functools
import json
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect as types_of

from realtime_nb.protocol import session_config, tools
from realtime_nb.protocol.events import CLIENT_EVENTS, SERVER_EVENTS, ResponseParams
from realtime_nb.protocol.formats import AudioFormat
from realtime_nb.protocol.items import Item
from realtime_nb.protocol.session_config import Session, TranscriptionSession

if __package__:
    from .reading import Function, code_files, functions, spot, tree
else:
    from reading import Function, code_files, functions, spot, tree

USES = ("protocol", "server", "engine")
"""Where settings are obeyed."""

Struct = type[msgspec.Struct]


# ---------------------------------------------------------------- which there are
@dataclass(frozen=True)
class Field:
    """A field of the session, however deep.

    Its path has ``[]`` behind what is a list, and a union's ``type`` in brackets:
    ``tools[](mcp).server_url``.
    """

    path: str
    owner: Struct
    name: str


def structs_in(annotation: Any) -> list[Struct]:
    """The structs that a type allows, however deep."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    return [struct for part in typing.get_args(annotation) for struct in structs_in(part)]


def _below(struct: Struct, prefix: str = "") -> Iterator[Field]:
    tag = struct.__struct_config__.tag
    if tag:
        yield Field(f"{prefix}type", struct, "type")
    hints = typing.get_type_hints(struct)
    for field in msgspec.structs.fields(struct):
        path = f"{prefix}{field.encode_name}"
        yield Field(path, struct, field.name)
        many = "[]" if typing.get_origin(hints[field.name]) is tuple else ""
        for each in structs_in(hints[field.name]):
            kind = f"({each.__struct_config__.tag})" if each.__struct_config__.tag else ""
            yield from _below(each, f"{path}{many}{kind}.")


def session_fields() -> list[Field]:
    """The fields of both kinds of session; what both have is the same in both."""
    found: dict[str, Field] = {}
    for field in (*_below(Session), *_below(TranscriptionSession)):
        found.setdefault(field.path, field)
    return list(found.values())


def response_fields() -> list[Field]:
    """The fields of ``response`` in ``response.create``; what is below them is as in a session."""
    return [Field(f"response.{name}", ResponseParams, name) for name in ResponseParams.__struct_fields__]


def is_telling(field: Field) -> bool:
    """Whether a name by itself says which setting is meant: no event or item, and few settings, have such a one."""
    name = field.name
    owners = (*CLIENT_EVENTS.values(), *SERVER_EVENTS.values(), *typing.get_args(Item))
    settings = [struct for struct in SETTINGS.values() if name in struct.__struct_fields__]
    is_rare = field.owner is not ResponseParams and len(name) > 6 and len(settings) < 4
    return is_rare and not any(name in owner.__struct_fields__ for owner in owners)


# ---------------------------------------------------------------- what they may be
def values_of(field: Field) -> str:
    """What a field may be, and what it is when nobody says."""
    if field.name == "type" and (tag := field.owner.__struct_config__.tag):
        return f"`{json.dumps(tag)}`"
    info = types_of.type_info(field.owner)
    assert isinstance(info, types_of.StructType)
    [own] = [each for each in info.fields if each.name == field.name]
    default = own.default_factory() if callable(own.default_factory) else own.default
    said = " or ".join(dict.fromkeys(_kinds(own.type)))
    if default is msgspec.NODEFAULT or own.required:
        return f"{said}; must be given"
    plain = json.dumps(msgspec.to_builtins(default))
    return said if default is None and "null" not in said else f"{said}; `{plain}`" if len(plain) < 40 else said


_RANGES = {
    (False, False): "number",
    (True, False): "{} and up",
    (False, True): "up to {1}",
    (True, True): "{} to {}",
}
_PLAIN = {
    types_of.StrType: "string",
    types_of.BoolType: "true, false",
    types_of.DictType: "object",
    types_of.NoneType: "null",
    types_of.AnyType: "anything",
}


def _kinds(info: types_of.Type) -> Iterator[str]:
    match info:
        case types_of.UnionType():
            for each in info.types:
                yield from _kinds(each)
        case types_of.LiteralType():
            yield ", ".join(f"`{json.dumps(value)}`" for value in info.values)
        case types_of.StructType():
            yield f"`{info.tag}`" if info.tag else "object"
        case types_of.VarTupleType():
            yield f"list of {' or '.join(_kinds(info.item_type))}"
        case types_of.IntType() | types_of.FloatType():
            is_one = info.ge is not None and info.ge == info.le
            yield str(info.ge) if is_one else _RANGES[info.ge is not None, info.le is not None].format(info.ge, info.le)
        case _:
            yield _PLAIN[type(info)]


# ---------------------------------------------------------------- where they are obeyed
SETTINGS: dict[str, Struct] = {
    name: value
    for module in (session_config, tools)
    for name, value in vars(module).items()
    if isinstance(value, type) and issubclass(value, msgspec.Struct)
} | {"ResponseParams": ResponseParams}
MEANS: dict[str, list[Struct]] = {
    **{name: [struct] for name, struct in SETTINGS.items()},
    **{
        name: structs_in(value)
        for module in (session_config, tools)
        for name, value in vars(module).items()
        if isinstance(value, types.UnionType) or typing.get_origin(value) is typing.Union
    },
    "AudioFormat": structs_in(AudioFormat),
}
"""What the names in annotations stand for."""
Known = dict[str, set[Struct]]


@functools.cache
def _holders() -> Known:
    """What a field of that name may hold, in whatever struct."""
    found: Known = {}
    for struct in {*SETTINGS.values(), *MEANS["AudioFormat"]}:
        for name, hint in typing.get_type_hints(struct).items():
            found.setdefault(name, set()).update(structs_in(hint))
    return found


class Uses:
    """Where the fields of settings are read or set, by what annotations and field names say of each receiver."""

    def __init__(self) -> None:
        self._found: dict[tuple[Struct, str], dict[str, None]] = {}
        self._told: Known = {}  # by functions, properties and attributes of classes
        sources = [(path, tree(path)) for path in code_files(USES) if path.name != "tools.py"]
        for _, module in sources:
            for name, function in functions(module):
                self._told.setdefault(name.rpartition(".")[2], set()).update(_named(function.returns))
            for each in ast.walk(module):
                if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
                    self._told.setdefault(each.target.id, set()).update(_named(each.annotation))
        for path, module in sources:
            for name, function in functions(module):
                if name != "merge":
                    self._read(path, name, function)

    def of(self, field: Field) -> list[str]:
        """The first places."""
        return list(self._found.get((field.owner, field.name), ()))[:3]

    def _read(self, path: Path, name: str, function: Function) -> None:
        known = {arg.arg: _named(arg.annotation) for arg in (*function.args.args, *function.args.kwonlyargs)}
        walk = list(ast.walk(function))
        for each in walk:
            for target, value in _bound(each):
                known.setdefault(target, set()).update(self._kinds(value, known))
        for each in walk:
            for struct, field in self._touched(each, known):
                if field in struct.__struct_fields__:
                    self._found.setdefault((struct, field), {})[spot(path, name)] = None

    def _touched(self, node: ast.AST, known: Known) -> Iterator[tuple[Struct, str]]:
        if isinstance(node, ast.Attribute):
            yield from ((struct, node.attr) for struct in self._kinds(node.value, known))
        elif isinstance(node, ast.Call):
            first = self._kinds(node.args[0], known) if node.args else set()
            for struct in self._kinds(node, known) | (first if _name(node.func) == "replace" else set()):
                yield from ((struct, keyword.arg) for keyword in node.keywords if keyword.arg)

    def _kinds(self, node: ast.AST, known: Known) -> set[Struct]:
        """What a value may be, as far as annotations and field names tell."""
        found: set[Struct] = set()
        match node:
            case ast.Name(id=name):
                found = known.get(name, set())
            case ast.Attribute(attr=name, value=value):
                owners = [struct for struct in self._kinds(value, known) if name in struct.__struct_fields__]
                hints = [typing.get_type_hints(owner)[name] for owner in owners]
                found = {struct for hint in hints for struct in structs_in(hint)}
                if not owners:
                    found = _holders().get(name) or self._told.get(name, set())
            case ast.Call(func=function):
                found = set(MEANS.get(_name(function), ())) or self._told.get(_name(function), set())
            case ast.BoolOp(values=values):
                found = {kind for value in values for kind in self._kinds(value, known)}
            case ast.IfExp(body=body, orelse=other):
                found = self._kinds(body, known) | self._kinds(other, known)
            case _:
                pass
        return found


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _named(annotation: ast.AST | None) -> set[Struct]:
    """The settings that an annotation names."""
    words = {each.id for each in ast.walk(annotation) if isinstance(each, ast.Name)} if annotation else set()
    return {struct for word in words for struct in MEANS.get(word, ())}


def _bound(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The names that a statement binds, and to what."""
    match node:
        case ast.Assign(targets=[ast.Name(id=target)], value=value) | ast.NamedExpr(ast.Name(id=target), value):
            yield target, value
        case ast.For(target=ast.Name(id=target), iter=value) | ast.comprehension(ast.Name(id=target), value):
            yield target, value
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)):
            for one, value in zip(targets, values, strict=False):
                if isinstance(one, ast.Name):
                    yield one.id, value
        case _:
            pass
