"""Trimming a conversation: what leaves, what stays, and what it costs in cache."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb import errors
from realtime_nb.models import model
from realtime_nb.testing.server import Reply, ScriptedServer
from realtime_nb.usage.trimmed import Trimmed

Begin = Callable[..., tuple[ScriptedServer, rt.Session]]
MINI = model("gpt-realtime-mini")
PICTURE = np.zeros((64, 64, 3), np.uint8)


Pair = tuple[int, int]


def used(text: int, audio: int, image: int = 0, *, cached: Pair = (0, 0), out: Pair = (30, 200)) -> dict[str, Any]:
    """A response's usage as JSON."""
    hits = {"text_tokens": cached[0], "audio_tokens": cached[1], "image_tokens": 0}
    given = {"text_tokens": text, "audio_tokens": audio, "image_tokens": image, "cached_tokens": sum(cached)}
    return {
        "total_tokens": text + audio + image + sum(out),
        "input_tokens": text + audio + image,
        "output_tokens": sum(out),
        "input_token_details": {**given, "cached_tokens_details": hits},
        "output_token_details": {"text_tokens": out[0], "audio_tokens": out[1]},
    }


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Connect to a server that plays these replies; both end with the test."""
    opened: list[Any] = []

    def play(*replies: Reply, **options: Any) -> tuple[ScriptedServer, rt.Session]:
        server = ScriptedServer(*replies).__enter__()
        opened.append(server)
        client = rt.connect(server.url, **options)
        opened.append(client)
        return server, client

    yield play
    for each in reversed(opened):
        each.__exit__(None, None, None)


def talk(begin: Begin, **options: Any) -> tuple[ScriptedServer, rt.Session]:
    """Three turns, of which the server had the second's and third's past in its cache."""
    server, session = begin(
        Reply("One.", usage=used(110, 0)),
        Reply("Two.", usage=used(150, 200, cached=(128, 192))),
        Reply("Three.", usage=used(190, 400, cached=(128, 384))),
        **options,
    )
    for number in ("one", "two", "three"):
        session.say(f"Say {number}.")
    return server, session


def words(session: rt.Session) -> list[str]:
    """What is in the conversation."""
    rows = session.history[session.history.status != "deleted"]
    return list(rows.text.fillna(rows.transcript))


def test_the_last_turns_stay(begin: Begin) -> None:
    """``last=1`` keeps what was said last and its answer; all before it is deleted at the server."""
    server, session = talk(begin)
    before = session.context.tokens
    report = session.trim(last=1)
    assert len(server.of_type("conversation.item.delete")) == 4
    assert words(session) == ["Say three.", "Three."]
    assert report.before == before
    assert report.after == session.context.tokens
    assert report.freed.audio == 400
    assert report.items == 4


def test_the_report_says_what_the_cache_loses(begin: Begin) -> None:
    """What stays behind the first change is read anew at the full price, once; then each response costs less."""
    _, session = talk(begin)
    report = session.trim(last=1)
    assert report.uncached.audio == 200
    text, audio = report.uncached.text, report.uncached.audio
    dearer = text * (0.60 - 0.06) + audio * (10 - 0.30)
    saved = report.freed.text * 0.06 + report.freed.audio * 0.30
    assert report.next_usd == pytest.approx((dearer - saved) / 1e6)
    assert report.later_usd == pytest.approx(-saved / 1e6)
    assert report.pays_after == 1 + -(-(dearer - saved) // saved)
    assert "lose their cache" in repr(report)
    assert repr(report)[8:20] in report._repr_html_()


def test_without_a_cache_a_trim_pays_at_once(begin: Begin) -> None:
    """Where the last response had nothing from a cache, nothing is lost."""
    _, session = begin(Reply("One.", usage=used(110, 0)), Reply("Two.", usage=used(150, 200)))
    session.say("Say one.")
    session.say("Say two.")
    report = session.trim(last=1)
    assert (report.uncached.total, report.pays_after) == (0, 1)
    assert report.next_usd == report.later_usd < 0


def test_pictures_leave_and_words_stay(begin: Begin) -> None:
    """A message loses its picture in its own place; one that was nothing else leaves."""
    server, session = begin(Reply("Black.", usage=used(60, 0, 255)), Reply("Black, too.", usage=used(70, 200, 510)))
    session.say("What is this?", PICTURE)
    session.say(PICTURE)
    report = session.trim(images=False)
    assert words(session) == ["What is this?", "Black.", "Black, too."]
    assert "image_url" not in repr(server.of_type("conversation.item.create")[-1])
    assert report.freed.image == 2 * 255
    assert session.context.tokens.image == 0


def test_a_summary_stands_for_what_left(begin: Begin) -> None:
    """The model sums up out of band, in text; its words stand at the beginning, and an earlier summary is replaced."""
    server, session = talk(begin)
    server.add(Reply("They counted.", usage=used(600, 600, out=(9, 0))))
    report = session.trim(last=1, summarise=True)
    asked = server.of_type("response.create")[-1]["response"]
    assert (asked["conversation"], asked["output_modalities"], len(asked["input"])) == ("none", ["text"], 5)
    assert words(session) == ["What was said before, summed up: They counted.", "Say three.", "Three."]
    assert report.summary == "They counted."
    assert report.summary_usd == pytest.approx((600 * 0.6 + 600 * 10 + 9 * 2.4) / 1e6)
    server.add(Reply("They counted on.", usage=used(600, 600, out=(9, 0))))
    session.trim(summarise=True)
    assert words(session) == ["What was said before, summed up: They counted on."]


def test_without_a_summary_nothing_leaves(begin: Begin) -> None:
    """A model that gives no summary takes nothing away."""
    server, session = talk(begin)
    server.add(Reply("They", status="incomplete", reason="content_filter"))
    with pytest.raises(errors.TurnIncomplete):
        session.trim(summarise=True)
    assert server.of_type("conversation.item.delete") == []


def test_a_summary_must_be_within_the_budget(begin: Begin) -> None:
    """The summary is a response: it is refused before it is asked for, and nothing leaves."""
    server, session = talk(begin, budget_usd=1.0)
    session.budget_usd = 0.0
    with pytest.raises(errors.BudgetExceeded):
        session.trim(summarise=True)
    assert server.of_type("conversation.item.delete") == []


@pytest.mark.parametrize("how", [{}, {"last": -1}, {"last": 2.5}, {"last": True}])
def test_a_trim_must_be_told_what(begin: Begin, how: Any) -> None:
    """Nothing to do, or no number of turns, is an error with a line that runs."""
    _, session = begin()
    with pytest.raises(errors.ConfigError, match=r"session\.trim\(last=4\)"):
        session.trim(**how)


def test_nothing_to_trim_is_no_error(begin: Begin) -> None:
    """Fewer turns than are to stay: nothing happens."""
    server, session = talk(begin)
    report = session.trim(last=9)
    assert repr(report) == "Trimmed(nothing to trim)"
    assert server.of_type("conversation.item.delete") == []


def test_what_the_server_refuses_is_raised(begin: Begin) -> None:
    """An item that the server will not delete is an error in its own words."""
    server, session = talk(begin)
    server.on["conversation.item.delete"] = lambda event: [
        {"type": "error", "error": {"type": "invalid_request_error", "code": "item_delete_invalid_item_id",
                                    "message": "No.", "event_id": event["event_id"]}}
    ]  # fmt: skip
    with pytest.raises(errors.ServerError, match=r"No\."):
        session.trim(last=1)


def test_it_is_awaited_too(begin: Begin) -> None:
    """The awaitable face trims the same."""
    _, session = talk(begin)
    assert isinstance(asyncio.run(session.aio.trim(last=2)), Trimmed)
    assert words(session)[0] == "Say two."
