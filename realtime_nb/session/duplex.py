"""Full duplex: a page's microphone and loudspeaker on a live session.

Sound and commands of the page come on any thread and only enqueue; one task on the
session's own loop sends them in the order in which they came. What the server
says goes to the page as it is read, so that speaking over an answer silences the
page before anything else is done about it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from realtime_nb.errors import ConnectionClosed, RealtimeError
from realtime_nb.history.fold import Fold
from realtime_nb.history.log import Entry
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.items import InputText
from realtime_nb.protocol.session_config import ServerVad, TurnDetection
from realtime_nb.session.actor import ANSWER_S, Actor
from realtime_nb.session.aloud import Aloud, Player
from realtime_nb.session.link import server_error
from realtime_nb.session.parts import Said
from realtime_nb.session.playlist import RATE_HZ, Cut
from realtime_nb.session.talking import Closed, Held, Mic, Muted, Playing, Talking, after

if TYPE_CHECKING:
    from realtime_nb.turn import Turn

__all__ = ["Duplex", "Note"]

MAX_WAITING = 400
"""Chunks of the microphone that may wait for the network: 8 s of 20 ms; what comes then is lost, and counted."""
SHORTEST_MS = 100
"""What a commit needs (protocol, 4.4)."""
HUSH_S = 0.3
"""Silence beyond the server's own timer, when a microphone is closed in the middle of a sentence."""
PATIENT_S = 8.0
"""The longest a detector waits that goes by the meaning (protocol, 3.3)."""


Handler = TypeVar("Handler", bound=Callable[..., None])
_PAGE: dict[str, Callable[[Duplex, Mapping[str, Any]], None]] = {}
"""What the page can tell, by its name."""
_WIRE: dict[type, Callable[[Duplex, Any, bytes], None]] = {}
"""What is done about an event of the server, at once."""


def _told(name: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        _PAGE[name] = handler
        return handler

    return register


def _on(kind: type) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        _WIRE[kind] = handler
        return handler

    return register


class Note(msgspec.Struct, frozen=True):
    """Something to be told to a person: what happened, and what to do."""

    text: str
    todo: str = ""


class Duplex:
    """Carries sound and commands between a page and a session.

    Parameters
    ----------
    actor : Actor
        The session at home.
    player : Player
        The page.
    changed : callable
        Told on the session's thread whenever something may look different; must be quick.
    """

    def __init__(self, actor: Actor, player: Player, changed: Callable[[], None]) -> None:
        self.now = Talking()
        self.fold = Fold(actor.card)
        """Items and responses, folded from the session's first event on."""
        self.note: Note | None = None
        self.fresh = True
        """Whether no microphone was open yet."""
        self.lost_chunks = 0
        """Of the microphone, because the network was too slow."""
        self._actor = actor
        self._aloud = Aloud(player)
        self._changed = changed
        self._waiting: asyncio.Queue[bytes | Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._chunks = 0
        self._page: object = None
        """The page whose microphone is heard, and which plays."""
        self._down = False
        """Whether the key to talk is down; :attr:`Talking.held` follows when the server knows."""
        self._held_bytes = 0
        self._detection: TurnDetection | None = None
        self._ours: set[str] = set()
        """Ids of events that somebody who talks should hear of when they are refused."""
        self._tasks: set[asyncio.Task[Any]] = set()

    # ---------------------------------------------------------------- its life, on the session's loop
    async def start(self) -> None:
        """Take in what was, and follow what comes."""
        log = self._actor.link.log
        for entry in log:
            self._fold_in(entry)
        log.follow(self._heard)
        if self._actor.link.closed is None:
            self._keep(self._work())
        self._keep(self._wait_for_the_end())

    async def stop(self) -> None:
        """Let the session go on alone; idempotent."""
        self._actor.link.log.unfollow(self._heard)
        await self._aloud.fall_silent()
        for task in list(self._tasks):
            task.cancel()

    def _keep(self, work: Any) -> asyncio.Task[Any]:
        task = self._actor.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _wait_for_the_end(self) -> None:
        try:
            await self._actor.link.until(lambda: False, math.inf)
        except ConnectionClosed as end:
            self.note = Note(end.message, end.hint or "")
            self._set(Closed())

    def _set(self, event: Any) -> None:
        self.now = after(self.now, event)
        self._changed()

    # ---------------------------------------------------------------- the page speaks, on any thread
    def microphone(self, pcm: bytes) -> None:
        """Take a chunk of the microphone: PCM16, 24 kHz, mono."""
        self._actor.loop.call_soon_threadsafe(self._take, pcm)

    def happened(self, header: Mapping[str, Any]) -> None:
        """Take what the page's player or its buttons tell; what is unknown is passed over."""
        handle = _PAGE.get(str(header.get("t")))
        if handle is not None:
            self._actor.loop.call_soon_threadsafe(handle, self, header)

    # ---------------------------------------------------------------- the microphone and the commands, in order
    def _take(self, pcm: bytes) -> None:
        """Let a chunk in, or keep it back: as the microphone stood when it came."""
        now = self.now
        if not (self._down or (now.detects and not now.muted)):
            if not now.hearing:
                return
            pcm = bytes(len(pcm))  # muted while speaking: the server has to notice that the speech is over
        if self._chunks >= MAX_WAITING:
            self.lost_chunks += 1
            return
        self._chunks += 1
        self._waiting.put_nowait(pcm)

    def _enqueue(self, command: Callable[[], Awaitable[None]]) -> None:
        self._waiting.put_nowait(command)

    async def _work(self) -> None:
        with contextlib.suppress(ConnectionClosed):  # told by `_wait_for_the_end`
            while True:
                work = await self._waiting.get()
                try:
                    if isinstance(work, bytes):
                        self._chunks -= 1
                        await self._send_sound(work)
                    else:
                        await work()
                except ConnectionClosed:
                    raise
                except RealtimeError as error:
                    self._tell(error)

    async def _send_sound(self, pcm: bytes) -> None:
        if self.now.held:
            self._held_bytes += len(pcm)
        plain = self._actor.input_format == "audio/pcm"
        await self._actor.append(pcm, None if plain else RATE_HZ)

    async def _hush(self) -> None:
        """The microphone is closed: what was being said is over."""
        detection = self._actor.session.audio.input.turn_detection
        if not self.now.hearing or detection is None:
            return
        silent_s = HUSH_S + (detection.silence_duration_ms / 1000 if isinstance(detection, ServerVad) else PATIENT_S)
        await self._actor.append(bytes(2 * round(silent_s * RATE_HZ)), RATE_HZ)

    def _tell(self, error: BaseException) -> None:
        message = error.message if isinstance(error, RealtimeError) else str(error)
        self.note = Note(message, getattr(error, "hint", None) or "")
        self._changed()

    # ---------------------------------------------------------------- commands
    @_told("mute")
    def _mute(self, header: Mapping[str, Any]) -> None:
        self._set(Muted(bool(header.get("on"))))

    @_told("mic")
    def _mic(self, header: Mapping[str, Any]) -> None:
        if header.get("page") != self._page:
            return  # another tab closes its own, which nobody hears
        on = bool(header.get("on"))
        self.fresh = self.fresh and not on
        self._set(Mic(on))
        if not on:
            self._enqueue(self._hush)

    @_told("stop")
    def _stop(self, _header: Mapping[str, Any]) -> None:
        self._silence()
        self._enqueue(self._interrupt)

    @_told("type")
    def _type(self, header: Mapping[str, Any]) -> None:
        text = str(header.get("text", "")).strip()
        if text:
            self._silence()
            self._enqueue(lambda: self._say(text))

    @_told("hold")
    def _hold(self, header: Mapping[str, Any]) -> None:
        on = bool(header.get("on"))
        if on == self._down or self.now.closed:
            return
        self._down = on
        if on:
            self._silence()
        self._enqueue(self._press if on else self._release)

    def _silence(self) -> None:
        """Nobody wants to hear the answer any more."""
        self.note = None
        self._aloud.silence(self.now.answering)

    async def _interrupt(self) -> None:
        if self.now.answering is not None or self.now.calling:
            await self._actor.interrupt(None)

    async def _say(self, text: str) -> None:
        await self._interrupt()
        await self._ask(Said(content=(InputText(text=text),)))

    async def _ask(self, said: Said) -> None:
        turn, _ = await self._actor.open(said, ev.ResponseParams(), ANSWER_S)
        self._keep(self._see_through(turn))

    async def _see_through(self, turn: Turn) -> None:
        try:
            await turn.whole()
        except ConnectionClosed:
            pass  # told by `_wait_for_the_end`
        except Exception as error:  # noqa: BLE001 - whatever it was, a person is told
            self._tell(error)

    async def _press(self) -> None:
        """The key is down: what is heard from now on is one turn, whatever the detector thinks."""
        await self._interrupt()
        self._held_bytes = 0
        self._detection = self._actor.session.audio.input.turn_detection
        if self._detection is not None:
            await self._detect(None)
        await self._actor.link.send(ev.InputAudioBufferClear())
        self._set(Held(on=True))

    async def _release(self) -> None:
        """The key is up: the turn is over, and is to be answered."""
        enough = self._held_bytes >= SHORTEST_MS * RATE_HZ * 2 // 1000
        self._set(Held(on=False))
        sent = await self._actor.link.send(ev.InputAudioBufferCommit() if enough else ev.InputAudioBufferClear())
        self._ours.add(sent)
        if enough:
            await self._ask(Said())
        else:
            self.note = Note("The key was let go before anything was heard.", "Hold it as long as you speak.")
        if self._detection is not None:
            await self._detect(msgspec.to_builtins(self._detection))

    async def _detect(self, detection: Any) -> None:
        fields = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        self._ours.add(await self._actor.link.send(ev.SessionUpdate(session=fields)))

    # ---------------------------------------------------------------- what the player tells
    @_told("started")
    def _started(self, header: Mapping[str, Any]) -> None:
        self._aloud.started(str(header.get("item")))
        self._set(Playing(on=True))

    @_told("done")
    def _played(self, header: Mapping[str, Any]) -> None:
        self._aloud.done(str(header.get("item")))
        self._set(Playing(on=self._aloud.pending))

    @_told("flushed")
    def _flushed(self, header: Mapping[str, Any]) -> None:
        item = header.get("item")
        cuts = self._aloud.flushed(None if item is None else str(item), int(header.get("heard") or 0))
        self._set(Playing(on=False))
        if self._actor.link.closed is None:
            for cut in cuts:
                self._keep(self._truncate(cut))

    async def _truncate(self, cut: Cut) -> None:
        """Let the model forget what was not heard."""
        with contextlib.suppress(RealtimeError):  # a refusal is an error event; an end is told elsewhere
            await self._actor.link.send(
                ev.ConversationItemTruncate(
                    item_id=cut.item_id, content_index=cut.content_index, audio_end_ms=cut.audio_end_ms
                )
            )

    @_told("opened")
    def _came(self, header: Mapping[str, Any]) -> None:
        if header.get("owner"):
            self._claimed(header)
        self._changed()

    @_told("claimed")
    def _claimed(self, header: Mapping[str, Any]) -> None:
        """A page has microphone and loudspeaker from now on; the one before is no longer heard."""
        if header.get("page") != self._page:
            self._left({"page": self._page})
            self._page = header.get("page")
        self._aloud.audience = True

    @_told("deaf")
    def _unheard(self, header: Mapping[str, Any]) -> None:
        """The page cannot play: over plain HTTP there are no audio worklets."""
        if header.get("page") == self._page:
            self._aloud.leave()
            self._set(Playing(on=False))

    @_told("closed")
    def _left(self, header: Mapping[str, Any]) -> None:
        """A page went away; with the one that spoke and played, sound ends."""
        if header.get("page") != self._page:
            return
        self._aloud.leave()
        self._set(Playing(on=False))
        self._hold({"on": False})
        self._mic({"on": False, "page": self._page})
        self._page = None

    # ---------------------------------------------------------------- what crosses the wire, on the session's loop
    def _heard(self, entry: Entry, audio: bytes) -> None:
        self._fold_in(entry)
        event = entry.event
        handle = _WIRE.get(type(event))
        if handle is not None:
            handle(self, event, audio)
        if type(event) is not ev.InputAudioBufferAppend:
            self._changed()

    def _fold_in(self, entry: Entry) -> None:
        self.fold.add(entry)
        self.now = after(self.now, entry.event)

    @_on(ev.InputAudioBufferSpeechStarted)
    def _speech(self, _event: ev.InputAudioBufferSpeechStarted, _audio: bytes) -> None:
        if self.now.interrupts:
            self._silence()

    @_on(ev.ResponseOutputAudioDelta)
    def _sound(self, event: ev.ResponseOutputAudioDelta, audio: bytes) -> None:
        response = self.fold.responses[event.response_id]
        if response.asked is None or response.asked.in_conversation:
            self._aloud.say(event, audio, str(type(response.format).__struct_config__.tag))
            self.now = after(self.now, Playing(on=self._aloud.pending))

    @_on(ev.ResponseOutputAudioDone)
    def _sound_done(self, event: ev.ResponseOutputAudioDone, _audio: bytes) -> None:
        self._aloud.end(event)

    @_on(ev.Error)
    def _refused(self, event: ev.Error, _audio: bytes) -> None:
        if event.error.event_id is None or event.error.event_id in self._ours:
            self._tell(server_error(event.error))

    @_on(ev.ResponseDone)
    def _failed(self, event: ev.ResponseDone, _audio: bytes) -> None:
        details = event.response.status_details
        if event.response.status == "failed" and details is not None and details.error is not None:
            self.note = Note(details.error.message or "The response failed.")
