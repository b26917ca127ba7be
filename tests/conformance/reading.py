"""Reading source: what a file defines, where a name is used, what a test mentions, what a docstring says."""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "realtime_nb"
FIRST = ("conformance", "protocol", "server")
"""The tests that are named first: one of a file, two at most."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def tree(path: Path) -> ast.Module:
    """The syntax of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(module: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Every function of a file with its dotted name."""
    for node in ast.iter_child_nodes(module):
        if isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")
        elif isinstance(node, Function):
            yield f"{prefix}{node.name}", node


def code_files(folders: Iterable[str]) -> list[Path]:
    """The package's files below some folders."""
    return sorted(path for folder in folders for path in (PACKAGE / folder).rglob("*.py"))


def spot(path: Path, name: str) -> str:
    """How a place in the code is written."""
    return f"`{path.relative_to(PACKAGE)}:{name}`"


def spot_of(function: Any) -> str:
    """Where a function is defined."""
    return spot(Path(inspect.getfile(function)), function.__qualname__)


def names_in(node: ast.AST) -> set[str]:
    """Every identifier below a node: of variables, attributes and keywords."""
    walk = list(ast.walk(node))
    variables = {each.id for each in walk if isinstance(each, ast.Name)}
    attributes = {each.attr for each in walk if isinstance(each, ast.Attribute)}
    return variables | attributes | {each.arg for each in walk if isinstance(each, ast.keyword) and each.arg}


# ---------------------------------------------------------------- docstrings
def paragraphs(text: str | None) -> list[str]:
    """A docstring's paragraphs, each on one line: a cell of a table has no more."""
    parts = inspect.cleandoc(text or "").split("\n\n")
    return [" ".join(part.split()).replace("|", "\\|").replace("``", "`") for part in parts if part.strip()]


@functools.cache
def field_docs(owner: type) -> dict[str, str]:
    """What is written below each field of a class."""
    module = tree(Path(inspect.getfile(owner)))
    [node] = [each for each in module.body if isinstance(each, ast.ClassDef) and each.name == owner.__name__]
    docs: dict[str, str] = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(below, ast.Expr):
            docs[field.target.id] = str(ast.literal_eval(below.value))
    return docs


# ---------------------------------------------------------------- tests
class Tests:
    """What every test mentions, by itself or through what it uses of its own file."""

    __test__ = False  # these are read, not run

    def __init__(self) -> None:
        self._words: dict[tuple[str, str], set[str]] = {}
        files = [path for path in (ROOT / "tests").rglob("test_*.py") if "peers" not in path.parts]
        for path in sorted(files, key=_place):
            self._read(path)

    def of(self, *words: str) -> str:
        """The first tests that mention one of the words, as a string or a name; of each file one, two at most."""
        wanted = {form for word in words for form in (word, f".{word}")}
        found: dict[str, str] = {}
        for (path, name), mentioned in self._words.items():
            if mentioned & wanted:
                found.setdefault(path, f"`{path}::{name}`")
        return "<br>".join(list(found.values())[:2])

    def _read(self, path: Path) -> None:
        module = tree(path)
        parts = {name: node for node in module.body for name in _defined(node)}
        tests = [(name, node) for name, node in functions(module) if name.rpartition(".")[2].startswith("test_")]
        for name, node in sorted(tests, key=lambda test: not _is_parametrized(test[1])):
            key = (str(path.relative_to(ROOT / "tests")), name.replace(".", "::"))
            self._words[key] = _closure(node, parts)


def _place(path: Path) -> tuple[int, str]:
    folder = path.relative_to(ROOT / "tests").parts[0]
    return (FIRST.index(folder) if folder in FIRST else len(FIRST), str(path))


def _is_parametrized(node: Function) -> bool:
    return any("parametrize" in names_in(decorator) for decorator in node.decorator_list)


def _defined(node: ast.stmt) -> list[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


def _closure(node: ast.AST, parts: dict[str, ast.stmt]) -> set[str]:
    """The strings, as they are, and the names, after a dot, of a node and of what it uses of its file."""
    words: set[str] = set()
    waiting, seen = [node], set()
    while waiting:
        below = waiting.pop()
        words |= {
            each.value for each in ast.walk(below) if isinstance(each, ast.Constant) and isinstance(each.value, str)
        }
        for name in names_in(below):
            words.add(f".{name}")
            if name in parts and name not in seen:
                seen.add(name)
                waiting.append(parts[name])
    return words
