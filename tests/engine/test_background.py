"""Blocking calls as iterators that can be left."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from realtime_nb.engine.background import Tell, streamed
from realtime_nb.engine.base import Cancel


def counting(stopped: threading.Event) -> Callable[[Tell[int]], None]:
    """A call that tells numbers until it is asked to stop."""

    def call(tell: Tell[int]) -> None:
        number = 0
        while not tell(number):
            number += 1
        stopped.set()

    return call


def test_pieces_come_in_order() -> None:
    """All of them, and then the end."""
    assert list(streamed(lambda tell: [tell(n) for n in range(5)] and None, Cancel())) == list(range(5))


def test_a_fault_is_raised_after_what_came_before_it() -> None:
    """As itself, where the pieces are read."""

    def call(tell: Tell[int]) -> None:
        tell(1)
        raise KeyError("oops")

    pieces = streamed(call, Cancel())
    assert next(pieces) == 1
    with pytest.raises(KeyError):
        next(pieces)


def test_a_cancel_ends_the_iteration_while_the_call_still_blocks() -> None:
    """Nobody waits for a call that nobody wants."""
    cancel, release = Cancel(), threading.Event()
    pieces = streamed(lambda tell: None if tell(1) else release.wait(60) and None, cancel)
    assert next(pieces) == 1
    cancel.set()
    assert list(pieces) == []
    release.set()


def test_leaving_stops_the_call_and_wakes_it() -> None:
    """The abort comes once, after the stop was asked for."""
    stopped, aborted = threading.Event(), []
    pieces = streamed(counting(stopped), Cancel(), abort=lambda: aborted.append(1))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]  # an iterator made by a generator
    assert stopped.wait(60)
    assert len(aborted) <= 1
