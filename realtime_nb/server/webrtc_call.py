"""One call by WebRTC: a session whose owner speaks by a data channel, and whose sound goes by tracks."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from aiortc import MediaStreamTrack, RTCDataChannel

from realtime_nb.protocol.events import Error, ErrorDetail, encode
from realtime_nb.protocol.formats import Pcm
from realtime_nb.protocol.session_config import AnySession
from realtime_nb.server.calls import unfit
from realtime_nb.server.hub import Hub
from realtime_nb.server.live import LiveSession
from realtime_nb.server.peer import Peer
from realtime_nb.webrtc import EVENTS, MAX_MESSAGE_BYTES
from realtime_nb.webrtc.channel import Channel
from realtime_nb.webrtc.peer import answer, open_peer, until_silent
from realtime_nb.webrtc.sound import Voice, listen

__all__ = ["EventChannel", "RtcCall"]

logger = logging.getLogger("realtime_nb.server")

HEAVY = frozenset({"audio", "image_url"})
"""Fields that an event can do without: who gave them has them, and a sideband is told them."""


class EventChannel(Channel):
    """The server's end: what is too large for a data channel goes without what makes it so."""

    async def send(self, text: str) -> None:
        """Send an event, or what can be sent of it."""
        await super().send(_fitting(text))


def _fitting(text: str) -> str:
    if len(text.encode()) <= MAX_MESSAGE_BYTES:
        return text
    event = _lightened(json.loads(text))
    lighter = json.dumps(event, ensure_ascii=False)
    if len(lighter.encode()) <= MAX_MESSAGE_BYTES:
        return lighter
    message = f"An event of type '{event['type']}' is larger than a data channel carries; a sideband is sent it."
    error = ErrorDetail(type="invalid_request_error", code="event_too_large", message=message)
    return encode(Error(event_id=event["event_id"], error=error))


def _lightened(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: "" if name in HEAVY else _lightened(each) for name, each in value.items()}
    return [_lightened(each) for each in value] if isinstance(value, list) else value


def _check_parts(offered: str) -> None:
    if "m=audio" not in offered or "m=application" not in offered:
        raise ValueError(f"the offer needs an audio track and the data channel '{EVENTS}'")


class RtcCall:
    """A call by WebRTC; :meth:`answer` begins it.

    Parameters
    ----------
    hub : Hub
        The server.
    hosts : sequence of str or None
        The addresses at which its sound is taken.
    over : callable
        Told once nothing of it is left.
    """

    def __init__(self, hub: Hub, hosts: Sequence[str] | None, over: Callable[[RtcCall], object]) -> None:
        self.name = hub.ids.new("rtc")
        self._over = over
        self._hub = hub
        self._hosts = hosts
        self._peer = open_peer()
        self._channel = EventChannel()
        self._live: LiveSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ its life
    async def answer(self, offered: str, settings: AnySession) -> str:
        """Take the offer, and begin the session.

        Raises
        ------
        ValueError
            The offer is none that can be taken.
        """
        self._peer.on("datachannel", self._has_channel)
        self._peer.on("track", self._has_track)
        self._peer.on("connectionstatechange", self._look)
        self._peer.addTrack(Voice(self._pull))
        try:
            _check_parts(offered)
            described = await answer(self._peer, offered, self._hosts)
        except BaseException:
            await self._peer.close()
            self._over(self)
            raise
        core = self._hub.new_connection(settings, plays=True)
        self._live = LiveSession(self._hub, core, self.name, Pcm())
        self._running = asyncio.create_task(self._run(self._live))
        return described

    async def _run(self, live: LiveSession) -> None:
        """See the session to its end, then leave nothing behind."""
        beating = asyncio.create_task(self._watch())
        try:
            await live.run(Peer(self._channel, self._hub.options, self._hub.meter))
        finally:
            for task in (beating, *self._tasks):
                task.cancel()
            self._channel.end()
            await asyncio.gather(beating, *self._tasks, return_exceptions=True)
            await self._peer.close()
            self._over(self)

    async def _watch(self) -> None:
        """End the call when its other end is dead."""
        await until_silent(self._peer, self._hub.options.rtc_silence_s)
        logger.info("the other end of a call is silent: %s is over", self.name)
        self.hang_up()

    async def gone(self) -> None:
        """Wait until nothing of it is left."""
        if self._running is not None:
            await asyncio.gather(self._running, return_exceptions=True)

    # ------------------------------------------------------------ what the other end does
    def _has_channel(self, channel: RTCDataChannel) -> None:
        if channel.label == EVENTS:
            self._channel.attach(channel)

    def _has_track(self, track: MediaStreamTrack) -> None:
        if track.kind == "audio":
            task = asyncio.create_task(listen(track, self._hear))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _look(self) -> None:
        if self._peer.connectionState in {"failed", "closed"}:
            self.hang_up()

    def _hear(self, pcm: bytes) -> None:
        if self._live is not None:
            self._live.hear(pcm, Pcm())

    def _pull(self, ms: int) -> bytes:
        if self._live is None or self._live.speaker is None:
            return b""
        return self._live.speaker.pull(ms)

    # ------------------------------------------------------------ what can be done to it
    async def accept(self, session: dict[str, Any]) -> None:
        """Refuse to: who called has been answered already."""
        del session
        raise unfit("A call by WebRTC is taken when it is made.")

    def reject(self, status_code: int) -> None:
        """Refuse to: who called has been answered already."""
        del status_code
        raise unfit("A call by WebRTC is taken when it is made.")

    def refer(self, target_uri: str) -> None:
        """Refuse to: there is nobody to tell."""
        del target_uri
        raise unfit("A call by WebRTC cannot be handed on.")

    def hang_up(self) -> None:
        """End it; may be called again."""
        if self._live is not None:
            self._live.end()
