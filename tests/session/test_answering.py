"""Speech within a budget or a tier: the client asks for the answer, if it may, and says where it may not."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb import errors
from realtime_nb.portal import call_on
from realtime_nb.testing.server import Reply, ScriptedServer

Begin = Callable[..., tuple[ScriptedServer, rt.Session]]
SILENCE = bytes(48_000)


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Connect to a server that plays these replies; both end with the test."""
    opened: list[Any] = []

    def play(*replies: Reply, session: Any = None, **options: Any) -> tuple[ScriptedServer, rt.Session]:
        server = ScriptedServer(*replies, session=session).__enter__()
        opened.append(server)
        client = rt.connect(server.url, **options)
        opened.append(client)
        return server, client

    yield play
    for each in reversed(opened):
        each.__exit__(None, None, None)


def speak(server: ScriptedServer, session: rt.Session, *, item_id: str = "item_said", seconds: float = 1.0) -> None:
    """Say something into the microphone, and let the server's detector hear its end."""
    session.append(bytes(int(48_000 * seconds)))
    end_ms = int(seconds * 1000)
    item = {
        "id": item_id, "type": "message", "role": "user", "status": "completed",
        "content": [{"type": "input_audio", "transcript": None}],
    }  # fmt: skip
    server.push(
        {"type": "input_audio_buffer.speech_started", "item_id": item_id, "audio_start_ms": 0},
        {"type": "input_audio_buffer.speech_stopped", "item_id": item_id, "audio_end_ms": end_ms},
        {"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": None},
        {"type": "conversation.item.added", "item": item, "previous_item_id": None},
        {"type": "conversation.item.done", "item": item, "previous_item_id": None},
    )


def until(session: rt.Session, state: Callable[[], object]) -> Any:
    """Wait until an event has led to this."""
    return call_on(session.actor.loop, session.actor.link.until(state, 60))


def detection(server: ScriptedServer) -> Any:
    """What the server was last told of turn detection."""
    told = [event["session"].get("audio", {}).get("input", {}) for event in server.of_type("session.update")]
    return next(fields["turn_detection"] for fields in reversed(told) if "turn_detection" in fields)


# ---------------------------------------------------------------- who asks
def test_without_a_budget_the_server_answers_by_itself(begin: Begin) -> None:
    """Nothing is changed where nothing can be refused."""
    server, session = begin()
    speak(server, session)
    until(session, lambda: "item_said" in session.actor.link.connection.conversation)
    assert session.config.audio.input.turn_detection is not None
    assert session.config.audio.input.turn_detection.create_response
    assert server.of_type("response.create") == []


def test_within_a_budget_the_client_asks_when_speech_ends(begin: Begin) -> None:
    """The server is told not to answer by itself; the committed speech is answered all the same, as a turn."""
    server, session = begin(Reply("Hello."), budget_usd=1.0)
    assert detection(server)["create_response"] is False
    assert detection(server)["interrupt_response"] is True
    speak(server, session)
    server.wait_for("response.create")
    turn = until(session, lambda: next((turn for turn in session.actor.book.turns if turn.done), None))
    assert (turn.text, turn.status, turn.heard) == ("Hello.", "completed", ["item_said"])
    assert len(server.of_type("response.create")) == 1


def test_a_response_that_may_pass_the_budget_is_not_asked_for(begin: Begin) -> None:
    """Nothing is asked, so nothing is spent; the turn has the error with the sums, and who goes on speaking is told."""
    server, session = begin(Reply("Hello."), budget_usd=0.001)
    speak(server, session)
    turn = until(session, lambda: next((turn for turn in session.actor.book.turns if turn.done), None))
    assert isinstance(turn.error, errors.BudgetExceeded)
    assert turn.error.next_usd > turn.error.budget_usd == 0.001
    assert server.of_type("response.create") == []
    with pytest.raises(errors.BudgetExceeded, match=r"of \$0\.001000"):
        until_refused(session)
    session.budget_usd = 1.0
    session.append(SILENCE)  # told once: the next piece goes through


def until_refused(session: rt.Session) -> None:
    """Go on speaking until somebody says no."""
    for _ in range(100):
        session.append(bytes(960))


def test_a_budget_given_later_takes_the_asking_over_and_gives_it_back(begin: Begin) -> None:
    """``session.budget_usd`` decides at any time who asks."""
    server, session = begin()
    session.budget_usd = 0.5
    server.wait_for("session.update", 2)
    assert detection(server)["create_response"] is False
    until(session, lambda: not session.actor.session.audio.input.turn_detection.create_response)  # type: ignore[union-attr]
    session.budget_usd = None
    server.wait_for("session.update", 3)
    assert detection(server)["create_response"] is True


def test_turn_detection_that_is_set_later_is_held_too(begin: Begin) -> None:
    """A new detector that would answer by itself is told not to before ``update`` comes back."""
    server, session = begin(budget_usd=1.0)
    session.update(turn_detection="semantic_vad")
    kept = session.config.audio.input.turn_detection
    assert kept is not None
    assert (type(kept).__name__, kept.create_response) == ("SemanticVad", False)
    assert session.actor.answering.asks
    assert server.of_type("session.update")


@pytest.mark.parametrize("wish", [None, {"type": "server_vad", "create_response": False}])
def test_who_wants_no_answers_gets_none(begin: Begin, wish: Any) -> None:
    """Detection switched off, or told not to answer by you, stays as you set it."""
    server, session = begin(Reply("Hello."), budget_usd=1.0, turn_detection=wish)
    speak(server, session)
    until(session, lambda: "item_said" in session.actor.link.connection.conversation)
    session.append(SILENCE)
    assert not session.actor.answering.asks
    assert server.of_type("response.create") == []
    assert session.actor.book.turns == []


def test_a_commit_of_ones_own_is_not_answered(begin: Begin) -> None:
    """What is committed by hand waits for a response.create by hand, as without a budget."""
    server, session = begin(Reply("Hello."), budget_usd=1.0)
    session.append(SILENCE)
    session.send({"type": "input_audio_buffer.commit"})
    until(session, lambda: len(session.actor.link.connection.conversation) == 1)
    assert session.actor.book.turns == []
    assert server.of_type("response.create") == []


def test_a_response_nobody_asked_for_is_fenced(begin: Begin) -> None:
    """Where a server answers by itself all the same, what may pass the budget is cancelled as it begins."""
    server, session = begin(budget_usd=0.001)
    response = {
        "object": "realtime.response", "id": "resp_own", "status": "in_progress", "status_details": None, "output": [],
        "conversation_id": "conv_1", "output_modalities": ["audio"], "usage": None, "metadata": None,
    }  # fmt: skip
    server.push({"type": "response.created", "response": response})
    assert server.wait_for("response.cancel")[0]["response_id"] == "resp_own"
    details = {"type": "cancelled", "reason": "client_cancelled"}
    server.push({"type": "response.done", "response": {**response, "status": "cancelled", "status_details": details}})
    with pytest.raises(errors.BudgetExceeded):
        until(session, lambda: session.actor.book.turns)[0].wait(60)


def test_a_stream_is_asked_for_within_a_budget(begin: Begin) -> None:
    """A generator said within a budget is answered once, when all of it is said."""
    server, session = begin(Reply("Hello."), budget_usd=1.0)
    server.on["input_audio_buffer.append"] = heard_once()
    turn = session.say(chunk for chunk in [bytes(4_800)] * 4)
    assert turn.text == "Hello."
    assert len(server.of_type("response.create")) == 1


def heard_once() -> Callable[[dict[str, Any]], Any]:
    """A server that hears one piece of speech, ended by silence."""
    count = [0]

    def hook(event: dict[str, Any]) -> Any:
        count[0] += len(base64.b64decode(event["audio"]))
        if count[0] == 1_920:
            return [{"type": "input_audio_buffer.speech_started", "item_id": "item_1", "audio_start_ms": 0}]
        if count[0] == 28_800:
            item = {"id": "item_1", "type": "message", "role": "user", "status": "completed",
                    "content": [{"type": "input_audio", "transcript": None}]}  # fmt: skip
            return [
                {"type": "input_audio_buffer.speech_stopped", "item_id": "item_1", "audio_end_ms": 600},
                {"type": "input_audio_buffer.committed", "item_id": "item_1", "previous_item_id": None},
                {"type": "conversation.item.added", "item": item, "previous_item_id": None},
            ]
        return None

    return hook


def test_noise_without_words_is_not_answered_by_the_local_engine(begin: Begin) -> None:
    """Where the engine tells noise from words, a sound without words is not answered within a budget either."""
    server, session = begin(Reply("Hello."), budget_usd=1.0, session={"brain": "scripted"})
    speak(server, session)
    transcript = {
        "item_id": "item_said",
        "content_index": 0,
        "transcript": "",
        "usage": {"type": "duration", "seconds": 1},
    }
    server.push({"type": "conversation.item.input_audio_transcription.completed", **transcript})
    until(session, lambda: session.actor.book.words("item_said") == "")
    session.append(SILENCE)
    assert server.of_type("response.create") == []
    speak(server, session, item_id="item_words")
    words = {**transcript, "item_id": "item_words", "transcript": "Hello?"}
    server.push({"type": "conversation.item.input_audio_transcription.completed", **words})
    server.wait_for("response.create")
