"""The lessons, run again: each cell gives what the notebook shows, with no engine, no key and no network."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

_MAKER = runpy.run_path(str(Path(__file__).parent / "lessons.py"))  # importlib mode: tests are no packages
cassette_of, environment, LESSONS = _MAKER["cassette_of"], _MAKER["environment"], _MAKER["lessons"]()


@pytest.mark.parametrize("notebook", LESSONS, ids=lambda notebook: notebook.stem)
def test_a_lesson_gives_what_it_shows(notebook: Path) -> None:
    """From the lesson's cassette, by nbval, cell for cell."""
    pytest.importorskip("nbval", reason='lessons are held by nbval: pip install "realtime-nb[dev]"')
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        str(notebook),
    ]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=environment(notebook, "none"))
    assert ended.returncode == 0, ended.stdout[-4000:]


@pytest.mark.parametrize("notebook", LESSONS, ids=lambda notebook: notebook.stem)
def test_a_lesson_was_run_in_order_and_without_an_error(notebook: Path) -> None:
    """A reader sees outputs under every cell that has some, numbered from one."""
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


@pytest.mark.parametrize("notebook", LESSONS, ids=lambda notebook: notebook.stem)
def test_a_lesson_names_no_place_of_the_machine_it_was_made_on(notebook: Path) -> None:
    """Neither a home folder, nor a token, nor a loopback port."""
    text = notebook.read_text(encoding="utf-8")
    tape = cassette_of(notebook)
    text += "".join(path.read_text(encoding="utf-8") for path in tape.rglob("*.jsonl")) if tape.exists() else ""
    assert not [mark for mark in _MARKS if mark in text]


_MARKS = ("/root/", "/home/", "127.0.0.1:", "Bearer ey", "sk-proj")
