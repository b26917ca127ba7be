"""The widgets' colours are those of the plots."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import realtime_nb as rt
from realtime_nb.plots.palette import DARK, LIGHT, Palette, contrast

THEME = Path(rt.__file__ or "").parent / "widgets" / "js" / "theme.js"


def colours(name: str) -> dict[str, str]:
    """The roles of one side of the stylesheet."""
    found = re.search(rf'const {name} = "([^"]+)"', THEME.read_text())
    assert found
    return dict(re.findall(r"--rtnb-(\w+):(#\w{6})", found[1]))


@pytest.mark.parametrize(("name", "palette"), [("LIGHT", LIGHT), ("DARK", DARK)])
def test_each_role_has_the_plots_colour(name: str, palette: Palette) -> None:
    """User, model, tool, alerts, labels and rules are the palette's, on light and on dark paper."""
    wanted = {role: getattr(palette, role) for role in ("user", "model", "tool", "alert")}
    assert colours(name) == {**wanted, "hint": palette.muted, "line": palette.faint}


@pytest.mark.parametrize(("name", "paper"), [("LIGHT", LIGHT.paper), ("DARK", "#111111")])
def test_what_is_read_can_be_read(name: str, paper: str) -> None:
    """Words in muted and alert colours have at least 4.5:1 on the page's paper, marks 3:1 (WCAG 1.4.3, 1.4.11)."""
    found = colours(name)
    assert min(contrast(found[role], paper) for role in ("hint", "alert", "user")) >= 4.5
    assert min(contrast(found[role], paper) for role in ("model", "tool")) >= 3
