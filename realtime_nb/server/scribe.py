"""One session's transcripts: begun at the first pause, kept if the turn ends there, thrown away if it goes on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

from realtime_nb.engine.acoustics import describe
from realtime_nb.engine.base import Asr, Cancel, Transcription
from realtime_nb.engine.hearing import samples_of
from realtime_nb.engine.noise import quieter
from realtime_nb.engine.turns import Paused
from realtime_nb.protocol.effects import Report, Transcribe, Transcribed, TranscriptionFailed
from realtime_nb.protocol.formats import AudioFormat
from realtime_nb.protocol.session_config import NoiseReduction

__all__ = ["Scribe"]

HEARD_RATE = 24_000
"""At which a sound is described: that of the wire, so that nothing is lost above 8 kHz."""

logger = logging.getLogger("realtime_nb.server")


class _Hints(NamedTuple):
    """How a sound is to be recognised."""

    language: str | None = None
    prompt: str | None = None
    reduction: NoiseReduction | None = None


@dataclass(frozen=True)
class _Guess:
    """A recognition that began before the turn was over."""

    pause: Paused
    hints: _Hints
    words: Future[Transcription]
    cancel: Cancel


class Scribe:
    """Writes down what one session's user says.

    Parameters
    ----------
    asr : Asr
        The recogniser.
    pool : ThreadPoolExecutor
        Where it runs.
    report : callable
        Takes reports from any thread.
    """

    def __init__(self, asr: Asr, pool: ThreadPoolExecutor, report: Callable[[Report], None]) -> None:
        self._asr = asr
        self._pool = pool
        self._report = report
        self._lock = threading.Lock()
        self._guess: _Guess | None = None
        self._cancels: set[Cancel] = set()
        self._hints = _Hints()

    def guess(self, pause: Paused, reduction: NoiseReduction | None, then: Callable[[Transcription], None]) -> None:
        """Recognise what a turn has so far.

        Parameters
        ----------
        pause : Paused
            From the turn detector.
        reduction : NoiseReduction or None
            What was done to the sound before that heard it.
        then : callable
            Gets the words, on the recogniser's thread, unless the guess was dropped before.
        """
        self.drop_guess()
        if not pause.audio:
            return
        cancel = Cancel()
        hints = self._hints._replace(reduction=reduction)
        words = self._begin(pause.audio, pause.format, hints, cancel)
        with self._lock:
            self._guess = _Guess(pause, hints, words, cancel)
        words.add_done_callback(lambda done: then(done.result()) if _is_whole(done, cancel) else None)

    def drop_guess(self) -> None:
        """Forget the guess: the turn goes on."""
        if (guess := self._take_guess()) is not None:
            guess.cancel.set()

    def transcribe(self, effect: Transcribe) -> None:
        """Recognise a turn, or take what was guessed of it.

        Parameters
        ----------
        effect : Transcribe
            From the core; answered by a report.
        """
        self._hints = hints = _Hints(effect.language, effect.prompt, effect.noise_reduction)
        guess = self._take_guess()
        if guess is not None and _covers(guess, effect):
            words, cancel = guess.words, guess.cancel
        else:
            if guess is not None:
                guess.cancel.set()
            cancel = Cancel()
            words = self._begin(effect.audio, effect.format, hints, cancel)
        words.add_done_callback(lambda done: self._tell(effect, done, cancel))

    def close(self) -> None:
        """Stop all of it."""
        with self._lock:
            self._guess = None
            cancels, self._cancels = self._cancels, set()
        for cancel in cancels:
            cancel.set()

    def _begin(self, audio: bytes, format: AudioFormat, hints: _Hints, cancel: Cancel) -> Future[Transcription]:
        def work() -> Transcription:
            if cancel.is_set():
                return Transcription("")
            samples = quieter(samples_of(audio, format, self._asr.rate), hints.reduction)
            return self._asr.transcribe(samples, cancel=cancel, language=hints.language, prompt=hints.prompt)

        with self._lock:
            self._cancels.add(cancel)
        words = self._pool.submit(work)
        words.add_done_callback(lambda _: self._cancels.discard(cancel))
        return words

    def _take_guess(self) -> _Guess | None:
        with self._lock:
            guess, self._guess = self._guess, None
        return guess

    def _tell(self, effect: Transcribe, done: Future[Transcription], cancel: Cancel) -> None:
        if done.cancelled() or cancel.is_set():
            return
        item_id, fault = effect.item_id, done.exception()
        if fault is None:
            heard = done.result()
            sound = _sound(effect) if effect.describe and not heard.text.strip() else ""
            self._report(Transcribed(item_id, heard.text, heard.logprobs, heard.tokens, sound))
        else:
            logger.warning("a transcription failed: %s", type(fault).__name__, exc_info=fault)
            self._report(TranscriptionFailed(item_id, "server_error", str(fault) or type(fault).__name__))


def _sound(effect: Transcribe) -> str:
    """What a sound without words is like, as the brain reads it."""
    try:
        told = describe(samples_of(effect.audio, effect.format, HEARD_RATE), HEARD_RATE)
    except Exception as fault:  # else nobody hears of the transcript, and its response waits for ever
        logger.warning("describing a sound failed: %s", type(fault).__name__, exc_info=fault)
        return ""
    return f"[Sound sent by the user, without words: {told}]"


def _covers(guess: _Guess, effect: Transcribe) -> bool:
    """Say whether the guess heard all the speech there is in the turn, and was told what to expect."""
    same_start = guess.pause.audio_start_ms == effect.audio_start_ms and guess.pause.format == effect.format
    same_hints = guess.hints == _Hints(effect.language, effect.prompt, effect.noise_reduction)
    return same_start and same_hints and guess.pause.speech_end_ms <= effect.audio_end_ms


def _is_whole(done: Future[Transcription], cancel: Cancel) -> bool:
    return not done.cancelled() and not cancel.is_set() and done.exception() is None
