"""What is left of a session when it is gone: nothing."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_for

from realtime_nb.server.options import ServerOptions
from realtime_nb.server.thread import serve_in_thread
from realtime_nb.testing.stages import stub_engine


def tasks_of(serving: Any) -> int:
    """How many tasks live on the server's loop."""
    done: list[int] = []
    serving.loop.call_soon_threadsafe(lambda: done.append(len(asyncio.all_tasks(serving.loop))))
    wait_for(lambda: done)
    return done[0]


def descriptors() -> set[str]:
    """The files and sockets that this process has open."""
    found = set()
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # what lists them
            found.add(f"{each.name} {each.readlink()}")
    return found


def in_no_turn(caller: Any) -> None:
    """Nothing under way."""


def in_speech(caller: Any) -> None:
    """The user speaks."""
    caller.speak(silence_ms=0)
    caller.until("input_audio_buffer.speech_started")


def in_answer(caller: Any) -> None:
    """The model speaks."""
    caller.send("response.create")
    caller.until("response.output_audio.delta")


@pytest.mark.parametrize("state", [in_no_turn, in_speech, in_answer])
@pytest.mark.parametrize("how", ["close", "cut"])
def test_a_client_that_leaves_leaves_nothing(serve: Any, dial: Any, slow_engine: Any, state: Any, how: str) -> None:
    """In whatever state a client goes, its tasks end, its answer is stopped and its place is free."""
    serving = serve(engine=slow_engine)
    idle = tasks_of(serving)
    caller = dial(serving)
    caller.until("session.created")
    state(caller)
    if how == "close":
        caller.socket.close()
    else:
        caller.socket.socket.shutdown(2)
    wait_for(lambda: serving.hub.sessions == 0)
    wait_for(lambda: tasks_of(serving) <= idle)
    wait_for(lambda: slow_engine.llm.running == 0)


def test_a_server_that_ends_leaves_no_thread_and_no_socket() -> None:
    """After the block every thread of the server is gone, and so are its file descriptors."""
    before = set(threading.enumerate())  # those of earlier tests may end meanwhile
    files = descriptors()
    with serve_in_thread(stub_engine()):
        pass
    assert set(threading.enumerate()) <= before
    assert descriptors() <= files


def test_a_server_ends_although_clients_stay(dial: Any, slow_engine: Any) -> None:
    """Ending the server closes its sessions, answers and all, within seconds; clients see 1012."""
    with serve_in_thread(slow_engine) as serving:
        callers = [dial(serving) for _ in range(3)]
        for caller in callers:
            caller.until("session.created")
        in_answer(callers[0])
        begun = time.monotonic()
    assert time.monotonic() - begun < 20
    assert [caller.closed()[0] for caller in callers] == [1012] * 3
    assert slow_engine.llm.running == 0


def test_many_sessions_after_one_another_leave_nothing(serve: Any, dial: Any) -> None:
    """Fifty sessions with a turn each, and the server has no more tasks, threads and descriptors than before them."""
    serving = serve(ServerOptions())
    idle, files = tasks_of(serving), len(descriptors())

    def one() -> int:
        caller = dial(serving)
        caller.until("session.created")
        assert caller.works()
        caller.socket.close()
        wait_for(lambda: serving.hub.sessions == 0)
        return threading.active_count()

    threads = [one() for _ in range(51)]
    wait_for(lambda: tasks_of(serving) <= idle and len(descriptors()) <= files)
    assert threads[-1] <= threads[0] + 2 * serving.hub.options.sessions  # the pool's threads, started as needed
