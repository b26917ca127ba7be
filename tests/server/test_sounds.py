"""Sound that is not speech: the brain is told what it is like, the wire is not."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from realtime_nb.audio.pcm import encode_pcm16
from realtime_nb.testing.stages import StubAsr, StubLlm, stub_engine, stub_speech

TONE = encode_pcm16((0.5 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000)).astype(np.float32))
TOLD = "[Sound sent by the user, without words: a steady tone of 440 Hz (A4), 1.0 s, loud]"


def session(serve: Any, dial: Any, words: str, **heard: Any) -> tuple[Any, StubLlm]:
    """A session whose recogniser hears these words, and its brain."""
    llm = StubLlm()
    caller = dial(serve(engine=stub_engine(asr=StubAsr(words), llm=llm)))
    caller.until("session.created")
    caller.update(output_modalities=["text"], audio={"input": {"transcription": {"model": "whisper-1"}, **heard}})
    return caller, llm


def send(caller: Any, audio: bytes) -> dict[str, Any]:
    """Send sound as an item, and have it answered."""
    part = {"type": "input_audio", "audio": base64.b64encode(audio).decode()}
    caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
    caller.send("response.create")
    response: dict[str, Any] = caller.until("response.done")["response"]
    return response


def read(llm: StubLlm) -> str:
    """The last thing the brain was told by the user."""
    return next(message.text for message in reversed(llm.requests[-1].messages) if message.role == "user")


def test_a_tone_that_is_sent_is_described_to_the_brain(serve: Any, dial: Any) -> None:
    """The brain reads the pitch; the transcript stays empty, and the item shows no word of it."""
    caller, llm = session(serve, dial, "")
    assert send(caller, TONE)["status"] == "completed"
    assert read(llm) == TOLD
    [completed] = caller.all("conversation.item.input_audio_transcription.completed")
    assert completed["transcript"] == ""
    shown = [event for event in caller.events if event.get("item", {}).get("role") == "user"]
    assert shown
    assert "440 Hz" not in json.dumps(shown)


def test_words_need_no_description(serve: Any, dial: Any) -> None:
    """Where something was said, the brain reads just that."""
    caller, llm = session(serve, dial, "hello there")
    send(caller, TONE)
    assert read(llm) == "hello there"


def test_what_was_committed_by_hand_is_described(serve: Any, dial: Any) -> None:
    """Push-to-talk means what it sends."""
    caller, llm = session(serve, dial, "", turn_detection=None)
    caller.append(TONE)
    caller.send("input_audio_buffer.commit")
    caller.send("response.create")
    caller.until("response.done")
    assert read(llm) == TOLD


def test_a_turn_without_words_is_neither_described_nor_answered(serve: Any, dial: Any) -> None:
    """What the detector took for speech and the recogniser did not is no reason to talk."""
    caller, llm = session(serve, dial, "")
    caller.append(stub_speech(800) + bytes(48 * 600))
    caller.until("conversation.item.input_audio_transcription.completed")
    assert caller.works()
    assert len(llm.requests) == 1
    assert "Sound sent" not in str(llm.requests)


def test_a_description_goes_with_its_item(serve: Any, dial: Any) -> None:
    """Deleted, the brain does not read of it any more."""
    caller, llm = session(serve, dial, "")
    send(caller, TONE)
    item = caller.all("conversation.item.added")[0]["item"]["id"]
    caller.send("conversation.item.delete", item_id=item)
    assert caller.works()
    assert "440 Hz" not in str([message.text for message in llm.requests[-1].messages if message.role == "user"])


@pytest.mark.models
def test_the_shipped_brain_can_say_what_it_heard(serve_real: Any, dial: Any) -> None:
    """Asked for the pitch of a tone, the real models answer with it."""
    caller = dial(serve_real())
    caller.until("session.created")
    caller.update(output_modalities=["text"])
    audio = {"type": "input_audio", "audio": base64.b64encode(TONE).decode()}
    asked = {"type": "input_text", "text": "What is the pitch of this sound, in Hz?"}
    caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": [audio, asked]})
    caller.send("response.create")
    done = caller.until("response.done")["response"]
    assert "440" in done["output"][0]["content"][0]["text"]


@pytest.mark.parametrize("samples", [np.full(24_000, 3_000), np.random.default_rng(0).integers(-3_000, 3_000, 24 * 55)])
def test_a_sound_of_any_kind_is_answered(serve: Any, dial: Any, samples: Any) -> None:
    """An offset without sound, or a noise of 55 ms, holds no response up."""
    caller, _llm = session(serve, dial, "")
    assert send(caller, samples.astype("<i2").tobytes())["status"] == "completed"


def test_what_cannot_be_described_is_answered_all_the_same(
    serve: Any, dial: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A description that fails is left out; the transcript is told, and the response made."""

    def fails(*_args: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("realtime_nb.server.scribe.describe", fails)
    caller, _llm = session(serve, dial, "")
    assert send(caller, TONE)["status"] == "completed"
    assert caller.all("conversation.item.input_audio_transcription.completed")
