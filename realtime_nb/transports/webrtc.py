"""A call by WebRTC as a session sees it: the same events as by a WebSocket, the sound of both by tracks."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiortc import MediaStreamTrack, RTCSessionDescription

from realtime_nb.errors import ConnectError, ConnectionClosed
from realtime_nb.protocol.events import InputAudioBufferAppend, decode_client
from realtime_nb.secret import Secret
from realtime_nb.transports.addresses import calls_url, sideband_url
from realtime_nb.transports.http import Answer, post
from realtime_nb.transports.webrtc_heard import Heard
from realtime_nb.transports.webrtc_said import Said
from realtime_nb.transports.websocket import WebSocketTransport, is_loopback, open_websocket, safe_url
from realtime_nb.webrtc import EVENTS, MAX_MESSAGE_BYTES
from realtime_nb.webrtc.channel import Channel
from realtime_nb.webrtc.peer import offer, open_peer, until_silent
from realtime_nb.webrtc.sound import Voice, listen

__all__ = ["WebRtcTransport", "open_webrtc"]

SILENCE_S = 10.0
"""How long a server may send nothing at all, before it is taken for dead; a living one sends at least silence."""
TAIL_S = 0.15
"""How long sound may be on its way when the server says that it has sent all."""
UNHEARD_S = 3.0
"""How long an answer that is done may take to begin to sound; then it is taken as it is."""
HELD_UP_S = 5.0
"""How long this loop may stand still before its time is lost; what a microphone heard meanwhile goes out at once."""
TAKEN_S = 5.0
"""How long the server may take to say that it has what went by the sideband."""
BOUNDARY = "realtime-nb-call"
_DETECTED = {
    "input_audio_buffer.speech_started": "audio_start_ms",
    "input_audio_buffer.speech_stopped": "audio_end_ms",
}


class WebRtcTransport:
    """A call; :func:`open_webrtc` makes one. Everything runs on one loop.

    Parameters
    ----------
    url : str
        Of the server's sessions.
    headers : mapping of str to str or Secret
        That let us in.
    """

    def __init__(self, url: str, headers: Mapping[str, str | Secret]) -> None:
        self._url, self._headers = url, headers
        self.call_id = ""
        """``rtc_...``: by which a sideband attaches, and which may be hung up."""
        self._peer = open_peer()
        self._channel = Channel()
        self._said, self._heard = Said(), Heard()
        self._frames: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._side: WebSocketTransport | None = None
        self._taken = asyncio.Event()
        self._large: dict[str, Any] = {}  # what the channel cannot tell again, by item
        self._unheard: asyncio.TimerHandle | None = None
        self._stopping: list[str] = []  # what tells that all was sent, while the last of it is on its way
        self._over = self._closed = False

    # ------------------------------------------------------------ its life
    async def call(self, timeout_s: float) -> None:
        """Call, and wait until events travel."""
        self._channel.attach(self._peer.createDataChannel(EVENTS))
        self._peer.on("track", self._has_track)
        self._peer.on("connectionstatechange", self._look)
        self._peer.addTrack(Voice(self._said.pull, late_s=HELD_UP_S))
        hosts = ("127.0.0.1",) if is_loopback(self._url) else None
        answer = await self._ask(await offer(self._peer, hosts), timeout_s)
        self.call_id = answer.location.rpartition("/")[2]
        await self._peer.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))
        await self._channel.opened()
        self._start(self._read())
        self._start(self._watch())

    async def _ask(self, offered: str, timeout_s: float) -> Answer:
        model = dict(parse_qsl(urlsplit(self._url).query)).get("model")
        session = {"type": "realtime", **({"model": model} if model else {})}
        headers = {**self._headers, "Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        answer = await post(calls_url(self._url), _form(offered, session), headers, timeout_s=timeout_s)
        if answer.status != 201:
            raise ConnectError(
                f"{safe_url(self._url)} refused the call: {answer.refusal} (HTTP {answer.status})",
                hint="rt.connect(...)  # by WebSocket",
            )
        return answer

    def _has_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            self._start(listen(track, lambda pcm: self._give(self._heard.sound(pcm))))

    async def _watch(self) -> None:
        await until_silent(self._peer, SILENCE_S)
        self._channel.end()

    def _look(self) -> None:
        if self._peer.connectionState in {"failed", "closed"}:
            self._channel.end()

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Hang up."""
        del code, reason  # a call has neither
        if self._closed:
            return
        self._closed = True
        self._end()
        self._expect_sound()
        if self._side is not None:
            await self._side.close()
        await self._peer.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._frames.put_nowait(None)

    # ------------------------------------------------------------ out
    async def send(self, text: str) -> None:
        """Send one event: sound by the track, what is too large by a sideband, all else by the channel."""
        event = json.loads(text)
        kind = event["type"]
        if kind == "input_audio_buffer.append":
            said = decode_client(text)
            if isinstance(said, InputAudioBufferAppend):
                self._said.append(said.audio)
            return
        if kind == "input_audio_buffer.commit":
            await self._said.said()
            await asyncio.sleep(TAIL_S)  # until it is there
        elif kind == "input_audio_buffer.clear":
            self._said.clear()
        elif kind == "response.cancel" and await self._hush(event.get("response_id")):
            return
        await self._post(text)

    async def _hush(self, response_id: str | None) -> bool:
        """Stop what is heard; whether nothing is left to be cancelled."""
        await self._post(json.dumps({"type": "output_audio_buffer.clear"}))
        return self._heard.is_over(response_id)

    async def _post(self, text: str) -> None:
        try:
            if len(text.encode()) > MAX_MESSAGE_BYTES:
                await self._post_aside(text)
            else:
                await self._channel.send(text)
        except ConnectionError:
            raise _closed() from None

    async def _post_aside(self, text: str) -> None:
        """Send by the sideband, and wait until the server has taken it: what follows goes by the channel."""
        side = await self._sideband()
        item = json.loads(text).get("item", {})
        self._large[item.get("id", "")] = item.get("content", [])
        self._taken.clear()
        await side.send(text)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TAKEN_S):
                await self._taken.wait()

    async def _sideband(self) -> WebSocketTransport:
        """A WebSocket to the same session, for events that a data channel cannot carry."""
        if self._side is None:
            self._side = await open_websocket(sideband_url(self._url, self.call_id), headers=self._headers)
            self._start(self._read_side(self._side))
        return self._side

    # ------------------------------------------------------------ in
    async def receive(self) -> str | bytes:
        """The next event."""
        frame = None if self._over and self._frames.empty() else await self._frames.get()
        if frame is None:
            raise _closed()
        return frame

    async def _read(self) -> None:
        while (frame := await self._channel.receive()) is not None:
            text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
            try:
                await self._take(text)
            except (ValueError, KeyError, TypeError, AttributeError):  # no event; the session knows what to do about it
                self._frames.put_nowait(text)
        self._end()

    async def _take(self, text: str) -> None:
        event = json.loads(text)
        match event.get("type"):
            case "session.created" | "session.updated":
                heard = event["session"].get("audio", {}).get("input", {})
                self._said.speak((heard.get("format") or {}).get("type", "audio/pcm"))
            case "input_audio_buffer.speech_started" | "input_audio_buffer.speech_stopped" as kind:
                name = _DETECTED[kind]
                text = json.dumps({**event, name: self._said.place(event[name])})
            case "conversation.item.added" | "conversation.item.done" if event["item"].get("id") in self._large:
                taken = self._large.get if event["type"].endswith("added") else self._large.pop
                event["item"]["content"] = taken(event["item"]["id"])
                text = json.dumps(event)
            case "output_audio_buffer.stopped":
                self._stopping.append(text)
                asyncio.get_running_loop().call_later(TAIL_S, self._stopped, text)
                return
            case "output_audio_buffer.started" | "output_audio_buffer.cleared":
                for each in list(self._stopping):
                    self._stopped(each)
        self._give(self._heard.event(text))

    def _stopped(self, text: str) -> None:
        """All of an answer was heard, what was on its way included; or another one begins."""
        if text in self._stopping:
            self._stopping.remove(text)
            self._give([*self._heard.stop(json.loads(text)["response_id"]), text])

    def _give(self, frames: list[str]) -> None:
        for frame in frames:
            self._frames.put_nowait(frame)
        if not self._heard.unheard:
            self._expect_sound()
        elif self._unheard is None:
            self._unheard = asyncio.get_running_loop().call_later(UNHEARD_S, self._give_up)

    def _expect_sound(self) -> None:
        """Wait no more for an answer to begin."""
        if self._unheard is not None:
            self._unheard.cancel()
            self._unheard = None

    def _give_up(self) -> None:
        self._unheard = None
        self._give(self._heard.give_up())

    async def _read_side(self, side: WebSocketTransport) -> None:
        """What the sideband alone is told: refusals of what it sent."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                frame = await side.receive()
                kind = json.loads(frame).get("type")
                if kind == "error":
                    self._frames.put_nowait(frame)
                if kind in {"error", "conversation.item.added", "conversation.item.created"}:
                    self._taken.set()
        self._side = None  # the call goes on, and the next large event opens another

    def __repr__(self) -> str:
        return f"<WebRtcTransport {self.call_id} {self._peer.connectionState}>"


def _form(offered: str, session: Mapping[str, Any]) -> bytes:
    parts = {"sdp": ("application/sdp", offered), "session": ("application/json", json.dumps(session))}
    lines: list[str] = []
    for name, (kind, text) in parts.items():
        lines += [f"--{BOUNDARY}", f'Content-Disposition: form-data; name="{name}"', f"Content-Type: {kind}", "", text]
    return "\r\n".join([*lines, f"--{BOUNDARY}--", ""]).encode()


def _closed() -> ConnectionClosed:
    return ConnectionClosed("the call has ended", code=1000, reason="", hint="session = rt.connect()")


async def open_webrtc(
    url: str, *, headers: Mapping[str, str | Secret] | None = None, timeout_s: float = 5.0
) -> WebRtcTransport:
    """Call a realtime server.

    Parameters
    ----------
    url : str
        Of its sessions: ``ws://`` or ``wss://``; the call is made beside it, by ``http(s)://.../calls``.
    headers : mapping of str to str or Secret, optional
        Sent with the call; put keys in as :class:`~realtime_nb.secret.Secret`.
    timeout_s : float
        How long the call may take to come about, in seconds.

    Returns
    -------
    WebRtcTransport
        Events travel; the server speaks first.

    Raises
    ------
    ConnectError
        When nothing answers, or what answers refuses; it names the URL, never a key.
    """
    call = WebRtcTransport(url, headers or {})
    try:
        async with asyncio.timeout(timeout_s):
            await call.call(timeout_s)
    except (TimeoutError, ConnectionError, ValueError) as fault:
        await call.close()
        why = f"nothing came about within {timeout_s:g} s" if isinstance(fault, TimeoutError) else str(fault)
        refusal = ConnectError(
            f"no call to {safe_url(url)}: {why}; its sound goes by UDP, which a network may not let through",
            hint="rt.connect(...)  # by WebSocket",
        )
    except BaseException:
        await call.close()
        raise
    else:
        return call
    raise refusal
