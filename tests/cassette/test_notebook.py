"""A notebook that is run from a cassette: every output of every cell is the same again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.server.options import ServerOptions
from realtime_nb.server.thread import serve_in_thread
from realtime_nb.testing.stages import StubAsr, stub_engine

nbformat = pytest.importorskip("nbformat", reason="a notebook needs nbformat: pip install '.[dev]'")
nbclient = pytest.importorskip("nbclient", reason="running a notebook needs nbclient: pip install '.[lab]'")
pytest.importorskip("ipykernel", reason="a kernel needs ipykernel: pip install '.[lab]'")

CELLS = [
    "import realtime_nb as rt\nfrom realtime_nb.testing.stages import stub_speech\n%load_ext realtime_nb",
    "speech = rt.Audio.from_pcm16(stub_speech(400))\nspeech",
    "session = rt.connect('ws://127.0.0.1:1/v1/realtime', instructions='Be brief.', transcription=None)\nsession",
    "turn = session.say('Name three rivers of Africa.')\nturn",
    "turn.audio",
    "turn = session.say(speech.chunks(0.05))\nturn",
    "@session.tool\ndef add(a: int, b: int) -> int:\n    'Add.'\n    return a + b",
    "print(turn.latency, turn.cost_usd)\nsession.turns",
    "session.history",
    "session.events",
    "session.plot.timeline()",
    "session.export('talk.html').read_text().count('<audio')",
    "for piece in session.stream('Count.'):\n    print(piece.text, end='|')",
    "session.close()\nsession",
]


def outputs(folder: Path, mode: str, url: str) -> list[list[dict[str, Any]]]:
    """Run the notebook in a kernel of its own; what each cell shows."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    dial = f"""
import realtime_nb.connection as c
real = c.open_websocket
c.open_websocket = lambda _, **rest: real({url!r}, **rest)"""
    if mode != "none":
        notebook.cells.insert(0, nbformat.v4.new_code_cell(dial))
    env = {**os.environ, "REALTIME_NB_CASSETTE": str(folder / "lesson.cassette"), "REALTIME_NB_RECORD": mode}
    client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(folder)}})
    client.execute(env={**env, "REALTIME_NB_LOG": "0"})
    return [cell.outputs for cell in notebook.cells[-len(CELLS) :]]


def test_every_output_is_the_same_again(tmp_path: Path) -> None:
    """Recorded once, a notebook shows the same in every later run: words, players, frames, plots and figures."""
    with serve_in_thread(stub_engine(asr=StubAsr("good morning")), ServerOptions(token=None)) as serving:
        outputs(tmp_path, "once", serving.url)
    first, second = (outputs(tmp_path, "none", serving.url) for _ in range(2))
    for cell, one, other in zip(CELLS, first, second, strict=True):
        assert one == other, cell
    assert "You said: good morning." in str(first[5])
    assert sum(len(shown) for shown in first) > 9
