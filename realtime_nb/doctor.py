"""What works on this machine, and the line that mends what does not."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "examine", "table"]


State = Literal["ok", "broken", "absent"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    Parameters
    ----------
    name : str
        What was looked at.
    state : str
        ``ok``, ``broken``, or ``absent`` where it is optional and not there.
    fact : str
        What was found.
    hint : str, optional
        A line that runs and mends it.
    """

    name: str
    state: State
    fact: str
    hint: str | None = None


def examine() -> list[Finding]:
    """Look at everything a session may need; changes nothing and fetches nothing.

    Returns
    -------
    list of Finding
        In the order in which a person would mend them.
    """
    return [finding for look in _LOOKS for finding in look()]


def table(findings: list[Finding]) -> str:
    """Lay findings out for a terminal.

    Parameters
    ----------
    findings : list of Finding
        What :func:`examine` gave.

    Returns
    -------
    str
        One line a finding, and a ``Try:`` line below what is not well.
    """
    mark = {"ok": "ok", "broken": "NO", "absent": "--"}
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{mark[finding.state]}  {finding.name:<{width}}  {finding.fact}")
        if finding.hint and finding.state != "ok":
            lines.append(f"    {'':<{width}}  Try: {finding.hint}")
    return "\n".join(lines)


def _python() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


_EXTRAS = {  # extra -> the modules it brings
    "local": ("onnxruntime", "xllamacpp", "espeakng_loader", "starlette", "uvicorn", "httpx"),
    "lab": ("jupyterlab", "ipykernel", "ipywebrtc", "jupyter_server_proxy"),
}


def _extras() -> Iterator[Finding]:
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if importlib.util.find_spec(module) is None]
        fact = f"not installed: {', '.join(missing)}" if missing else "installed"
        yield Finding(f"extra [{extra}]", "absent" if missing else "ok", fact, f'pip install "realtime-nb[{extra}]"')


def _kernel() -> Iterator[Finding]:
    if importlib.util.find_spec("ipykernel") is None:
        return
    version = importlib.metadata.version("ipykernel")
    broken = version.startswith("7.0.")
    fact = f"{version}: widgets cannot send from a thread" if broken else version
    yield Finding("ipykernel", "broken" if broken else "ok", fact, 'pip install -U "ipykernel!=7.0.*"')


def _key() -> Iterator[Finding]:
    known = bool(os.environ.get("OPENAI_API_KEY"))
    goes = (
        "OPENAI_API_KEY is set: rt.connect() goes to OpenAI" if known else "none: rt.connect() goes to the local engine"
    )
    yield Finding("key", "ok", goes)


def _loopback() -> Iterator[Finding]:
    try:
        with socket.create_server(("127.0.0.1", 0)):
            yield Finding("loopback", "ok", "127.0.0.1 accepts a listener")
    except OSError as error:
        fact = f"no listener on 127.0.0.1: {error.strerror}"
        yield Finding("loopback", "broken", fact, "realtime-nb serve --port 8765")


def _brain() -> Iterator[Finding]:
    from realtime_nb.engine.machine import available_bytes, best_brain

    name = best_brain()
    yield Finding("brain", "ok", f"{name} fits ({available_bytes() / 1e9:.1f} GB of memory to be had)")


def _weights() -> Iterator[Finding]:
    from realtime_nb.engine.weights import models, present

    for weights in models():
        here = present(weights.name)
        fact = f"{weights.stage}, {weights.size / 1e6:.0f} MB, {weights.licence}"
        yield Finding(
            f"model {weights.name}",
            "ok" if here else "absent",
            fact if here else f"{fact}: not fetched yet",
            f"realtime-nb models fetch {weights.name}",
        )


def _ocr() -> Iterator[Finding]:
    found = shutil.which("tesseract")
    fact = "the local engine reads words in pictures" if found else "the local engine sees colours and shapes, no words"
    yield Finding("tesseract", "ok" if found else "absent", fact, "apt-get install tesseract-ocr")


_LOOKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    _python,
    _extras,
    _kernel,
    _key,
    _loopback,
    _brain,
    _weights,
    _ocr,
)
