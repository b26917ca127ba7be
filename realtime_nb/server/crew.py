"""The threads on which the models run: shared by all sessions, so that the loop never waits for one."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["Crew", "Lane"]

logger = logging.getLogger("realtime_nb.server")

Job = Callable[[], None]


class Crew:
    """Worker threads by trade; they are started when first needed.

    Parameters
    ----------
    sessions : int
        How many sessions there may be at once. Each may have a response and one
        beside the conversation; the brain itself decides how many it serves at once.
    """

    def __init__(self, sessions: int) -> None:
        self.ears = ThreadPoolExecutor(1, "realtime-ears")
        self.scribe = ThreadPoolExecutor(1, "realtime-scribe")
        self.judge = ThreadPoolExecutor(1, "realtime-judge")
        self.speakers = ThreadPoolExecutor(2 * sessions, "realtime-speaker")
        self.stoker = ThreadPoolExecutor(1, "realtime-stoker")

    def close(self) -> None:
        """Drop what has not begun and wait for what has; whoever holds a Cancel must have set it."""
        for pool in (self.ears, self.judge, self.scribe, self.speakers, self.stoker):
            pool.shutdown(wait=True, cancel_futures=True)


class Lane:
    """One session's jobs on a shared thread: in order, one at a time, and in turn with those of others.

    Parameters
    ----------
    pool : ThreadPoolExecutor
        Where the jobs run.
    """

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool
        self._jobs: deque[Job] = deque()
        self._lock = threading.Lock()
        self._running: Future[None] | None = None
        self._closed = False

    def add(self, job: Job) -> None:
        """Run `job` after the ones before it."""
        with self._lock:
            if self._closed:
                return
            self._jobs.append(job)
            if self._running is None:
                self._running = self._pool.submit(self._step)

    def close(self) -> None:
        """Forget the jobs that have not begun."""
        with self._lock:
            self._closed = True
            self._jobs.clear()

    def _step(self) -> None:
        """Do one job, then queue behind the other sessions."""
        with self._lock:
            job = self._jobs.popleft() if self._jobs else None
        try:
            if job is not None:
                job()
        except Exception:  # our own mistake, or a plug-in's: the session's other jobs wait for their turn
            logger.exception("a job of a session failed")
        with self._lock:
            self._running = self._pool.submit(self._step) if self._jobs else None
