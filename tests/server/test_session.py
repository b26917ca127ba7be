"""Sessions over a real socket, with stub stages: what a client may do, and what comes of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

TEXT_TURN = [
    "conversation.item.added",
    "conversation.item.done",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
VOICE_TURN = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.input_audio_transcription.delta",
    "conversation.item.input_audio_transcription.completed",
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio.delta",
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]
TRANSCRIBED = {"input": {"transcription": {"model": "whisper-1"}}}
BY_HAND = {"input": {"turn_detection": None}}


def once_each(types: list[str]) -> list[str]:
    """The types without what repeats one seen before, except where items and parts come again."""
    seen: list[str] = []
    for name in types:
        if name not in seen or (name.startswith("conversation.item.") and not name.endswith("delta")):
            seen.append(name)
    return seen


def heard_ms(caller: Any) -> float:
    """How much sound has been received."""
    return sum(len(base64.b64decode(event["delta"])) for event in caller.all("response.output_audio.delta")) / 48


# ---------------------------------------------------------------- text
def test_a_text_turn(caller: Any) -> None:
    """A written question gets a written answer, in the canonical order, with usage to every sub-field."""
    caller.update(output_modalities=["text"])
    done = caller.say("Name a river.")
    order = caller.between("session.updated", "response.done")[1:]
    assert once_each(order) == TEXT_TURN
    assert done["status"] == "completed"
    [item] = done["output"]
    text = item["content"][0]["text"]
    assert text
    assert text == "".join(event["delta"] for event in caller.all("response.output_text.delta"))
    usage = done["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["input_token_details"].keys() == {
        "text_tokens",
        "audio_tokens",
        "image_tokens",
        "cached_tokens",
        "cached_tokens_details",
    }
    assert usage["output_token_details"]["text_tokens"] > 0
    assert caller.receive()["type"] == "rate_limits.updated"


def test_every_event_has_its_own_id_and_items_name_the_one_before(caller: Any) -> None:
    """Event ids are unique, and ``previous_item_id`` chains the items from null on."""
    caller.say("One.", output_modalities=["text"])
    caller.say("Two.", output_modalities=["text"])
    ids = [event["event_id"] for event in caller.events]
    assert len(set(ids)) == len(ids)
    added = caller.all("conversation.item.added")
    assert [event["previous_item_id"] for event in added] == [None, *(event["item"]["id"] for event in added[:-1])]


def test_answers_depend_on_the_question(caller: Any) -> None:
    """Different questions get different answers."""
    texts = {
        caller.say(question, output_modalities=["text"])["output"][0]["content"][0]["text"]
        for question in ("Name a river.", "Name a city.")
    }
    assert len(texts) == 2


def test_a_spoken_answer_to_a_written_question(caller: Any) -> None:
    """Sound comes with its words, first the words of a clause; the item holds the transcript."""
    done = caller.say("Name a river.")
    part = done["output"][0]["content"][0]
    assert part["type"] == "output_audio"
    assert part["transcript"] == "".join(
        event["delta"] for event in caller.all("response.output_audio_transcript.delta")
    )
    deltas = [event["type"] for event in caller.events if event["type"].endswith("delta")]
    assert deltas[0] == "response.output_audio_transcript.delta"
    tokens = done["usage"]["output_token_details"]
    assert tokens["audio_tokens"] == pytest.approx(heard_ms(caller) / 50, abs=1)
    assert tokens["text_tokens"] > 0


# ---------------------------------------------------------------- voice
def test_a_spoken_turn(caller: Any) -> None:
    """Speech is detected, committed, transcribed and answered, in the canonical order, with nothing asked for."""
    caller.update(audio=TRANSCRIBED)
    caller.speak()
    done = caller.until("response.done")["response"]
    assert once_each(caller.between("session.updated", "response.done")[1:]) == VOICE_TURN
    assert done["status"] == "completed"
    started = caller.all("input_audio_buffer.speech_started")[0]
    stopped = caller.all("input_audio_buffer.speech_stopped")[0]
    committed = caller.all("input_audio_buffer.committed")[0]
    assert started["item_id"] == stopped["item_id"] == committed["item_id"]
    assert isinstance(started["audio_start_ms"], int)
    assert 0 <= started["audio_start_ms"] < stopped["audio_end_ms"] <= 1400
    completed = caller.all("conversation.item.input_audio_transcription.completed")[0]
    assert completed["transcript"]
    assert completed["usage"]
    assert done["usage"]["input_token_details"]["audio_tokens"] > 0


def test_silence_makes_no_turn(caller: Any) -> None:
    """Two seconds of nothing start no turn; what is asked afterwards is answered."""
    caller.append(bytes(96_000))
    assert caller.works()
    assert not caller.all("input_audio_buffer.speech_started")


def test_a_turn_committed_by_hand(caller: Any) -> None:
    """Without turn detection the client commits, and asks for the answer; no speech events come."""
    caller.update(audio=BY_HAND)
    caller.speak(silence_ms=0)
    caller.send("input_audio_buffer.commit")
    caller.until("conversation.item.done")
    caller.send("response.create")
    assert caller.until("response.done")["response"]["status"] == "completed"
    assert not caller.all("input_audio_buffer.speech_started")
    assert "input_audio_buffer.committed" in caller.between("session.updated", "response.done")


def test_turns_are_timed_right_after_push_to_talk(caller: Any) -> None:
    """When detection is switched on late, the turn's times still count from the session's first sound."""
    caller.update(audio=BY_HAND)
    caller.append(bytes(48_000))
    caller.send("input_audio_buffer.clear")
    caller.until("input_audio_buffer.cleared")
    caller.update(audio={"input": {"turn_detection": {"type": "server_vad", "prefix_padding_ms": 0}}})
    caller.append(bytes(24_000))
    caller.speak()
    caller.until("response.done")
    assert 1400 <= caller.all("input_audio_buffer.speech_started")[0]["audio_start_ms"] <= 1600


@pytest.mark.parametrize("ms", [0, 99])
def test_too_little_sound_is_not_committed(caller: Any, ms: Any) -> None:
    """Less than 100 ms is refused, and the refusal says how much there is."""
    caller.update(audio=BY_HAND)
    if ms:
        caller.append(bytes(48 * ms))
    caller.send("input_audio_buffer.commit", event_id="mine")
    error = caller.until("error")["error"]
    assert error["code"] == "input_audio_buffer_commit_empty"
    assert error["event_id"] == "mine"
    assert f"{ms}.00ms" in error["message"]


def test_g711_both_ways(caller: Any) -> None:
    """A telephone's format is heard and spoken."""
    caller.update(audio={"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcma"}}})
    done = caller.say("Name a river.")
    assert done["status"] == "completed"
    audio = sum(len(base64.b64decode(event["delta"])) for event in caller.all("response.output_audio.delta"))
    assert done["usage"]["output_token_details"]["audio_tokens"] == pytest.approx(audio / 8 / 50, abs=1)
    caller.append(b"\xff" * 16_000)
    assert caller.works()


# ---------------------------------------------------------------- interrupting
def test_a_response_is_cancelled(serve: Any, dial: Any, slow_engine: Any) -> None:
    """``response.cancel`` ends the response with its parts closed, and the next one works."""
    caller = dial(serve(engine=slow_engine))
    caller.until("session.created")
    caller.update(output_modalities=["text"])
    part = {"type": "input_text", "text": "Count to a thousand."}
    caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
    caller.send("response.create")
    caller.until("response.output_text.delta")
    caller.send("response.cancel")
    done = caller.until("response.done")["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "client_cancelled")
    assert done["output"][0]["status"] == "incomplete"
    types = caller.between("response.created", "response.done")
    for part in ("response.output_text.done", "response.content_part.done", "response.output_item.done"):
        assert part in types
    slow_engine.llm.finish()
    assert caller.works()


def test_speech_interrupts_a_response(serve: Any, dial: Any, slow_engine: Any) -> None:
    """Speaking over an answer ends it as ``turn_detected``, before the new turn is committed."""
    caller = dial(serve(engine=slow_engine))
    caller.until("session.created")
    caller.send("conversation.item.create", item=user("Count to a thousand."))
    caller.send("response.create")
    caller.until("response.output_audio.delta")
    caller.speak()
    done = caller.until("response.done")["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
    caller.until("input_audio_buffer.committed")
    order = [event["type"] for event in caller.events]
    assert order.index("input_audio_buffer.speech_started") < order.index("response.done")
    assert order.index("response.done") < order.index("input_audio_buffer.committed")
    slow_engine.llm.finish()
    assert caller.until("response.done")["response"]["status"] == "completed"


def test_speech_does_not_interrupt_where_it_may_not(serve: Any, dial: Any, slow_engine: Any) -> None:
    """With ``interrupt_response`` off the answer goes on under the user's speech."""
    caller = dial(serve(engine=slow_engine))
    caller.until("session.created")
    detection = {"type": "server_vad", "interrupt_response": False, "create_response": False}
    caller.update(audio={"input": {"turn_detection": detection}})
    caller.send("conversation.item.create", item=user("Count to a thousand."))
    caller.send("response.create")
    caller.until("response.output_audio.delta")
    caller.speak()
    caller.until("input_audio_buffer.committed")
    slow_engine.llm.finish()
    assert caller.until("response.done")["response"]["status"] == "completed"


def test_only_one_response_at_a_time(serve: Any, dial: Any, slow_engine: Any) -> None:
    """A second response is refused, with the first one's id, while the first goes on."""
    caller = dial(serve(engine=slow_engine))
    caller.until("session.created")
    caller.send("response.create", response={"output_modalities": ["text"]})
    name = caller.until("response.created")["response"]["id"]
    caller.send("response.create", event_id="second")
    error = caller.until("error")["error"]
    assert error["code"] == "conversation_already_has_active_response"
    assert error["event_id"] == "second"
    assert name in error["message"]
    slow_engine.llm.finish()
    assert caller.until("response.done")["response"]["status"] == "completed"


def test_cancelling_nothing_is_an_error_and_no_more(caller: Any) -> None:
    """There is nothing to cancel, and a turn works afterwards."""
    caller.send("response.cancel")
    assert caller.until("error")["error"]["code"] == "response_cancel_not_active"
    assert caller.works()


# ---------------------------------------------------------------- items
def user(text: str) -> dict:
    """A written message of the user."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def test_items_are_created_retrieved_and_deleted(caller: Any) -> None:
    """An item keeps the id the client chose, can be put first, read back, and taken away."""
    caller.send("conversation.item.create", item={"id": "b", **user("Second.")})
    caller.send("conversation.item.create", item={"id": "a", **user("First.")}, previous_item_id="root")
    caller.until("conversation.item.done")
    assert caller.until("conversation.item.done")["previous_item_id"] is None
    caller.send("conversation.item.retrieve", item_id="a")
    assert caller.until("conversation.item.retrieved")["item"]["content"][0]["text"] == "First."
    caller.send("conversation.item.delete", item_id="a")
    assert caller.until("conversation.item.deleted")["item_id"] == "a"
    for verb in ("retrieve", "delete", "truncate"):
        more = {"content_index": 0, "audio_end_ms": 0} if verb == "truncate" else {}
        caller.send(f"conversation.item.{verb}", item_id="a", event_id=verb, **more)
        error = caller.until("error")["error"]
        assert (error["code"], error["event_id"]) == (f"item_{verb}_invalid_item_id", verb)


def test_a_spoken_answer_is_cut_where_the_listener_stopped(caller: Any) -> None:
    """Truncating shortens sound and words; beyond the end it is refused."""
    done = caller.say("Name a river.")
    item = done["output"][0]
    whole = item["content"][0]["transcript"]
    cut = {"item_id": item["id"], "content_index": 0}
    caller.send("conversation.item.truncate", **cut, audio_end_ms=100)
    assert caller.until("conversation.item.truncated")["audio_end_ms"] == 100
    caller.send("conversation.item.retrieve", item_id=item["id"])
    part = caller.until("conversation.item.retrieved")["item"]["content"][0]
    assert len(base64.b64decode(part["audio"])) == 4800
    assert len(part["transcript"]) < len(whole)
    caller.send("conversation.item.truncate", **cut, audio_end_ms=60_000)
    assert "100ms is already shorter than 60000ms" in caller.until("error")["error"]["message"]


def test_what_was_said_can_be_fetched(caller: Any) -> None:
    """A user's spoken item gives back its sound and, where the session transcribes, its words."""
    caller.update(audio=TRANSCRIBED)
    caller.speak()
    caller.until("response.done")
    item_id = caller.all("input_audio_buffer.committed")[0]["item_id"]
    caller.send("conversation.item.retrieve", item_id=item_id)
    part = caller.until("conversation.item.retrieved")["item"]["content"][0]
    assert part["transcript"]
    assert len(base64.b64decode(part["audio"])) > 48 * 800


# ---------------------------------------------------------------- the session
def test_a_bad_update_is_refused_whole(caller: Any) -> None:
    """One wrong field, and nothing of the update holds; the error names the field."""
    before = caller.events[0]["session"]
    caller.send("session.update", event_id="u", session={"type": "realtime", "instructions": "Sing.", "bogus": 1})
    error = caller.until("error")["error"]
    assert (error["code"], error["param"], error["event_id"]) == ("unknown_parameter", "session.bogus", "u")
    assert caller.update()["instructions"] == before["instructions"]


def test_the_session_says_who_answers(caller: Any) -> None:
    """The first event names the brain, and when the session ends."""
    session = caller.events[0]["session"]
    assert session["brain"]
    assert session["expires_at"] > 1_700_000_000
    assert session["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200


def test_a_transcription_session_writes_down_and_answers_nothing(serve: Any, dial: Any) -> None:
    """Speech becomes its transcript, no response is made, and asking for one is refused."""
    caller = dial(serve(), "?intent=transcription")
    caller.until("session.created")
    heard = {"transcription": {"model": "whisper-1"}}
    caller.send("session.update", session={"type": "transcription", "audio": {"input": heard}})
    caller.until("session.updated")
    caller.speak()
    done = caller.until("conversation.item.input_audio_transcription.completed")
    assert done["transcript"]
    assert done["usage"]
    caller.send("response.create")
    assert caller.until("error")["error"]["code"] == "invalid_value"
    assert not caller.all("response.created")


def test_two_sessions_at_once_do_not_mix(serve: Any, dial: Any) -> None:
    """Two clients of one server talk at the same time, each with its own conversation."""
    serving = serve()
    callers = [dial(serving), dial(serving)]
    for number, caller in enumerate(callers):
        caller.until("session.created")
        caller.send("conversation.item.create", item={"id": f"item{number}", **user(f"I am number {number}.")})
        caller.send("response.create")
    for caller in callers:
        assert caller.until("response.done")["response"]["status"] == "completed"
    names = [{event["item"]["id"] for event in caller.all("conversation.item.added")} for caller in callers]
    assert not names[0] & names[1]


# ---------------------------------------------------------------- stages that fail
def test_a_brain_that_fails_ends_the_response_and_not_the_session(serve: Any, dial: Any, broken_engine: Any) -> None:
    """A fault of the model is a failed response with its reason; the session goes on."""
    caller = dial(serve(engine=broken_engine("llm")))
    caller.until("session.created")
    for _ in range(2):
        done = caller.say("Hello.")
        assert done["status"] == "failed"
        assert done["status_details"]["error"]["code"] == "server_error"
        assert "broken" in done["status_details"]["error"]["message"]


def test_a_voice_that_fails_ends_the_response_and_not_the_session(serve: Any, dial: Any, broken_engine: Any) -> None:
    """A fault of the voice fails the spoken response; a written one still works."""
    caller = dial(serve(engine=broken_engine("tts")))
    caller.until("session.created")
    assert caller.say("Hello.")["status"] == "failed"
    assert caller.works()


def test_a_recogniser_that_fails_is_reported(serve: Any, dial: Any, broken_engine: Any) -> None:
    """A fault of the recogniser fails the transcription and the response, in words; the session goes on."""
    caller = dial(serve(engine=broken_engine("asr")))
    caller.until("session.created")
    caller.update(audio=TRANSCRIBED)
    caller.speak()
    failed = caller.until("conversation.item.input_audio_transcription.failed")
    assert "broken" in failed["error"]["message"]
    assert caller.until("response.done")["response"]["status"] == "failed"
    assert caller.works()


def test_a_detector_that_fails_deafens_nobody_else(serve: Any, dial: Any, broken_engine: Any) -> None:
    """A fault of the detector leaves the written conversation intact."""
    caller = dial(serve(engine=broken_engine("vad")))
    caller.until("session.created")
    caller.speak()
    assert caller.works()


def test_text_is_kept_to_the_letter(caller: Any) -> None:
    """Scripts of every kind, and lone surrogates as U+FFFD, go in and come back."""
    for text, kept in (("\u4f60\u597d \U0001f642 \u0645", None), ("a\ud800b", "a\ufffdb")):
        caller.socket.send(json.dumps({"type": "conversation.item.create", "item": user(text)}))
        assert caller.until("conversation.item.done")["item"]["content"][0]["text"] == (kept or text)
