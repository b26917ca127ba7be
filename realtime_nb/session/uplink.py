"""What a page sends to the server: its microphone and its commands, in the order in which they came.

One queue and one task: a key that is held and the sound behind it keep their order.
Whether a chunk of sound may pass is decided when it comes, not when it is sent.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec

from realtime_nb.errors import ConnectionClosed, RealtimeError
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.items import InputText
from realtime_nb.protocol.session_config import ServerVad, TurnDetection
from realtime_nb.session.actor import ANSWER_S, Actor
from realtime_nb.session.floor import Floor, Note
from realtime_nb.session.parts import Said
from realtime_nb.session.playlist import RATE_HZ, Cut
from realtime_nb.session.talking import Held

if TYPE_CHECKING:
    from realtime_nb.turn import Turn

__all__ = ["MAX_WAITING", "Uplink"]

MAX_WAITING = 400
"""Chunks of the microphone that may wait for the network: 8 s of 20 ms; what comes then is lost, and counted."""
SHORTEST_MS = 100
"""What a commit needs (protocol, 4.4)."""
HUSH_S = 0.3
"""Silence beyond the server's own timer, when a microphone is closed in the middle of a sentence."""
PATIENT_S = 8.0
"""The longest a detector waits that goes by the meaning (protocol, 3.3)."""

Command = Callable[[], Awaitable[None]]


class Uplink:
    """Sends what a page gives; all on the session's loop.

    Parameters
    ----------
    actor : Actor
        The session at home.
    floor : Floor
        How the talk stands.
    """

    def __init__(self, actor: Actor, floor: Floor) -> None:
        self.lost_chunks = 0
        """Of the microphone, because the network was too slow."""
        self._actor = actor
        self._floor = floor
        self._waiting: asyncio.Queue[bytes | Command] = asyncio.Queue()
        self._chunks = 0
        self._down = False
        """Whether the key to talk is down; :attr:`Talking.held` follows when the server knows."""
        self._held_bytes = 0
        self._detection: TurnDetection | None = None
        """What the server has to get back when the key is let go."""
        self._returned: TurnDetection | None = None
        """The same, when it was sent and the server has not told that it has it."""
        self._ours: set[str] = set()
        """Ids of events that somebody who talks should hear of when they are refused."""
        self._tasks: set[asyncio.Task[Any]] = set()

    # ---------------------------------------------------------------- its life
    def start(self) -> None:
        """Send from now on what comes."""
        self._keep(self._work())

    def stop(self) -> None:
        """Send no more; idempotent."""
        for task in list(self._tasks):
            task.cancel()

    def _keep(self, work: Any) -> None:
        task = self._actor.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self) -> None:
        with contextlib.suppress(ConnectionClosed):  # told by those who follow the session
            while True:
                work = await self._waiting.get()
                try:
                    await self._do(work)
                except ConnectionClosed:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever it was, a person is told, and what comes next is done
                    self._floor.tell(error)

    async def _do(self, work: bytes | Command) -> None:
        if isinstance(work, bytes):
            self._chunks -= 1
            await self._send_sound(work)
        else:
            await work()

    # ---------------------------------------------------------------- what comes
    def take(self, pcm: bytes) -> None:
        """Let a chunk of the microphone in, or keep it back: as the microphone stands now."""
        now = self._floor.now
        if not (self._down or (now.detects and not now.muted)):
            if not now.hearing:
                return
            pcm = bytes(len(pcm))  # muted while speaking: the server has to notice that the speech is over
        if self._chunks >= MAX_WAITING:
            self.lost_chunks += 1
            return
        self._chunks += 1
        self._waiting.put_nowait(pcm)

    def hush(self) -> None:
        """The microphone is closed: what was being said is over."""
        self._waiting.put_nowait(self._hush)

    def interrupt(self) -> None:
        """Stop the answer."""
        self._waiting.put_nowait(self._interrupt)

    def say(self, text: str) -> None:
        """Say a text instead of speaking, and have it answered."""
        self._waiting.put_nowait(lambda: self._say(text))

    def key(self, *, down: bool) -> bool:
        """Take the key to talk; gives whether that is news."""
        if down == self._down or self._floor.now.closed:
            return False
        self._down = down
        self._waiting.put_nowait(self._press if down else self._release)
        return True

    def cut(self, cuts: list[Cut]) -> None:
        """Let the model forget what was not heard; at once, whatever else waits."""
        if self._actor.link.closed is None:
            for each in cuts:
                self._keep(self._truncate(each))

    def told(self) -> None:
        """The server has told how the session is."""
        if self._actor.session.audio.input.turn_detection is not None:
            self._returned = None

    def minds(self, event_id: str | None) -> bool:
        """Whether somebody who talks should hear that this event was refused; None: no event of ours is named."""
        return event_id is None or event_id in self._ours

    # ---------------------------------------------------------------- what is done about it
    async def _send_sound(self, pcm: bytes) -> None:
        if self._floor.now.held:
            self._held_bytes += len(pcm)
        plain = self._actor.input_format == "audio/pcm"
        await self._actor.append(pcm, None if plain else RATE_HZ)

    async def _hush(self) -> None:
        detection = self._actor.session.audio.input.turn_detection
        if not self._floor.now.hearing or detection is None:
            return
        silent_s = HUSH_S + (detection.silence_duration_ms / 1000 if isinstance(detection, ServerVad) else PATIENT_S)
        await self._actor.append(bytes(2 * round(silent_s * RATE_HZ)), RATE_HZ)

    async def _interrupt(self) -> None:
        if self._floor.now.answering is not None or self._floor.now.calling:
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
            pass  # told by those who follow the session
        except Exception as error:  # noqa: BLE001 - whatever it was, a person is told
            self._floor.tell(error)

    async def _press(self) -> None:
        """The key is down: what is heard from now on is one turn, whatever the detector thinks."""
        await self._interrupt()
        self._held_bytes = 0
        self._detection = self._actor.session.audio.input.turn_detection or self._returned
        if self._detection is not None:
            await self._detect(None)
        await self._actor.link.send(ev.InputAudioBufferClear())
        self._floor.set(Held(on=True))

    async def _release(self) -> None:
        """The key is up: the turn is over, and is to be answered."""
        enough = self._held_bytes >= SHORTEST_MS * RATE_HZ * 2 // 1000
        self._floor.set(Held(on=False))
        sent = await self._actor.link.send(ev.InputAudioBufferCommit() if enough else ev.InputAudioBufferClear())
        self._ours.add(sent)
        if enough:
            await self._ask(Said())
        else:
            self._floor.note = Note("The key was let go before anything was heard.", "Hold it as long as you speak.")
        if self._detection is not None:
            self._returned = self._detection
            await self._detect(msgspec.to_builtins(self._detection))

    async def _detect(self, detection: Any) -> None:
        fields = {"type": "realtime", "audio": {"input": {"turn_detection": detection}}}
        self._ours.add(await self._actor.link.send(ev.SessionUpdate(session=fields)))

    async def _truncate(self, cut: Cut) -> None:
        with contextlib.suppress(RealtimeError):  # a refusal is an error event; an end is told elsewhere
            await self._actor.link.send(
                ev.ConversationItemTruncate(
                    item_id=cut.item_id, content_index=cut.content_index, audio_end_ms=cut.audio_end_ms
                )
            )
