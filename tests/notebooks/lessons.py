"""The lessons and their cassettes.

``python tests/notebooks/lessons.py [NAME ...]`` runs lessons (by default all) on the local engine and records them,
then plays them from what was recorded and keeps those outputs: what a reader sees is what a test finds. Cells tagged
``nbval-skip`` open a socket or a model of their own: they are run with the engine only, and keep what they gave then.
A lesson with a cell tagged ``page`` is run in JupyterLab and Chromium instead of in a kernel alone: that cell is talked
to, by a microphone that hears what ``page.py`` says. With ``--replay`` before the names nothing is recorded: the
outputs are drawn again.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SKIPPED, PAGE = "nbval-skip", "page"
CELL_S = 300


def lessons() -> list[Path]:
    """All notebooks, in the order of their names."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def cassette_of(notebook: Path) -> Path:
    """Where the conversations of a lesson are recorded; a lesson without any has none."""
    return NOTEBOOKS / "cassettes" / f"{notebook.stem}.cassette"


def environment(notebook: Path, mode: str | None) -> dict[str, str]:
    """What a lesson's kernel must see to record, or to replay.

    Parameters
    ----------
    notebook : Path
        The lesson.
    mode : str or None
        Of its cassette: ``none`` or ``all``; None: the engine itself.
    """
    dropped = {"OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "REALTIME_NB_CASSETTE", "REALTIME_NB_RECORD"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    tape = {} if mode is None else {"REALTIME_NB_CASSETTE": str(cassette_of(notebook)), "REALTIME_NB_RECORD": mode}
    return {**kept, **tape, "REALTIME_NB_LOG": "0", "PYTHONHASHSEED": "0"}


def code_of(book: Any) -> list[Any]:
    """The cells of code."""
    return [cell for cell in book.cells if cell.cell_type == "code"]


def has_tag(tag: str, cell: Any) -> bool:
    """Whether a cell bears a tag."""
    return tag in cell.metadata.get("tags", [])


def is_skipped(cell: Any) -> bool:
    """Whether a replay passes over a cell."""
    return has_tag(SKIPPED, cell)


def needs_page(notebook: Path) -> bool:
    """Whether somebody has to talk to a lesson."""
    return any(has_tag(PAGE, cell) for cell in code_of(nbformat.read(notebook, as_version=4)))


def skipped(notebook: Path) -> list[Any]:
    """The cells of a lesson that no replay runs."""
    return [cell for cell in code_of(nbformat.read(notebook, as_version=4)) if is_skipped(cell)]


def ran(notebook: Path, mode: str | None) -> Any:
    """Run a lesson from top to bottom, by :func:`environment`; with a cassette, without the cells that are skipped."""
    book = nbformat.read(notebook, as_version=4)
    if mode is not None:
        book.cells = [cell for cell in book.cells if not is_skipped(cell)]
    place = {"metadata": {"path": str(notebook.parent)}}
    client = NotebookClient(
        book, timeout=CELL_S, resources=place, store_widget_state=False, coalesce_streams=True, record_timing=False
    )
    client.execute(env=environment(notebook, mode))
    return book


def ran_in_page(notebook: Path, mode: str | None) -> Any:
    """Run a lesson as a person does, in a browser."""
    import page  # Playwright and JupyterLab, for this alone

    return page.ran(notebook, environment(notebook, mode), lambda cell: has_tag(PAGE, cell))


def record(notebook: Path) -> None:
    """Record a lesson anew, and keep the outputs of its replay and of the cells that no replay runs."""
    shutil.rmtree(cassette_of(notebook), ignore_errors=True)
    ran(notebook, "all")
    if skipped(notebook):
        keep(notebook, None)
    keep(notebook, "none")


def keep(notebook: Path, mode: str | None) -> None:
    """Run a lesson and keep what its cells gave."""
    run = ran if mode is not None or not needs_page(notebook) else ran_in_page
    shown = {cell.id: cell.outputs for cell in code_of(run(notebook, mode))}
    book = nbformat.read(notebook, as_version=4)
    for count, cell in enumerate(code_of(book), 1):
        cell.outputs, cell.execution_count = shown.get(cell.id, cell.outputs), count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count
    nbformat.write(book, notebook)


if __name__ == "__main__":
    make, names = record, sys.argv[1:]
    if names[:1] == ["--replay"]:
        make, names = partial(keep, mode="none"), names[1:]
    for lesson in lessons():
        if not names or any(name in lesson.stem for name in names):
            make(lesson)
