"""The stock ``openai`` client, changed only in its URL, against our server: both its faces, the same conversations."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
from collections.abc import Callable, Generator
from typing import Any

import openai
import pytest

pytestmark = pytest.mark.peer

Step = Callable[[Any], Any] | str
"""Something done with the connection, or the type of the event waited for."""
Conversation = Generator[Step, Any, None]


def sync_driver(base_url: str, token: str, conversation: Conversation) -> list[str]:
    """Hold a conversation with ``OpenAI``; the types of the events that came."""
    came: list[str] = []
    client = openai.OpenAI(api_key=token, base_url=base_url)
    with client.realtime.connect(model="gpt-realtime-mini") as connection:
        step = next(conversation)
        while True:
            try:
                if callable(step):
                    step = conversation.send(step(connection))
                    continue
                event = connection.recv()
                came.append(event.type)
                if event.type == step:
                    step = conversation.send(event)
            except StopIteration:
                return came


def async_driver(base_url: str, token: str, conversation: Conversation) -> list[str]:
    """Hold a conversation with ``AsyncOpenAI``; the types of the events that came."""

    async def hold() -> list[str]:
        came: list[str] = []
        client = openai.AsyncOpenAI(api_key=token, base_url=base_url)
        async with client.realtime.connect(model="gpt-realtime-mini") as connection:
            step = next(conversation)
            while True:
                try:
                    if callable(step):
                        done = step(connection)
                        step = conversation.send(await done if inspect.isawaitable(done) else done)
                        continue
                    event = await connection.recv()
                    came.append(event.type)
                    if event.type == step:
                        step = conversation.send(event)
                except StopIteration:
                    return came

    return asyncio.run(hold())


faces = pytest.mark.parametrize("hold", [sync_driver, async_driver], ids=["OpenAI", "AsyncOpenAI"])


def ask(text: str) -> Conversation:
    """Write a message and ask for the answer."""
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    yield lambda connection: connection.conversation.item.create(item=item)
    yield lambda connection: connection.response.create()


def speak(speech: bytes, silence_ms: int = 700) -> Conversation:
    """Say something, then nothing."""
    sound = speech + bytes(48 * silence_ms)
    for start in range(0, len(sound), 4800):
        chunk = base64.b64encode(sound[start : start + 4800]).decode()
        yield lambda connection, chunk=chunk: connection.input_audio_buffer.append(audio=chunk)


@faces
def test_a_text_turn(studio: Any, hold: Any) -> None:
    """A question in writing is answered in writing, piece by piece, to the point, and paid for."""
    texts: list[str] = []

    def conversation() -> Conversation:
        yield "session.created"
        yield lambda connection: connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        yield "session.updated"
        for word in ("apple", "river"):
            yield from ask(f"Say the word {word}, and nothing else.")
            done = yield "response.done"
            assert done.response.status == "completed"
            assert done.response.usage.total_tokens > 0
            texts.append(done.response.output[0].content[0].text)

    came = hold(studio.base_url, studio.token, conversation())
    assert "apple" in texts[0].lower()
    assert "river" in texts[1].lower()
    assert came.count("response.output_text.delta") >= 2


@faces
def test_a_spoken_turn(studio: Any, hold: Any) -> None:
    """Speech is detected, written down and answered aloud."""

    def conversation() -> Conversation:
        yield "session.created"
        heard = {"input": {"transcription": {"model": "whisper-1"}}}
        yield lambda connection: connection.session.update(session={"type": "realtime", "audio": heard})
        yield "session.updated"
        yield from speak(studio.speech)
        started = yield "input_audio_buffer.speech_started"
        words = yield "conversation.item.input_audio_transcription.completed"
        assert words.item_id == started.item_id
        assert "country" in words.transcript
        delta = yield "response.output_audio.delta"
        assert len(base64.b64decode(delta.delta)) > 0
        done = yield "response.done"
        assert done.response.status == "completed"
        assert done.response.output[0].content[0].transcript
        assert done.response.usage.input_token_details.audio_tokens > 0

    hold(studio.base_url, studio.token, conversation())


@faces
def test_a_tool_round_trip(studio: Any, hold: Any, weather: Any) -> None:
    """The model calls a function, the client answers, the model uses the answer."""

    def conversation() -> Conversation:
        yield "session.created"
        session = {"type": "realtime", "tools": [weather], "output_modalities": ["text"]}
        yield lambda connection: connection.session.update(session=session)
        yield "session.updated"
        yield from ask("What is the weather in Paris?")
        call = yield "response.function_call_arguments.done"
        assert call.name == "get_weather"
        assert json.loads(call.arguments)["city"].startswith("Paris")
        yield "response.done"
        output = {"type": "function_call_output", "call_id": call.call_id, "output": "22 degrees, sunny"}
        yield lambda connection: connection.conversation.item.create(item=output)
        yield lambda connection: connection.response.create()
        done = yield "response.done"
        assert "22" in done.response.output[0].content[0].text

    hold(studio.base_url, studio.token, conversation())


@faces
def test_a_barge_in(studio: Any, hold: Any) -> None:
    """Speaking over the answer cancels it; what was heard of it is kept, and the next turn is answered."""

    def conversation() -> Conversation:
        yield "session.created"
        yield from ask("Count from one to fifty, in words, one after another.")
        delta = yield "response.output_audio.delta"
        yield from speak(studio.speech)
        yield "input_audio_buffer.speech_started"
        done = yield "response.done"
        assert (done.response.status, done.response.status_details.reason) == ("cancelled", "turn_detected")
        cut = {"item_id": delta.item_id, "content_index": 0, "audio_end_ms": 100}
        yield lambda connection: connection.conversation.item.truncate(**cut)
        truncated = yield "conversation.item.truncated"
        assert truncated.audio_end_ms == 100
        done = yield "response.done"
        assert done.response.status == "completed"

    hold(studio.base_url, studio.token, conversation())


@faces
def test_a_history_turn(studio: Any, hold: Any) -> None:
    """Told a fact in one turn it recalls it in the next; when the fact is deleted it knows nothing of it any more."""
    answers: list[str] = []

    def conversation() -> Conversation:
        yield "session.created"
        yield lambda connection: connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        yield "session.updated"
        yield from ask("My cat is called Mimi.")
        told = yield "conversation.item.added"
        first = yield "response.done"
        yield from ask("What is my cat called?")
        second = yield "response.done"
        answers.extend(done.response.output[0].content[0].text for done in (first, second))
        written = [done.response.output[0].id for done in (first, second)]
        for name in (told.item.id, *written):
            yield lambda connection, name=name: connection.conversation.item.delete(item_id=name)
            gone = yield "conversation.item.deleted"
            assert gone.item_id == name
        yield from ask("What is my cat called?")
        done = yield "response.done"
        answers.append(done.response.output[0].content[0].text)

    hold(studio.base_url, studio.token, conversation())
    assert "Mimi" in answers[1]
    assert "Mimi" not in answers[2]


@faces
def test_a_wrong_key(serve: Any, hold: Any) -> None:
    """A wrong key is an error event, then a close that the client raises."""

    def conversation() -> Conversation:
        error = yield "error"
        assert error.error.code == "invalid_api_key"
        yield "never"

    with pytest.raises(Exception, match="3000"):
        hold(f"{serve().http}/v1", "sk-wrong", conversation())


def test_rest_of_the_realtime_client(serve: Any) -> None:
    """The client's own calls for secrets and models work, and a secret opens a session."""
    serving = serve()
    client = openai.OpenAI(api_key=serving.token.reveal(), base_url=f"{serving.http}/v1")
    issued = client.realtime.client_secrets.create(
        expires_after={"anchor": "created_at", "seconds": 60},
        session={"type": "realtime", "instructions": "Hum."},
    )
    assert issued.value.startswith("ek_")
    assert issued.session.instructions == "Hum."
    assert "gpt-realtime-mini" in [model.id for model in client.models.list()]

    def conversation() -> Conversation:
        created = yield "session.created"
        assert created.session.instructions == "Hum."

    sync_driver(f"{serving.http}/v1", issued.value, conversation())
    with pytest.raises(openai.AuthenticationError):
        openai.OpenAI(api_key="sk-wrong", base_url=f"{serving.http}/v1", max_retries=0).models.list()
