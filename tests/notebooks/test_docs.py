"""The docs site, built from the pages, the lessons and the docstrings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import realtime_nb as rt

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; a warning is an error."""
    pytest.importorskip("myst_nb", reason='the docs need Sphinx: pip install "realtime-nb[dev]"')
    out = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", str(out / "doctrees")]
    built = subprocess.run([*command, str(ROOT / "notebooks"), str(out)], check=False, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return out


def test_every_public_name_has_its_place_in_the_reference(site: Path) -> None:
    """What ``import realtime_nb as rt`` gives can be looked up."""
    page = (site / "api.html").read_text(encoding="utf-8")
    missing = {name for name in rt.__all__ if f"realtime_nb.{name}" not in page} - {"__version__"}
    assert missing == set()


def test_a_session_is_documented_with_all_that_tab_shows(site: Path) -> None:
    """Methods and frames alike."""
    from realtime_nb.session.awaitable import PUBLIC

    page = (site / "api.html").read_text(encoding="utf-8")
    assert {name for name in PUBLIC if f'id="realtime_nb.Session.{name}"' not in page} == set()
