"""What comes after an answer is on the recording, and there when a replay is looked at: no two differ."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.cassette.trail import Trail
from realtime_nb.protocol.events import decode_server
from realtime_nb.testing.script import Close, Die
from realtime_nb.testing.server import Reply, ScriptedServer

Kit = Any
LIMITS = "rate_limits.updated"


class Late(ScriptedServer):
    """Keeps the rate limits to itself until it is asked for them."""

    def __init__(self, *replies: Reply) -> None:
        super().__init__(*replies)
        self.held: list[dict[str, Any]] = []

    async def _act(self, peer: Any, actions: Iterator[dict[str, Any] | Close | Die]) -> bool:
        return await super()._act(peer, self._but_limits(actions))

    def _but_limits(self, actions: Iterator[Any]) -> Iterator[Any]:
        for action in actions:
            if isinstance(action, dict) and action["type"] == LIMITS:
                self.held.append(action)
            else:
                yield action


def wait_for(state: Callable[[], object]) -> None:
    """Wait until something is so; the test's own limit of time holds."""
    while not state():
        threading.Event().wait(0.001)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where to record."""
    return tmp_path / "late.cassette"


def test_the_end_of_a_recording_waits_for_what_belongs_to_the_last_answer(kit: Kit, folder: Path) -> None:
    """The rate limits come after ``say`` has returned; the recording has them all the same, and its replay is equal."""
    with Late(Reply("One.")) as server, rt.connect(server.url) as session, ThreadPoolExecutor(1) as pool:
        recording = session.record(folder)
        turn = session.say("Hello.")
        assert session.rate_limits.empty
        closing = pool.submit(recording.close)
        wait_for(lambda: session.actor.link._waiters or closing.done())
        server.push(*server.held)
        closing.result()
        seen = kit.Seen(session, [turn])
    assert len(seen.frames["rate_limits"]) == 1
    with rt.connect(f"cassette:{folder}") as session:
        seen.same(kit.Seen(session, [session.say("Hello.")]))


def test_the_awaitable_face_waits_for_it_too(folder: Path) -> None:
    """``async with`` ends when the last answer's rate limits have come."""

    async def cell(session: rt.Session) -> None:
        async with await session.aio.record(folder):
            await session.aio.say("Hello.")
            pool.submit(tell, session)

    def tell(session: rt.Session) -> None:
        wait_for(lambda: session.actor.link._waiters)
        server.push(*server.held)

    with Late(Reply("One.")) as server, rt.connect(server.url) as session, ThreadPoolExecutor(1) as pool:
        asyncio.run(cell(session))
        assert len(session.rate_limits) == 1
    assert LIMITS in (folder / "session-1.jsonl").read_text()


def test_a_server_that_tells_no_limits_is_not_waited_for_long(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recording ends without them."""
    monkeypatch.setattr("realtime_nb.cassette.recording.TRAIL_S", 0.01)
    with Late(Reply("One.")) as server, rt.connect(server.url) as session, session.record(folder):
        session.say("Hello.")
    with rt.connect(f"cassette:{folder}") as session:
        assert session.say("Hello.").text == "One."
        assert session.rate_limits.empty


@pytest.mark.parametrize("speed", ["fast", "50ms", "real"])
def test_a_replay_is_never_seen_in_the_middle(kit: Kit, folder: Path, speed: str) -> None:
    """When a call returns, all has come that had come before the client did anything more, whatever the speed."""
    with ScriptedServer(Reply("One.")) as server, rt.connect(server.url) as session:
        with session.record(folder):
            turn = session.say("Hello.")
        seen = kit.Seen(session, [turn])
    with rt.connect(f"cassette:{folder}?speed={speed}") as session:
        seen.same(kit.Seen(session, [session.say("Hello.")]))


def test_what_is_sent_by_hand_returns_when_its_answer_is_there(folder: Path) -> None:
    """``session.send`` and ``session.update``, too, leave nothing half come."""

    def talk(session: rt.Session) -> list[str]:
        session.update(instructions="Be brief.")
        session.send({"type": "input_audio_buffer.clear"})
        return session.events.type.tolist()

    with ScriptedServer() as server, rt.connect(server.url) as session, session.record(folder):
        talk(session)
        wait_for(lambda: "input_audio_buffer.cleared" in session.events.type.tolist())
        types = session.events.type.tolist()
    with rt.connect(f"cassette:{folder}?speed=20ms") as session:
        assert talk(session) == types


# ---------------------------------------------------------------- what is owed
def heard(*events: dict[str, Any]) -> bool:
    """Whether anything is owed after these."""
    trail = Trail()
    for event in events:
        trail.hear(decode_server(rt_json(event)))
    return trail.owed


def rt_json(event: dict[str, Any]) -> str:
    """As it is on the wire."""
    return json.dumps({"event_id": "event_1", **event})


def begun(id: str = "resp_1") -> dict[str, Any]:
    """A response begins."""
    return {"type": "response.created", "response": {"id": id, "object": "realtime.response", "status": "in_progress"}}


def done(id: str = "resp_1") -> dict[str, Any]:
    """A response is over."""
    return {"type": "response.done", "response": {"id": id, "object": "realtime.response", "status": "completed"}}


TOLD = {"type": LIMITS, "rate_limits": []}
WRITING = {
    "type": "session.updated",
    "session": {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}},
}
SPOKEN = {"type": "input_audio_buffer.committed", "item_id": "item_1"}
WORDS = {
    "type": "conversation.item.input_audio_transcription.completed",
    "item_id": "item_1",
    "content_index": 0,
    "transcript": "Hello.",
    "usage": {"type": "duration", "seconds": 1.0},
}


@pytest.mark.parametrize(
    ("events", "owed"),
    [
        ([begun()], False),  # an answer that goes on is not waited for: whoever stops there means it
        ([begun(), done()], True),
        ([begun(), done(), TOLD], False),
        ([begun(), TOLD, done()], False),  # the docs' order
        ([begun(), begun("resp_2"), done(), TOLD], False),
        ([begun(), begun("resp_2"), done("resp_2"), TOLD], False),
        ([begun(), begun("resp_2"), done("resp_2"), done(), TOLD], True),
        ([done()], False),  # begun before the recording
        ([SPOKEN], False),  # nobody writes it down
        ([WRITING, SPOKEN], True),
        ([WRITING, SPOKEN, WORDS], False),
        ([WRITING, SPOKEN, {"type": "conversation.item.deleted", "item_id": "item_1"}], False),
    ],
)
def test_what_is_owed(events: list[dict[str, Any]], *, owed: bool) -> None:
    """A done response owes its rate limits, speech that is written down its words."""
    assert heard(*events) is owed
