"""What was recorded is played again: the same frames, to the last digit, and no socket."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb import errors, local
from realtime_nb.connecting import aconnect
from realtime_nb.testing.server import Reply, ScriptedServer
from realtime_nb.transports import cassette

Recorded = tuple[Path, Any]
Kit = Any
Open = Callable[..., rt.Session]


def test_twenty_replays_are_equal_to_the_recording(kit: Kit, recorded: Recorded, no_network: None) -> None:
    """Frames, reprs, latencies and costs of every replay are those of the recording, byte for byte."""
    folder, seen = recorded
    for _ in range(20):
        with rt.connect(f"cassette:{folder}") as session:
            seen.same(kit.Seen(session, kit.lesson(session)))
    assert local.running() == []


def test_the_sound_is_the_same(kit: Kit, recorded: Recorded) -> None:
    """What is heard of a replay is what was heard then, sample for sample."""
    with rt.connect(f"cassette:{recorded[0]}") as session:
        turns = kit.lesson(session)
    assert turns[0].audio.to_wire("audio/pcm") == kit.sound


def test_the_other_face_replays_too(recorded: Recorded) -> None:
    """``aconnect`` and ``session.aio`` play the same."""

    async def cell() -> str:
        async with await aconnect(f"cassette:{recorded[0]}") as session:
            await session.tool(_add())
            return (await session.say("Hello.")).text

    assert asyncio.run(cell()) == "One."


def _add() -> Callable[[int, int], int]:
    def add(a: int, b: int) -> Any:
        """Add."""
        return a + b

    return add


# ---------------------------------------------------------------- what does not match
def test_other_words_are_a_miss_with_a_diff(recorded: Recorded) -> None:
    """A strict replay says what was sent then and what is sent now; the right words still go."""
    with rt.connect(f"cassette:{recorded[0]}") as session:
        session.tool(_add())
        with pytest.raises(errors.CassetteMiss) as caught:
            session.say("Hullo.")
        assert '-    "text": "Hello."' in caught.value.diff
        assert '+    "text": "Hullo."' in caught.value.diff
        assert "client event 3" in str(caught.value)
        assert caught.value.hint
        assert session.say("Hello.").text == "One."


def test_other_settings_are_a_miss(recorded: Recorded) -> None:
    """Settings that are given must be those of the recording; without any, those of the recording hold."""
    with pytest.raises(errors.CassetteMiss, match=r"Be wordy"):
        rt.connect(f"cassette:{recorded[0]}", instructions="Be wordy.")
    with rt.connect(f"cassette:{recorded[0]}", instructions="Be brief.") as session:
        assert session.config.instructions == "Be brief."


def test_another_output_of_a_function_is_a_miss(kit: Kit, recorded: Recorded) -> None:
    """A strict replay runs the client's functions, and holds what they give against the recording."""
    with (
        rt.connect(f"cassette:{recorded[0]}") as session,
        pytest.raises(errors.CassetteMiss, match="client event 9") as caught,
    ):
        kit.lesson(session, add=lambda a, b: a * b)
    assert '+  "output": "2"' in caught.value.diff


def test_a_lenient_replay_takes_what_was_recorded(kit: Kit, recorded: Recorded) -> None:
    """Other words and other outputs of functions pass; the turns are those of the recording."""
    folder, seen = recorded
    ran = []
    with rt.connect(f"cassette:{folder}?match=lenient") as session:
        seen.same(kit.Seen(session, kit.lesson(session, "Hullo.", lambda a, b: ran.append((a, b)) or "something else")))
    assert ran == [(1, 2)]


def test_a_lenient_replay_skips_what_is_not_done(recorded: Recorded) -> None:
    """What the client leaves out is passed over, up to the next thing of its kind that it does."""
    with rt.connect(f"cassette:{recorded[0]}?match=lenient") as session:
        assert session.say("Hello.").text == "One."


def test_beyond_the_end_is_a_miss(kit: Kit, recorded: Recorded) -> None:
    """More than was recorded is not answered."""
    with rt.connect(f"cassette:{recorded[0]}") as session:
        kit.lesson(session)
        with pytest.raises(errors.CassetteMiss, match="nothing more was recorded"):
            session.say("And?")


def test_what_the_recording_waits_for_is_told(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that waits for what comes only after something it has not done is told what."""
    monkeypatch.setattr("realtime_nb.transports.cassette.STALL_S", 0.05)
    with rt.connect(f"cassette:{recorded[0]}") as session:
        link = session.actor.link
        waiting = link.until(lambda: None, 60)
        with pytest.raises(errors.CassetteMiss, match=r"the client sends session.update"):
            session._call(waiting)


# ---------------------------------------------------------------- time
def test_real_speed_takes_as_long_as_it_took(tmp_path: Path, only_in: Callable[..., None]) -> None:
    """``speed=real`` waits before each event as then, ``2x`` half of it, ``20ms`` so long each, ``fast`` not at all."""
    folder = tmp_path / "talk.cassette"
    with ScriptedServer(Reply("One ", "two."), Reply("More.")) as server, rt.connect(server.url) as session:
        with session.record(folder):
            session.say("Count.")
        spent_s = float(session.events.t_s.iloc[-1])
    waits: dict[str, list[float]] = {}

    async def sleep(seconds: float, result: object = None) -> object:
        waits[speed].append(seconds)
        return await asyncio.sleep(0, result)

    only_in(cassette, "asyncio", sleep=sleep)
    only_in(cassette, "time", monotonic=lambda: 0.0)
    for speed in ("real", "2x", "20ms", "fast"):
        waits[speed] = []
        with rt.connect(f"cassette:{folder}?speed={speed}") as session:
            assert session.say("Count.").text == "One two."
    assert 0 < sum(waits["real"]) <= spent_s
    assert sum(waits["2x"]) == pytest.approx(sum(waits["real"]) / 2)
    assert {round(wait, 9) for wait in waits["20ms"]} == {0.02}
    assert not any(waits["fast"])


def test_a_speed_that_is_none_is_refused(recorded: Recorded) -> None:
    """The error names the speeds there are."""
    for wrong in ("speed=quick", "speed=0x", "match=nearly", "session=0", "colour=red"):
        with pytest.raises(errors.ConfigError, match=r"fast|speed=real"):
            rt.connect(f"cassette:{recorded[0]}?{wrong}")


# ---------------------------------------------------------------- streams
def spoken(kit: Kit, session: rt.Session, chunk_s: float = 0.05) -> rt.Turn:
    """A turn that is spoken live."""
    return session.say(kit.speech.chunks(chunk_s))


@pytest.fixture
def streamed(kit: Kit, stub_server: Open, tmp_path: Path) -> Recorded:
    """A live stream with voice detection, recorded from our own server."""
    folder = tmp_path / "stream.cassette"
    with stub_server() as session:
        with session.record(folder):
            turn = spoken(kit, session)
        return folder, kit.Seen(session, [turn])


def test_a_live_stream_replays(kit: Kit, streamed: Recorded, no_network: None, only_in: Callable[..., None]) -> None:
    """Chunks, silence, voice detection, the answer and its latency are those of the recording, and nobody waits."""
    folder, seen = streamed
    waits: list[float] = []

    async def sleep(seconds: float, result: object = None) -> object:
        waits.append(seconds)
        return await asyncio.sleep(seconds, result)

    only_in(cassette, "asyncio", sleep=sleep)
    for _ in range(3):
        with rt.connect(f"cassette:{folder}") as session:
            seen.same(kit.Seen(session, [spoken(kit, session)]))
    assert seen.frames["turns"].speech_end_s.notna().all()
    assert waits
    assert not any(waits)  # the pace is kept by waits of no length


@pytest.mark.parametrize("chunk_s", [0.013, 0.1, 0.4])
def test_a_stream_may_be_cut_otherwise(kit: Kit, streamed: Recorded, chunk_s: float) -> None:
    """The sound counts, not the pieces it comes in."""
    folder, seen = streamed
    with rt.connect(f"cassette:{folder}") as session:
        seen.same(kit.Seen(session, [spoken(kit, session, chunk_s)]))


def test_another_sound_is_a_miss(streamed: Recorded) -> None:
    """A stream that says something else is not what was recorded."""
    with rt.connect(f"cassette:{streamed[0]}") as session, pytest.raises(errors.CassetteMiss, match="another sound"):
        session.say(rt.Audio.tone(330, 0.4).chunks(0.05))


def test_a_lenient_replay_takes_any_sound(kit: Kit, streamed: Recorded) -> None:
    """Another voice, of another length, gets the answer of then."""
    for sound in (rt.Audio.tone(330, 0.2), rt.Audio.tone(330, 1.5)):
        with rt.connect(f"cassette:{streamed[0]}?match=lenient") as session:
            assert session.say(sound.chunks(0.05)).text == "You said: good morning."


def test_a_microphone_by_hand_replays(kit: Kit, tmp_path: Path) -> None:
    """``append`` and ``commit`` replay, cut in other pieces too."""
    folder = tmp_path / "mic.cassette"

    def talk(session: rt.Session, chunk_s: float) -> Any:
        for chunk in kit.speech.chunks(chunk_s):
            session.append(chunk)
        session.send({"type": "input_audio_buffer.commit"})
        return session.say("Well?")

    with ScriptedServer(Reply("Well.")) as server, rt.connect(server.url) as session:
        with session.record(folder):
            turn = talk(session, 0.04)
        seen = kit.Seen(session, [turn])
    for chunk_s in (0.04, 0.1, 0.02):
        with rt.connect(f"cassette:{folder}") as session:
            seen.same(kit.Seen(session, [talk(session, chunk_s)]))


def test_less_sound_than_recorded_is_a_miss(kit: Kit, streamed: Recorded) -> None:
    """What comes after a stream must wait for all of it."""
    with rt.connect(f"cassette:{streamed[0]}") as session:
        session.append(kit.speech[:0.02])
        with pytest.raises(errors.CassetteMiss, match="before all recorded sound"):
            session.send({"type": "input_audio_buffer.commit"})


# ---------------------------------------------------------------- interruption and ends
def test_an_interruption_replays(kit: Kit, tmp_path: Path) -> None:
    """An answer that was stopped is stopped again at the same word."""
    folder = tmp_path / "stop.cassette"

    def talk(session: rt.Session) -> Any:
        turn = session.say("Count.", wait=False)
        while "One" not in turn.text:
            threading.Event().wait(0.001)
        assert session.interrupt() is turn
        return turn

    reply = Reply("One ", "two", end="hang")
    with ScriptedServer(reply) as server, rt.connect(server.url) as session:
        with session.record(folder):
            turn = talk(session)
        seen = kit.Seen(session, [turn])
    assert seen.looks[0][0].startswith("Turn('One two', cancelled")
    for _ in range(5):
        with rt.connect(f"cassette:{folder}") as session:
            seen.same(kit.Seen(session, [talk(session)]))


def test_a_connection_that_ended_ends_again(tmp_path: Path) -> None:
    """The server's close comes back with its code and words."""
    folder = tmp_path / "end.cassette"
    said = []
    for number in range(2):
        with (
            ScriptedServer(Reply("One ", "two.", end="die")) as server,
            rt.connect(f"cassette:{folder}" if number else server.url) as session,
        ):
            session.record(folder)
            with pytest.raises(errors.ConnectionClosed) as caught:
                session.say("Hello.")
            said.append((str(caught.value), caught.value.code, caught.value.turn.text, repr(session)))
    assert said[0] == said[1]


def test_a_recording_that_was_stopped_in_an_answer_ends_there(tmp_path: Path) -> None:
    """The replay does not wait for what is not on it."""
    folder = tmp_path / "torn.cassette"
    with ScriptedServer(Reply("One ", end="hang")) as server, rt.connect(server.url) as session:
        recording = session.record(folder)
        turn = session.say("Hello.", wait=False)
        while not turn.text:
            threading.Event().wait(0.001)
        recording.close()
        session.interrupt()
    with (
        rt.connect(f"cassette:{folder}") as session,
        pytest.raises(errors.ConnectionClosed, match="in the middle of a response"),
    ):
        session.say("Hello.")


def test_two_names_are_never_the_same() -> None:
    """Names of items come from a seed; another session has another."""
    with ScriptedServer() as server, rt.connect(server.url) as one, rt.connect(server.url) as other:
        names = [session.actor.link.ids.new("item") for session in (one, other) for _ in range(50)]
    assert len(set(names)) == 100
    assert all(len(name) == len(names[0]) for name in itertools.islice(names, 100))
