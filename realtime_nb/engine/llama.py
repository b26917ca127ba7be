"""A language model in this process, by llama.cpp: streamed, cancelled, its prefix kept in the cache."""

from __future__ import annotations

import ctypes
import json
import logging
import re
import secrets
import signal
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from realtime_nb.engine.background import Tell, streamed
from realtime_nb.engine.base import (
    Cancel,
    ChatDelta,
    ChatEnd,
    ChatMessage,
    ChatRead,
    ChatRequest,
    ChatText,
    Llm,
    Tool,
)
from realtime_nb.engine.chat_prompt import prompt, transcript
from realtime_nb.engine.grammar import CallReader, grammar, openings
from realtime_nb.engine.machine import cores
from realtime_nb.engine.slots import Slots
from realtime_nb.errors import ModelError

__all__ = ["LlamaLlm", "qwen", "smollm"]

logger = logging.getLogger("realtime_nb.engine")

THREADS: Final = max(1, min(4, cores() // 2))
"""Half the cores: the threads of llama.cpp spin while they wait for each other, and two on two busy cores (a voice
speaks, a browser draws) wrote 1 to 7 tokens a second where one wrote 9 to 10 with a third of the CPU."""
STOPS_S: Final = 10.0
"""How long letting go waits at most for what still runs: a cancelled call ends with its batch."""
BATCH: Final = 32
"""Tokens read between two looks at the cancel: a third of a second on one slow core."""
LONGEST: Final = 400
"""Tokens of an answer when nobody says otherwise: more than two minutes of speech."""
WRITTEN_SHARE: Final = 4
"""The part of what it can read and write together that one answer may have, whoever asks: 4,096 of 16,384."""
CONVERSATIONS: Final = 4
"""That find their own history in the cache; they share its memory."""

Chunk = dict[str, Any]


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
        Whether it was taught a chat template; else it continues a written conversation.

    Raises
    ------
    ModelError
        The file does not load.
    """

    sees_images = False

    def __init__(self, name: str, path: Path, *, context_tokens: int, follows_template: bool) -> None:
        self.name = name
        self.context_tokens = context_tokens
        self._follows_template = follows_template
        self._key = secrets.token_urlsafe(32)
        self._snapshots = TemporaryDirectory(prefix="realtime-nb-")
        self._loaded: Any = _load(path, context_tokens, self._key, self._snapshots.name)
        self._slots = Slots(CONVERSATIONS)
        self._quiet = threading.Condition()
        self._running = 0
        self._too_hard: set[str] = set()  # functions whose schemas no grammar can hold
        self._count = lru_cache(maxsize=8192)(self._ask_count)

    # ---------------------------------------------------------------- the stage
    def count(self, text: str) -> int:
        """Tokens in `text`, by the model's own tokenizer."""
        return self._count(text) if text else 0

    def warm(
        self, messages: Sequence[ChatMessage], tools: Sequence[Tool] = (), *, cancel: Cancel | None = None
    ) -> None:
        """Read a prefix into the cache; every later chat that begins with it starts at its end."""
        request = ChatRequest((*messages, ChatMessage("user", "Hello.")), tuple(tools), max_tokens=1)
        body = self._body(request)
        given_up = (cancel or Cancel()).is_set
        with self._placed(body) as index:
            self._run(body | {"id_slot": index}, lambda _chunk: given_up())
            name = None if given_up() else self._slots.keep(_prompt_text(body))
            if name is not None:
                self._ask(f"/slots/{index}?action=save", {"filename": name})

    def close(self) -> None:
        """Let go of the model, once what was cancelled has stopped; nothing may be asked of it any more."""
        with self._quiet:  # llama.cpp crashes the process when it is let go, or ends, while it works
            self._quiet.wait_for(lambda: self._running == 0, timeout=STOPS_S)
        self._loaded = None
        self._snapshots.cleanup()

    def chat(self, request: ChatRequest, *, cancel: Cancel) -> Iterator[ChatDelta]:
        """Write the answer, piece by piece; always ends with one :class:`ChatEnd`."""
        reader = CallReader() if request.tools else None
        last: Chunk = {}
        read: Chunk = {}
        said, pieces, told = "", 0, False
        for chunk in self._written(self._fitted(request), cancel):
            if "error" in chunk:
                raise ModelError(f"{self.name} failed: {chunk['error'].get('message', chunk['error'])}")
            last = chunk if "timings" in chunk else last
            read = chunk.get("prompt_progress") or read
            text = _text(chunk)
            if text and read and not told:
                told = True
                yield ChatRead(*_reading(read))
            if text := text if said else text.lstrip():
                said, pieces = said + text, pieces + 1
                yield from (reader.feed(text) if reader else [ChatText(text)])
                if (reader and reader.repeats) or _loops(said):
                    break
        if reader and not cancel.is_set():
            yield from reader.finish()
        reason = "cancelled" if cancel.is_set() else _reason(last, reader)
        yield ChatEnd(reason, *_reading(read), last.get("timings", {}).get("predicted_n", pieces))

    # ---------------------------------------------------------------- inside
    def _written(self, request: ChatRequest, cancel: Cancel) -> Iterator[Chunk]:
        """What llama.cpp tells; asked again with looser arguments where the functions' schemas make no grammar.

        Of a schema that contradicts itself, or refers to nothing, llama.cpp says nothing: it writes as if there were
        no grammar, which shows in how the answer begins.
        """
        key, starts = repr(request.tools), openings(request)
        if key not in self._too_hard:
            chunks, said, held = self._chunks(self._body(request), cancel), "", []
            for chunk in chunks:
                held.append(chunk)
                said += _text(chunk)
                if "error" in chunk or said.startswith(starts):
                    yield from held
                    yield from chunks  # as they come
                    return
                if not any(start.startswith(said) for start in starts):
                    self._too_hard.add(key)
                    break
            else:
                yield from held
                return
        yield from self._chunks(self._body(request, loose=True), cancel)

    def _chunks(self, body: Chunk, cancel: Cancel) -> Iterator[Chunk]:
        """What llama.cpp tells of a request."""

        def call(tell: Tell[Chunk]) -> None:
            with self._placed(body) as index:
                self._run(body | {"id_slot": index}, tell)

        return streamed(call, cancel)

    @contextmanager
    def _placed(self, body: Chunk) -> Iterator[int]:
        """The cache for a request, with all that is known of its prompt."""
        place = self._slots.take(_prompt_text(body))
        with self._quiet:
            self._running += 1
        try:
            if place.snapshot is not None:
                self._restore(place.index, place.snapshot)
            yield place.index
        finally:
            self._slots.give_back(place)
            with self._quiet:
                self._running -= 1
                self._quiet.notify_all()

    def _restore(self, index: int, snapshot: str) -> None:
        """Load a snapshot into a cache; without it, all of the prompt is read."""
        try:
            self._ask(f"/slots/{index}?action=restore", {"filename": snapshot})
        except OSError as fault:  # it was not saved, or its folder was tidied away
            logger.warning("a snapshot of the cache is gone: %s", fault)

    @property
    def _server(self) -> Any:
        if self._loaded is None:
            raise ModelError(f"{self.name} was closed: a brain that was let go answers no more.")
        return self._loaded

    def _run(self, body: Chunk, *tell: Tell[Chunk]) -> None:
        """Block until llama.cpp has answered."""
        run = self._server.handle_chat_completions if self._follows_template else self._server.handle_completions
        run(body, *tell)

    def _body(self, request: ChatRequest, *, loose: bool = False) -> Chunk:
        rule = grammar(request, end="" if self._follows_template else "\n", loose=loose)
        asked: Chunk = {
            "stream": True,
            "cache_prompt": True,
            "return_progress": True,  # a chunk a batch, so that a cancel is seen while it reads
            "temperature": 0,
            "seed": 1,
            "max_tokens": self._most(request),
            **({"grammar": rule} if rule else {}),
        }
        if self._follows_template:
            return {"messages": prompt(request), **asked}
        return {"prompt": transcript(request), "stop": ["\n"], **asked}

    def _most(self, request: ChatRequest) -> int:
        """Tokens the answer may have."""
        return min(request.max_tokens or LONGEST, self.context_tokens // WRITTEN_SHARE)

    def _fitted(self, request: ChatRequest) -> ChatRequest:
        """The request without its oldest messages, where all of them are more than the model can read."""
        room = self.context_tokens // 2 - self._most(request) - 600  # of examples and functions
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
        return len(self._ask("/tokenize", {"content": text})["tokens"])

    def _ask(self, path: str, body: Chunk) -> Chunk:
        """What llama.cpp does by HTTP alone, on its loopback port."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        url = f"{self._server.listening_address}{path}"
        asked = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - our own loopback port
        with _NO_PROXY.open(asked, timeout=30) as answer:
            said: Chunk = json.load(answer)
            return said


_NO_PROXY: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


# ---------------------------------------------------------------- loading
def _load(path: Path, context_tokens: int, key: str, snapshots: str) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = context_tokens
    params.n_parallel = CONVERSATIONS
    params.kv_unified = True
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_Q8_0  # 95 MB less, as fast (measured)
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_ENABLED  # which that needs
    params.n_batch = params.n_ubatch = BATCH
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = THREADS
    params.cache_ram_mib = 0
    params.use_jinja = True
    params.warmup = True
    params.verbosity = 0
    params.api_keys = [key]  # it always opens a port on the loopback
    params.n_threads_http = 4  # to count tokens while a cache is waited for
    params.ui = False
    params.slot_save_path = f"{snapshots}/"
    try:
        with _signals_kept():
            server = xllamacpp.Server(params)
        server.handle_completions({"prompt": "Hello", "max_tokens": 1})  # one that was never used can never be let go
    except Exception as fault:  # llama.cpp raises bare exceptions of many kinds
        raise ModelError(f"{path.name} does not load: {fault}", hint="realtime-nb models verify") from fault
    return server


_SIGNALS_LOCK: Final = threading.Lock()


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Take the process' signal handlers back: llama.cpp sets its own, and Interrupt would only stop the model.

    Python can set handlers on the main thread alone, and this may be another; so the C library is asked.
    """
    if sys.platform == "win32":
        yield
        return
    action = ctypes.CDLL(None).sigaction
    with _SIGNALS_LOCK:
        kept = {number: ctypes.create_string_buffer(512) for number in (signal.SIGINT, signal.SIGTERM)}
        for number, handler in kept.items():
            action(int(number), None, handler)
        try:
            yield
        finally:
            for number, handler in kept.items():
                action(int(number), handler, None)


# ---------------------------------------------------------------- reading what it tells
_LOOP = re.compile(r"(.{6,100}?)\1{3}$", re.DOTALL)


def _loops(said: str) -> bool:
    """Whether the end of an answer was said four times over: a small model may not find out by itself."""
    return len(said) > 24 and _LOOP.search(said[-400:]) is not None


def _prompt_text(body: Chunk) -> str:
    """The prompt as a text of which only the likeness to others matters."""
    return body["prompt"] if "prompt" in body else "".join(f"{m['role']}\0{m['content']}\0" for m in body["messages"])


def _reading(progress: Chunk) -> tuple[int, int]:
    """Tokens of the prompt, and how many of them were in the cache."""
    cached = int(progress.get("cache", 0))
    return int(progress.get("total", cached)), cached


def _text(chunk: Chunk) -> str:
    choices = chunk.get("choices") or [{}]
    return choices[0].get("delta", {}).get("content") or choices[0].get("text") or ""


def _reason(last: Chunk, reader: CallReader | None) -> str:
    ended = (last.get("choices") or [{}])[0].get("finish_reason")
    if ended == "length" or (reader and reader.is_cut):
        return "length"
    return "tool_calls" if reader and reader.calls else "stop"
