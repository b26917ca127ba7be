"""%rt watch in a real kernel."""

from __future__ import annotations

from typing import Any

BARS = "import matplotlib.pyplot as plt\nplt.bar(['a', 'b'], [1, 3]);"
KINDS = "[type(part).__name__ for item in session.aio.actor.link.connection.conversation for part in item.content]"


def test_figures_and_sounds_become_context(connected: Any) -> None:
    """Each cell's are one item, counted with tokens and price, without an answer; off ends it."""
    assert "watch is on" in connected.run("%rt watch on").printed
    ran = connected.run(BARS)
    assert any("image/png" in data for data in ran.shown)
    assert "1 picture added, about" in ran.printed
    assert "$0.0" in ran.printed
    assert "1 sound added" in connected.run("import realtime_nb as rt\nrt.Audio.silence(1.0)").printed
    assert connected.run("1 + 1").printed == ""
    assert connected.value(KINDS) == "['InputImage', 'InputAudio']"
    assert connected.value("len(session.turns)") == "0"
    assert "watch is off" in connected.run("%rt watch off").printed
    assert connected.run(BARS).printed == ""
    assert connected.value(KINDS) == "['InputImage', 'InputAudio']"


def test_what_fails_is_hidden_or_asked_is_not_added(connected: Any) -> None:
    """A cell that raises, one under %%capture, and one under %%ask add nothing of their own."""
    connected.run("%rt watch on")
    assert connected.run(f"{BARS}\nplt.show()\n1 / 0").printed == ""
    assert connected.run(f"%%capture\n{BARS}\nplt.show()").printed == ""
    assert connected.value("len(session.history)") == "0"
    assert "added" not in connected.run(f"%%ask Tall?\n{BARS}").printed
    assert connected.value(KINDS).startswith("['InputText', 'InputImage', 'Output")


def test_a_dear_cell_is_not_sent(connected: Any) -> None:
    """More than 4,000 tokens of one cell are told, not sent."""
    connected.run("import realtime_nb as rt\n%rt watch on")
    assert "not sent" in connected.run("for n in range(3): display(rt.Audio.silence(200.0 + n))").printed
    assert connected.value("len(session.history)") == "0"


def test_the_budget_holds(connected: Any) -> None:
    """What the next answer could not read within the budget is not added, and watch ends."""
    connected.run("%rt watch on")
    connected.run("session.budget_usd = 0.0001")
    assert "watch is off. BudgetExceeded" in connected.run(BARS).printed
    assert connected.value("len(session.history)") == "0"


def test_a_closed_session_ends_it(connected: Any) -> None:
    """When the session is gone, watch says so once and is off."""
    connected.run("%rt watch on")
    connected.run("session.close()")
    assert "watch is off. ConnectionClosed" in connected.run(BARS).printed
    assert connected.run(BARS).printed == ""
