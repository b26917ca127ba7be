"""How long a long conversation takes to write and to open: ten thousand turns, half a million events."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import numpy as np

from realtime_nb.archive import Header, Recorder, SavedHistory, Tape, Writer, open_history
from realtime_nb.audio import Audio
from realtime_nb.history import EventLog
from realtime_nb.models import model
from realtime_nb.plots import PlotAccessor
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.events import decode_server
from realtime_nb.protocol.items import InputText, Message
from realtime_nb.protocol.usage import CachedTokens, InputTokens, OutputTokens, Usage

Figure = tuple[str, float, str]
DELTAS = 21
"""Pieces of words and of sound in a turn: with the rest of its events more than fifty."""
INTERRUPTED = 9
"""Of so many turns one is."""
FRAMES = ("history", "turns", "usage", "rate_limits", "events")


def turn(log: EventLog, n: int) -> None:
    """One written question and its spoken answer."""
    t_s, question, response, answer = float(n), f"item_q{n:016}", f"resp_{n:018}", f"item_a{n:016}"
    place = {"response_id": response, "item_id": answer, "output_index": 0, "content_index": 0}
    message = {"id": answer, "type": "message", "role": "assistant", "content": []}
    asked = Message(id=question, role="user", content=(InputText(text="And what is the next one?"),))

    def get(type: str, after_s: float, **fields: object) -> None:
        event = {"type": type, "event_id": f"event_{len(log):015}", **fields}
        text = ev.encode(ev.UnknownEvent(type=type, payload=event))
        log.append("received", decode_server(text), t_s + after_s, len(text))

    log.append("sent", ev.ConversationItemCreate(item=asked, event_id=f"event_c{n}"), t_s, 250)
    log.append("sent", ev.ResponseCreate(event_id=f"event_r{n}"), t_s, 50)
    get("conversation.item.added", 0.1, item={**message, "id": question, "role": "user"})
    get("response.created", 0.1, response={"id": response, "conversation_id": "conv_1", "status": "in_progress"})
    get("response.output_item.added", 0.1, response_id=response, output_index=0, item=message)
    get("conversation.item.added", 0.1, item=message, previous_item_id=question)
    for index in range(DELTAS):
        get("response.output_audio_transcript.delta", 0.2 + index / 100, delta="some words ", **place)
        get("response.output_audio.delta", 0.2 + index / 100, delta="AAAA" * 1600, **place)
    get("response.output_audio_transcript.done", 0.6, transcript="some words " * DELTAS, **place)
    get("response.output_audio.done", 0.6, **place)
    get("conversation.item.done", 0.6, item={**message, "status": "completed"}, previous_item_id=question)
    get("response.output_item.done", 0.6, response_id=response, output_index=0, item={**message, "status": "completed"})
    used = Usage(
        total_tokens=900,
        input_tokens=700,
        output_tokens=200,
        input_token_details=InputTokens(
            text_tokens=300, audio_tokens=400, cached_tokens=128, cached_tokens_details=CachedTokens(text_tokens=128)
        ),
        output_token_details=OutputTokens(text_tokens=50, audio_tokens=150),
    )
    done = ev.Response(id=response, conversation_id="conv_1", status="completed", usage=used)
    event = ev.ResponseDone(event_id=f"event_d{n}", response=done)
    log.append("received", event, t_s + 0.6, 900)
    if n % INTERRUPTED == 0:
        cut = {"item_id": answer, "content_index": 0, "audio_end_ms": 800}
        log.append("sent", ev.ConversationItemTruncate(event_id=f"event_t{n}", **cut), t_s + 0.6, 150)  # type: ignore[arg-type]
        get("conversation.item.truncated", 0.7, **cut)
    get(
        "rate_limits.updated",
        0.6,
        rate_limits=[{"name": "requests", "limit": 200, "remaining": 199, "reset_seconds": 0.3}],
    )


def write(folder: Path, turns: int) -> tuple[int, float]:
    """Write a conversation; the number of events, and the seconds a thousand of them took to append."""
    writer = Writer(folder, Header(session_id="sess_1", brain="x", begun="", card=model("gpt-realtime-mini")))
    spent_s = 0.0
    events = 0
    for n in range(turns):
        log = EventLog()
        turn(log, n)
        begin = time.perf_counter()
        for entry in log:
            writer.add(entry)
        spent_s += time.perf_counter() - begin
        events += len(log)
    writer.close()
    return events, 1000 * spent_s / events


def timed(work: object) -> float:
    """Wall seconds of a call."""
    begin = time.perf_counter()
    work()  # type: ignore[operator] - a callable
    return time.perf_counter() - begin


def frames(saved: SavedHistory) -> None:
    """Make them all."""
    for name in FRAMES:
        getattr(saved, name)


def drawn(saved: SavedHistory, runs: int) -> Iterator[Figure]:
    """Each plot with its picture, from frames that are there; the sounds are an hour of both voices."""
    frames = {name: getattr(saved, name) for name in FRAMES}
    plot = PlotAccessor(SimpleNamespace(**frames, card=saved.card, budget_usd=100.0))
    voice = Audio(np.random.default_rng(1).uniform(-0.3, 0.3, 3600 * 24_000).astype(np.float32), 24_000)
    plot.waveform(voice[:1])._repr_png_()  # what matplotlib loads when it is first used is not what is measured
    for name in ("timeline", "tokens", "cost", "latency", "context", "rate_limits"):
        spent_s = [timed(lambda name=name: getattr(plot, name)()._repr_png_()) for _ in range(runs)]
        yield f"... plot {name}, with its picture", 1000 * median(spent_s), "ms"
    for name in ("waveform", "spectrogram"):
        spent_s = [timed(lambda name=name: getattr(plot, name)((voice, voice))._repr_png_()) for _ in range(runs)]
        yield f"... plot {name} of an hour of both voices", 1000 * median(spent_s), "ms"


def memory(folder: Path, names: Sequence[str]) -> float:
    """Megabytes a fresh process grows by at most when it opens a conversation and makes its frames.

    What pandas needs to make its first column of texts is there before.
    """
    code = (
        "import sys, pandas; from realtime_nb.archive import open_history\n"
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])\n"
        "pandas.Series(['a'], dtype='string'); before = peak(); s = open_history(sys.argv[1])\n"
        "for name in sys.argv[2:]: getattr(s, name)\n"
        "print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder), *names], capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def held_up(folder: Path, *, kept: bool) -> float:
    """Microseconds that the thread of a session spends on an event: with a log, the disk is another thread's."""
    whole, log = EventLog(), EventLog()
    for n in range(200):
        turn(whole, n)
    tape = Tape(log)
    if kept:
        header = Header(session_id="sess_1", brain="x", begun="", card=model("gpt-realtime-mini"))
        recorder = Recorder(Writer(folder, header), log, tape, at_once=False)
        recorder.follow()
    begin = time.thread_time()
    for entry in whole:
        log.append(entry.direction, entry.event, entry.t_s, entry.bytes)
    spent_s = time.thread_time() - begin
    if kept:
        recorder.close()
    return 1e6 * spent_s / len(whole)


def archive(runs: int) -> Iterator[Figure]:
    """Append, open, make frames and draw them: a thousand events, ten, a hundred thousand, and half a million."""
    import pandas  # noqa: F401, ICN001 - its import is not what is measured

    root = Path(tempfile.mkdtemp())
    try:
        for turns in (19, 186, 1_852, 10_000):
            folder = root / str(turns)
            events, per_thousand_s = write(folder, turns)
            yield f"{events:,} events: append one", 1e3 * per_thousand_s, "us"
        size = (folder / "events.jsonl").stat().st_size
        yield "... their file", size / 1e6, "MB"
        yield "... open", 1000 * median(timed(lambda: open_history(folder)) for _ in range(min(runs, 5))), "ms"
        saved = open_history(folder)
        for name in FRAMES:
            spent_s = median(timed(lambda name=name: getattr(saved, name)) for _ in range(min(runs, 3)))
            yield f"... frame {name}: {len(getattr(saved, name)):,} rows", 1000 * spent_s, "ms"
        yield "... all five frames", 1000 * median(timed(lambda: frames(saved)) for _ in range(min(runs, 3))), "ms"
        yield from drawn(saved, min(runs, 5))
        yield "... memory of opening and four frames", memory(folder, FRAMES[:4]), "MB"
        yield "... memory of opening and all five frames", memory(folder, FRAMES), "MB"
        for kept, word in ((False, "without"), (True, "with")):
            yield f"a session's thread, an event: {word} its log", held_up(root / word, kept=kept), "us"
    finally:
        shutil.rmtree(root)
