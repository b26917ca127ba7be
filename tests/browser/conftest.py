"""One JupyterLab and one Chromium for all tests of this folder; skipped, with the reason, where they cannot be had."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from lab import Chrome, Lab, Notebook, missing

HERE = Path(__file__).parent
DATA = HERE.parent / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Try twice what a browser does in real time beside other tests on the same cores; the summary says of which."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def browser_or_skip() -> None:
    """Skip where JupyterLab cannot be driven."""
    reason = missing()
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def lab(browser_or_skip: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A JupyterLab that lets any name of this machine in, so that a page can come over plain HTTP."""
    with Lab(tmp_path_factory.mktemp("lab"), extra=["--ServerApp.allow_remote_access=True"]) as server:
        yield server


@pytest.fixture(scope="session")
def mic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the microphone hears, round and round: eleven seconds of a person, 48 kHz."""
    import realtime_nb as rt

    return rt.Audio.read(DATA / "jfk.wav").resample(48_000).save(tmp_path_factory.mktemp("mic") / "mic.wav")


@pytest.fixture(scope="module")
def chrome(browser_or_skip: None, mic: Path) -> Iterator[Chrome]:
    """A browser whose microphone is `mic`, allowed without asking; plain-http.test is this machine, insecurely.

    One a file: while Playwright is there its loop runs in this thread, and no other test could start one.
    """
    with Chrome(mic=mic, flags=["--host-resolver-rules=MAP plain-http.test 127.0.0.1"]) as browser:
        yield browser


@pytest.fixture(scope="session")
def older_kernel(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a kernel with the last ipykernel 6: another routing of messages, and no subshells."""
    folder = tmp_path_factory.mktemp("ipykernel-6")
    wanted = ["ipykernel==6.31.0", "nest_asyncio==1.6.0"]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *wanted]
    installed = subprocess.run(command, check=False, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"ipykernel 6.31 cannot be had here: {installed.stderr.strip()[-200:]}")
    lab.kernel("ipykernel-6", folder)
    return "ipykernel-6"


@pytest.fixture
def open_notebook(lab: Lab, chrome: Chrome, request: pytest.FixtureRequest) -> Iterator[Callable[..., Notebook]]:
    """Write a notebook of the given cells and open it; its page and kernel end with the test."""
    opened: list[Notebook] = []

    def open_cells(*cells: str, url: str | None = None, kernel: str = "python3") -> Notebook:
        name = lab.notebook(f"{request.node.name.split('[')[0]}-{len(opened)}", cells, kernel=kernel)
        opened.append(chrome.open(lab, name, url=url))
        return opened[-1]

    yield open_cells
    for notebook in opened:
        notebook.end()
