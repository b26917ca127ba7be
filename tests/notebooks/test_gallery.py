"""The gallery of plots: every plot is in it, in light and in dark, and running it again draws what was looked at."""

from __future__ import annotations

import base64
import inspect
from pathlib import Path
from typing import Any

import pytest

from realtime_nb import plots
from realtime_nb.plots import PlotAccessor

nbformat = pytest.importorskip("nbformat", reason="a notebook needs nbformat: pip install '.[dev]'")
nbclient = pytest.importorskip("nbclient", reason="running a notebook needs nbclient: pip install '.[dev]'")

GALLERY = Path(__file__).parents[2] / "notebooks" / "gallery.ipynb"
LARGEST = 1_000_000  # bytes


def outputs(notebook: Any) -> list[list[tuple[str, bool]]]:
    """Of each cell of code: what its outputs say, and whether they are pictures."""
    return [
        [
            (output.get("data", {}).get("text/plain", output.get("text", "")), "image/png" in output.get("data", {}))
            for output in cell.outputs
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


@pytest.fixture(scope="module")
def kept() -> Any:
    """The notebook as it was looked at."""
    return nbformat.read(GALLERY, as_version=4)


def test_running_it_again_draws_the_same(kept: Any) -> None:
    """Each cell says in words what it said, in as many pictures; the pictures themselves have tests of their own."""
    fresh = nbformat.read(GALLERY, as_version=4)
    nbclient.NotebookClient(
        fresh, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(GALLERY.parent)}}
    ).execute()
    assert outputs(fresh) == outputs(kept)


def test_every_plot_is_in_it_twice(kept: Any) -> None:
    """No plot is missing; each is there in light and in dark."""
    source = "\n".join(cell.source for cell in kept.cells if cell.cell_type == "code")
    names = {name for name, _ in inspect.getmembers(PlotAccessor, inspect.isfunction) if not name.startswith("_")}
    assert names <= set(plots.__all__)
    assert [name for name in sorted(names) if f".{name}(" not in source] == []
    drawn = [[is_picture for _, is_picture in cell].count(True) for cell in outputs(kept)]
    assert set(drawn) == {0, 2}
    assert sum(drawn) == 2 * (len(names) + 1)  # the wave is drawn of one voice and of two


def test_it_is_small_and_tells_nothing_of_a_machine(kept: Any) -> None:
    """The pictures are kept in it, and it stays small; no path of anybody's machine is in it."""
    assert GALLERY.stat().st_size < LARGEST
    pictures = [o.data["image/png"] for cell in kept.cells for o in cell.get("outputs", []) if "image/png" in o.data]
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert "/home/" not in GALLERY.read_text("utf-8")
