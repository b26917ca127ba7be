"""A wire on which a test writes a session by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from realtime_nb.history import EventLog, History
from realtime_nb.models import model
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.events import decode_server, encode
from realtime_nb.protocol.items import FunctionCallOutput, InputImage, InputText, Message

PCM_MS = 48


class Wire:
    """Logs events at the times a test says; the server's are given as JSON, as they come."""

    def __init__(self) -> None:
        self.log = EventLog()
        self.frames = History(self.log, model("gpt-realtime-mini"))
        self.t_s = 0.0

    def send(self, event: Any, at: float | None = None) -> None:
        """The client sends."""
        self.t_s = self.t_s if at is None else at
        self.log.append("sent", event, self.t_s, len(encode(event)))

    def get(self, type: str, at: float | None = None, **fields: Any) -> None:
        """The server sends."""
        self.t_s = self.t_s if at is None else at
        event = decode_server(encode(ev.UnknownEvent(type=type, payload={"type": type, "event_id": "e", **fields})))
        assert not isinstance(event, ev.UnknownEvent), event
        self.log.append("received", event, self.t_s, len(encode(event)))

    def session(self, **audio_input: Any) -> None:
        """The server opens the session."""
        self.get("session.created", session={"type": "realtime", "audio": {"input": audio_input}})

    def speak(self, seconds: float, at: float, *, chunk_ms: int = 100) -> None:
        """The client streams sound, live: each chunk is sent when it was heard."""
        for index in range(round(seconds * 1000 / chunk_ms)):
            sent_at = at + (index + 1) * chunk_ms / 1000
            self.send(ev.InputAudioBufferAppend(audio=bytes(chunk_ms * PCM_MS)), sent_at)

    def type(self, text: str, item_id: str, *, previous: str | None = None, at: float | None = None) -> None:
        """The client creates a written message, the server adds it."""
        message = Message(id=item_id, role="user", content=(InputText(text=text),))
        self.send(ev.ConversationItemCreate(item=message), at)
        self.add(item_id, [{"type": "input_text", "text": text}], previous=previous)

    def show(self, item_id: str) -> None:
        """The client shows a picture of six bytes, which the server does not send back."""
        image = InputImage(image_url="data:image/png;base64,iVBORw0K")
        self.send(ev.ConversationItemCreate(item=Message(id=item_id, role="user", content=(image,))))
        self.add(item_id, [])

    def answer_call(self, call_id: str, output: str, item_id: str) -> None:
        """The client gives a function's output."""
        self.send(ev.ConversationItemCreate(item=FunctionCallOutput(id=item_id, call_id=call_id, output=output)))
        item = {"id": item_id, "type": "function_call_output", "call_id": call_id, "output": output}
        self.get("conversation.item.added", item=item)
        self.get("conversation.item.done", item=item)

    def add(
        self, item_id: str, content: list[dict[str, Any]], *, previous: str | None = None, role: str = "user"
    ) -> None:
        """The server adds a whole message."""
        item = {"id": item_id, "type": "message", "role": role, "status": "completed", "content": content}
        self.get("conversation.item.added", item=item, previous_item_id=previous)
        self.get("conversation.item.done", item=item, previous_item_id=previous)

    def hear(self, item_id: str, start_ms: int, end_ms: int, at: float, *, previous: str | None = None) -> None:
        """The server's detector makes an item of speech."""
        self.get("input_audio_buffer.speech_started", at, item_id=item_id, audio_start_ms=start_ms)
        self.get("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=end_ms)
        self.get("input_audio_buffer.committed", item_id=item_id, previous_item_id=previous)
        self.add(item_id, [{"type": "input_audio", "transcript": None}], previous=previous)

    def begin(self, response_id: str, at: float, **fields: Any) -> None:
        """A response begins."""
        response = {"id": response_id, "conversation_id": "conv_1", **fields}
        self.get("response.created", at, response=response)

    def open(self, response_id: str, item_id: str, *, previous: str | None = None) -> None:
        """A response begins a message."""
        item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
        self.get("response.output_item.added", response_id=response_id, output_index=0, item=item)
        self.get("conversation.item.added", item=item, previous_item_id=previous)

    def delta(self, kind: str, response_id: str, item_id: str, delta: str, at: float | None = None) -> None:
        """A piece of a reply; sound is given as milliseconds of silence, in base64."""
        place = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
        self.get(f"response.{kind}.delta", at, delta=delta, **place)

    def sound(self, response_id: str, item_id: str, ms: int, at: float | None = None) -> None:
        """Some milliseconds of silence."""
        self.delta("output_audio", response_id, item_id, "AAAA" * (ms * PCM_MS // 3), at)

    def close(
        self, response_id: str, item_id: str, content: list[dict[str, Any]], *, status: str = "completed",
        previous: str | None = None, conversation_first: bool = True,
    ) -> None:  # fmt: skip
        """The message is done; servers differ in which event comes first."""
        item = {"id": item_id, "type": "message", "role": "assistant", "status": status, "content": content}
        ends: list[Callable[[], None]] = [
            lambda: self.get("conversation.item.done", item=item, previous_item_id=previous),
            lambda: self.get("response.output_item.done", response_id=response_id, output_index=0, item=item),
        ]
        for end in ends if conversation_first else reversed(ends):
            end()

    def done(self, response_id: str, at: float, *, status: str = "completed", **fields: Any) -> None:
        """The response is done."""
        response = {"id": response_id, "conversation_id": "conv_1", "status": status, **fields}
        self.get("response.done", at, response=response)

    def text_turn(self, number: int, *, at: float) -> None:
        """A whole written turn."""
        user, reply, response = f"u{number}", f"a{number}", f"r{number}"
        before = f"a{number - 1}" if number > 1 else None
        self.type(f"question {number}", user, previous=before, at=at)
        self.send(ev.ResponseCreate(event_id=f"c{number}"), at)
        self.begin(response, at + 0.1)
        self.open(response, reply, previous=user)
        self.delta("output_text", response, reply, f"answer {number}", at + 0.2)
        self.close(response, reply, [{"type": "output_text", "text": f"answer {number}"}], previous=user)
        usage = {"total_tokens": 30, "input_tokens": 20, "output_tokens": 10}
        self.done(response, at + 0.3, usage=usage)
        limit = {"name": "tokens", "limit": 40_000, "remaining": 39_000, "reset_seconds": 1.5}
        self.get("rate_limits.updated", rate_limits=[limit])


@pytest.fixture
def wire() -> Wire:
    """An empty wire."""
    return Wire()
