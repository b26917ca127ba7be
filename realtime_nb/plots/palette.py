"""The colours: one hue a role, in plots and widgets alike, for light and dark paper.

The user is blue and the model is orange, wherever they appear. The hues stay
apart for the three kinds of dichromatic sight (a test holds that), and nothing
is said by hue alone: roles also have their own side or lane, cached tokens are
hatched, and what was interrupted carries a mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["DARK", "LIGHT", "Palette", "Role", "contrast"]

Role = Literal["user", "model", "tool"]


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as ``#rrggbb``.

    Parameters
    ----------
    paper : str
        Behind everything.
    ink, muted, faint : str
        Text and totals; labels and rules; the grid.
    user, model, tool : str
        The hue of each role.
    alert : str
        Interruptions, truncations, budgets and limits.
    sound : tuple of str
        From silence to the loudest, for spectrograms.
    """

    paper: str
    ink: str
    muted: str
    faint: str
    user: str
    model: str
    tool: str
    alert: str
    sound: tuple[str, ...]

    def tint(self, colour: str, share: float) -> str:
        """The colour thinned with paper: `share` 1 is the colour itself, 0 is paper."""
        channels = zip(_channels(colour), _channels(self.paper), strict=True)
        return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in channels)

    def on(self, colour: str) -> str:
        """Ink or paper, whichever is the better to read on the colour."""
        return max((self.ink, self.paper), key=lambda words: contrast(words, colour))


def _luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (c / 255 for c in _channels(colour))]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2).

    Parameters
    ----------
    one, other : str
        As ``#rrggbb``.

    Returns
    -------
    float
        Text wants 4.5, marks want 3.

    Examples
    --------
    >>> contrast("#000000", "#ffffff")
    21.0
    """
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


LIGHT = Palette(
    paper="#ffffff",
    ink="#1c2127",
    muted="#5c6670",
    faint="#e6eaee",
    user="#1c6db0",
    model="#de7a1c",
    tool="#642f6c",
    alert="#b8123f",
    sound=("#ffffff", "#e3edf6", "#9cc3e2", "#3f87c0", "#174f86", "#0a1f3d"),
)

DARK = Palette(
    paper="#15181c",
    ink="#e9ecef",
    muted="#9ba6b1",
    faint="#2c3239",
    user="#63aef0",
    model="#ffab57",
    tool="#dcb8dc",
    alert="#ff6f8f",
    sound=("#15181c", "#16293e", "#1d5486", "#3f93d2", "#9ccdf3", "#f4faff"),
)
