"""``realtime-nb export``: notebooks as pages that play and need nothing else."""

from __future__ import annotations

import builtins
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import realtime_nb as rt
from realtime_nb.cli import main
from realtime_nb.errors import ConfigError, MissingExtra
from realtime_nb.gallery_site import export_site

nbformat = pytest.importorskip("nbformat", reason="pages are made of notebooks: pip install '.[lab]'")
pytest.importorskip("nbconvert", reason="pages are made by nbconvert: pip install '.[lab]'")

LESSONS = sorted((Path(__file__).parents[1] / "notebooks").glob("0*.ipynb"))
_LOADS = {"src", "srcset", "poster", "data", "action"}


def notebook(path: Path, *cells: Any) -> Path:
    """Write one."""
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return path


def told(html: str) -> Any:
    """A cell that shows some HTML."""
    return nbformat.v4.new_code_cell("x", outputs=[nbformat.v4.new_output("display_data", {"text/html": html})])


class Loaded(HTMLParser):
    """What a page would load by itself."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.wanted: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element points to."""
        for name, value in attrs:
            if name in _LOADS or (tag == "link" and name == "href"):
                self.wanted.append(str(value)[:60])
        if tag == "script":
            self.wanted.append("script")


def test_the_lessons_become_pages_that_load_nothing(tmp_path: Path) -> None:
    """Every picture and sound is in the page; there is no script, and the browser is told so."""
    pages = export_site(LESSONS, tmp_path)
    assert sum(page.players for page in pages) > 10
    for path in [tmp_path / page.file for page in pages] + [tmp_path / "index.html"]:
        text = path.read_text(encoding="utf-8")
        assert [place for place in Loaded(text).wanted if not place.startswith("data:")] == []
        assert "url(http" not in text
        assert "default-src 'none'" in text


def test_the_index_leads_to_every_page_and_a_page_to_its_neighbours(tmp_path: Path) -> None:
    """With the notebook's heading, and what it is about."""
    first = notebook(tmp_path / "a.ipynb", nbformat.v4.new_markdown_cell("# Tea & cake\n\nHow to *eat*.\n\nMore."))
    second = notebook(tmp_path / "b.ipynb", told(rt.Audio.tone(440, 0.2)._repr_html_()))
    pages = export_site([first, second], tmp_path / "out")
    assert [(page.title, page.summary, page.players) for page in pages] == [
        ("Tea & cake", "How to eat.", 0),
        ("b", "", 1),
    ]
    index = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert '<a href="a.html">Tea &amp; cake</a>' in index
    assert "1 to be heard" in index
    assert re.findall(r'href="([ab].html)"', (tmp_path / "out" / "a.html").read_text(encoding="utf-8")) == ["b.html"]
    assert re.findall(r'href="([ab].html)"', (tmp_path / "out" / "b.html").read_text(encoding="utf-8")) == ["a.html"]


@pytest.mark.parametrize("name", ["50%25 off", "lesson #1", "why?", "Übung 1"])
def test_a_link_leads_to_the_page_whatever_its_name(tmp_path: Path, name: str) -> None:
    """What means something in an address is a letter of the file's name."""
    (page,) = export_site([notebook(tmp_path / f"{name}.ipynb")], tmp_path / "out")
    (link,) = re.findall(r'href="([^"]+)"', (tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    place = urlsplit(link)
    assert unquote(place.path) == page.file
    assert (place.query, place.fragment) == ("", "")


def test_a_live_widget_leaves_its_static_form(tmp_path: Path) -> None:
    """What needs a kernel is not on the page."""
    live = {"application/vnd.jupyter.widget-view+json": {"model_id": "m"}, "text/plain": "Camera()"}
    cell = told("<p>static</p>")
    cell.outputs.append(nbformat.v4.new_output("display_data", live))
    export_site([notebook(tmp_path / "a.ipynb", cell)], tmp_path)
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "static" in page
    assert "model_id" not in page
    assert "Camera()" not in page


def test_a_heading_is_text(tmp_path: Path) -> None:
    """What a notebook calls itself cannot put elements into the index."""
    path = notebook(tmp_path / "a.ipynb", nbformat.v4.new_markdown_cell("# <img src=x>\n\n<script>1</script>"))
    export_site([path], tmp_path)
    assert "<img" not in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<script" not in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_what_is_no_notebook_is_told_by_its_name(tmp_path: Path) -> None:
    """Missing, foreign, and two that would be one page: each has its words and a line that helps."""
    with pytest.raises(ConfigError, match=r"There is no .*gone\.ipynb"):
        export_site([tmp_path / "gone.ipynb"], tmp_path)
    (tmp_path / "text.ipynb").write_text("hello", encoding="utf-8")
    (tmp_path / "list.ipynb").write_text("[]", encoding="utf-8")
    (tmp_path / "bytes.ipynb").write_bytes(b"\xff\xfe\x00")
    for name in ("text", "list", "bytes"):
        with pytest.raises(ConfigError, match=rf"{name}\.ipynb is no notebook") as caught:
            export_site([tmp_path / f"{name}.ipynb"], tmp_path)
        assert caught.value.hint == "realtime-nb export notebooks/01-hello.ipynb"
    (tmp_path / "more").mkdir()
    twice = [notebook(folder / "a.ipynb") for folder in (tmp_path, tmp_path / "more")]
    with pytest.raises(ConfigError, match="would be one page"):
        export_site(twice, tmp_path)


def test_the_command_takes_the_notebooks_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those in ./notebooks, else those here; without any it says what to name."""
    monkeypatch.chdir(tmp_path)
    assert main(["export"]) == 1
    assert "no notebook here" in capsys.readouterr().err
    notebook(tmp_path / "here.ipynb")
    assert main(["export", "--out", "one"]) == 0
    (tmp_path / "notebooks").mkdir()
    notebook(tmp_path / "notebooks" / "there.ipynb", told("<audio controls></audio>"))
    capsys.readouterr()
    assert main(["export", "--out", "two"]) == 0
    assert capsys.readouterr().out == "two/index.html: pages 1, players 1\n"
    assert (tmp_path / "one" / "here.html").exists()
    assert (tmp_path / "two" / "there.html").exists()


def test_without_nbconvert_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that has it."""
    usual = builtins.__import__

    def gone(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "nbconvert":
            raise ImportError(name)
        return usual(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", gone)
    with pytest.raises(MissingExtra, match="lab"):
        export_site([notebook(tmp_path / "a.ipynb")], tmp_path)
