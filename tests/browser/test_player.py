"""The player, in JupyterLab and Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

CELL = """import realtime_nb as rt
clip = rt.Audio.tone(440, 1.0) + rt.Audio.silence(1.0)
player = rt.Player(clip, transcript="A tone, <b>then</b> silence.")
player"""
WAVE = ".rtnb-player .rtnb-wave"
PLAY = ".rtnb-player .rtnb-button.is-main"
LOADED = f"{WAVE}[aria-valuemax='2.00'] canvas"


@pytest.fixture(scope="module")
def book(lab: Any, chrome: Any) -> Iterator[Any]:
    """One notebook for all of these tests."""
    opened = chrome.open(lab, lab.notebook("player", [CELL, "player"]))
    yield opened
    opened.end()


@pytest.fixture
def notebook(book: Any) -> Any:
    """The notebook with a new player of two seconds in it, and nothing of the test before."""
    book.command("notebook:clear-all-cell-outputs")
    book.page.wait_for_selector(WAVE, state="detached")
    book.run(0)
    book.page.wait_for_selector(LOADED)
    return book


def drag(notebook: Any, start: float, stop: float) -> None:
    """Drag over a part of the wave, each end from 0 to 1."""
    notebook.page.locator(WAVE).scroll_into_view_if_needed()
    box = notebook.page.locator(WAVE).bounding_box()
    xs = [box["x"] + box["width"] * share for share in (start, stop)]
    middle = box["y"] + box["height"] / 2
    notebook.page.mouse.move(xs[0], middle)
    notebook.page.mouse.down()
    notebook.page.mouse.move(xs[1], middle, steps=5)
    notebook.page.mouse.up()


def test_it_plays_through_without_a_stall_and_says_so(notebook: Any) -> None:
    """After Play the kernel learns that all of it was heard, and nothing ran dry."""
    notebook.page.click(PLAY)
    notebook.until("player.finished and player.played_s == 2.0 and player.stalls == 0")
    assert notebook.page.locator(PLAY).inner_text() == "Play"
    assert notebook.kernel("print(player.playing, player.faults)") == "False ()"


def test_a_drag_selects_what_the_kernel_then_holds(notebook: Any) -> None:
    """A selection is a clip; playing it plays just that; a click clears it and moves the cursor."""
    drag(notebook, 0.25, 0.5)
    notebook.until("player.selection is not None and abs(player.selection.duration_s - 0.5) < 0.02")
    notebook.until("abs(player.selection_s[0] - 0.5) < 0.02")
    notebook.page.click(PLAY)
    notebook.until("not player.playing and 0.95 < player.position_s < 1.9")
    assert notebook.kernel("print(player.finished)") == "False"
    drag(notebook, 0.75, 0.75)
    notebook.until("player.selection is None and abs(player.position_s - 1.5) < 0.02")


def test_keys_do_all_of_it(notebook: Any) -> None:
    """Arrows, Home and End move, with Shift they select, Escape selects nothing; JupyterLab's shortcuts stay out."""
    cell = notebook.js("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex")
    notebook.page.focus(WAVE)
    for key in ("ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight"):
        notebook.page.keyboard.press(key)
    notebook.until("player.selection_s == (0.5, 1.5) and player.position_s == 1.5")
    notebook.page.keyboard.press("Escape")
    notebook.page.keyboard.press("Home")
    notebook.until("player.selection is None and player.position_s == 0")
    notebook.page.keyboard.press("ArrowUp")
    notebook.page.keyboard.press("ArrowDown")
    notebook.page.keyboard.press("End")
    assert notebook.page.get_attribute(WAVE, "aria-valuenow") == "2.00"
    assert notebook.page.get_attribute(WAVE, "aria-valuetext") == "2.0 s of 2.0 s"
    notebook.kernel("player.speed = 0.25")  # so that it still plays when the kernel is asked
    notebook.page.wait_for_selector(".rtnb-player option[value='0.25']", state="attached")
    notebook.page.keyboard.press(" ")
    notebook.until("player.playing")
    assert notebook.js("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex") == cell


def test_a_cell_drives_it_and_two_views_agree(notebook: Any) -> None:
    """Speed, volume and selection set in one view or in the kernel are seen in all."""
    notebook.run(1)
    notebook.page.wait_for_function("s => document.querySelectorAll(s).length === 2", arg=LOADED)
    notebook.kernel("player.speed = 2.0; player.select(0.5, 1.0)")
    notebook.page.wait_for_function(
        "() => [...document.querySelectorAll('.rtnb-player')].every(el => el.querySelector('select').value === '2'"
        " && el.textContent.includes('Selected 0.5 s to 1.0 s'))"
    )
    assert notebook.page.locator(".rtnb-player .rtnb-words").first.inner_text() == "A tone, <b>then</b> silence."
    notebook.page.locator(".rtnb-player select").first.select_option("0.5")
    notebook.page.locator(".rtnb-player [type=range]").first.fill("0.25")
    notebook.until("player.speed == 0.5 and player.volume == 0.25")
    notebook.page.wait_for_function(
        "() => [...document.querySelectorAll('.rtnb-player [type=range]')].every(el => el.value === '0.25')"
    )
