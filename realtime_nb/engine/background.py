"""Calls that block and tell as they go, as iterators that end the moment they are cancelled."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from realtime_nb.engine.base import Cancel

__all__ = ["LOOK_S", "Tell", "streamed"]

T = TypeVar("T")
Tell = Callable[[T], bool]
"""Takes the next piece; True asks the call to stop."""

LOOK_S: Final = 0.02
"""How often a cancel is looked at while nothing comes."""


class _End:
    pass


def streamed(
    call: Callable[[Tell[T]], None], cancel: Cancel, *, abort: Callable[[], None] | None = None
) -> Iterator[T]:
    """Run a blocking call on a thread of its own and give what it tells.

    Parameters
    ----------
    call : callable
        Blocks; gives its pieces to the function it is called with, and stops soon after that returned True.
    cancel : Cancel
        Set it, and the iteration ends within :data:`LOOK_S`, whatever the call is doing.
    abort : callable, optional
        Wakes the call when the iteration ends before it; called at most once, after the stop was asked for.

    Yields
    ------
    T
        The pieces, in order. What the call raises is raised here, unless it was cancelled.
    """
    pieces: queue.SimpleQueue[T | BaseException | _End] = queue.SimpleQueue()
    left = threading.Event()

    def tell(piece: T) -> bool:
        pieces.put(piece)
        return left.is_set() or cancel.is_set()

    def run() -> None:
        try:
            call(tell)
        except BaseException as fault:  # noqa: BLE001 -- raised again where the pieces are read
            pieces.put(fault)
        else:
            pieces.put(_End())

    thread = threading.Thread(target=run, name="realtime-stage", daemon=True)
    thread.start()
    try:
        yield from _until_end(pieces, cancel)
    finally:
        left.set()
        if abort is not None and thread.is_alive():
            abort()


def _until_end(pieces: queue.SimpleQueue[T | BaseException | _End], cancel: Cancel) -> Iterator[T]:
    while not cancel.is_set():
        try:
            piece = pieces.get(timeout=LOOK_S)
        except queue.Empty:
            continue
        if isinstance(piece, _End):
            return
        if isinstance(piece, BaseException):
            raise piece
        yield piece
