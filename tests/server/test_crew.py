"""Threads shared by sessions: order within one, turns among many, and an end."""

from __future__ import annotations

import threading

import pytest

from realtime_nb.server.crew import Crew, Lane

pytestmark = pytest.mark.timeout(20)


def test_a_lane_keeps_its_order_and_gives_others_their_turn() -> None:
    """Two sessions' jobs alternate on one thread, each in its own order, however many one of them has."""
    crew = Crew(2)
    done: list[str] = []
    gate, finished = threading.Event(), threading.Event()
    crew.ears.submit(gate.wait)
    first, second = Lane(crew.ears), Lane(crew.ears)
    for number in range(4):
        first.add(lambda number=number: done.append(f"a{number}"))
    for number in range(2):
        second.add(lambda number=number: done.append(f"b{number}"))
    first.add(finished.set)
    gate.set()
    finished.wait()
    crew.close()
    assert done == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_a_closed_lane_forgets_what_has_not_begun() -> None:
    """After close nothing more of the lane runs, and adding to it is harmless."""
    crew = Crew(1)
    done: list[int] = []
    gate, begun = threading.Event(), threading.Event()
    lane = Lane(crew.ears)
    lane.add(lambda: (begun.set(), gate.wait()))
    lane.add(lambda: done.append(1))
    begun.wait()
    lane.close()
    lane.add(lambda: done.append(2))
    gate.set()
    crew.close()
    assert done == []


def test_a_lane_outlives_a_job_that_fails() -> None:
    """What comes after it is done."""
    crew = Crew(1)
    lane, finished = Lane(crew.ears), threading.Event()
    lane.add(lambda: 1 // 0)
    lane.add(finished.set)
    assert finished.wait(10)
    crew.close()


def test_a_crew_that_closes_leaves_no_thread() -> None:
    """Every thread the crew began has ended when close returns."""
    before = set(threading.enumerate())  # one of them may end meanwhile: an earlier test's
    crew = Crew(2)
    for pool in (crew.ears, crew.scribe, crew.speakers, crew.stoker):
        pool.submit(lambda: None)
    crew.close()
    assert set(threading.enumerate()) <= before
