"""The small parts: the ledger of sound, the conversation, the session's update, the life of a response."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.errors import LocalProtocolError
from realtime_nb.protocol.conversation import ROOT, Conversation
from realtime_nb.protocol.faults import EventError
from realtime_nb.protocol.formats import Pcm, Pcma, Pcmu, bytes_per_ms, bytes_to_ms, ms_to_bytes, sample_bytes
from realtime_nb.protocol.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    McpApprovalRequest,
    McpListTools,
    Message,
    OutputAudio,
    OutputText,
    audio_index,
    text_of,
)
from realtime_nb.protocol.response import TERMINAL, TRANSITIONS, State, Step, advance, status
from realtime_nb.protocol.server.buffer import Buffer
from realtime_nb.protocol.session_config import (
    RetentionRatio,
    SemanticVad,
    ServerVad,
    Session,
    TranscriptionSession,
    VoiceId,
    merge,
    voice_name,
)
from realtime_nb.protocol.sound import Ledger

MS = 48


# ---------------------------------------------------------------- sound
def test_formats() -> None:
    """PCM has 48 bytes a millisecond, in pairs; G.711 has eight."""
    assert [(bytes_per_ms(f), sample_bytes(f)) for f in (Pcm(), Pcmu(), Pcma())] == [(48, 2), (8, 1), (8, 1)]
    assert (bytes_to_ms(4_800, Pcm()), ms_to_bytes(100, Pcma())) == (100.0, 800)


def ledger(*pieces: tuple[str, int]) -> Ledger:
    """A ledger of these words, each with so much sound."""
    made = Ledger(Pcm())
    for words, ms in pieces:
        made.add(words, bytes(ms * MS))
    return made


@pytest.mark.parametrize(
    ("end_ms", "words"),
    [
        (0, ""),
        (1, ""),
        (999, "Hello"),
        (1_000, "Hello there."),
        (1_001, "Hello there."),
        (1_500, "Hello there. How"),
        (2_000, "Hello there. How are you?"),
    ],
)
def test_cutting_words_with_their_sound(end_ms: int, words: str) -> None:
    """Of a piece that is cut, the share of whole words stays that was heard; pieces after it go."""
    made = ledger(("Hello there.", 1_000), (" How are you?", 1_000))
    made.cut(end_ms)
    assert (made.transcript, made.ms, len(made.audio)) == (words, end_ms, end_ms * MS)


def test_words_and_sound_in_any_portions() -> None:
    """Words without sound yet join the next ones; sound without words belongs to the last."""
    made = ledger(("Hel", 0), ("lo", 0), (" you", 100), ("", 900), (" two", 1_000))
    made.cut(700)
    assert made.transcript == "Hello"
    made.cut(100)
    made.cut(50)
    assert made.transcript == ""
    made = ledger(("", 500), ("late words", 0))
    made.cut(500)
    assert made.transcript == ""


def test_scripts_without_spaces() -> None:
    """Chinese may be cut between any two characters."""
    made = ledger(("你好世界", 1_000))
    made.cut(500)
    assert made.transcript == "你好"


@given(
    st.lists(st.tuples(st.text(max_size=12), st.integers(0, 50)), max_size=8), st.integers(0, 500), st.integers(0, 500)
)
def test_cutting_twice(pieces: list[tuple[str, int]], first: int, second: int) -> None:
    """A cut keeps exactly the sound it should and a prefix of the words; a later, longer cut changes nothing."""
    made = ledger(*pieces)
    whole, words = made.audio, made.transcript
    made.cut(first)
    assert made.audio == whole[: first * MS] == b"".join(made.chunks)
    assert made.size == len(made.audio)
    assert words.startswith(made.transcript)
    once = made.transcript
    made.cut(max(first, second))
    assert made.transcript == once


@given(st.lists(st.tuples(st.integers(1, 80), st.integers(0, 120), st.integers(0, 120)), max_size=12))
def test_no_byte_of_the_buffer_is_used_twice(steps: list[tuple[int, int, int]]) -> None:
    """Whatever is taken, in whatever order, lies where it says and never overlaps what was taken before."""
    buffer, stream, used = Buffer(Pcm()), b"", 0
    for chunk, start, end in steps:
        sound = bytes([len(stream) % 251]) * (chunk * MS)
        buffer.append(sound)
        stream += sound
        span = buffer.take(start, end)
        assert span.audio == stream[span.start_ms * MS : span.end_ms * MS]
        assert span.start_ms >= used or not span.audio
        used = max(used, span.end_ms)
    rest = buffer.take_all()
    assert len(buffer) == 0
    assert rest.audio == stream[rest.start_ms * MS :]


# ---------------------------------------------------------------- items and conversation
def test_words_of_items() -> None:
    """An item's words are those written, spoken, called with, or given back."""
    parts = (InputText(text="a"), InputAudio(transcript="b"), InputAudio(), InputImage(image_url=""))
    assert text_of(Message(role="user", content=parts)) == "a\nb"
    assert text_of(Message(role="assistant", content=(OutputText(text="c"), OutputAudio(transcript="d")))) == "c\nd"
    assert text_of(FunctionCall(name="f", arguments="{}")) == "{}"
    assert text_of(FunctionCallOutput(call_id="", output="1")) == "1"
    assert text_of(McpListTools(server_label="s")) == ""
    assert [audio_index(Message(role="user", content=parts)), audio_index(FunctionCall(name="", arguments=""))] == [
        1,
        None,
    ]
    assert audio_index(Message(role="user", content=())) is None


def test_a_conversation() -> None:
    """Items are found by id and by place; deleting one forgets its calls and its sound."""
    talk = Conversation("conv")
    assert (talk.last, len(talk), talk.get("a")) == (None, 0, None)
    talk.insert(FunctionCall(id="a", call_id="call", name="f", arguments="{}"))
    talk.insert(McpApprovalRequest(id="r", server_label="s", name="f", arguments="{}"), ROOT)
    assert (talk.order, talk.last, "a" in talk) == (("r", "a"), "a", True)
    assert talk.has_call("call")
    talk.listen("a", 0, Pcm()).add(audio=b"\0\0")
    talk.truncate("a", 0, 0)
    assert talk.sound("a", 0) is not None
    talk.delete("a")
    assert (talk.has_call("call"), talk.sound("a", 0), list(talk)) == (False, None, [talk["r"]])
    talk.delete("r")
    assert len(talk) == 0


def test_items_of_another_conversation() -> None:
    """An adopted item shares its sound with the conversation it came from."""
    talk, other = Conversation(), Conversation()
    for name in "ab":
        talk.insert(Message(id=name, role="assistant", content=(OutputAudio(transcript="x"),)))
        talk.listen(name, 0, Pcm()).add("x", b"\0\0")
    other.adopt(talk, "a")
    assert other.sound("a", 0) is talk.sound("a", 0)
    assert other.sound("b", 0) is None


# ---------------------------------------------------------------- session
def test_only_what_is_named_changes() -> None:
    """Below audio, fields are merged one by one; elsewhere a value replaces the other."""
    session = merge(Session(), {"type": "realtime", "audio": {"output": {"voice": "marin"}}})
    assert isinstance(session, Session)
    assert (session.audio.output.voice, session.audio.output.speed, session.audio.input) == (
        "marin",
        1.0,
        Session().audio.input,
    )
    session = merge(session, {"type": "realtime", "audio": {"input": {"turn_detection": {"silence_duration_ms": 700}}}})
    assert session.audio.input.turn_detection == ServerVad(silence_duration_ms=700)
    ratio = {"type": "retention_ratio", "retention_ratio": 0.8}
    assert merge(session, {"type": "realtime", "truncation": ratio}).truncation == RetentionRatio(retention_ratio=0.8)  # type: ignore[union-attr]


def test_another_type_replaces() -> None:
    """Nothing of a server_vad stays in a semantic_vad, nor a rate in a G.711 format."""
    update: dict[str, Any] = {
        "type": "realtime",
        "audio": {"input": {"turn_detection": {"type": "semantic_vad"}, "format": {"type": "audio/pcma"}}},
    }
    session = merge(Session(), update)
    assert (session.audio.input.turn_detection, session.audio.input.format) == (SemanticVad(), Pcma())
    back = {"type": "realtime", "audio": {"input": {"turn_detection": {"type": "server_vad", "threshold": 0.9}}}}
    assert merge(session, back).audio.input.turn_detection == ServerVad(threshold=0.9)


def test_null_clears_what_can_be_null() -> None:
    """Null clears detection and transcription; where it is no value, it changes nothing."""
    session = merge(Session(), {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}})
    cleared = merge(session, {"type": "realtime", "audio": {"input": {"transcription": None, "turn_detection": None}}})
    assert (cleared.audio.input.transcription, cleared.audio.input.turn_detection) == (None, None)
    nulls = {
        "type": "realtime",
        "instructions": None,
        "tools": None,
        "audio": {"output": {"voice": None, "speed": None}},
    }
    assert merge(session, nulls) == session
    assert merge(session, {"type": "realtime", "audio": None}) == session


def test_a_bad_update_changes_nothing() -> None:
    """One bad field refuses the whole."""
    with pytest.raises(EventError, match="bogus"):
        merge(Session(), {"type": "realtime", "instructions": "x", "bogus": 1})
    with pytest.raises(EventError):
        merge(TranscriptionSession(), {"type": "transcription", "instructions": "x"})


def test_voices() -> None:
    """A custom voice is named by its id."""
    session = merge(Session(), {"type": "realtime", "audio": {"output": {"voice": {"id": "voice_1"}}}})
    assert isinstance(session, Session)
    assert session.audio.output.voice == VoiceId(id="voice_1")
    assert (voice_name(session.audio.output.voice), voice_name("ash")) == ("voice_1", "ash")


# ---------------------------------------------------------------- the life of a response
def test_the_table() -> None:
    """Every step leads where the table says, and nothing leads out of a terminal state."""
    for (state, step), then in TRANSITIONS.items():
        assert advance(state, step) == then
    assert not any(state in TERMINAL for state, _ in TRANSITIONS)
    assert set(TRANSITIONS.values()) == set(State) - {State.WAITING}
    assert {status(state) for state in TERMINAL} == {"completed", "cancelled", "incomplete", "failed"}
    assert {status(state) for state in set(State) - TERMINAL} == {"in_progress"}


@pytest.mark.parametrize("state", sorted(TERMINAL))
def test_what_is_over_is_over(state: State) -> None:
    """A step out of a terminal state raises."""
    for step in Step:
        with pytest.raises(LocalProtocolError, match=f"A response that is {state}"):
            advance(state, step)
