"""A spoken turn as it is spoken: sound goes out at its own pace until the server has noticed the end."""

from __future__ import annotations

import asyncio
import contextlib

from realtime_nb.errors import AudioError, RealtimeError, ServerError
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.session_config import SemanticVad, TurnDetection
from realtime_nb.session.book import Live, TurnBook
from realtime_nb.session.link import Link
from realtime_nb.session.live import PIECE_S, Encoder, Pace, chunks_of, pieces_of, silence
from realtime_nb.session.parts import Said
from realtime_nb.session.reply import Reply
from realtime_nb.turn import Turn

__all__ = ["Stream"]

MARGIN_S = 0.3
"""Silence beyond the server's own timer, for the way there."""
PATIENCE_S = 2.0
"""Silence after which a speech that has not ended is ended by us."""
SEMANTIC_S = {"low": 8.0, "medium": 4.0, "auto": 4.0, "high": 2.0}
"""How long semantic detection may wait (protocol, 3.3)."""
WORDLESS_S = 1.0
"""How long a response to speech without words may take to begin, before we believe that none will."""


class Stream:
    """Sends a generator's sound and finds the response to it.

    Parameters
    ----------
    link : Link
        The connection.
    book : TurnBook
        Where the server's voice detection is noted.
    turn : Turn
        The turn that is spoken.
    detection : TurnDetection or None
        How the server notices the end; None: we commit.
    format : str
        The session's input format.
    """

    def __init__(self, link: Link, book: TurnBook, turn: Turn, detection: TurnDetection | None, format: str) -> None:
        self._link = link
        self._book = book
        self._live = Live(turn)
        self._detection = detection
        self._format = format
        self._pace = Pace(link.timeline.now_s, link.timeline.sleep)
        self._sent_s = 0.0

    async def send(self, said: Said, timeout_s: float) -> Reply | None:
        """Send all of it, and wait for the response the server makes by itself.

        Parameters
        ----------
        said : Said
            With a live part.
        timeout_s : float
            How long to wait without any event.

        Returns
        -------
        Reply or None
            Done; None when the server leaves it to us to ask for one.

        Raises
        ------
        AudioError
            No sound came, or no speech was in it.
        """
        self._book.live = self._live
        try:
            await self._pour(said)
            if self._detection is None:
                await self._commit(timeout_s)
                return None
            await self._fall_silent(self._detection, timeout_s)
            return await self._answer(timeout_s) if self._detection.create_response else None
        except BaseException:
            await self._take_back()
            raise
        finally:
            self._book.live = None

    async def _pour(self, said: Said) -> None:
        encoder = Encoder(self._format, said.rate)
        async for chunk in chunks_of(said.live, said.home):
            await self._put(encoder.feed(chunk))
        await self._put(encoder.finish())
        if not self._sent_s:
            raise AudioError(
                "the generator gave no sound: say() had nothing to send", hint="session.say(clip.chunks())"
            )

    async def _put(self, data: bytes) -> None:
        for piece in pieces_of(data, self._format):
            await self._link.send(ev.InputAudioBufferAppend(audio=piece))
            seconds = PIECE_S * len(piece) / len(silence(self._format))
            self._sent_s += seconds
            await self._pace.keep(seconds)

    async def _commit(self, timeout_s: float) -> None:
        live, before = self._live, self._live.item_id
        event_id = await self._link.send(ev.InputAudioBufferCommit())
        try:
            await self._link.until(
                lambda: live.item_id != before, timeout_s, about=[event_id], what="the committed sound"
            )
        except ServerError as error:
            if error.code != "input_audio_buffer_commit_empty":
                raise
            raise AudioError(
                f"the generator gave {self._sent_s * 1000:.0f} ms of sound: a turn needs at least 100 ms",
                hint="session.say(clip.chunks())",
            ) from None

    async def _fall_silent(self, detection: TurnDetection, timeout_s: float) -> None:
        """Send silence until the server has noticed the end of speech, as a microphone would."""
        least_s, most_s = _silences(detection)
        spent_s = 0.0
        while spent_s < least_s or (spent_s < most_s and not self._ended):
            await self._put(silence(self._format))
            spent_s += PIECE_S
        if self._ended:
            return
        if not self._live.speaking and self._live.item_id is None:
            raise AudioError(
                f"the server heard no speech in {self._sent_s:.1f} s of sound: it may be too quiet, or noise",
                hint='session.say(rt.Audio.read("question.wav"))  # a clip needs no voice detection',
            )
        await self._commit(timeout_s)  # speech without an end, by a noisy background

    @property
    def _ended(self) -> bool:
        return self._live.item_id is not None and not self._live.speaking

    async def _answer(self, timeout_s: float) -> Reply:
        await self._link.until(lambda: self._live.reply or self._wordless, timeout_s, what="a response to the speech")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WORDLESS_S if self._live.reply is None else None):
                reply = await self._link.until(lambda: self._live.reply, timeout_s, what="a response to the speech")
                await self._link.until(lambda: reply.done, timeout_s, what="the end of the response")
                return reply
        raise self.wordless()

    def wordless(self) -> AudioError:
        """Say that nothing was understood, and nothing answered."""
        return AudioError(
            f"the server heard a voice but no words in {self._sent_s:.1f} s of sound, and made no response",
            hint='session.say(rt.Audio.read("question.wav"))',
        )

    @property
    def _wordless(self) -> bool:
        return self._book.words(self._live.item_id or "") == ""

    async def _take_back(self) -> None:
        """Leave no half-heard sound and no unwanted response behind."""
        reply = self._live.reply
        with contextlib.suppress(RealtimeError):
            if self._link.closed is None:
                await self._link.send(ev.InputAudioBufferClear())
                if reply is not None and not reply.done:
                    await self._link.send(ev.ResponseCancel(response_id=reply.id))


def _silences(detection: TurnDetection) -> tuple[float, float]:
    """The least and the most silence to send, in seconds."""
    if isinstance(detection, SemanticVad):
        return MARGIN_S, SEMANTIC_S[detection.eagerness] + PATIENCE_S
    timer_s = detection.silence_duration_ms / 1000
    return timer_s + MARGIN_S, timer_s + PATIENCE_S
