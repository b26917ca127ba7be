"""Who asks for the answer to speech: the server by itself, or, where a budget or a tier may say no, the client.

A response that a server makes by itself cannot be stopped before it costs. So
with a budget or a tier, ``turn_detection.create_response`` is switched off: the
server still finds the turns and is still interrupted by speech, and the client
asks for the response as soon as the speech is committed, if it may. That takes
one more way to the server and back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from realtime_nb.errors import RealtimeError
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.session_config import Session, TurnDetection
from realtime_nb.session.book import TurnBook
from realtime_nb.session.gate import Gate
from realtime_nb.session.link import Link
from realtime_nb.turn import Turn

__all__ = ["Answering"]

WORDS_S = 2.0
"""How long the local engine may take to say whether there were words in a sound: it must know before it answers."""


class Answering:
    """Asks for the response to speech, where the server must not make it by itself.

    Parameters
    ----------
    link : Link
        The connection.
    book : TurnBook
        The turns.
    gate : Gate
        What may say no.
    update : coroutine function
        Changes the session.
    """

    def __init__(
        self, link: Link, book: TurnBook, gate: Gate, update: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        self.asks = False
        """Whether we do what the server was told not to."""
        self.refusal: RealtimeError | None = None
        """Why the last speech was not answered; whoever goes on speaking is told."""
        self._link = link
        self._book = book
        self._gate = gate
        self._update = update
        self._detected: set[str] = set()
        self._waiting: Turn | None = None
        self._changing = asyncio.Lock()

    # ---------------------------------------------------------------- the setting
    @property
    def _detection(self) -> TurnDetection | None:
        session = self._link.connection.session
        return session.audio.input.turn_detection if isinstance(session, Session) else None

    def wish(self, fields: Mapping[str, Any]) -> None:
        """Note what a person sets: who says that nobody is to answer by himself is obeyed.

        Parameters
        ----------
        fields : mapping
            Of a ``session.update``.
        """
        detection = fields.get("audio", {}).get("input", {}).get("turn_detection", {})
        if detection is None or not detection.get("create_response", True):
            self.asks = False

    async def hold(self) -> None:
        """Take the asking over from the server, or give it back, as budget and tier are now."""
        async with self._changing:
            detection = self._detection
            if detection is None or (not detection.create_response if self._gate.holds else not self.asks):
                return
            self.asks = self._gate.holds
            changed = {**msgspec.to_builtins(detection), "create_response": not self.asks}
            await self._update({"type": "realtime", "audio": {"input": {"turn_detection": changed}}})

    # ---------------------------------------------------------------- speech
    def hears(self, event: Any) -> str | None:
        """Give the item of speech that we are to ask an answer for, if this event tells of one.

        Parameters
        ----------
        event : ServerEvent
            Any, folded already.

        Returns
        -------
        str or None
            The item's id.
        """
        if isinstance(event, ev.InputAudioBufferSpeechStopped):
            self._detected.add(event.item_id)
        if not isinstance(event, ev.InputAudioBufferCommitted) or event.item_id not in self._detected:
            return None
        self._detected.discard(event.item_id)
        answered_anyway = self._waiting is not None and not self._waiting.done and not self._waiting.replies
        return event.item_id if self.asks and self._book.live is None and not answered_anyway else None

    async def answer(self, item_id: str, begin: Callable[[], Turn]) -> None:
        """Ask for the answer to a piece of speech.

        Parameters
        ----------
        item_id : str
            What was said.
        begin : callable
            Begins a turn without a message.
        """
        if not await self.has_words(item_id):
            return
        self._waiting = turn = begin()
        if turn.task is not None:
            await asyncio.wait({turn.task})
        if isinstance(turn.error, RealtimeError) and not turn.replies:
            self.refusal = turn.error
        self._link.wake()

    async def has_words(self, item_id: str) -> bool:
        """Whether there is anything to answer; only the local engine tells noise from words, as it does for itself.

        Parameters
        ----------
        item_id : str
            What was said.

        Returns
        -------
        bool
            True, too, where nobody tells.
        """
        session = self._link.connection.session
        if not isinstance(session, Session) or not session.brain or session.audio.input.transcription is None:
            return True
        try:
            async with asyncio.timeout(WORDS_S):
                await self._link.until(lambda: self._book.words(item_id) is not None, WORDS_S)
        except TimeoutError:
            return True
        return self._book.words(item_id) != ""
