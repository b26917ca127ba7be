"""The style: colours everybody can tell apart, on light and dark paper."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from realtime_nb import plots
from realtime_nb.audio import Audio
from realtime_nb.errors import ConfigError
from realtime_nb.plots.palette import DARK, LIGHT, Palette, contrast
from realtime_nb.plots.style import palette, palette_on

TONE = Audio.tone(440, 0.1)
PAPERS = pytest.mark.parametrize("paper", [LIGHT, DARK], ids=["light", "dark"])

# What each kind of dichromatic eye sees of linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.
EYES = {
    "all cones": np.eye(3),
    "no red": np.reshape(
        [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998], (3, 3)
    ),
    "no green": np.reshape(
        [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.011820, 0.042940, 0.968881], (3, 3)
    ),
    "no blue": np.reshape(
        [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.303900], (3, 3)
    ),
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(colour: str, eye: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of a colour as an eye sees it."""
    rgb = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(eye @ linear, 0, 1) / (0.9505, 1, 1.089)
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@PAPERS
@pytest.mark.parametrize("eye", EYES)
def test_roles_can_be_told_apart_by_every_eye(paper: Palette, eye: str) -> None:
    """User, model and tool differ by well more than a noticeable difference, whatever cones one has."""
    for one, other in combinations((paper.user, paper.model, paper.tool), 2):
        assert np.linalg.norm(lab(one, EYES[eye]) - lab(other, EYES[eye])) > 20, (one, other)


@PAPERS
def test_colours_are_legible_on_their_paper(paper: Palette) -> None:
    """Text has a contrast of 4.5 and marks of 3 (WCAG 2.2, 1.4.3 and 1.4.11)."""
    for text in (paper.ink, paper.muted, paper.alert):
        assert contrast(text, paper.paper) >= 4.5
    for mark in (paper.user, paper.model, paper.tool):
        assert contrast(mark, paper.paper) >= 2.95
        assert contrast(paper.on(mark), mark) >= 4.5


@PAPERS
def test_louder_is_farther_from_paper(paper: Palette) -> None:
    """The spectrogram's colours leave the paper steadily."""
    lightness = [lab(colour, EYES["all cones"])[0] for colour in paper.sound]
    assert paper.sound[0] == paper.paper
    assert (np.diff(lightness) < 0).all() or (np.diff(lightness) > 0).all()


def test_a_tint_lies_between_paper_and_colour() -> None:
    """A share of 0 is paper, of 1 the colour."""
    assert LIGHT.tint(LIGHT.user, 1) == LIGHT.user
    assert LIGHT.tint(LIGHT.user, 0) == LIGHT.paper
    assert LIGHT.tint("#000000", 0.5) == "#808080"


def test_a_theme_holds_within_its_block() -> None:
    """The theme of a with block is gone after it, and wins over the notebook's."""
    plots.use("light")
    try:
        with plots.theme("dark"):
            assert plots.waveform(TONE).get_facecolor() == mpl.colors.to_rgba(DARK.paper)
        assert plots.waveform(TONE).get_facecolor() == mpl.colors.to_rgba(LIGHT.paper)
    finally:
        plots.use("auto")


def test_the_theme_follows_matplotlibs_settings() -> None:
    """Who has told matplotlib to be dark need not tell the plots."""
    assert palette() == LIGHT
    with mpl.rc_context({"figure.facecolor": "black"}):
        assert palette() == DARK


@pytest.mark.parametrize(("face", "wanted"), [("white", LIGHT), ("#111111", DARK), ("0.9", LIGHT), ("none", LIGHT)])
def test_a_plot_is_legible_on_your_axes(face: str, wanted: Palette) -> None:
    """The palette fits the background of the Axes that was given, whatever the theme."""
    ax = Figure(facecolor=face).add_subplot(facecolor="none")
    with plots.theme("dark" if wanted is LIGHT else "light"):
        plots.waveform(TONE, ax=ax)
    assert palette_on(face) == wanted
    assert ax.title is not None
    assert ax.xaxis.label.get_color() == wanted.muted


def test_drawing_leaves_matplotlibs_settings_alone() -> None:
    """The style holds while a plot is drawn, and no longer."""
    before = dict(mpl.rcParams)
    plots.waveform(TONE)
    assert dict(mpl.rcParams) == before


def test_an_unknown_theme_is_refused() -> None:
    """The error names the themes there are."""
    with pytest.raises(ConfigError, match="auto, light, dark"):
        plots.use("sepia")  # type: ignore[arg-type]  # that is the test
    with pytest.raises(ConfigError), plots.theme("sepia"):  # type: ignore[arg-type]  # that is the test
        pass


def test_pyplot_is_never_imported() -> None:
    """Importing the plots loads no matplotlib, and drawing one loads no pyplot."""
    script = (
        "import sys, realtime_nb.plots as plots\n"
        "assert 'matplotlib' not in sys.modules and 'numpy' not in sys.modules\n"
        "from realtime_nb.audio import Audio\n"
        "plots.waveform(Audio.tone(440, 0.1))._repr_png_()\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'pandas' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
