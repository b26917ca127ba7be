"""A language model in this process, by llama.cpp: streamed, cancelled, its prefix kept in the cache."""

from __future__ import annotations

import json
import queue
import secrets
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from realtime_nb.engine.base import Cancel, ChatDelta, ChatEnd, ChatMessage, ChatRequest, ChatText, Llm, Tool
from realtime_nb.engine.chat_prompt import CallReader, grammar, prompt, transcript
from realtime_nb.engine.machine import cores
from realtime_nb.errors import ModelError

__all__ = ["LlamaLlm", "qwen", "smollm"]

THREADS: Final = max(1, min(4, cores() // 2))
"""Half the cores: the threads of llama.cpp spin while they wait for each other, and two on two busy cores (a voice
speaks, a browser draws) wrote 1 to 7 tokens a second where one wrote 9 to 10 with a third of the CPU."""
BATCH: Final = 32
"""Tokens read between two looks at the cancel: a third of a second on one slow core."""
LONGEST: Final = 400
"""Tokens of an answer when nobody says otherwise: more than two minutes of speech."""


def qwen(files: Mapping[str, Path]) -> Llm:
    """Qwen2.5-Coder-0.5B-Instruct: coherent, often mistaken, calls functions well.

    Parameters
    ----------
    files : mapping of str to Path
        From the registry.

    Returns
    -------
    Llm
        Loaded.
    """
    return LlamaLlm("qwen2.5-coder-0.5b-instruct", _gguf(files), context_tokens=16_384, follows_template=True)


def smollm(files: Mapping[str, Path]) -> Llm:
    """SmolLM2-135M-Instruct: for little memory; it talks, and knows little.

    Parameters
    ----------
    files : mapping of str to Path
        From the registry.

    Returns
    -------
    Llm
        Loaded.
    """
    return LlamaLlm("smollm2-135m-instruct", _gguf(files), context_tokens=4_096, follows_template=False)


def _gguf(files: Mapping[str, Path]) -> Path:
    return next(path for name, path in files.items() if name.endswith(".gguf"))


class LlamaLlm:
    """A GGUF model.

    Parameters
    ----------
    name : str
        As the registry has it.
    path : Path
        The file.
    context_tokens : int
        What it reads and writes together, shared by the conversations at once.
    follows_template : bool
        Whether it was taught a chat template and calls; else it continues a written conversation.
    """

    sees_images = False

    def __init__(self, name: str, path: Path, *, context_tokens: int, follows_template: bool) -> None:
        self.name = name
        self.context_tokens = context_tokens
        self._follows_template = follows_template
        self._key = secrets.token_urlsafe(32)
        self._server = _load(path, context_tokens, self._key)
        self._count = lru_cache(maxsize=8192)(self._ask_count)

    # ---------------------------------------------------------------- the stage
    def count(self, text: str) -> int:
        """Tokens in `text`, by the model's own tokenizer."""
        return self._count(text) if text else 0

    def warm(self, messages: Sequence[ChatMessage], tools: Sequence[Tool] = ()) -> None:
        """Read a prefix into the cache; the next chat that begins with it starts at its end."""
        request = ChatRequest((*messages, ChatMessage("user", "Hello.")), tuple(tools), max_tokens=1)
        for _delta in self.chat(request, cancel=Cancel()):
            pass

    def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
        """Write the answer, piece by piece; always ends with one :class:`ChatEnd`."""
        request = self._fitted(request)
        reader = CallReader() if request.tools and self._follows_template else None
        last: dict[str, Any] = {}
        for chunk in _stream(self._call(request), cancel):
            if "error" in chunk:
                raise ModelError(f"{self.name} failed: {chunk['error'].get('message', chunk['error'])}")
            last = chunk if "timings" in chunk else last
            if text := _text(chunk):
                yield from (reader.feed(text) if reader else [ChatText(text)])
        yield _end(last, cancelled=cancel.is_set(), called=bool(reader and reader.calls))

    # ---------------------------------------------------------------- inside
    def _call(self, request: ChatRequest) -> Callable[[Callable[[dict[str, Any]], bool]], None]:
        """The call of llama.cpp that answers a request; it blocks and takes a callback."""
        usual: dict[str, Any] = {
            "stream": True,
            "cache_prompt": True,
            "return_progress": True,  # a chunk a batch, so that a cancel is seen while it reads
            "temperature": 0,
            "seed": 1,
            "max_tokens": min(request.max_tokens or LONGEST, LONGEST),
        }
        if self._follows_template:
            rule = grammar(request)
            body = {"messages": prompt(request), **usual, **({"grammar": rule} if rule else {})}
            return lambda tell: self._server.handle_chat_completions(body, tell)
        body = {"prompt": transcript(request), "stop": ["\n", "User:"], **usual}
        return lambda tell: self._server.handle_completions(body, tell)

    def _fitted(self, request: ChatRequest) -> ChatRequest:
        """The request without its oldest messages, where all of them are more than the model can read."""
        room = self.context_tokens // 2 - (request.max_tokens or LONGEST) - 600  # of examples and functions
        kept: list[ChatMessage] = []
        first, *rest = request.messages
        room -= self.count(first.text)
        for message in reversed(rest):
            room -= self.count(message.text) + 8
            if room < 0 and kept:
                break
            kept.append(message)
        return ChatRequest((first, *reversed(kept)), request.tools, request.tool_choice, request.max_tokens)

    def _ask_count(self, text: str) -> int:
        body = json.dumps({"content": text}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        url = f"{self._server.listening_address}/tokenize"
        asked = urllib.request.Request(url, body, headers)  # noqa: S310 - our own loopback port
        with _NO_PROXY.open(asked, timeout=30) as answer:
            return len(json.load(answer)["tokens"])


_NO_PROXY: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _load(path: Path, context_tokens: int, key: str) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context_tokens
    params.n_parallel = 2
    params.kv_unified = True
    params.n_batch = params.n_ubatch = BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    params.cache_ram_mib = 0
    params.use_jinja = True
    params.warmup = True
    params.verbosity = 0
    params.api_keys = [key]
    try:
        return xllamacpp.Server(params)
    except Exception as fault:  # llama.cpp raises bare exceptions of many kinds
        raise ModelError(f"{path.name} does not load: {fault}", hint="realtime-nb models verify") from fault


def _stream(call: Callable[[Callable[[dict[str, Any]], bool]], None], cancel: Cancel) -> Iterator[dict[str, Any]]:
    """The chunks of a blocking call with a callback, as they come; leaving early stops the call."""
    chunks: queue.SimpleQueue[dict[str, Any] | BaseException | None] = queue.SimpleQueue()
    left = threading.Event()

    def tell(chunk: dict[str, Any]) -> bool:
        chunks.put(chunk)
        return cancel.is_set() or left.is_set()

    def run() -> None:
        try:
            call(tell)
            chunks.put(None)
        except BaseException as fault:  # noqa: BLE001 - raised again where the chunks are read
            chunks.put(fault)

    thread = threading.Thread(target=run, name="realtime-brain", daemon=True)
    thread.start()
    try:
        while (chunk := chunks.get()) is not None:
            if isinstance(chunk, BaseException):
                raise ModelError(f"the language model failed: {chunk}") from chunk
            yield chunk
    finally:
        left.set()
        thread.join()


def _text(chunk: dict[str, Any]) -> str:
    choices = chunk.get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or choices[0].get("text") or chunk.get("content") or ""


def _end(last: dict[str, Any], *, cancelled: bool, called: bool) -> ChatEnd:
    timings = last.get("timings", {})
    cached = int(timings.get("cache_n", 0))
    reason = (last.get("choices") or [{}])[0].get("finish_reason")
    said = "cancelled" if cancelled else "length" if reason == "length" else "tool_calls" if called else "stop"
    return ChatEnd(said, cached + int(timings.get("prompt_n", 0)), cached, int(timings.get("predicted_n", 0)))
