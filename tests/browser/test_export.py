"""An exported page in a browser: from the disk, without a kernel, a server or a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from realtime_nb.gallery_site import export_site

LESSON = Path(__file__).parents[2] / "notebooks" / "01-hello.ipynb"
PLAY = """async () => {
  const found = [];
  for (const sound of document.querySelectorAll('audio')) {
    sound.muted = true;
    await sound.play();
    found.push(sound.duration);
    sound.pause();
  }
  return found;
}"""


def test_every_player_of_a_lesson_plays_and_nothing_is_asked_for(chrome: Any, tmp_path: Path) -> None:
    """The sounds have their lengths, the pictures their sizes, and the only request is the page."""
    page_of = export_site([LESSON], tmp_path)[0]
    page, asked = chrome.page(), []
    page.on("request", lambda request: asked.append(request.url))
    try:
        page.goto((tmp_path / page_of.file).as_uri())
        lengths = page.evaluate(PLAY)
        sizes = page.evaluate("() => [...document.images].map(image => image.naturalWidth)")
    finally:
        page.close()
    assert len(lengths) == page_of.players > 3
    assert min(lengths) > 0.3
    assert min(sizes) > 0
    assert [url for url in asked if not url.startswith("data:")] == [(tmp_path / page_of.file).as_uri()]
