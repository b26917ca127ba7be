"""A call's sound: what is made faster than it is heard waits here, and knows how far it was heard."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from realtime_nb.audio.resample import Resampler
from realtime_nb.engine.hearing import wire
from realtime_nb.protocol.effects import (
    ClearPlayback,
    EndPlayback,
    Play,
    PlaybackCleared,
    PlaybackStarted,
    PlaybackStopped,
    Report,
)
from realtime_nb.protocol.formats import AudioFormat, bytes_to_ms, ms_to_bytes

__all__ = ["Converter", "Speaker"]


class Converter:
    """Sound of one format made sound of another, as it comes.

    Parameters
    ----------
    source, target : AudioFormat
        What goes in, what comes out; the same bytes where they are equal.
    """

    def __init__(self, source: AudioFormat, target: AudioFormat) -> None:
        self.source = source
        self.target = target
        self._from, self._to = wire(source), wire(target)
        self._resampler = Resampler(self._from.rate, self._to.rate)

    def feed(self, audio: bytes) -> bytes:
        """Convert the next sound; some of it comes out later."""
        if self.source == self.target:
            return audio
        return self._to.encode(self._resampler.feed(self._from.decode(audio)))

    def finish(self) -> bytes:
        """Give what is left; nothing can be fed afterwards."""
        return b"" if self.source == self.target else self._to.encode(self._resampler.finish())


@dataclass
class _Part:
    """The sound of one part of an item."""

    item_id: str
    content_index: int
    converter: Converter
    audio: bytearray = field(default_factory=bytearray)
    played: int = 0
    """Bytes of it that were heard."""

    @property
    def waiting(self) -> int:
        return len(self.audio) - self.played

    def take(self, size: int) -> bytes:
        piece = bytes(self.audio[self.played : self.played + size])
        self.played += len(piece)
        return piece

    def close(self) -> None:
        self.audio += self.converter.finish()


@dataclass
class _Track:
    """The sound of one response; its parts follow one another."""

    response_id: str
    parts: list[_Part] = field(default_factory=list)
    heard: bool = False
    ended: bool = False

    def part(self, effect: Play, format: AudioFormat) -> _Part:
        """The part that this sound belongs to; a new one ends the one before."""
        last = self.parts[-1] if self.parts else None
        if last is None or (last.item_id, last.content_index) != (effect.item_id, effect.content_index):
            if last is not None:
                last.close()
            last = _Part(effect.item_id, effect.content_index, Converter(effect.format, format))
            self.parts.append(last)
        return last

    def take(self, size: int) -> bytes:
        return next((part.take(size) for part in self.parts if part.waiting), b"")


class Speaker:
    """What a caller hears next.

    Parameters
    ----------
    format : AudioFormat
        Of what is pulled out.
    report : callable
        Is told when a response begins to be heard, when it was heard to its end, and what was not.

    Notes
    -----
    Used on the session's loop alone: the session puts sound in, the leg pulls it out at the pace of its own clock.
    """

    def __init__(self, format: AudioFormat, report: Callable[[Report], None]) -> None:
        self.format = format
        self._report = report
        self._tracks: deque[_Track] = deque()

    @property
    def waiting_ms(self) -> float:
        """How much sound waits, in milliseconds."""
        return sum(bytes_to_ms(part.waiting, self.format) for track in self._tracks for part in track.parts)

    def pull(self, ms: int) -> bytes:
        """Take what is heard next.

        Parameters
        ----------
        ms : int
            How much, in milliseconds: 20, as a rule.

        Returns
        -------
        bytes
            In :attr:`format`; shorter, or nothing at all, where no more is there now: play silence for the rest.
        """
        left, got = ms_to_bytes(ms, self.format), bytearray()
        while left and self._tracks:
            track = self._tracks[0]
            piece = track.take(left)
            left -= len(piece)
            got += piece
            if piece and not track.heard:
                track.heard = True
                self._report(PlaybackStarted(track.response_id))
            elif not piece and track.ended:
                self._pass(track)
            elif not piece:
                break
        return bytes(got)

    def _pass(self, track: _Track) -> None:
        self._tracks.popleft()
        if track.heard:
            self._report(PlaybackStopped(track.response_id))

    # ------------------------------------------------------------ the session's effects
    def play(self, effect: Play) -> None:
        """Add sound."""
        track = next((each for each in self._tracks if each.response_id == effect.response_id), None)
        if track is None:
            track = _Track(effect.response_id)
            self._tracks.append(track)
        part = track.part(effect, self.format)
        part.audio += part.converter.feed(effect.audio)

    def finish(self, effect: EndPlayback) -> None:
        """Note that no more of a response comes."""
        for track in self._tracks:
            if track.response_id == effect.response_id:
                track.parts[-1].close()
                track.ended = True

    def clear(self, _effect: ClearPlayback) -> None:
        """Forget what was not heard yet, and say how far each part was."""
        heard = tuple(
            (part.item_id, part.content_index, int(bytes_to_ms(part.played, self.format)))
            for track in self._tracks
            for part in track.parts
            if part.waiting or not (track.ended or part is not track.parts[-1])
        )
        was = self._tracks[0].response_id if self._tracks and self._tracks[0].heard else None
        self._tracks.clear()
        self._report(PlaybackCleared(was, heard))
