"""The lessons, run again: each cell gives what the notebook shows, with no engine, no key and no network."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="lessons are notebooks: pip install '.[dev]'")
pytest.importorskip("nbclient", reason="lessons are run by nbclient: pip install '.[dev]'")
OFFLINE = Path(__file__).parent / "offline"
"""Its ``sitecustomize.py`` takes the network away from a process that has it on its path."""
_MAKER = runpy.run_path(str(Path(__file__).parent / "lessons.py"))  # importlib mode: tests are no packages
cassette_of, environment, LESSONS = _MAKER["cassette_of"], _MAKER["environment"], _MAKER["lessons"]()
LARGEST, LARGEST_TAPES = 450_000, 6_000_000  # bytes: of a lesson, of all cassettes; the gallery has a test of its own
A_PLACE_OR_A_KEY = re.compile(r"/root/|/home/|127\.0\.0\.1:\d{5}|Bearer [A-Za-z0-9_\-.]{12,}|sk-proj-?\w")

every_lesson = pytest.mark.parametrize("notebook", LESSONS, ids=lambda notebook: notebook.stem)
Ended = subprocess.CompletedProcess[str]


def by_nbval(notebook: Path) -> Ended:
    """Hold a lesson against its outputs."""
    plain = ["-q", "-p", "no:cacheprovider", "-p", "no:timeout", "-o", "addopts=", "-W", "ignore"]
    command = [sys.executable, "-m", "pytest", "--nbval", *plain, str(notebook)]
    env = without_network(environment(notebook, "none"))
    return subprocess.run(command, check=False, capture_output=True, text=True, env=env)


def without_network(env: dict[str, str]) -> dict[str, str]:
    """The same environment; a process in it, and each that it starts, reaches this machine alone."""
    path = filter(None, (str(OFFLINE), env.get("PYTHONPATH")))
    return {**env, "PYTHONPATH": os.pathsep.join(path)}


@pytest.fixture(scope="module")
def ended(request: pytest.FixtureRequest) -> Iterator[dict[Path, Future[Ended]]]:
    """What came of each lesson that is asked for: as many at a time as there are cores, since a kernel needs one."""
    pytest.importorskip("nbval", reason='lessons are held by nbval: pip install "realtime-nb[dev]"')
    asked = [item.callspec.params["notebook"] for item in request.session.items if item.name.startswith(_HELD)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        yield {notebook: pool.submit(by_nbval, notebook) for notebook in asked}


@pytest.mark.timeout(600)
@every_lesson
def test_a_lesson_gives_what_it_shows(notebook: Path, ended: dict[Path, Future[Ended]]) -> None:
    """From the lesson's cassette, by nbval, cell for cell."""
    held = ended[notebook].result()
    assert held.returncode == 0, held.stdout[-4000:]


_HELD = test_a_lesson_gives_what_it_shows.__name__


@pytest.mark.parametrize(
    "call",
    [
        'socket.create_connection(("192.0.2.1", 80), 1)',
        'socket.getaddrinfo("example.org", 80)',
        'socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53))',
        'urllib.request.urlopen("http://192.0.2.1", timeout=1)',
    ],
)
def test_a_replay_has_no_network(call: str) -> None:
    """What :func:`test_a_lesson_gives_what_it_shows` runs in can reach nobody, so no lesson's replay needs to."""
    command = [sys.executable, "-c", f"import socket, urllib.request; {call}"]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, env=without_network(dict(os.environ)))
    assert "wanted the network" in ended.stderr


@every_lesson
def test_a_lesson_was_run_in_order_and_without_an_error(notebook: Path) -> None:
    """A reader sees outputs under every cell that has some, numbered from one."""
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert not [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"]


@every_lesson
def test_a_lesson_names_no_place_of_the_machine_it_was_made_on(notebook: Path) -> None:
    """Neither a home folder, nor a token, nor a loopback port, in it or on its cassette."""
    tape = cassette_of(notebook)
    texts = [notebook, *(tape.rglob("*.jsonl") if tape.exists() else ())]
    assert [A_PLACE_OR_A_KEY.findall(path.read_text(encoding="utf-8")) for path in texts] == [[]] * len(texts)


def test_lessons_and_cassettes_stay_small() -> None:
    """A clone of the project is not to be paid with minutes."""
    lessons = [path for path in LESSONS if path.stem != "gallery"]
    assert {path.name: path.stat().st_size for path in lessons if path.stat().st_size > LARGEST} == {}
    tapes = [path for notebook in lessons for path in cassette_of(notebook).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in tapes) < LARGEST_TAPES


def test_a_lesson_shows_a_page_that_talks_by_webrtc() -> None:
    """Its words came to the kernel by the call's sideband, an answer was cut by the server, and no sound came along."""
    lesson = next(path for path in LESSONS if path.stem.startswith("09"))
    cells = [cell for cell in nbformat.read(lesson, as_version=4).cells if cell.cell_type == "code"]
    at = next(at for at, cell in enumerate(cells) if "page" in cell.metadata.get("tags", []))
    record, history, events = ("".join(str(output) for output in cell.outputs) for cell in cells[at : at + 3])
    assert 'session.talk(transport="webrtc")' in cells[at].source
    assert "lighthouse" in record
    assert "truncated" in history
    assert "output_audio_buffer.cleared" in events
    assert "conversation.item.truncated" in events
    assert "sent" not in events
    assert "response.output_audio.delta" not in events


def test_every_lesson_teaches_something_to_do() -> None:
    """Each says what it runs on, and ends with something to try and an exercise; they are numbered from one."""
    lessons = [path for path in LESSONS if path.stem != "gallery"]
    assert [path.stem[:2] for path in lessons] == [f"{number:02}" for number in range(1, len(lessons) + 1)]
    for path in lessons:
        words = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]
        assert words[0].startswith(f"# {path.stem[:2]} · ")
        assert "*Runs on:*" in words[0]
        assert [part.split("\n")[0] for part in words[-2:]] == ["## Try", "## Exercise"]


@every_lesson
def test_a_lesson_has_pictures(notebook: Path) -> None:
    """Kept with it, so that a reader without a kernel sees them, too."""
    cells = _MAKER["code_of"](nbformat.read(notebook, as_version=4))
    assert any("image/png" in output.get("data", {}) for cell in cells for output in cell.outputs)


def test_a_client_of_ones_own_fits_into_thirty_lines() -> None:
    """Lesson 07 says so, and nothing of this package is in it."""
    lesson = next(path for path in LESSONS if path.stem.startswith("07"))
    source = next(cell.source for cell in nbformat.read(lesson, as_version=4).cells if "def ask(" in cell.source)
    assert len(source.splitlines()) <= 30
    assert "rt." not in source


TOLD = {"04": "1 picture added", "07": "Oslo", "09": "42#", "10": "You said: Ask what you can do for your country"}
"""What the cells that a replay passes over show, by lesson."""


def test_what_a_replay_passes_over_is_known() -> None:
    """Each lesson with such cells is run with the engine below."""
    passed = {path.stem[:2] for path in LESSONS if _MAKER["skipped"](path)}
    assert passed == set(TOLD)


@pytest.mark.models
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", sorted(TOLD))
def test_the_cells_that_a_replay_passes_over_run_with_the_engine(engine_weights: object, number: str) -> None:
    """No cell of the lesson raises, and it shows what the lesson is about."""
    assert engine_weights
    if number == "09":
        pytest.importorskip("aiortc", reason='a call by WebRTC needs aiortc: pip install "realtime-nb[webrtc]"')
    lesson = next(path for path in LESSONS if path.stem.startswith(number))
    book = _MAKER["ran"](lesson, None)  # nbclient raises what a cell raises
    shown = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any(TOLD[number] in str(output) for output in shown)
