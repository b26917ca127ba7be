"""The door: light to open, the same names for people, for Tab and for type checkers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import realtime_nb as rt

STUB = Path(rt.__file__ or "").with_name("__init__.pyi")


def python(source: str) -> str:
    """Run a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_importing_loads_nothing_heavy() -> None:
    """The import itself touches neither numpy nor pandas nor a plot nor a socket."""
    heavy = "{'numpy', 'pandas', 'matplotlib', 'websockets', 'asyncio', 'IPython', 'msgspec', 'PIL', 'soundfile'}"
    assert python(f"import sys, realtime_nb; print({heavy} & set(sys.modules))") == "set()"


def test_connecting_and_talking_loads_no_pandas_and_no_plots() -> None:
    """A text turn needs neither: frames load pandas when they are asked for."""
    source = """
import sys, realtime_nb as rt
from realtime_nb.testing.server import Reply, ScriptedServer
with ScriptedServer(Reply("Hi.")) as server, rt.connect(server.url) as session:
    session.say("Hello.")
print({"pandas", "matplotlib", "IPython", "PIL"} & set(sys.modules))
"""
    assert python(source) == "set()"


def test_every_name_is_there() -> None:
    """Each public name can be had, and Tab shows just these."""
    for name in rt.__all__:
        assert getattr(rt, name) is not None
    assert dir(rt) == sorted(rt.__all__)
    assert rt.__version__.count(".") == 2


def test_the_stub_file_has_the_same_names() -> None:
    """Type checkers see what people see."""
    typed = set()
    for node in ast.parse(STUB.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            typed |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            typed.add(node.target.id)
    assert typed == set(rt.__all__)


def test_a_submodule_never_hides_a_name() -> None:
    """Importing the modules behind the names first changes nothing: rt.connect is the function."""
    source = "import realtime_nb.connection, realtime_nb.models, realtime_nb.session, realtime_nb as rt; "
    assert python(source + "print(callable(rt.connect), callable(rt.model))") == "True True"


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is none is told as such."""
    with pytest.raises(AttributeError, match="'conect'"):
        rt.conect  # noqa: B018 - the access is the test
