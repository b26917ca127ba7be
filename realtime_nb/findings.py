"""What was looked at, how it stands, and the line that mends what does not: as text and as HTML."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Literal

__all__ = ["Finding", "Findings", "State", "kernel"]

State = Literal["ok", "broken", "absent"]

_MARKS: dict[State, str] = {"ok": "ok", "broken": "NO", "absent": "--"}
_COLOURS: dict[State, str] = {"ok": "inherit", "broken": "#c2143f", "absent": "inherit"}
_CELL = "text-align:left;vertical-align:top;white-space:normal;padding:2px 10px 2px 0"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Parameters
    ----------
    name : str
        What was looked at.
    state : str
        ``ok``, ``broken``, or ``absent`` where it is optional and not there.
    fact : str
        What was found.
    hint : str, optional
        A line that runs and mends it.
    """

    name: str
    state: State
    fact: str
    hint: str | None = None


class Findings(tuple[Finding, ...]):
    """Findings in the order in which a person would mend them.

    Examples
    --------
    >>> Findings([Finding("brain", "ok", "fits"), Finding("key", "absent", "none", "export OPENAI_API_KEY=...")])
    ok  brain  fits
    --  key    none
               Try: export OPENAI_API_KEY=...
    """

    __slots__ = ()

    def __repr__(self) -> str:
        width = max((len(finding.name) for finding in self), default=0)
        lines = []
        for finding in self:
            lines.append(f"{_MARKS[finding.state]}  {finding.name:<{width}}  {finding.fact}")
            if finding.hint and finding.state != "ok":
                lines.append(f"    {'':<{width}}  Try: {finding.hint}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f'<table class="rtnb-findings">{"".join(map(_row, self))}</table>'


def _row(finding: Finding) -> str:
    hint = f"<br>Try: <code>{escape(finding.hint)}</code>" if finding.hint and finding.state != "ok" else ""
    mark = f'<td style="{_CELL};font-weight:600;color:{_COLOURS[finding.state]}">{_MARKS[finding.state]}</td>'
    name = f'<th scope="row" style="{_CELL}">{escape(finding.name)}</th>'
    return f'<tr>{mark}{name}<td style="{_CELL}">{escape(finding.fact)}{hint}</td></tr>'


def kernel() -> Iterator[Finding]:
    """Look at the kernel's package; nothing where none is installed.

    Yields
    ------
    Finding
        At most one.
    """
    if importlib.util.find_spec("ipykernel") is None:
        return
    version = importlib.metadata.version("ipykernel")
    broken = version.startswith("7.0.")
    fact = f"{version}: widgets cannot send from a thread" if broken else version
    yield Finding("ipykernel", "broken" if broken else "ok", fact, 'pip install -U "ipykernel!=7.0.*"')
