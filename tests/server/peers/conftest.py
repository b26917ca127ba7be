"""Clients of other projects that live in environments of their own: what starts them, and what watches the wire."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.engine.base import Cancel, ChatDelta, ChatMessage, ChatRequest
from realtime_nb.engine.weights import cache_dir
from realtime_nb.protocol import effects as fx
from realtime_nb.protocol.events import encode
from realtime_nb.testing.stages import Call, StubAsr, StubLlm, StubTts, stub_engine

ISOLATED = Path(__file__).parent / "isolated"
INSTALL_S = 120
"""How long an environment may take to be installed."""
Event = dict[str, Any]


# ---------------------------------------------------------------- environments
def environment(name: str) -> Path:
    """The Python of a peer's environment, made if it is not in the cache; skips where it cannot be made."""
    pinned = ISOLATED / f"{name}.txt"
    digest = hashlib.sha256(pinned.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = cache_dir() / "peers" / f"{name}-{digest}"
    if not home.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        _install(pinned, home)
    return _python(home)


def _python(home: Path) -> Path:
    return home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _install(pinned: Path, home: Path) -> None:
    """Make an environment beside its place and put it there whole: two runs at once do no harm."""
    draft = Path(tempfile.mkdtemp(dir=home.parent, prefix=f"{home.name}-"))
    deadline = time.monotonic() + INSTALL_S
    steps = [
        [sys.executable, "-m", "venv", str(draft)],
        [str(_python(draft)), "-m", "pip", "install", "-q", "--no-input", "--no-compile", "-r", str(pinned)],
    ]
    try:
        for step in steps:
            subprocess.run(step, check=True, capture_output=True, text=True, timeout=deadline - time.monotonic())
        draft.rename(home)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{pinned.stem} was not installed within {INSTALL_S} s")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{pinned.stem} cannot be installed here: {error.stderr.strip().splitlines()[-1]}")
    except OSError:
        if not home.exists():  # else another run was faster
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


class Peer:
    """A client's process: takes jobs, gives what became of them; one that failed is followed by another."""

    def __init__(self, name: str, log: Path) -> None:
        self._command = [str(environment(name)), "-E", "-s", str(ISOLATED / f"{name}_client.py")]
        self._log = log
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        with self._log.open("a") as errors:
            return subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=errors, text=True)

    def do(self, job: dict[str, Any]) -> dict[str, Any]:
        """Have a job done."""
        if self._process.poll() is not None:
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        done: dict[str, Any] = json.loads(line or "null") or {"errors": ["the client has ended"]}
        if done["errors"]:
            self._process.wait(60)
            pytest.fail("\n".join([*done["errors"], "its log ends:", self._log.read_text()[-3000:]]))
        return done

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()


@pytest.fixture(scope="session", params=["pipecat", "livekit"])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    """A client of another project, in a process and an environment of its own."""
    peer = Peer(request.param, tmp_path_factory.mktemp(request.param) / "log.txt")
    yield peer
    peer.close()


# ---------------------------------------------------------------- engines
def pupil(request: ChatRequest) -> str | Call:
    """Do what a small model can be asked to do: say a word, recall a name, call a function, talk on and on."""
    last = request.messages[-1]
    said = " ".join(message.text for message in request.messages)
    if last.role == "tool":
        return f"I looked it up: {last.text}"
    if "weather" in last.text and request.tools:
        return Call("get_weather", {"city": "Paris"})
    if "long letter" in last.text:
        return " ".join(f"On day {day} it rained." for day in range(1, 301))
    if word := re.search(r"say the word (\w+)", last.text):
        return f"{word[1]}."
    if "What is my cat" in last.text and (name := re.search(r"cat is called (\w+)", said)):
        return f"Your cat is called {name[1]}."
    return f"You said: {last.text}"


class Remembering:
    """A brain, and all the contexts it was given."""

    def __init__(self, llm: Any) -> None:
        self._llm = llm
        self.contexts: list[tuple[ChatMessage, ...]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._llm, name)

    def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
        """Remember, and answer."""
        self.contexts.append(tuple(request.messages))
        yield from self._llm.chat(request, cancel=cancel)


@pytest.fixture(params=["stub", pytest.param("real", marks=pytest.mark.models)])
def engine(request: pytest.FixtureRequest) -> Any:
    """What answers: scripted stages, or the models."""
    if request.param == "real":
        return request.getfixturevalue("real_engine")
    asr = StubAsr("Ask what you can do for your country.")
    return stub_engine(asr=asr, llm=StubLlm(pupil, delay_s=0.02), tts=StubTts(seconds_per_word=0.1))


# ---------------------------------------------------------------- the wire
@dataclass
class Wire:
    """The events of a server's sessions, both ways, in the order in which its core met them."""

    received: list[Event] = field(default_factory=list)
    sent: list[Event] = field(default_factory=list)

    def tap(self, hub: Any) -> None:
        """Listen to all sessions to come."""
        new_connection = hub.new_connection
        hub.new_connection = lambda session: _Tap(new_connection(session), self)

    def all(self, type: str) -> list[Event]:
        """The events of that type, whoever sent them."""
        return [event for event in self.received + self.sent if event["type"] == type]

    def types(self) -> list[str]:
        """What the server sent."""
        return [event["type"] for event in self.sent]


class _Tap:
    """A session's core, listened to."""

    def __init__(self, core: Any, wire: Wire) -> None:
        self._core, self._wire = core, wire

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._core, name)
        return self._listened(value) if name in {"open", "receive", "report", "tick"} else value

    def _listened(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if method.__name__ == "receive":
                self._wire.received.append(json.loads(args[0]))
            effects = list(method(*args))
            self._wire.sent += [json.loads(encode(effect.event)) for effect in effects if isinstance(effect, fx.Send)]
            return effects

        return call


# ---------------------------------------------------------------- conversations
@dataclass
class Talk:
    """A conversation: what the client made of it, what the brain was given, what went over the wire."""

    answers: list[Any]
    heard: list[str]
    asked: list[str]
    errors: list[str]
    played_ms: float
    wire: Wire
    contexts: list[tuple[ChatMessage, ...]]

    @property
    def answer(self) -> str:
        """The last answer, as the client knows it."""
        text: str = self.answers[-1]["text"]
        return text


@pytest.fixture
def hold(peer: Peer, engine: Any, serve: Any) -> Callable[..., Talk]:
    """Hold a conversation, with nothing changed in the client but its URL and key; nobody may complain."""
    llm, wire = Remembering(engine.llm), Wire()
    serving = serve(engine=dataclasses.replace(engine, llm=llm))
    wire.tap(serving.hub)
    is_stub = isinstance(engine.llm, StubLlm)

    def hold(
        *steps: dict[str, str],
        instructions: str = "You are a helpful assistant. Answer in one short sentence.",
        modality: str = "audio",
        tools: bool = False,
    ) -> Talk:
        job = {
            "url": serving.url,
            "key": serving.token.reveal(),
            "instructions": instructions,
            "modality": modality,
            "tools": tools,
            "steps": steps,
            "timeout_s": 100 if is_stub else 150,
        }
        talk = Talk(**peer.do(job), wire=wire, contexts=llm.contexts)
        refused = {event["error"]["code"] for event in wire.all("error")}
        assert refused <= {"response_cancel_not_active"}  # sent to be sure, although the server has cancelled
        return talk

    return hold
