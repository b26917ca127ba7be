"""The player's half in the kernel."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.errors import AudioError, ConfigError
from realtime_nb.testing.server import Reply, ScriptedServer
from realtime_nb.widgets import player as module
from realtime_nb.widgets.player import Player


class Page:
    """Stands in for the page: hears what the widget sends, and speaks to it."""

    def __init__(self, widget: Any) -> None:
        self.widget = widget
        self.heard: list[tuple[dict[str, Any], list[bytes]]] = []
        self.came = threading.Condition()
        widget.send = self.hear

    def hear(self, message: dict[str, Any], buffers: Any = None) -> None:
        """Take a message."""
        with self.came:
            self.heard.append((message, list(buffers or [])))
            self.came.notify_all()

    def tell(self, **message: Any) -> None:
        """Send one."""
        self.widget._take(message, [])

    def wait(self, count: int = 1) -> list[tuple[dict[str, Any], list[bytes]]]:
        """Wait for so many."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.heard) >= count, 10)
            return self.heard


@pytest.fixture
def clip() -> rt.Audio:
    """Two seconds: a tone, then silence."""
    return rt.Audio.tone(440, 1.0) + rt.Audio.silence(1.0)


def test_the_sound_goes_to_the_page_as_bytes_sample_for_sample(clip: rt.Audio) -> None:
    """It is a buffer of a message, exact to 16 bits, with an outline to draw; no trait holds it."""
    player = Player(clip)
    page = Page(player)
    page.tell(t="load")
    ((message, (file, peaks, rms)),) = page.wait()
    assert message == {"t": "sound", "anew": False}
    assert rt.Audio.read(file).to_pcm16() == clip.to_pcm16()
    outline = np.frombuffer(peaks, np.uint8)
    assert len(outline) == len(rms) == module.COLUMNS
    assert outline[100] > 60
    assert not outline[700:].any()
    traits = {name: value for name, value in player.get_state().items() if name not in ("_esm", "_css")}
    assert len(str(traits)) < 2_000


def test_a_long_sound_goes_compressed(monkeypatch: pytest.MonkeyPatch, clip: rt.Audio) -> None:
    """What would be too large for a message is MP3; nothing to hear is no bytes."""
    monkeypatch.setattr(module, "LOSSLESS_S", 1.0)
    packed = module.packed(clip)
    assert not packed.startswith(b"fLaC")
    assert rt.Audio.read(packed).duration_s == pytest.approx(2.0, abs=0.1)
    assert module.packed(rt.Audio.silence(0)) == b""


def test_the_selection_is_a_sound(clip: rt.Audio) -> None:
    """What the page or the kernel selects is cut out exactly; an empty span is nothing."""
    player = Player(clip)
    assert player.selection is None
    player.select(0.25, 0.75)
    assert player.selection == clip[0.25:0.75]
    player.set_state({"selection_s": [1.0, 2.0]})  # as the page does
    assert player.selection == clip[1.0:2.0]
    player.select(1.0, 1.0)
    assert player.selection is None


@pytest.mark.parametrize("span", [(-0.1, 1.0), (0.5, 2.5), (1.0, 0.5)])
def test_a_span_outside_is_refused(clip: rt.Audio, span: tuple[float, float]) -> None:
    """The error says how long the sound is."""
    with pytest.raises(ConfigError, match=r"lasts 2\.00 s"):
        Player(clip).select(*span)


def test_what_was_played_comes_home(clip: rt.Audio) -> None:
    """The page's reports are read-only traits that can be observed."""
    player = Player(clip)
    seen: list[Any] = []
    player.observe(lambda change: seen.append(change["new"]), "finished")
    player._take(
        {"t": "state", "playing": True, "position_s": 0.5, "played_s": 0.5, "finished": False, "stalls": 0}, []
    )
    assert (player.playing, player.position_s) == (True, 0.5)
    player._take(
        {"t": "state", "playing": False, "position_s": 2.0, "played_s": 2.0, "finished": True, "stalls": 1}, []
    )
    assert (player.finished, player.played_s, player.stalls) == (True, 2.0, 1)
    assert seen == [True]


def test_a_page_that_asks_is_told_that_its_kernel_lives(clip: rt.Audio) -> None:
    """Only then does it hide the static form: a stored page, which nobody answers, keeps it in sight."""
    page = Page(Player(clip))
    page.tell(t="alive?")
    assert [message for message, _ in page.wait()] == [{"t": "alive"}]


def test_it_can_be_driven_from_a_cell(clip: rt.Audio) -> None:
    """play, pause and seek are messages to every page that shows it; a page that is only coming gets them, too."""
    page = Page(player := Player(clip))
    player.play()
    player.seek(1.5)
    assert page.heard == []  # shown in the same cell, it does not listen yet
    page.tell(t="load")
    page.wait(3)
    player.pause()
    page.tell(t="load")  # another view
    kinds = [{"t": "play"}, {"t": "seek", "at_s": 1.5}, {"t": "pause"}, {"t": "sound", "anew": False}]
    assert [message for message, _ in page.wait(5)][1:] == kinds


def test_a_turn_brings_its_words_and_its_colour() -> None:
    """Of a turn it plays the reply, and shows the reply's words without control characters."""
    reply = Reply("Nile\x1b.", audio=rt.Audio.tone(440, 0.5).to_pcm16())
    with ScriptedServer(reply) as server, rt.connect(server.url) as session:
        player = Player(session.say("Rivers?"))
    assert (player.transcript, player.voice, player.audio.duration_s) == ("Nile.", "model", 0.5)


def test_what_stays_plays_and_reads(clip: rt.Audio) -> None:
    """The static form has a player and the words, escaped; the repr has no address."""
    player = Player(clip, transcript="<b>A tone.</b>")
    assert "<audio controls" in player.static_html()
    assert "&lt;b&gt;A tone.&lt;/b&gt;" in player.static_html()
    assert repr(player) == "Player(2.00 s)"


def test_it_is_a_sound_itself_and_takes_only_sounds(clip: rt.Audio) -> None:
    """say(player) says its sound; what is no sound is refused in its own name."""
    assert rt.Audio.coerce(Player(clip)) is clip
    with pytest.raises(AudioError, match=r"rt\.Player\(\) got a int"):
        Player(3)


def test_a_turn_that_still_comes_is_shown_whole_when_it_is(clip: rt.Audio) -> None:
    """The page gets what there is, and the whole in its place when the turn is over; so does the static form."""
    with ScriptedServer(Reply("Nile.", audio=clip.to_pcm16(), end="hang")) as server, rt.connect(server.url) as session:
        turn = session.say("Rivers?", wait=False)
        server.wait_for("response.create")
        player = Player(turn)
        page = Page(player)
        session.interrupt()
        message, _ = page.wait()[-1]
        assert message == {"t": "sound", "anew": True}
        assert turn.audio.duration_s > 0
        assert player.audio == turn.audio
        assert player.duration_s == turn.audio.duration_s
        assert player.transcript == turn.text
