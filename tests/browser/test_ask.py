"""The magics, in JupyterLab and Chromium: Tab, cells that show and ask, and what is left after unload."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from realtime_nb.server.options import ServerOptions
from realtime_nb.server.thread import serve_in_thread
from realtime_nb.testing.stages import stub_engine

CHART = """%%ask Which bar is the tallest?
import matplotlib.pyplot as plt
plt.bar(["apples", "pears"], [2, 5])"""
TONE = """%%ask What is this sound?
import realtime_nb as rt
rt.Audio.tone(440, 1.0)"""
SOURCE = "i => window.jupyterapp.shell.currentWidget.content.widgets[i].model.sharedModel.source"


@pytest.fixture(scope="module")
def book(lab: Any, chrome: Any) -> Iterator[Any]:
    """A notebook with the extension loaded, connected to a server whose stages cost nothing."""
    with serve_in_thread(stub_engine(), ServerOptions(token=None)) as serving:
        cells = ["%load_ext realtime_nb", f"%rt connect {serving.url}", CHART, TONE, "", "%unload_ext realtime_nb"]
        notebook = chrome.open(lab, lab.notebook("ask", cells))
        notebook.run(0)
        notebook.run(1)
        yield notebook
        notebook.end()


@pytest.mark.parametrize(
    ("cell", "shown", "held"),
    [
        (2, "img[src^='data:image/png']", "image.notna() & asked.audio_s.isna()"),
        (3, "audio", "image.isna() & (asked.audio_s == 1.0)"),
    ],
    ids=["chart", "tone"],
)
def test_a_cell_is_shown_sent_and_answered_below(book: Any, cell: int, shown: str, held: str) -> None:
    """The page has what the cell shows and, below it, the answer; the item holds the picture or the sound."""
    book.run(cell)
    output = f".jp-Notebook .jp-CodeCell >> nth={cell} >> .jp-OutputArea"
    book.page.wait_for_selector(f"{output} >> {shown} >> nth=0")
    book.page.wait_for_selector(f"{output} >> text=You said >> nth=0")
    book.until(f"((asked := session.history[session.history.role == 'user'].tail(1)).{held}).all()")


def test_tab_completes_in_the_page(book: Any) -> None:
    """After `%rt st` Tab offers the command, Enter takes it."""
    book.js("() => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = 4 }")
    book.page.click(".jp-Notebook .jp-CodeCell >> nth=4 >> .cm-content")
    book.page.keyboard.type("%rt st")
    book.page.wait_for_selector(".jp-Notebook .jp-CodeCell >> nth=4 >> .jp-mod-completer-enabled")  # else Tab indents
    book.page.keyboard.press("Tab")
    book.page.wait_for_selector(".jp-Completer:has-text('status')")
    book.page.keyboard.press("Enter")
    book.page.wait_for_function(f"() => ({SOURCE})(4) === '%rt status'")


def test_unload_leaves_nothing(book: Any) -> None:
    """The magics and the session are gone."""
    book.run(5)
    assert book.kernel("print('session' in globals(), get_ipython().find_line_magic('rt'))") == "False None"
