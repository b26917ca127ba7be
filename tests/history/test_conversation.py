"""How conversations look in the frames: voices, interruptions, tools, edits, orders."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.items import FunctionCall, InputAudio, InputText, Message, OutputText
from realtime_nb.protocol.session_config import ServerVad


def vad(silence_ms: int) -> dict[str, Any]:
    """Turn detection that waits so long."""
    return {"turn_detection": {"type": "server_vad", "silence_duration_ms": silence_ms}}


def spoken_turn(wire: Any) -> None:
    """Two seconds of sound, the speech in it from 0.3 to 1.5 s, and an answer of one second."""
    wire.session(**vad(200))
    wire.speak(2.0, at=10.0)
    wire.hear("u1", 0, 1700, at=11.75)
    wire.begin("r1", 11.8)
    wire.open("r1", "a1", previous="u1")
    wire.delta("output_audio_transcript", "r1", "a1", "It is noon.", 11.9)
    wire.sound("r1", "a1", 600, 12.0)
    wire.sound("r1", "a1", 400, 12.1)
    wire.get(
        "conversation.item.input_audio_transcription.completed", 12.2, item_id="u1", content_index=0,
        transcript="What time is it?", usage={"type": "duration", "seconds": 2.0},
    )  # fmt: skip
    wire.close("r1", "a1", [{"type": "output_audio", "transcript": "It is noon."}], previous="u1")
    details = {
        "text_tokens": 59,
        "audio_tokens": 73,
        "cached_tokens": 64,
        "cached_tokens_details": {"audio_tokens": 64},
    }
    usage = {
        "total_tokens": 320,
        "input_tokens": 132,
        "output_tokens": 188,
        "input_token_details": details,
        "output_token_details": {"text_tokens": 41, "audio_tokens": 147},
    }
    wire.done("r1", 12.3, usage=usage)


def test_a_spoken_turn(wire: Any) -> None:
    """Latency counts from when the last word was sent: the sample at ``audio_end_ms`` minus the silence."""
    spoken_turn(wire)
    turn = wire.frames.turns.iloc[0]
    assert turn["speech_end_s"] == pytest.approx(11.5)
    assert turn[["first_text_ms", "first_audio_ms", "total_ms"]].tolist() == pytest.approx([400, 500, 800])
    assert (turn["input"], turn["output"]) == ("What time is it?", "It is noon.")
    assert turn[["input_s", "output_s"]].tolist() == pytest.approx([1.7, 1.0])
    assert turn["cost_usd"] == pytest.approx(0.003183, abs=1e-9)
    assert turn[["input_tokens", "cached_tokens", "output_tokens"]].tolist() == [132, 64, 188]
    history = wire.frames.history
    assert history["transcript"].tolist() == ["What time is it?", "It is noon."]
    assert history["audio_s"].tolist() == pytest.approx([1.7, 1.0])
    assert history["text"].isna().all()
    assert wire.frames.usage["cost_usd"].sum() == pytest.approx(0.003183, abs=1e-9)


@pytest.mark.parametrize("conversation_first", [True, False])
def test_both_orders_of_the_end(wire: Any, conversation_first: bool) -> None:
    """``conversation.item.done`` may come before or after ``response.output_item.done``."""
    wire.type("hello", "u1", at=1.0)
    wire.send(ev.ResponseCreate())
    wire.begin("r1", 1.1)
    wire.open("r1", "a1", previous="u1")
    content = [{"type": "output_text", "text": "Good day"}]
    wire.close("r1", "a1", content, previous="u1", conversation_first=conversation_first)
    wire.done("r1", 1.2)
    history = wire.frames.history
    assert history["item_id"].tolist() == ["u1", "a1"]
    assert history["turn"].tolist() == [1, 1]
    assert history["text"].tolist() == ["hello", "Good day"]


def test_item_before_its_response_says_so(wire: Any) -> None:
    """A reply that enters the conversation before ``response.output_item.added`` is still no input of the next turn."""
    wire.type("hello", "u1", at=1.0)
    wire.begin("r1", 1.1)
    item = {"id": "a1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    wire.get("conversation.item.added", item=item, previous_item_id="u1")
    wire.get("response.output_item.added", response_id="r1", output_index=0, item=item)
    wire.done("r1", 1.2)
    wire.type("more", "u2", previous="a1")
    wire.begin("r2", 1.3)
    assert wire.frames.history["turn"].tolist() == [1, 1, 2]
    assert wire.frames.turns["input"].tolist() == ["hello", "more"]


def test_servers_that_never_add(wire: Any) -> None:
    """A reply is in the history even when the server leaves out ``conversation.item.added`` for it."""
    wire.type("hello", "u1", at=1.0)
    wire.begin("r1", 1.1)
    item = {"id": "a1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hi"}]}
    wire.done("r1", 1.2, output=[item])
    assert wire.frames.history["item_id"].tolist() == ["u1", "a1"]
    assert wire.frames.turns["output"].tolist() == ["hi"]


def test_late_and_unordered_transcripts(wire: Any) -> None:
    """Transcripts find their item whenever they come, in pieces or whole."""
    wire.session(**vad(200))
    wire.speak(4.0, at=0.0)
    wire.hear("u1", 0, 1200, at=1.3)
    wire.hear("u2", 1500, 3200, at=3.3, previous="u1")
    place = {"content_index": 0, "usage": {"type": "duration", "seconds": 1}}
    kind = "conversation.item.input_audio_transcription"
    wire.get(f"{kind}.delta", 4.0, item_id="u2", content_index=0, delta="sec")
    assert wire.frames.history["transcript"].fillna("").tolist() == ["", "sec"]
    wire.get(f"{kind}.completed", item_id="u2", transcript="second", **place)
    wire.get(f"{kind}.completed", item_id="u1", transcript="first", **place)
    assert wire.frames.history["transcript"].tolist() == ["first", "second"]
    assert wire.frames.history["turn"].isna().all()


def interrupted_reply(wire: Any, *, cut_ms: int) -> None:
    """Two clauses of one second each; the user hears `cut_ms` of them."""
    wire.session(**vad(200))
    wire.type("tell me", "u1", at=1.0)
    wire.send(ev.ResponseCreate())
    wire.begin("r1", 1.1)
    wire.open("r1", "a1", previous="u1")
    for index, clause in enumerate(("One two three. ", "Four five six.")):
        wire.delta("output_audio_transcript", "r1", "a1", clause, 1.2 + index)
        wire.sound("r1", "a1", 1000, 1.3 + index)
    wire.get("input_audio_buffer.speech_started", 2.5, item_id="u2", audio_start_ms=100)
    said = [{"type": "output_audio", "transcript": "One two three. Four five six."}]
    wire.close("r1", "a1", said, status="incomplete", previous="u1")
    wire.done("r1", 2.6, status="cancelled", status_details={"type": "cancelled", "reason": "turn_detected"})
    if cut_ms >= 0:
        wire.send(ev.ConversationItemTruncate(item_id="a1", content_index=0, audio_end_ms=cut_ms))
        wire.get("conversation.item.truncated", item_id="a1", content_index=0, audio_end_ms=cut_ms)


@pytest.mark.parametrize(
    ("cut_ms", "words"),
    [
        (0, ""),
        (500, "One two"),
        (1000, "One two three."),
        (1600, "One two three. Four"),
        (2000, "One two three. Four five six."),
    ],
)
def test_barge_in(wire: Any, cut_ms: int, words: str) -> None:
    """A cut reply keeps the length that was heard and its words; the turn tells where it was cut and why."""
    interrupted_reply(wire, cut_ms=cut_ms)
    reply = wire.frames.history.iloc[1]
    assert (reply["status"], reply["transcript"]) == ("truncated", words)
    assert reply["audio_s"] == cut_ms / 1000
    turn = wire.frames.turns.iloc[0]
    assert (turn["status"], turn["reason"]) == ("cancelled", "turn_detected")
    assert turn["interrupted_at_ms"] == cut_ms
    assert turn["output_s"] == cut_ms / 1000


def test_a_cancelled_reply_that_nobody_truncates(wire: Any) -> None:
    """A reply that was cancelled only is interrupted where its sound ended."""
    interrupted_reply(wire, cut_ms=-1)
    assert wire.frames.turns["interrupted_at_ms"].tolist() == [2000]
    assert wire.frames.history["status"].tolist() == ["completed", "incomplete"]


def test_late_pieces_of_a_cut_reply(wire: Any) -> None:
    """What arrives of a reply after it was cut does not come back into the history."""
    interrupted_reply(wire, cut_ms=500)
    wire.sound("r1", "a1", 300)
    wire.delta("output_audio_transcript", "r1", "a1", " Seven.")
    wire.close("r1", "a1", [{"type": "output_audio", "transcript": "all of it"}], previous="u1")
    reply = wire.frames.history.iloc[1]
    assert (reply["transcript"], reply["audio_s"], reply["status"]) == ("One two", 0.5, "truncated")


def test_retrieved_words_are_exact(wire: Any) -> None:
    """The server's own words of a cut reply replace the estimate."""
    interrupted_reply(wire, cut_ms=500)
    content = [{"type": "output_audio", "transcript": "One two thr"}]
    item = {"id": "a1", "type": "message", "role": "assistant", "status": "incomplete", "content": content}
    wire.get("conversation.item.retrieved", item=item)
    reply = wire.frames.history.iloc[1]
    assert (reply["transcript"], reply["status"]) == ("One two thr", "truncated")


def test_words_without_spaces_are_cut_anywhere(wire: Any) -> None:
    """A script without spaces keeps its share of characters."""
    wire.begin("r1", 1.0)
    wire.open("r1", "a1")
    wire.delta("output_audio_transcript", "r1", "a1", "今日は良い天気です")
    wire.sound("r1", "a1", 900)
    wire.get("conversation.item.truncated", item_id="a1", content_index=0, audio_end_ms=300)
    assert wire.frames.history["transcript"].tolist() == ["今日は"]


def test_tool_round_trip(wire: Any) -> None:
    """A call and its output are items; the answer to the output is a turn of its own."""
    wire.type("weather?", "u1", at=1.0)
    wire.send(ev.ResponseCreate())
    wire.begin("r1", 1.1)
    call = {"id": "f1", "type": "function_call", "status": "in_progress", "name": "weather", "call_id": "call_1"}
    wire.get("response.output_item.added", response_id="r1", output_index=0, item={**call, "arguments": ""})
    wire.get("conversation.item.added", item={**call, "arguments": ""}, previous_item_id="u1")
    place = {"response_id": "r1", "item_id": "f1", "output_index": 0, "call_id": "call_1"}
    wire.get("response.function_call_arguments.delta", delta='{"city":', **place)
    wire.get("response.function_call_arguments.delta", delta=' "Oslo"}', **place)
    assert wire.frames.history["arguments"].tolist()[1] == '{"city": "Oslo"}'
    arguments = '{"city": "Oslo"}'
    wire.get("response.function_call_arguments.done", name="weather", arguments=arguments, **place)
    done = {**call, "status": "completed", "arguments": arguments}
    wire.get("response.output_item.done", response_id="r1", output_index=0, item=done)
    wire.get("conversation.item.done", item=done, previous_item_id="u1")
    wire.done("r1", 1.4, output=[done])
    wire.answer_call("call_1", '{"celsius": 4}', "o1")
    wire.send(ev.ResponseCreate(), 1.5)
    wire.begin("r2", 1.6)
    wire.open("r2", "a2", previous="o1")
    wire.delta("output_text", "r2", "a2", "Four degrees.", 1.8)
    history = wire.frames.history
    assert history["type"].tolist() == ["message", "function_call", "function_call_output", "message"]
    assert history["turn"].tolist() == [1, 1, 2, 2]
    assert history.loc[1, ["name", "call_id", "arguments"]].tolist() == ["weather", "call_1", arguments]
    assert history.loc[2, ["call_id", "output", "status"]].tolist() == ["call_1", '{"celsius": 4}', "completed"]
    turns = wire.frames.turns
    assert turns["input"].tolist() == ["weather?", '{"celsius": 4}']
    assert pd.isna(turns.loc[0, "first_text_ms"])
    assert turns.loc[1, "first_text_ms"] == pytest.approx(300)


def test_order_is_the_conversations(wire: Any) -> None:
    """Rows follow ``previous_item_id``, not arrival; ``root`` is the beginning."""
    wire.type("one", "a")
    wire.type("two", "b", previous="a")
    wire.type("between", "c", previous="a")
    first = Message(id="z", role="system", content=(InputText(text="zero"),))
    wire.send(ev.ConversationItemCreate(item=first, previous_item_id="root"))
    wire.add("z", [{"type": "input_text", "text": "zero"}], role="system")
    wire.type("no place named", "d")
    assert wire.frames.history["item_id"].tolist() == ["z", "a", "c", "b", "d"]


def test_an_item_behind_itself_goes_to_the_end(wire: Any) -> None:
    """A place that cannot be is no place: the item stays where it is, a new one goes to the end, and all have rows."""
    wire.type("one", "a")
    wire.type("two", "b", previous="b")
    wire.add("a", [{"type": "input_text", "text": "one"}], previous="a")
    assert wire.frames.history["item_id"].tolist() == ["a", "b"]


def test_deleted_rows_stay(wire: Any) -> None:
    """A deleted item keeps its row and its place, with the status ``deleted``; what it said remains to be seen."""
    wire.text_turn(1, at=1.0)
    wire.send(ev.ConversationItemDelete(item_id="a1"))
    wire.get("conversation.item.deleted", item_id="a1")
    wire.type("next", "u2", previous="u1")
    history = wire.frames.history
    assert history["item_id"].tolist() == ["u1", "a1", "u2"]
    assert history["status"].tolist() == ["completed", "deleted", "completed"]
    assert history["text"].tolist() == ["question 1", "answer 1", "next"]


def test_whole_clips_end_when_they_are_sent(wire: Any) -> None:
    """A clip in one piece is as long as its bytes; its speech ended when it was sent."""
    clip = Message(id="u1", role="user", content=(InputAudio(audio=bytes(48 * 1500)),))
    wire.send(ev.ConversationItemCreate(item=clip), 5.0)
    wire.add("u1", [{"type": "input_audio", "transcript": None}])
    wire.send(ev.ResponseCreate(), 5.1)
    wire.begin("r1", 5.2)
    wire.open("r1", "a1", previous="u1")
    wire.sound("r1", "a1", 60, 5.5)
    turn = wire.frames.turns.iloc[0]
    assert turn[["input_s", "speech_end_s", "first_audio_ms"]].tolist() == pytest.approx([1.5, 5.0, 500])
    assert wire.frames.history.loc[0, "created_s"] == 5.0


def test_push_to_talk(wire: Any) -> None:
    """A piece the client commits itself is as long as what was appended since, and ends with its last chunk."""
    wire.session(turn_detection=None)
    wire.speak(1.0, at=0.0)
    wire.send(ev.InputAudioBufferClear(), 1.5)
    wire.speak(0.7, at=2.0)
    wire.send(ev.InputAudioBufferCommit(event_id="x"), 3.0)
    wire.send(ev.ResponseCreate())
    wire.get("input_audio_buffer.committed", 3.1, item_id="u1")
    wire.add("u1", [{"type": "input_audio", "transcript": None}])
    wire.begin("r1", 3.2)
    wire.open("r1", "a1", previous="u1")
    wire.sound("r1", "a1", 60, 3.3)
    turn = wire.frames.turns.iloc[0]
    assert turn[["input_s", "speech_end_s", "first_audio_ms"]].tolist() == pytest.approx([0.7, 2.7, 600])


def test_pictures(wire: Any) -> None:
    """A picture is named by type and size, even if the server does not send it back."""
    wire.show("u1")
    assert wire.frames.history["image"].tolist() == ["image/png, 6 bytes"]


def test_out_of_band(wire: Any) -> None:
    """A response beside the conversation is a turn, but neither its items nor the waiting ones are touched."""
    wire.type("hello", "u1", at=1.0)
    wire.send(ev.ResponseCreate(response=ev.ResponseParams(conversation="none")), 1.1)
    wire.send(ev.ResponseCreate(), 1.2)
    wire.begin("r2", 1.3)
    wire.begin("r1", 1.4, conversation_id=None)
    wire.get(
        "response.output_item.added", response_id="r1", output_index=0,
        item={"id": "x1", "type": "message", "role": "assistant", "status": "in_progress", "content": []},
    )  # fmt: skip
    wire.delta("output_text", "r1", "x1", "topic: greeting", 1.6)
    wire.open("r2", "a2", previous="u1")
    turns = wire.frames.turns.set_index("response_id")
    assert turns["output"].fillna("").to_dict() == {"r2": "", "r1": "topic: greeting"}
    assert turns["input"].fillna("").to_dict() == {"r2": "hello", "r1": ""}
    assert turns.loc["r1", "first_text_ms"] == pytest.approx(500)
    assert wire.frames.history["item_id"].tolist() == ["u1", "a2"]


def test_refused_requests_are_not_waited_for(wire: Any) -> None:
    """A ``response.create`` that was refused does not lend its time to the next response."""
    wire.type("hello", "u1", at=1.0)
    wire.send(ev.ResponseCreate(event_id="c1"), 1.0)
    wire.get("error", error={"code": "conversation_already_has_active_response", "message": "no", "event_id": "c1"})
    wire.send(ev.ResponseCreate(event_id="c2"), 5.0)
    wire.begin("r1", 5.1)
    wire.done("r1", 5.2)
    assert wire.frames.turns["total_ms"].tolist() == pytest.approx([200])


def test_failed_responses(wire: Any) -> None:
    """A failed response shows the error's code as its reason and costs nothing it did not use."""
    wire.begin("r1", 1.0)
    error = {"type": "tokens", "code": "rate_limit_exceeded", "message": "try again in 6 s"}
    wire.done("r1", 1.1, status="failed", status_details={"type": "failed", "error": error})
    turn = wire.frames.turns.iloc[0]
    assert (turn["status"], turn["reason"]) == ("failed", "rate_limit_exceeded")
    assert pd.isna(turn["cost_usd"])
    assert len(wire.frames.usage) == 0


def test_a_response_is_billed_once(wire: Any) -> None:
    """A repeated ``response.done`` does not add to the usage."""
    for _ in range(2):
        wire.done("r1", 1.1, usage={"input_tokens": 10, "output_tokens": 5, "total_tokens": 15})
    assert wire.frames.usage["tokens"].sum() == 15


def test_injected_history(wire: Any) -> None:
    """Items that a client puts in belong to the next response; only what was said is its input."""
    for item in (
        Message(role="system", content=(InputText(text="be short"),)),
        Message(role="assistant", content=(OutputText(text="earlier"),)),
    ):
        wire.send(ev.ConversationItemCreate(item=item))
    wire.add("s", [{"type": "input_text", "text": "be short"}], role="system")
    wire.add("a0", [{"type": "output_text", "text": "earlier"}], previous="s", role="assistant")
    wire.type("hello", "u1", previous="a0")
    wire.begin("r1", 1.0)
    assert wire.frames.history["turn"].tolist() == [1, 1, 1]
    assert wire.frames.turns["input"].tolist() == ["hello"]


def test_injected_calls_keep_their_fields(wire: Any) -> None:
    """A call that a client puts in has its name and arguments."""
    call = FunctionCall(id="f", name="add", call_id="c", arguments='{"a": 1}')
    wire.send(ev.ConversationItemCreate(item=call))
    item = {"id": "f", "type": "function_call", "name": "add", "call_id": "c", "arguments": '{"a": 1}'}
    wire.get("conversation.item.added", item=item)
    assert wire.frames.history.loc[0, ["name", "arguments"]].tolist() == ["add", '{"a": 1}']


def test_media_tracks(wire: Any) -> None:
    """Where sound goes by media tracks, times come from the events that tell of it."""
    wire.session(**vad(500))
    wire.hear("u1", 0, 2000, at=3.0)
    wire.begin("r1", 3.1)
    wire.get("output_audio_buffer.started", 3.4, response_id="r1")
    turn = wire.frames.turns.iloc[0]
    assert turn[["speech_end_s", "first_audio_ms", "input_s"]].tolist() == pytest.approx([2.5, 900, 2.0])


def test_g711_is_eight_bytes_a_millisecond(wire: Any) -> None:
    """Lengths follow the session's formats."""
    wire.get(
        "session.created",
        session={
            "type": "realtime",
            "audio": {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcma"}}},
        },
    )
    assert ServerVad().silence_duration_ms == 200
    for index in range(20):
        wire.send(ev.InputAudioBufferAppend(audio=bytes(800)), 0.1 * (index + 1))
    wire.hear("u1", 0, 1200, at=2.1)
    wire.begin("r1", 2.2)
    wire.open("r1", "a1", previous="u1")
    wire.delta("output_audio", "r1", "a1", "AAAA" * 800)
    assert wire.frames.turns["speech_end_s"].tolist() == pytest.approx([1.0])
    assert wire.frames.history["audio_s"].tolist() == pytest.approx([1.2, 0.3])


def test_nobody_answers_the_idle_question(wire: Any) -> None:
    """A turn that silence made has no end of speech: it counts from ``response.created``."""
    wire.session(**vad(200))
    wire.speak(6.0, at=0.0)
    wire.get("input_audio_buffer.timeout_triggered", 6.0, item_id="u1", audio_start_ms=0, audio_end_ms=6000)
    wire.get("input_audio_buffer.committed", item_id="u1")
    wire.begin("r1", 6.2)
    wire.open("r1", "a1", previous="u1")
    wire.sound("r1", "a1", 100, 6.5)
    turn = wire.frames.turns.iloc[0]
    assert pd.isna(turn["speech_end_s"])
    assert turn["first_audio_ms"] == pytest.approx(300)


def test_a_new_connection_counts_its_sound_from_zero(wire: Any) -> None:
    """After a reconnect, audio time begins again and the earlier conversation stays in the frames."""
    spoken_turn(wire)
    wire.session(**vad(200))
    wire.speak(2.0, at=100.0)
    wire.hear("v1", 0, 1700, at=101.8)
    wire.begin("r9", 102.0)
    assert wire.frames.turns["speech_end_s"].tolist() == pytest.approx([11.5, 101.5])
    assert wire.frames.history["item_id"].tolist() == ["u1", "a1", "v1"]
