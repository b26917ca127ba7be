"""A laboratory for realtime voice models in the notebook: talk, type, show, interrupt, and see what happened.

>>> import realtime_nb as rt
>>> session = rt.connect("local")  # doctest: +SKIP
>>> turn = session.say("Name three rivers of Africa.")  # doctest: +SKIP
>>> turn.audio  # doctest: +SKIP

Names are loaded when they are first used: the import itself touches neither
numpy nor pandas nor a socket.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Audio": "realtime_nb.audio",
    "Camera": "realtime_nb.widgets.camera",
    "Image": "realtime_nb.images",
    "Meter": "realtime_nb.widgets.meter",
    "Player": "realtime_nb.widgets.player",
    "Recorder": "realtime_nb.widgets.recorder",
    "Session": "realtime_nb.session",
    "Turn": "realtime_nb.turn",
    "batch": "realtime_nb.batching",
    "compare": "realtime_nb.comparison",
    "connect": "realtime_nb.connecting",
    "model": "realtime_nb.models",
    "open_history": "realtime_nb.archive",
    "sql": "realtime_nb.logs.query",
}
_MODULES = {"calls", "errors", "local", "logs", "models", "plots", "tracing"}

__all__ = [
    "Audio",
    "Camera",
    "Image",
    "Meter",
    "Player",
    "Recorder",
    "Session",
    "Turn",
    "__version__",
    "batch",
    "calls",
    "compare",
    "connect",
    "errors",
    "local",
    "logs",
    "model",
    "models",
    "open_history",
    "plots",
    "sql",
    "tracing",
]


def __getattr__(name: str) -> Any:
    """Load a public name at its first use (PEP 562)."""
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name in _MODULES:
        return import_module(f"realtime_nb.{name}")
    elif name == "__version__":
        value = import_module("importlib.metadata").version("realtime-nb")
    else:
        raise AttributeError(f"module 'realtime_nb' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def load_ipython_extension(ipython: Any) -> None:
    """Give a notebook the magics: ``%load_ext realtime_nb``."""
    import_module("realtime_nb.magics").load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Take the magics out again: ``%unload_ext realtime_nb``."""
    import_module("realtime_nb.magics").unload(ipython)
