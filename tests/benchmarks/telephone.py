"""Calls by SIP to a server with stub stages: how soon they are taken and answered, and what one costs."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Iterator

import numpy as np

from realtime_nb.audio import Audio
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.phone_options import PhoneOptions
from realtime_nb.server.thread import serve_in_thread
from realtime_nb.testing.stages import stub_engine, stub_speech
from realtime_nb.transports.sip import RATE, open_line

SPEECH = Audio.from_pcm16(stub_speech(800)).resample(RATE).samples
AT_ONCE, TALK_S = 8, 5.0


def calls(runs: int) -> Iterator[tuple[str, float, str]]:
    """Measure on loopback; both ends are in this process."""
    with serve_in_thread(stub_engine(), ServerOptions(phone=PhoneOptions(port=0))) as serving:
        assert serving.sip is not None
        target = f"sip:bench@127.0.0.1:{serving.sip[1]}"
        taken, answered = zip(*(asyncio.run(_one(target)) for _ in range(runs)), strict=True)
        yield "dialling to taken", statistics.median(taken), "ms"
        yield "end of speech to first sound (200 ms of it the timer)", statistics.median(answered), "ms"
        begun = time.process_time()
        asyncio.run(_several(target))
        share = (time.process_time() - begun) / (AT_ONCE * TALK_S)
        yield f"of a core a call, both ends, {AT_ONCE} at once", 100 * share, "%"


async def _one(target: str) -> tuple[float, float]:
    """One question and its answer: ms to be taken, ms from the end of speech to the first sound."""
    begun = time.perf_counter()
    line = await open_line(target)
    taken = time.perf_counter()
    await line.said(line.say(SPEECH))
    ended, start = time.perf_counter(), len(line.heard)
    await line.until(lambda: any(np.abs(piece).max() > 0.05 for piece in line.heard[start:]))
    answered = time.perf_counter()
    await line.hang_up()
    return 1000 * (taken - begun), 1000 * (answered - ended)


async def _several(target: str) -> None:
    async def one() -> None:
        line = await open_line(target)
        await asyncio.sleep(TALK_S)
        await line.hang_up()

    await asyncio.gather(*(one() for _ in range(AT_ONCE)))
