"""A page's microphone and loudspeaker on a session: what is sent, what is played, and what speaking over it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.audio.g711 import encode_ulaw
from realtime_nb.portal import call_on
from realtime_nb.protocol import events as ev
from realtime_nb.session.aloud import Aloud
from realtime_nb.session.duplex import _WIRE, Duplex
from realtime_nb.session.playlist import Cut
from realtime_nb.session.uplink import MAX_WAITING
from realtime_nb.testing.server import Call, Reply, ScriptedServer

CHUNK = b"\x01\x00" * 480
"""20 ms that are not silence."""
SECOND = b"\x02\x00" * 24_000
STARTED = {"type": "input_audio_buffer.speech_started", "event_id": "e1", "audio_start_ms": 100, "item_id": "item_said"}
STOPPED = {"type": "input_audio_buffer.speech_stopped", "event_id": "e2", "audio_end_ms": 900, "item_id": "item_said"}


class Page:
    """A page that plays what it is given, as far as the test says."""

    def __init__(self) -> None:
        self.duplex: Any = None
        self.played: list[tuple[str, int, bool]] = []
        self.flushes = 0
        self.heard: tuple[str | None, int] = (None, 0)
        """The item that sounds when it is silenced, and its samples that were heard."""

    def push(self, pcm: bytes, header: Mapping[str, Any] | None = None) -> None:
        """Play."""
        header = header or {}
        self.played.append((header["item"], len(pcm) // 2, header.get("last", False)))

    def flush(self) -> None:
        """Fall silent."""
        self.flushes += 1
        self.duplex.happened({"t": "flushed", "item": self.heard[0], "heard": self.heard[1]})

    def tell(self, t: str, **fields: Any) -> None:
        """Do what a person or the player does."""
        self.duplex.happened({"t": t, "page": "one", **fields})


class Stage:
    """A scripted server, a session on it, and a page on that."""

    def __init__(self, *replies: Reply, on: Any = None, **session: Any) -> None:
        self.server = ScriptedServer(*replies, on=on, session=session).__enter__()
        self.session = rt.connect(self.server.url)
        self.page = Page()
        self.changed = threading.Condition()
        self.duplex = Duplex(self.session.actor, self.page, self._note)
        self.page.duplex = self.duplex
        call_on(self.session.actor.loop, self.duplex.start())
        self.page.tell("opened", owner=True)
        self.page.tell("mic", on=True)
        self.until(lambda: self.duplex.now.mic)

    def _note(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def until(self, state: Callable[[], Any], timeout_s: float = 60.0) -> None:
        """Wait until something is so, of the talk or of what it stands on."""
        end = time.monotonic() + timeout_s
        with self.changed:
            while not self.changed.wait_for(state, 0.1):
                assert time.monotonic() < end, (self.duplex.now, self.page.played, self.sent)

    @property
    def sent(self) -> list[str]:
        """Types of the client's events."""
        return [event["type"] for event in self.server.received]

    def asked(self, type: str = "response.create") -> None:
        """Have the server answer by itself, as its voice detection does."""
        self.session.send({"type": type})


Play = Callable[..., Stage]


@pytest.fixture
def play() -> Iterator[Play]:
    """Stages that end with the test."""
    stages: list[Stage] = []

    def begin(*replies: Reply, **fields: Any) -> Stage:
        stages.append(Stage(*replies, **fields))
        return stages[-1]

    yield begin
    for stage in stages:
        call_on(stage.session.actor.loop, stage.duplex.stop())
        stage.session.close()
        stage.server.__exit__(None, None, None)


# ---------------------------------------------------------------- hearing
def test_what_the_microphone_hears_is_sent_in_order(play: Play) -> None:
    """Each chunk becomes one append, with the same bytes."""
    import base64

    stage = play()
    chunks = [bytes([n, 0]) * 480 for n in range(1, 20)]
    for chunk in chunks:
        stage.duplex.microphone(chunk)
    sent = stage.server.wait_for("input_audio_buffer.append", len(chunks))
    assert [base64.b64decode(event["audio"]) for event in sent] == chunks


def test_a_muted_microphone_sends_nothing(play: Play) -> None:
    """What is said while it is muted never leaves the machine."""
    stage = play()
    stage.page.tell("mute", on=True)
    stage.until(lambda: stage.duplex.now.muted)
    stage.duplex.microphone(CHUNK)
    stage.page.tell("mute", on=False)
    stage.until(lambda: not stage.duplex.now.muted)
    stage.duplex.microphone(SECOND[:960])
    sent = stage.server.wait_for("input_audio_buffer.append")
    assert len(sent) == 1


def test_muted_in_the_middle_of_a_sentence_silence_is_sent_until_the_server_has_noticed(play: Play) -> None:
    """The server's detector counts sound: without any, it would wait for the sentence's end for ever."""
    import base64

    stage = play()
    stage.server.push(STARTED)
    stage.until(lambda: stage.duplex.now.hearing)
    stage.page.tell("mute", on=True)
    stage.until(lambda: stage.duplex.now.muted)
    stage.duplex.microphone(CHUNK)
    silence = stage.server.wait_for("input_audio_buffer.append")[0]
    assert base64.b64decode(silence["audio"]) == bytes(960)
    stage.server.push(STOPPED)
    stage.until(lambda: not stage.duplex.now.hearing)
    stage.duplex.microphone(CHUNK)
    stage.session.send({"type": "input_audio_buffer.clear"})
    stage.server.wait_for("input_audio_buffer.clear")
    assert len(stage.server.of_type("input_audio_buffer.append")) == 1


def test_a_microphone_that_is_closed_in_the_middle_of_a_sentence_ends_it(play: Play) -> None:
    """A page that goes away leaves no half sentence: silence beyond the server's timer is sent at once."""
    import base64

    stage = play()
    stage.server.push(STARTED)
    stage.until(lambda: stage.duplex.now.hearing)
    stage.page.tell("closed")
    sent = stage.server.wait_for("input_audio_buffer.append", 12)
    assert not any(base64.b64decode(event["audio"]).strip(b"\0") for event in sent)
    stage.until(lambda: not stage.duplex.now.mic)


def test_a_slow_network_never_blocks_the_microphone(play: Play) -> None:
    """Chunks beyond what may wait are dropped and counted; the caller returns at once."""
    stage = play()
    free = threading.Event()
    stage.session.actor.loop.call_soon_threadsafe(free.wait)
    for _ in range(MAX_WAITING + 7):
        stage.duplex.microphone(CHUNK)
    free.set()
    stage.server.wait_for("input_audio_buffer.append", MAX_WAITING)
    assert stage.duplex.lost_chunks == 7


# ---------------------------------------------------------------- speaking, and being spoken over
def test_an_answer_is_played_and_its_end_told(play: Play) -> None:
    """All of an item's sound goes to the page under its id, the end marked; the phase follows what the page plays."""
    stage = play(Reply("Nile, ", "Congo.", audio=SECOND))
    stage.asked()
    stage.until(lambda: stage.page.played and stage.page.played[-1][2])
    assert {item for item, _, _ in stage.page.played} == {stage.page.played[0][0]}
    assert sum(samples for _, samples, _ in stage.page.played) == 24_000
    stage.page.tell("started", item=stage.page.played[0][0])
    stage.until(lambda: stage.duplex.now.phase == "speaking")
    stage.page.tell("done", item=stage.page.played[0][0])
    stage.until(lambda: stage.duplex.now.phase == "listening")


def interrupted(stage: Stage, heard: int) -> float:
    """Speak over the answer when so many samples of it were heard; gives what the frame says of it."""
    item = stage.page.played[0][0]
    stage.page.tell("started", item=item)
    stage.until(lambda: stage.duplex.now.playing)
    stage.page.heard = (item, heard)
    stage.server.push(STARTED)
    stage.server.wait_for("conversation.item.truncate")
    stage.until(lambda: stage.session.turns.interrupted_at_ms.notna().any())
    return float(stage.session.turns.interrupted_at_ms.iloc[0])


def test_speaking_over_an_answer_silences_the_page_and_cuts_what_was_not_heard(play: Play) -> None:
    """The page is flushed, and the item truncated by what was heard."""
    stage = play(Reply("Nile, ", "Congo.", audio=SECOND, end="hang"))
    stage.asked()
    stage.until(lambda: sum(samples for _, samples, _ in stage.page.played) == 24_000)
    assert interrupted(stage, 9_600) == pytest.approx(400, abs=1)
    assert stage.page.flushes == 1
    cut = stage.server.of_type("conversation.item.truncate")[0]
    assert (cut["content_index"], cut["audio_end_ms"]) == (0, 400)


def test_an_answer_that_is_complete_but_still_sounds_is_cut_too(play: Play) -> None:
    """Generation is over long before the sound is: speaking over that is an interruption all the same."""
    stage = play(Reply("Nile, ", "Congo.", audio=SECOND))
    stage.asked()
    stage.until(lambda: stage.page.played and stage.page.played[-1][2])
    assert interrupted(stage, 12_000) == pytest.approx(500, abs=1)
    assert stage.session.turns.status.tolist() == ["completed"]
    assert stage.session.history.status.tolist()[-1] == "truncated"


def test_an_answer_of_which_nothing_was_heard_is_cut_at_its_beginning(play: Play) -> None:
    """A page that had not begun to play gives no sample: the model forgets the answer."""
    stage = play(Reply("Nile, ", "Congo.", audio=SECOND))
    stage.asked()
    stage.until(lambda: stage.page.played and stage.page.played[-1][2])
    stage.server.push(STARTED)
    assert stage.server.wait_for("conversation.item.truncate")[0]["audio_end_ms"] == 1


def test_speaking_between_answers_cuts_nothing(play: Play) -> None:
    """Where nothing sounds, nothing is flushed and nothing truncated."""
    stage = play(Reply("Nile.", audio=SECOND))
    stage.asked()
    stage.until(lambda: stage.page.played and stage.page.played[-1][2])
    stage.page.tell("done", item=stage.page.played[0][0])
    stage.server.push(STARTED)
    stage.until(lambda: stage.duplex.now.hearing)
    assert stage.page.flushes == 0


def test_a_session_that_is_not_to_be_interrupted_is_not(play: Play) -> None:
    """With interrupt_response false the page plays on."""
    detection = {"type": "server_vad", "interrupt_response": False}
    stage = play(Reply("Nile.", audio=SECOND), audio={"input": {"turn_detection": detection}})
    stage.asked()
    stage.until(lambda: stage.page.played and stage.page.played[-1][2])
    stage.server.push(STARTED)
    stage.until(lambda: stage.duplex.now.hearing)
    assert stage.page.flushes == 0


def test_stop_cancels_the_answer_and_what_still_comes_of_it_is_not_played(play: Play) -> None:
    """Escape: silence at once, response.cancel, truncation."""
    stage = play(Reply("Nile.", audio=SECOND, end="hang"))
    stage.asked()
    stage.until(lambda: sum(samples for _, samples, _ in stage.page.played) == 24_000)
    stage.page.heard = (stage.page.played[0][0], 4_800)
    stage.page.tell("stop")
    stage.server.wait_for("response.cancel")
    assert stage.server.wait_for("conversation.item.truncate")[0]["audio_end_ms"] == 200
    stage.until(lambda: stage.duplex.now.phase == "listening")
    assert sum(samples for _, samples, _ in stage.page.played) == 24_000


def delta_of(name: str) -> ev.ResponseOutputAudioDelta:
    """Of a response of one item, both of that name."""
    return ev.ResponseOutputAudioDelta(response_id=name, item_id=name, output_index=0, content_index=0, delta=b"")


def test_what_still_comes_of_a_silenced_answer_is_not_played() -> None:
    """A cancel takes its time on the wire: sound that is under way stays unheard, that of the next answer does not."""
    page = Page()
    page.flush = lambda: None  # type: ignore[method-assign]  # nobody answers
    aloud = Aloud(page)
    aloud.audience = True
    first, second = map(delta_of, ("one", "two"))
    aloud.say(first, CHUNK, "audio/pcm")
    aloud.silence("one")
    aloud.say(first, CHUNK, "audio/pcm")
    aloud.say(second, CHUNK, "audio/pcm")
    assert [item for item, _, _ in page.played] == ["one", "two"]


def test_a_sample_that_comes_in_two_pieces_is_played_whole() -> None:
    """A server may cut its sound anywhere: half a sample waits for its other half, else all behind it is noise."""
    page = Page()
    heard: list[bytes] = []
    page.push = lambda pcm, _header=None: heard.append(pcm)  # type: ignore[method-assign]
    aloud = Aloud(page)
    aloud.audience = True
    at = {"response_id": "one", "item_id": "one", "output_index": 0, "content_index": 0}
    piece = ev.ResponseOutputAudioDelta(**at, delta=b"")
    sound = bytes(range(9))
    for cut in (sound[:3], sound[3:4], sound[4:7], sound[7:]):
        aloud.say(piece, cut, "audio/pcm")
    assert all(len(pcm) % 2 == 0 for pcm in heard)
    assert b"".join(heard) == sound[:8]
    aloud.end(ev.ResponseOutputAudioDone(**at))
    aloud.say(piece, sound, "audio/pcm")
    assert heard[-1] == sound[:8]


def test_an_answer_that_begins_before_the_page_has_said_what_it_dropped_is_not_cut() -> None:
    """A page answers late, and twice where it was interrupted twice: only what it was told to drop is cut."""
    page = Page()
    page.flush = lambda: None  # type: ignore[method-assign]  # not yet
    aloud = Aloud(page)
    aloud.audience = True
    first, second = map(delta_of, ("one", "two"))
    aloud.say(first, SECOND, "audio/pcm")
    aloud.silence("one")
    aloud.silence("one")
    aloud.say(second, SECOND, "audio/pcm")
    assert aloud.flushed("one", 9_600) == [Cut("one", 0, 400)]
    assert aloud.flushed(None, 0) == []
    assert aloud.pending
    assert aloud.flushed("two", 4_800, ["three"]) == [Cut("two", 0, 200)]
    assert not aloud.pending


def test_an_answer_beside_the_conversation_is_not_played(play: Play) -> None:
    """What another cell asks out of band is its own."""
    stage = play(Reply("Aside.", audio=SECOND), Reply("Nile.", audio=SECOND))
    stage.session.say("Beside.", response={"conversation": "none"})
    assert stage.page.played == []
    stage.session.say("Rivers?")
    assert stage.page.played


def test_without_a_page_nothing_is_played_and_nothing_cut(play: Play) -> None:
    """Nobody hears an answer that comes while no page is there; it is no interruption either."""
    stage = play(Reply("Nile.", audio=SECOND))
    stage.page.tell("closed")
    stage.until(lambda: not stage.duplex.now.mic)
    stage.session.say("Rivers?")
    stage.server.push(STARTED)
    stage.until(lambda: stage.duplex.now.hearing)
    assert (stage.page.played, stage.page.flushes) == ([], 0)


def test_an_answer_that_sounds_on_while_the_way_is_lost_can_be_spoken_over_when_it_is_found(play: Play) -> None:
    """The page has the sound already, and plays it; when it is back, it is silenced and the answer cut as ever."""
    stage = play(Reply("Nile, ", "Congo.", audio=SECOND))
    stage.asked()
    stage.until(lambda: stage.page.played and stage.page.played[-1][2])
    stage.page.tell("closed")
    stage.until(lambda: not stage.duplex.now.mic)
    stage.page.tell("opened", owner=True)
    assert interrupted(stage, 9_600) == pytest.approx(400, abs=1)
    assert stage.page.flushes == 1


def test_of_an_answer_that_a_page_has_missed_a_part_of_the_rest_is_not_played(play: Play) -> None:
    """It would sound like a jump, and no cut of it would be right; what the page has of it comes to its end."""
    stage = play(Reply("Nile, ", "Congo.", audio=SECOND, end="hang"))
    stage.asked()
    stage.until(lambda: sum(samples for _, samples, _ in stage.page.played) == 24_000)
    item = stage.page.played[0][0]
    stage.page.tell("closed")
    stage.page.tell("opened", owner=True)
    stage.until(lambda: stage.page.played[-1] == (item, 0, True))
    stage.page.tell("done", item=item)
    stage.until(lambda: not stage.duplex.now.playing)
    delta = {"type": "response.output_audio.delta", "event_id": "e9", "delta": "AAAA", "output_index": 0}
    response = stage.duplex.now.answering
    stage.server.push({**delta, "response_id": response, "item_id": item, "content_index": 0})
    stage.server.push(STARTED)
    stage.until(lambda: stage.duplex.now.hearing)
    assert stage.page.played[-1] == (item, 0, True)


def test_an_answer_that_begins_while_no_page_is_there_is_not_played_from_its_middle() -> None:
    """Whoever comes reads what was said, and hears the next answer, whole."""
    page = Page()
    aloud = Aloud(page)
    first, second = map(delta_of, ("one", "two"))
    aloud.say(first, CHUNK, "audio/pcm")
    aloud.come(again=False)
    aloud.say(first, CHUNK, "audio/pcm")
    aloud.say(second, CHUNK, "audio/pcm")
    assert [item for item, _, _ in page.played] == ["two"]


def test_a_page_that_is_loaded_anew_plays_nothing_of_what_the_one_before_had(play: Play) -> None:
    """Its sound went with it: nothing is left to be silenced or cut."""
    stage = play(Reply("Nile.", audio=SECOND))
    stage.asked()
    stage.until(lambda: stage.page.played and stage.page.played[-1][2])
    stage.page.tell("closed")
    stage.page.tell("opened", page="anew", owner=True)
    stage.server.push(STARTED)
    stage.until(lambda: stage.duplex.now.hearing)
    assert (stage.page.flushes, stage.duplex.now.playing) == (0, False)


def test_another_tab_may_take_microphone_and_loudspeaker_over(play: Play) -> None:
    """What the first one still says of its microphone counts no more; the new one opens its own."""
    stage = play(Reply("Nile.", audio=SECOND))
    stage.page.tell("opened", page="two", owner=False)
    stage.page.tell("closed", page="two")
    stage.page.tell("opened", page="two", owner=False)
    assert stage.duplex.now.mic
    stage.page.tell("claimed", page="two")
    stage.until(lambda: not stage.duplex.now.mic)
    stage.page.tell("mic", page="two", on=True)
    stage.page.tell("mic", page="one", on=False)
    stage.page.tell("closed", page="one")
    stage.until(lambda: stage.duplex.now.mic)
    stage.session.say("Rivers?")
    assert stage.page.played
    assert stage.duplex.now.mic


def test_a_page_that_cannot_play_is_sent_no_sound(play: Play) -> None:
    """Then nothing sounds that would never end; the words are there."""
    stage = play(Reply("Nile.", audio=SECOND))
    stage.page.tell("deaf")
    stage.session.say("Rivers?")
    assert stage.page.played == []
    assert stage.duplex.now.phase == "listening"


def test_telephone_sound_is_played_at_the_pages_rate(play: Play) -> None:
    """G.711 of 8 kHz arrives as PCM16 of 24 kHz, all of it."""
    sound = rt.Audio.tone(440, 0.5, rate=8_000)
    output = {"format": {"type": "audio/pcmu"}}
    stage = play(Reply("Hm.", audio=encode_ulaw(sound.samples)), audio={"output": output})
    stage.asked()
    stage.until(lambda: stage.page.played and stage.page.played[-1][2])
    assert sum(samples for _, samples, _ in stage.page.played) == pytest.approx(12_000, abs=2)


# ---------------------------------------------------------------- the key to talk, and typing
def test_the_key_to_talk_makes_one_turn_of_what_is_held(play: Play) -> None:
    """Held: no detection, an empty buffer; let go: commit, an answer, and the detection as it was."""
    stage = play(Reply("Nile.", audio=SECOND))
    stage.page.tell("hold", on=True)
    stage.until(lambda: stage.duplex.now.held)
    for _ in range(10):
        stage.duplex.microphone(CHUNK)
    stage.page.tell("hold", on=False)
    stage.server.wait_for("session.update", 3)
    stage.server.wait_for("response.create")
    mine = [event for event in stage.sent if event != "input_audio_buffer.append"]
    assert mine[:4] == ["session.update", "session.update", "input_audio_buffer.clear", "input_audio_buffer.commit"]
    assert sorted(mine[4:6]) == ["response.create", "session.update"]
    off, again = stage.server.of_type("session.update")[1:]
    assert off["session"]["audio"]["input"]["turn_detection"] is None
    assert again["session"]["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    stage.until(lambda: stage.session.actor.session.audio.input.turn_detection is not None)
    assert len(stage.server.of_type("input_audio_buffer.append")) == 10


def test_a_key_pressed_again_before_the_server_has_its_detection_back_takes_it_again(play: Play) -> None:
    """The session still says that there is none: without a word of ours it would end the turn at the first pause."""
    updates: list[dict[str, Any]] = []

    def late(event: dict[str, Any]) -> list[dict[str, Any]] | None:
        updates.append(event)
        return [] if len(updates) > 2 else None  # its word comes, and after the test

    stage = play(on={"session.update": late})
    for _ in range(2):
        stage.page.tell("hold", on=True)
        stage.until(lambda: stage.duplex.now.held)
        stage.until(lambda: stage.session.actor.session.audio.input.turn_detection is None)
        stage.page.tell("hold", on=False)
        stage.until(lambda: not stage.duplex.now.held)
    stage.server.wait_for("session.update", 5)
    off, again, *second = [event["session"]["audio"]["input"]["turn_detection"] for event in updates[1:]]
    assert (off, again["type"], second) == (None, "server_vad", [off, again])


def test_a_key_let_go_at_once_says_what_to_do(play: Play) -> None:
    """Less than 100 ms cannot be committed: nothing is asked, the detection is as it was, and a note says why."""
    stage = play()
    stage.page.tell("hold", on=True)
    stage.page.tell("hold", on=False)
    stage.server.wait_for("session.update", 3)
    stage.until(lambda: stage.duplex.note)
    assert "Hold it" in stage.duplex.note.todo
    assert stage.server.of_type("input_audio_buffer.commit") == []
    assert stage.server.of_type("response.create") == []


def test_the_key_to_talk_interrupts_and_opens_a_muted_microphone(play: Play) -> None:
    """Pressed over an answer it silences it; held, it is heard even when muted."""
    stage = play(Reply("Nile.", audio=SECOND, end="hang"), Reply("Congo."))
    stage.page.tell("mute", on=True)
    stage.asked()
    stage.until(lambda: sum(samples for _, samples, _ in stage.page.played) == 24_000)
    stage.page.heard = (stage.page.played[0][0], 2_400)
    stage.page.tell("hold", on=True)
    stage.server.wait_for("response.cancel")
    assert stage.server.wait_for("conversation.item.truncate")[0]["audio_end_ms"] == 100
    stage.until(lambda: stage.duplex.now.held)
    stage.duplex.microphone(CHUNK)
    stage.server.wait_for("input_audio_buffer.append")


def test_without_detection_only_the_key_is_heard(play: Play) -> None:
    """A session that detects nothing is not filled with sound nobody commits."""
    stage = play(Reply("Nile."), audio={"input": {"turn_detection": None}})
    assert stage.duplex.now.phase == "muted"
    stage.duplex.microphone(CHUNK)
    stage.page.tell("hold", on=True)
    stage.until(lambda: stage.duplex.now.held)
    for _ in range(6):
        stage.duplex.microphone(CHUNK)
    stage.page.tell("hold", on=False)
    stage.server.wait_for("response.create")
    assert len(stage.server.of_type("input_audio_buffer.append")) == 6
    assert len(stage.server.of_type("session.update")) == 1


def test_a_page_that_goes_while_its_key_is_held_lets_it_go(play: Play) -> None:
    """The session gets its detection back, though nobody is there to let go."""
    stage = play()
    stage.page.tell("hold", on=True)
    stage.until(lambda: stage.duplex.now.held)
    stage.page.tell("closed")
    again = stage.server.wait_for("session.update", 3)[2]
    assert again["session"]["audio"]["input"]["turn_detection"]["type"] == "server_vad"
    stage.until(lambda: not stage.duplex.now.held)


def test_a_typed_line_is_answered_aloud(play: Play) -> None:
    """Typing stops what sounds, and asks."""
    stage = play(Reply("Nile.", audio=SECOND, end="hang"), Reply("Congo.", audio=SECOND))
    stage.asked()
    stage.until(lambda: sum(samples for _, samples, _ in stage.page.played) == 24_000)
    stage.page.tell("type", text=" Rivers? ")
    item = stage.server.wait_for("conversation.item.create")[0]["item"]
    assert item["content"] == [{"type": "input_text", "text": "Rivers?"}]
    stage.server.wait_for("response.create", 2)
    stage.until(lambda: len({item for item, _, _ in stage.page.played}) == 2)


def test_a_tool_is_run_as_everywhere(play: Play) -> None:
    """A function called in a spoken turn runs, and the answer that follows is played."""
    stage = play(Reply(calls=(Call("get_weather", '{"city": "Paris"}'),)), Reply("22 degrees.", audio=SECOND))
    ran = []

    @stage.session.tool
    def get_weather(city: str) -> str:
        """The weather."""
        ran.append(city)
        return "22 degrees"

    stage.asked()
    stage.until(lambda: stage.page.played and stage.page.played[-1][2])
    assert ran == ["Paris"]


# ---------------------------------------------------------------- trouble
def test_a_refusal_is_told(play: Play) -> None:
    """An answer that fails, and an error that is nobody's, show as notes."""
    stage = play(Reply(error=("server_error", "The model is on fire.")))
    stage.asked()
    stage.until(lambda: stage.duplex.note)
    assert stage.duplex.note.text == "The model is on fire."
    error = {"type": "invalid_request_error", "code": "session_expired", "message": "Your session hit the maximum."}
    stage.server.push({"type": "error", "event_id": "e", "error": {**error, "param": None, "event_id": None}})
    stage.until(lambda: "maximum" in stage.duplex.note.text)
    assert stage.duplex.note.todo == "session = rt.connect()"


def test_the_end_of_the_session_is_told_with_what_to_do(play: Play) -> None:
    """A closed session shows as closed, and how to go on."""
    stage = play()
    stage.session.close()
    stage.until(lambda: stage.duplex.now.phase == "closed")
    assert stage.duplex.note.todo == "session = rt.connect()"
    stage.duplex.microphone(CHUNK)
    stage.page.tell("hold", on=True)
    stage.page.tell("type", text="Anybody?")
    call_on(stage.session.actor.loop, stage.duplex.stop())


def test_what_was_said_before_is_there(play: Play) -> None:
    """A page that comes late sees the whole conversation."""
    stage = play(Reply("Nile."))
    stage.session.say("Rivers?")
    late = Duplex(stage.session.actor, Page(), lambda: None)
    call_on(stage.session.actor.loop, late.start())
    assert [item.words for item in late.fold.items] == ["Rivers?", "Nile."]
    call_on(stage.session.actor.loop, late.stop())


# ---------------------------------------------------------------- faults
def test_a_fault_of_the_talk_ends_the_talk_and_not_the_session(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the talk stumbles over never reaches the session's reader: the talk says so, and the session answers."""
    stage = play(Reply("Nile."))

    def stumble(*_: object) -> None:
        raise KeyError("response_7")

    monkeypatch.setitem(_WIRE, ev.InputAudioBufferSpeechStarted, stumble)
    stage.server.push(STARTED)
    stage.until(lambda: stage.duplex.now.closed)
    assert stage.duplex.broken
    assert stage.duplex.note is not None
    assert stage.duplex.note.text == "The talk broke off: KeyError: 'response_7'. The session goes on."
    assert stage.session.say("Rivers?").text == "Nile."


def test_a_command_that_fails_is_told_and_the_next_one_is_done(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong on the way to the server, the microphone after it is heard."""
    stage = play()

    async def fail() -> None:
        raise TimeoutError("waited 5 s")

    monkeypatch.setattr(stage.duplex._uplink, "_interrupt", fail)
    stage.page.tell("stop")
    stage.until(lambda: stage.duplex.note)
    assert stage.duplex.note is not None
    assert stage.duplex.note.text == "waited 5 s"
    stage.duplex.microphone(CHUNK)
    assert stage.server.wait_for("input_audio_buffer.append")
