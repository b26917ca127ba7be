"""The main job on the embedded engine: real speech in, an answer that depends on it out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import realtime_nb as rt

pytestmark = [pytest.mark.models, pytest.mark.usefixtures("engine_weights")]


@pytest.fixture(scope="module", autouse=True)
def _engine_ends() -> Iterator[None]:
    """The engine stays warm between these tests, and is gone after them."""
    yield
    rt.local.stop()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[rt.Session]:
    """What ``rt.connect()`` gives a person without a key."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with rt.connect(instructions="Answer in one short sentence.") as session:
        yield session


def test_different_speech_is_heard_and_answered_differently(session: rt.Session, data: Path) -> None:
    """Two recordings of people give their own transcripts and their own spoken answers, in the frames as well."""
    first = session.say(rt.Audio.read(data / "question.wav"))
    second = session.say(rt.Audio.read(data / "goforward.wav"))
    assert "country" in str(first.transcript).lower()
    assert "forward" in str(second.transcript).lower()
    assert first.text
    assert second.text
    assert first.text != second.text
    assert first.audio.duration_s > 0.5
    assert first.audio.level_dbfs > -50, "it can be heard"
    assert session.history["transcript"].notna().sum() == 4
    assert session.usage.query("modality == 'audio' and direction == 'input'")["tokens"].sum() > 0


def test_what_is_asked_decides_the_answer_in_both_faces(session: rt.Session) -> None:
    """Questions with one right answer get it, blocking and awaited; a fact told before is recalled."""
    assert "paris" in session.say("What is the capital of France?").text.lower()

    async def ask(words: str) -> str:
        return (await session.aio.say(words)).text.lower()

    assert "madrid" in asyncio.run(ask("What is the capital of Spain?"))
    session.say("My name is Anna.")
    assert "anna" in asyncio.run(ask("What is my name?"))


def test_a_long_prefix_is_read_from_the_cache(session: rt.Session) -> None:
    """The second turn reuses the first one's prefix, and the usage says so in multiples of 64."""
    session.update(
        instructions="You are the guide of a museum. " + "The museum opens at nine and closes at five. " * 12
    )
    session.say("When does it open?", response={"output_modalities": "text"})
    cached = session.say("And when does it close?", response={"output_modalities": "text"}).usage.input_token_details
    assert cached.cached_tokens >= 64
    assert cached.cached_tokens % 64 == 0
