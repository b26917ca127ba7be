"""What works on this machine, and the line that mends what does not."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator

from realtime_nb.findings import Finding, Findings, kernel

__all__ = ["Finding", "Findings", "examine", "table"]


def examine() -> Findings:
    """Look at everything a session may need; changes nothing and fetches nothing.

    Returns
    -------
    Findings
        In the order in which a person would mend them.
    """
    return Findings(finding for look in _LOOKS for finding in look())


def table(findings: Iterable[Finding]) -> str:
    """Lay findings out for a terminal.

    Parameters
    ----------
    findings : iterable of Finding
        What :func:`examine` gave.

    Returns
    -------
    str
        One line a finding, and a ``Try:`` line below what is not well.
    """
    return repr(Findings(findings))


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
    kernel,
    _key,
    _loopback,
    _brain,
    _weights,
    _ocr,
)
