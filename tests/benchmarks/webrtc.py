"""A call by WebRTC, Python to Python: how long it takes to come about, and how old its sound is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from statistics import median, quantiles
from typing import Any

import numpy as np
import psutil
from aiortc import RTCSessionDescription
from latency import child
from sessions import COMMAND, TOKEN, Figure

from realtime_nb.secret import Secret
from realtime_nb.transports.webrtc import WebRtcTransport, open_webrtc
from realtime_nb.webrtc.peer import answer, offer, open_peer
from realtime_nb.webrtc.sound import Voice, listen

PULSE_MS, EVERY_MS = 40, 500
LOUD = 2_000
LOOPBACK = ("127.0.0.1",)


class Pulses:
    """Sound that begins every half second; knows when each beginning was given out, and when one was heard."""

    def __init__(self) -> None:
        self.given: list[float] = []
        self.heard: list[float] = []
        self._ms = 0

    def pull(self, ms: int) -> bytes:
        """Give the next sound."""
        at, self._ms = self._ms % EVERY_MS, self._ms + ms
        if at == 0:
            self.given.append(time.perf_counter())
        return np.full(24 * ms, 12_000 if at < PULSE_MS else 0, "<i2").tobytes()

    def hear(self, pcm: bytes) -> None:
        """Note when it is loud again."""
        now = time.perf_counter()
        loud = np.abs(np.frombuffer(pcm, "<i2")).max(initial=0) > LOUD
        if loud and (not self.heard or now - self.heard[-1] > EVERY_MS / 2000):
            self.heard.append(now)

    @property
    def ages_ms(self) -> list[float]:
        """How old each beginning was when it was heard."""
        return [1000 * min(now - then for then in self.given if then < now) for now in self.heard[2:]]


async def one_way_ms(seconds: float) -> list[float]:
    """How old sound is that comes out, PCM to PCM, both ends in this process."""
    pulses, tasks, ends = Pulses(), [], (open_peer(), open_peer())
    there, here = ends

    def hear(track: Any) -> None:
        tasks.append(asyncio.create_task(listen(track, pulses.hear)))

    there.addTrack(Voice(pulses.pull))
    here.on("track", hear)
    described = await answer(here, await offer(there, LOOPBACK), LOOPBACK)
    await there.setRemoteDescription(RTCSessionDescription(described, "answer"))
    await asyncio.sleep(seconds)
    await asyncio.gather(*(end.close() for end in ends))
    await asyncio.gather(*tasks)
    return pulses.ages_ms


async def called(url: str) -> tuple[float, WebRtcTransport]:
    """Milliseconds until events travel."""
    begun = time.perf_counter()
    call = await open_webrtc(url, headers={"Authorization": Secret(f"Bearer {TOKEN}")}, timeout_s=30)
    return 1000 * (time.perf_counter() - begun), call


async def come_about(url: str, runs: int) -> list[float]:
    """The same for so many calls, one after the other."""
    took = []
    for _ in range(runs):
        ms, call = await called(url)
        took.append(ms)
        await call.close()
    return took


async def busy(url: str, process: psutil.Process, seconds: float) -> float:
    """Percent of a core that a server spends on a call in which nobody speaks."""
    _, call = await called(url)
    before = process.cpu_times()
    await asyncio.sleep(seconds)
    after = process.cpu_times()
    await call.close()
    return 100 * (after.user + after.system - before.user - before.system) / seconds


def calls(runs: int) -> Iterator[Figure]:
    """Set-up, sound and processor time."""
    ages = asyncio.run(one_way_ms(max(runs, 4)))
    yield f"sound one way, PCM to PCM, median of {len(ages)}", median(ages), "ms"
    yield "... 95th percentile", quantiles(ages, n=20)[-1], "ms"
    with child(*COMMAND) as (ready, process, _):
        asyncio.run(come_about(ready["url"], 1))  # the server's first call imports aiortc
        yield "a call comes about, median", median(asyncio.run(come_about(ready["url"], runs))), "ms"
        yield "the server's processor time, of a core", asyncio.run(busy(ready["url"], process, 5)), "%"
