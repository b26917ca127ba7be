"""The stock ``openai-agents`` session, changed only in its URL, against our server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner, RealtimeSession

from realtime_nb.engine.base import ChatRequest
from realtime_nb.testing.stages import Call, StubAsr, StubLlm, stub_engine, stub_speech

pytestmark = [pytest.mark.peer, pytest.mark.timeout(60)]

asked_for: list[str] = []


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    asked_for.append(city)
    return "22 degrees, sunny"


def weatherman(request: ChatRequest) -> str | Call:
    """Answer questions about the weather by calling the function, and everything else by repeating it."""
    last = request.messages[-1]
    if last.role == "tool":
        return f"I looked it up: {last.text}"
    if request.tools and "weather" in last.text:
        return Call("get_weather", {"city": "Paris"})
    return f"You said: {last.text}"


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

    def transcript(self, role: str) -> str:
        """All that a role has said, by the session's own history."""
        texts = [
            getattr(part, "transcript", None) or getattr(part, "text", None) or ""
            for item in self.session._history
            if getattr(item, "role", None) == role
            for part in item.content
        ]
        return " ".join(texts)


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


async def speak(talk: Talk, ms: int = 800, silence_ms: int = 1000) -> None:
    """Say something, then nothing."""
    sound = stub_speech(ms) + bytes(48 * silence_ms)
    for start in range(0, len(sound), 4800):
        await talk.session.send_audio(sound[start : start + 4800])


def test_a_text_turn(serve: Any) -> None:
    """A message is answered, in sound and words, and both are in the history."""

    async def conversation(talk: Talk) -> None:
        await talk.session.send_message("Name a river.")
        await talk.until("audio")
        await talk.until("audio_end")
        await talk.until("agent_end")

    talk = hold(serve(engine=stub_engine()), conversation)
    assert "Name a river." in talk.transcript("user")
    assert "Name a river." in talk.transcript("assistant")


@pytest.mark.parametrize("detection", [None, {"type": "server_vad", "silence_duration_ms": 200}])
def test_a_spoken_turn(serve: Any, detection: Any) -> None:
    """Speech is detected, by meaning (the package's default) or by silence, written down and answered."""

    async def conversation(talk: Talk) -> None:
        await speak(talk)
        await talk.until("audio")
        await talk.until("agent_end")

    settings = {"model_settings": {"turn_detection": detection}} if detection else {}
    talk = hold(serve(engine=stub_engine(asr=StubAsr("What do rivers carry?"))), conversation, **settings)
    assert "What do rivers carry?" in talk.transcript("user")
    assert "What do rivers carry?" in talk.transcript("assistant")


def test_a_tool_round_trip(serve: Any) -> None:
    """The package runs the function the model calls, and the model uses what it gave."""
    asked_for.clear()

    async def conversation(talk: Talk) -> None:
        await talk.session.send_message("How is the weather in Paris?")
        ended = await talk.until("tool_end")
        assert ended.output == "22 degrees, sunny"
        await talk.until("audio")
        await talk.until("agent_end")

    talk = hold(serve(engine=stub_engine(llm=StubLlm(weatherman))), conversation)
    assert asked_for == ["Paris"]
    assert "22 degrees" in talk.transcript("assistant")


def test_a_barge_in(serve: Any, slow_engine: Any) -> None:
    """Speaking over the answer interrupts it on both sides, and the next turn is answered."""

    async def conversation(talk: Talk) -> None:
        await talk.session.send_message("Count to a thousand.")
        await talk.until("audio")
        await speak(talk)
        await talk.until("audio_interrupted")
        await talk.until("agent_end")
        slow_engine.llm.finish()
        await talk.until("audio")
        await talk.until("agent_end")

    talk = hold(serve(engine=slow_engine), conversation)
    assert "The end." in talk.transcript("assistant")


def test_an_interruption_by_hand(serve: Any, slow_engine: Any) -> None:
    """``interrupt()`` sends nothing but a truncation of the item in progress; it stops the answer all the same."""

    async def conversation(talk: Talk) -> None:
        await talk.session.send_message("Count to a thousand.")
        await talk.until("audio")
        await talk.session.interrupt()
        await talk.until("agent_end")
        slow_engine.llm.finish()
        await talk.session.send_message("And now?")
        await talk.until("agent_end")

    hold(serve(engine=slow_engine), conversation)
