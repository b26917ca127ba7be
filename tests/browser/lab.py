"""A private JupyterLab and a headless Chromium that drives it.

>>> with Lab(folder) as lab, Chrome(mic=wav) as chrome:  # doctest: +SKIP
...     notebook = chrome.open(lab, lab.notebook("a", ["1 + 1"]))
...     notebook.run_all()
...     notebook.text(0)

Only what is started here is ended here, by its process id.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

__all__ = ["CHROMIUM", "Chrome", "Lab", "Notebook", "missing"]

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
_START_S = 90
_SETTINGS = {  # no pop-up about news, no look-up of updates
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {"fetchNews": "false", "checkForUpdates": False},
    # after a second JupyterLab would not hear a kernel any more that has to wait for a core
    "@jupyterlab/completer-extension/manager.jupyterlab-settings": {"providerTimeout": 60_000},
}
_FLAGS = [
    "--headless=new",  # Playwright is told headless=False: its own headless mode has no fake microphone
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--disable-backgrounding-occluded-windows",
]
_FAKE = [
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]
_PANEL = "window.jupyterapp.shell.currentWidget"


def missing() -> str | None:
    """Tell what browser tests lack on this machine; None if nothing."""
    if not CHROMIUM:
        return "chromium is not installed: apt-get install chromium"
    for module, line in (("playwright", "playwright"), ("jupyterlab", "realtime-nb[lab]")):
        try:
            __import__(module)
        except ImportError:
            return f"{module} is not installed: pip install '{line}'"
    return None


def _die_with_parent() -> None:
    """Ask Linux to end this child when its parent ends, however that ends."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


class Lab:
    """``jupyter lab`` with folders of its own, on a free port, with a random token.

    Parameters
    ----------
    root : path
        Where notebooks are.
    extra : sequence of str
        More arguments.
    env : mapping
        More environment.
    """

    def __init__(self, root: Path, *, extra: Sequence[str] = (), env: Mapping[str, str] | None = None) -> None:
        self.root = root
        self.token = secrets.token_hex(16)
        self.home = Path(tempfile.mkdtemp(prefix="rtnb-lab-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._extra = extra
        self._env = {**os.environ, **self._folders(), "JUPYTER_PLATFORM_DIRS": "1", **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def _folders(self) -> dict[str, str]:
        names = {
            "JUPYTER_CONFIG_DIR": "cfg",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "rt",
            "IPYTHONDIR": "ipy",
        }
        names |= {"JUPYTERLAB_SETTINGS_DIR": "set", "JUPYTERLAB_WORKSPACES_DIR": "ws"}
        return {name: str(self.home / folder) for name, folder in names.items()}

    def __enter__(self) -> Self:
        for name, value in _SETTINGS.items():
            path = self.home / "set" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(value))
        command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", "--ip=127.0.0.1"]
        command += [f"--port={self.port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={self.token}"]
        command += [f"--ServerApp.root_dir={self.root}", "--LabApp.expose_app_in_browser=True", *self._extra]
        with (self.home / "lab.log").open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env=self._env,
                start_new_session=True,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - prctl only; nothing else leaves no server behind
            )
        self._wait()
        return self

    def _wait(self) -> None:
        assert self._process is not None
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise RuntimeError("jupyter lab ended:\n" + self.log[-3000:])
            try:
                urllib.request.urlopen(f"{self.url}/api/status?token={self.token}", timeout=2).read()  # noqa: S310 - http, above
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
            else:
                return
        raise TimeoutError("jupyter lab did not answer")

    @property
    def log(self) -> str:
        """What the server wrote."""
        return (self.home / "lab.log").read_text(errors="replace")

    def kernel(self, name: str, packages: Path) -> None:
        """Add a kernel: this Python, with the packages of a folder before its own."""
        folder = self.home / "data" / "kernels" / name
        folder.mkdir(parents=True, exist_ok=True)
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        path = os.pathsep.join(filter(None, [str(packages), os.environ.get("PYTHONPATH")]))
        spec = {"argv": argv, "env": {"PYTHONPATH": path}, "display_name": name, "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec))

    def notebook(self, name: str, cells: Sequence[str], *, kernel: str = "python3") -> str:
        """Write a notebook of code cells; gives its name."""
        code = [
            {
                "cell_type": "code",
                "id": f"c{i}",
                "metadata": {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for i, source in enumerate(cells)
        ]
        spec = {"name": kernel, "display_name": kernel, "language": "python"}
        stored = {"cells": code, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
        (self.root / f"{name}.ipynb").write_text(json.dumps(stored))
        return f"{name}.ipynb"

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.send_signal(signal.SIGTERM)  # twice: without asking
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        shutil.rmtree(self.home, ignore_errors=True)


class Chrome:
    """Chromium with a file for its microphone.

    Parameters
    ----------
    mic : path, optional
        48 kHz mono WAV; it is played round and round.
    fake : bool
        Whether there are a made-up microphone and camera, allowed without asking.
    flags : sequence of str
        More flags.
    size : tuple of int
        Width and height of a page.
    """

    _playwright: ClassVar[Any] = None  # its sync API allows one a thread: all browsers share it
    _users: ClassVar[int] = 0

    def __init__(
        self,
        mic: Path | None = None,
        *,
        fake: bool = True,
        flags: Sequence[str] = (),
        size: tuple[int, int] = (1280, 900),
    ) -> None:
        self._flags = [*_FLAGS, *(_FAKE if fake else ()), *flags]
        if mic is not None:
            self._flags.append(f"--use-file-for-fake-audio-capture={mic.resolve()}")
        self._size = size
        self.console: list[str] = []
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        from playwright.sync_api import sync_playwright

        self._profile = tempfile.mkdtemp(prefix="rtnb-chrome-")
        if not Chrome._users:
            Chrome._playwright = sync_playwright().start()
        Chrome._users += 1
        width, height = self._size
        self.context = self._playwright.chromium.launch_persistent_context(
            self._profile,
            executable_path=CHROMIUM,
            headless=False,
            args=self._flags,
            viewport={"width": width, "height": height},
        )
        return self

    def page(self) -> Any:
        """Open an empty page."""
        page = self.context.new_page()
        page.on("console", lambda message: self.console.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def open(self, lab: Lab, name: str, *, url: str | None = None) -> Notebook:
        """Open a notebook in JupyterLab and wait for its kernel."""
        page = self.page()
        page.goto(f"{url or lab.url}/lab/tree/{name}?token={lab.token}&reset", wait_until="domcontentloaded")
        page.wait_for_function(
            f"() => window.jupyterapp && {_PANEL} && {_PANEL}.content && {_PANEL}.content.widgets", timeout=60_000
        )
        notebook = Notebook(page)
        notebook.wait_idle()
        return notebook

    def __exit__(self, *_: object) -> None:
        try:
            self.context.close()
        finally:
            Chrome._users -= 1
            if not Chrome._users:
                Chrome._playwright.stop()
            shutil.rmtree(self._profile, ignore_errors=True)


class Notebook:
    """One notebook, open in one page."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def js(self, code: str, argument: Any = None) -> Any:
        """Run JavaScript in the page."""
        return self.page.evaluate(code, argument)

    def wait_idle(self, timeout_s: float = 60) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.wait_for_function(
            f"() => {{ const k = {_PANEL}.sessionContext.session?.kernel;"
            " return k && k.connectionStatus === 'connected' && k.status === 'idle'; }",
            timeout=timeout_s * 1000,
        )

    def run(self, cell: int, *, wait: bool = True, timeout_s: float = 60) -> None:
        """Run a cell as a person does."""
        self.js(f"i => {{ const c = {_PANEL}.content; c.activeCellIndex = i; c.deselectAll(); }}", cell)
        before = self.js(f"i => {_PANEL}.content.widgets[i].model.executionCount", cell)
        self.js("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")
        if wait:
            self.page.wait_for_function(
                f"([i, b]) => {{ const w = {_PANEL}; const m = w.content.widgets[i].model;"
                " return m.executionCount !== null && m.executionCount !== b && m.executionState !== 'running'"
                " && w.sessionContext.session.kernel.status === 'idle' }",
                arg=[cell, before],
                timeout=timeout_s * 1000,
            )

    def running(self, cell: int) -> bool:
        """Whether a cell was begun and has not ended; the kernel's own state flickers with each message by the comm."""
        state: str = self.js(f"i => {_PANEL}.content.widgets[i].model.executionState", cell)
        return state == "running"

    def run_all(self, timeout_s: float = 120) -> None:
        """Run every cell."""
        for cell in range(self.js(f"() => {_PANEL}.content.widgets.length")):
            self.run(cell, timeout_s=timeout_s)

    def outputs(self, cell: int) -> list[dict[str, Any]]:
        """The outputs of a cell, as the file has them."""
        found: list[dict[str, Any]] = self.js(f"i => {_PANEL}.content.widgets[i].model.outputs.toJSON()", cell)
        return found

    def text(self, cell: int) -> str:
        """What a cell printed, returned or raised."""
        return "\n".join(_words(output) for output in self.outputs(cell))

    def kernel(self, code: str) -> str:
        """Run code in the kernel, beside the notebook; gives what it printed."""
        printed: str = self.js(
            f"""async code => {{ const k = {_PANEL}.sessionContext.session.kernel; let out = '';
            const f = k.requestExecute({{code, store_history: false}}); f.onIOPub = m => {{
              if (m.header.msg_type === 'stream') out += m.content.text;
              if (m.header.msg_type === 'error') out += m.content.ename + ': ' + m.content.evalue; }};
            await f.done; return out; }}""",
            code,
        )
        return printed.strip()

    def until(self, condition: str, timeout_s: float = 60) -> None:
        """Wait until an expression holds in the kernel, which hears of the page's doings later than the page.

        Parameters
        ----------
        condition : str
            Python; what it was last is told where it never becomes true.
        timeout_s : float
            How long to wait.
        """
        end = time.monotonic() + timeout_s
        while (said := self.kernel(f"print(bool({condition}))")) != "True":
            if time.monotonic() > end:
                raise AssertionError(f"{condition}: {said} for {timeout_s:g} s")
            self.page.wait_for_timeout(50)

    def command(self, name: str, args: dict[str, Any] | None = None) -> None:
        """Start a command of JupyterLab's."""
        self.js("([n, a]) => { window.jupyterapp.commands.execute(n, a); }", [name, args or {}])

    def restart_kernel(self) -> None:
        """Restart the kernel without being asked."""
        self.js(f"() => {_PANEL}.sessionContext.session.kernel.restart()")

    def end(self) -> None:
        """Shut the kernel down and close the page."""
        with contextlib.suppress(Exception):  # the page may be closed, the kernel gone: that is the aim
            self.js(f"() => {_PANEL}.sessionContext.shutdown()")
        self.page.close()

    def save(self) -> None:
        """Save the notebook, until nothing is left to save: an output may change while it is written."""
        self.js(f"async () => {{ const c = {_PANEL}.context; do await c.save(); while (c.model.dirty); }}")


def _words(output: Mapping[str, Any]) -> str:
    if output["output_type"] == "stream":
        return "".join(output["text"])
    if output["output_type"] == "error":
        return f"{output['ename']}: {output['evalue']}"
    return "".join(output.get("data", {}).get("text/plain", ""))
