"""The meter reads the session's own books."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.testing.server import Reply, ScriptedServer
from realtime_nb.widgets import meter as module
from realtime_nb.widgets.meter import Meter


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted server."""
    with ScriptedServer() as server:
        yield server


class Watch:
    """Waits for what a meter shows."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.changed = threading.Event()
        meter.observe(self._note, "gauges")

    def _note(self, _: Any) -> None:
        self.changed.set()

    def until(self, words: str) -> None:
        """Wait until it says so."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            self.changed.clear()
            if words in self.meter.text:
                return
            self.changed.wait(0.1)
        raise AssertionError(f"{words!r} is not in {self.meter.text!r}")


def words(meter: Meter) -> dict[str, str]:
    """Its gauges, by name."""
    return {gauge["name"]: gauge["words"] for gauge in meter.gauges}


def test_its_figures_are_those_of_the_frames(server: ScriptedServer) -> None:
    """Tokens, cost and limits are what the session's frames say, to the digit."""
    server.add(Reply("Nile.", audio=bytes(48_000)), Reply("Congo."))
    with rt.connect(server.url, budget_usd=0.5) as session:
        session.say("One?")
        session.say("Two?")
        meter = Meter(session)
        usage, limits = session.usage, session.rate_limits
        for way, name in (("input", "Tokens in"), ("output", "Tokens out")):
            assert words(meter)[name].startswith(f"{usage[usage.direction == way].tokens.sum():,}")
        assert words(meter)["Cost"] == f"${usage.cost_usd.sum():.6f} of $0.50"
        assert f"{session.context.tokens.total:,} of" in words(meter)["Context"]
        last = limits[limits.t_s == limits.t_s.max()]
        for _, row in last.iterrows():
            assert f"{row.remaining:,} of {row.limit:,} left" in words(meter)[f"{row['name'].capitalize()} a minute"]
        meter.close()


def test_it_goes_on_by_itself_and_reads_the_books_seldom(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn with hundreds of events is measured once a beat at most, and the last figures arrive."""
    monkeypatch.setattr(module, "BEAT_S", 0.05)
    measured: list[Meter] = []
    measure = Meter._measure
    monkeypatch.setattr(Meter, "_measure", lambda meter: (measured.append(meter), measure(meter))[1])
    with rt.connect(server.url) as session:
        began = time.monotonic()
        meter = Meter(session)
        assert words(meter)["Tokens out"] == "0"
        server.add(Reply(*["word "] * 400))
        turn = session.say("Go on.")
        Watch(meter).until(f"Tokens out: {turn.usage.output_tokens:,}")
        beats = (time.monotonic() - began) / module.BEAT_S
        assert 1 < len(measured) <= 2 + beats
        assert len(measured) < len(session.events)
        meter.close()


def test_a_budget_that_runs_out_is_marked(server: ScriptedServer) -> None:
    """From 80 % on a gauge says that it is nearly full."""
    server.add(Reply("Nile.", audio=bytes(48_000)))
    with rt.connect(server.url) as session:
        session.say("One?")
        session.budget_usd = session.usage.cost_usd.sum() * 1.1
        meter = Meter(session)
        assert {gauge["name"] for gauge in meter.gauges if gauge["full"]} == {"Cost"}
        meter.close()


def test_a_closed_meter_follows_no_more_and_keeps_its_figures(server: ScriptedServer) -> None:
    """Closing leaves no follower in the session; what stays is a table, escaped."""
    with rt.connect(server.url) as session:
        meter = Meter(session)
        followers = session.actor.link.log._followers
        before = len(followers)
        session.update(instructions="Be brief.")  # the follower is there by now
        assert len(followers) == before or len(followers) == before + 1
        meter.close()
        meter.close()
        session.update(instructions="Be briefer.")
        assert meter._heard not in followers
    assert "<table" in meter.static_html()
    assert "Cost" in meter.static_html()
    assert repr(meter).startswith("Meter(tokens in 0, tokens out 0, cost $0.000000")


def test_the_awaitable_face_has_a_meter_too(server: ScriptedServer) -> None:
    """Either face of a session will do."""
    with rt.connect(server.url) as session:
        assert words(Meter(session.aio)) == words(Meter(session))


def test_a_closed_session_is_marked(server: ScriptedServer) -> None:
    """When the session closes the meter says so, live and in what stays; one of a closed session says it at once."""
    with rt.connect(server.url) as session:
        meter = Meter(session)
        assert "closed" not in meter.title
        came = threading.Event()
        meter.observe(lambda change: "closed" in change["new"] and came.set(), "title")
    assert came.wait(10)
    assert "the session is closed" in meter.static_html()
    late = Meter(session)
    assert "the session is closed" in late.title
    late.close()
    meter.close()
