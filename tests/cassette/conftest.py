"""A lesson that is recorded once and played again, with everything a lesson does."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import realtime_nb as rt
from realtime_nb.server.thread import serve_in_thread
from realtime_nb.testing.server import Call, Reply, ScriptedServer
from realtime_nb.testing.stages import StubAsr, stub_engine, stub_speech

FRAMES = ("history", "turns", "usage", "events", "rate_limits")
SOUND = bytes(range(256)) * 100
CANARY = "sk-test-CANARY-0123456789"
SPEECH = rt.Audio.from_pcm16(stub_speech(400))


def script() -> list[Reply]:
    """What the model says in :func:`lesson`."""
    return [
        Reply("One.", audio=SOUND),
        Reply("Two.", audio=SOUND),
        Reply("Let me see.", calls=(Call("add", '{"a": 1, "b": 2}'),)),
        Reply("Three."),
        Reply("Beside."),
    ]


def lesson(session: rt.Session, words: str = "Hello.", add: Callable[[int, int], Any] | None = None) -> list[rt.Turn]:
    """Words, a sound, a function and an aside."""

    def plus(a: int, b: int) -> Any:
        """Add."""
        return a + b if add is None else add(a, b)

    plus.__name__ = "add"
    session.tool(plus)
    turns = [session.say(words), session.say(rt.Audio.tone(440, 0.25)), session.say("What is 1 + 2?")]
    return [*turns, session.say("And beside?", response={"conversation": "none"})]


class Seen:
    """What a person sees of a session: frames, and how turns look."""

    def __init__(self, session: rt.Session, turns: list[rt.Turn]) -> None:
        self.frames = {name: getattr(session, name) for name in FRAMES}
        self.looks = [(repr(turn), turn._repr_html_(), repr(turn.calls), repr(turn.latency)) for turn in turns]
        self.session = (session.id, repr(session), session._repr_html_())

    def same(self, other: Seen) -> None:
        """Assert that another one is equal to the last digit."""
        for name, frame in self.frames.items():
            pd.testing.assert_frame_equal(frame, other.frames[name], check_exact=True)
            assert frame.to_json() == other.frames[name].to_json()
        assert self.looks == other.looks
        assert self.session == other.session


class Kit:
    """What the tests share."""

    Seen = Seen
    canary = CANARY
    lesson = staticmethod(lesson)
    script = staticmethod(script)
    sound = SOUND
    speech = SPEECH


@pytest.fixture
def kit() -> type[Kit]:
    """The lesson, and how to look at it."""
    return Kit


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any socket that is opened fails the test."""

    def refuse(*args: Any, **_kwargs: Any) -> None:
        raise AssertionError(f"a socket was opened: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket.socket, "bind", refuse)


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of this machine's environment matters."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "REALTIME_NB_CASSETTE", "REALTIME_NB_RECORD"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REALTIME_NB_LOG", "0")


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Seen]:
    """The lesson, recorded from a scripted server, and what was seen of it then."""
    folder = tmp_path / "lesson1.cassette"
    with ScriptedServer(*script()) as server, rt.connect(server.url, instructions="Be brief.") as session:
        with session.record(folder):
            turns = lesson(session)
        seen = Seen(session, turns)
    return folder, seen


@pytest.fixture
def stub_server() -> Iterator[Callable[..., rt.Session]]:
    """Opens sessions with our own server, whose stages are stubs."""
    with serve_in_thread(stub_engine(asr=StubAsr("good morning"))) as serving:
        yield lambda **config: rt.connect(serving.url, api_key=serving.token, **config)
