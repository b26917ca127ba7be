"""A lesson run in JupyterLab and Chromium, whose microphone asks for a story, and speaks over it."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nbformat
import numpy as np

import realtime_nb as rt

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))

from lab import Chrome, Lab

__all__ = ["ran"]

STORY, OVER_IT = "Tell me a story about a lighthouse and the sea.", "What is the capital of Norway?"
RATE = 48_000
CELL_S = 120
TALK = ".rtnb-talk"
SHOWN = frozenset({"text/html", "text/plain", "image/png"})
"""What a reader without a kernel can be shown."""
LIVE = "application/vnd.jupyter.widget-view+json"
LOUD_DBFS = -3.0


def ran(notebook: Path, env: Mapping[str, str], talked_to: Callable[[Any], bool]) -> Any:
    """Run a lesson from top to bottom, with the engine.

    Parameters
    ----------
    notebook : Path
        The lesson; it is run as a copy.
    env : mapping of str to str
        What its kernel sees.
    talked_to : callable
        Says of a cell whether it is a talk, and has to end before the next is run.

    Returns
    -------
    NotebookNode
        With what its cells gave.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = shutil.copytree(notebook.parents[1], Path(folder) / "copy", ignore=_only(notebook))
        _unrun(root / notebook.parent.name / notebook.name)
        with Lab(root / notebook.parent.name, env=env) as lab, Chrome(mic=_microphone(Path(folder))) as chrome:
            opened = chrome.open(lab, notebook.name)
            book = nbformat.read(notebook, as_version=4)
            code = [(number, cell) for number, cell in enumerate(book.cells) if cell.cell_type == "code"]
            for number, cell in code:
                opened.run(number, timeout_s=CELL_S)
                if talked_to(cell):
                    _talk(opened.page)
            opened.wait_idle()
            for number, cell in code:
                found = [nbformat.from_dict(_shown(output)) for output in opened.outputs(number)]
                cell.outputs = [output for output in found if output.get("data") != {}]
            opened.end()
    return book


def _unrun(notebook: Path) -> None:
    """As if nobody had run it: a cell's number says that it has been."""
    book = nbformat.read(notebook, as_version=4)
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(book, notebook)


def _only(notebook: Path) -> Callable[[Any, list[str]], list[str]]:
    """Copy the lesson's folder, and the sounds that lessons use."""
    root = notebook.parents[1]
    wanted = {str(root): {notebook.parent.name, "tests"}, str(root / "tests"): {"data"}}
    return lambda folder, names: [name for name in names if name not in wanted.get(str(folder), names)]


def _microphone(folder: Path) -> Path:
    """A voice that asks, and asks something else while it is answered."""
    from realtime_nb.engine.piper import PiperTts
    from realtime_nb.engine.weights import ensure

    voice = PiperTts(ensure("piper-en-us-joe"))

    def said(words: str) -> rt.Audio:
        samples = np.concatenate(list(voice.speak(words, voice="cedar", speed=1.0, cancel=threading.Event())))
        samples *= 10 ** (LOUD_DBFS / 20) / np.abs(samples).max()
        return rt.Audio.from_array(samples, rate=voice.rate).resample(RATE)

    def silent(seconds: float) -> rt.Audio:
        return rt.Audio.silence(seconds, rate=RATE)

    parts = [silent(2), said(STORY), silent(7), said(OVER_IT), silent(60)]
    return rt.Audio.concatenate(parts).save(folder / "microphone.wav")


def _talk(page: Any) -> None:
    """Wait until an answer was cut and another one heard."""
    page.wait_for_selector(f"{TALK} li[data-state=cut]", timeout=1000 * CELL_S)
    page.wait_for_selector(f"{TALK} li[data-who=assistant][data-state=done]", timeout=1000 * CELL_S)
    page.wait_for_selector(f"{TALK}[data-phase=listening]", timeout=1000 * CELL_S)


def _shown(output: dict[str, Any]) -> dict[str, Any]:
    """An output without what is live; nothing is left of one that is a widget and no more."""
    data = output.get("data")
    if data is None:
        return output
    kept = {} if LIVE in data else {kind: data[kind] for kind in data if kind in SHOWN and any(data[kind])}
    return {**output, "data": kept}
