"""A server in memory that is spoken to in JSON alone, as by a stranger's client."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol.events import encode
from realtime_nb.protocol.ids import CountingIds
from realtime_nb.protocol.items import McpTool
from realtime_nb.protocol.limits import Limits, RateLimiter
from realtime_nb.protocol.server import ServerConnection
from realtime_nb.protocol.session_config import Session, TranscriptionSession

Event = dict[str, Any]
SERVER = {"type": "mcp", "server_label": "maps", "server_url": "https://maps.example/mcp", "require_approval": "never"}
MS = 48


class Peer:
    """A client of a server in memory; the test plays the models."""

    def __init__(self, session: Session | TranscriptionSession | None = None, **session_fields: Any) -> None:
        limiter = RateLimiter(requests_per_min=100, tokens_per_min=100_000)
        limits = Limits(session_s=None, idle_s=None)
        self.server = ServerConnection(session or Session(), ids=CountingIds(), limits=limits, count=len, rate=limiter)
        self.now = 0.0
        self.log: list[Event] = []
        self.asked: list[fx.Effect] = []
        self._take(self.server.open(0.0))
        if session_fields:
            self.update(**session_fields)

    def _take(self, effects: list[fx.Effect]) -> list[Event]:
        events = [json.loads(encode(each.event)) for each in effects if isinstance(each, fx.Send)]
        self.asked += [each for each in effects if not isinstance(each, fx.Send)]
        self.log += events
        return events

    # ------------------------------------------------------------ the client
    def send(self, type: str, **fields: Any) -> list[Event]:
        """Send an event; what the server says to it."""
        return self.raw(json.dumps({"type": type, **fields}))

    def raw(self, frame: str | bytes) -> list[Event]:
        """Send a frame."""
        return self._take(self.server.receive(frame, self.now))

    def update(self, **session: Any) -> list[Event]:
        """Change the session."""
        return self.send("session.update", session={"type": "realtime", **session})

    def say(self, text: str, **fields: Any) -> list[Event]:
        """Put in a written message."""
        content = [{"type": "input_text", "text": text}]
        return self.send(
            "conversation.item.create", item={"type": "message", "role": "user", "content": content}, **fields
        )

    def append(self, ms: int = 500) -> list[Event]:
        """Send sound."""
        return self.send("input_audio_buffer.append", audio=base64.b64encode(b"\1\0" * (ms * MS // 2)).decode())

    def wait(self, seconds: float) -> list[Event]:
        """Let time pass."""
        self.now += seconds
        return self._take(self.server.tick(self.now))

    # ------------------------------------------------------------ the models
    def report(self, *reports: fx.Report) -> list[Event]:
        """Report as the stages do."""
        return [event for report in reports for event in self._take(self.server.report(report, self.now))]

    def last(self, kind: type[Any]) -> Any:
        """What the server asked for last, of that kind."""
        return next(each for each in reversed(self.asked) if isinstance(each, kind))

    def speak(self, ms: int = 500) -> list[Event]:
        """The user speaks, and stops; it is not written down yet."""
        self.append(ms)
        return self.report(fx.SpeechStarted(0), fx.SpeechStopped(ms))

    def write_down(self, text: str = "Hello.", **fields: Any) -> list[Event]:
        """The recogniser is done."""
        return self.report(fx.Transcribed(self.last(fx.Transcribe).item_id, text, **fields))

    def respond(self, *reports: Callable[[str], fx.Report], **response: Any) -> list[Event]:
        """Ask for a response; the brain reports, and is done."""
        events = self.send("response.create", **({"response": response} if response else {}))
        name = self.last(fx.Generate).response_id
        return events + self.report(*(report(name) for report in reports), fx.Generated(name, "stop", 10, 0, 5))

    def reply(self, text: str = "Yes.", ms: int = 300) -> list[Event]:
        """A spoken response."""
        return self.respond(lambda name: fx.SpeechDelta(name, text, b"\2\0" * (ms * MS // 2)))

    def list_tools(self) -> list[Event]:
        """Every MCP server that was asked tells one tool."""
        asked = [each for each in self.asked if isinstance(each, fx.ListMcpTools)]
        return self.report(
            *(fx.McpToolsListed(each.item_id, (McpTool(name="find", input_schema={}),)) for each in asked)
        )

    def call_tool(self) -> list[Event]:
        """A response that calls the MCP tool."""
        return self.respond(lambda name: fx.CallDelta(name, 0, "find", '{"q": 1}'))

    def types(self) -> set[str]:
        """The types of all events so far."""
        return {event["type"] for event in self.log}


@pytest.fixture
def peer() -> Peer:
    """A session of the default settings."""
    return Peer()
