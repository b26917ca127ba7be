"""A server with stub stages on a real port, and a bare client that speaks its protocol."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from realtime_nb.audio import Audio
from realtime_nb.engine.base import Cancel, ChatDelta, ChatEnd, ChatMessage, ChatRequest, ChatText, Tool
from realtime_nb.engine.build import Engine
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.thread import Serving, serve_in_thread
from realtime_nb.testing.stages import Answer, Call, StubAsr, StubLlm, StubVad, stub_engine, stub_speech

sys.path.insert(0, str(Path(__file__).parent))  # what these tests share: rtc, waiting, witness

Event = dict[str, Any]

WAIT_S = 60.0
"""How long an event may take on a busy machine before the test says that it never came."""


class Caller:
    """One connection; every event it got."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.events: list[Event] = []

    def send(self, type: str, **fields: Any) -> None:
        """Send an event."""
        self.socket.send(json.dumps({"type": type, **fields}))

    def receive(self) -> Event:
        """The next event."""
        event: Event = json.loads(self.socket.recv(timeout=WAIT_S))
        self.events.append(event)
        return event

    def until(self, type: str) -> Event:
        """Receive up to the first event of that type."""
        while (event := self.receive())["type"] != type:
            pass
        return event

    def between(self, first: str, last: str) -> list[str]:
        """The types received, from the last `first` on, up to the next `last`."""
        types = [event["type"] for event in self.events]
        start = len(types) - 1 - types[::-1].index(first)
        return types[start : types.index(last, start) + 1]

    def all(self, type: str) -> list[Event]:
        """The events of that type received so far."""
        return [event for event in self.events if event["type"] == type]

    def update(self, **session: Any) -> Event:
        """Change the session."""
        self.send("session.update", session={"type": "realtime", **session})
        return self.until("session.updated")["session"]

    def say(self, text: str, **response: Any) -> Event:
        """One text turn: the response as it ended."""
        part = {"type": "input_text", "text": text}
        self.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        self.send("response.create", **({"response": response} if response else {}))
        return self.until("response.done")["response"]

    def append(self, audio: bytes, chunk: int = 4800) -> None:
        """Send sound in pieces of 100 ms."""
        for start in range(0, len(audio), chunk):
            self.send("input_audio_buffer.append", audio=base64.b64encode(audio[start : start + chunk]).decode())

    def speak(self, ms: int = 800, silence_ms: int = 600) -> None:
        """Send what the stub hears as speech, then silence."""
        self.append(stub_speech(ms) + bytes(48 * silence_ms))

    def closed(self) -> tuple[int, str]:
        """Receive up to the close frame; its code and reason."""
        with pytest.raises(ConnectionClosed) as caught:
            self.until("the end")
        close = caught.value.rcvd
        assert close is not None, "the connection ended without a close frame"
        return close.code, close.reason

    def works(self) -> bool:
        """Whether an ordinary turn comes about."""
        return self.say("Are you there?", output_modalities=["text"])["status"] == "completed"


Dial = Callable[..., Caller]
Serve = Callable[..., Serving]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Begin servers; they end with the test."""
    with ExitStack() as stack:

        def begin(options: ServerOptions | None = None, engine: Any = None, **more: Any) -> Serving:
            return stack.enter_context(serve_in_thread(engine or stub_engine(), options, **more))

        yield begin


@pytest.fixture
def dial() -> Iterator[Dial]:
    """Connect to a server; connections end with the test."""
    with ExitStack() as stack:

        def connected(serving: Serving, query: str = "?model=gpt-realtime-mini", **more: Any) -> Caller:
            more = {"additional_headers": serving.headers, "compression": None, "proxy": None, **more}
            more = {"max_size": None, "max_queue": None, **more}  # what is never read does not hold up the closing
            socket = connect(serving.url + query, **more)
            return Caller(stack.enter_context(socket))

        yield connected


@pytest.fixture
def caller(serve: Serve, dial: Dial) -> Caller:
    """A session with a server of the default options, after its first event."""
    caller = dial(serve())
    caller.until("session.created")
    return caller


# ---------------------------------------------------------------- engines that do as a test needs
class SlowLlm:
    """A brain that writes a sentence at once, and goes on only when told to, or until it is stopped."""

    name = "slow"
    context_tokens = 4096
    sees_images = False

    def __init__(self) -> None:
        self._may_finish = threading.Event()
        self.running = 0
        """Answers under way."""

    def finish(self) -> None:
        """Let every answer come to its end."""
        self._may_finish.set()

    def count(self, text: str) -> int:
        """Words."""
        return len(text.split())

    def warm(
        self, messages: Sequence[ChatMessage], tools: Sequence[Tool] = (), *, cancel: Cancel | None = None
    ) -> None:
        """Nothing to warm."""

    def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
        """The first sentence, then a wait."""
        self.running += 1
        try:
            yield ChatText("One, two, three, four. ")
            while not self._may_finish.is_set() and not cancel.is_set():
                self._may_finish.wait(0.01)
        finally:  # whoever reads may leave after the first sentence
            self.running -= 1
        if not cancel.is_set():
            yield ChatText("The end.")
        yield ChatEnd("cancelled" if cancel.is_set() else "stop", 10, 0, 8)


class _Broken:
    """A stage whose every call fails."""

    def __init__(self, stage: Any) -> None:
        self._stage = stage

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._stage, name)
        if not callable(value) or name in {"count", "warm"}:
            return value

        def fail(*_args: Any, **_options: Any) -> Any:
            raise RuntimeError("the stage is broken")

        return fail


@pytest.fixture
def slow_engine() -> Iterator[Any]:
    """A stub engine whose answers last until ``engine.llm.finish()``."""
    llm = SlowLlm()
    yield stub_engine(llm=llm, asr=StubAsr("Stop that."))
    llm.finish()


@pytest.fixture
def broken_engine() -> Callable[[str], Any]:
    """Make a stub engine one of whose stages fails."""

    def make(stage: str) -> Any:
        engine = stub_engine()
        broken = _Broken(getattr(engine, stage))
        if stage == "vad":  # its stream breaks, not its making: so it does in the field
            broken = _BrokenEars(engine.vad)
        return dataclasses.replace(engine, **{stage: broken})

    return make


class _BrokenEars:
    """A detector whose streams fail."""

    def __init__(self, vad: Any) -> None:
        self.name, self.rate, self.frame = vad.name, vad.rate, vad.frame

    def stream(self) -> Any:
        """A stream that fails."""
        return _Broken(StubVad().stream())


# ---------------------------------------------------------------- telephones
@pytest.fixture
def tone_snr_db() -> Callable[[Audio, float], float]:
    """How well half a second near the beginning of a sound is a tone of so many Hz: 37 dB is all that G.711 can."""

    def measure(heard: Audio, frequency_hz: float) -> float:
        rate = heard.rate
        start = np.flatnonzero(np.abs(heard.samples) > 0.15)[0] + rate // 8
        piece = heard.samples[start : start + rate // 2].astype(np.float64)
        t = 2 * np.pi * frequency_hz * np.arange(len(piece)) / rate
        basis = np.stack([np.sin(t), np.cos(t)], axis=1)
        fit = basis @ np.linalg.lstsq(basis, piece, rcond=None)[0]
        return float(10 * np.log10((fit**2).sum() / ((piece - fit) ** 2).sum()))

    return measure


# ---------------------------------------------------------------- servers for the openai clients
STUB_SPEECH = "Ask what you can do for your country."


@dataclass(frozen=True)
class Studio:
    """A server, and a voice it can hear."""

    serving: Serving
    speech: bytes
    """PCM16 at 24 kHz; says something of a country."""

    @property
    def base_url(self) -> str:
        """Where a client of the API finds it."""
        return f"{self.serving.http}/v1"

    @property
    def token(self) -> str:
        """Its key."""
        assert self.serving.token is not None
        return self.serving.token.reveal()


def scripted(request: ChatRequest) -> Answer:
    """Call the function about the weather, count when told to, find a name told before, and repeat everything else."""
    last = request.messages[-1]
    told = re.search(r"cat is called (\w+)", " ".join(message.text for message in request.messages))
    if last.role == "tool":
        return f"I looked it up: {last.text}"
    if request.tools and "weather" in last.text:
        return Call("get_weather", {"city": "Paris"})
    if "Count" in last.text:
        return " ".join(f"{number}," for number in range(3000))
    if "What is my cat called" in last.text:
        return f"Your cat is called {told[1]}." if told else "You did not say."
    return f"You said: {last.text}"


@pytest.fixture(scope="session")
def serve_real(real_engine: Engine) -> Iterator[Callable[[], Serving]]:
    """A server with the real models."""
    with serve_in_thread(real_engine) as serving:
        yield lambda: serving


@pytest.fixture(params=["stub", pytest.param("real", marks=[pytest.mark.models, pytest.mark.timeout(180)])])
def studio(request: pytest.FixtureRequest, data: Path) -> Iterator[Studio]:
    """A server with stub stages, then the same with the real models."""
    if request.param == "real":
        serving = request.getfixturevalue("serve_real")()
        yield Studio(serving, Audio.read(data / "question.wav").resample(24_000).to_pcm16())
        return
    engine = stub_engine(asr=StubAsr(STUB_SPEECH), llm=StubLlm(scripted, delay_s=0.005))
    with serve_in_thread(engine) as serving:
        yield Studio(serving, stub_speech(800))


@pytest.fixture
def weather() -> dict[str, Any]:
    """A function as the API declares it."""
    return {
        "type": "function",
        "name": "get_weather",
        "description": "Tell the weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
