"""A turn as a person sees it: words, figures, and nothing that could do harm on a page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb import errors
from realtime_nb.testing.server import Reply, ScriptedServer

EVIL = '<img src=x onerror="alert(1)">\x1b[2J\u202eknil'


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted server; the test writes its replies."""
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def session(server: ScriptedServer) -> Iterator[rt.Session]:
    """A session with it."""
    with rt.connect(server.url) as session:
        yield session


def test_its_repr_says_what_a_person_wants_to_know(server: ScriptedServer, session: rt.Session) -> None:
    """Words, status, sound, tokens and cost; no address."""
    server.add(Reply("Nile, ", "Congo.", audio=bytes(48_000)))
    text = repr(session.say("Rivers?"))
    assert text.startswith("Turn('Nile, Congo.', completed, 1.0 s of sound, first audio ")
    assert " tokens, $0.00" in text
    assert " at 0x" not in text


def test_its_html_has_words_player_and_figures(server: ScriptedServer, session: rt.Session) -> None:
    """One piece of HTML with a player inside; no script, no link to elsewhere."""
    server.add(Reply("Nile.", audio=rt.Audio.tone(440, 0.2).to_pcm16()))
    html = session.say("Rivers?")._repr_html_()
    assert "Nile." in html
    assert "<audio" in html
    assert "tokens" in html
    assert "<script" not in html
    assert 'src="http' not in html


def test_what_the_model_says_cannot_act_on_a_page(server: ScriptedServer, session: rt.Session) -> None:
    """Model text is escaped in HTML, and control characters are gone from both faces."""
    server.add(Reply(EVIL))
    turn = session.say("Be evil.")
    assert turn.text == EVIL
    html = turn._repr_html_()
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html
    for face in (html, repr(turn)):
        assert "\x1b" not in face
        assert "\u202e" not in face


def until(state: Callable[[], Any]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 60
    while not state():
        assert time.monotonic() < end, "it never came so"
        time.sleep(0.005)


def test_it_fills_while_the_answer_comes(server: ScriptedServer, session: rt.Session) -> None:
    """wait=False gives the turn at once: in progress, then whole."""
    server.add(Reply("On and", end="hang"))
    turn = session.say("Go on.", wait=False)
    assert turn.status == "in_progress"
    assert not turn.done
    with pytest.raises(TimeoutError):
        turn.wait(0.05)
    until(lambda: turn.text)
    session.interrupt()
    assert turn.wait(60) is turn
    assert turn.text == "On and"
    assert (turn.status, turn.reason) == ("cancelled", "client_cancelled")


def test_a_failed_one_raises_where_it_is_waited_for(server: ScriptedServer, session: rt.Session) -> None:
    """The error of a turn in the background is raised by wait(), each time."""
    server.add(Reply(error=("server_error", "Broken.")))
    turn = session.say("Go on.", wait=False)
    for _ in range(2):
        with pytest.raises(errors.TurnFailed, match="Broken"):
            turn.wait(60)
    assert turn.status == "failed"
    assert "failed (server_error)" in repr(turn)


def test_its_rows_can_be_found_in_the_frames(server: ScriptedServer, session: rt.Session) -> None:
    """response_ids lead from a turn to its rows."""
    server.add(Reply("One."), Reply("Two."))
    session.say("1")
    turn = session.say("2")
    rows = session.turns[session.turns.response_id.isin(turn.response_ids)]
    assert rows.output.tolist() == ["Two."]
    assert rows.cost_usd.sum() == pytest.approx(turn.cost_usd)


def test_an_empty_turn_has_empty_values() -> None:
    """A turn that never got a response has no words, no sound, no cost, and says so."""
    with ScriptedServer(on={"response.create": lambda _: []}) as server, rt.connect(server.url) as session:
        turn = session.say("Hello?", wait=False)
        server.wait_for("response.create")
        assert (turn.text, turn.transcript, turn.items, turn.calls) == ("", None, (), ())
        assert turn.cost_usd == 0
        assert not turn.audio
        assert repr(turn.latency) == "Latency(nothing yet)"
        assert repr(turn) == "Turn('', in_progress)"


def test_servers_that_send_no_deltas_are_understood() -> None:
    """The text of a done event is the text, and is shown."""

    def reply(_event: object) -> list[dict[str, object]]:
        response = {"object": "realtime.response", "id": "resp_1", "status": "in_progress", "conversation_id": "c"}
        at = {"response_id": "resp_1", "item_id": "item_9", "output_index": 0, "content_index": 0, "event_id": "e"}
        return [
            {"type": "response.created", "event_id": "e", "response": response},
            {"type": "response.text.delta", "delta": "Hel", **at},
            {"type": "response.text.done", "text": "Hello.", **at},
            {"type": "response.done", "event_id": "e", "response": {**response, "status": "completed", "output": []}},
        ]

    with ScriptedServer(on={"response.create": reply}) as server, rt.connect(server.url) as session:
        pieces = session.stream("Hello?")
        assert [str(piece) for piece in pieces] == ["Hel", "lo."]
        assert pieces.turn.text == "Hello."
