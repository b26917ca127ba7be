"""One session's responses: begun on worker threads, stopped by a flag."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future, wait

from realtime_nb.engine.base import Cancel
from realtime_nb.engine.pipeline import Pipeline
from realtime_nb.protocol.effects import Generate, GenerateRequest, GenerationFailed, Report, Stop, Warm
from realtime_nb.server.crew import Crew

__all__ = ["Speaking"]

SETTLED_S = 0.05
"""A session's first events often change its instructions; what is overtaken within this time is not computed."""

LET_GO_S = 1.0
"""How long a response waits at most for a cancelled warming to let go of the cache: the next batch, as a rule."""

logger = logging.getLogger("realtime_nb.server")


class Speaking:
    """What answers in one session.

    Parameters
    ----------
    pipeline : Pipeline
        Brain and voice.
    crew : Crew
        Whose threads do it.
    report : callable
        Takes reports from any thread.
    """

    def __init__(self, pipeline: Pipeline, crew: Crew, report: Callable[[Report], None]) -> None:
        self._pipeline = pipeline
        self._crew = crew
        self._report = report
        self._cancels: dict[str, Cancel] = {}
        self._loop = asyncio.get_running_loop()
        self._warming = Cancel()
        self._stoking: Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_busy(self) -> bool:
        """Whether an answer is made."""
        return bool(self._cancels)

    def generate(self, effect: Generate) -> None:
        """Begin a response; it brings its own prefix, and goes on where the warming of it had got to."""
        stoking = self._stop_warming()
        cancel = self._cancels[effect.response_id] = Cancel()
        self._crew.speakers.submit(self._run, effect.response_id, effect.request, cancel, stoking)

    def stop(self, effect: Stop) -> None:
        """Stop a response, begun or not."""
        cancel = self._cancels.pop(effect.response_id, None)
        if cancel is not None:
            cancel.set()

    def warm(self, effect: Warm) -> None:
        """Put a prefix into the cache once the client has stopped changing it; only the newest one matters."""
        self._stop_warming()
        self._timer = self._loop.call_later(SETTLED_S, self._begin_warming, effect)

    def _begin_warming(self, effect: Warm) -> None:
        self._warming = Cancel()
        self._stoking = self._crew.stoker.submit(self._stoke, effect, self._warming)

    def _stop_warming(self) -> Future[None] | None:
        """Warm nothing any more; gives the work that is about to let go of the cache."""
        if self._timer is not None:
            self._timer.cancel()
        self._warming.set()
        stoking, self._stoking = self._stoking, None
        return None if stoking is None or stoking.cancel() else stoking

    def close(self) -> None:
        """Stop everything."""
        self._stop_warming()
        while self._cancels:
            self._cancels.popitem()[1].set()

    def _run(
        self, response_id: str, request: GenerateRequest, cancel: Cancel, stoking: Future[None] | None = None
    ) -> None:
        if stoking is not None:
            wait({stoking}, timeout=LET_GO_S)
        if cancel.is_set():
            return
        try:
            self._pipeline.generate(request, response_id, self._report, cancel)
        except Exception as fault:  # stages are plug-ins: what one raises ends its response, no more
            logger.warning("a response failed: %s", type(fault).__name__, exc_info=fault)
            self._report(GenerationFailed(response_id, "server_error", str(fault) or type(fault).__name__))
        finally:
            self._cancels.pop(response_id, None)

    def _stoke(self, effect: Warm, cancel: Cancel) -> None:
        if cancel.is_set():
            return
        try:
            self._pipeline.warm(effect.instructions, effect.tools, cancel)
        except Exception as fault:  # a cold cache is slow, and no more than that
            logger.warning("warming failed: %s", type(fault).__name__, exc_info=fault)
