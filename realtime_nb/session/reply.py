"""One response as its turn sees it: what came of it, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from realtime_nb.audio import Audio, wire_format
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.client import ResponseState
from realtime_nb.protocol.items import Item
from realtime_nb.protocol.usage import Usage

__all__ = ["Delta", "Reply"]


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a reply: some words (``str(delta)``), or some sound.

    Parameters
    ----------
    text : str
        Words, written or of the transcript; empty on a piece of sound.
    data : bytes
        Sound in `format`; empty on a piece of text.
    format : str
        ``audio/pcm``, ``audio/pcmu`` or ``audio/pcma``.
    item_id : str
        The item it belongs to.
    """

    text: str = ""
    data: bytes = b""
    format: str = "audio/pcm"
    item_id: str = ""

    @property
    def audio(self) -> Audio:
        """Its sound; of no duration on a piece of text."""
        return Audio.from_wire(self.data, self.format)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Delta({self.text!r})" if self.text else f"Delta({self.audio!r})"


@dataclass(eq=False)
class Reply:
    """A response of a turn, with its moments in the session's seconds.

    Parameters
    ----------
    state : ResponseState
        What was folded of it, and still is.
    format : str
        Of its sound.
    asked_s : float
        When it was asked for, or when the speech it answers ended.
    """

    state: ResponseState
    format: str
    asked_s: float
    first_text_s: float | None = None
    first_audio_s: float | None = None
    done_s: float | None = None
    _halves: dict[str, bytes] = field(default_factory=dict, repr=False)
    """By item: the beginning of a sample whose end has not come."""

    @property
    def id(self) -> str:
        """The response's id."""
        return self.state.id

    @property
    def done(self) -> bool:
        """Whether ``response.done`` came."""
        return self.done_s is not None

    @property
    def text(self) -> str:
        """All words, written or spoken, in the order of their parts."""
        return "\n".join(filter(None, (self.state.parts[place].words for place in sorted(self.state.parts))))

    @property
    def audio(self) -> Audio:
        """All sound; each part begins with a whole sample."""
        parts = (b"".join(self.state.parts[place].audio) for place in sorted(self.state.parts))
        whole = wire_format(self.format).split
        return Audio.from_wire(b"".join(whole(part)[0] for part in parts), self.format)

    @property
    def items(self) -> tuple[Item, ...]:
        """Its items, as they were last told."""
        return tuple(self.state.items[index] for index in sorted(self.state.items))

    @property
    def usage(self) -> Usage:
        """What it used; nothing until it is done."""
        return self.state.usage or Usage()

    @property
    def spoken(self) -> tuple[str, int, int] | None:
        """The last part with sound: its item, its ``content_index``, and how many milliseconds came."""
        places = [place for place, part in self.state.parts.items() if part.audio]
        if not places:
            return None
        part = self.state.parts[max(places)]
        came_s = wire_format(self.format).seconds(sum(map(len, part.audio)))
        return part.item_id, max(places)[1], int(came_s * 1000)

    def take(self, event: Any, now_s: float) -> Delta | None:
        """Note when an event of this response came.

        Parameters
        ----------
        event : ServerEvent
            One with this response's id, folded already.
        now_s : float
            When it came.

        Returns
        -------
        Delta or None
            What there is to show of it.
        """
        delta = self._piece(event)
        if delta is None:
            return None
        if delta.text and self.first_text_s is None:
            self.first_text_s = now_s
        if delta.data and self.first_audio_s is None:
            self.first_audio_s = now_s
        return delta

    def _piece(self, event: Any) -> Delta | None:
        match event:
            case ev.ResponseOutputTextDelta() | ev.ResponseOutputAudioTranscriptDelta() if event.delta:
                return Delta(text=event.delta, item_id=event.item_id)
            case ev.ResponseOutputAudioDelta():
                return self._sound(event)
            case ev.ResponseOutputTextDone() | ev.ResponseOutputAudioTranscriptDone():
                return self._rest(event)
            case _:
                return None

    def _sound(self, event: ev.ResponseOutputAudioDelta) -> Delta | None:
        """Whole samples: each piece is a sound by itself."""
        come = self._halves.pop(event.item_id, b"") + event.delta
        data, self._halves[event.item_id] = wire_format(self.format).split(come)
        return Delta(data=data, format=self.format, item_id=event.item_id) if data else None

    def _rest(self, event: ev.ResponseOutputTextDone | ev.ResponseOutputAudioTranscriptDone) -> Delta | None:
        """What the whole text has and no delta told: some servers send few deltas, or none."""
        part = self.state.parts[event.output_index, event.content_index]
        told = "".join(part.pieces)
        rest = part.words.removeprefix(told) if part.words.startswith(told) else ""
        return Delta(text=rest, item_id=event.item_id) if rest else None
