"""The recorder, in JupyterLab and Chromium, with a file for its microphone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_nb.audio import Audio

RATE = 24_000
CELL = """import realtime_nb as rt
recorder = rt.Recorder(echo_cancellation=False)
recorder"""
BUSY = "import os\nwhile not os.path.exists({flag!r}): pass"
"""A cell that never lets go of the kernel's main thread until the test puts a file there."""
MAIN = ".rtnb-recorder .rtnb-button.is-main"
DEVICE = ".rtnb-recorder [aria-label=Microphone]"
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


def arrived(notebook: Any) -> None:
    """Wait until the kernel knows that the recording is over, and has all of it: the page is ahead of it."""
    notebook.until("recorder.duration_s and not recorder.recording and recorder.lost_s == 0")


def wait_for_clock(notebook: Any, seconds: float) -> None:
    """Wait until the widget says that so much is recorded."""
    notebook.page.wait_for_function(
        "s => { const [m, r] = document.querySelector('.rtnb-recorder .rtnb-time').value.split(':');"
        " return 60 * m + +r >= s }",
        arg=seconds,
        timeout=seconds * 1000 + 60_000,
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

    Each half second is aligned by itself, within 200 ms of where all of it lies best: a
    busy machine lets Chromium's own made-up microphone stumble by 10 ms now and then.
    """
    ring = np.tile(fed.resample(RATE).samples, 3)
    size = len(ring) + len(heard.samples)
    match = np.fft.irfft(np.fft.rfft(ring, size) * np.conj(np.fft.rfft(heard.samples, size)), size)
    third = len(ring) // 3
    lag = third + int(np.argmax(match[third : 2 * third]))
    near = range(-RATE // 5, RATE // 5)
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
    arrived(notebook)
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
    assert heard.duration_s >= 5
    tenths = len(heard.samples) * 10 // RATE
    shown = notebook.js("() => document.querySelector('.rtnb-recorder .rtnb-time').value")
    assert shown == f"{tenths // 600}:{tenths // 10 % 60:02}.{tenths % 10}"
    assert likeness(heard, Audio.read(mic)) >= 0.8

    notebook.page.click(".rtnb-recorder .rtnb-button:has-text('Play')")
    notebook.page.wait_for_selector(".rtnb-recorder .rtnb-button:has-text('Play')", timeout=60_000)
    notebook.until("recorder._heard.get('t') == 'done'")
    told = facts(notebook, "_heard")["_heard"]
    assert (told["t"], told["played"], told["underruns"]) == ("done", len(heard.samples), 0)


def test_a_person_chooses_the_microphone_pauses_and_is_stopped_in_time(open_notebook: OpenNotebook) -> None:
    """The chosen device is opened; a pause adds nothing; at `max_s` the recording ends by itself, and says so."""
    notebook = open_notebook(CELL.replace("echo_cancellation=False", "max_s=4"))
    notebook.run(0)
    ready(notebook)
    page = notebook.page
    devices = page.locator(f"{DEVICE} option")
    page.click(f"{MAIN}:has-text('Record')")  # browsers name their devices once one was allowed
    page.wait_for_function("s => document.querySelectorAll(s + ' option').length > 1", arg=DEVICE)
    page.click(f"{MAIN}:has-text('Stop')")
    chosen = devices.nth(1).inner_text()
    page.select_option(DEVICE, index=1)
    page.click(f"{MAIN}:has-text('Record')")
    page.wait_for_selector(f".rtnb-recorder [role=status]:has-text('Recording from {chosen}')")
    page.click(".rtnb-recorder .rtnb-button:has-text('Pause')")
    page.wait_for_selector(".rtnb-recorder[data-phase=paused]")
    notebook.until("'paused' in repr(recorder)")
    before = facts(notebook, "duration_s")
    page.wait_for_function("then => performance.now() > then + 500", arg=notebook.js("() => performance.now()"))
    assert facts(notebook, "duration_s") == before
    page.click(".rtnb-recorder .rtnb-button:has-text('Pause')")
    page.wait_for_selector(".rtnb-recorder[data-phase=done]")
    page.wait_for_selector(".rtnb-recorder [role=status]:has-text('Stopped at 4 s')")
    arrived(notebook)
    assert 4 <= facts(notebook, "duration_s")["duration_s"] < 4.5


def recorded_while_busy(notebook: Any, folder: Path, mic: Path) -> None:
    """Record for three seconds under a cell that never lets go of the kernel's main thread."""
    notebook.run(0)
    ready(notebook)
    record_beside(notebook, folder)
    arrived(notebook)
    heard = held(notebook, folder)
    assert facts(notebook, "lost_s", "trouble") == {"lost_s": 0, "trouble": None}
    assert heard.duration_s >= 3
    assert likeness(heard, Audio.read(mic)) >= 0.5  # most: the made-up microphone stumbles while a cell has its core


def record_beside(notebook: Any, folder: Path) -> None:
    """Record for three seconds while the second cell runs, which ends then."""
    notebook.run(1, wait=False)
    record(notebook, 3)
    assert notebook.running(1)
    (folder / "flag").touch()
    notebook.wait_idle()


def busy(folder: Path) -> str:
    """The cell that runs until `record_beside` ends it."""
    return BUSY.format(flag=str(folder / "flag"))


def test_recording_goes_on_while_a_cell_runs(open_notebook: OpenNotebook, mic: Path, tmp_path: Path) -> None:
    """A cell that never lets go of the kernel's main thread costs no sample: start, sound and stop pass it by."""
    recorded_while_busy(open_notebook(CELL, busy(tmp_path)), tmp_path, mic)


def test_an_older_kernel_records_as_well(
    open_notebook: OpenNotebook, older_kernel: str, mic: Path, tmp_path: Path
) -> None:
    """Version 6 of ipykernel delivers no message of the page while a cell runs: the sound goes past it."""
    notebook = open_notebook(CELL, busy(tmp_path), kernel=older_kernel)
    assert notebook.kernel("import ipykernel; print(ipykernel.__version__)") == "6.31.0"
    recorded_while_busy(notebook, tmp_path, mic)


def alert(notebook: Any, text: str) -> str:
    """Wait until the recorder says what went wrong, in these words."""
    notebook.page.wait_for_selector(f"{ALERT}:has-text({json.dumps(text)})")
    return str(notebook.page.inner_text(ALERT))


NO_MICROPHONE = """name => { navigator.mediaDevices.getUserMedia =
    () => Promise.reject(new DOMException('as the browser says it', name)) }"""


def test_a_failure_says_what_happened_and_what_to_do(open_notebook: OpenNotebook, data: Path) -> None:
    """Refused, missing or busy microphones are told apart, to the person and to the kernel; a file does instead."""
    notebook = open_notebook(CELL)
    notebook.run(0)
    ready(notebook)
    for name, fact, todo in (
        ("NotAllowedError", "did not allow the microphone", "allow the microphone"),
        ("NotFoundError", "No microphone was found", "Plug one in"),
        ("NotReadableError", "in use by another program", "Close that program"),
    ):
        notebook.js(NO_MICROPHONE, name)
        notebook.page.click(MAIN)
        assert todo in alert(notebook, fact)
        notebook.page.wait_for_selector(".rtnb-recorder[data-phase=idle]")
        notebook.until(f"{fact!r} in (recorder.trouble or '')")
    assert notebook.kernel("recorder.audio").startswith("AudioError: The microphone is in use")

    notebook.page.set_input_files(".rtnb-recorder input[type=file]", data / "goforward.wav")
    notebook.page.wait_for_selector(".rtnb-recorder[data-phase=done]")
    duration = Audio.read(data / "goforward.wav").duration_s
    notebook.page.wait_for_function("() => !document.querySelector('.rtnb-recorder [role=alert]:not([hidden])')")
    notebook.until(f"abs(recorder.duration_s - {duration}) < 0.01 and recorder.trouble is None")

    notebook.page.set_input_files(".rtnb-recorder input[type=file]", data / "transcripts.json")
    assert "Drop a WAV" in alert(notebook, "no sound the browser can read")
    notebook.until("'no sound' in (recorder.trouble or '')")
    assert facts(notebook, "duration_s")["duration_s"] == pytest.approx(duration, abs=0.01)


def test_plain_http_says_so_and_takes_a_file(open_notebook: OpenNotebook, lab: Any, data: Path) -> None:
    """Where the browser offers no microphone because the page is not secure, the widget says that and takes a file."""
    notebook = open_notebook(CELL, url=f"http://plain-http.test:{lab.port}")
    notebook.run(0)
    ready(notebook)
    notebook.page.click(MAIN)
    assert "https://" in alert(notebook, "plain HTTP")
    drop(notebook, data / "goforward.wav")
    notebook.page.wait_for_selector(".rtnb-recorder[data-phase=done]")
    notebook.until("recorder.duration_s > 1")


def drop(notebook: Any, path: Path) -> None:
    """Drop a file on the recorder."""
    handle = notebook.page.evaluate_handle(
        """([name, bytes]) => { const transfer = new DataTransfer();
        transfer.items.add(new File([Uint8Array.from(bytes)], name)); return transfer; }""",
        [path.name, list(path.read_bytes())],
    )
    notebook.page.dispatch_event(".rtnb-recorder .rtnb-drop", "drop", {"dataTransfer": handle})


def test_the_microphone_is_given_back(open_notebook: OpenNotebook) -> None:
    """A closed widget and a restarted kernel leave no open microphone or AudioContext; the page says what to do."""
    notebook = open_notebook(CELL)
    notebook.js(WATCH)
    notebook.run(0)
    ready(notebook)
    notebook.page.click(MAIN)
    wait_for_clock(notebook, 0.5)
    assert notebook.js(OPEN) == [1, 1]
    notebook.kernel("recorder.close()")
    notebook.page.wait_for_function(f"() => ({OPEN})().every(n => n === 0)")
    notebook.page.wait_for_selector(MAIN, state="detached")
    assert facts(notebook, "closed")["closed"] is True

    notebook.run(0)
    ready(notebook)
    notebook.page.click(MAIN)
    wait_for_clock(notebook, 0.5)
    notebook.restart_kernel()
    notebook.page.wait_for_function(f"() => ({OPEN})().every(n => n === 0)", timeout=60_000)
    notebook.page.wait_for_selector("text=Run the cell again")


WATCH = """() => { window.tracks = []; window.contexts = [];
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async wish => {
      const stream = await ask(wish); tracks.push(...stream.getTracks()); return stream; };
    window.AudioContext = class extends AudioContext {
      constructor(...args) { super(...args); contexts.push(this); } } }"""
OPEN = (
    """() => [tracks.filter(t => t.readyState === 'live').length, contexts.filter(c => c.state !== 'closed').length]"""
)


def test_a_second_tab_sees_and_may_take_over(open_notebook: OpenNotebook, chrome: Any, lab: Any) -> None:
    """Two tabs show one recording; only one has the microphone, and taking it over ends the other's with a word."""
    first = open_notebook(CELL)
    first.run(0)
    ready(first)
    first.save()
    name = first.js("() => window.jupyterapp.shell.currentWidget.context.path")
    second = chrome.open(lab, name)
    ready(second)
    first.page.click(MAIN)
    wait_for_clock(first, 0.5)
    second.page.wait_for_selector("text=Another tab is recording")
    second.page.click(f"{MAIN}:has-text('Use it here')")
    wait_for_clock(second, 0.5)
    assert "take it over" in alert(first, "Another tab holds the microphone")
    second.page.click(f"{MAIN}:has-text('Stop')")
    second.page.wait_for_selector(".rtnb-recorder[data-phase=done]")
    first.page.wait_for_selector(".rtnb-recorder[data-phase=done]")
    arrived(first)
    second.page.close()


def test_a_lost_connection_costs_what_was_on_its_way(open_notebook: OpenNotebook, mic: Path, tmp_path: Path) -> None:
    """When the way breaks amid a recording, the page finds it again by itself and sends what it took meanwhile."""
    notebook = open_notebook(CELL)
    notebook.run(0)
    ready(notebook)
    notebook.page.click(MAIN)
    wait_for_clock(notebook, 1)
    notebook.kernel(
        "way = recorder._channel\n"
        "for page in way._pages.values(): way._hub.loop.call_soon_threadsafe(page.peer._connection.transport.abort)"
    )
    wait_for_clock(notebook, 3)
    notebook.until("recorder.recording and recorder.path is not None and recorder.path.name == 'proxy'")
    notebook.page.click(f"{MAIN}:has-text('Stop')")
    notebook.page.wait_for_selector(".rtnb-recorder[data-phase=done]")
    notebook.until("not recorder.recording and recorder.lost_s < 0.2")  # what lay in the aborted socket, and no more
    assert facts(notebook, "faults") == {"faults": []}
    assert (
        likeness(held(notebook, tmp_path), Audio.read(mic)) >= 0.5
    )  # most: the made-up microphone stumbles while a cell has its core


@pytest.mark.parametrize(
    ("blocked", "way"), [(["proxy"], "direct"), (["proxy", "direct"], "comm"), (["Worker"], "proxy")]
)
def test_a_worse_way_carries_all_the_same(
    open_notebook: OpenNotebook, mic: Path, tmp_path: Path, blocked: list[str], way: str
) -> None:
    """Without Jupyter's proxy, or without any socket, every sample arrives too; the widget says why no better way."""
    notebook = open_notebook(CELL, busy(tmp_path))
    if "proxy" in blocked:  # a server without jupyter-server-proxy answers so
        notebook.page.route("**/proxy/**", lambda route: route.fulfill(status=404))
    notebook.js(NO_WORKER if "Worker" in blocked else CLOSE, blocked)
    notebook.run(0)
    ready(notebook)
    record_beside(notebook, tmp_path)
    arrived(notebook)
    said = facts(notebook, "path.name", "path.why", "lost_s", "trouble")
    assert (said["path.name"], said["lost_s"], said["trouble"]) == (way, 0, None)
    assert [why.split(":")[0] for why in said["path.why"]][:2] == [name for name in blocked if name != "Worker"]
    assert (
        likeness(held(notebook, tmp_path), Audio.read(mic)) >= 0.5
    )  # most: the made-up microphone stumbles while a cell has its core


CLOSE = """blocked => { const Real = Worker; window.Worker = class extends Real { constructor(url) {
    const code = `const Real = WebSocket; WebSocket = class extends Real { constructor(url) {
      const way = url.includes('/proxy/') ? 'proxy' : 'direct';
      super(${JSON.stringify(blocked)}.includes(way) ? 'ws://127.0.0.1:9/' : url) } };
      importScripts(${JSON.stringify(url)});`;
    super(URL.createObjectURL(new Blob([code]))) } } }"""
NO_WORKER = "() => { window.Worker = class { constructor() { throw new DOMException('policy', 'SecurityError') } } }"


def test_on_the_comm_a_kernel_that_restarts_is_noticed_too(open_notebook: OpenNotebook) -> None:
    """No socket breaks there: JupyterLab's word ends the recording, the microphone is given back, and it says so."""
    notebook = open_notebook(CELL)
    notebook.js(WATCH)
    notebook.page.route("**/proxy/**", lambda route: route.fulfill(status=404))
    notebook.js(CLOSE, ["proxy", "direct"])
    notebook.run(0)
    ready(notebook)
    notebook.page.click(MAIN)
    wait_for_clock(notebook, 0.5)
    assert facts(notebook, "path.name") == {"path.name": "comm"}
    notebook.restart_kernel()
    notebook.page.wait_for_function(f"() => ({OPEN})().every(n => n === 0)", timeout=60_000)
    notebook.page.wait_for_selector("text=Run the cell again")
