"""A call's playback buffer: pulled at the pace of the call, honest about what was heard."""

from __future__ import annotations

import numpy as np
import pytest

from realtime_nb.audio.pcm import encode_pcm16
from realtime_nb.protocol.effects import (
    ClearPlayback,
    EndPlayback,
    Play,
    PlaybackCleared,
    PlaybackStarted,
    PlaybackStopped,
    Report,
)
from realtime_nb.protocol.formats import AudioFormat, Pcm, Pcma, Pcmu, ms_to_bytes
from realtime_nb.server.speaker import Converter, Speaker


def play(response: str, item: str, audio: bytes, fmt: AudioFormat | None = None) -> Play:
    """An effect of the core's."""
    return Play(response_id=response, item_id=item, content_index=0, audio=audio, format=fmt or Pcm())


def drain(speaker: Speaker, ms: int = 20) -> bytes:
    """Pull until nothing comes."""
    pieces = []
    while piece := speaker.pull(ms):
        pieces.append(piece)
    return b"".join(pieces)


def test_sound_comes_out_as_it_went_in() -> None:
    """Whatever the chunks, every byte is pulled once, in order; the beginning and the end are told once each."""
    reports: list[Report] = []
    speaker = Speaker(Pcm(), reports.append)
    sound = np.arange(48 * 250, dtype="<i2").tobytes()[: 48 * 250]
    for start in range(0, len(sound), 1000):
        speaker.play(play("r", "a", sound[start : start + 1000]))
    assert speaker.waiting_ms == 250
    speaker.finish(EndPlayback("r"))
    assert drain(speaker) == sound
    assert reports == [PlaybackStarted("r"), PlaybackStopped("r")]


def test_a_pause_in_the_making_is_no_end() -> None:
    """When sound is made more slowly than it plays there is silence, and the response goes on."""
    reports: list[Report] = []
    speaker = Speaker(Pcm(), reports.append)
    speaker.play(play("r", "a", bytes(960)))
    assert [len(speaker.pull(20)) for _ in range(3)] == [960, 0, 0]
    speaker.play(play("r", "a", bytes(960)))
    assert len(speaker.pull(20)) == 960
    speaker.finish(EndPlayback("r"))
    assert not speaker.pull(20)
    assert reports == [PlaybackStarted("r"), PlaybackStopped("r")]


def test_responses_follow_one_another() -> None:
    """A second response waits for the end of the first, though its sound is there before."""
    reports: list[Report] = []
    speaker = Speaker(Pcm(), reports.append)
    speaker.play(play("r1", "a", b"\1\1" * 480))
    speaker.play(play("r2", "b", b"\2\2" * 480))
    speaker.play(play("r1", "a", b"\3\3" * 480))
    for name in ("r1", "r2"):
        speaker.finish(EndPlayback(name))
    assert drain(speaker) == b"\1\1" * 480 + b"\3\3" * 480 + b"\2\2" * 480
    assert reports == [PlaybackStarted("r1"), PlaybackStopped("r1"), PlaybackStarted("r2"), PlaybackStopped("r2")]


def test_what_was_not_heard_is_told() -> None:
    """Clearing tells how far the sound was heard, and of what waited behind it that nothing was."""
    reports: list[Report] = []
    speaker = Speaker(Pcm(), reports.append)
    speaker.play(play("r1", "a", bytes(48 * 100)))
    speaker.play(play("r1", "b", bytes(48 * 100)))
    speaker.play(play("r2", "c", bytes(48 * 100)))
    speaker.pull(140)
    speaker.clear(ClearPlayback())
    assert reports[-1] == PlaybackCleared("r1", (("b", 0, 40), ("c", 0, 0)))
    assert not speaker.pull(20)
    speaker.clear(ClearPlayback())
    assert reports[-1] == PlaybackCleared(None)


def test_a_response_without_sound_leaves_no_trace() -> None:
    """Of a written response nothing is played and nothing is told."""
    reports: list[Report] = []
    speaker = Speaker(Pcm(), reports.append)
    speaker.finish(EndPlayback("r"))
    assert not speaker.pull(20)
    assert not reports


@pytest.mark.parametrize("fmt", [Pcmu(), Pcma()])
def test_a_telephone_hears_the_same(fmt: AudioFormat) -> None:
    """24 kHz sound played as G.711 lasts as long, and is the same tone."""
    time_s = np.arange(24_000) / 24_000
    tone = encode_pcm16(0.5 * np.sin(2 * np.pi * 440 * time_s).astype(np.float32))
    speaker = Speaker(fmt, lambda _report: None)
    for start in range(0, len(tone), 4800):
        speaker.play(play("r", "a", tone[start : start + 4800]))
    speaker.finish(EndPlayback("r"))
    heard = drain(speaker)
    assert len(heard) == ms_to_bytes(1000, fmt)
    back = Converter(fmt, Pcm())
    samples = np.frombuffer(back.feed(heard) + back.finish(), "<i2")
    assert np.argmax(np.abs(np.fft.rfft(samples))) == pytest.approx(440, abs=1)
    assert np.abs(samples[2400:-2400]).max() == pytest.approx(16384, rel=0.05)
