"""What is said aloud in a page: the model's sound goes there, and what was heard of it comes back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from realtime_nb.audio import Resampler, wire_format
from realtime_nb.audio.pcm import encode_pcm16
from realtime_nb.session.playlist import RATE_HZ, Cut, Playlist

__all__ = ["Aloud", "Player"]

FLUSH_S = 0.5
"""How long a page may take to say what was heard."""


class Player(Protocol):
    """The page's side: where sound is heard."""

    def push(self, pcm: bytes, header: Mapping[str, Any] | None = None) -> None:
        """Play some more of an item."""
        ...

    def flush(self) -> None:
        """Fall silent at once; ``flushed`` tells what was heard."""
        ...


class Aloud:
    """The model's voice in a page; all on the session's loop.

    Parameters
    ----------
    player : Player
        The page.
    """

    def __init__(self, player: Player) -> None:
        self.audience = False
        """Whether a page is there that would play."""
        self._player = player
        self._playlist = Playlist()
        self._unwanted: set[str] = set()
        """Responses whose sound nobody wants any more, or heard the beginning of."""
        self._sounding = ""
        """The response whose sound was sent last."""
        self._resamplers: dict[str, Resampler] = {}
        self._halves: dict[str, bytes] = {}
        """By item: the beginning of a sample whose end has not come."""
        self._quiet = asyncio.Event()

    @property
    def pending(self) -> bool:
        """Whether something was sent to the page that is there, and is not known to be played."""
        return self.audience and self._playlist.pending

    # ---------------------------------------------------------------- to the page
    def say(self, event: Any, audio: bytes, format: str) -> None:
        """Play what a ``response.output_audio.delta`` carried, unless a page has missed a part of that answer."""
        if not self.audience:
            self._unwanted.add(event.response_id)
        if event.response_id in self._unwanted:
            return
        self._sounding = event.response_id
        self._push(event, self._pcm(event.item_id, audio, format))

    def end(self, event: Any) -> None:
        """An item's sound is whole: ``response.output_audio.done``."""
        resampler = self._resamplers.pop(event.item_id, None)
        self._halves.pop(event.item_id, None)
        rest = encode_pcm16(resampler.finish()) if resampler is not None else b""
        if event.item_id in self._playlist:
            self._push(event, rest, last=True)

    def _push(self, event: Any, pcm: bytes, *, last: bool = False) -> None:
        self._playlist.add(event.item_id, event.content_index, len(pcm) // 2)
        self._player.push(pcm, {"item": event.item_id, "last": last})

    def _pcm(self, item_id: str, audio: bytes, format: str) -> bytes:
        wire = wire_format(format)
        if wire.type == "audio/pcm":
            whole, self._halves[item_id] = wire.split(self._halves.pop(item_id, b"") + audio)
            return whole
        resampler = self._resamplers.setdefault(item_id, Resampler(wire.rate, RATE_HZ))
        return encode_pcm16(resampler.feed(wire.decode(audio)))

    def silence(self, response_id: str | None) -> None:
        """Fall silent, and stay so for what may still come of a response."""
        if response_id is not None:
            self._unwanted.add(response_id)
        if self.pending:
            self._quiet.clear()
            self._playlist.drop()
            self._player.flush()

    async def fall_silent(self) -> None:
        """Fall silent, and wait until the page has said what was heard."""
        self.silence(None)
        if self.pending and self.audience:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_S):
                    await self._quiet.wait()

    # ---------------------------------------------------------------- from the page
    def started(self, item_id: str) -> None:
        """The page plays an item: those before it were heard."""
        self._playlist.reach(item_id)

    def done(self, item_id: str) -> None:
        """The page has played an item to its end."""
        self._playlist.done(item_id)

    def flushed(self, item_id: str | None, heard: int, waiting: Iterable[str] = ()) -> list[Cut]:
        """The page fell silent; gives what was not heard to its end."""
        cuts = self._playlist.stop(item_id, heard, waiting)
        self._quiet.set()
        return cuts

    def leave(self) -> None:
        """The page that played is gone; it may play on what it has, and come back, but will have missed some."""
        self.audience = False
        if self._playlist.pending:
            self._unwanted.add(self._sounding)
        self._quiet.set()

    def come(self, *, again: bool) -> None:
        """A page is there that would play; again: the one that was there before, with what it had."""
        self.audience = True
        if not again:
            self._playlist.clear()
        for item_id in self._playlist:
            self._player.push(b"", {"item": item_id, "last": True})
