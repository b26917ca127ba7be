"""How a card looks."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest

from realtime_nb.models import model, names
from realtime_nb.models.words import ENDPOINTS

VOID = {"br", "hr", "img"}


class Balance(HTMLParser):
    """Follows the tags and keeps the words."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An opening tag."""
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """A closing tag: the innermost open one's."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Words, unless they are the style's."""
        if "style" not in self.open:
            self.words.append(data)


def read(html: str) -> str:
    """The words a reader sees, after checking that every tag is closed."""
    parser = Balance()
    parser.feed(html)
    assert parser.open == []
    return " | ".join(parser.words)


@pytest.mark.parametrize("name", names())
def test_text_has_every_fact(name: str) -> None:
    """The text repr shows the name, every line of the card and the sources, and no address."""
    card = model(name)
    text = repr(card)
    assert text.startswith(f"{card.name}: ")
    assert all(title in text and fact in text for title, fact in card.facts.items())
    assert all(source in text for source in card.sources)
    assert not re.search(r"0x[0-9a-f]{6,}", text + card._repr_html_())


def test_html_has_every_figure() -> None:
    """The HTML repr shows each price, tier, label, limit, endpoint and date of the card."""
    seen = read(model("gpt-realtime-mini")._repr_html_())
    for figure in (
        "gpt-realtime-mini", "a cost-efficient version of GPT Realtime", "Higher", "Very fast", "0.60", "0.06", "2.40",
        "10.00", "0.30", "20.00", "0.80", "0.08", "32,000", "4,096", "2023-10-01", "gpt-realtime-mini-2025-10-06",
        "200", "40,000", "400", "200,000", "5,000", "800,000", "10,000", "4,000,000", "20,000", "15,000,000",
        "Free", "not supported", "WebRTC", "WebSocket", "SIP", "function calling", "GPT-5 $1.25", "2027-01-20",
        *ENDPOINTS.values(),
    ):  # fmt: skip
        assert figure in seen, figure


def test_html_follows_the_theme() -> None:
    """Colours come from the page: theme variables with a neutral fall-back, no fixed ink on a fixed ground."""
    html = model("local")._repr_html_()
    assert "var(--jp-content-font-color1" in html
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b", html)


def test_html_is_escaped() -> None:
    """A card's words cannot become markup."""
    bad = "<script>alert(1)</script>"
    card = msgspec.structs.replace(
        model("local"), name=bad, summary=bad, labels={bad: bad}, sources=(bad,), modality_note=bad
    )
    assert "<script" not in card._repr_html_()
