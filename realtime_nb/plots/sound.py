"""What a sound looks like: its wave, and its frequencies over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from realtime_nb.audio import Audio
from realtime_nb.plots.canvas import Size, canvas
from realtime_nb.plots.envelope import envelope, mel, mel_to_hz, spectrum
from realtime_nb.plots.lettering import text_width
from realtime_nb.plots.sheet import NOTE_PT, Sheet
from realtime_nb.plots.units import duration

__all__ = ["Word", "spectrogram", "waveform"]

Word = tuple[str, float, float]
"""A word with its beginning and end in seconds from the start of the sound."""

_NO_SOUND = ("no sound yet", 'turn = session.say("Hello."); rt.plots.{}(turn.audio)')
_WORD_PT = 11.5  # height of a row of words
_WORD_ROWS = 3
_RANGE_DB = 60.0  # what is fainter than the loudest by more than this is paper
_SHADES = 48  # so many, unsmoothed, are a fifth of the PNG that a smooth picture is
_HZ = (250, 500, 1000, 2000, 4000, 8000, 16000)


def waveform(
    audio: Any,
    *,
    words: Sequence[Word] | tuple[Sequence[Word], Sequence[Word]] | None = None,
    ax: Axes | None = None,
    figsize: Size | None = None,
) -> Axes:
    """Draw the wave of a sound, or of two voices on one time line: the user above, the model below.

    Parameters
    ----------
    audio : Audio or (Audio, Audio)
        A sound (anything `Audio.coerce` takes, or a turn), or the user's and
        the model's, beginning together.
    words : sequence of (str, float, float), optional
        Words with begin and end in seconds, written along the wave; for two
        voices a pair of such sequences.
    ax : matplotlib.axes.Axes, optional
        Where; None makes a figure.
    figsize : tuple of float, optional
        Width and height of that figure, inches.

    Returns
    -------
    matplotlib.axes.Axes
        The plot; time in seconds against level, full scale 1.

    Raises
    ------
    AudioError
        If it is no sound, or an array without its rate.

    Notes
    -----
    Each pixel column spans its lowest to its highest sample, and darker, its
    root mean square; so an hour is drawn as fast as a second, and no peak is lost.

    Examples
    --------
    >>> import realtime_nb as rt
    >>> rt.plots.waveform(rt.Audio.tone(440, 1.5))
    <PlotAxes: Sound: 1.50 s, peak -12.0 dBFS>
    """
    clips = _pair(audio, "waveform") or (_clip(audio, "waveform"),)
    with canvas(ax, figsize, (9, 2.6)) as sheet:
        if not any(len(clip.samples) for clip in clips):
            sheet.empty("Sound", _NO_SOUND[0], _NO_SOUND[1].format("waveform"))
        elif len(clips) == 2:
            _two_voices(sheet, *clips, words or ((), ()))
        else:
            _one_voice(sheet, clips[0], words or ())
    return sheet.ax


def _pair(audio: Any, plot: str) -> tuple[Audio, Audio] | None:
    """The two clips of a pair; ``(array, rate)`` is one clip."""
    if isinstance(audio, (tuple, list)) and len(audio) == 2 and not isinstance(audio[1], (int, float, np.number)):
        return _clip(audio[0], plot), _clip(audio[1], plot)
    return None


def _together(first: Audio, second: Audio) -> NDArray[np.float32]:
    """The samples of both, at the rate of the first; not clipped, for nobody hears them."""
    voices = (first.samples, second.resample(first.rate).samples)
    longer, shorter = sorted(voices, key=len, reverse=True)
    samples = np.array(longer, np.float32)
    samples[: len(shorter)] += shorter
    return samples


def _clip(audio: Any, plot: str) -> Audio:
    inside = getattr(audio, "audio", None)
    return Audio.coerce(inside if isinstance(inside, Audio) else audio, caller=f"rt.plots.{plot}()")


def _one_voice(sheet: Sheet, clip: Audio, words: Sequence[Any]) -> None:
    ax, colour = sheet.ax, sheet.palette.user
    wave = envelope(clip.samples, clip.rate)
    light = sheet.palette.tint(colour, 0.45)
    ax.fill_between(wave.time_s, wave.low, wave.high, color=light, linewidth=0.6, label="peak")
    ax.fill_between(wave.time_s, -wave.rms, wave.rms, color=colour, linewidth=0, label="mean")
    _frame(sheet, clip.duration_s, max(-wave.low.min(), wave.high.max()))
    sheet.title(f"Sound: {duration(1000 * clip.duration_s)}, {_peak(clip)}")
    _write(sheet, ((), words))


def _two_voices(sheet: Sheet, user: Audio, model: Audio, words: Sequence[Any]) -> None:
    ax, palette = sheet.ax, sheet.palette
    highest = 0.0
    for clip, colour, side in ((user, palette.user, 1), (model, palette.model, -1)):
        wave = envelope(clip.samples, clip.rate)
        peak = np.maximum(-wave.low, wave.high)
        ax.fill_between(wave.time_s, 0, side * peak, color=palette.tint(colour, 0.45), linewidth=0.6)
        ax.fill_between(wave.time_s, 0, side * wave.rms, color=colour, linewidth=0)
        highest = max(highest, peak.max(initial=0.0))
    _frame(sheet, max(user.duration_s, model.duration_s), highest)
    ax.axhline(0, color=palette.muted, linewidth=0.8)
    lengths = [duration(1000 * clip.duration_s) for clip in (user, model)]
    both = lengths[0] if lengths[0] == lengths[1] else f"user {lengths[0]}, model {lengths[1]}"
    sheet.title(
        f"Both voices: {both}", [sheet.key(palette.user, "user, above"), sheet.key(palette.model, "model, below")]
    )
    _write(sheet, words)


def _frame(sheet: Sheet, duration_s: float, highest: float) -> None:
    """Make the axes: silence is not blown up to noise, and ticks name levels, not directions."""
    reach = max(1.08 * highest, 0.05)
    ticks = [tick for tick in MaxNLocator(4, symmetric=True).tick_values(-reach, reach) if abs(tick) <= reach]
    sheet.time_axis(0, duration_s)
    sheet.ax.set_ylim(-reach, reach)
    sheet.ax.set_yticks(ticks, [f"{abs(tick):g}" for tick in ticks])
    sheet.ax.set_ylabel("level (full scale 1)")


def _peak(clip: Audio) -> str:
    return "silent" if np.isinf(clip.peak_dbfs) else f"peak {clip.peak_dbfs:.1f} dBFS"


def _write(sheet: Sheet, words: Sequence[Sequence[Word]]) -> None:
    """Write words above and below the wave, each voice in up to three rows; what would overlap is left out."""
    if not any(words):
        return
    across, _ = sheet.settle()
    lines = [_rows(line, across, sheet.ax.get_xlim()[1]) for line in words]
    depths = [_WORD_PT * (1 + max((row for *_, row in line), default=-1)) for line in lines]
    low, high = sheet.ax.get_ylim()
    height = sheet.settle()[1] * (high - low)
    unit = (high - low) / max(height - sum(depths), height / 3)
    sheet.ax.set_ylim(low - depths[1] * unit, high + depths[0] * unit)
    for line, edge, step in zip(lines, (high, low), (_WORD_PT * unit, -_WORD_PT * unit), strict=True):
        for text, centre, row in line:
            y = edge + step * (0.5 + row)
            sheet.note(centre, y, text, ha="center", va="center_baseline", color=sheet.palette.ink)


def _rows(words: Sequence[Word], across: float, end_s: float) -> list[tuple[str, float, int]]:
    """Set words in rows: the text, its middle in seconds, its row."""
    free = [-np.inf] * _WORD_ROWS
    placed = []
    for text, start_s, stop_s in words:
        half = (text_width(text, NOTE_PT) + 4) / across / 2
        centre = float(np.clip((start_s + stop_s) / 2, half, max(end_s - half, half)))
        row = next((row for row, taken in enumerate(free) if centre - half >= taken), None)
        if row is not None:
            free[row] = centre + half
            placed.append((text, centre, row))
    return placed


def spectrogram(audio: Any, *, ax: Axes | None = None, figsize: Size | None = None) -> Axes:
    """Draw the frequencies of a sound over time, the louder the darker (on dark paper, the lighter).

    Parameters
    ----------
    audio : Audio or (Audio, Audio)
        A sound (anything `Audio.coerce` takes, or a turn), or two voices, beginning
        together: they are drawn as they sound together.
    ax : matplotlib.axes.Axes, optional
        Where; None makes a figure.
    figsize : tuple of float, optional
        Width and height of that figure, inches.

    Returns
    -------
    matplotlib.axes.Axes
        The plot; time in seconds against hertz, spaced as they are heard (mel).

    Raises
    ------
    AudioError
        If it is no sound, or an array without its rate.

    Notes
    -----
    Hann windows of 32 ms; 60 dB under the loudest are paper. Where a pixel
    column covers many windows, up to eight of them are averaged.

    Examples
    --------
    >>> import realtime_nb as rt
    >>> rt.plots.spectrogram(rt.Audio.tone(440, 1.5)).get_ylabel()
    'frequency (Hz)'
    """
    pair = _pair(audio, "spectrogram")
    clip = _clip(audio, "spectrogram") if pair is None else pair[0]
    samples = clip.samples if pair is None else _together(*pair)
    duration_s = len(samples) / clip.rate
    with canvas(ax, figsize, (9, 3)) as sheet:
        if not len(samples):
            sheet.empty("Frequencies", _NO_SOUND[0], _NO_SOUND[1].format("spectrogram"))
            return sheet.ax
        power_db = spectrum(samples, clip.rate)
        top = clip.rate / 2
        ax = sheet.ax
        ax.set_yscale("function", functions=(mel, mel_to_hz))
        colours = LinearSegmentedColormap.from_list("sound", sheet.palette.sound, N=_SHADES)
        ax.imshow(
            power_db, cmap=colours, vmin=-_RANGE_DB, vmax=0, origin="lower", aspect="auto", interpolation="nearest",
            extent=(0, duration_s, 0, top),
        )  # fmt: skip
        ax.set_ylim(0, top)
        heights = [hz for hz in _HZ if hz < top]
        ax.set_yticks(heights, [f"{hz:,}" for hz in heights])
        ax.set_yticks([], minor=True)
        ax.set_ylabel("frequency (Hz)")
        sheet.time_axis(0, duration_s)
        sheet.title(f"Frequencies: {duration(1000 * duration_s)}, {_RANGE_DB:.0f} dB from faint to loud")
    return sheet.ax
