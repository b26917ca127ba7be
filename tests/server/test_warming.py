"""A prefix is read ahead while nobody wants an answer, and no longer."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from realtime_nb.engine.base import Cancel, ChatDelta, ChatMessage, ChatRequest, Tool
from realtime_nb.testing.stages import StubLlm, stub_engine


class SlowReader(StubLlm):
    """A brain that reads ahead until it is told to stop, and notes what it was asked in which order."""

    def __init__(self) -> None:
        super().__init__()
        self.began = threading.Event()
        self.log: list[str] = []

    def warm(
        self, messages: Sequence[ChatMessage], tools: Sequence[Tool] = (), *, cancel: Cancel | None = None
    ) -> None:
        """Read for a long time."""
        self.log.append("reads " + messages[0].text.partition("\n")[0])
        self.began.set()
        assert cancel is not None
        self.log.append("stops" if cancel.wait(60) else "ends")

    def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
        """Answer."""
        self.log.append("answers")
        return super().chat(request, cancel=cancel)


@pytest.fixture
def reader() -> SlowReader:
    """A brain that reads ahead."""
    return SlowReader()


def test_an_answer_stops_the_reading_ahead(serve: Any, dial: Any, reader: SlowReader) -> None:
    """The first answer does not wait for a prefix to be read whole: it begins when the cache is let go."""
    caller = dial(serve(engine=stub_engine(llm=reader)))
    caller.until("session.created")
    assert reader.began.wait(60)
    assert caller.works()
    assert [entry.split()[0] for entry in reader.log] == ["reads", "stops", "answers"]


def test_a_newer_prefix_stops_the_reading_of_an_older_one(serve: Any, dial: Any, reader: SlowReader) -> None:
    """When the instructions change, what was begun for the old ones is given up."""
    caller = dial(serve(engine=stub_engine(llm=reader)))
    caller.until("session.created")
    assert reader.began.wait(60)
    reader.began.clear()
    caller.update(instructions="Sing.")
    assert reader.began.wait(60)
    assert reader.log[1] == "stops"
    assert reader.log[2].startswith("reads Sing.")


def test_a_session_that_ends_stops_its_reading(serve: Any, dial: Any, reader: SlowReader) -> None:
    """Nothing is read for a client that is gone."""
    caller = dial(serve(engine=stub_engine(llm=reader)))
    caller.until("session.created")
    assert reader.began.wait(60)
    caller.socket.close()
    again = dial(serve(engine=stub_engine()))
    assert again.until("session.created")
    for _ in range(6_000):
        if "stops" in reader.log:
            break
        threading.Event().wait(0.01)
    assert reader.log[1:] == ["stops"]
