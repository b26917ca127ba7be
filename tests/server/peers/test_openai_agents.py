"""The stock ``openai-agents`` session, changed only in its URL, against our server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession

pytestmark = pytest.mark.peer

asked_for: list[str] = []


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    asked_for.append(city)
    return "22 degrees, sunny"


class Talk:
    """A session of the agents' package, and what it tells its application."""

    def __init__(self, session: RealtimeSession) -> None:
        self.session = session
        self.events: list[Any] = []
        self._iterator = session.__aiter__()

    async def until(self, type: str) -> Any:
        """The next event of that type; an error event on the way fails the test."""
        while True:
            event = await anext(self._iterator)
            self.events.append(event)
            assert event.type != "error", event.error
            if event.type == type:
                return event

    def messages(self, role: str) -> list[str]:
        """What a role has said, message by message, by the session's own history."""
        return [
            " ".join(getattr(part, "transcript", None) or getattr(part, "text", None) or "" for part in item.content)
            for item in self.session._history
            if getattr(item, "role", None) == role
        ]

    def transcript(self, role: str) -> str:
        """All that a role has said."""
        return " ".join(self.messages(role))


def hold(serving: Any, conversation: Callable[[Talk], Coroutine[Any, Any, None]], **config: Any) -> Talk:
    """Hold a conversation."""

    async def run() -> Talk:
        agent = RealtimeAgent(name="Aid", instructions="Be of help.", tools=[get_weather])
        model = {"url": serving.url, "api_key": serving.token.reveal()}
        session = await RealtimeRunner(agent, config=config or None).run(model_config=model)
        async with session:
            talk = Talk(session)
            await conversation(talk)
            return talk

    return asyncio.run(run())


async def speak(talk: Talk, speech: bytes, silence_ms: int = 1000) -> None:
    """Say something, then nothing."""
    sound = speech + bytes(48 * silence_ms)
    for start in range(0, len(sound), 4800):
        await talk.session.send_audio(sound[start : start + 4800])


def test_a_text_turn(studio: Any) -> None:
    """A message is answered, in sound and words, and both are in the history."""

    async def conversation(talk: Talk) -> None:
        await talk.session.send_message("Say the word apple, and nothing else.")
        await talk.until("audio")
        await talk.until("audio_end")
        await talk.until("agent_end")

    talk = hold(studio.serving, conversation)
    assert "apple" in talk.transcript("user")
    assert "apple" in talk.transcript("assistant").lower()


@pytest.mark.parametrize("detection", [None, {"type": "server_vad", "silence_duration_ms": 500}])
def test_a_spoken_turn(studio: Any, detection: Any) -> None:
    """Speech is detected, by meaning (the package's default) or by silence, written down and answered."""

    async def conversation(talk: Talk) -> None:
        await speak(talk, studio.speech)
        await talk.until("audio")
        await talk.until("agent_end")

    settings = {"model_settings": {"turn_detection": detection}} if detection else {}
    talk = hold(studio.serving, conversation, **settings)
    assert "country" in talk.transcript("user")
    assert talk.transcript("assistant")


def test_a_tool_round_trip(studio: Any) -> None:
    """The package runs the function the model calls, and the model uses what it gave."""
    asked_for.clear()

    async def conversation(talk: Talk) -> None:
        await talk.session.send_message("What is the weather in Paris?")
        ended = await talk.until("tool_end")
        assert ended.output == "22 degrees, sunny"
        await talk.until("audio")
        await talk.until("agent_end")

    talk = hold(studio.serving, conversation)
    assert asked_for[0].startswith("Paris")
    assert "22" in talk.transcript("assistant") or "twenty-two" in talk.transcript("assistant").lower()


def test_a_barge_in(studio: Any) -> None:
    """Speaking over the answer interrupts it on both sides, and the next turn is answered."""

    async def conversation(talk: Talk) -> None:
        await talk.session.send_message("Count from one to fifty, in words, one after another.")
        await talk.until("audio")
        await speak(talk, studio.speech)
        await talk.until("audio_interrupted")
        await talk.until("agent_end")
        await talk.until("audio")
        await talk.until("agent_end")

    talk = hold(studio.serving, conversation)
    assert "country" in talk.transcript("user")


def test_a_history_turn(studio: Any) -> None:
    """Told a fact in one turn it recalls it in the next, and the package's history has both, in order."""

    async def conversation(talk: Talk) -> None:
        for words in ("My cat is called Mimi.", "What is my cat called?"):
            await talk.session.send_message(words)
            await talk.until("agent_end")

    talk = hold(studio.serving, conversation)
    assert talk.messages("user") == ["My cat is called Mimi.", "What is my cat called?"]
    assert "Mimi" in talk.messages("assistant")[-1]


def test_an_interruption_by_hand(studio: Any) -> None:
    """``interrupt()`` sends nothing but a truncation of the item in progress; it stops the answer all the same."""

    async def conversation(talk: Talk) -> None:
        await talk.session.send_message("Count from one to fifty, in words, one after another.")
        await talk.until("audio")
        await talk.session.interrupt()
        await talk.until("agent_end")
        await talk.session.send_message("Say the word apple, and nothing else.")
        await talk.until("agent_end")

    talk = hold(studio.serving, conversation)
    assert "apple" in talk.transcript("assistant").lower()
