"""What ``binder/`` says, read by repo2docker itself: its build file, without docker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def build_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The build file that repo2docker writes for this repository."""
    pytest.importorskip("repo2docker", reason='repo2docker is not installed: pip install "realtime-nb[dev]"')
    folder = tmp_path_factory.mktemp("binder")
    shutil.copytree(ROOT / "binder", folder / "binder")  # it reads no other file; a copy, for it walks the whole tree
    command = [sys.executable, "-m", "repo2docker", "--no-build", "--debug", str(folder)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    return ended.stderr + ended.stdout


def steps(build_file: str) -> list[str]:
    """Its instructions, in order."""
    return [line for line in build_file.splitlines() if line.startswith(("RUN", "COPY", "ENV", "USER", "ENTRYPOINT"))]


def test_the_repository_is_there_before_it_is_installed_and_the_models_come_last(build_file: str) -> None:
    """``.[local,lab]`` needs the sources, and ``postBuild`` needs what was installed."""
    order = steps(build_file)
    copied = next(n for n, step in enumerate(order) if "src/ ${REPO_DIR}/" in step)
    installed = next(n for n, step in enumerate(order) if "install --no-cache-dir -r" in step)
    assert "binder/requirements.txt" in order[installed]
    assert copied < installed < order.index("RUN ./binder/postBuild")


def test_the_python_and_the_system_packages_are_the_ones_we_ask_for(build_file: str) -> None:
    """``runtime.txt`` and ``apt.txt`` are understood."""
    assert "Building conda environment for python=3.11" in build_file
    assert "tesseract-ocr" in build_file


def test_the_pod_begins_with_our_start_script(build_file: str) -> None:
    """It forbids the engine to look for weights outside the image."""
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in steps(build_file)


@pytest.mark.parametrize("script", ["postBuild", "start"])
def test_the_scripts_can_be_run(script: str) -> None:
    """repo2docker runs them as programs."""
    path = ROOT / "binder" / script
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/usr/bin/env bash\n")
    subprocess.run(["bash", "-n", str(path)], check=True)


def test_a_pod_begins_with_the_first_lesson() -> None:
    """In JupyterLab, whoever starts the server; the links of the README and of the docs lead to the same page."""
    page = "/lab/tree/notebooks/01-hello.ipynb"
    config = json.loads((ROOT / "binder/jupyter_server_config.json").read_text())
    assert config == {app: {"default_url": page} for app in ("ServerApp", "LabApp")}
    assert "binder/jupyter_server_config.json" in (ROOT / "binder/postBuild").read_text()
    assert (ROOT / page.removeprefix("/lab/tree/")).is_file()
    for text in ("README.md", "notebooks/index.md"):
        assert f"urlpath={page.removeprefix('/')})" in (ROOT / text).read_text()


def test_what_is_baked_are_models_of_the_registry() -> None:
    """A name that is not there would break the image."""
    from realtime_nb.engine.weights import models

    line = next(line for line in (ROOT / "binder/postBuild").read_text().splitlines() if " models fetch " in line)
    baked = set(line.split(" fetch ")[1].split())
    assert baked <= {weights.name for weights in models()}
    assert {weights.stage for weights in models() if weights.name in baked} == {"vad", "turn", "asr", "llm", "tts"}
