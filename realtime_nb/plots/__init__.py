"""Plots of what happened: Axes in, Axes out, and pyplot is never touched.

>>> import realtime_nb as rt
>>> rt.plots.waveform(rt.Audio.tone(440, 1.5))  # shows itself when it ends a cell
<PlotAxes: Sound: 1.50 s, peak -12.0 dBFS>

Each function draws on the Axes it is given as ``ax``, or makes a figure; either
way it gives the Axes back, for you to label, zoom or save
(``ax.figure.savefig("talk.pdf")``). A session has all of them bound to its own
frames: ``session.plot.timeline()``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "PlotAccessor": "accessor",
    "PlotAxes": "canvas",
    "PlotFigure": "canvas",
    "context": "window",
    "cost": "money",
    "latency": "waits",
    "rate_limits": "headroom",
    "spectrogram": "sound",
    "theme": "style",
    "timeline": "talk",
    "tokens": "counts",
    "use": "style",
    "waveform": "sound",
}

__all__ = [
    "PlotAccessor",
    "PlotAxes",
    "PlotFigure",
    "context",
    "cost",
    "latency",
    "rate_limits",
    "spectrogram",
    "theme",
    "timeline",
    "tokens",
    "use",
    "waveform",
]


def __getattr__(name: str) -> Any:
    """Load a plot at its first use (PEP 562): matplotlib waits until something is drawn."""
    if name not in _HOMES:
        raise AttributeError(f"module 'realtime_nb.plots' has no attribute {name!r}")
    value = getattr(import_module(f"realtime_nb.plots.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
