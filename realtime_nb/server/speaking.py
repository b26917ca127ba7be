"""One session's responses: begun on worker threads, stopped by a flag."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from realtime_nb.engine.base import Cancel
from realtime_nb.engine.pipeline import Pipeline
from realtime_nb.protocol.effects import Generate, GenerateRequest, GenerationFailed, Report, SpeechDelta, Stop, Warm
from realtime_nb.protocol.formats import bytes_to_ms
from realtime_nb.server.crew import Crew

__all__ = ["Answering", "Speaking"]

SETTLED_S = 0.05
"""A session's first events often change its instructions; what is overtaken within this time is not computed."""

ECHO_S = 0.5
"""How long after its sound an answer may still be heard: the client began to play it later than it was sent."""


class Answering(NamedTuple):
    """What is done about an answer."""

    responding: bool
    """It is made, or should still be playing at the client."""
    playing: bool
    """It can be heard."""


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
        self._to_warm: Warm | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._heard_until = 0.0

    def answering(self) -> Answering:
        """What is done about an answer now."""
        now = time.monotonic()
        made_or_played = bool(self._cancels) or now < self._heard_until
        return Answering(made_or_played, playing=now < self._heard_until + ECHO_S)

    def generate(self, effect: Generate) -> None:
        """Begin a response; it brings its own prefix."""
        self._to_warm = None
        cancel = self._cancels[effect.response_id] = Cancel()
        self._crew.speakers.submit(self._run, effect.response_id, effect.request, cancel)

    def stop(self, effect: Stop) -> None:
        """Stop a response, begun or not."""
        cancel = self._cancels.pop(effect.response_id, None)
        if cancel is not None:
            cancel.set()
            self.hush()  # the client drops what it has not played

    def hush(self) -> None:
        """Note that nothing plays any more."""
        self._heard_until = 0.0

    def warm(self, effect: Warm) -> None:
        """Put a prefix into the cache once the client has stopped changing it; only the newest one matters."""
        self._to_warm = effect
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(SETTLED_S, self._crew.stoker.submit, self._stoke, effect)

    def close(self) -> None:
        """Stop everything."""
        self._to_warm = None
        if self._timer is not None:
            self._timer.cancel()
        while self._cancels:
            self._cancels.popitem()[1].set()

    def _run(self, response_id: str, request: GenerateRequest, cancel: Cancel) -> None:
        if cancel.is_set():
            return

        def emit(report: Report) -> None:
            if isinstance(report, SpeechDelta) and report.audio:
                length_s = bytes_to_ms(len(report.audio), request.format) / 1000
                self._heard_until = max(self._heard_until, time.monotonic()) + length_s
            self._report(report)

        try:
            self._pipeline.generate(request, response_id, emit, cancel)
        except Exception as fault:  # stages are plug-ins: what one raises ends its response, no more
            logger.warning("a response failed: %s", type(fault).__name__, exc_info=fault)
            self._report(GenerationFailed(response_id, "server_error", str(fault) or type(fault).__name__))
        finally:
            self._cancels.pop(response_id, None)

    def _stoke(self, effect: Warm) -> None:
        if effect is not self._to_warm:
            return
        try:
            self._pipeline.warm(effect.instructions, effect.tools)
        except Exception as fault:  # a cold cache is slow, and no more than that
            logger.warning("warming failed: %s", type(fault).__name__, exc_info=fault)
