"""The recorder, in JupyterLab and Chromium, with a file for its microphone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from realtime_nb.audio import Audio

RATE = 24_000
CELL = """import realtime_nb as rt
recorder = rt.Recorder(echo_cancellation=False)
recorder"""
BUSY = "import time\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end: pass"
MAIN = ".rtnb-recorder .rtnb-button.is-main"
ALERT = ".rtnb-recorder [role=alert]"

OpenNotebook = Callable[..., Any]


def ready(notebook: Any) -> None:
    """Wait until the recorder can record."""
    notebook.page.wait_for_selector(f"{MAIN}:not([disabled])")


def record(notebook: Any, seconds: float) -> None:
    """Press record, wait until the page shows so many seconds, press stop, wait until it is done."""
    notebook.page.click(f"{MAIN}:has-text('Record')")
    wait_for_clock(notebook, seconds)
    notebook.page.click(f"{MAIN}:has-text('Stop')")
    notebook.page.wait_for_selector(".rtnb-recorder[data-phase=done]")


def wait_for_clock(notebook: Any, seconds: float) -> None:
    """Wait until the widget says that so much is recorded."""
    notebook.page.wait_for_function(
        "s => { const [m, r] = document.querySelector('.rtnb-recorder .rtnb-time').value.split(':');"
        " return 60 * m + +r >= s }",
        arg=seconds,
        timeout=seconds * 1000 + 15_000,
    )


def facts(notebook: Any, *names: str) -> dict[str, Any]:
    """Ask the kernel about its recorder."""
    pairs = ", ".join(f"{name!r}: recorder.{name}" for name in names)
    found: dict[str, Any] = json.loads(notebook.kernel(f"import json; print(json.dumps({{{pairs}}}, default=str))"))
    return found


def held(notebook: Any, folder: Path) -> Audio:
    """The sound that the kernel holds."""
    path = folder / "held.wav"
    notebook.kernel(f"recorder.audio.save({str(path)!r})")
    return Audio.read(path)


def likeness(heard: Audio, fed: Audio) -> float:
    """Give the share of half seconds of `heard` that correlate >= 0.95 with `fed`, which was played round and round.

    Each half second is aligned by itself, within 60 ms of where all of it lies best: a
    busy machine lets Chromium's own made-up microphone stumble by 10 ms now and then.
    """
    ring = np.tile(fed.resample(RATE).samples, 3)
    size = len(ring) + len(heard.samples)
    match = np.fft.irfft(np.fft.rfft(ring, size) * np.conj(np.fft.rfft(heard.samples, size)), size)
    third = len(ring) // 3
    lag = third + int(np.argmax(match[third : 2 * third]))
    near = range(-60 * RATE // 1000, 60 * RATE // 1000)
    window = RATE // 2
    found = []
    for at in range(0, len(heard.samples) - window, window):
        piece = heard.samples[at : at + window]
        around = ring[lag + at + near[0] : lag + at + near[-1] + window]
        best = int(np.argmax(np.correlate(around, piece)))
        found.append(np.corrcoef(piece, around[best : best + window])[0, 1])
    return float(np.mean(np.array(found) >= 0.95))


def test_what_the_kernel_holds_is_what_was_fed(open_notebook: OpenNotebook, mic: Path, tmp_path: Path) -> None:
    """Five seconds arrive whole and unchanged through Jupyter's server; the page plays them without a gap."""
    notebook = open_notebook(CELL)
    notebook.run(0)
    ready(notebook)
    record(notebook, 5)
    heard = held(notebook, tmp_path)
    said = facts(notebook, "lost_s", "duration_s", "recording", "trouble", "faults", "path.name")
    assert said == {
        "lost_s": 0,
        "duration_s": heard.duration_s,
        "recording": False,
        "trouble": None,
        "faults": [],
        "path.name": "proxy",
    }
    assert 5 <= heard.duration_s < 9
    assert likeness(heard, Audio.read(mic)) >= 0.8

    notebook.page.click(".rtnb-recorder .rtnb-button:has-text('Play')")
    notebook.page.wait_for_selector(".rtnb-recorder .rtnb-button:has-text('Play')", timeout=20_000)
    told = facts(notebook, "_heard")["_heard"]
    assert (told["t"], told["played"], told["underruns"]) == ("done", len(heard.samples), 0)


def test_recording_goes_on_while_a_cell_runs(open_notebook: OpenNotebook, mic: Path, tmp_path: Path) -> None:
    """A cell that never lets go of the kernel's main thread costs no sample: start, sound and stop pass it by."""
    notebook = open_notebook(CELL, BUSY.format(seconds=5))
    notebook.run(0)
    ready(notebook)
    notebook.run(1, wait=False)
    record(notebook, 3)
    assert notebook.js("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status") == "busy"
    notebook.wait_idle()
    heard = held(notebook, tmp_path)
    assert facts(notebook, "lost_s", "trouble") == {"lost_s": 0, "trouble": None}
    assert heard.duration_s >= 3
    assert likeness(heard, Audio.read(mic)) >= 0.8
