"""A clip's HTML face: its waveform, its length and level, and a player with the sound inside.

It must live in a stored notebook nobody trusts yet, where JupyterLab removes
inline ``<svg>``, ``<style>``, scripts and ``var(--jp...)``. So the waveform is an
``<img>`` with an SVG inside, in colours that are good on white and on black, and
each style stands twice: plain, on the element, and themed, in a ``<style>`` that
may be lost. The sound is MP3, the one small format every browser plays.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from realtime_nb.audio import files
from realtime_nb.audio.pcm import Samples

if TYPE_CHECKING:
    from realtime_nb.audio.clip import Audio

__all__ = ["HUES", "MAX_PLAYER_S", "Voice", "envelopes", "player_html", "waveform_svg"]

Voice = Literal["user", "model"]

MAX_PLAYER_S = 180.0
"""Sound kept in a notebook for one clip, in seconds: about 1.3 MB of its file."""

_MP3_COMPRESSION = 0.6  # libsndfile's scale: about 40 kbit/s for speech at 24 kHz, 6 kB a second in the notebook
_WIDTH, _HEIGHT = 640, 84
_MIDDLE, _SWING = 34.0, 30.0  # of the waveform, above the scale of seconds
_COLUMNS = 240
_FINE = 2  # whole numbers of half a unit: short in the file, and finer than a screen's pixel
_QUIETEST_PEAK = 0.02  # -34 dBFS: what is quieter is drawn small, so that noise does not look like speech
_MUTED = "#777c84"  # on white and on #111 at least 4:1
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200)
_MOST_LABELS = 9
_MINUS = "\N{MINUS SIGN}"

HUES: Mapping[Voice, str] = MappingProxyType({"user": "#2a7fcf", "model": "#d9761a"})
"""Whose sound it is: the hues of the plots, on white and on black at least 3:1 (WCAG 1.4.11)."""

_CARD = (
    "max-width:660px;box-sizing:border-box;border:1px solid rgba(128,128,128,.35);"
    "border-radius:8px;padding:8px 10px 6px"
)
_STYLE = """
.rtnb-audio{background:var(--jp-layout-color1,transparent)}
.rtnb-audio .rtnb-facts{color:var(--jp-ui-font-color2,#6b7077)}
.rtnb-audio .rtnb-facts{font-family:var(--jp-ui-font-family,system-ui,sans-serif)}
.rtnb-audio .rtnb-facts b{color:var(--jp-ui-font-color1,inherit)}
body[data-jp-theme-light="false"] .rtnb-audio audio,body.vscode-dark .rtnb-audio audio{color-scheme:dark}
"""


def player_html(audio: Audio, *, voice: Voice = "user") -> str:
    """Draw a clip and put a player under it.

    Parameters
    ----------
    audio : Audio
        Any length; only the first :data:`MAX_PLAYER_S` seconds are put into the page, and a note says so.
    voice : {"user", "model"}
        Whose sound it is, told by its colour.

    Returns
    -------
    str
        HTML that needs no network, no script and no trust.
    """
    facts = _facts(audio)
    picture = _data_url(waveform_svg(audio, voice=voice).encode(), "image/svg+xml")
    heard = audio[:MAX_PLAYER_S]
    note = "" if heard is audio or heard.duration_s == audio.duration_s else _note(audio)
    return (
        f"<style>{_STYLE}</style>"
        f'<div class="rtnb-audio" style="{_CARD}">'
        f'<img alt="{html.escape(f"Waveform: {facts}")}" src="{picture}" '
        'style="display:block;width:100%;max-width:640px;height:auto">'
        f"{_player(heard)}"
        '<div class="rtnb-facts" style="font-size:12px;line-height:18px;padding:4px 2px 0">'
        f"{_bold_first(facts)}{note}</div></div>"
    )


def waveform_svg(audio: Audio, *, voice: Voice = "user") -> str:
    """Draw the waveform: peaks pale, mean level strong, a scale of seconds below.

    Parameters
    ----------
    audio : Audio
        What to draw; the highest peak fills the height.
    voice : {"user", "model"}
        Whose sound it is, told by its colour.

    Returns
    -------
    str
        An SVG document.
    """
    peak, rms = envelopes(audio.samples, _COLUMNS)
    scale = _SWING / max(float(peak.max()), _QUIETEST_PEAK)
    colour, wide = HUES[voice], _WIDTH / len(peak)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}">'
        f'<path d="M0 {_MIDDLE}H{_WIDTH}" stroke="{colour}" stroke-opacity=".45"/>'
        f'<g transform="translate(0 {_MIDDLE}) scale({wide:g} {1 / _FINE:g}) translate(.5 0)" fill="{colour}">'
        f'<path d="{_mirrored(peak * scale)}" fill-opacity=".45"/><path d="{_mirrored(rms * scale)}"/></g>'
        f"{_seconds(audio.duration_s)}</svg>"
    )


def _facts(audio: Audio) -> str:
    level = "silent" if math.isinf(audio.peak_dbfs) else f"{audio.level_dbfs:.1f} dBFS, peak {audio.peak_dbfs:.1f}"
    return f"{_clock(audio.duration_s)} · {audio.rate / 1000:g} kHz · {level.replace('-', _MINUS)}"


def _clock(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < 60 else f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def _bold_first(facts: str) -> str:
    first, dot, rest = facts.partition(" · ")
    return f"<b>{html.escape(first)}</b>{html.escape(dot + rest)}"


def _note(audio: Audio) -> str:
    return (
        f"<br>The player holds the first {MAX_PLAYER_S / 60:g} of {audio.duration_s / 60:.1f} minutes; "
        '<code>audio.save("all.flac")</code> keeps everything.'
    )


def _player(heard: Audio) -> str:
    if not heard:
        return ""
    rates = files.CONTAINERS[".mp3"].rates
    rate = next((r for r in rates if r >= heard.rate), rates[-1])
    sound = files.encode_file(heard.resample(rate).samples, rate, ".mp3", compression=_MP3_COMPRESSION)
    style = "display:block;width:100%;height:36px;margin-top:6px"
    return f'<audio controls src="{_data_url(sound, "audio/mpeg")}" style="{style}"></audio>'


def _data_url(data: bytes, mime: str) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def envelopes(samples: Samples, columns: int) -> tuple[Samples, Samples]:
    """Measure a sound in columns of equal length, to draw it.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        In [-1, 1].
    columns : int
        How many; a sound of fewer samples has fewer.

    Returns
    -------
    peak, rms : ndarray of float32, shape (columns,)
        The highest sample and the mean level of each, from 0 to 1; a single 0 for no sound.
    """
    columns = min(columns, len(samples))
    if columns == 0:
        return np.zeros(1, np.float32), np.zeros(1, np.float32)
    edges = np.linspace(0, len(samples), columns, endpoint=False).astype(int)
    lengths = np.diff(edges, append=len(samples))
    peak = np.maximum.reduceat(np.abs(samples), edges)
    rms = np.sqrt(np.add.reduceat(np.square(samples, dtype=np.float64), edges) / lengths)
    return peak, rms.astype(np.float32)


def _mirrored(height: Samples) -> str:
    """Trace an envelope along the top and back along the bottom, in steps of one column."""
    tops = np.rint(height * _FINE).astype(int)
    falls = -np.diff(tops)
    there, back = ("".join(f"l{way} {fall}" for fall in order) for way, order in ((1, falls), (-1, falls[::-1])))
    return f"M-.5 {-tops[0]}h.5{there}h.5V{tops[-1]}h-.5{back}h-.5Z"


def _seconds(duration_s: float) -> str:
    step = next((s for s in _STEPS_S if duration_s / s <= _MOST_LABELS), 3600)
    count = int(duration_s / step) + 1 if duration_s else 0
    return "".join(_tick(i * step, i * step / duration_s * _WIDTH) for i in range(count))


def _tick(at_s: float, x: float) -> str:
    anchor = "start" if x < 12 else "end" if x > _WIDTH - 12 else "middle"
    label = f"{at_s:g} s" if at_s < 60 else f"{at_s // 60:.0f}:{at_s % 60:02.0f}"
    return (
        f'<path d="M{x:.1f} 67v4" stroke="{_MUTED}"/>'
        f'<text x="{x:.1f}" y="82" fill="{_MUTED}" font-family="system-ui,sans-serif" font-size="11" '
        f'text-anchor="{anchor}">{label}</text>'
    )
