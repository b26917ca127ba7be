"""Stages at any URL that speaks OpenAI's HTTP API: Ollama, vLLM, llama.cpp's server, speaches, a hosted model.

A key, if one is needed, comes from the environment, never from a command line.
"""

from __future__ import annotations

import io
import json
import os
import socket
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from realtime_nb.audio.pcm import decode_pcm16, encode_pcm16
from realtime_nb.engine.background import Tell, streamed
from realtime_nb.engine.base import (
    Cancel,
    ChatCallDelta,
    ChatDelta,
    ChatEnd,
    ChatMessage,
    ChatRequest,
    ChatText,
    Samples,
    Tool,
    Transcription,
)
from realtime_nb.errors import ModelError

__all__ = ["KEY_VARIABLE", "HttpAsr", "HttpLlm", "HttpTts"]

T = TypeVar("T")

KEY_VARIABLE: Final = "REALTIME_NB_STAGE_KEY"
"""The environment's name of the bearer token for all stages."""
SEES: Final = "+images"
"""What a model's name ends with in a SPEC if the model sees pictures; the server is not told."""
TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0)
"""Seconds: a model may have to be loaded before its first word."""
USUAL_CONTEXT: Final = 32_000
BYTES_PER_TOKEN: Final = 4
"""Of English, roughly: a remote tokenizer cannot be asked."""
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


class _Endpoint:
    """A base URL and how to talk to it.

    Parameters
    ----------
    url : str
        As ``http://127.0.0.1:11434/v1``.
    model : str
        What the server calls the model.
    """

    def __init__(self, url: str, model: str) -> None:
        self.url = url.rstrip("/")
        self.model = model
        self.is_loopback = urlsplit(url).hostname in _LOOPBACK
        key = os.environ.get(KEY_VARIABLE)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT, trust_env=not self.is_loopback)

    def models(self) -> list[dict[str, Any]]:
        """What the server says it has; nothing where it has no such list.

        Raises
        ------
        ModelError
            Nobody answers, or the key is refused.
        """
        with self._faults():
            answer = self._client.get(f"{self.url}/models")
        if answer.status_code in _REFUSED:
            raise self._refused(answer)
        try:
            listed = answer.json()["data"] if answer.is_success else []
        except (ValueError, KeyError, TypeError):
            return []
        return [entry for entry in listed or () if isinstance(entry, dict)]

    def post(
        self, path: str, read: Callable[[httpx.Response, Tell[T]], None], cancel: Cancel, **body: Any
    ) -> Iterator[T]:
        """Post, and give what `read` makes of the answer as it comes; a cancel cuts the connection."""
        opened: list[httpx.Response] = []

        def call(tell: Tell[T]) -> None:
            with self._faults(), self._client.stream("POST", f"{self.url}{path}", **body) as answer:
                opened.append(answer)
                if not answer.is_success:
                    answer.read()
                    raise self._refused(answer)
                if not cancel.is_set():
                    read(answer, tell)

        def abort() -> None:
            for answer in opened:
                _cut(answer)

        return streamed(call, cancel, abort=abort)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Put the faults of the wire into words."""
        look = f"curl -s {self.url}/models"
        try:
            yield
        except httpx.TimeoutException as fault:
            raise ModelError(
                f"{self.model} at {self.url} gave no answer in time ({type(fault).__name__}).", hint=look
            ) from fault
        except ValueError as fault:  # no JSON, or no UTF-8
            raise ModelError(f"{self.model} at {self.url} answered what cannot be read: {fault}.", hint=look) from fault
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            raise ModelError(f"{self.model} at {self.url} cannot be reached: {fault}.", hint=look) from fault

    def _refused(self, answer: httpx.Response) -> ModelError:
        said = _message(answer)
        hint = f"export {KEY_VARIABLE}=..." if answer.status_code in _REFUSED else f"curl -s {self.url}/models"
        return ModelError(f"{self.model} at {self.url} answered {answer.status_code}: {said}", hint=hint)


_REFUSED: Final = (401, 403)


def _message(answer: httpx.Response) -> str:
    """The server's own words, at most a line."""
    try:
        said = answer.json()
        error = said.get("error", said)
        text = str(error.get("message") or error.get("detail") or error) if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError):
        text = answer.text
    return (text.strip().splitlines() or [answer.reason_phrase])[0][:200]


def _cut(answer: httpx.Response) -> None:
    """End the connection under a thread that reads it; closing alone would not wake it."""
    stream = answer.extensions.get("network_stream")
    sock = stream.get_extra_info("socket") if stream is not None else None
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it ended by itself


class _Stage:
    """What the three have in common."""

    def __init__(self, url: str, model: str) -> None:
        self._at = _Endpoint(url, model)
        self._listed = self._at.models()  # nobody there is better known now than in the first turn
        self.name = f"{model} at {urlsplit(url).netloc}"

    def close(self) -> None:
        """Close the connections."""
        self._at.close()


# ---------------------------------------------------------------- hearing
class HttpAsr(_Stage):
    """Speech recognition by ``POST /audio/transcriptions``.

    Parameters
    ----------
    url : str
        The API's base, as ``http://127.0.0.1:8000/v1``.
    model : str
        What the server calls the model.

    Raises
    ------
    ModelError
        Nobody answers there.
    """

    rate = 16_000

    def transcribe(
        self, samples: Samples, *, cancel: Cancel, language: str | None = None, prompt: str | None = None
    ) -> Transcription:
        """The words in `samples`; empty if cancelled."""
        if not len(samples):
            return Transcription("")
        hints = {"language": language, "prompt": prompt}
        fields = {"model": self._at.model, "response_format": "json", **{k: v for k, v in hints.items() if v}}
        sound = {"file": ("speech.wav", _wav(samples, self.rate), "audio/wav")}
        said = next(self._at.post("/audio/transcriptions", _read_json, cancel, data=fields, files=sound), {})
        tokens = (said.get("usage") or {}).get("output_tokens") or 0
        return Transcription(
            str(said.get("text") or "").strip(), _logprobs(said), said.get("language") or language, int(tokens)
        )


def _wav(samples: Samples, rate: int) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(encode_pcm16(samples))
    return buffer.getvalue()


def _read_json(answer: httpx.Response, tell: Tell[dict[str, Any]]) -> None:
    answer.read()
    said = answer.json()
    tell(said if isinstance(said, dict) else {})


def _logprobs(said: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
    return tuple((str(entry["token"]), float(entry["logprob"])) for entry in said.get("logprobs") or ())


# ---------------------------------------------------------------- thinking
class HttpLlm(_Stage):
    """A language model by ``POST /chat/completions``, streamed.

    Parameters
    ----------
    url : str
        The API's base, as ``http://127.0.0.1:11434/v1``.
    model : str
        What the server calls the model; with ``+images`` after it, if it sees pictures.

    Raises
    ------
    ModelError
        Nobody answers there.
    """

    def __init__(self, url: str, model: str) -> None:
        self.sees_images = model.endswith(SEES)
        super().__init__(url, model.removesuffix(SEES))
        self.context_tokens = _context_tokens(self._listed, self._at.model)

    def count(self, text: str) -> int:
        """Tokens in `text`, roughly."""
        return -(-len(text.encode()) // BYTES_PER_TOKEN)

    def warm(
        self, messages: Sequence[ChatMessage], tools: Sequence[Tool] = (), *, cancel: Cancel | None = None
    ) -> None:
        """Let a server on this machine read the prefix; a hosted one would bill it."""
        if self._at.is_loopback:
            request = ChatRequest((*messages, ChatMessage("user", "Hello.")), tuple(tools), max_tokens=1)
            for _delta in self.chat(request, cancel=cancel or Cancel()):
                pass

    def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
        """Write the answer, piece by piece; always ends with one :class:`ChatEnd`."""
        usage: dict[str, Any] = {}
        reason, calls = "stop", 0
        for chunk in self._at.post("/chat/completions", _read_events, cancel, json=_body(self._at.model, request)):
            if "error" in chunk:
                raise ModelError(f"{self.name} failed: {chunk['error']}", hint=f"curl -s {self._at.url}/models")
            usage = chunk.get("usage") or usage
            for choice in chunk.get("choices") or ():
                reason = choice.get("finish_reason") or reason
                for delta in _deltas(choice.get("delta") or {}, calls):
                    calls = max(calls, delta.index + 1) if isinstance(delta, ChatCallDelta) else calls
                    yield delta
        ended = (
            "cancelled" if cancel.is_set() else "length" if reason == "length" else "tool_calls" if calls else "stop"
        )
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        yield ChatEnd(ended, usage.get("prompt_tokens") or 0, cached, usage.get("completion_tokens") or 0)


def _context_tokens(listed: Sequence[Mapping[str, Any]], model: str) -> int:
    """What the model reads, where the server says: vLLM, llama.cpp and OpenRouter each have their own name for it."""
    entry = next((entry for entry in listed if entry.get("id") == model), {})
    known = {**(entry.get("meta") or {}), **entry}
    said = (known.get(name) for name in ("max_model_len", "context_length", "context_window", "n_ctx", "n_ctx_train"))
    return next((int(tokens) for tokens in said if tokens), USUAL_CONTEXT)


def _body(model: str, request: ChatRequest) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": model,
        "messages": [
            _message_of(message) for message in request.messages if message.text or message.calls or message.images
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.max_tokens is not None:
        body["max_tokens"] = request.max_tokens
    if request.tools:
        body["tools"] = [{"type": "function", "function": _function(tool)} for tool in request.tools]
        choice = request.tool_choice
        named = {"type": "function", "function": {"name": choice}}
        body["tool_choice"] = choice if choice in ("auto", "none", "required") else named
    return body


def _function(tool: Tool) -> dict[str, Any]:
    parameters = tool.parameters or {"type": "object", "properties": {}}
    return {"name": tool.name, "description": tool.description, "parameters": parameters}


def _message_of(message: ChatMessage) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id or "", "content": message.text}
    if message.images:
        pictures = [{"type": "image_url", "image_url": {"url": url}} for url in message.images]
        words = [{"type": "text", "text": message.text}] if message.text else []
        return {"role": message.role, "content": [*words, *pictures]}
    calls = [
        {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in message.calls
    ]
    return {"role": message.role, "content": message.text, **({"tool_calls": calls} if calls else {})}


def _read_events(answer: httpx.Response, tell: Tell[dict[str, Any]]) -> None:
    """Server-sent events: one JSON a ``data:`` line, until ``[DONE]``."""
    for line in answer.iter_lines():
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if data == "[DONE]" or (data and tell(json.loads(data))):
            return


def _deltas(delta: Mapping[str, Any], calls: int) -> Iterator[ChatText | ChatCallDelta]:
    """What a chunk brings; `calls` have begun so far."""
    if text := delta.get("content"):
        yield ChatText(text)
    for place, call in enumerate(delta.get("tool_calls") or ()):
        function = call.get("function") or {}
        index = call.get("index", calls + place)
        yield ChatCallDelta(index, function.get("name") or "", function.get("arguments") or "")


# ---------------------------------------------------------------- speaking
class HttpTts(_Stage):
    """Speech by ``POST /audio/speech``, as raw PCM, which is played as it comes.

    Parameters
    ----------
    url : str
        The API's base, as ``http://127.0.0.1:8880/v1``.
    model : str
        What the server calls the model.

    Raises
    ------
    ModelError
        Nobody answers there.
    """

    rate = 24_000
    """What ``response_format: pcm`` means in the API: 24 kHz, 16 bits, mono."""

    def speak(self, text: str, *, voice: str, speed: float, cancel: Cancel) -> Iterator[Samples]:
        """Say one clause; the voice's name goes to the server as it is."""
        body = {"model": self._at.model, "input": text, "voice": voice, "speed": speed, "response_format": "pcm"}
        rest = b""
        for data in self._at.post("/audio/speech", _read_bytes, cancel, json=body):
            if not rest and data.startswith(b"RIFF"):
                raise ModelError(
                    f"{self.name} answered with a WAV file where raw PCM was asked for.",
                    hint="realtime-nb serve --tts piper-en-us-joe",
                )
            whole = rest + data
            rest = whole[len(whole) // 2 * 2 :]
            if len(whole) > 1:
                yield decode_pcm16(whole[: len(whole) // 2 * 2])


def _read_bytes(answer: httpx.Response, tell: Tell[bytes]) -> None:
    for data in answer.iter_bytes():
        if data and tell(data):
            return
