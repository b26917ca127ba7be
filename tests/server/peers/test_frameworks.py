"""The voice frameworks ``pipecat-ai`` and ``livekit-agents`` (``livekit-plugins-openai``) against our server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.peer, pytest.mark.timeout(300)]

Hold = Callable[..., Any]


def test_a_text_turn(hold: Hold) -> None:
    """Told in writing to say a word, it writes that word, and makes no sound."""
    talk = hold({"write": "Please say the word banana."}, modality="text")
    assert "banana" in talk.answer.lower()
    assert talk.played_ms == 0


def test_a_spoken_turn(hold: Hold, data: Path) -> None:
    """A person's question is detected, written down and answered aloud."""
    talk = hold({"write": "Please say the word hello."}, {"speak": str(data / "question.wav")})
    assert "country" in talk.heard[-1].lower()
    assert talk.answer
    assert talk.played_ms > 500
    heard = ("speech_started", "speech_stopped", "committed")
    turn = [*(f"input_audio_buffer.{step}" for step in heard), "response.created", "response.done"]
    sent = talk.wire.types()
    assert [step for step in sent[sent.index(turn[0]) :] if step in turn] == turn


def test_a_tool_round_trip(hold: Hold) -> None:
    """Asked about the weather the model calls the function, the framework runs it, the model tells what it gave."""
    talk = hold({"write": "What is the weather in Paris?"}, tools=True)
    assert talk.asked == ["Paris"]
    assert "22" in talk.answer or "sunny" in talk.answer
    assert [message.role for message in talk.contexts[-1]][-1] == "tool"


def test_a_barge_in(hold: Hold, data: Path) -> None:
    """Spoken over, the answer is cancelled and cut to what was heard, and the model knows no more of it than that."""
    letter = "Write a long letter to a friend: the journey, the house by the sea, the food, the people, the weather."
    step = {"write": letter, "over": str(data / "something.wav")}
    talk = hold(step, instructions="You are a helpful assistant.")
    cut, *_, last = [event["response"] for event in talk.wire.all("response.done")]
    assert (cut["status"], cut["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert last["status"] == "completed"
    assert [answer["interrupted"] for answer in talk.answers] == [True, False]
    item = cut["output"][0]
    (truncated,) = talk.wire.all("conversation.item.truncated")
    assert truncated["item_id"] == item["id"]
    assert 0 < truncated["audio_end_ms"] < talk.played_ms
    known = next(message.text for message in talk.contexts[-1] if message.role == "assistant")
    assert len(known) < len(item["content"][0]["transcript"])


def test_a_history_turn(hold: Hold) -> None:
    """Told a fact in one turn, it recalls it in the next: the context carries it."""
    talk = hold({"write": "My cat is called Mimi."}, {"write": "What is my cat called?"})
    assert "Mimi" in talk.answer
    assert any("Mimi" in message.text for message in talk.contexts[-1] if message.role == "user")
