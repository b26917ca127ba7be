"""A wire that was recorded: no socket, no server, the same frames at the same times."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from realtime_nb.cassette.reader import Frame, Track
from realtime_nb.cassette.score import Score
from realtime_nb.errors import CassetteMiss, ConfigError, ConnectionClosed
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.events import decode_client, decode_server
from realtime_nb.protocol.ids import IdFactory, SeededIds

__all__ = ["CassetteTransport", "Speed", "speed_of"]

Speed = Callable[[float], float]
"""How long to wait for so many seconds of the recording."""

STALL_S = 10.0
"""How long a hurried replay waits for the client before it says what it waits for."""
_SPEED = re.compile(r"(\d+(?:\.\d+)?)(x|ms)")


def _at_once(_seconds: float) -> float:
    return 0.0


def _as_it_was(seconds: float) -> float:
    return seconds


def speed_of(text: str) -> Speed:
    """Read a speed.

    Parameters
    ----------
    text : str
        ``fast``: no waiting; ``real``: as it was; ``2x``: twice as fast; ``20ms``: so long before each event.

    Returns
    -------
    callable
        Seconds to wait for seconds recorded.

    Raises
    ------
    ConfigError
        It is none of these.
    """
    if text in {"fast", "real"}:
        return _at_once if text == "fast" else _as_it_was
    found = _SPEED.fullmatch(text)
    if found is None or not float(found[1]):
        raise ConfigError(
            f"{text!r} is no speed of a replay: fast, real, a factor such as 2x, and a step such as 20ms are",
            hint='rt.connect("cassette:lesson.cassette?speed=real")',
        )
    number = float(found[1])
    return (lambda seconds: seconds / number) if found[2] == "x" else (lambda _seconds: number / 1000)


class CassetteTransport:
    """Plays one session of a cassette; it is its own timeline.

    Parameters
    ----------
    track : Track
        What was recorded.
    strict : bool
        Whether an event that was not recorded is an error.
    speed : callable
        See :func:`speed_of`.
    """

    replays = True

    def __init__(self, track: Track, *, strict: bool = True, speed: Speed = _at_once) -> None:
        self.track = track
        self._names = _RecordedIds(track, self)
        self.ids: IdFactory = self._names
        self.begun = dt.datetime.fromisoformat(track.header.begun)
        self.hurried = speed is _at_once
        self.score = Score(track, strict=strict)
        self._speed = speed
        self._t_s = 0.0
        self._real_s = time.monotonic()
        self._moved = asyncio.Event()
        self._closed: ConnectionClosed | None = None
        self._outputs = dict(_outputs(track))
        self._torn = _torn(track)

    # ---------------------------------------------------------------- the wire
    async def send(self, text: str) -> None:  # noqa: ARG002 - the interface's
        """Nothing goes anywhere; :meth:`admit` has seen it."""
        if self._closed is not None:
            raise _again(self._closed)

    async def receive(self) -> str:
        """The server's next frame, once the client has done all it had done before."""
        while self._closed is None:
            frame = self.score.comes()
            if frame is not None:
                await self._until(frame)
                self._pass(frame)
                return frame.text
            if self.score.head is None and (end := self._ending()) is not None:
                raise end
            await self._change()
        raise _again(self._closed)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Stop playing."""
        if self._closed is None:
            self._closed = ConnectionClosed("the connection is closed", code=code, reason=reason)
            self._moved.set()

    def _ending(self) -> ConnectionClosed | None:
        closed = self.track.closed
        if closed is not None:
            self._t_s = closed.t_s
            return ConnectionClosed(closed.message, code=closed.code, reason=closed.reason)
        if self._torn:
            return ConnectionClosed(
                f"{self.track.name} ends in the middle of a response: the recording was stopped there",
                code=1000,
                reason="the recording ends here",
            )
        return None

    # ---------------------------------------------------------------- the time
    def now_s(self) -> float:
        """When the last frame crossed the wire."""
        return self._t_s

    async def sleep(self, seconds: float) -> None:
        """As long as the speed says; then what came meanwhile has come."""
        await asyncio.sleep(self._speed(seconds))
        await self.settle()

    async def settle(self) -> None:
        """Wait until it is the client's turn."""
        while self._closed is None and self.score.comes() is not None:
            await self._change()

    async def _change(self) -> None:
        self._moved.clear()
        await self._moved.wait()

    async def _until(self, frame: Frame) -> None:
        wait_s = self._speed(frame.t_s - self._t_s) - (time.monotonic() - self._real_s)
        if not self.hurried and wait_s > 0:
            await asyncio.sleep(wait_s)

    def _pass(self, frame: Frame) -> None:
        self.score.advance()
        if frame.direction == "sent":
            self._names.keep()
        self._t_s, self._real_s = frame.t_s, time.monotonic()
        self._moved.set()

    def patience_s(self, timeout_s: float) -> float:
        """Not long, where nothing has to be waited for."""
        return min(timeout_s, STALL_S) if self.hurried else timeout_s

    def overdue(self) -> Exception | None:
        """What the recording waits for."""
        return self.score.overdue()

    # ---------------------------------------------------------------- the client
    async def admit(self, event: Any, text: str) -> AsyncIterator[tuple[Any, str]]:
        """Give what was sent then, when all that came before has come.

        Raises
        ------
        CassetteMiss
            Something else was sent.
        """
        kind = str(type(event).__struct_config__.tag)
        if isinstance(event, ev.InputAudioBufferAppend):
            if not self.score.strict and not isinstance(self.score.awaited, ev.InputAudioBufferAppend):
                self.score.seek(kind)
                self._moved.set()
            self.score.hear(event.audio)
            await self.settle()
            while (frame := self.score.next_piece()) is not None:
                self._pass(frame)
                yield decode_client(frame.text), frame.text
                await self.settle()
            return
        if not self.score.strict and not self.score.seek(kind):
            yield event, text  # nothing of the kind was recorded: nothing comes of it
            return
        self._moved.set()
        await self.settle()
        try:
            frame = self.score.match(text)
        except CassetteMiss:
            self._names.take_back()
            raise
        self._pass(frame)
        yield decode_client(frame.text), frame.text

    def recall(self, call_id: str, output: str, took_s: float) -> tuple[str, float]:
        """How long the function took then; a lenient replay tells the model what it gave then, too."""
        took_s = self.track.took_s.get(call_id, took_s)
        return (output if self.score.strict else self._outputs.get(call_id, output)), took_s

    def __repr__(self) -> str:
        return f"<CassetteTransport {self.track.name}>"


class _RecordedIds:
    """The names of then: of events, the next one's; of all else, the same sequence."""

    def __init__(self, track: Track, transport: CassetteTransport) -> None:
        self._transport = transport
        self._ids = SeededIds(track.header.seed, track.header.drawn)
        self._kept = dict(self._ids.drawn)

    def new(self, prefix: str) -> str:
        """Make a name."""
        awaited = self._transport.score.awaited if prefix == "event" else None
        return (awaited.event_id if awaited is not None else None) or self._ids.new(prefix)

    def keep(self) -> None:
        """What was named has crossed the wire."""
        self._kept = dict(self._ids.drawn)

    def take_back(self) -> None:
        """What was named since has not: the names are free for what comes instead."""
        self._ids.drawn = dict(self._kept)


def _outputs(track: Track) -> list[tuple[str, str]]:
    """What the client's functions gave, by call."""
    found = []
    for frame in track.frames:
        if frame.direction == "sent" and '"function_call_output"' in frame.text:
            item = getattr(decode_client(frame.text), "item", None)
            if item is not None and hasattr(item, "output"):
                found.append((item.call_id, item.output))
    return found


def _torn(track: Track) -> bool:
    """Whether the recording ends while a response goes on."""
    going: set[str] = set()
    for frame in track.frames:
        if '"response.created"' in frame.text or '"response.done"' in frame.text:
            event = decode_server(frame.text)
            if isinstance(event, ev.ResponseCreated):
                going.add(event.response.id)
            elif isinstance(event, ev.ResponseDone):
                going.discard(event.response.id)
    return bool(going)


def _again(end: ConnectionClosed) -> ConnectionClosed:
    """A fresh error for each raise: a shared one would collect tracebacks."""
    return ConnectionClosed(end.message, code=end.code, reason=end.reason)
