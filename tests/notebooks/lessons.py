"""The lessons and their cassettes.

``python tests/notebooks/lessons.py [NAME ...]`` runs lessons (by default all) on the local engine and records them,
then plays them from what was recorded and keeps those outputs: what a reader sees is what a test finds.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
CELL_S = 300


def lessons() -> list[Path]:
    """All notebooks, in the order of their names."""
    return sorted(NOTEBOOKS.glob("*.ipynb"))


def cassette_of(notebook: Path) -> Path:
    """Where the conversations of a lesson are recorded; a lesson without any has none."""
    return NOTEBOOKS / "cassettes" / f"{notebook.stem}.cassette"


def environment(notebook: Path, mode: str) -> dict[str, str]:
    """What a lesson's kernel must see to record, or to replay.

    Parameters
    ----------
    notebook : Path
        The lesson.
    mode : str
        Of its cassette: ``none`` or ``all``.
    """
    kept = {name: value for name, value in os.environ.items() if name not in {"OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"}}
    ours = {"REALTIME_NB_CASSETTE": str(cassette_of(notebook)), "REALTIME_NB_RECORD": mode, "REALTIME_NB_LOG": "0"}
    return {**kept, **ours, "PYTHONHASHSEED": "0"}


def execute(notebook: Path, mode: str) -> None:
    """Run a lesson from top to bottom and keep its outputs."""
    command = [sys.executable, "-m", "jupyter", "execute", "--inplace", f"--timeout={CELL_S}", str(notebook)]
    subprocess.run(command, check=True, env=environment(notebook, mode))


def record(notebook: Path) -> None:
    """Record a lesson anew, and keep the outputs of its replay."""
    shutil.rmtree(cassette_of(notebook), ignore_errors=True)
    execute(notebook, "all")
    execute(notebook, "none")


if __name__ == "__main__":
    for lesson in lessons():
        if not sys.argv[1:] or any(name in lesson.stem for name in sys.argv[1:]):
            record(lesson)
