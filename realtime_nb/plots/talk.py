"""The time line: who spoke when, what was waited for, what was cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D

from realtime_nb.plots.blocks import spans
from realtime_nb.plots.canvas import Size, canvas
from realtime_nb.plots.columns import Floats, need
from realtime_nb.plots.lettering import text_width, wrapped
from realtime_nb.plots.sheet import NOTE_PT, Key, Sheet
from realtime_nb.plots.spans import Line, Span, time_line
from realtime_nb.plots.turn_axis import NO_TURNS
from realtime_nb.plots.units import duration, plural

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["timeline"]

_USER, _MODEL, _TOOLS = (2.0, 2.9), (0.45, 1.35), (-0.65, -0.2)
_VOICE = (2.98, 3.08)
_LIGHT = 0.3  # share of the hue in replies without sound
_GAPS = (1.77, 1.58)  # between user and model: the waits; two that meet go one above the other
_APART = 0.012  # of the axis: waits nearer than this meet
_LEAST_PT = 2.5  # a call that took no time is seen all the same
_TALKATIVE = 600  # spans beyond which no text would find room
_HISTORY = ("turn", "role", "type", "text", "transcript", "audio_s", "image", "call_id", "name", "created_s")
_TURNS = (
    "turn", "response_id", "input", "output", "input_s", "output_s", "speech_end_s", "first_text_ms", "first_audio_ms",
    "total_ms", "interrupted_at_ms",
)  # fmt: skip
_GIVEN = (("wrote", "o", ""), ("sent", ">", "sound"), ("showed", "s", "picture"))
"""What is given at an instant: field of `Line`, marker, what is said of one without words."""


def timeline(
    history: pd.DataFrame,
    turns: pd.DataFrame,
    events: pd.DataFrame | None = None,
    *,
    ax: Axes | None = None,
    figsize: Size | None = None,
) -> Axes:
    """Draw who spoke when on the real time line, each wait for a reply, interruptions, and tool calls.

    Parameters
    ----------
    history, turns : pandas.DataFrame
        ``session.history`` and ``session.turns``.
    events : pandas.DataFrame, optional
        ``session.events``: with it the spans that voice activity detection took for speech are shown.
    ax : matplotlib.axes.Axes, optional
        Where; None makes a figure.
    figsize : tuple of float, optional
        Width and height of that figure, inches.

    Returns
    -------
    matplotlib.axes.Axes
        The plot; time in seconds. ``ax.set_xlim(60, 120)`` shows the second minute.

    Raises
    ------
    ConfigError
        If it is another frame.

    Notes
    -----
    A reply is drawn as it was played, in real time from its first sound, not as
    it came over the wire, which is faster; it ends where the next reply begins.
    What was made but never played is hatched. A wait goes on while functions are called.
    """
    need("timeline", "history, session.turns", history, *_HISTORY)
    need("timeline", "history, session.turns", turns, *_TURNS)
    with canvas(ax, figsize, (9, 3.1)) as sheet:
        line = time_line(history, turns, events)
        if not any(len(span) for span in line.spans):
            sheet.empty("Who spoke when", *NO_TURNS)
            return sheet.ax
        _frame(sheet, line)
        sheet.title(_in_words(line, turns), _keys(sheet, line))
        few = sum(len(span) for span in line.spans) <= _TALKATIVE
        seam = {"edgecolor": sheet.palette.paper, "linewidth": 0.8} if few else {}  # bars that touch stay two
        _user(sheet, line, seam)
        _model(sheet, line, seam)
        _calls(sheet, line.calls)
        _waits(sheet, line.waits)
        if few:
            _letter(sheet, line)
    return sheet.ax


def _frame(sheet: Sheet, line: Line) -> None:
    ax, lanes = sheet.ax, [("user", _USER), ("model", _MODEL)]
    if len(line.calls):
        lanes.append(("tools", _TOOLS))
    start, end = line.extent_s
    sheet.time_axis(start - 0.01 * (end - start), end + 0.02 * (end - start))
    ax.set_ylim(lanes[-1][1][0] - 0.25, 3.2)
    ax.set_yticks([sum(lane) / 2 for _, lane in lanes], [name for name, _ in lanes])
    ax.spines["left"].set_visible(False)
    for _, lane in lanes:
        ax.axhspan(*lane, color=sheet.palette.tint(sheet.palette.faint, 0.45), linewidth=0, zorder=0)
    sheet.grid("x")


def _user(sheet: Sheet, line: Line, seam: dict[str, Any]) -> None:
    hue = sheet.palette.user
    spans(sheet.ax, line.said.start_s, line.said.end_s, _USER, facecolor=hue, label="said", **seam)
    spans(sheet.ax, line.voice.start_s, line.voice.end_s, _VOICE, facecolor=hue, label="voice detected")
    for field, marker, _ in _GIVEN:
        _marks(sheet, getattr(line, field), _USER, marker=marker, markersize=7, color=hue, label=field)


def _model(sheet: Sheet, line: Line, seam: dict[str, Any]) -> None:
    palette, ax = sheet.palette, sheet.ax
    spans(ax, line.unheard.start_s, line.unheard.end_s, _MODEL, label="not heard", **sheet.hatched(palette.model))
    spans(ax, line.heard.start_s, line.heard.end_s, _MODEL, facecolor=palette.model, label="heard", **seam)
    light = palette.tint(palette.model, _LIGHT)
    spans(ax, line.written.start_s, line.written.end_s, _MODEL, facecolor=light, label="written", **seam)
    cuts = [[(at, _MODEL[0] - 0.12), (at, _MODEL[1] + 0.12)] for at in line.cuts]
    ax.add_collection(LineCollection(cuts, colors=palette.alert, linewidths=2, label="interrupted"), autolim=False)


def _calls(sheet: Sheet, calls: Span) -> None:
    hue = sheet.palette.tool
    edge = {"edgecolor": hue, "linewidth": _LEAST_PT, "joinstyle": "miter"}
    spans(sheet.ax, calls.start_s, calls.end_s, _TOOLS, facecolor=hue, label="tools", **edge)
    unanswered = calls.where(calls.start_s == calls.end_s)
    _marks(sheet, unanswered, _TOOLS, marker="D", markersize=5, color=hue, label="unanswered")


def _marks(sheet: Sheet, span: Span, lane: tuple[float, float], **look: Any) -> None:
    """Mark instants in the middle of a lane."""
    if len(span):
        middle = np.full(len(span), sum(lane) / 2)
        sheet.ax.plot(span.start_s, middle, linestyle="none", markeredgewidth=0, **look)


def _waits(sheet: Sheet, waits: Span) -> None:
    """Lead from the end of what was said down to the beginning of the reply."""
    paths = [
        [(start, _USER[0]), (start, level), (end, level), (end, _MODEL[1])]
        for start, end, level in zip(waits.start_s, waits.end_s, _levels(sheet, waits), strict=True)
    ]
    lines = LineCollection(paths, colors=sheet.palette.ink, linewidths=1.1, label="wait for the reply", zorder=3)
    sheet.ax.add_collection(lines, autolim=False)


def _levels(sheet: Sheet, waits: Span) -> list[float]:
    """How high each wait is drawn: a row, and another one for a wait that begins where the one before ends."""
    left, right = sheet.ax.get_xlim()
    near = waits.start_s[1:] - waits.end_s[:-1] < _APART * (right - left)
    levels, row = [], 0
    for meets in [False, *near.tolist()][: len(waits)]:
        row = 1 - row if meets else 0
        levels.append(_GAPS[row])
    return levels


def _letter(sheet: Sheet, line: Line) -> None:
    """Write what was said into the bars and beside the marks, and how long the waits were, where there is room."""
    palette, scale = sheet.palette, sheet.settle()
    _inside(sheet, scale, line.said, _USER, palette.on(palette.user))
    _inside(sheet, scale, line.heard, _MODEL, palette.on(palette.model))
    _inside(sheet, scale, line.written, _MODEL, palette.on(palette.tint(palette.model, _LIGHT)))
    stops = np.concatenate([line.said.start_s, *(getattr(line, field).start_s for field, *_ in _GIVEN)])
    for field, _, wordless in _GIVEN:
        given: Span = getattr(line, field)
        _beside(sheet, scale, given.worded(text or wordless for text in given.text), _USER, stops)
    _beside(sheet, scale, line.calls, _TOOLS, line.calls.start_s)
    _lengths(sheet, scale[0], line.waits)


def _lengths(sheet: Sheet, across: float, waits: Span) -> None:
    """Write how long each wait was into its line, or else behind its end, where there is room."""
    paper = {"facecolor": sheet.ax.get_facecolor(), "pad": 1, "linewidth": 0}
    look: dict[str, Any] = {"va": "center", "color": sheet.palette.ink}
    behind = (np.append(waits.start_s[1:], sheet.ax.get_xlim()[1]) - waits.end_s) * across - 8
    rows = zip(waits.start_s, waits.end_s, _levels(sheet, waits), behind, strict=True)
    for start, end, level, room in rows:
        length = duration(1000 * (end - start))
        width = text_width(length, NOTE_PT)
        if width + 12 <= (end - start) * across:
            sheet.note((start + end) / 2, level, length, ha="center", bbox=paper, zorder=4, **look)
        elif width <= room:
            sheet.note(end + 5 / across, level, length, **look)


def _inside(sheet: Sheet, scale: tuple[float, float], span: Span, lane: tuple[float, float], colour: str) -> None:
    """Write into bars, as many lines as are high enough; what does not fit ends in an ellipsis."""
    across, up = scale
    rows = int((lane[1] - lane[0]) * up / (1.3 * NOTE_PT))
    for start, end, text in zip(span.start_s, span.end_s, span.text, strict=True):
        short = wrapped(text, (end - start) * across - 8, NOTE_PT, lines=rows)
        if short:
            sheet.note(start + 4 / across, sum(lane) / 2, short, va="center", color=colour, linespacing=1.2)


def _beside(sheet: Sheet, scale: tuple[float, float], span: Span, lane: tuple[float, float], stops: Floats) -> None:
    """Write to the right of marks, up to the next stop."""
    across, up = scale
    rows = int((lane[1] - lane[0]) * up / (1.3 * NOTE_PT))
    stops = np.sort(np.append(stops, sheet.ax.get_xlim()[1]))
    for start, end, text in zip(span.start_s, span.end_s, span.text, strict=True):
        room = stops[min(np.searchsorted(stops, start, side="right"), len(stops) - 1)] - end
        short = wrapped(text, room * across - 10, NOTE_PT, lines=max(rows, 1))
        if short:
            sheet.note(end + 6 / across, sum(lane) / 2, short, va="center", linespacing=1.2)


def _keys(sheet: Sheet, line: Line) -> list[Key]:
    palette = sheet.palette
    keys: list[Key] = []
    if len(line.voice):
        keys.append((Line2D([], [], color=palette.user, linewidth=2.5), "voice detected"))
    if len(line.waits):
        keys.append((Line2D([], [], color=palette.ink, linewidth=1.1), "wait for the reply"))
    if len(line.cuts):
        keys.append((Line2D([], [], color=palette.alert, linewidth=2), "interrupted"))
    if len(line.unheard):
        keys.append(sheet.hatched_key(palette.model, "made, not heard"))
    return keys


def _in_words(line: Line, turns: pd.DataFrame) -> str:
    words = [f"Who spoke when: {plural(int(turns['turn'].nunique()), 'turn')}"]
    if len(line.waits):
        median = float(np.median(line.waits.end_s - line.waits.start_s))
        words.append(f"reply begins after {duration(1000 * median)}" + (" (median)" if len(line.waits) > 1 else ""))
    if len(line.cuts):
        words.append(f"{len(line.cuts)} interrupted")
    return ", ".join(words)
