"""Full duplex: a page's microphone and loudspeaker on a live session.

Sound and commands of the page come on any thread and only enqueue; :mod:`uplink`
sends them. What the server says goes to the page as it is read, so that speaking
over an answer silences the page before anything else is done about it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from realtime_nb.errors import ConnectionClosed
from realtime_nb.history.fold import Fold
from realtime_nb.history.log import Entry
from realtime_nb.protocol import events as ev
from realtime_nb.session.actor import Actor
from realtime_nb.session.aloud import Aloud, Player
from realtime_nb.session.floor import Floor, Note
from realtime_nb.session.link import server_error
from realtime_nb.session.talking import Closed, Mic, Muted, Playing, Talking, after
from realtime_nb.session.uplink import Uplink

__all__ = ["Duplex"]

Handler = TypeVar("Handler", bound=Callable[..., None])
_PAGE: dict[str, Callable[[Duplex, Mapping[str, Any]], None]] = {}
"""What the page can tell, by its name."""
_WIRE: dict[type, Callable[[Duplex, Any, bytes], None]] = {}
"""What is done about an event of the server, at once."""
_logger = logging.getLogger(__name__)


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
        self.fold = Fold(actor.card)
        """Items and responses, folded from the session's first event on."""
        self.fresh = True
        """Whether no microphone was open yet."""
        self.broken = False
        """Whether the session could not be followed any more, for a fault of ours."""
        self._actor = actor
        self._floor = Floor(changed)
        self._uplink = Uplink(actor, self._floor)
        self._aloud = Aloud(player)
        self._page: object = None
        """The page whose microphone is heard, and which plays."""
        self._last: object = None
        """The page that did so last."""
        self._watch: asyncio.Task[None] | None = None

    @property
    def now(self) -> Talking:
        """Who has the word."""
        return self._floor.now

    @property
    def note(self) -> Note | None:
        """What a person is to be told."""
        return self._floor.note

    @property
    def lost_chunks(self) -> int:
        """How many of the microphone were lost, because the network was too slow."""
        return self._uplink.lost_chunks

    # ---------------------------------------------------------------- its life, on the session's loop
    async def start(self) -> None:
        """Take in what was, and follow what comes."""
        log = self._actor.link.log
        with self._guarded():
            for entry in log:
                self._fold_in(entry)
        log.follow(self._heard)
        if self._actor.link.closed is None:
            self._uplink.start()
        self._watch = self._actor.loop.create_task(self._wait_for_the_end())

    async def stop(self) -> None:
        """Let the session go on alone; idempotent."""
        self._actor.link.log.unfollow(self._heard)
        await self._aloud.fall_silent()
        self._uplink.stop()
        if self._watch is not None:
            self._watch.cancel()

    async def _wait_for_the_end(self) -> None:
        try:
            await self._actor.link.until(lambda: False, math.inf)
        except ConnectionClosed as end:
            self._finish(Note(end.message, end.hint or ""))

    def _finish(self, why: Note) -> None:
        if not self.now.closed:
            self._floor.note = why
            self._floor.set(Closed())

    # ---------------------------------------------------------------- the page speaks, on any thread
    def microphone(self, pcm: bytes) -> None:
        """Take a chunk of the microphone: PCM16, 24 kHz, mono."""
        self._actor.loop.call_soon_threadsafe(self._uplink.take, pcm)

    def happened(self, header: Mapping[str, Any]) -> None:
        """Take what the page's player or its buttons tell; what is unknown is passed over."""
        handle = _PAGE.get(str(header.get("t")))
        if handle is not None:
            self._actor.loop.call_soon_threadsafe(handle, self, header)

    # ---------------------------------------------------------------- commands
    @_told("mute")
    def _mute(self, header: Mapping[str, Any]) -> None:
        self._floor.set(Muted(bool(header.get("on"))))

    @_told("mic")
    def _mic(self, header: Mapping[str, Any]) -> None:
        if header.get("page") != self._page:
            return  # another tab closes its own, which nobody hears
        on = bool(header.get("on"))
        self.fresh = self.fresh and not on
        self._floor.set(Mic(on))
        if not on:
            self._uplink.hush()

    @_told("stop")
    def _stop(self, _header: Mapping[str, Any]) -> None:
        self._silence()
        self._uplink.interrupt()

    @_told("type")
    def _type(self, header: Mapping[str, Any]) -> None:
        text = str(header.get("text", "")).strip()
        if text:
            self._silence()
            self._uplink.say(text)

    @_told("hold")
    def _hold(self, header: Mapping[str, Any]) -> None:
        down = bool(header.get("on"))
        if self._uplink.key(down=down) and down:
            self._silence()

    def _silence(self) -> None:
        """Nobody wants to hear the answer any more."""
        self._floor.note = None
        self._aloud.silence(self.now.answering)

    # ---------------------------------------------------------------- what the player tells
    @_told("started")
    def _started(self, header: Mapping[str, Any]) -> None:
        self._aloud.started(str(header.get("item")))
        self._floor.set(Playing(on=True))

    @_told("done")
    def _played(self, header: Mapping[str, Any]) -> None:
        self._aloud.done(str(header.get("item")))
        self._floor.set(Playing(on=self._aloud.pending))

    @_told("flushed")
    def _flushed(self, header: Mapping[str, Any]) -> None:
        item = header.get("item")
        waiting = map(str, header.get("queued_items") or ())
        cuts = self._aloud.flushed(None if item is None else str(item), int(header.get("heard") or 0), waiting)
        self._floor.set(Playing(on=self._aloud.pending))
        self._uplink.cut(cuts)

    # ---------------------------------------------------------------- pages come and go
    @_told("opened")
    def _came(self, header: Mapping[str, Any]) -> None:
        if header.get("owner"):
            self._left({"page": self._page})  # one that was lost comes again, maybe before its loss is known
            self._claimed(header)
        self._floor.changed()

    @_told("claimed")
    def _claimed(self, header: Mapping[str, Any]) -> None:
        """A page has microphone and loudspeaker from now on; the one before is no longer heard."""
        if header.get("page") != self._page:
            self._left({"page": self._page})
            self._page = header.get("page")
            self._aloud.come(again=self._page == self._last)
            self._last = self._page
            self._floor.set(Playing(on=self._aloud.pending))

    @_told("deaf")
    def _unheard(self, header: Mapping[str, Any]) -> None:
        """The page cannot play: over plain HTTP there are no audio worklets."""
        if header.get("page") == self._page:
            self._aloud.leave()
            self._floor.set(Playing(on=False))

    @_told("closed")
    def _left(self, header: Mapping[str, Any]) -> None:
        """A page went away; with the one that spoke and played, sound ends."""
        if header.get("page") != self._page:
            return
        self._aloud.leave()
        self._floor.set(Playing(on=False))
        self._uplink.key(down=False)
        self._mic({"on": False, "page": self._page})
        self._page = None

    # ---------------------------------------------------------------- what crosses the wire, on the session's loop
    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Let a fault of ours end the talk, and never the session, in whose reader this runs."""
        try:
            yield
        except Exception as fault:
            self.broken = True
            _logger.exception("a talk could not follow its session")
            words = f"The talk broke off: {type(fault).__name__}: {fault}. The session goes on."
            self._finish(Note(words, "session.talk()"))

    def _heard(self, entry: Entry, audio: bytes) -> None:
        if not self.broken:
            with self._guarded():
                self._follow(entry, audio)

    def _follow(self, entry: Entry, audio: bytes) -> None:
        self._fold_in(entry)
        handle = _WIRE.get(type(entry.event))
        if handle is not None:
            handle(self, entry.event, audio)
        if type(entry.event) is not ev.InputAudioBufferAppend:
            self._floor.changed()

    def _fold_in(self, entry: Entry) -> None:
        self.fold.add(entry)
        self._floor.now = after(self.now, entry.event)

    @_on(ev.InputAudioBufferSpeechStarted)
    def _speech(self, _event: ev.InputAudioBufferSpeechStarted, _audio: bytes) -> None:
        if self.now.interrupts:
            self._silence()

    @_on(ev.SessionUpdated)
    def _configured(self, _event: ev.SessionUpdated, _audio: bytes) -> None:
        self._uplink.told()

    @_on(ev.ResponseOutputAudioDelta)
    def _sound(self, event: ev.ResponseOutputAudioDelta, audio: bytes) -> None:
        response = self.fold.responses[event.response_id]
        if response.asked is None or response.asked.in_conversation:
            self._aloud.say(event, audio, str(type(response.format).__struct_config__.tag))
            self._floor.now = after(self.now, Playing(on=self._aloud.pending))

    @_on(ev.ResponseOutputAudioDone)
    def _sound_done(self, event: ev.ResponseOutputAudioDone, _audio: bytes) -> None:
        self._aloud.end(event)

    @_on(ev.Error)
    def _refused(self, event: ev.Error, _audio: bytes) -> None:
        if self._uplink.minds(event.error.event_id):
            self._floor.tell(server_error(event.error))

    @_on(ev.ResponseDone)
    def _failed(self, event: ev.ResponseDone, _audio: bytes) -> None:
        details = event.response.status_details
        if event.response.status == "failed" and details is not None and details.error is not None:
            self._floor.note = Note(details.error.message or "The response failed.")
