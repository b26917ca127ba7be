"""When a turn begins and ends, what interrupts an answer, and sessions that only listen: over a socket."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime_nb.audio import Audio
from realtime_nb.audio.g711 import decode_alaw, decode_ulaw, encode_alaw, encode_ulaw
from realtime_nb.engine.base import Cancel, ChatDelta, ChatRequest, Samples, Transcription
from realtime_nb.testing.stages import StubAsr, StubLlm, StubVad, stub_engine, stub_speech

WHISPER = {"model": "whisper-1"}
FRAME_MS = 32
"""The detector's: times are true to a frame."""


def silence(ms: int) -> bytes:
    """PCM16 at 24 kHz."""
    return bytes(48 * ms)


def session(serve: Any, dial: Any, detection: Any = None, **stages: Any) -> Any:
    """A session that writes down what it hears, and detects turns like this."""
    caller = dial(serve(engine=stub_engine(**stages)))
    caller.until("session.created")
    heard: dict[str, Any] = {"transcription": WHISPER}
    if detection is not None:
        heard["turn_detection"] = detection
    caller.update(audio={"input": heard})
    return caller


def answered(caller: Any) -> None:
    """Wait until the server has seen all that was sent, and heard it."""
    caller.works()


# ---------------------------------------------------------------- where turns end
@pytest.mark.parametrize(
    ("eagerness", "complete_ms", "open_ms"),
    [("low", 800, 8_000), ("medium", 400, 4_000), ("auto", 400, 4_000), ("high", 250, 2_000)],
)
def test_semantic_turns_end_by_their_words(
    serve: Any, dial: Any, eagerness: str, complete_ms: int, open_ms: int
) -> None:
    """A question ends soon after its last word, an open sentence waits for more; how long is eagerness."""
    detection = {"type": "semantic_vad", "eagerness": eagerness}
    for words, wait_ms in (("What time is it?", complete_ms), ("I would like a", open_ms)):
        caller = session(serve, dial, detection, asr=StubAsr(words))
        caller.append(stub_speech(800) + silence(wait_ms - 100), chunk=48_000)
        answered(caller)
        assert not caller.all("input_audio_buffer.speech_stopped"), words
        caller.append(silence(300))
        stopped = caller.until("input_audio_buffer.speech_stopped")
        assert stopped["audio_end_ms"] == pytest.approx(800 + wait_ms, abs=2 * FRAME_MS), words


class Voice:
    """Judges every voice alike, and counts how often it was asked."""

    name = "scripted-ending"
    rate = 16_000

    def __init__(self, probability: float) -> None:
        self.probability, self.asked = probability, 0

    def complete(self, samples: Samples) -> float:
        """The same each time; a negative one fails."""
        self.asked += 1
        if self.probability < 0:
            raise RuntimeError("the stage is broken")
        return self.probability


@pytest.mark.parametrize(
    ("voice", "words", "wait_ms"),
    [(1.0, "what time is it", 400), (0.0, "What time is it?", 4_000), (-1.0, "What time is it?", 400)],
)
def test_semantic_turns_end_by_the_voice_where_it_is_judged(
    serve: Any, dial: Any, voice: float, words: str, wait_ms: int
) -> None:
    """A voice that is done ends bare words soon, one that is not holds a question open; if it fails, words decide."""
    ending = Voice(voice)
    caller = session(serve, dial, {"type": "semantic_vad"}, asr=StubAsr(words), ending=ending)
    caller.append(stub_speech(800) + silence(wait_ms - 100), chunk=48_000)
    answered(caller)
    assert not caller.all("input_audio_buffer.speech_stopped")
    caller.append(silence(300))
    caller.until("input_audio_buffer.speech_stopped")
    assert ending.asked == 1


def test_only_semantic_turns_ask_the_voice(serve: Any, dial: Any) -> None:
    """Where silence alone ends turns, the model that judges voices costs nothing."""
    ending = Voice(0.0)
    caller = session(serve, dial, {"type": "server_vad"}, ending=ending)
    caller.speak()
    caller.until("response.done")
    assert ending.asked == 0


@pytest.mark.models
@pytest.mark.parametrize(("share", "over"), [(1.0, True), (0.6, False)])
def test_a_real_sentence_is_over_when_it_is(
    serve_real: Any, dial: Any, data: Path, share: float, *, over: bool
) -> None:
    """With the shipped models a whole question ends its turn in the shortest wait, a cut one is waited for."""
    caller = dial(serve_real())
    caller.until("session.created")
    caller.update(output_modalities=["text"], audio={"input": {"turn_detection": {"type": "semantic_vad"}}})
    clip = Audio.read(data / "question.wav").resample(24_000).to_pcm16()
    caller.append(clip[: int(len(clip) * share) // 2 * 2] + silence(1_500))
    if over:
        caller.until("input_audio_buffer.speech_stopped")
        return
    answered(caller)
    assert not caller.all("input_audio_buffer.speech_stopped")
    caller.append(silence(3_500))
    caller.until("input_audio_buffer.speech_stopped")


def test_semantic_turns_go_on_after_a_pause(serve: Any, dial: Any) -> None:
    """Who pauses in the middle of a sentence and goes on has said one thing."""
    caller = session(serve, dial, {"type": "semantic_vad"}, asr=StubAsr(["I would like a", "I would like a tea."]))
    caller.append(stub_speech(800) + silence(1_000))
    answered(caller)
    caller.append(stub_speech(800) + silence(600))
    done = caller.until("conversation.item.input_audio_transcription.completed")
    assert done["transcript"] == "I would like a tea."
    assert len(caller.all("input_audio_buffer.committed")) == 1


@pytest.mark.parametrize("silence_ms", [200, 700])
def test_server_turns_end_by_silence_alone(serve: Any, dial: Any, silence_ms: int) -> None:
    """``server_vad`` waits as long as it is told, whatever was said; the padding is counted in at the beginning."""
    detection = {"type": "server_vad", "silence_duration_ms": silence_ms, "prefix_padding_ms": 100}
    caller = session(serve, dial, detection, asr=StubAsr("I would like a"))
    caller.append(silence(1_000) + stub_speech(800) + silence(silence_ms + 200))
    stopped = caller.until("input_audio_buffer.speech_stopped")
    started = caller.all("input_audio_buffer.speech_started")[0]
    assert started["audio_start_ms"] == pytest.approx(900, abs=FRAME_MS)
    assert stopped["audio_end_ms"] == pytest.approx(1_800 + silence_ms, abs=2 * FRAME_MS)


# ---------------------------------------------------------------- what is no turn
@pytest.mark.parametrize("ms", [10, 20, 30])
def test_a_click_makes_no_turn(serve: Any, dial: Any, ms: int) -> None:
    """A sound too short for a word begins nothing, however often it comes."""
    caller = session(serve, dial)
    for _ in range(5):
        caller.append(stub_speech(ms) + silence(300))
    answered(caller)
    assert not caller.all("input_audio_buffer.speech_started")


def test_a_breath_makes_no_response(serve: Any, dial: Any) -> None:
    """What sounds like speech and has no words becomes an item with an empty transcript, and is not answered."""
    caller = session(serve, dial, asr=StubAsr(["", "Hello."]))
    caller.speak()
    breath = caller.until("conversation.item.input_audio_transcription.completed")
    assert breath["transcript"] == ""
    caller.speak()
    caller.until("response.done")
    assert len(caller.all("response.created")) == 1


@pytest.mark.models
def test_the_real_ear_takes_breaths_and_clicks_for_none(
    serve: Any, dial: Any, data: Path, weights_or_skip: Callable[..., Mapping[str, Path]]
) -> None:
    """Breaths, clicks and a hum make no turn with the voice detector that is shipped; a person speaking does."""
    files = weights_or_skip("silero-vad")
    from realtime_nb.engine.silero import SileroVad

    vad = SileroVad(files)
    caller = session(serve, dial, vad=vad)
    dice = np.random.default_rng(3)
    hiss = dice.normal(0, 1, 24_000 * 6 // 10)
    breath = 0.05 * np.convolve(hiss, np.ones(12) / 3.5, "same") * np.hanning(len(hiss))
    click = np.zeros(2_400)
    click[:60] = 0.8
    hum = 0.1 * np.sin(2 * np.pi * 50 * np.arange(24_000) / 24_000)
    for noise in (breath, click, hum) * 3:
        caller.append(Audio.from_array(noise.astype(np.float32), rate=24_000).to_pcm16() + silence(500))
    answered(caller)
    assert not caller.all("input_audio_buffer.speech_started")
    caller.append(Audio.read(data / "goforward.wav").resample(24_000).to_pcm16() + silence(800))
    caller.until("input_audio_buffer.committed")


def test_nobody_speaks_for_a_while(serve: Any, dial: Any) -> None:
    """With ``idle_timeout_ms`` the model asks, once, whether anybody is there."""
    llm = StubLlm(lambda _: "Well?")
    caller = session(serve, dial, {"type": "server_vad", "idle_timeout_ms": 5_000}, llm=llm)
    caller.say("Hello.", output_modalities=["text"])
    caller.until("input_audio_buffer.timeout_triggered")
    caller.until("response.done")
    assert "nothing" in llm.requests[-1].messages[-1].text


# ---------------------------------------------------------------- interrupting
class Thinker(StubLlm):
    """A brain that thinks until told otherwise, about questions; it answers anything else."""

    def __init__(self) -> None:
        super().__init__()
        self.thinking = threading.Event()

    def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
        """Think, or answer."""
        if request.messages[-1].text.endswith("?"):
            self.thinking.set()
            cancel.wait(60)
        yield from super().chat(request, cancel=cancel)


def test_speech_interrupts_the_thinking(serve: Any, dial: Any) -> None:
    """Before the first word the answer is cancelled without output; the new turn is answered."""
    llm = Thinker()
    caller = session(serve, dial, llm=llm, asr=StubAsr("Never mind."))
    part = {"type": "input_text", "text": "Why?"}
    caller.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
    caller.send("response.create")
    caller.until("response.created")
    assert llm.thinking.wait(60)
    caller.speak()
    done = caller.until("response.done")["response"]
    assert (done["status"], done["status_details"]["reason"]) == ("cancelled", "turn_detected")
    assert (done["output"], done["usage"]["output_tokens"]) == ([], 0)
    done = caller.until("response.done")["response"]
    assert "Never mind." in done["output"][0]["content"][0]["transcript"]


def test_speech_over_an_answer_that_is_still_playing(serve: Any, dial: Any) -> None:
    """A completed answer that plays is not cancelled; a cough does not count, speech does; what is cut is unsaid."""
    llm = StubLlm(lambda _: "one two three four five six seven eight nine ten " * 20)
    caller = session(serve, dial, llm=llm, asr=StubAsr("Stop."))
    item = caller.say("Count.")["output"][0]  # a minute of sound, sent in no time
    caller.append(stub_speech(150) + silence(500))
    answered = caller.say("Go on.", conversation="none", input=[], output_modalities=["text"])
    assert answered["status"] == "completed"
    assert not caller.all("input_audio_buffer.speech_started")
    caller.append(stub_speech(400))
    caller.until("input_audio_buffer.speech_started")
    caller.send("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=900)
    caller.until("conversation.item.truncated")
    caller.append(silence(600))
    caller.until("response.done")
    said = [message.text for message in llm.requests[-1].messages if message.role == "assistant"]
    assert said == ["one two three"]
    assert not [event for event in caller.all("response.done") if event["response"]["status"] == "cancelled"]


def test_a_short_word_is_a_turn_once_the_answer_was_cut(serve: Any, dial: Any) -> None:
    """Who truncates an answer plays no more of it, so a yes of 150 ms interrupts nothing and counts."""
    llm = StubLlm(lambda _: "one two three four five six seven eight nine ten " * 20)
    caller = session(serve, dial, llm=llm, asr=StubAsr("Yes."))
    item = caller.say("Count.")["output"][0]  # a minute of sound, sent in no time
    caller.send("conversation.item.truncate", item_id=item["id"], content_index=0, audio_end_ms=900)
    caller.until("conversation.item.truncated")
    caller.append(stub_speech(150) + silence(600))
    caller.until("input_audio_buffer.speech_started")


def test_a_short_word_is_a_turn_while_nobody_answers(serve: Any, dial: Any) -> None:
    """A yes of 150 ms counts when the model is silent."""
    caller = session(serve, dial, asr=StubAsr("Yes."))
    caller.append(stub_speech(150) + silence(600))
    caller.until("input_audio_buffer.speech_started")
    assert caller.until("response.done")["response"]["status"] == "completed"


# ---------------------------------------------------------------- telephones
LAWS = {"audio/pcmu": (encode_ulaw, decode_ulaw), "audio/pcma": (encode_alaw, decode_alaw)}


@pytest.mark.parametrize("law", LAWS)
def test_a_telephone_is_heard_and_spoken_to(serve: Any, dial: Any, law: str) -> None:
    """G.711 of either law: speech makes a turn at the right time, and the answer is the voice's own, at 8 kHz."""
    encode, decode = LAWS[law]
    heard: list[Samples] = []
    caller = session(serve, dial, asr=_Listener(heard), llm=StubLlm(lambda _: "One two three."))
    caller.update(audio={"input": {"format": {"type": law}}, "output": {"format": {"type": law}, "voice": "alloy"}})
    speech = np.frombuffer(stub_speech(800, rate=8_000), "<i2").astype(np.float32) / 32_768
    quiet = np.zeros(8 * 600, np.float32)
    caller.append(encode(np.concatenate([quiet, speech, quiet])), chunk=160)
    done = caller.until("response.done")["response"]
    started = caller.all("input_audio_buffer.speech_started")[0]["audio_start_ms"]
    assert started == pytest.approx(600 - 300, abs=2 * FRAME_MS)
    assert _pitch(heard[-1], 16_000) == pytest.approx(150, abs=5)
    sound = decode(b"".join(base64.b64decode(event["delta"]) for event in caller.all("response.output_audio.delta")))
    assert len(sound) == pytest.approx(8_000 * 0.9, rel=0.02)
    assert _pitch(sound, 8_000) == pytest.approx(110 + 20 * (sum(b"alloy") % 12), abs=5)
    assert done["usage"]["output_token_details"]["audio_tokens"] == 18
    assert done["audio"]["output"]["format"]["type"] == law


class _Listener(StubAsr):
    """Keeps what it hears."""

    def __init__(self, heard: list[Samples]) -> None:
        super().__init__("Hello.")
        self._heard = heard

    def transcribe(self, samples: Samples, **options: Any) -> Transcription:
        """Keep it."""
        self._heard.append(samples)
        return super().transcribe(samples, **options)


def _pitch(samples: Samples, rate: int) -> float:
    """The loudest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


# ---------------------------------------------------------------- sessions that only write down
def scribe(serve: Any, dial: Any, asr: StubAsr | None = None, **heard: Any) -> Any:
    """A transcription session that hears like this."""
    caller = dial(serve(engine=stub_engine(asr=asr)), "?intent=transcription")
    caller.until("session.created")
    caller.send("session.update", session={"type": "transcription", "audio": {"input": heard}})
    assert caller.until("session.updated")["session"]["type"] == "transcription"
    return caller


@pytest.mark.parametrize(
    ("model", "usage"),
    [
        ("whisper-1", {"type": "duration"}),
        ("gpt-4o-transcribe", {"type": "tokens", "output_tokens": 4}),
        ("gpt-4o-mini-transcribe", {"type": "tokens", "output_tokens": 4}),
    ],
)
def test_speech_is_written_down_and_billed(serve: Any, dial: Any, model: str, usage: dict[str, Any]) -> None:
    """Deltas, then the whole, with the usage of the model that was asked for: by the second, or by the token."""
    caller = scribe(serve, dial, StubAsr("The Rhine flows north"), transcription={"model": model})
    caller.speak()
    done = caller.until("conversation.item.input_audio_transcription.completed")
    deltas = caller.all("conversation.item.input_audio_transcription.delta")
    assert "".join(event["delta"] for event in deltas) == done["transcript"] == "The Rhine flows north"
    assert done["item_id"] == caller.all("input_audio_buffer.committed")[0]["item_id"]
    assert usage.items() <= done["usage"].items()
    if usage["type"] == "tokens":
        assert done["usage"]["total_tokens"] == done["usage"]["input_tokens"] + 4
        assert 8 <= done["usage"]["input_token_details"]["audio_tokens"] <= 14
    else:
        assert done["usage"]["seconds"] == 1
    assert not caller.all("response.created")


class _Asked(StubAsr):
    """Notes the hints it is given."""

    def __init__(self) -> None:
        super().__init__("Rhein")
        self.hints: list[tuple[str | None, str | None]] = []

    def transcribe(
        self, samples: Samples, *, cancel: Cancel, language: str | None = None, prompt: str | None = None
    ) -> Transcription:
        """Note them."""
        self.hints.append((language, prompt))
        return super().transcribe(samples, cancel=cancel, language=language)


@pytest.mark.parametrize("by_hand", [True, False])
def test_language_and_prompt_reach_the_recogniser(serve: Any, dial: Any, *, by_hand: bool) -> None:
    """The hints of the session are the recogniser's, from the first turn on, committed by hand or detected."""
    asr = _Asked()
    detection = {"turn_detection": None} if by_hand else {}
    heard = {"model": "gpt-4o-transcribe", "language": "de", "prompt": "Rivers."}
    caller = scribe(serve, dial, asr, transcription=heard, **detection)
    caller.speak()
    if by_hand:
        caller.send("input_audio_buffer.commit")
    caller.until("conversation.item.input_audio_transcription.completed")
    assert asr.hints[-1] == ("de", "Rivers.")


def test_a_refused_update_leaves_no_transcription(serve: Any, dial: Any) -> None:
    """Whoever asks for 16 kHz is refused whole: sound still becomes items, and no transcript ever comes."""
    caller = dial(serve(), "?intent=transcription")
    caller.until("session.created")
    heard = {"transcription": WHISPER, "format": {"type": "audio/pcm", "rate": 16_000}}
    caller.send("session.update", session={"type": "transcription", "audio": {"input": heard}})
    assert caller.until("error")["error"]["code"] == "integer_below_min_value"
    caller.speak()
    caller.until("conversation.item.done")
    caller.send("conversation.item.retrieve", item_id="nothing")
    caller.until("error")
    assert not [event for event in caller.events if "transcription" in event["type"]]


class _FailsOnce(StubVad):
    """Hears as the stub does, but for one chunk."""

    def __init__(self) -> None:
        self.left = 3

    def stream(self) -> Any:
        hears = super().stream()
        usual = hears.feed

        def feed(samples: Samples) -> list[float]:
            heard = usual(samples)
            self.left -= 1
            if self.left == 0:
                raise RuntimeError("one bad frame")
            return heard

        hears.feed = feed  # type: ignore[method-assign] # the fault is put in
        return hears


def test_a_detector_that_fails_once_hears_every_later_turn(
    serve: Any, dial: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """One bad frame costs no turn but its own, whatever the chunks the sound comes in."""
    caller = session(serve, dial, vad=_FailsOnce())
    caller.update(output_modalities=["text"])
    for _ in range(6):
        caller.append(stub_speech(777) + silence(633), chunk=4802)
        caller.until("response.done")
    assert len(caller.all("input_audio_buffer.speech_started")) == 6
    assert sum("turn detection failed" in record.getMessage() for record in caplog.records) == 1
