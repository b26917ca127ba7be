"""Reads what a docstring says of a function and its parameters: numpydoc, Google, Sphinx or plain."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Described", "read_docstring"]

_PARAMETERS = {"parameters", "other parameters", "args", "arguments", "params", "keyword args", "keyword arguments"}
_OTHERS = {
    "attributes", "example", "examples", "note", "notes", "raises", "references", "return", "returns", "see also",
    "todo", "usage", "warning", "warnings", "warns", "yield", "yields",
}  # fmt: skip
_UNDERLINE = re.compile(r"^[-=~]{3,}\s*$")
_SPHINX = re.compile(r"^:(?P<kind>\w+)(?:\s+(?P<names>[^:]*))?:\s*(?P<text>.*)$")
_NUMPY = re.compile(r"^(?P<names>\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?$")
_GOOGLE = re.compile(r"^(?P<names>\*{0,2}\w+)\s*(?:\([^)]*\))?\s*:\s*(?P<text>.*)$")


@dataclass(slots=True)
class Described:
    """What a docstring says."""

    summary: str = ""
    """The text before the first section."""
    parameters: dict[str, str] = field(default_factory=dict)
    """Name: description, on one line."""

    def add(self, names: str, lines: list[str]) -> None:
        """Describe one or more parameters.

        Parameters
        ----------
        names : str
            One name, or several with commas; none for what is not about a parameter.
        lines : list of str
            Their description.
        """
        text = " ".join(" ".join(lines).split())
        for name in names.split(","):
            if name and text:
                self.parameters[name.strip().lstrip("*")] = text


def read_docstring(docstring: str | None) -> Described:
    """Find the summary and the parameters' descriptions.

    Parameters
    ----------
    docstring : str or None
        As written, in any of the usual styles.

    Returns
    -------
    Described
        Empty where nothing is said.

    Examples
    --------
    >>> found = read_docstring('''Give the weather.
    ...
    ...     Args:
    ...         city (str): Where, such as
    ...             Oslo.
    ... ''')
    >>> found.summary, found.parameters
    ('Give the weather.', {'city': 'Where, such as Oslo.'})
    """
    found = Described()
    for title, lines in _sections(inspect.cleandoc(docstring or "").splitlines()):
        if title == "":
            found.summary = _sphinx(lines, found)
        elif title in _PARAMETERS:
            _entries(lines, found)
    return found


def _sections(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Title (lower case, empty for the beginning) and lines of each section."""
    title, body = "", list[str]()
    for index, line in enumerate(lines):
        following = lines[index + 1] if index + 1 < len(lines) else ""
        named = _title(line, following)
        if named is not None:
            yield title, body
            title, body = named, []
        elif not (_UNDERLINE.match(line) and index and _title(lines[index - 1], line) is not None):
            body.append(line)
    yield title, body


def _title(line: str, following: str) -> str | None:
    """The section that `line` begins: a known word, underlined or with a colon, at the margin."""
    word = line.rstrip().removesuffix(":").lower()
    if word not in _PARAMETERS | _OTHERS:
        return None
    return word if line.rstrip().endswith(":") or _UNDERLINE.match(following) else None


def _entries(lines: list[str], found: Described) -> None:
    """The entries of a section: numpydoc's stand at the margin, Google's are indented by the same width."""
    body = inspect.cleandoc("\n" + "\n".join(lines)).splitlines()
    names, text = "", list[str]()
    for line in body:
        head = None if line.startswith((" ", "\t")) else _head(line)
        if head is None:
            text.append(line)
            continue
        found.add(names, text)
        names, text = head
    found.add(names, text)


def _head(line: str) -> tuple[str, list[str]] | None:
    """Names, and the words beside them, if `line` begins an entry."""
    google = _GOOGLE.match(line)
    numpy = _NUMPY.match(line)
    if google and not (numpy and " : " in line):
        return google["names"], [google["text"]]
    return (numpy["names"], []) if numpy else None


def _sphinx(lines: list[str], found: Described) -> str:
    """Take the ``:param name: text`` fields out of `lines`; what stands before them is the summary."""
    summary, names, text, before = list[str](), "", list[str](), True
    for line in lines:
        field_ = _SPHINX.match(line)
        if field_ is None:
            (summary if before else text).append(line)
            continue
        found.add(names, text)
        is_parameter = field_["kind"] in {"param", "parameter", "arg", "argument", "key", "keyword"}
        names = (field_["names"] or "").split()[-1:][0] if is_parameter and field_["names"] else ""
        text, before = [field_["text"]], False
    found.add(names, text)
    return "\n".join(summary).strip()
