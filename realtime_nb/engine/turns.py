"""Who speaks when: the user's turns, out of the probabilities of a voice activity detector.

Time is the sound's own: milliseconds since the session's first sample, counted,
never read off a clock; so faster or slower sending changes nothing.

A short gap in a turn is announced at once (:class:`Paused`), long before the
turn is over, so that the words can be recognised meanwhile; if the speech goes on,
:class:`Resumed` says that this was too early.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from math import ceil

from realtime_nb.audio.pcm import Samples
from realtime_nb.audio.resample import Resampler
from realtime_nb.engine.barge_in import BargeIn, EchoGuard, Levels
from realtime_nb.engine.base import Vad
from realtime_nb.engine.hearing import wire
from realtime_nb.engine.noise import NoiseGate
from realtime_nb.protocol.effects import SpeechStarted, SpeechStopped
from realtime_nb.protocol.formats import AudioFormat, bytes_per_ms
from realtime_nb.protocol.session_config import NoiseReduction, SemanticVad, TurnDetection

__all__ = ["Paused", "Resumed", "TurnDetector", "TurnEvent"]

ONSET_MS = 96
"""Speech that begins a turn while nobody answers: shorter is a click or a breath."""
GAP_MS = 96
"""Silence after which an onset that was too short is forgotten."""
PAUSE_MS = 64
"""Silence at which a pause is announced."""
HYSTERESIS = 0.15
"""How far below the threshold a probability may fall within speech (Silero's own post-processing)."""
GAPS_MS = 4 * GAP_MS
"""Sound kept while nobody speaks, beside the padding and the longest onset: its gaps, and a frame to spare."""
HELD_MS = 60_000
"""Most of a turn's sound that is kept for :class:`Paused`; a longer one is recognised when it is over."""

SEMANTIC_THRESHOLD = 0.5
SEMANTIC_PADDING_MS = 300
SEMANTIC_WAIT_MS = {"low": (800, 8_000), "medium": (400, 4_000), "high": (250, 2_000), "auto": (400, 4_000)}
"""By eagerness: the silence that ends a turn which is surely complete, and one which surely is not (protocol, 3.3)."""


@dataclass(frozen=True, slots=True)
class Paused:
    """The user is silent, for now. Recognise what is here: it may be all."""

    audio_start_ms: int
    """Where the turn's sound begins, padding counted in: the same as in its :class:`SpeechStarted`."""
    speech_end_ms: int
    """Where the speech ended."""
    audio: bytes
    """The sound from `audio_start_ms` on; empty if it is longer than :data:`HELD_MS`."""
    format: AudioFormat


@dataclass(frozen=True, slots=True)
class Resumed:
    """The user goes on: what the last :class:`Paused` said is out of date."""


TurnEvent = SpeechStarted | SpeechStopped | Paused | Resumed


@dataclass(frozen=True, slots=True)
class _Rules:
    """A session's turn detection, in numbers."""

    threshold: float
    padding_ms: int
    sure_ms: int
    """Silence that ends a turn which is surely complete."""
    unsure_ms: int
    """Silence that ends any turn."""


def _rules(detection: TurnDetection | None) -> _Rules | None:
    if detection is None:
        return None
    if isinstance(detection, SemanticVad):
        return _Rules(SEMANTIC_THRESHOLD, SEMANTIC_PADDING_MS, *SEMANTIC_WAIT_MS[detection.eagerness])
    silence = detection.silence_duration_ms
    return _Rules(detection.threshold, detection.prefix_padding_ms, silence, silence)


class _Tape:
    """The latest sound, by the session's time."""

    def __init__(self, format: AudioFormat, start_ms: float) -> None:
        self.format = format
        self._per_ms = bytes_per_ms(format)
        self._start_ms = start_ms
        self._dropped = 0
        self._data = bytearray()

    def add(self, audio: bytes) -> None:
        self._data += audio

    def keep(self, from_ms: float) -> None:
        """Let go of what is before `from_ms`."""
        size = max(self._at(from_ms), 0)
        del self._data[:size]
        self._dropped += size

    def between(self, from_ms: float, to_ms: float) -> bytes:
        return bytes(self._data[max(self._at(from_ms), 0) : max(self._at(to_ms), 0)])

    def _at(self, ms: float) -> int:
        whole = int((ms - self._start_ms) * self._per_ms) & ~1  # never through a sample
        return min(whole - self._dropped, len(self._data))


@dataclass(slots=True)
class _Listening:
    """Nobody spoke so far."""

    onset_at_ms: float = 0.0
    """Where speech began that is too short yet to be a turn."""
    onset_db: deque[float] = field(default_factory=deque)
    """The loudness of each of its frames; empty for none."""
    silence_ms: float = 0.0


@dataclass(slots=True)
class _Speaking:
    """A turn is under way."""

    start_ms: int
    hold_ms: float
    """Silence that ends it."""
    speech_end_ms: float
    """Where its speech ended so far."""
    silence_ms: float = 0.0


class TurnDetector:
    """Find the turns in one listener's sound.

    Parameters
    ----------
    vad : Vad
        Gives the probabilities.
    detection : ServerVad, SemanticVad or None
        How turns end; None is push-to-talk: nothing is detected, only the time is counted.
    barge_in : BargeIn, optional
        What it takes to interrupt an answer.

    Attributes
    ----------
    responding : bool
        Set it while an answer is made or played: then it takes as much speech to
        begin a turn as `barge_in` says.
    playing : bool
        Set it while an answer plays: then that speech must be as loud as `barge_in` says.
    """

    def __init__(self, vad: Vad, detection: TurnDetection | None, barge_in: BargeIn | None = None) -> None:
        self._vad = vad
        self._barge_in = barge_in or BargeIn()
        self._frame_ms = vad.frame * 1000 / vad.rate
        self._time_ms = 0.0  # of all sound that was fed
        self._tape: _Tape | None = None
        self._gate: NoiseGate | None = None
        self._state: _Listening | _Speaking = _Listening()
        self._rules = _rules(detection)
        self.responding = self.playing = False
        louder_db = self._barge_in.louder_db
        self._guard = None if louder_db is None else EchoGuard(louder_db, self._frame_ms)
        self.forget()

    def configure(self, detection: TurnDetection | None, reduction: NoiseReduction | None = None) -> None:
        """Detect like this from now on. To and from push-to-talk, a turn under way is forgotten.

        Parameters
        ----------
        detection : ServerVad, SemanticVad or None
            As in the session's ``turn_detection``.
        reduction : NoiseReduction, optional
            As in its ``noise_reduction``.
        """
        if reduction != (self._gate and self._gate.reduction):
            self._change_gate(NoiseGate(reduction) if reduction else None)
        before, self._rules = self._rules, _rules(detection)
        if self._rules is None or before is None:
            self.forget()
        elif isinstance(self._state, _Speaking):
            self._state.hold_ms = self._rules.unsure_ms

    def _change_gate(self, gate: NoiseGate | None) -> None:
        """Listen through another gate; a turn under way goes on, and so does its silence."""
        turn, tape = self._state, self._tape
        self._gate = gate
        self.forget()
        if isinstance(turn, _Speaking):
            self._state, self._tape = turn, tape

    def forget(self) -> None:
        """Begin afresh: what was heard so far belongs to no turn any more. The time runs on."""
        self._stream = self._vad.stream()
        self._levels = Levels(self._vad.frame)
        self._resampler: Resampler | None = None
        if self._gate is not None:
            self._gate.restart()
        self._frames = 0
        self._origin_ms = self._time_ms
        self._floor_ms = self._time_ms  # before it, no turn can begin
        self._state = _Listening()
        if self._tape is not None:
            self._tape = _Tape(self._tape.format, self._time_ms)

    def feed(self, audio: bytes, format: AudioFormat) -> list[TurnEvent]:
        """Hear the next sound.

        Parameters
        ----------
        audio : bytes
            Whole samples.
        format : AudioFormat
            What they are; a change begins afresh.

        Returns
        -------
        list of SpeechStarted, SpeechStopped, Paused or Resumed
            What is now known, in order.
        """
        if self._tape is None or format != self._tape.format:
            self.forget()
            self._tape = _Tape(format, self._time_ms)
        self._time_ms += len(audio) / bytes_per_ms(format)
        if self._rules is None:
            return []
        self._tape.add(audio)
        events: list[TurnEvent] = []
        samples = self._resampled(audio, format)
        for probability, level in zip(self._stream.feed(samples), self._levels.feed(samples), strict=True):
            self._frames += 1
            events += self._step(probability, level, self._rules, self._tape)
        if isinstance(self._state, _Speaking) and self._is_long(self._state):
            self._tape.keep(self._now_ms)  # nobody will want it: not this turn's pauses, nor the next turn
        return events

    def judge(self, complete: float, pause: Paused) -> list[TurnEvent]:
        """Take an opinion on whether what was said up to a pause is a complete turn.

        It shortens the wait of ``semantic_vad``; without it, the longest wait of the eagerness holds.

        Parameters
        ----------
        complete : float
            From 0, surely not, to 1, surely.
        pause : Paused
            What it is about; if the speech went on after it, the opinion is ignored.

        Returns
        -------
        list of SpeechStopped
            The turn's end, if that is reached already.
        """
        turn = self._state
        if self._rules is None or not isinstance(turn, _Speaking) or pause.speech_end_ms != ceil(turn.speech_end_ms):
            return []
        sure, unsure = self._rules.sure_ms, self._rules.unsure_ms
        turn.hold_ms = unsure + (sure - unsure) * min(max(complete, 0.0), 1.0)
        return self._ended(turn)

    def _resampled(self, audio: bytes, format: AudioFormat) -> Samples:
        codec = wire(format)
        if self._resampler is None:  # QQ is the one filter without delay, and good enough to detect speech
            self._resampler = Resampler(codec.rate, self._vad.rate, quality="QQ")
        samples = self._resampler.feed(codec.decode(audio))
        return samples if self._gate is None else self._gate.feed(samples)

    @property
    def _now_ms(self) -> float:
        """Where the last frame ended."""
        return self._origin_ms + self._frames * self._frame_ms

    def _step(self, probability: float, level: float, rules: _Rules, tape: _Tape) -> list[TurnEvent]:
        match self._state:
            case _Listening() as ear if probability < rules.threshold:
                tape.keep(self._now_ms - rules.padding_ms - self._barge_in.sustained_ms - GAPS_MS)
                return self._stays_quiet(ear, level)
            case _Listening() as ear:
                return self._begins(ear, level, rules)
            case _Speaking() as turn if probability >= rules.threshold - HYSTERESIS:
                return self._goes_on(turn, rules)
            case _Speaking() as turn:
                return self._falls_silent(turn, tape)

    def _stays_quiet(self, ear: _Listening, level: float) -> list[TurnEvent]:
        ear.silence_ms += self._frame_ms
        self._note(level)
        if ear.silence_ms >= GAP_MS:
            while ear.onset_db:
                self._note(ear.onset_db.popleft())
        return []

    def _note(self, level: float) -> None:
        if self._guard is not None and self.playing:
            self._guard.note(level)

    def _begins(self, ear: _Listening, level: float, rules: _Rules) -> list[TurnEvent]:
        if not ear.onset_db:
            ear.onset_at_ms = self._now_ms - self._frame_ms
        ear.silence_ms = 0.0
        ear.onset_db.append(level)
        if len(ear.onset_db) * self._frame_ms < (self._barge_in.sustained_ms if self.responding else ONSET_MS):
            return []
        if self._guard is not None and self.playing and not self._guard.is_louder(ear.onset_db):
            self._note(ear.onset_db.popleft())  # so far an echo; what comes next may be a voice above it
            ear.onset_at_ms += self._frame_ms
            return []
        start_ms = int(max(ear.onset_at_ms - rules.padding_ms, self._floor_ms))
        self._state = _Speaking(start_ms, rules.unsure_ms, speech_end_ms=self._now_ms)
        return [SpeechStarted(start_ms)]

    def _goes_on(self, turn: _Speaking, rules: _Rules) -> list[TurnEvent]:
        paused = turn.silence_ms >= PAUSE_MS
        turn.speech_end_ms, turn.silence_ms, turn.hold_ms = self._now_ms, 0.0, rules.unsure_ms
        return [Resumed()] if paused else []

    def _falls_silent(self, turn: _Speaking, tape: _Tape) -> list[TurnEvent]:
        before = turn.silence_ms
        turn.silence_ms += self._frame_ms
        if not before < PAUSE_MS <= turn.silence_ms:
            return self._ended(turn)
        audio = b"" if self._is_long(turn) else tape.between(turn.start_ms, self._now_ms)
        return [Paused(turn.start_ms, ceil(turn.speech_end_ms), audio, tape.format), *self._ended(turn)]

    def _is_long(self, turn: _Speaking) -> bool:
        """Whether a turn is longer than its sound is kept."""
        return self._now_ms - turn.start_ms > HELD_MS

    def _ended(self, turn: _Speaking) -> list[TurnEvent]:
        """End the turn, if it was silent for long enough."""
        if turn.silence_ms < turn.hold_ms:
            return []
        end_ms = ceil(turn.speech_end_ms + turn.hold_ms)
        self._floor_ms = end_ms
        self._state = _Listening()
        return [SpeechStopped(end_ms)]
