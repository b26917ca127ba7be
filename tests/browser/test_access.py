"""axe-core finds nothing serious in any widget, in light and dark, nor in what stays of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import realtime_nb

OpenNotebook = Callable[..., Any]

AXE = Path(realtime_nb.__file__ or "").parent / "widgets" / "js" / "node_modules" / "axe-core" / "axe.min.js"
BEGIN = """import realtime_nb as rt
from realtime_nb.testing.server import Reply, ScriptedServer
server = ScriptedServer(Reply("Nile.", audio=rt.Audio.tone(300, 0.5).to_pcm16())).__enter__()
session = rt.connect(server.url, budget_usd=0.05)
turn = session.say("Rivers?", show=False)
"""
WIDGETS = {
    "recorder": "recorder = rt.Recorder()\nrecorder",
    "player": "player = rt.Player(turn)\nplayer.select(0.1, 0.3)\nplayer",
    "camera": "camera = rt.Camera()\ncamera",
    "meter": "meter = rt.Meter(session)\nmeter",
    "talk": "talk = session.talk()\ntalk",
}
PAPER = """light => {
  const [red] = getComputedStyle(document.querySelector('.rtnb')).backgroundColor.match(/\\d+/g);
  return light === (red > 128);
}"""
SERIOUS = """async where => {
  const levels = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
  const found = await axe.run(where, {runOnly: levels});
  return found.violations.filter(v => ['serious', 'critical'].includes(v.impact))
    .flatMap(v => v.nodes.map(n => `${v.id}: ${n.html.slice(0, 120)} ${n.failureSummary}`));
}"""


def wear(notebook: Any, theme: str) -> None:
    """Put a theme on, and wait until the widgets wear it."""
    light = theme == "Light"
    notebook.command("apputils:change-theme", {"theme": f"JupyterLab {theme}"})
    notebook.page.wait_for_selector(f"body[data-jp-theme-light='{str(light).lower()}']", state="attached")
    notebook.page.wait_for_function(PAPER, arg=light)


@pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed: npm ci in realtime_nb/widgets/js")
def test_no_widget_has_a_serious_fault_in_light_or_dark(open_notebook: OpenNotebook) -> None:
    """Roles, names and contrasts of all five widgets, and of their static forms, pass WCAG 2.2 AA by axe-core."""
    notebook = open_notebook(BEGIN, *WIDGETS.values())
    notebook.run_all()
    for name in WIDGETS:
        notebook.page.wait_for_selector(f".rtnb-{name}", state="attached")
    notebook.page.add_script_tag(content=AXE.read_text())
    for theme in ("Light", "Dark"):
        wear(notebook, theme)
        assert notebook.page.evaluate(SERIOUS, ".rtnb") == [], theme
    wear(notebook, "Light")
    notebook.kernel("for one in (recorder, player, camera, meter, talk): one.close()")
    notebook.page.wait_for_selector(".rtnb", state="detached")
    notebook.page.wait_for_selector("[class^=rtnb-static] audio", state="visible")
    assert notebook.page.evaluate(SERIOUS, "[class^=rtnb-static]") == []
    notebook.js("() => document.querySelector('[class^=rtnb-static]').append(document.createElement('button'))")
    assert notebook.page.evaluate(SERIOUS, "[class^=rtnb-static]"), "a button without a name is found, so axe does look"
    notebook.kernel("session.close(); server.__exit__(None, None, None)")
