"""Quantities in words, and the ticks of a time line."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

from matplotlib.ticker import FuncFormatter, Locator, MaxNLocator

__all__ = [
    "TimeLocator",
    "clock",
    "count",
    "duration",
    "percent",
    "plural",
    "time_axis_name",
    "ticks",
    "usd",
    "whole_numbers",
]

# Steps a person counts time in, seconds.
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)


def duration(ms: float) -> str:
    """``640 ms``, ``1.24 s``, ``12.4 s``, ``3:05 min``; of milliseconds."""
    if abs(ms) < 999.5:
        return f"{ms:.0f} ms"
    if ms < 9_995:
        return f"{ms / 1000:.2f} s"
    if ms < 99_950:
        return f"{ms / 1000:.1f} s"
    return f"{clock(ms / 1000)} {'h' if ms >= 3_600_000 else 'min'}"


def clock(seconds: float) -> str:
    """``1:05`` or ``1:02:05``; below a minute ``0:05``."""
    total = round(seconds)
    hours, minutes = divmod(abs(total) // 60, 60)
    sign = "-" if total < 0 else ""
    tail = f"{abs(total) % 60:02d}"
    return f"{sign}{hours}:{minutes:02d}:{tail}" if hours else f"{sign}{minutes}:{tail}"


def count(number: float) -> str:
    """``950``, ``12.3k``, ``4.1M``; without its sign, so that a mirrored axis reads right."""
    number = abs(number)
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= 0.9995 * size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def usd(dollars: float) -> str:
    """``$12.30``, ``$0.0324``, ``$0.000054``: cents from a dollar up, else three figures that count."""
    if dollars == 0 or abs(dollars) >= 0.995:
        return f"${dollars:,.2f}"
    places = min(9, 2 - math.floor(math.log10(abs(dollars))))
    short = f"{dollars:.{places}f}".rstrip("0")
    return f"${short}" if len(short) >= 4 else f"${short:0<4}"


def percent(share: float) -> str:
    """``97%``, ``4.9%``, ``0.39%``: two figures that count, or whole percents."""
    return f"{share:.0%}" if share >= 0.0995 else f"{100 * share:.2g}%"


def plural(number: int, one: str, many: str | None = None) -> str:
    """``1 turn``, ``12,000 turns``; `many` where an s does not make it."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


class TimeLocator(Locator):
    """Ticks where a person counts time: 1, 2, 5, 10, 15, 30 s, 1 min ...; below a second, decimals."""

    def __call__(self) -> Sequence[float]:
        """The ticks of the axis as it is shown now."""
        low, high = (0.0, 1.0) if self.axis is None else self.axis.get_view_interval()
        return self.tick_values(low, high)

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """The ticks between two times in seconds."""
        low, high = sorted((vmin, vmax))
        room = max(2, min(9, self.axis.get_tick_space() // 2)) if self.axis is not None else 9
        wanted = (high - low) / room
        if wanted < 0.5:
            return MaxNLocator(room, steps=(1, 2, 5, 10)).tick_values(low, high)
        step = next((step for step in _STEPS_S if step >= wanted), 86400 * math.ceil(wanted / 86400))
        return [float(step * at) for at in range(math.ceil(low / step), math.floor(high / step) + 1)]


def ticks(write: str) -> FuncFormatter:
    """A tick formatter by name: ``clock``, ``count`` or ``usd``."""
    writers = {"clock": clock, "count": count, "usd": usd}
    writer = writers[write]
    return FuncFormatter(partial(_written, writer))


def _written(writer: Callable[[float], str], value: float, _position: int) -> str:
    """A tick; no lambda, for a figure is pickled with its formatters."""
    return writer(value)


def time_axis_name(longest_s: float) -> str:
    """The label of a time axis: seconds up to 90, the clock beyond."""
    if longest_s <= 90:
        return "time (seconds)"
    return "time (minutes:seconds)" if longest_s < 3600 else "time (hours:minutes:seconds)"


def whole_numbers() -> MaxNLocator:
    """Ticks on whole numbers only: turns are counted."""
    return MaxNLocator(nbins="auto", steps=(1, 2, 5, 10), integer=True, min_n_ticks=1)
