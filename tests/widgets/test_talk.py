"""The talk's half in the kernel: what it tells its pages, what stays of it, and how the session says it is."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb import errors
from realtime_nb.findings import Finding, Findings
from realtime_nb.session.lateness import Lateness
from realtime_nb.testing.server import Call, Reply, ScriptedServer
from realtime_nb.widgets.media import Path
from realtime_nb.widgets.talk import Talk

SECOND = b"\x02\x10" * 24_000
STARTED = {"type": "input_audio_buffer.speech_started", "event_id": "e1", "audio_start_ms": 100, "item_id": "item_said"}


class Pages:
    """The pages of a talk: what they are told, and what they tell."""

    paths: tuple[Path, ...] = (Path("direct", 1.25, ("proxy: not installed",), owner=True),)

    def __init__(self) -> None:
        self.talk: Any = None
        self.told: list[dict[str, Any]] = []
        self.closed = False
        self.changed = threading.Condition()

    @property
    def path(self) -> Path:
        """The owner's."""
        return self.paths[0]

    def send(self, event: Mapping[str, Any], payload: bytes = b"", *, everyone: bool = True) -> None:
        """Be told."""
        with self.changed:
            self.told.append(dict(event))
            self.changed.notify_all()

    def push(self, pcm: bytes, header: Mapping[str, Any] | None = None) -> None:
        """Play: the item begins at once."""
        self.tell("started", item=(header or {})["item"])
        self.item = (header or {})["item"]

    def flush(self) -> None:
        """Fall silent, when half a second was heard."""
        self.tell("flushed", item=self.item, heard=12_000)

    def close(self) -> None:
        """Let go."""
        self.closed = True

    def tell(self, t: str, **fields: Any) -> None:
        """Do what a page does."""
        self.talk._event({"t": t, "page": "one", **fields}, b"")

    def until(self, told: Callable[[dict[str, Any]], Any], timeout_s: float = 60.0) -> dict[str, Any]:
        """Wait until they were told something like this."""
        with self.changed:
            assert self.changed.wait_for(lambda: any(map(told, self.told)), timeout_s), self.told
            return next(filter(told, reversed(self.told)))


class Stage:
    """A scripted server, a session, its talk, and the pages of that."""

    def __init__(self, *replies: Reply) -> None:
        self.server = ScriptedServer(*replies).__enter__()
        self.session = rt.connect(self.server.url)
        self.pages = Pages()
        self.talk = self.session.talk()
        self.talk.channel.close()  # type: ignore[union-attr]  # a talk has one
        self.talk.channel = self.talk._duplex._aloud._player = self.pages  # type: ignore[assignment]  # it plays one
        self.pages.talk = self.talk
        self.pages.tell("opened", owner=True)
        self.pages.tell("mic", on=True)
        self.pages.until(lambda told: told["phase"] == "listening")


Play = Callable[..., Stage]


@pytest.fixture
def play() -> Iterator[Play]:
    """Stages that end with the test."""
    stages: list[Stage] = []

    def begin(*replies: Reply) -> Stage:
        stages.append(Stage(*replies))
        return stages[-1]

    yield begin
    for stage in stages:
        stage.talk.close()
        stage.session.close()
        stage.server.__exit__(None, None, None)


def until(state: Callable[[], Any]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 60
    while not state():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_session_has_one_talk_at_a_time(play: Play) -> None:
    """Asked for again it is another view of the same; closed, a new one; a closed session has none."""
    stage = play()
    assert stage.session.talk() is stage.talk
    assert asyncio.run(stage.session.aio.talk()) is stage.talk
    stage.talk.close()
    assert stage.talk.closed
    again = stage.session.talk()
    assert again is not stage.talk
    again.close()
    with pytest.raises(errors.ConfigError, match="'WebRTC'"):
        stage.session.talk("WebRTC")  # type: ignore[arg-type] # as a person may type it
    stage.session.close()
    with pytest.raises(errors.ConnectionClosed):
        stage.session.talk()


def test_a_talk_that_broke_off_gives_way_to_a_new_one(play: Play) -> None:
    """After a fault the page says what to do, and doing it works: session.talk() is a talk again."""
    stage = play()
    stage.session.actor.loop.call_soon_threadsafe(stage.talk._duplex._heard, None, b"")  # no entry: a fault
    told = stage.pages.until(lambda told: told["phase"] == "closed")
    assert told["note"]["todo"] == "session.talk()"
    again = stage.session.talk()
    assert stage.talk.closed
    assert again.phase == "off"
    again.close()


def test_pages_are_told_what_is_new_and_a_new_page_everything(play: Play) -> None:
    """A line is told when it changes; when a page opens, all are."""
    stage = play(Reply("Nile, ", "Congo."), Reply("Rhine."))
    stage.session.say("Africa?")
    stage.session.say("Europe?")
    last = stage.pages.until(lambda told: len(told["order"]) == 4 and told["lines"] and not told["now"]["busy"])
    assert not any(line["text"] == "Nile, Congo." for line in last["lines"])
    stage.pages.told.clear()
    stage.pages.tell("opened", page="two", owner=False)
    whole = stage.pages.until(lambda told: len(told["lines"]) == 4)
    assert [line["text"] for line in whole["lines"]] == ["Africa?", "Nile, Congo.", "Europe?", "Rhine."]
    assert whole["meter"]["cost_usd"] > 0
    assert whole["meter"]["context_window"] == 32_000


def test_the_word_passes_on_at_once(play: Play) -> None:
    """A change of phase is told without waiting for the next beat; words wait for it."""
    stage = play()
    stage.pages.told.clear()
    stage.server.push(STARTED)
    assert stage.pages.until(lambda told: told["phase"] == "hearing")["now"]["mic"]
    assert stage.talk.phase == "hearing"


def test_what_stays_is_what_was_heard(play: Play) -> None:
    """The static form has words and sound of the turns, of a cut answer only what was heard, and everything escaped."""
    stage = play(Reply("<b>Nile</b>, Congo.", audio=SECOND, end="hang"))
    turn = stage.session.say("Rivers?", wait=False)
    until(lambda: stage.session.actor.talk._duplex.now.playing)
    until(lambda: len(turn.audio.to_pcm16()) == len(SECOND))
    stage.talk.stop()
    stage.server.wait_for("conversation.item.truncate")
    until(lambda: "0.50 s" in stage.talk.static_html())
    html = stage.talk.static_html()
    assert "Rivers?" in html
    assert "<b>Nile" not in html
    assert html.count("<audio") == 1


def test_a_long_record_is_drawn_seldom_and_whole_in_the_end(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is drawn anew as a whole, so not at every turn; what is left out is drawn later, or by the end."""
    stage, drawn = play(*(Reply(f"Answer {n}.") for n in range(3))), [""]
    monkeypatch.setattr("realtime_nb.widgets.static.Twin.draw", lambda _twin, _text, html: drawn.append(html))
    stage.session.say("Once?")
    stage.session.say("Again?")
    until(lambda: "Answer 1." in drawn[-1])  # by the second drawing, which was put off for a moment
    stage.talk._clerk.submit(setattr, stage.talk, "_rests_until_s", time.monotonic() + 3600).result()
    count = len(drawn)
    stage.session.say("A third time?")
    until(lambda: "Answer 2." in stage.talk.static_html())
    stage.talk._clerk.submit(int).result()
    assert len(drawn) == count
    stage.talk.close()
    assert "Answer 2." in drawn[-1]


def test_what_was_said_behind_a_busy_cell_is_not_sent_minutes_later(play: Play) -> None:
    """By the comm sound waits for the kernel: what comes too late is lost, and counted; the last of it is heard."""
    stage, now_ms = play(), time.time() * 1000
    stage.talk._hear(b"\1\0" * 480, {"t": "audio", "ms": now_ms})
    for old_ms in (180_000, 90_000, 3_000, 0):
        stage.talk._hear(b"\2\0" * 480, {"t": "audio", "ms": now_ms - old_ms})
    stage.server.wait_for("input_audio_buffer.append", 3)
    assert stage.talk.lost_s == pytest.approx(0.04)
    stage.pages.tell("opened", page="two", owner=True)  # with a clock of its own
    stage.talk._hear(b"\2\0" * 480, {"t": "audio", "ms": now_ms - 3_600_000})
    stage.server.wait_for("input_audio_buffer.append", 4)


def test_of_what_waited_for_minutes_the_end_is_not_too_late() -> None:
    """A burst is measured by the page's clock; one that was set is believed after a while."""
    now = [1_000.0]
    lateness = Lateness(lambda: now[0])
    assert not lateness.is_old(400_000)  # the clocks are 10 minutes apart
    now[0] += 180
    assert [said for said in range(1, 181) if not lateness.is_old(400_000 + said * 1000)] == list(range(174, 181))
    heard = []
    for _ in range(60):
        now[0] += 1
        heard.append(not lateness.is_old((now[0] - 660) * 1000))
    assert not any(heard[:30])
    assert all(heard[31:])


def test_a_call_stays_with_what_it_gave(play: Play) -> None:
    """A function and its output are a line of the record."""
    stage = play(Reply(calls=(Call("get_weather", '{"city": "Paris"}'),)), Reply("Sunny."))

    @stage.session.tool
    def get_weather(city: str) -> str:
        """The weather."""
        return f"sunny in {city}"

    stage.session.say("Weather?")
    until(lambda: "Sunny." in stage.talk.static_html())
    assert "get_weather({&quot;city&quot;: &quot;Paris&quot;}) → sunny in Paris" in stage.talk.static_html()


def test_ended_in_the_page_the_talk_is_closed_and_the_session_is_not(play: Play) -> None:
    """End leaves the session open."""
    stage = play()
    stage.pages.tell("end")
    until(lambda: stage.talk.closed and stage.pages.closed)
    assert stage.session.actor.link.closed is None


def test_it_says_what_it_is(play: Play) -> None:
    """The repr has facts and no address."""
    stage = play(Reply("Nile."))
    stage.session.say("Rivers?")
    until(lambda: repr(stage.talk) == "Talk(listening, 2 messages)")
    stage.talk.mute()
    until(lambda: stage.talk.phase == "muted")
    stage.session.close()
    until(lambda: repr(stage.talk) == "Talk(closed, 2 messages)")


def test_the_doctor_tells_the_path_and_why_no_better_one(play: Play) -> None:
    """session.doctor() names the page's way, its round trip, and what kept it from a faster one."""
    stage = play()
    found = {finding.name: finding for finding in stage.session.doctor()}
    assert found["media path"].fact == "direct, round trip 1.2 ms; has microphone and sound; proxy: not installed"
    assert found["media path"].state == "ok"
    assert "round trip" in found["server"].fact
    stage.pages.paths = (Path("comm", None, (), owner=True),)
    assert "Try: pip install jupyter-server-proxy" in repr(stage.session.doctor())
    stage.talk.close()
    assert "Try: session.talk()" in repr(stage.session.doctor())
    stage.session.close()
    closed = {finding.name: finding for finding in stage.session.doctor()}
    assert (closed["session"].state, closed["server"].state) == ("broken", "broken")
    assert closed["server"].fact == "does not answer: the session is closed"
    assert {finding.name for finding in asyncio.run(stage.session.aio.doctor())} == set(closed)


def test_one_line_is_enough() -> None:
    """A session that only its talk holds stays open until that is closed."""
    with ScriptedServer() as server:
        talk = rt.connect(server.url).talk()
        gc.collect()
        assert talk.phase == "off"
        talk._duplex.happened({"t": "type", "text": "Anybody?"})
        server.wait_for("response.create")
        talk.close()
        del talk
        until(lambda: gc.collect() is not None and not server._peers)


def test_findings_are_shown_as_text_and_as_a_table() -> None:
    """What is well needs no hint; what is not has a line that mends it; all of it is escaped."""
    found = Findings([Finding("a", "ok", "fine", "never shown"), Finding("b", "broken", "<b>", "x < y")])
    assert repr(found) == "ok  a  fine\nNO  b  <b>\n       Try: x < y"
    html = found._repr_html_()
    assert "never shown" not in html
    assert "&lt;b&gt;" in html
    assert "<code>x &lt; y</code>" in html


def test_a_talk_needs_no_page(play: Play) -> None:
    """Outside a notebook it can be made, and closed."""
    stage = play()
    lone = Talk(stage.session.aio)
    lone.close()
    assert lone.closed
