"""The one background loop of the process, and the two faces through which a cell calls into it.

Every session lives on this loop, in a daemon thread: a cell only calls in, so
events are read and pings answered while the kernel is busy or idle. A call waits
in beats of 100 ms, because a wait without them hears *Interrupt* only at its end
(measured in ipykernel 6 and 7).
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from realtime_nb.errors import LocalProtocolError, RealtimeError

__all__ = ["HEARTBEAT_S", "Portal", "await_on", "call_on", "portal"]

T = TypeVar("T")

HEARTBEAT_S = 0.1
"""How long a wait may be deaf to *Interrupt*."""
CLEANUP_S = 3.0
"""How long a cancelled call may take to leave its session in order."""


class _Job(Generic[T]):
    """One coroutine on a loop of another thread: its outcome here, its cancel there."""

    def __init__(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T]) -> None:
        self.outcome: Future[T] = Future()
        self._loop = loop
        self._work = work
        self._task: asyncio.Task[T] | None = None

    def start(self) -> None:
        # The caller's context goes along: ipykernel keeps there which cell an output belongs to.
        self._loop.call_soon_threadsafe(self._begin, contextvars.copy_context())

    def _begin(self, context: contextvars.Context) -> None:
        self.outcome.set_running_or_notify_cancel()  # from here on only the task settles it
        self._task = self._loop.create_task(self._work, context=context)
        self._task.add_done_callback(self._settle)

    def _settle(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self.outcome.set_exception(asyncio.CancelledError())
        elif (error := task.exception()) is not None:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(task.result())

    def cancel(self) -> None:
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def call_on(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], *, beat: Callable[[], object] | None = None
) -> T:
    """Run `work` on the loop of another thread and wait for its result.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        A running loop; not that of the calling thread.
    work : coroutine
        What to run. *Interrupt* cancels it and waits (up to 3 s) for its cleaning up.
    beat : callable, optional
        Called on this thread every 100 ms of the wait: the place to draw, which the loop's thread never does.

    Returns
    -------
    object
        What `work` returns.

    Raises
    ------
    LocalProtocolError
        On the thread of `loop` itself, which would wait for itself for ever; in a forked child, where it does not run.
    """
    _check(loop, work)
    if _running_loop() is loop:
        work.close()
        raise LocalProtocolError(
            "the blocking face was called on the session's own thread, which would then wait for itself",
            hint="await session.aio.say('...')",
        )
    job = _Job(loop, work)
    try:
        job.start()
        return _wait(job.outcome, beat)
    except BaseException:  # an Interrupt, or the beat's own error: the work must not go on alone
        if not job.outcome.done():
            job.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):  # the first error is what the cell must see
                job.outcome.result(CLEANUP_S)
        raise


def _wait(outcome: Future[T], beat: Callable[[], object] | None) -> T:
    """The outcome's result, waited for in beats."""
    while True:
        try:
            return outcome.result(HEARTBEAT_S)
        except TimeoutError:
            if outcome.done():  # the work's own TimeoutError
                raise
        except RealtimeError as error:
            raise error.with_traceback(None)  # noqa: B904 - says all itself: a cell need not show the loop's frames
        if beat is not None:
            beat()


async def await_on(
    loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, T], *, beat: Callable[[], object] | None = None
) -> T:
    """Run `work` on a loop, from any running loop, and wait for its result.

    Parameters
    ----------
    loop : asyncio.AbstractEventLoop
        A running loop, of this thread or another.
    work : coroutine
        What to run. A cancel here cancels it and waits (up to 3 s) for its cleaning up.
    beat : callable, optional
        Called on this loop every 100 ms of the wait, unless `loop` is this loop.

    Returns
    -------
    object
        What `work` returns.

    Raises
    ------
    LocalProtocolError
        In a forked child, where the loop does not run.
    """
    if _running_loop() is loop:
        return await work
    _check(loop, work)
    job = _Job(loop, work)
    waiter = asyncio.wrap_future(job.outcome)
    try:
        job.start()
        while not waiter.done():
            await asyncio.wait({waiter}, timeout=HEARTBEAT_S)
            if beat is not None:
                beat()
    except asyncio.CancelledError:
        job.cancel()
        await asyncio.wait({waiter}, timeout=CLEANUP_S)
        raise
    except BaseException:  # KeyboardInterrupt thrown into the loop, or a loop torn down: no awaiting here
        job.cancel()
        raise
    try:
        return waiter.result()
    except RealtimeError as error:
        raise error.with_traceback(None)  # noqa: B904 - says all itself: a cell need not show the loop's frames


def _check(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any]) -> None:
    """Refuse what would be waited for in vain."""
    if loop in _left_behind:
        work.close()
        raise LocalProtocolError(
            "this session belongs to the process that this one was forked from, and cannot be used here",
            hint="session = rt.connect()",
        )


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


class Portal:
    """A loop on a daemon thread.

    Parameters
    ----------
    name : str
        The thread's name, as debuggers show it.
    """

    def __init__(self, name: str = "realtime_nb") -> None:
        self.loop = asyncio.new_event_loop()
        self._closers: list[Callable[[], Awaitable[object]]] = []
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def call(self, work: Coroutine[Any, Any, T], *, beat: Callable[[], object] | None = None) -> T:
        """Run `work` on the portal's loop and wait for it; see :func:`call_on`."""
        return call_on(self.loop, work, beat=beat)

    async def await_(self, work: Coroutine[Any, Any, T], *, beat: Callable[[], object] | None = None) -> T:
        """Run `work` on the portal's loop and await it from any loop; see :func:`await_on`."""
        return await await_on(self.loop, work, beat=beat)

    def at_exit(self, closer: Callable[[], Awaitable[object]]) -> None:
        """Await `closer()` on the loop when the process ends."""
        self._closers.append(closer)

    def stop(self) -> None:
        """Run the closers, last first, then end the thread; idempotent."""
        if not self._thread.is_alive():
            return
        self.call(self._wind_up())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(CLEANUP_S)

    async def _wind_up(self) -> None:
        while self._closers:
            with contextlib.suppress(Exception):  # the process ends: nobody is left to tell
                await asyncio.wait_for(_awaited(self._closers.pop()()), CLEANUP_S)

    def __repr__(self) -> str:
        return f"<Portal {self._thread.name!r}, {'running' if self._thread.is_alive() else 'stopped'}>"


async def _awaited(thing: Awaitable[T]) -> T:
    return await thing


_lock = threading.Lock()
_portal: Portal | None = None
_left_behind: list[asyncio.AbstractEventLoop] = []
"""Of the processes this one was forked from: nothing runs on them here."""


def portal() -> Portal:
    """The portal of this process, started at the first call."""
    global _portal  # noqa: PLW0603 - one loop a process is the point
    with _lock:
        if _portal is None:
            _portal = Portal()
        return _portal


def _stop() -> None:
    if _portal is not None:
        _portal.stop()


def _forget() -> None:
    """In a forked child: threads did not come along, and the parent's sessions stay the parent's."""
    global _lock, _portal
    if _portal is not None:
        _left_behind.append(_portal.loop)
    _lock, _portal = threading.Lock(), None


atexit.register(_stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
