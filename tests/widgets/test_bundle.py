"""The page's half: one readable file that is as new as its sources, typed and tested; installing it needs no node."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from realtime_nb.widgets import base

SOURCES = base.STATIC.parent / "js"
BUNDLE = base.STATIC / "widget.js"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sources and their tools; skipped where node or its packages cannot be had."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are not installed: apt-get install nodejs npm")
    if (SOURCES / "node_modules").is_dir():
        return SOURCES
    folder = tmp_path_factory.mktemp("widgets") / "js"
    shutil.copytree(SOURCES, folder)
    (folder.parent / "static").mkdir()
    shutil.copy(BUNDLE, folder.parent / "static")
    done = subprocess.run(["npm", "ci", "--no-audit"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm ci: {done.stderr.strip()[-300:]}")
    return folder


def run(folder: Path, *command: str) -> None:
    """Run a command of the workshop; its words are the test's, if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=150)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_the_bundle_is_made_of_these_sources() -> None:
    """The digest in the bundle is that of the sources beside it: seen without node."""
    digest = hashlib.sha256()
    for path in sorted(SOURCES.glob("*.js"), key=lambda path: path.name):
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    assert f"// sources: {digest.hexdigest()}\n" in BUNDLE.read_text()


def test_the_bundle_is_what_the_tools_make_of_them(workshop: Path) -> None:
    """Building again gives the committed file, byte for byte."""
    run(workshop, "node", "build.mjs", "--check")


def test_the_page_is_typed(workshop: Path) -> None:
    """The sources' JSDoc types hold under `tsc --checkJs --strict`."""
    run(workshop, "npm", "run", "--silent", "check")


def test_the_page_is_tested(workshop: Path) -> None:
    """The page's pure parts pass their own tests."""
    run(workshop, "npm", "test", "--silent")


def test_the_bundle_can_be_read_and_fetches_nothing() -> None:
    """One module, not minified, that names no other place to load from."""
    text = BUNDLE.read_text()
    lines = text.splitlines()
    assert len(lines) > 1000
    assert sum(map(len, lines)) / len(lines) < 80
    code = [line for line in lines if not line.lstrip().startswith(("*", "/*", "//"))]
    assert not re.findall(r"""\b(?:import|from)\s*\(?\s*["'`]""", "\n".join(code))
    assert set(re.findall(r"https?://[\w./:-]+", text)) <= {"http://www.w3.org/2000/svg", "http://localhost:"}


def test_the_lock_names_no_place() -> None:
    """Packages are pinned by their digest; where they come from is each machine's own affair."""
    lock = (SOURCES / "package-lock.json").read_text()
    assert "resolved" not in lock
    assert lock.count('"integrity"') > 5
