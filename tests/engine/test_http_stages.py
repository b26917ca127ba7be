"""The stages at a URL, against a real server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest

from realtime_nb.engine.base import (
    Cancel,
    ChatCall,
    ChatCallDelta,
    ChatDelta,
    ChatEnd,
    ChatMessage,
    ChatRequest,
    ChatText,
    Tool,
)
from realtime_nb.errors import ModelError

pytest.importorskip("httpx")
from realtime_nb.engine.http_stages import KEY_VARIABLE, HttpAsr, HttpLlm, HttpTts

WEATHER = Tool("get_weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


class Peer:
    """A server that answers what the test wrote down, and keeps what it was asked."""

    def __init__(self) -> None:
        self.models: Any = {"data": [{"id": "m", "max_model_len": 4096}]}
        self.status = 200
        self.chunks: list[bytes] = []
        self.content_type = "application/json"
        self.hangs = False
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.said_all = threading.Event()
        self.was_left = threading.Event()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                """Nothing."""

            def do_GET(self) -> None:
                self._answer(peer.status if peer.status in (401, 403) else 200, [json.dumps(peer.models).encode()])

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                peer.asked.append((self.path, dict(self.headers), body))
                self._answer(peer.status, peer.chunks, hangs=peer.hangs)

            def _answer(self, status: int, chunks: list[bytes], *, hangs: bool = False) -> None:
                self.send_response(status)
                self.send_header("Content-Type", peer.content_type)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for chunk in chunks:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                peer.said_all.set()
                if hangs:
                    self.rfile.read(1)  # until the client cuts the connection
                    peer.was_left.set()
                    self.close_connection = True
                    return
                self.wfile.write(b"0\r\n\r\n")

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def events(self, *events: dict[str, Any] | str) -> None:
        """Answer with server-sent events."""
        self.content_type = "text/event-stream"
        self.chunks = [
            f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode() for event in events
        ]

    def body(self) -> dict[str, Any]:
        """The JSON that was asked last."""
        asked: dict[str, Any] = json.loads(self.asked[-1][2])
        return asked

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A server of its own for each test."""
    one = Peer()
    yield one
    one.close()


def text(content: str, **more: Any) -> dict[str, Any]:
    """A chunk with words."""
    return {"choices": [{"index": 0, "delta": {"content": content}, **more}]}


def call(index: int, arguments: str, **more: Any) -> dict[str, Any]:
    """A chunk with a piece of a call."""
    entry = {"index": index, "function": {"arguments": arguments, **more}}
    return {"choices": [{"index": 0, "delta": {"tool_calls": [entry]}}]}


def ask(*words: str, **more: Any) -> ChatRequest:
    """What a user says."""
    return ChatRequest(tuple(ChatMessage("user", one) for one in words), **more)


def answer(llm: HttpLlm, request: ChatRequest) -> list[ChatDelta]:
    """All that a chat yields."""
    return list(llm.chat(request, cancel=Cancel()))


# ---------------------------------------------------------------- thinking
def test_words_come_as_they_are_sent_and_the_end_counts_tokens(peer: Peer) -> None:
    """Text deltas are passed on one by one; usage, with the cached part, is at the end."""
    usage = {"prompt_tokens": 20, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 16}}
    peer.events(text("Hel"), text("lo."), text("", finish_reason="stop"), {"choices": [], "usage": usage}, "[DONE]")
    assert answer(HttpLlm(peer.url, "m"), ask("Hi.")) == [ChatText("Hel"), ChatText("lo."), ChatEnd("stop", 20, 16, 2)]
    assert peer.asked[-1][0] == "/v1/chat/completions"
    assert peer.body()["stream_options"] == {"include_usage": True}


def test_calls_keep_their_index_and_end_the_chat_as_tool_calls(peer: Peer) -> None:
    """Two calls in pieces stay two calls, even where the server says ``stop``."""
    peer.events(call(0, "{", name="get_weather"), call(0, "}"), call(1, "{}", name="get_weather"), "[DONE]")
    *deltas, end = answer(HttpLlm(peer.url, "m"), ask("Weather?", tools=(WEATHER,)))
    assert deltas == [
        ChatCallDelta(0, "get_weather", "{"),
        ChatCallDelta(0, "", "}"),
        ChatCallDelta(1, "get_weather", "{}"),
    ]
    assert isinstance(end, ChatEnd)
    assert end.reason == "tool_calls"


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        ("auto", "auto"),
        ("required", "required"),
        ("none", "none"),
        ("get_weather", {"type": "function", "function": {"name": "get_weather"}}),
    ],
)
def test_a_choice_of_tool_is_sent_in_the_servers_own_form(peer: Peer, choice: str, sent: object) -> None:
    """A function's name becomes an object; the three words stay words."""
    peer.events("[DONE]")
    answer(HttpLlm(peer.url, "m"), ask("Weather?", tools=(WEATHER,), tool_choice=choice, max_tokens=7))
    assert peer.body()["tool_choice"] == sent
    assert peer.body()["max_tokens"] == 7
    assert peer.body()["tools"][0]["function"]["name"] == "get_weather"


def test_calls_and_their_results_are_sent_as_history(peer: Peer) -> None:
    """A past call and its output keep their id."""
    peer.events("[DONE]")
    past = (
        ChatMessage("user", "Weather?"),
        ChatMessage("assistant", "", calls=(ChatCall("call_1", "get_weather", '{"city": "Oslo"}'),)),
        ChatMessage("tool", "rain", call_id="call_1"),
    )
    answer(HttpLlm(peer.url, "m"), ChatRequest(past))
    _user, called, result = peer.body()["messages"]
    assert called["tool_calls"][0]["id"] == result["tool_call_id"] == "call_1"
    assert "tools" not in peer.body()


def test_pictures_are_sent_only_where_the_model_sees(peer: Peer) -> None:
    """``+images`` after the name says so, and is not part of the name."""
    peer.events("[DONE]")
    llm = HttpLlm(peer.url, "m+images")
    answer(llm, ChatRequest((ChatMessage("user", "What is this?", images=("data:image/png;base64,AA==",)),)))
    assert llm.sees_images
    assert not HttpLlm(peer.url, "m").sees_images
    assert peer.body()["model"] == "m"
    assert peer.body()["messages"][0]["content"][1]["image_url"]["url"] == "data:image/png;base64,AA=="


def test_a_cancel_ends_the_chat_and_cuts_the_connection(peer: Peer) -> None:
    """The server notices, although it was in the middle of its answer."""
    peer.events(text("One, "))
    peer.hangs = True
    cancel = Cancel()
    chat = HttpLlm(peer.url, "m").chat(ask("Count."), cancel=cancel)
    assert next(chat) == ChatText("One, ")
    cancel.set()
    assert list(chat) == [ChatEnd("cancelled", 0, 0, 0)]
    assert peer.was_left.wait(60)


def test_a_chat_that_is_left_cuts_the_connection(peer: Peer) -> None:
    """Closing the iterator is enough."""
    peer.events(text("One, "))
    peer.hangs = True
    chat = HttpLlm(peer.url, "m").chat(ask("Count."), cancel=Cancel())
    next(chat)
    chat.close()  # type: ignore[attr-defined]  # an iterator made by a generator
    assert peer.was_left.wait(60)


def test_length_is_told(peer: Peer) -> None:
    """An answer that was cut by ``max_tokens`` says so."""
    peer.events(text("One", finish_reason="length"), "[DONE]")
    end = answer(HttpLlm(peer.url, "m"), ask("Count.", max_tokens=1))[-1]
    assert isinstance(end, ChatEnd)
    assert end.reason == "length"


@pytest.mark.parametrize("body", [b"data: {oops\n\n", b'data: {"error": {"message": "out of memory"}}\n\n'])
def test_a_broken_answer_is_a_model_error(peer: Peer, body: bytes) -> None:
    """What is no JSON, or says that it failed, raises in words."""
    peer.chunks = [body]
    with pytest.raises(ModelError, match="m at "):
        answer(HttpLlm(peer.url, "m"), ask("Hi."))


def test_the_window_is_what_the_server_says(peer: Peer) -> None:
    """The names that vLLM and llama.cpp have for it are known; else a usual one is assumed."""
    assert HttpLlm(peer.url, "m").context_tokens == 4096
    peer.models = {"data": [{"id": "m", "meta": {"n_ctx_train": 2048}}]}
    assert HttpLlm(peer.url, "m").context_tokens == 2048
    peer.models = ["what is this"]
    assert HttpLlm(peer.url, "m").context_tokens == 32_000


def test_warming_reads_the_prefix_on_this_machine(peer: Peer) -> None:
    """One token is asked for, with the instructions as the prompt's begin."""
    peer.events(text("H", finish_reason="length"), "[DONE]")
    HttpLlm(peer.url, "m").warm((ChatMessage("system", "Be brief."),))
    assert peer.body()["messages"][0] == {"role": "system", "content": "Be brief."}
    assert peer.body()["max_tokens"] == 1


# ---------------------------------------------------------------- hearing and speaking
def test_a_recording_is_sent_as_wav_and_comes_back_as_words(peer: Peer) -> None:
    """Model, language and hint go along; words are stripped."""
    peer.chunks = [json.dumps({"text": " Hello there. ", "logprobs": [{"token": "Hello", "logprob": -0.1}]}).encode()]
    asr = HttpAsr(peer.url, "whisper")
    heard = asr.transcribe(np.zeros(1600, np.float32), cancel=Cancel(), language="en", prompt="names")
    assert (heard.text, heard.language, heard.logprobs) == ("Hello there.", "en", (("Hello", -0.1),))
    path, headers, body = peer.asked[-1]
    assert path == "/v1/audio/transcriptions"
    assert headers["Content-Type"].startswith("multipart/form-data")
    assert all(piece in body for piece in (b"RIFF", b"whisper", b'name="language"', b'name="prompt"'))
    assert body.count(b"\0\0" * 1600) == 1


def test_no_sound_is_not_sent(peer: Peer) -> None:
    """Nothing was said in nothing."""
    assert HttpAsr(peer.url, "whisper").transcribe(np.zeros(0, np.float32), cancel=Cancel()).text == ""
    assert not peer.asked


def test_a_cancelled_recognition_is_empty(peer: Peer) -> None:
    """Nobody waits for words that nobody wants."""
    peer.hangs = True
    cancel = Cancel()
    threading.Thread(target=lambda: peer.said_all.wait(60) and cancel.set(), daemon=True).start()
    assert HttpAsr(peer.url, "whisper").transcribe(np.ones(16, np.float32), cancel=cancel).text == ""
    assert peer.was_left.wait(60)


@pytest.mark.parametrize("size", [1, 3, 4, 1000])
def test_speech_is_the_same_in_chunks_of_any_size(peer: Peer, size: int) -> None:
    """A sample cut through between two chunks is whole again."""
    steps = np.arange(-500, 500, dtype="<i2")
    data = steps.tobytes()
    peer.chunks = [data[start : start + size] for start in range(0, len(data), size)]
    tts = HttpTts(peer.url, "tts-1")
    said = np.concatenate(list(tts.speak("Hello.", voice="coral", speed=1.2, cancel=Cancel())))
    assert np.array_equal(np.rint(said * 32_768), steps)
    asked = {"model": "tts-1", "input": "Hello.", "voice": "coral", "speed": 1.2, "response_format": "pcm"}
    assert peer.body() == asked


def test_a_wav_where_pcm_was_asked_for_is_not_played(peer: Peer) -> None:
    """Its header would be a crack, its rate unknown."""
    peer.chunks = [b"RIFF....WAVE"]
    with pytest.raises(ModelError, match="WAV"):
        list(HttpTts(peer.url, "tts-1").speak("Hello.", voice="coral", speed=1, cancel=Cancel()))


# ---------------------------------------------------------------- faults
@pytest.mark.parametrize("stage", [HttpAsr, HttpLlm, HttpTts])
def test_nobody_there_is_known_at_once(stage: Callable[[str, str], object]) -> None:
    """A stage does not wait for its first turn to say that there is no server."""
    with pytest.raises(ModelError, match=r"m at http://127\.0\.0\.1:9/v1 cannot be reached") as caught:
        stage("http://127.0.0.1:9/v1", "m")
    assert caught.value.hint == "curl -s http://127.0.0.1:9/v1/models"


def test_a_key_comes_from_the_environment_and_is_not_told(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sent as a bearer token; a refusal names the variable, not the key."""
    monkeypatch.setenv(KEY_VARIABLE, "sk-hidden")
    peer.events("[DONE]")
    llm = HttpLlm(peer.url, "m")
    answer(llm, ask("Hi."))
    assert peer.asked[-1][1]["Authorization"] == "Bearer sk-hidden"
    peer.status = 401
    with pytest.raises(ModelError) as caught:
        HttpLlm(peer.url, "m")
    assert KEY_VARIABLE in str(caught.value)
    assert "sk-hidden" not in str(caught.value)


def test_the_servers_own_words_are_passed_on(peer: Peer) -> None:
    """An unknown model is the server's to explain."""
    llm = HttpLlm(peer.url, "m")
    peer.status, peer.chunks = 404, [b'{"error": {"message": "model m not found"}}']
    with pytest.raises(ModelError, match="answered 404: model m not found"):
        answer(llm, ask("Hi."))


@pytest.mark.models
def test_llama_cpps_own_server_takes_a_stage(
    weights_or_skip: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words are streamed and tokens counted, the cached ones too; without the key, it is refused."""
    pytest.importorskip("xllamacpp")
    from realtime_nb.engine.llama import smollm

    brain: Any = smollm(weights_or_skip("smollm2-135m-instruct"))
    url = f"{brain._server.listening_address}/v1"
    monkeypatch.setenv(KEY_VARIABLE, brain._key)
    llm = HttpLlm(url, brain.name)
    llm.warm((ChatMessage("system", "You are a clock."),))
    asked = ChatRequest(
        (ChatMessage("system", "You are a clock."), ChatMessage("user", "Hello, how are you?")), max_tokens=8
    )
    *deltas, end = answer(llm, asked)
    assert deltas
    assert isinstance(end, ChatEnd)
    assert end.prompt_tokens > 8
    assert end.output_tokens == 8
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(ModelError, match="answered 401"):
        answer(HttpLlm(url, brain.name), asked)
    brain.close()
