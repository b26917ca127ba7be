"""The HTML face."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from realtime_nb.audio import Audio, player, snr_db

DATA = Path(__file__).parents[1] / "data"


class Page(HTMLParser):
    """Collects the elements of a page, and sees that each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost."""
        assert self.open.pop() == tag

    def one(self, tag: str) -> dict[str, str | None]:
        """Give the attributes of the only element of this name."""
        (attrs,) = [attrs for name, attrs in self.elements if name == tag]
        return attrs


def inside(url: str | None, mime: str) -> bytes:
    """Give what is in a data URL."""
    head, _, data = (url or "").partition(",")
    assert head == f"data:{mime};base64"
    return base64.b64decode(data, validate=True)


@pytest.fixture(scope="module")
def speech() -> Audio:
    """Give a recording of a person."""
    return Audio.read(DATA / "goforward.wav")


def test_the_player_plays_the_clip(speech: Audio) -> None:
    """The sound in the page is the sound of the clip, and small."""
    data = inside(Page(speech._repr_html_()).one("audio")["src"], "audio/mpeg")
    heard = Audio.read(data)
    assert heard.duration_s == pytest.approx(speech.duration_s, abs=0.05)
    assert snr_db(speech, heard) > 10
    assert len(data) < len(speech.to_pcm16()) / 4


def test_only_what_jupyterlab_keeps_of_untrusted_html_is_relied_on(speech: Audio) -> None:
    """No script, no inline SVG, no source element, no link; the src of audio and img are data URLs."""
    page = Page(speech._repr_html_())
    assert {tag for tag, _ in page.elements} <= {"style", "div", "img", "audio", "b", "br", "code"}
    assert not page.open
    for _, attrs in page.elements:
        assert "var(" not in (attrs.get("style") or "")
        assert not [name for name in attrs if name.startswith("on") or name in ("id", "href")]


def test_the_waveform_is_a_picture_that_stands_alone(speech: Audio) -> None:
    """It is well-formed SVG with no reference outside itself."""
    svg = inside(Page(speech._repr_html_()).one("img")["src"], "image/svg+xml").decode()
    ET.fromstring(svg)  # noqa: S314 - our own text
    assert not re.search(r"(href|url\(|<script|<style)", svg)
    assert "NaN" not in svg
    assert "inf" not in svg


def test_the_waveform_is_high_where_it_is_loud() -> None:
    """Half a second of silence, half of tone: flat, then full height."""
    peak, rms = player.envelopes((Audio.silence(0.5) + Audio.tone(1_000, 0.5)).samples, player._COLUMNS)
    assert len(peak) == len(rms) == player._COLUMNS
    half = player._COLUMNS // 2
    assert not peak[:half].any()
    assert peak[half + 10 : -10] == pytest.approx(10 ** (-12 / 20), rel=0.01)
    assert np.all(rms <= peak + 1e-6)


@pytest.mark.parametrize(
    "clip",
    [
        Audio.silence(0),
        Audio.silence(0.5),
        Audio.from_pcm16(b"\1\2"),
        Audio.tone(40, 0.01, 8_000),
        Audio.silence(1, 192_000),
    ],
)
def test_every_clip_has_a_face(clip: Audio) -> None:
    """Nothing, silence, one sample and unusual rates draw without a fault; nothing has no player."""
    page = Page(clip._repr_html_())
    assert [tag for tag, _ in page.elements].count("audio") == bool(clip)


def test_a_long_clip_is_cut_in_the_page_and_a_note_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook's file stays small; the note has the line that keeps everything."""
    monkeypatch.setattr(player, "MAX_PLAYER_S", 1.0)
    long = Audio.tone(300, 3, 8_000)._repr_html_()
    heard = Audio.read(inside(Page(long).one("audio")["src"], "audio/mpeg"))
    assert heard.duration_s == pytest.approx(1.0, abs=0.05)
    assert 'audio.save("all.flac")' in long
    assert "audio.save" not in Audio.tone(300, 1, 8_000)._repr_html_()


@pytest.mark.parametrize(
    ("duration_s", "labels"),
    [
        (0.5, ["0 s", "0.1 s", "0.2 s", "0.3 s", "0.4 s", "0.5 s"]),
        (11, ["0 s", "2 s", "4 s", "6 s", "8 s", "10 s"]),
        (150, ["0 s", "20 s", "40 s", "1:00", "1:20", "1:40", "2:00", "2:20"]),
    ],
)
def test_the_scale_has_round_numbers(duration_s: float, labels: list[str]) -> None:
    """Ticks stand at round seconds, at most nine or ten of them."""
    assert re.findall(r">([^<>]+)</text>", player._seconds(duration_s)) == labels
