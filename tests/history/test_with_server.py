"""The frames of a session with our own server: two sources, one story."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from realtime_nb.history import EventLog, History
from realtime_nb.models import model
from realtime_nb.protocol import effects as ef
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.client import ClientConnection
from realtime_nb.protocol.ids import CountingIds
from realtime_nb.protocol.items import FunctionCallOutput, InputText, Message
from realtime_nb.protocol.limits import Limits
from realtime_nb.protocol.server import ServerConnection
from realtime_nb.protocol.session_config import Session


class Talk:
    """A client, a server and a clock; the log is written as the client's connection writes it."""

    def __init__(self) -> None:
        count: Callable[[str], int] = lambda text: len(text.split())  # noqa: E731 - typed, and short
        self.server = ServerConnection(
            Session(), ids=CountingIds(), limits=Limits(session_s=None, idle_s=None), count=count, brain="stub"
        )
        self.client = ClientConnection(CountingIds("c"))
        self.log = EventLog()
        self.frames = History(self.log, model("gpt-realtime-mini"))
        self.now = 0.0
        self.asked: list[Any] = []
        self.take(self.server.open(0.0))

    def take(self, effects: list[ef.Effect]) -> None:
        """What the server sends arrives at once; what else it asks for is kept."""
        for effect in effects:
            if isinstance(effect, ef.Send):
                frame = ev.encode(effect.event)
                self.log.append("received", self.client.receive(frame), self.now, len(frame))
            else:
                self.asked.append(effect)

    def send(self, event: ev.ClientEvent, at: float | None = None) -> None:
        """Send, logging what the caller had in hand."""
        self.now = self.now if at is None else at
        frame = self.client.send(event)
        self.log.append("sent", event, self.now, len(frame))
        self.take(self.server.receive(frame, self.now))

    def report(self, report: ef.Report, at: float | None = None) -> None:
        """A stage of the engine reports."""
        self.now = self.now if at is None else at
        self.take(self.server.report(report, self.now))

    def asked_for(self, kind: type[Any]) -> Any:
        """The latest effect of that kind."""
        return next(effect for effect in reversed(self.asked) if isinstance(effect, kind))


@pytest.fixture
def talk() -> Talk:
    """A session that has begun."""
    return Talk()


def listen(talk: Talk, *, at: float, seconds: float = 2.0, words: str) -> str:
    """The user speaks until 0.2 s before the end; gives the id of the response that begins."""
    start_ms = round(at * 1000) if at else 0
    for index in range(round(seconds * 10)):
        talk.send(ev.InputAudioBufferAppend(audio=bytes(4800)), at + 0.1 * (index + 1))
    end_ms = start_ms + round(seconds * 1000)
    talk.report(ef.SpeechStarted(start_ms))
    talk.report(ef.SpeechStopped(end_ms))
    talk.report(ef.Transcribed(talk.asked_for(ef.Transcribe).item_id, words))
    response_id: str = talk.asked_for(ef.Generate).response_id
    return response_id


def test_speech(talk: Talk) -> None:
    """A spoken turn is timed from the last word that was sent, though the server says so later."""
    talk.send(ev.SessionUpdate(session={"type": "realtime", "audio": {"input": {"transcription": {}}}}))
    response = listen(talk, at=0.0, words="what time is it")
    talk.report(ef.SpeechDelta(response, "It is noon.", b""), 2.3)
    talk.report(ef.SpeechDelta(response, "", bytes(48_000)), 2.4)
    talk.report(ef.Generated(response, "stop", prompt_tokens=20, cached_tokens=0, output_text_tokens=4), 2.5)
    turn = talk.frames.turns.iloc[0]
    assert (turn["status"], turn["input"], turn["output"]) == ("completed", "what time is it", "It is noon.")
    assert turn["speech_end_s"] == pytest.approx(1.8)
    assert turn[["first_text_ms", "first_audio_ms", "total_ms"]].tolist() == pytest.approx([500, 600, 700])
    assert turn[["input_s", "output_s"]].tolist() == pytest.approx([2.0, 1.0])
    history = talk.frames.history
    assert history["role"].tolist() == ["user", "assistant"]
    assert history["status"].tolist() == ["completed", "completed"]
    assert history["turn"].tolist() == [1, 1]
    usage = talk.frames.usage
    assert usage["tokens"].sum() == turn["input_tokens"] + turn["output_tokens"]
    assert usage["cost_usd"].sum() == pytest.approx(turn["cost_usd"])
    assert turn["cost_usd"] > 0


def test_barge_in(talk: Talk) -> None:
    """An interrupted reply has the same words in the frames as in the server's memory."""
    response = listen(talk, at=0.0, words="tell me")
    for clause in ("One two three four.", " Five six seven eight."):
        talk.report(ef.SpeechDelta(response, clause, bytes(48_000)), 2.3)
    talk.report(ef.SpeechStarted(2_100), 3.0)
    reply = talk.frames.turns.iloc[0]
    assert (reply["status"], reply["reason"]) == ("cancelled", "turn_detected")
    item_id = talk.frames.history["item_id"].tolist()[1]
    talk.send(ev.ConversationItemTruncate(item_id=item_id, content_index=0, audio_end_ms=1_500))
    row = talk.frames.history.iloc[1]
    kept = talk.server.conversation[item_id]
    assert isinstance(kept, Message)
    assert row["status"] == "truncated"
    assert row["audio_s"] == 1.5
    assert row["transcript"] == kept.content[0].transcript == "One two three four. Five six"  # type: ignore[union-attr]
    assert talk.frames.turns["interrupted_at_ms"].tolist() == [1_500]


def test_tools_and_edits(talk: Talk) -> None:
    """A call, its output and the answer are in order; ids that the connection chose are found; deletions are marked."""
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
    talk.send(ev.SessionUpdate(session={"type": "realtime", "output_modalities": ["text"], "tools": [tool]}))
    message = Message(role="user", content=(InputText(text="weather?"),))
    talk.send(ev.ConversationItemCreate(item=message), 1.0)
    talk.send(ev.ResponseCreate())
    first = talk.asked_for(ef.Generate).response_id
    talk.report(ef.CallDelta(first, 0, "weather", '{"city":'), 1.1)
    talk.report(ef.CallDelta(first, 0, "", '"Oslo"}'), 1.2)
    talk.report(ef.Generated(first, "tool_calls"), 1.3)
    call_id = talk.frames.history["call_id"].tolist()[1]
    talk.send(ev.ConversationItemCreate(item=FunctionCallOutput(call_id=call_id, output="4 degrees")), 1.4)
    talk.send(ev.ResponseCreate(), 1.5)
    second = talk.asked_for(ef.Generate).response_id
    talk.report(ef.TextDelta(second, "It is cold."), 1.7)
    talk.report(ef.Generated(second, "stop"), 1.8)
    history = talk.frames.history
    assert history["type"].tolist() == ["message", "function_call", "function_call_output", "message"]
    assert history["turn"].tolist() == [1, 1, 2, 2]
    assert history["created_s"].tolist() == pytest.approx([1.0, 1.1, 1.4, 1.7])
    assert history.loc[1, "arguments"] == '{"city":"Oslo"}'
    assert history["item_id"].tolist() == [item.id for item in talk.server.conversation]
    assert talk.frames.turns["first_text_ms"].fillna(-1).tolist() == pytest.approx([-1, 200])
    first_item = Message(role="system", content=(InputText(text="be brief"),))
    talk.send(ev.ConversationItemCreate(item=first_item, previous_item_id="root"))
    talk.send(ev.ConversationItemDelete(item_id=history.loc[1, "item_id"]))
    after = talk.frames.history
    assert after["status"].tolist() == ["completed", "completed", "deleted", "completed", "completed"]
    assert after.loc[0, "text"] == "be brief"
    assert pd.isna(after.loc[0, "turn"])
    left = after[after["status"] != "deleted"]["item_id"].tolist()
    assert left == [item.id for item in talk.server.conversation]


def test_refusals(talk: Talk) -> None:
    """What the server refuses leaves no rows but the events themselves."""
    talk.send(ev.InputAudioBufferCommit())
    talk.send(ev.ResponseCancel())
    talk.send(ev.ConversationItemDelete(item_id="nothing"))
    assert (talk.frames.events["type"] == "error").sum() == 3
    assert len(talk.frames.history) == len(talk.frames.turns) == 0
