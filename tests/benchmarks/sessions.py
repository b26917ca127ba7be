"""Many sessions at once: what the crowd costs each of them, and what one costs that only waits."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import psutil
from latency import child, clips, voice_to_voice
from wire import Caller

from realtime_nb.audio import Audio

Figure = tuple[str, float, str]
COMMAND = (str(Path(__file__).parent / "stub_server.py"),)
TOKEN = "benchmark"
CROWD = 16
FIRST_AUDIO = "voice, first chunk"
SPREAD_S = 0.15
"""Of a crowd as it comes: each begins so much after the one before, and all overlap."""


async def one(url: str, clip: Audio, delay_s: float = 0.0) -> float | None:
    """Milliseconds from the true end of speech to the first audio; None where a pause ended the turn early."""
    await asyncio.sleep(delay_s)
    return (await voice_to_voice(url, TOKEN, clip)).get(FIRST_AUDIO)


async def crowd(url: str, clip: Audio, sessions: int, spread_s: float = 0.0) -> list[float]:
    """The same in so many sessions at once."""
    waits = await asyncio.gather(*(one(url, clip, spread_s * n) for n in range(sessions)))
    return [wait for wait in waits if wait is not None]


async def idle_mb(url: str, process: psutil.Process, sessions: int) -> float:
    """Megabytes a session holds that is open and says nothing."""
    before = process.memory_info().rss
    callers = [await Caller.dial(url, TOKEN) for _ in range(sessions)]
    await asyncio.sleep(0.5)  # what a session warms up
    grown = process.memory_info().rss - before
    for caller in callers:
        await caller.close()
    return grown / sessions / 1e6


def at_once(runs: int) -> Iterator[Figure]:
    """One session and sixteen by turns, so that whatever else the machine does hits both."""
    clip = clips()[0]
    with child(*COMMAND) as (ready, process, _):
        url = ready["url"]
        yield f"memory of an idle session, mean of {CROWD}", asyncio.run(idle_mb(url, process, CROWD)), "MB"
        crowds: dict[str, list[float]] = {"as they come": [], "all in step": []}
        ratios: dict[str, list[float]] = {"as they come": [], "all in step": []}
        alone: list[float] = []
        for _ in range(max(runs // 2, 1)):
            by_itself = asyncio.run(crowd(url, clip, 1))
            alone += by_itself
            for name, spread_s in (("as they come", SPREAD_S), ("all in step", 0.0)):
                waits = asyncio.run(crowd(url, clip, CROWD, spread_s))
                crowds[name] += waits
                ratios[name].append(median(waits) / median(by_itself))
        yield f"first audio of one session, median of {len(alone)}", median(alone), "ms"
        for name, waits in crowds.items():
            yield f"first audio of {CROWD}, {name}, median of {len(waits)}", median(waits), "ms"
            yield "... the slowest of them", max(waits), "ms"
            yield "... against one session, median of pairs", 100 * median(ratios[name]), "%"
        yield "resident memory after it", process.memory_info().rss / 1e6, "MB"
