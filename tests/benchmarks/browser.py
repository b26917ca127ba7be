"""The widgets in a headless Chromium: how old a sample is in the kernel, how soon silence is, what it all costs."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "browser"))

from lab import Chrome, Lab, Notebook, missing

import realtime_nb as rt

Figure = tuple[str, float, str]
DATA = Path(__file__).parents[1] / "data"
CHUNK_MS = 20
TALKS_S = 10

RECORDER = """import time
import realtime_nb as rt
recorder = rt.Recorder(echo_cancellation=False)
ages, silences = [], []
channel = recorder._channel
hear, note = channel._on_audio, channel._on_event

def timed(pcm, header):
    ages.append(time.time() * 1000 - header.get("ms", 0))
    hear(pcm, header)

def noted(header, payload):
    if header["t"] == "flushed":
        silences.append((time.perf_counter() - asked) * 1000)
    note(header, payload)

channel._on_audio, channel._on_event = timed, noted
recorder"""


def media(runs: int) -> Iterator[Figure]:
    """Record, play and flush with the recorder; talk with stages that cost nothing."""
    reason = missing()
    if reason:
        print(f"  left out: {reason}")
        return
    with tempfile.TemporaryDirectory() as folder:
        mic = rt.Audio.read(DATA / "jfk.wav").resample(48_000).save(Path(folder) / "mic.wav")
        with Lab(Path(folder)) as lab, Chrome(mic=mic) as chrome:
            notebook = chrome.open(lab, lab.notebook("recorder", [RECORDER]))
            notebook.run(0)
            yield from _cost("nothing goes on", chrome)
            yield from _recorded(notebook, runs)
            notebook.end()
        with Lab(Path(folder)) as lab, Chrome(mic=_question(Path(folder))) as chrome:
            yield from _talked(lab, chrome)


def _recorded(notebook: Notebook, runs: int) -> Iterator[Figure]:
    main = ".rtnb-recorder .rtnb-button.is-main:not([disabled])"
    notebook.page.click(main)
    time.sleep(10)
    notebook.page.click(main)
    notebook.page.wait_for_selector(".rtnb-recorder[data-phase=done]")
    ages = json.loads(notebook.kernel("import json; print(json.dumps(ages))"))
    yield "round trip page-kernel, through jupyter-server-proxy", _number(notebook, "recorder.path.rtt_ms"), "ms"
    yield "chunk of 20 ms whole in the page, then in the kernel: median", median(ages), "ms"
    yield "... 95th of 100", quantiles(ages, n=20)[-1], "ms"
    yield "microphone to kernel, the chunk's own length included: median", median(ages) + CHUNK_MS, "ms"
    for _ in range(runs):
        notebook.page.click(".rtnb-recorder .rtnb-button:has-text('Play')")
        time.sleep(0.8)
        notebook.kernel("asked = time.perf_counter(); channel.flush()")
        notebook.page.wait_for_selector(".rtnb-recorder .rtnb-button:has-text('Play')")
    silences = json.loads(notebook.kernel("print(json.dumps(silences))"))
    yield "flush asked for, to the page's word that it is silent: median", median(silences), "ms"


def _question(folder: Path) -> Path:
    quiet = rt.Audio.silence
    question = rt.Audio.read(DATA / "question.wav").resample(48_000)
    return rt.Audio.concatenate([quiet(15, rate=48_000), question, quiet(60, rate=48_000)]).save(folder / "asked.wav")


def _number(notebook: Notebook, expression: str) -> float:
    return float(notebook.kernel(f"print({expression})"))


def _talked(lab: Lab, chrome: Chrome) -> Iterator[Figure]:
    from realtime_nb.server.thread import serve_in_thread
    from realtime_nb.testing.stages import StubLlm, stub_engine

    words = "The Nile flows north through eleven countries and reaches the sea in Egypt " * 8
    with serve_in_thread(stub_engine(llm=StubLlm(lambda _: words))) as server:
        assert server.token is not None
        connect = f"import realtime_nb as rt\nsession = rt.connect({server.url!r}, api_key={server.token.reveal()!r})"
        notebook = chrome.open(lab, lab.notebook("talk", [connect, "session.talk()"]))
        for cell in (0, 1):
            notebook.run(cell)
        notebook.page.wait_for_selector(".rtnb-talk[data-phase=listening]")
        yield from _cost("listening", chrome)
        notebook.page.wait_for_selector(".rtnb-talk[data-phase=speaking]")
        yield from _cost("listening and speaking", chrome)
        notebook.end()


def _cost(what: str, chrome: Chrome) -> Iterator[Figure]:
    """Measure what all of Chromium's processes use together, of one core."""
    processes = [process for process in psutil.Process().children(recursive=True) if "chrom" in process.name()]
    before = {process: _seconds(process) for process in processes}
    time.sleep(TALKS_S)
    used = sum(max(0.0, _seconds(process) - seconds) for process, seconds in before.items())
    yield f"browser while {what}, of one core", 100 * used / TALKS_S, "%"


def _seconds(process: Any) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
