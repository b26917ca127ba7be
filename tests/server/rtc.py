"""A caller by WebRTC, for the tests of this folder; run as a program, it calls and waits to be killed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
from aiortc import RTCSessionDescription

from realtime_nb.server.thread import Serving
from realtime_nb.webrtc import EVENTS
from realtime_nb.webrtc.channel import Channel
from realtime_nb.webrtc.peer import offer, open_peer
from realtime_nb.webrtc.sound import Voice, listen

LOOPBACK = ("127.0.0.1",)
WAIT_S = 60.0
STORY = "Tell me a long story about a river and a boat and the sea."


class Rtc:
    """A caller by WebRTC."""

    def __init__(self) -> None:
        self.peer = open_peer()
        self.channel = Channel()
        self.channel.attach(self.peer.createDataChannel(EVENTS))
        self.to_say, self.heard = bytearray(), bytearray()
        self.events: list[dict[str, Any]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.name = ""
        self.peer.on("track", lambda track: self.tasks.append(asyncio.create_task(listen(track, self.heard.extend))))
        self.peer.addTrack(Voice(self._pull))

    def _pull(self, ms: int) -> bytes:
        piece = bytes(self.to_say[: 48 * ms])
        del self.to_say[: 48 * ms]
        return piece

    async def call(self, serving: Serving, headers: dict[str, str] | None = None) -> None:
        """Call, and wait until events travel."""
        offered = await offer(self.peer, LOOPBACK)
        headers = {"Content-Type": "application/sdp", **(headers or serving.headers)}
        status, where, answered = await asyncio.to_thread(post, serving.http, offered.encode(), headers)
        assert status == 201, answered
        self.name = where.rpartition("/")[2]
        await self.peer.setRemoteDescription(RTCSessionDescription(answered, "answer"))
        await self.channel.opened()

    async def send(self, type: str, **fields: Any) -> None:
        """Send an event."""
        await self.channel.send(json.dumps({"type": type, **fields}))

    async def until(self, type: str) -> dict[str, Any]:
        """Receive up to the first event of a type."""
        async with asyncio.timeout(WAIT_S):
            while True:
                frame = await self.channel.receive()
                assert frame is not None, f"the call ended before {type}"
                self.events.append(json.loads(frame))
                if self.events[-1]["type"] == type:
                    return self.events[-1]

    async def has(self, type: str) -> dict[str, Any]:
        """The first event of a type, whether it has come or comes."""
        return next((event for event in self.events if event["type"] == type), None) or await self.until(type)

    async def say(self, text: str) -> dict[str, Any]:
        """One written turn."""
        part = {"type": "input_text", "text": text}
        await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": [part]})
        await self.send("response.create")
        return (await self.until("response.done"))["response"]

    async def over(self) -> None:
        """Wait until the other end has ended it."""
        async with asyncio.timeout(WAIT_S):
            while await self.channel.receive() is not None:
                pass

    async def close(self) -> None:
        """Hang up."""
        await self.peer.close()
        await asyncio.gather(*self.tasks)


def post(http: str, body: bytes, headers: dict[str, str], path: str = "/v1/realtime/calls") -> tuple[int, str, str]:
    """Status, Location and body of a POST."""
    answer = httpx.post(http + path, content=body, headers=headers, timeout=WAIT_S)
    return answer.status_code, answer.headers.get("location", ""), answer.text


@contextlib.asynccontextmanager
async def calling(serving: Serving, headers: dict[str, str] | None = None) -> AsyncIterator[Rtc]:
    """A call, after its first event; hung up at the end."""
    rtc = Rtc()
    try:
        await rtc.call(serving, headers)
        await rtc.until("session.created")
        yield rtc
    finally:
        await rtc.close()


async def eventually(state: Callable[[], bool], within_s: float = WAIT_S) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(within_s):
        while not state():  # noqa: ASYNC110 - of another loop, or another process
            await asyncio.sleep(0.02)


def released(serving: Serving) -> Callable[[], bool]:
    """Whether nothing of any call is left."""
    return lambda: not len(serving.hub.calls) and not serving.hub.sessions


def talk(serving: Serving, scenario: Callable[[Rtc], Awaitable[None]], headers: dict[str, str] | None = None) -> None:
    """Play a call through, and see that nothing of it is left."""

    async def play() -> None:
        async with calling(serving, headers) as rtc:
            await scenario(rtc)
        await eventually(released(serving))

    asyncio.run(play())


def form(sdp: str, session: dict[str, Any]) -> tuple[bytes, str]:
    """What the official package sends."""
    lines = ["--b", 'Content-Disposition: form-data; name="sdp"', "Content-Type: application/sdp", "", sdp]
    lines += ["--b", 'Content-Disposition: form-data; name="session"', "Content-Type: application/json", ""]
    lines += [json.dumps(session), "--b--", ""]
    return "\r\n".join(lines).encode(), "multipart/form-data; boundary=b"


def secret(serving: Serving, **headers: str) -> str:
    """An ephemeral secret."""
    path = "/v1/realtime/client_secrets"
    status, _, said = post(serving.http, b"", {**serving.headers, **headers}, path)
    assert status == 200, said
    return str(json.loads(said)["value"])


def _child() -> None:
    """Call, say so, and wait to be killed."""

    async def call() -> None:
        rtc = Rtc()
        url, token = sys.argv[1:]
        await rtc.call(Serving("", url, None, None, None), {"Authorization": f"Bearer {token}"})  # type: ignore[arg-type]
        os.write(1, b"up\n")
        await asyncio.sleep(60)

    asyncio.run(call())


if __name__ == "__main__":
    _child()
