"""Turns, out of a detector whose opinion is written down."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.engine import turns
from realtime_nb.engine.barge_in import BargeIn
from realtime_nb.engine.hearing import samples_of
from realtime_nb.engine.silero import SileroVad
from realtime_nb.engine.turns import Paused, Resumed, TurnDetector, TurnEvent
from realtime_nb.protocol.effects import SpeechStarted, SpeechStopped
from realtime_nb.protocol.formats import AudioFormat, Pcm, Pcma, Pcmu, bytes_per_ms
from realtime_nb.protocol.session_config import NoiseReduction, SemanticVad, ServerVad, TurnDetection
from realtime_nb.testing.stages import StubVad

FRAME_MS = 32


def sound(*spans_ms: int, format: AudioFormat = Pcm()) -> bytes:  # noqa: B008 - a frozen value
    """Silence, speech, silence, ... of these lengths; every sample of speech is loud."""
    if isinstance(format, Pcm):
        quiet, loud, size = b"\0\0", b"\0\x40", 24
    else:
        quiet, loud, size = (b"\xff", b"\x8f", 8) if isinstance(format, Pcmu) else (b"\xd5", b"\xaa", 8)
    return b"".join((loud if index % 2 else quiet) * (size * ms) for index, ms in enumerate(spans_ms))


def hear(
    detector: TurnDetector,
    audio: bytes,
    step_ms: int = 20,
    format: AudioFormat = Pcm(),  # noqa: B008 - a frozen value
) -> list[TurnEvent]:
    """All events of a sound that comes in chunks."""
    step = step_ms * bytes_per_ms(format)
    return [event for at in range(0, len(audio), step) for event in detector.feed(audio[at : at + step], format)]


def spans(events: Iterable[TurnEvent]) -> list[int]:
    """Starts and stops, in milliseconds."""
    return [
        event.audio_start_ms if isinstance(event, SpeechStarted) else event.audio_end_ms
        for event in events
        if isinstance(event, SpeechStarted | SpeechStopped)
    ]


def pauses(events: Iterable[TurnEvent]) -> list[Paused]:
    """Each pause."""
    return [event for event in events if isinstance(event, Paused)]


def detector(detection: TurnDetection | None = ServerVad()) -> TurnDetector:  # noqa: B008 - a frozen value
    """A detector that takes what is loud for speech."""
    return TurnDetector(StubVad(), detection)


# ---------------------------------------------------------------- server_vad
def test_a_turn_begins_before_its_speech_and_ends_after_its_silence() -> None:
    """The start has the padding in it, the end the silence, to within a frame."""
    start, stop = spans(hear(detector(), sound(1000, 800, 600)))
    assert abs(start - 700) <= FRAME_MS
    assert abs(stop - 2000) <= FRAME_MS


@pytest.mark.parametrize("silence_ms", [0, 100, 200, 500, 1000])
@pytest.mark.parametrize("padding_ms", [0, 300, 900])
def test_silence_and_padding_are_the_sessions(silence_ms: int, padding_ms: int) -> None:
    """Both are counted from the speech itself."""
    vad = ServerVad(silence_duration_ms=silence_ms, prefix_padding_ms=padding_ms)
    start, stop = spans(hear(detector(vad), sound(1000, 800, 1200)))
    assert abs(start - (1000 - padding_ms)) <= FRAME_MS
    assert abs(stop - (1800 + silence_ms)) <= FRAME_MS


@given(st.lists(st.integers(1, 700), min_size=1, max_size=40))
def test_chunks_do_not_matter(sizes: list[int]) -> None:
    """Whatever the chunks, the events are the same."""
    audio = sound(500, 400, 100, 300, 600, 60, 400)
    expected = hear(detector(), audio)
    other, events, at = detector(), [], 0
    for size in [*sizes, len(audio)]:
        events += other.feed(audio[at : at + 2 * size], Pcm())
        at += 2 * size
    assert events == expected


@pytest.mark.parametrize("format", [Pcm(), Pcmu(), Pcma()])
def test_every_format_gives_the_same_turns(format: AudioFormat) -> None:
    """Telephone sound is timed like any other."""
    assert spans(hear(detector(), sound(1000, 800, 600, format=format), format=format)) == pytest.approx(
        [700, 2000], abs=FRAME_MS
    )


def test_a_click_is_no_turn() -> None:
    """It takes some speech to begin one."""
    assert hear(detector(), sound(500, turns.ONSET_MS - 2 * FRAME_MS, 1000)) == []


def test_an_answer_is_not_cut_off_by_a_cough() -> None:
    """While an answer is given, more speech is needed; then the turn begins where that speech began."""
    cough, words = BargeIn().sustained_ms - 2 * FRAME_MS, 600
    listening = detector()
    listening.responding = True
    events = hear(listening, sound(500, cough, 1000, words, 500))
    start, _stop = spans(events)
    assert abs(start - (500 + cough + 1000 - 300)) <= FRAME_MS


def test_a_threshold_of_one_hears_only_what_is_certain() -> None:
    """The session's threshold is compared with the detector's probability."""

    class Doubtful(StubVad):
        def stream(self) -> Doubtful:  # type: ignore[override]  # its own stream
            self.rest = 0
            return self

        def feed(self, samples: np.ndarray) -> list[float]:
            frames, self.rest = divmod(self.rest + len(samples), self.frame)
            return [0.6] * frames

    heard = [
        hear(TurnDetector(Doubtful(), ServerVad(threshold=threshold)), sound(2000), step_ms=96)
        for threshold in (0.5, 0.7)
    ]
    assert [len(events) for events in heard] == [1, 0]


def test_turns_do_not_overlap() -> None:
    """The padding of a turn does not reach into the one before."""
    first_start, first_stop, second_start, second_stop = spans(hear(detector(), sound(500, 500, 260, 500, 400)))
    assert first_start < first_stop <= second_start < second_stop


def test_a_pause_is_told_at_once_with_its_sound() -> None:
    """The words can be recognised before it is known that the turn is over."""
    audio = sound(1000, 800, 600)
    start, pause, stop = hear(detector(), audio)
    assert isinstance(start, SpeechStarted)
    assert isinstance(pause, Paused)
    assert isinstance(stop, SpeechStopped)
    assert pause.audio_start_ms == start.audio_start_ms
    assert abs(pause.speech_end_ms - 1800) <= FRAME_MS
    begin = pause.audio_start_ms * 48
    assert pause.audio == audio[begin : begin + len(pause.audio)]
    assert len(pause.audio) // 48 >= pause.speech_end_ms - pause.audio_start_ms


def test_speech_that_goes_on_takes_the_pause_back() -> None:
    """A breath inside a turn is no end; the next pause has all of the turn."""
    events = hear(detector(), sound(500, 500, 120, 500, 600))
    assert [type(event) for event in events] == [SpeechStarted, Paused, Resumed, Paused, SpeechStopped]
    first, second = (event for event in events if isinstance(event, Paused))
    assert second.audio.startswith(first.audio)


def test_the_sound_before_a_late_onset_is_kept() -> None:
    """After a long silence, and an onset with a gap, the pause still has the whole padding."""
    audio = sound(20_000, 64, 64, 800, 300)
    pause = next(
        event for event in hear(detector(ServerVad(prefix_padding_ms=500)), audio) if isinstance(event, Paused)
    )
    begin = pause.audio_start_ms * 48
    assert abs(pause.audio_start_ms - 19_500) <= FRAME_MS
    assert pause.audio == audio[begin : begin + len(pause.audio)]


def test_a_turn_longer_than_is_kept_pauses_without_its_sound() -> None:
    """It is recognised when it is over."""
    events = hear(detector(), sound(500, turns.HELD_MS + 1000, 300), step_ms=200)
    pause = next(event for event in events if isinstance(event, Paused))
    assert pause.audio == b""


def test_endless_speech_takes_no_more_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a turn without end, as music is one, no more sound is kept than its pauses can want."""
    monkeypatch.setattr(turns, "HELD_MS", 2_000)
    listening = detector()
    second = sound(0, 1_000)
    tracemalloc.start()
    for _ in range(60):
        hear(listening, second, step_ms=100)
    kept, _most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 3 * len(second)
    assert spans(hear(listening, sound(1_000, 500, 1_000)))[0] > 60_000, "and the next turn is found"


def test_forgetting_begins_afresh_and_time_runs_on() -> None:
    """After a commit by hand, what was said belongs to no turn; the next one is timed from the session's begin."""
    listening = detector()
    assert [type(event) for event in hear(listening, sound(500, 500))] == [SpeechStarted]
    listening.forget()
    start, stop = spans(hear(listening, sound(1000, 500, 400)))
    assert abs(start - 1700) <= FRAME_MS
    assert abs(stop - 2700) <= FRAME_MS


def test_push_to_talk_only_counts_the_time() -> None:
    """Without turn detection nothing is told, and turns found later are timed right."""
    listening = detector(None)
    assert hear(listening, sound(500, 500, 500)) == []
    listening.configure(ServerVad())
    start, _stop = spans(hear(listening, sound(500, 500, 400)))
    assert abs(start - 1700) <= FRAME_MS


def test_a_changed_silence_holds_for_the_turn_under_way() -> None:
    """An update does not lose the turn."""
    listening = detector(ServerVad(silence_duration_ms=1000))
    hear(listening, sound(500, 500))
    listening.configure(ServerVad(silence_duration_ms=100))
    (stop,) = spans(hear(listening, sound(400)))
    assert abs(stop - 1100) <= FRAME_MS


@pytest.mark.parametrize("off", [False, True])
@pytest.mark.parametrize("pause_ms", [0, 200])
def test_noise_reduction_that_changes_within_a_turn_does_not_lose_it(pause_ms: int, *, off: bool) -> None:
    """Switched on or off while somebody speaks, or has just spoken: the turn ends where it ends."""
    detection, reduction = ServerVad(silence_duration_ms=500), NoiseReduction(type="near_field", strength=0.0)
    listening = detector(detection)
    listening.configure(detection, reduction if off else None)
    before = hear(listening, sound(500, 800, pause_ms))
    listening.configure(detection, None if off else reduction)
    start, stop = spans(before + hear(listening, sound(800 - pause_ms)))
    assert abs(start - 200) <= 2 * FRAME_MS
    assert abs(stop - 1800) <= 3 * FRAME_MS


# ---------------------------------------------------------------- semantic_vad
@pytest.mark.parametrize("eagerness", ["low", "medium", "high", "auto"])
@pytest.mark.parametrize("complete", [0.0, 1.0])
def test_a_turn_ends_the_sooner_the_more_complete_it_is(eagerness: str, complete: float) -> None:
    """From the eagerness' shortest to its longest silence, by the opinion on the words."""
    listening = detector(SemanticVad(eagerness=eagerness))  # type: ignore[arg-type]  # one of its own words
    pause = pauses(hear(listening, sound(500, 500, turns.PAUSE_MS + 2 * FRAME_MS)))[-1]
    events = listening.judge(complete, pause)
    (stop,) = spans(events + hear(listening, sound(9000)))
    sure, unsure = turns.SEMANTIC_WAIT_MS[eagerness]
    assert abs(stop - (1000 + (sure if complete else unsure))) <= FRAME_MS


def test_without_an_opinion_the_longest_wait_holds() -> None:
    """A recogniser that fails does not leave the turn open for ever."""
    (_, stop) = spans(hear(detector(SemanticVad(eagerness="high")), sound(500, 500, 3000)))
    assert abs(stop - 3000) <= FRAME_MS


def test_an_opinion_that_comes_late_ends_the_turn_at_once() -> None:
    """The silence it asks for may be over already."""
    listening = detector(SemanticVad(eagerness="auto"))
    (pause,) = pauses(hear(listening, sound(500, 500, 1500)))
    assert len(listening.judge(1.0, pause)) == 1
    assert listening.judge(1.0, pause) == []


def test_an_opinion_on_a_pause_that_is_over_is_ignored() -> None:
    """The speech went on: it was about less than was said."""
    listening = detector(SemanticVad())
    (pause,) = pauses(hear(listening, sound(500, 500, 100, 300)))
    assert listening.judge(1.0, pause) == []
    assert spans(hear(listening, sound(1000))) == []


def test_an_opinion_on_a_pause_does_not_reach_the_next_one() -> None:
    """It comes when the ears, which were behind, have heard speech and a new pause."""
    listening = detector(SemanticVad())
    before, now = pauses(hear(listening, sound(500, 500, 100, 300, 500)))
    assert listening.judge(1.0, before) == []
    assert len(listening.judge(1.0, now)) == 1


@given(st.lists(st.integers(1, 900), min_size=1, max_size=12))
def test_starts_and_stops_take_turns(lengths: list[int]) -> None:
    """Whatever is heard: start, stop, start, ...; in time, none overlapping."""
    events = hear(detector(), sound(*lengths, 400), step_ms=100)
    kinds = [type(event) for event in events if isinstance(event, SpeechStarted | SpeechStopped)]
    assert kinds == [SpeechStarted, SpeechStopped] * (len(kinds) // 2) + [SpeechStarted] * (len(kinds) % 2)
    assert spans(events) == sorted(spans(events))


# ---------------------------------------------------------------- with the real detector
@pytest.mark.models
@pytest.mark.parametrize("name", ["goforward", "something", "austen_0870"])
def test_a_recording_is_found_whole(vad: SileroVad, data: object, name: str) -> None:
    """One turn or more in it, and from the first to the last word nothing is lost."""
    from realtime_nb.audio import Audio, speech_bounds

    clip = Audio.read(f"{data}/{name}.wav").resample(24_000)
    audio = sound(1000) + clip.to_pcm16() + sound(1500)
    found = spans(hear(TurnDetector(vad, ServerVad(silence_duration_ms=500)), audio))
    begin_s, end_s = speech_bounds(clip)
    assert found[0] <= 1000 + 1000 * begin_s + 100
    assert found[-1] >= 1000 + 1000 * end_s - 100
    assert len(found) % 2 == 0


def test_sound_of_the_wire_is_decoded_and_resampled() -> None:
    """A second of any format is a second for the models."""
    for one in (Pcm(), Pcmu(), Pcma()):
        assert len(samples_of(sound(1000, format=one), one, 16_000)) == 16_000
