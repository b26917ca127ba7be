"""Where a replay is: the next frame of the recording, and what the client must send before it. Without I/O.

Frames come in the order in which they were recorded, both directions together: what the server said after
something the client did comes when the client has done it again, and what the client does counts as done when
all has come that had come before. So the log of a replay is that of the recording.

Streamed sound is one sound, however it is cut into events: the client may send it in other pieces than then,
and the recorded pieces count as sent when as much sound is there.
"""

from __future__ import annotations

from typing import Any

from realtime_nb.cassette.match import as_value, difference, same, same_sound
from realtime_nb.cassette.reader import Frame, Track
from realtime_nb.errors import CassetteError, CassetteMiss
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.events import decode_client
from realtime_nb.protocol.faults import EventError

__all__ = ["Score"]

_AGAIN = 'session.record("lesson.cassette", mode="all")  # or replay leniently: "cassette:...?match=lenient"'


class Score:
    """A position in a recording.

    Parameters
    ----------
    track : Track
        What was recorded.
    strict : bool
        Whether what the client sends must be what was recorded; else only its kind.
    """

    def __init__(self, track: Track, *, strict: bool) -> None:
        self.track = track
        self.strict = strict
        self._at = 0
        self._skipped_to = 0
        """What the client does not send up to here is not waited for."""
        self._sound = b""
        """Streamed, and not yet enough for the next recorded piece."""

    # ---------------------------------------------------------------- where
    @property
    def head(self) -> Frame | None:
        """The next frame; None at the end."""
        frames = self.track.frames
        while self._at < self._skipped_to and frames[self._at].direction == "sent":
            self._at += 1
        return frames[self._at] if self._at < len(frames) else None

    def comes(self) -> Frame | None:
        """The next frame, if it is the server's."""
        head = self.head
        return head if head is not None and head.direction == "received" else None

    def advance(self) -> None:
        """The next frame has crossed the wire."""
        self._at += 1

    @property
    def awaited(self) -> Any:
        """The next event that the client is to send; None: there is none."""
        return next((_read(frame) for frame in self.track.frames[self._at :] if frame.direction == "sent"), None)

    # ---------------------------------------------------------------- what is sent
    def hear(self, audio: bytes) -> None:
        """The client streams some sound."""
        self._sound += audio

    def next_piece(self) -> Frame | None:
        """The recorded piece of streamed sound that is whole now, if the next frame is one.

        Raises
        ------
        CassetteMiss
            Another sound was recorded, or none.
        """
        head = self.head
        if head is None or head.direction == "received" or not self._sound:
            return None
        event = _read(head)
        if not isinstance(event, ev.InputAudioBufferAppend):
            self._sound = b""
            if self.strict:
                raise self._miss("more sound is streamed than was recorded", head, None)
            return None
        size = len(event.audio)
        if len(self._sound) < size:
            return None
        given, self._sound = self._sound[:size], self._sound[size:]
        if self.strict and not same_sound(event.audio, given):
            raise self._miss("another sound is streamed than was recorded", head, None)
        return head

    def seek(self, kind: str) -> bool:
        """Leave out what the client does not send this time, up to the next event of that kind.

        Parameters
        ----------
        kind : str
            The type of the event it sends.

        Returns
        -------
        bool
            Whether such an event was recorded: then the server's frames before it are still to come.
        """
        self._sound = b""
        frames = self.track.frames
        for index in range(self._at, len(frames)):
            if frames[index].direction == "sent" and as_value(frames[index].text).get("type") == kind:
                self._skipped_to = index
                return True
        return False

    def match(self, text: str) -> Frame:
        """Hold an event against the one that was recorded.

        Parameters
        ----------
        text : str
            What the client sends, but no streamed sound; all of the server's frames before it have come.

        Returns
        -------
        Frame
            What was sent then.

        Raises
        ------
        CassetteMiss
            It is not what was recorded.
        """
        given = as_value(text)
        head = self.head
        if head is None:
            raise self._miss(f"{given.get('type')} is sent, and nothing more was recorded", None, None)
        if not self.strict:
            return head
        if self._sound:
            raise self._miss(f"{given.get('type')} is sent before all recorded sound was streamed", head, given)
        if not same(as_value(head.text), given):
            raise self._miss(f"{given.get('type')} is not what was sent then", head, given)
        return head

    def _miss(self, what: str, head: Frame | None, given: dict[str, Any] | None) -> CassetteMiss:
        number = 1 + sum(frame.direction == "sent" for frame in self.track.frames[: self._at])
        diff = difference(as_value(head.text), given) if head is not None and given is not None else ""
        expected = "" if head is None or given is not None else f"; {as_value(head.text).get('type')} was sent then"
        return CassetteMiss(f"{self.track.name}, client event {number}: {what}{expected}.", diff=diff, hint=_AGAIN)

    # ---------------------------------------------------------------- what nobody sends
    def overdue(self) -> CassetteMiss | None:
        """Why nothing comes: the recording waits for what the client does not send."""
        head = self.head
        if head is None or head.direction == "received":
            return None
        kind = as_value(head.text).get("type")
        return self._miss(f"nothing comes before the client sends {kind}, as it did then", None, None)


def _read(frame: Frame) -> Any:
    """The event of a client's frame."""
    try:
        return decode_client(frame.text)
    except EventError as error:
        raise CassetteError(f"The cassette has a client event that is none: {error.message}", hint=_AGAIN) from None
