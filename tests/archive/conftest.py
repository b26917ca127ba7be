"""A conversation to keep: written, streamed and spoken, with a tool, a secret and an unknown event."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from realtime_nb.archive import Header, Recorder, Tape, Writer
from realtime_nb.history import EventLog, History
from realtime_nb.models import model
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.events import decode_server
from realtime_nb.protocol.items import InputAudio, InputImage, InputText, Message

KEY = "sk-test-CANARY-0123456789"
MS = 48
TONE = (np.sin(np.arange(24_000) / 8) * 9_000).astype("<i2").tobytes()
"""A second of sound."""


def header() -> Header:
    """The first line."""
    card = model("gpt-realtime-mini")
    return Header(session_id="sess_1", brain="a model", begun="2026-01-02T03:04:05+00:00", card=card)


class Talk:
    """Logs a conversation, as a session would."""

    key = KEY
    tone = TONE
    header = header()

    def __init__(self) -> None:
        self.log = EventLog()
        self.tape = Tape(self.log)
        self.frames = History(self.log, model("gpt-realtime-mini"))
        self.t_s = 0.0
        self.turns = 0

    def send(self, event: ev.ClientEvent, after_s: float = 0.01) -> None:
        """The client sends."""
        self.t_s += after_s
        self.log.append("sent", event, self.t_s, len(ev.encode(event)))

    def get(self, type: str, after_s: float = 0.01, **fields: object) -> None:
        """The server sends."""
        self.t_s += after_s
        text = ev.encode(ev.UnknownEvent(type=type, payload={"type": type, "event_id": f"e{len(self.log)}", **fields}))
        self.log.append("received", decode_server(text), self.t_s, len(text))

    def open(self) -> None:
        """The session begins; it has a server of tools with a key."""
        self.get("session.created", session={"type": "realtime", "audio": {"input": {}}})
        tool = {"type": "mcp", "server_label": "x", "server_url": "https://x.example", "authorization": KEY}
        self.send(ev.SessionUpdate(session={"type": "realtime", "tools": [tool]}))
        self.get("news.of.tomorrow", thing={"headers": {"X-Key": KEY}}, item_id="item_0")

    def show(self) -> None:
        """The user sends a text, a clip and a picture in one message."""
        picture = InputImage(image_url="data:image/png;base64," + "iVBORw0K" * 40)
        parts = (InputText(text=f"My key is {KEY}"), InputAudio(audio=TONE[: 300 * MS]), picture)
        self.send(ev.ConversationItemCreate(item=Message(id="item_clip", role="user", content=parts)))
        item = {"id": "item_clip", "type": "message", "role": "user", "status": "completed", "content": []}
        self.get("conversation.item.added", item=item)
        self.get("conversation.item.done", item=item)

    def speak(self, item_id: str) -> None:
        """The user speaks for half a second of a streamed second."""
        began_ms = self.turns * 1000
        for start in range(0, len(TONE), 100 * MS):
            self.send(ev.InputAudioBufferAppend(audio=TONE[start : start + 100 * MS]), 0.1)
        self.get("input_audio_buffer.speech_started", item_id=item_id, audio_start_ms=began_ms + 200)
        self.get("input_audio_buffer.speech_stopped", item_id=item_id, audio_end_ms=began_ms + 700)
        self.get("input_audio_buffer.committed", item_id=item_id)
        part = {"type": "input_audio", "transcript": "<b>What</b> is next?"}
        item = {"id": item_id, "type": "message", "role": "user", "status": "completed", "content": [part]}
        self.get("conversation.item.added", item=item)
        self.get("conversation.item.done", item=item)

    def answer(self, response_id: str, item_id: str, *, ends: bool = True) -> None:
        """The model speaks for a second."""
        place = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
        item = {"id": item_id, "type": "message", "role": "assistant", "content": []}
        self.get("response.created", response={"id": response_id, "conversation_id": "conv_1"})
        self.get("response.output_item.added", response_id=response_id, output_index=0, item=item)
        for _ in range(10):
            self.get("response.output_audio_transcript.delta", delta="word ", **place)
            self.get("response.output_audio.delta", delta="AQID" * (100 * MS // 3), **place)
        if not ends:
            return
        self.get("response.output_item.done", response_id=response_id, output_index=0, item=item)
        usage = {
            "total_tokens": 150, "input_tokens": 100, "output_tokens": 50,
            "input_token_details": {"text_tokens": 40, "audio_tokens": 60, "cached_tokens": 0},
            "output_token_details": {"text_tokens": 20, "audio_tokens": 30},
        }  # fmt: skip
        done = {"id": response_id, "conversation_id": "conv_1", "status": "completed", "usage": usage}
        self.get("response.done", response=done)
        limit = {"name": "requests", "limit": 200, "remaining": 199, "reset_seconds": 0.3}
        self.get("rate_limits.updated", rate_limits=[limit])

    def go(self, turns: int = 2) -> Talk:
        """All of it."""
        self.open()
        self.show()
        for _ in range(turns):
            self.speak(f"item_q{self.turns}")
            self.answer(f"resp_{self.turns}", f"item_a{self.turns}")
            self.turns += 1
        return self


@pytest.fixture
def talk() -> Talk:
    """A conversation of two turns."""
    return Talk().go()


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[Talk], Path]:
    """Write a conversation that is over."""

    def kept(talk: Talk) -> Path:
        recorder = Recorder(Writer(tmp_path / "talk", talk.header), talk.log, talk.tape)
        recorder.close()
        return tmp_path / "talk"

    return kept
