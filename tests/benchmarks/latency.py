"""Voice to voice, split by stage, and how fast an interruption is obeyed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from wire import Caller, tone_free

from realtime_nb.audio import Audio

Figure = tuple[str, float, str]
HERE = Path(__file__).parent
CLIPS = ("question.wav", "something.wav", "goforward.wav")
STAGES = {  # what ends each share of the wait, in order; standard events, as any client sees them
    "silence timer": "input_audio_buffer.speech_stopped",
    "recogniser": "conversation.item.input_audio_transcription.completed",
    "brain, first clause": "response.output_audio_transcript.delta",
    "voice, first chunk": "response.output_audio.delta",
}


@contextlib.contextmanager
def child(*command: str) -> Iterator[tuple[dict[str, Any], psutil.Process, float]]:
    """A server in its own process: its ready line, the process, the seconds it took."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            message = json.loads(line)
            if "failed" in message:
                raise SystemExit(message["failed"]["message"])
            if "ready" in message:
                yield message["ready"], psutil.Process(process.pid), time.perf_counter() - start
                break
    finally:
        process.kill()
        process.wait()


def clips() -> list[Audio]:
    """People speaking, with silence around."""
    return [tone_free(Audio.read(HERE.parent / "data" / name)) for name in CLIPS]


async def configured(url: str, token: str, instructions: str = "Answer in one short sentence.") -> Caller:
    """A session with the silence of the stated aim."""
    caller = await Caller.dial(url, token)
    vad = {"type": "server_vad", "silence_duration_ms": 200}
    await caller.update(
        instructions=instructions,
        audio={"input": {"turn_detection": vad, "transcription": {"model": "whisper-1"}}},
    )
    return caller


async def voice_to_voice(url: str, token: str, clip: Audio) -> dict[str, float]:
    """Milliseconds from the true end of speech to each stage's first event."""
    caller = await configured(url, token)
    heard = asyncio.Event()
    speaking = asyncio.create_task(caller.speak(clip, until=heard))
    await caller.wait("response.done")
    heard.set()
    end = await speaking
    await caller.close()
    # A long pause inside the clip may end a turn early: count from the last turn's own events.
    if not any(event["type"] == STAGES["silence timer"] and t > end for t, event in caller.events):
        return {}
    first = {kind: min(t for t, e in caller.events if e["type"] == kind and t > end) for kind in STAGES.values()}
    return {stage: 1000 * (first[kind] - end) for stage, kind in STAGES.items()}


async def interruption(url: str, token: str, clip: Audio) -> dict[str, float]:
    """Milliseconds from the onset of a second utterance to the cancelled response's end."""
    from realtime_nb.audio.measure import speech_bounds

    caller = await configured(url, token, "Tell long stories.")
    words = "Tell me a very long story about a dog, a cat and a king. Count all their friends."
    ask = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": words}]}
    await caller.send("conversation.item.create", item=ask)
    await caller.send("response.create")
    await caller.wait("response.output_audio.delta")
    stop = asyncio.Event()
    begun = time.perf_counter()
    speaking = asyncio.create_task(caller.speak(clip, until=stop))
    onset = begun + speech_bounds(clip)[0]
    started, _ = await caller.wait("input_audio_buffer.speech_started")
    done, event = await caller.wait("response.done")
    stop.set()
    await speaking
    await caller.close()
    if event["response"]["status"] != "cancelled":
        return {}
    return {"speech_started": 1000 * (started - onset), "response.done(cancelled)": 1000 * (done - onset)}


def repeated(measure: Callable[[Audio], Awaitable[dict[str, float]]], runs: int) -> list[dict[str, float]]:
    """Run over the clips in turn; empty results (nothing to measure) are left out."""
    people = clips()
    results = [asyncio.run(_call(measure, people[index % len(people)])) for index in range(runs)]
    return [result for result in results if result]


async def _call(measure: Callable[[Audio], Awaitable[dict[str, float]]], clip: Audio) -> dict[str, float]:
    return await measure(clip)


def report(command: tuple[str, ...], token: str, runs: int) -> Iterator[Figure]:
    """All figures of one server."""
    with child(*command) as (ready, process, cold_s):
        url = ready["url"]
        yield f"cold start to ready ({ready['brain']})", 1000 * cold_s, "ms"
        rows = repeated(lambda clip: voice_to_voice(url, token, clip), runs)
        if rows:
            before = 0.0
            for stage in STAGES:
                upto = median(row[stage] for row in rows)
                yield f"voice to voice: {stage}", upto - before, "ms"
                before = upto
            yield f"voice to voice: first audio, median of {len(rows)}", before, "ms"
        rows = repeated(lambda clip: interruption(url, token, clip), runs)
        for name in rows[0] if rows else ():
            yield f"barge-in: onset to {name}, median of {len(rows)}", median(row[name] for row in rows), "ms"
        yield "resident memory", process.memory_info().rss / 1e6, "MB"


def with_stub_stages(runs: int) -> Iterator[Figure]:
    """The server's own share: stages that cost nothing."""
    yield from report((str(HERE / "stub_server.py"),), "benchmark", runs)


def with_local_models(runs: int) -> Iterator[Figure]:
    """The whole engine as shipped."""
    import os

    os.environ["REALTIME_NB_TOKEN"] = "benchmark"
    yield from report(("-m", "realtime_nb.server", "--child"), "benchmark", runs)
