"""One session's ears: its sound through the turn detector, in order, on a thread shared with other sessions."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from realtime_nb.engine.barge_in import BargeIn
from realtime_nb.engine.base import Asr, Transcription, TurnEnd, Vad
from realtime_nb.engine.hearing import samples_of
from realtime_nb.engine.turns import Paused, Resumed, TurnDetector, TurnEvent
from realtime_nb.protocol.effects import Detect, ForgetAudio, Hear, Report, Transcribe
from realtime_nb.protocol.formats import AudioFormat, ms_to_bytes
from realtime_nb.protocol.session_config import NoiseReduction, SemanticVad
from realtime_nb.server.crew import Crew, Lane
from realtime_nb.server.endings import combined, completeness
from realtime_nb.server.scribe import Scribe

__all__ = ["Answering", "Hearing"]

logger = logging.getLogger("realtime_nb.server")

SLICE_MS = 1000
"""Most sound taken in one go, so that a client who sends an hour at once does not deafen the others."""


class Answering(NamedTuple):
    """What is done about an answer."""

    responding: bool
    """It is made, or should still be playing at the client."""
    playing: bool
    """It can be heard."""


class Hearing:
    """What hears in one session.

    Parameters
    ----------
    vad : Vad
        Tells speech from everything else.
    asr : Asr
        Writes it down.
    crew : Crew
        Whose threads do it.
    report : callable
        Takes reports from any thread.
    answering : callable
        What is done about an answer now: then more speech is needed to interrupt it.
    barge_in : BargeIn
        How much, and how loud.
    ending : TurnEnd or None
        Judges by the voice whether a turn is over; None leaves that to the words.
    limit_bytes : int
        Sound that may wait; see :meth:`room`.
    """

    def __init__(
        self,
        vad: Vad,
        asr: Asr,
        crew: Crew,
        report: Callable[[Report], None],
        *,
        answering: Callable[[], Answering],
        barge_in: BargeIn,
        ending: TurnEnd | None,
        limit_bytes: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._report = report
        self._answering = answering
        self._detector = TurnDetector(vad, None, barge_in)
        self._ending = ending
        self._judges = crew.judge
        self._semantic = False
        self._lane = Lane(crew.ears)
        self._scribe = Scribe(asr, crew.scribe, report)
        self._limit_bytes = limit_bytes
        self._reduction: NoiseReduction | None = None
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._has_room = asyncio.Event()
        self._has_room.set()

    async def room(self) -> None:
        """Wait until there is room for more sound."""
        await self._has_room.wait()

    def hear(self, effect: Hear) -> None:
        """Listen to the next sound."""
        with self._lock:
            self._waiting_bytes += len(effect.audio)
            if self._waiting_bytes > self._limit_bytes:
                self._has_room.clear()
        step = ms_to_bytes(SLICE_MS, effect.format)
        answering = self._answering()
        for start in range(0, len(effect.audio), step):
            piece = effect.audio[start : start + step]
            self._lane.add(partial(self._feed, piece, effect.format, answering))

    def detect(self, effect: Detect) -> None:
        """Detect turns otherwise, from the next sound on."""
        self._semantic = isinstance(effect.turn_detection, SemanticVad)
        self._reduction = effect.noise_reduction
        self._lane.add(partial(self._detector.configure, effect.turn_detection, effect.noise_reduction))

    def forget(self, _effect: ForgetAudio) -> None:
        """Begin afresh."""
        self._lane.add(self._detector.forget)

    def transcribe(self, effect: Transcribe) -> None:
        """Write a turn down."""
        self._scribe.transcribe(effect)

    def close(self) -> None:
        """Stop listening."""
        self._lane.close()
        self._scribe.close()
        self._has_room.set()

    # ------------------------------------------------------------ on the thread of the ears
    def _feed(self, audio: bytes, format: AudioFormat, answering: Answering) -> None:
        self._detector.responding, self._detector.playing = answering
        try:
            self._take(self._detector.feed(audio, format))
        except Exception as fault:  # a detector is a plug-in: one bad frame must not deafen all
            logger.warning("turn detection failed: %s", type(fault).__name__, exc_info=fault)
            self._detector.forget()  # its frames and their loudness are out of step
        finally:
            self._heard(len(audio))

    def _heard(self, size: int) -> None:
        """Make room for so many bytes."""
        with self._lock:
            self._waiting_bytes -= size
            if self._waiting_bytes <= self._limit_bytes and not self._has_room.is_set():
                self._loop.call_soon_threadsafe(self._has_room.set)

    def _take(self, events: list[TurnEvent]) -> None:
        for event in events:
            if isinstance(event, Paused):
                self._scribe.guess(event, self._reduction, then=partial(self._judge, event, self._listen(event)))
            elif isinstance(event, Resumed):
                self._scribe.drop_guess()
            else:
                self._report(event)

    def _listen(self, pause: Paused) -> Future[float | None] | None:
        """Have the voice judged, while the words are recognised; only semantic turns want to know."""
        ending = self._ending if self._semantic and pause.audio else None
        if ending is None:
            return None
        with contextlib.suppress(RuntimeError):  # the server has ended
            return self._judges.submit(_voice, ending, pause)
        return None

    def _judge(self, pause: Paused, listening: Future[float | None] | None, heard: Transcription) -> None:
        """Tell the detector, for its semantic turns, how complete the words are and the voice sounds."""
        complete = combined(completeness(heard.text), None if listening is None else listening.result())
        self._lane.add(lambda: self._take(self._detector.judge(complete, pause)))


def _voice(ending: TurnEnd, pause: Paused) -> float | None:
    try:
        return ending.complete(samples_of(pause.audio, pause.format, ending.rate))
    except Exception as fault:  # a plug-in: without it the words decide
        logger.warning("judging a turn's end failed: %s", type(fault).__name__, exc_info=fault)
        return None
