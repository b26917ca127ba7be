"""One plot being drawn: its Axes, its colours, and the words on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from realtime_nb.plots.lettering import text_width, wrapped
from realtime_nb.plots.palette import Palette
from realtime_nb.plots.units import TimeLocator, ticks, time_axis_name

__all__ = ["HATCH", "NOTE_PT", "Key", "Sheet"]

HATCH = "//////"
"""Cached tokens, and sound nobody heard."""
NOTE_PT = 8.0
"""Size of what is written into a plot, points."""

Key = tuple[Artist, str]
"""A handle of the legend and its name."""

_ROW_PT = 12.5


@dataclass(frozen=True, slots=True)
class Sheet:
    """Axes and palette, and what all plots do with them.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where.
    palette : Palette
        What is legible there.
    ours : bool
        Whether the figure was made for this plot.
    """

    ax: Axes
    palette: Palette
    ours: bool

    def settle(self) -> tuple[float, float]:
        """Lay out the figure, if it is ours, and give the scale of the axes: points a unit of x, and of y."""
        if self.ours:
            self.ax.figure.canvas.figure.draw_without_rendering()
        (left, right), (bottom, top) = self.ax.get_xlim(), self.ax.get_ylim()
        width, height = self._size_pt()
        return width / abs(right - left), height / abs(top - bottom)

    def _size_pt(self) -> tuple[float, float]:
        box, pt = self.ax.get_window_extent(), 72 / float(self.ax.figure.dpi)
        return float(box.width) * pt, float(box.height) * pt

    def title(self, text: str, keys: Sequence[Key] = ()) -> None:
        """Say in words what the plot shows, and name its colours below; when ticks and labels are set."""
        self.settle()
        width_pt, _ = self._size_pt()
        size = mpl.rcParams["axes.titlesize"]
        rows = self._legend(keys, width_pt) if keys else 0
        words = wrapped(text, width_pt, size, weight="bold")
        title = self.ax.set_title(words, loc="left", pad=8 + _ROW_PT * rows, parse_math=False)
        title.set(color=self.palette.ink, fontsize=size, fontweight="bold", linespacing=1.25, usetex=False)

    def _legend(self, keys: Sequence[Key], width_pt: float) -> int:
        """Place the keys in as few rows above the axes as they need; give the number of rows."""
        size = mpl.rcParams["legend.fontsize"]
        widths = [text_width(label, size) + 3.4 * size for _, label in keys]
        rows = 1
        while rows < len(keys) and sum(max(widths[at : at + rows]) for at in range(0, len(keys), rows)) > width_pt:
            rows += 1
        handles, labels = zip(*keys, strict=True)
        self.ax.legend(
            handles, labels, ncols=-(-len(keys) // rows), loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2,
            borderpad=0, handlelength=1.3, handleheight=0.8, handletextpad=0.5, columnspacing=1.5, labelspacing=0.3,
        )  # fmt: skip
        return rows

    def key(self, colour: str, label: str) -> Key:
        """A swatch and its name, for `title`."""
        return Patch(facecolor=colour, linewidth=0), label

    def hatched_key(self, colour: str, label: str) -> Key:
        """A hatched swatch and its name, for `title`."""
        return Patch(linewidth=0, **self.hatched(colour)), label

    def hatched(self, colour: str) -> dict[str, Any]:
        """The look of what was cached or not heard: pale, with lines of its colour."""
        return {
            "facecolor": self.palette.tint(colour, 0.3),
            "edgecolor": self.palette.tint(colour, 0.9),
            "hatch": HATCH,
        }

    def note(self, x: float, y: float, text: str, **more: Any) -> None:
        """Write small at data coordinates; nothing is written beyond the axes."""
        options: dict[str, Any] = {
            "fontsize": NOTE_PT,
            "color": self.palette.muted,
            "clip_on": True,
            "parse_math": False,
        }
        options |= more
        self.ax.text(x, y, text, **options)

    def empty(self, title: str, fact: str, hint: str) -> None:
        """Say that there is nothing to draw, and what to do."""
        self.ax.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(0, 1))
        self.ax.spines[:].set_visible(False)
        self.title(title)
        self.ax.axhline(0.5, color=self.palette.faint, linewidth=1.5, zorder=0)
        centre: dict[str, Any] = {"xy": (0.5, 0.5), "xycoords": "axes fraction", "ha": "center", "parse_math": False}
        paper = {"facecolor": self.ax.get_facecolor(), "pad": 6, "linewidth": 0}
        fact = wrapped(fact, self._size_pt()[0] - 30, 11)
        below = -20 - 7.5 * fact.count("\n")
        self.ax.annotate(fact, va="center", fontsize=11, color=self.palette.ink, bbox=paper, **centre)
        self.ax.annotate(
            hint, xytext=(0, below), textcoords="offset points", va="top", fontsize=8.5, family="monospace",
            color=self.palette.muted, **centre,
        )  # fmt: skip

    def time_axis(self, start_s: float, end_s: float) -> None:
        """Make x the time line, from one second to another."""
        end_s = end_s if end_s > start_s else start_s + 1
        self.ax.set_xlim(start_s, end_s)
        self.ax.xaxis.set_major_locator(TimeLocator())
        if end_s - start_s > 90:
            self.ax.xaxis.set_major_formatter(ticks("clock"))
        self.ax.set_xlabel(time_axis_name(end_s - start_s))

    def grid(self, axis: Literal["x", "y"] = "y") -> None:
        """Draw faint rules across one axis."""
        self.ax.grid(visible=True, axis=axis, color=self.palette.faint, linewidth=0.8)
        self.ax.set_axisbelow(True)
