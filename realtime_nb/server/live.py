"""A session that lives: the only writer of its :class:`ServerConnection`, and what carries out what that decides.

Whoever takes part in it is a leg. A :class:`~.peer.Peer` sends and receives events;
the one who opened the session owns it, others attach to it by ``?call_id=``. A call
(SIP, WebRTC) has a media leg beside: it gives the caller's sound to :meth:`LiveSession.hear`
and pulls the answer out of :attr:`LiveSession.speaker`, at the pace of its own clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol.events import encode
from realtime_nb.protocol.formats import AudioFormat
from realtime_nb.protocol.server import OWNER, ServerConnection
from realtime_nb.server.hearing import Answering, Hearing
from realtime_nb.server.hub import Hub
from realtime_nb.server.mcp import Mcp
from realtime_nb.server.meter import Tally
from realtime_nb.server.peer import Peer
from realtime_nb.server.speaker import Converter, Speaker
from realtime_nb.server.speaking import Speaking

__all__ = ["LiveSession"]

logger = logging.getLogger("realtime_nb.server")

OVER = 1000
"""Close code of those who attached to a session that its owner has ended."""
INTERNAL_ERROR = 1011
ECHO_S = 0.5
"""How long after its sound an answer may still be heard: the client began to play it later than it was sent."""
_GONE = "The session has ended."


@dataclass(frozen=True)
class _Frame:
    """In the inbox: what a peer sent."""

    peer: Peer
    data: str | bytes


@dataclass(frozen=True)
class _Joined:
    """In the inbox: a peer has come."""

    peer: Peer


@dataclass(frozen=True)
class _Left:
    """In the inbox: a peer has gone."""

    peer: Peer


@dataclass(frozen=True)
class _Sound:
    """In the inbox: what a caller says."""

    audio: bytes
    format: AudioFormat


@dataclass(frozen=True)
class _Over:
    """In the inbox: whoever holds the session ends it."""

    code: int
    reason: str


Input = fx.Report | _Frame | _Sound | _Joined | _Left | _Over


class LiveSession:
    """One session, from its first event to the last thread that worked for it.

    Parameters
    ----------
    hub : Hub
        What it shares with the others.
    connection : ServerConnection
        Its core.
    name : str, optional
        By what others attach to it: a call's ``rtc_...``; by default the session's own id.
    format : AudioFormat, optional
        For a call: what its media leg sends and plays. The connection is then one that ``plays``.

    Attributes
    ----------
    speaker : Speaker or None
        A call's playback buffer.

    Notes
    -----
    Frames and reports come through one inbox, in order of arrival, to the one
    task that may touch the core. Worker threads only put reports into it.
    """

    def __init__(
        self, hub: Hub, connection: ServerConnection, name: str | None = None, format: AudioFormat | None = None
    ) -> None:
        self.name = name or connection.session.id
        self._hub = hub
        self._core = connection
        self._loop = asyncio.get_running_loop()
        self._inbox: asyncio.Queue[Input] = asyncio.Queue()
        self._present: set[Peer] = set()
        self._peers: dict[int, Peer] = {}  # those of them whose coming the core has been told of
        self._numbers = itertools.count(OWNER + 1)
        self._ended = False
        self._tally = Tally(hub.meter)
        self._speaking = Speaking(hub.pipeline, hub.crew, self.report)
        self._hearing = Hearing(
            hub.engine.vad,
            hub.engine.asr,
            hub.crew,
            self.report,
            answering=self._answering,
            barge_in=hub.options.barge_in,
            ending=hub.engine.ending,
            limit_bytes=hub.options.hearing_bytes,
        )
        self.speaker = None if format is None else Speaker(format, self.report)
        self._ear: Converter | None = None
        self._mcp = Mcp(self.report, timeout_s=hub.options.mcp_s, limit_bytes=hub.options.mcp_bytes)
        self._effects: dict[type[fx.Effect], Callable[[Any], None]] = {
            fx.Send: self._send,
            fx.Hear: self._hearing.hear,
            fx.Detect: self._hearing.detect,
            fx.ForgetAudio: self._hearing.forget,
            fx.Transcribe: self._hearing.transcribe,
            fx.Generate: self._speaking.generate,
            fx.Stop: self._speaking.stop,
            fx.Warm: self._speaking.warm,
            fx.ListMcpTools: self._mcp.list_tools,
            fx.CallMcpTool: self._mcp.call,
            fx.StopMcpTool: self._mcp.stop,
            fx.Close: self._close,
        }
        if self.speaker is not None:
            self._effects |= {
                fx.Play: self.speaker.play,
                fx.EndPlayback: self.speaker.finish,
                fx.ClearPlayback: self.speaker.clear,
            }

    # ------------------------------------------------------------ from outside
    @property
    def is_full(self) -> bool:
        """Whether as many peers take part as may."""
        return len(self._present) >= self._hub.options.peers

    async def run(self, owner: Peer | None = None) -> None:
        """Live until the owner goes, the session's time is up, or :meth:`end` is called.

        Parameters
        ----------
        owner : Peer, optional
            With whom it begins and ends. Without one, whoever holds the session ends it.
        """
        carrying = None if owner is None else self._begin_with(owner)
        with self._hub.hosting(self):
            try:
                self._do(self._core.open(self._loop.time()))
                while not self._ended:
                    await self._step()
            except Exception:  # our own mistake: the peers learn that it was not their fault, the log learns the rest
                logger.exception("a session broke")
                self._finish(INTERNAL_ERROR, "server_error")
            finally:
                self._finish(OVER, _GONE)
                self._tear_down()
                await asyncio.gather(self._mcp.close(), *([carrying] if carrying else []), return_exceptions=True)

    def end(self, code: int = OVER, reason: str = _GONE) -> None:
        """End the session, after what came before; on its loop. May be called again."""
        self._inbox.put_nowait(_Over(code, reason))

    def report(self, report: fx.Report) -> None:
        """Tell the core something, from any thread; after the end it is nobody's business any more."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: the server has ended
            self._loop.call_soon_threadsafe(self._inbox.put_nowait, report)

    def hear(self, audio: bytes, format: AudioFormat) -> None:
        """Hear what a caller says; on the session's loop. Its sound is never refused, only the oldest forgotten.

        Parameters
        ----------
        audio : bytes
            Whole samples.
        format : AudioFormat
            What they are; made what the session's ``audio.input.format`` says.
        """
        self._inbox.put_nowait(_Sound(audio, format))

    def _answering(self) -> Answering:
        """What is done about an answer: one that waits for words or for a tool is one, although nobody writes it."""
        left_s = self._core.playing_until - self._loop.time()
        responding = self._speaking.is_busy or self._core.responding or left_s > 0
        return Answering(responding, playing=left_s > -ECHO_S)

    # ------------------------------------------------------------ for its peers
    def join(self, peer: Peer) -> None:
        """Let a peer in, after what came before."""
        self._present.add(peer)
        if self._ended:
            peer.finish(OVER, _GONE)
        elif peer.number != OWNER:
            peer.number = next(self._numbers)
            self._inbox.put_nowait(_Joined(peer))

    def take(self, frame: str | bytes, peer: Peer) -> None:
        """Take a frame, after what came before."""
        self._inbox.put_nowait(_Frame(peer, frame))

    def leave(self, peer: Peer) -> None:
        """Let a peer go, after what it sent."""
        self._present.discard(peer)
        self._inbox.put_nowait(_Left(peer))

    async def room(self) -> None:
        """Wait until there is room for more sound."""
        await self._hearing.room()

    def _begin_with(self, owner: Peer) -> asyncio.Task[None]:
        owner.number = OWNER
        self._peers[OWNER] = owner
        self._present.add(owner)
        return asyncio.create_task(owner.carry(self))

    # ------------------------------------------------------------ in
    async def _step(self) -> None:
        """Take one input, or the passing of a deadline, to the core, and do what it says."""
        taken = await self._next()
        now = self._loop.time()
        match taken:
            case None:
                self._do(self._core.tick(now))
            case _Frame(peer, data):
                self._receive(peer, data, now)
            case _Sound():
                self._do(self._core.hear(self._converted(taken), now))
            case _Joined(peer):
                self._peers[peer.number] = peer
                self._do(self._core.join(peer.number, now))
            case _Left(peer):
                self._peers.pop(peer.number, None)
                self._ended = self._ended or peer.number == OWNER
            case _Over(code, reason):
                self._finish(code, reason)
            case _:
                self._do(self._core.report(taken, now))

    def _receive(self, peer: Peer, data: str | bytes, now: float) -> None:
        peer.next()
        if peer.number in self._peers:  # it was not cast out meanwhile
            self._hub.meter.received.inc()
            self._do(self._core.receive(data, now, peer.number))

    def _converted(self, sound: _Sound) -> bytes:
        wanted = self._core.session.audio.input.format
        if self._ear is None or (self._ear.source, self._ear.target) != (sound.format, wanted):
            self._ear = Converter(sound.format, wanted)
        return self._ear.feed(sound.audio)

    async def _next(self) -> Input | None:
        """The next input; None when a deadline passes first. A full inbox does not put a deadline off."""
        deadline = self._core.deadline()
        if deadline is not None and deadline <= self._loop.time():
            return None
        try:
            async with asyncio.timeout_at(deadline):
                return await self._inbox.get()
        except TimeoutError:
            return None

    # ------------------------------------------------------------ out
    def _do(self, effects: Iterable[fx.Effect]) -> None:
        for effect in effects:
            self._effects[type(effect)](effect)

    def _send(self, effect: fx.Send) -> None:
        self._tally.count(effect.event, self._loop.time())
        text = encode(effect.event)
        for peer in self._reached(effect.to):
            peer.put(text)

    def _close(self, effect: fx.Close) -> None:
        if effect.to is None:
            self._finish(effect.code, effect.reason)
        elif (peer := self._peers.pop(effect.to, None)) is not None:
            peer.finish(effect.code, effect.reason)

    def _reached(self, number: int | None) -> list[Peer]:
        if number is None:
            return list(self._peers.values())
        return [self._peers[number]] if number in self._peers else []

    # ------------------------------------------------------------ the end
    def _finish(self, code: int, reason: str) -> None:
        """Say farewell to everybody; a peer hears the first one only."""
        self._ended = True
        for peer in self._present:
            peer.finish(code, reason)

    def _tear_down(self) -> None:
        """Stop everything that still works for this session."""
        self._do(self._core.close(self._loop.time()))
        self._hearing.close()
        self._speaking.close()
