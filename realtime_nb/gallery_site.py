"""Notebooks as pages that need nothing else: ``realtime-nb export`` makes them, with players that play.

A page loads nothing and runs nothing, and says so to the browser: its pictures and
sounds are in it, and a Content-Security-Policy forbids all the rest.
"""

from __future__ import annotations

import argparse
import html
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from realtime_nb.errors import ConfigError, MissingExtra

__all__ = ["Page", "export_options", "export_site"]

PLACES = ("notebooks", ".")
"""Where notebooks are looked for when none is named."""
_POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
_WIDGET = "application/vnd.jupyter.widget-view+json"
_STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.55 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem 1.2rem 4rem}
body{color:#1d2126;background:#fff}
a{color:#1f6fb8}
.anchor-link,.prompt{display:none}
nav{display:flex;gap:1.5rem;flex-wrap:wrap;font-size:14px;padding-bottom:.6rem;border-bottom:1px solid #8884}
h1{line-height:1.2}
h2{margin-top:2.2rem}
pre,code{font:14px/1.45 ui-monospace,monospace}
:not(pre)>code{background:#8882;border-radius:3px;padding:1px 4px}
.input_area{background:#f5f6f8;border:1px solid #8884;border-radius:6px;overflow-x:auto}
.input_area{padding:.1rem .8rem;margin:.8rem 0 .5rem}
.output_subarea{overflow-x:auto;margin:.4rem 0 .9rem}
.output_stderr{background:#fdd8}
pre{white-space:pre-wrap}
img{max-width:100%;height:auto}
.output_png img{background:#fff}
table{border:0;border-collapse:collapse;font-size:14px}
td,th{padding:3px 9px;border:0;border-bottom:1px solid #8883;text-align:right;vertical-align:top}
caption{text-align:left;font-weight:600}
.cards{display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));padding:0;list-style:none}
.cards li{border:1px solid #8885;border-radius:8px;padding:.2rem 1rem}
.facts{font-size:13px;opacity:.75}
@media(prefers-color-scheme:dark){body{color:#e4e6e9;background:#15181c}a{color:#7cb8f0}.input_area{background:#f5f6f8;color:#1d2126}}
"""


@dataclass(frozen=True)
class Page:
    """A notebook's page.

    Parameters
    ----------
    file : str
        Its name in the site.
    title : str
        The notebook's first heading.
    summary : str
        The first lines below it.
    body : str
        HTML.
    """

    file: str
    title: str
    summary: str
    body: str

    @property
    def players(self) -> int:
        """How many sounds can be played on it."""
        return self.body.count("<audio")


def export_options(parser: argparse.ArgumentParser) -> None:
    """Describe ``realtime-nb export`` to the command line's parser."""
    parser.add_argument(
        "notebooks", nargs="*", type=Path, metavar="NOTEBOOK", help="by default all in ./notebooks, or in this folder"
    )
    parser.add_argument("--out", type=Path, default=Path("gallery"), metavar="DIR", help="for the pages (%(default)s)")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    pages = export_site(given.notebooks or _found(), given.out)
    players = sum(page.players for page in pages)
    sys.stdout.write(f"{given.out / 'index.html'}: pages {len(pages)}, players {players}\n")
    return 0


def _found() -> list[Path]:
    for place in PLACES:
        if notebooks := sorted(Path(place).glob("*.ipynb")):
            return notebooks
    raise ConfigError("There is no notebook here, nor in ./notebooks", hint="realtime-nb export lesson.ipynb")


def export_site(notebooks: Sequence[Path], out: Path) -> list[Page]:
    """Make a folder of pages, one a notebook, and ``index.html``.

    Parameters
    ----------
    notebooks : sequence of Path
        With the outputs they keep; nothing is run. No two may have the same name.
    out : Path
        The folder; it is made, and pages of the same name are replaced.

    Returns
    -------
    list of Page
        In the order of the notebooks.

    Raises
    ------
    ConfigError
        A file is not there or no notebook, or two would be one page.
    MissingExtra
        ``nbconvert`` is not installed.
    """
    _check_names(notebooks)
    pages = [_page(path) for path in notebooks]
    out.mkdir(parents=True, exist_ok=True)
    for before, page, after in zip([None, *pages], pages, [*pages[1:], None], strict=False):
        _write(out / page.file, page.title, _links(before, after) + page.body)
    _write(out / "index.html", "Lessons", _index(pages))
    return pages


def _check_names(notebooks: Iterable[Path]) -> None:
    seen: dict[str, Path] = {"index": Path("index.html")}
    for path in notebooks:
        if path.stem in seen:
            raise ConfigError(f"{path} and {seen[path.stem]} would be one page", hint=f"mv {path} other.ipynb")
        seen[path.stem] = path


# ---------------------------------------------------------------- a page
def _page(path: Path) -> Page:
    notebook = _read(path)
    title, summary = _heading(notebook, path.stem)
    return Page(f"{path.stem}.html", title, summary, _body(notebook))


def _read(path: Path) -> Any:
    try:
        import nbformat
    except ImportError:
        raise _missing() from None
    try:
        notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except FileNotFoundError:
        raise ConfigError(f"There is no {path}", hint="realtime-nb export notebooks/01-hello.ipynb") from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, AttributeError, UnicodeDecodeError) as fault:
        raise ConfigError(
            f"{path} is no notebook: {fault}", hint="realtime-nb export notebooks/01-hello.ipynb"
        ) from None
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if _WIDGET not in output.get("data", {})]
    return notebook


def _body(notebook: Any) -> str:
    try:
        from nbconvert import HTMLExporter
    except ImportError:
        raise _missing() from None
    exporter: Any = HTMLExporter(template_name="basic")  # type: ignore[no-untyped-call]
    return str(exporter.from_notebook_node(notebook)[0])


def _missing() -> MissingExtra:
    return MissingExtra("pages are made by nbconvert, which is not installed", hint='pip install "realtime-nb[lab]"')


def _heading(notebook: Any, name: str) -> tuple[str, str]:
    """The first heading, and the first lines of text below it."""
    words = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    first, _, rest = words.strip().partition("\n")
    title = first.lstrip("# ") if first.startswith("# ") else name
    return title, re.sub(r"[*`]", "", rest.strip().partition("\n\n")[0]).replace("\n", " ")


# ---------------------------------------------------------------- what is around it
def _links(before: Page | None, after: Page | None) -> str:
    there = [("index.html", "All lessons")]
    there += [
        (page.file, f"{arrow} {page.title}")
        for page, arrow in ((before, "\N{LEFTWARDS ARROW}"), (after, "\N{RIGHTWARDS ARROW}"))
        if page
    ]
    return "<nav>" + "".join(f'<a href="{quote(file)}">{html.escape(words)}</a>' for file, words in there) + "</nav>"


def _index(pages: Iterable[Page]) -> str:
    cards = "".join(
        f'<li><h2><a href="{quote(page.file)}">{html.escape(page.title)}</a></h2>'
        f'<p>{html.escape(page.summary)}</p><p class="facts">{_count(page.players)}</p></li>'
        for page in pages
    )
    said = "<p>Kept as they ran, to be read and heard; nothing is loaded from elsewhere.</p>"
    return f'<h1>Lessons</h1>{said}<ul class="cards">{cards}</ul>'


def _count(players: int) -> str:
    return f"{players} to be heard" if players else "no sound"


def _write(path: Path, title: str, body: str) -> None:
    from pygments.formatters import HtmlFormatter

    colours = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    path.write_text(
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{colours}\n.highlight{{background:none}}{_STYLE}</style></head>\n<body>{body}</body></html>\n",
        encoding="utf-8",
    )
