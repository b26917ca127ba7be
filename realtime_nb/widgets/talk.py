"""A spoken conversation in a cell: the page's microphone and loudspeaker on a live session."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import traitlets

from realtime_nb.display import cell_number, in_notebook
from realtime_nb.portal import call_on
from realtime_nb.session.duplex import Duplex
from realtime_nb.session.lateness import Lateness
from realtime_nb.session.lines import Line, as_json, changes, last_lines, lines
from realtime_nb.session.page_call import PageCall
from realtime_nb.widgets.base import View
from realtime_nb.widgets.media import Channel
from realtime_nb.widgets.static import Record

if TYPE_CHECKING:
    from realtime_nb.archive.tape import Sound
    from realtime_nb.session.awaitable import AsyncSession
    from realtime_nb.target import Way

__all__ = ["Talk"]

BEAT_S = 0.04
"""How often the page is told of changes at most; by the comm, where each message costs the page much, more seldom."""
COMM_BEAT_S = 0.25
KEEP_BYTES_S = 40_000
"""What the record may take of the page's line in the mean, in bytes a second: less than the sound itself."""
CHUNK_S = 0.02
"""What the page sends of its microphone at once."""
MOST_LINES = 200
"""Of a transcript that the page shows; the frames have all."""


class Talk(View):
    """Full duplex in a cell; ``session.talk()`` gives it.

    Speak, and the model answers aloud; speak over it, and it stops, and forgets what
    you did not hear. All of it goes on while other cells run. Space, held, is the key
    to talk; M mutes, Escape stops the answer.

    Parameters
    ----------
    session : AsyncSession
        Kept open as long as it is talked with, even if nobody else holds it.
    transport : {"websocket", "webrtc"}
        How sound travels: by way of the kernel, or from the page straight to the server.
    """

    view_name: ClassVar[str] = "talk"
    echo_cancellation = traitlets.Bool(default_value=True).tag(sync=True)
    """Whether the browser takes the loudspeaker out of the microphone, when it is opened next."""

    def __init__(self, session: AsyncSession, transport: Way = "websocket") -> None:
        super().__init__()
        self.transport = transport
        self._session: AsyncSession | None = session
        actor = self._actor = session.actor
        self._lateness = Lateness()
        self._old_chunks = 0
        self._taped = 0
        self._sounds: dict[str, Sound] = {}
        self._record = Record()
        self._kept: dict[str, Line] = {}
        self._rests_until_s = 0.0
        self._planned = False
        """Whether the record will be drawn when it has rested."""
        self._known: dict[str, Line] = {}
        self._beat: asyncio.TimerHandle | None = None
        self._clerk = ThreadPoolExecutor(1, thread_name_prefix="realtime_nb talk")
        self._phase = ""
        self._shown_in: int | None = None
        self.channel = Channel(self, on_audio=self._hear, on_event=self._event)
        self._call = PageCall(actor, self.channel.answer) if transport == "webrtc" else None
        self._duplex = Duplex(actor, self.channel, self._changed)
        actor.loop.call_soon_threadsafe(self._begin)

    # ---------------------------------------------------------------- what a person asks
    @property
    def phase(self) -> str:
        """What goes on: a :data:`~realtime_nb.session.talking.Phase`, such as ``listening``."""
        return self._duplex.now.phase

    @property
    def broken(self) -> bool:
        """Whether it broke off for a fault of ours; ``session.talk()`` then gives a new one."""
        return self._duplex.broken

    @property
    def lost_s(self) -> float:
        """How much of the microphone was lost, in seconds: the server took it too slowly, or the kernel was busy."""
        return (self._duplex.lost_chunks + self._old_chunks) * CHUNK_S

    def mute(self, on: bool = True) -> None:
        """Keep back what the microphone hears, or no longer."""
        self._duplex.happened({"t": "mute", "on": on})

    def stop(self) -> None:
        """Stop the answer, as Escape does."""
        self._duplex.happened({"t": "stop"})

    def show(self) -> None:
        """Draw it in this cell, once."""
        if in_notebook():
            self._ipython_display_()
            self._shown_in = cell_number()

    def _ipython_display_(self) -> None:
        """Draw another view, unless this cell has drawn one already."""
        if self._shown_in is None or self._shown_in != cell_number():
            super()._ipython_display_()
        self._shown_in = None

    # ---------------------------------------------------------------- the page, on its thread
    def _hear(self, pcm: bytes, header: dict[str, Any]) -> None:
        """Pass the microphone's sound on, but for what has waited behind a cell for long."""
        if "ms" in header and self._lateness.is_old(float(header["ms"])):
            self._old_chunks += self._duplex.now.open
        else:
            self._duplex.microphone(pcm)

    def _event(self, header: dict[str, Any], _payload: bytes) -> None:
        if self._call is not None:
            self._call.happened(header)
        if header.get("t") == "opened":
            self._actor.loop.call_soon_threadsafe(self._known.clear)
        if header.get("t") in {"opened", "claimed"}:
            self._lateness = Lateness()  # another page may have another clock
        elif header.get("t") == "end":
            threading.Thread(target=self.close, name="realtime_nb end", daemon=True).start()
            return
        self._duplex.happened(header)

    # ---------------------------------------------------------------- the session, on its thread
    def _begin(self) -> None:
        self._starting = self._actor.loop.create_task(self._duplex.start())

    def _changed(self) -> None:
        """Something may look different: tell the page, at once when the word has passed on, else a beat later."""
        turned = self._duplex.now.phase != self._phase
        if self._beat is not None and turned:
            self._beat.cancel()
            self._beat = None
        if self._beat is None:
            self._phase = self._duplex.now.phase
            self._beat = self._actor.loop.call_later(0 if turned else self._beat_s, self._tell)

    @property
    def _beat_s(self) -> float:
        path = self.channel.path if self.channel is not None else None
        return COMM_BEAT_S if path is not None and path.name == "comm" else BEAT_S

    def _tell(self) -> None:
        self._beat = None
        if self.channel is None or self.closed:
            return
        found = last_lines(self._duplex.fold.items, MOST_LINES)
        self.channel.send(self._state(found))
        self._known = {line.id: line for line in found}
        if self._duplex.now.phase in ("listening", "muted", "off", "closed"):
            self._clerk.submit(self._keep, found)

    def _state(self, found: list[Line]) -> dict[str, Any]:
        """What the page shows: all at first, then what is new."""
        duplex = self._duplex
        return {
            "t": "talk",
            "phase": duplex.now.phase,
            "now": {name: getattr(duplex.now, name) for name in ("mic", "muted", "held", "detects", "busy")},
            "order": [line.id for line in found],
            "lines": as_json(changes(self._known, found)),
            "fresh": duplex.fresh,
            "call": self._call is not None,
            "note": None if duplex.note is None else msgspec.to_builtins(duplex.note),
            "meter": self._meter(),
        }

    def _meter(self) -> dict[str, Any]:
        """Cost so far, and how full the context is."""
        guard, card = self._actor.guard, self._actor.card
        billed = self._duplex.fold.billed
        read, _, said = (billed[-1].usage if billed else None) or (0, 0, 0)
        return {
            "cost_usd": guard.spent_usd,
            "budget_usd": guard.budget_usd,
            "context_tokens": read + said,
            "context_window": card.context_window,
        }

    # ---------------------------------------------------------------- what stays, on the clerk's thread
    def _keep(self, found: list[Line]) -> None:
        """Put what was said into the static form; sound is pressed here, where it holds nobody up."""
        for sound in self._actor.tape.since(self._taped):
            self._taped += 1
            self._sounds[sound.item_id] = sound
        fresh = [line for line in changes(self._kept, found) if line.state != "open" or line.who == "user"]
        for line in fresh:
            self._put(line)
        if fresh:
            self._kept |= {line.id: line for line in fresh}
            self._draw()

    def _draw(self) -> None:
        """Draw the record, seldom when it is long: it is drawn whole each time. The end draws it by itself."""
        rest_s = 0.0 if self._duplex.now.closed else self._rests_until_s - time.monotonic()
        if self.closed or (rest_s > 0 and self._planned):
            return
        if rest_s > 0:
            self._planned = True
            self._actor.loop.call_soon_threadsafe(self._actor.loop.call_later, rest_s, self._rested)
            return
        self.keep()
        self._rests_until_s = time.monotonic() + len(self.static_html()) / KEEP_BYTES_S

    def _rested(self) -> None:
        self._planned = False
        with contextlib.suppress(RuntimeError):  # it was closed meanwhile
            self._clerk.submit(self._draw)

    def _put(self, line: Line) -> None:
        if line.who == "call":
            words = f"{line.name}({line.text}) → {line.output}"
            self._record.put(line.id, words=words, voice="model", speaker="Function")
            return
        sound = self._sounds.get(line.id)
        heard = sound.audio if sound is not None else None
        if heard is not None and line.state == "cut":
            heard = heard[: line.seconds]
        self._record.put(line.id, words=line.text, sound=heard, voice="user" if line.who == "user" else "model")

    def static_html(self) -> str:
        """What was said by both, with its sound: what stays when the widget is gone."""
        return self._record.html

    # ---------------------------------------------------------------- the end
    def release(self) -> None:
        """Let the session go on alone."""
        if self._actor.loop.is_running():
            with contextlib.suppress(RuntimeError):  # the process ends
                call_on(self._actor.loop, self._duplex.stop())
        self._clerk.submit(self._keep, last_lines(self._duplex.fold.items, MOST_LINES))
        self._clerk.shutdown()
        self._session = None

    def facts(self) -> str:
        """What goes on, and how much was said."""
        said = sum(line.who != "call" for line in lines(self._duplex.fold.items))
        return f"{self.phase}, {said} message{'s' if said != 1 else ''}"
