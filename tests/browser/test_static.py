"""What a saved notebook shows when it is opened again without its kernel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

OpenNotebook = Callable[..., Any]

PLAYER = """import realtime_nb as rt
player = rt.Player(rt.Audio.tone(440, 1.0), transcript="A tone, <b>really</b>.")
player"""
TURN = """from realtime_nb.testing.server import Reply, ScriptedServer
with ScriptedServer(Reply("Nile.", audio=rt.Audio.tone(300, 0.5).to_pcm16())) as server:
    with rt.connect(server.url) as session:
        session.say("Rivers?")"""
TWIN = "[class^=rtnb-static]"
SEEN = """() => [...document.querySelectorAll('.jp-OutputArea audio[controls]')]
    .filter(sound => sound.getClientRects().length)"""
PLAYS = f"""async () => {{
  const found = [];
  for (const sound of ({SEEN})()) {{
    sound.muted = true;
    await sound.play();
    found.push(Math.round(sound.duration * 10) / 10);
    sound.pause();
  }}
  return found;
}}"""


def shown(notebook: Any) -> str:
    """The words of all outputs that can be seen."""
    words: str = notebook.page.evaluate(
        "() => [...document.querySelectorAll('.jp-OutputArea-output')]"
        ".filter(el => el.getClientRects().length).map(el => el.innerText).join(' ')"
    )
    return words


@pytest.fixture(scope="module")
def left(lab: Any, chrome: Any) -> Path:
    """A notebook with a live player and a turn, saved; its kernel is gone."""
    name = lab.notebook("left", [PLAYER, TURN])
    notebook = chrome.open(lab, name)
    notebook.run_all()
    notebook.page.wait_for_selector(".rtnb-player canvas")
    assert not notebook.page.locator(TWIN).first.is_visible(), "while it lives, the live view is enough"
    notebook.save()
    notebook.end()
    return Path(lab.root) / name


def test_reopened_it_plays_and_reads(left: Path, lab: Any, chrome: Any) -> None:
    """With a new kernel and no widget state, sound and words are there, and nothing says that a model is missing."""
    notebook = chrome.open(lab, left.name)
    try:
        notebook.page.wait_for_function(f"() => ({SEEN})().length === 2")
        assert notebook.page.evaluate(PLAYS) == [1.0, 0.5]
        assert "A tone, <b>really</b>." in shown(notebook)
        assert "Nile." in shown(notebook)
        notebook.page.wait_for_function("() => document.body.textContent.includes('model not found')")  # said, unseen
        assert "model not found" not in shown(notebook)
    finally:
        notebook.end()


def test_exported_by_nbconvert_it_plays_and_reads(left: Path, chrome: Any) -> None:
    """The page that nbconvert makes of it has the players and the words, also where no network is."""
    from nbconvert import HTMLExporter

    exported = left.with_suffix(".html")
    exported.write_text(HTMLExporter().from_filename(str(left))[0])
    page = chrome.page()
    try:
        page.route("http*://**", lambda route: route.abort())
        page.goto(exported.as_uri(), wait_until="domcontentloaded")
        page.wait_for_function(f"() => ({SEEN})().length === 2")
        assert page.evaluate(PLAYS) == [1.0, 0.5]
        assert page.locator(f"{TWIN} img").first.evaluate("img => img.complete && img.naturalWidth > 0")
        for words in ("A tone, <b>really</b>.", "Nile."):
            assert words in page.inner_text("body")
        assert "model not found" not in page.inner_text("body")
    finally:
        page.close()


def test_an_untrusted_copy_plays_and_reads_too(left: Path, lab: Any, chrome: Any) -> None:
    """What JupyterLab's sanitizer leaves is enough: the players, the waveforms, the words."""
    stored = json.loads(left.read_text())
    stored["cells"][0]["source"] = "# somebody else's"
    copy = left.with_name("untrusted.ipynb")
    copy.write_text(json.dumps(stored))
    notebook = chrome.open(lab, copy.name)
    try:
        notebook.page.wait_for_function(f"() => ({SEEN})().length === 2")
        assert notebook.page.evaluate(PLAYS) == [1.0, 0.5]
        assert notebook.page.locator(f"{TWIN} img").first.evaluate("img => img.complete && img.naturalWidth > 0")
        assert "A tone, <b>really</b>." in shown(notebook)
        assert "model not found" not in shown(notebook)
    finally:
        notebook.end()


def test_closed_or_bereft_of_its_kernel_the_static_form_appears(open_notebook: OpenNotebook) -> None:
    """close() shows the static form where the live view was; a restart does, too, and says what to do."""
    notebook = open_notebook(PLAYER, "player.close()")
    notebook.run(0)
    notebook.page.wait_for_selector(".rtnb-player canvas")
    notebook.run(1)
    notebook.page.wait_for_selector(f"{TWIN} audio", state="visible")
    notebook.page.wait_for_selector(".rtnb-player", state="detached")
    assert "application/vnd.jupyter.widget-view+json" not in json.dumps(notebook.outputs(0))

    notebook.run(0)
    notebook.page.wait_for_selector(".rtnb-player canvas")
    notebook.restart_kernel()
    notebook.page.wait_for_selector(f"{TWIN} audio", state="visible")
    assert "Run the cell again" in notebook.page.locator(".rtnb-player [role=status]").inner_text()
    assert notebook.page.locator(".rtnb-player .rtnb-wave").evaluate("el => el.inert")
