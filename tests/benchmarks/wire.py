"""A bare caller: it speaks to a server in real time and notes when each event came, with nothing of ours in between."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from realtime_nb.audio import Audio
from realtime_nb.audio.measure import speech_bounds

RATE = 24_000
FRAME_S = 0.02
QUIET = bytes(2 * int(RATE * FRAME_S))


@dataclass
class Caller:
    """One WebSocket; every event with the time it came, seconds of ``time.perf_counter``."""

    ws: ClientConnection
    events: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _reader: asyncio.Task[None] | None = None

    @classmethod
    async def dial(cls, url: str, token: str) -> Caller:
        """Connect and listen."""
        ws = await connect(
            f"{url}?model=gpt-realtime-mini",
            additional_headers={"Authorization": f"Bearer {token}"},
            max_size=None,
            proxy=None,
        )
        caller = cls(ws)
        caller._reader = asyncio.create_task(caller._read())
        await caller.wait("session.created")
        return caller

    async def _read(self) -> None:
        async for frame in self.ws:
            event = json.loads(frame)
            self.events.append((time.perf_counter(), event))
            self._news.set()

    async def close(self) -> None:
        """Hang up."""
        await self.ws.close()
        if self._reader:
            await self._reader

    async def send(self, kind: str, **fields: Any) -> None:
        """Send one event."""
        await self.ws.send(json.dumps({"type": kind, **fields}))

    async def wait(self, kind: str, *, since: int = 0, seconds: float = 60) -> tuple[float, dict[str, Any]]:
        """The first event of a kind from index `since` on."""
        deadline = time.perf_counter() + seconds
        seen = since
        while True:
            for index in range(seen, len(self.events)):
                if self.events[index][1]["type"] == kind:
                    return self.events[index]
            seen = max(seen, len(self.events))
            self._news.clear()
            if len(self.events) > seen:
                continue
            await asyncio.wait_for(self._news.wait(), deadline - time.perf_counter())

    async def update(self, **session: Any) -> None:
        """Change the session and wait for the answer."""
        since = len(self.events)
        await self.send("session.update", session={"type": "realtime", **session})
        await self.wait("session.updated", since=since)

    async def speak(self, clip: Audio, *, until: asyncio.Event) -> float:
        """Be a microphone: the clip, then silence until told to stop; when its speech truly ended."""
        samples = clip.resample(RATE)
        pcm = samples.to_pcm16()
        size = len(QUIET)
        start = time.perf_counter()
        end_of_speech = start + speech_bounds(samples)[1]
        for index in range(10_000):
            if until.is_set():
                break
            due = start + (index + 1) * FRAME_S  # a microphone gives a frame when it has ended, not when it begins
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            chunk = pcm[index * size : (index + 1) * size].ljust(size, b"\0")
            await self.send("input_audio_buffer.append", audio=base64.b64encode(chunk).decode())
        return end_of_speech


def tone_free(clip: Audio) -> Audio:
    """The clip with half a second of silence around it, so that nothing begins or ends on a cut."""
    pad = np.zeros(clip.rate // 2, np.float32)
    return Audio.from_array(np.concatenate([pad, clip.samples, pad]), rate=clip.rate)
