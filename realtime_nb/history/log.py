"""Every event of a session, in the order in which it crossed the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import msgspec

from realtime_nb.protocol.events import InputAudioBufferAppend, ResponseOutputAudioDelta, UnknownEvent

__all__ = ["Direction", "Entry", "EventLog", "Follower", "type_of"]

Direction = Literal["sent", "received"]


class Entry(msgspec.Struct, frozen=True):
    """One event on the wire."""

    t_s: float
    """When, in seconds on the session's clock."""
    direction: Direction
    event: Any
    """A struct of :mod:`realtime_nb.protocol.events`; streamed sound is taken out of it."""
    bytes: int
    """Size on the wire."""
    audio_bytes: int = 0
    """Size of the streamed sound that was taken out."""


Follower = Callable[[Entry, bytes], None]
"""Given an entry, and the streamed sound that was taken out of it."""


class EventLog:
    """What was sent and received; it only grows.

    One thread appends, any thread reads. The sound of
    ``input_audio_buffer.append`` and ``response.output_audio.delta`` is not kept
    (an hour of talk would be a third of a gigabyte), only its size: the turns
    have the sound.

    Examples
    --------
    >>> from realtime_nb.protocol.events import InputAudioBufferAppend
    >>> log = EventLog()
    >>> log.append("sent", InputAudioBufferAppend(audio=bytes(4800)), 0.5, 6441)
    >>> len(log), log[0].audio_bytes, log[0].event.audio
    (1, 4800, b'')
    """

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._followers: list[Follower] = []

    def append(self, direction: Direction, event: Any, t_s: float, nbytes: int) -> None:
        """Add an event.

        Parameters
        ----------
        direction : {"sent", "received"}
            Seen from the client.
        event : ClientEvent or ServerEvent
            The struct.
        t_s : float
            When, in seconds on the session's clock; never earlier than the event before.
        nbytes : int
            Size on the wire.
        """
        audio = b""
        if isinstance(event, InputAudioBufferAppend):
            audio = event.audio
            event = msgspec.structs.replace(event, audio=b"")
        elif isinstance(event, ResponseOutputAudioDelta):
            audio = event.delta
            event = msgspec.structs.replace(event, delta=b"")
        entry = Entry(t_s, direction, event, nbytes, len(audio))
        self._entries.append(entry)
        for follower in self._followers:
            follower(entry, audio)

    def follow(self, follower: Follower) -> None:
        """Tell of every entry that comes from now on.

        Parameters
        ----------
        follower : callable
            Called on the thread that appends, with the entry and the sound that was taken
            out of it; it must be quick, and must not raise.
        """
        self._followers.append(follower)

    def unfollow(self, follower: Follower) -> None:
        """Tell no more.

        Parameters
        ----------
        follower : callable
            What :meth:`follow` was given; one that is not told is no error.
        """
        if follower in self._followers:
            self._followers.remove(follower)

    def since(self, position: int) -> Sequence[Entry]:
        """The entries from `position` on.

        Parameters
        ----------
        position : int
            How many entries to leave out.

        Returns
        -------
        sequence of Entry
            In order; empty when there are no more.
        """
        return self._entries[position:]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.since(0))

    def __getitem__(self, index: int) -> Entry:
        return self._entries[index]

    def __repr__(self) -> str:
        sent = sum(entry.direction == "sent" for entry in self._entries)
        return f"EventLog({sent} sent, {len(self._entries) - sent} received)"


def type_of(event: Any) -> str:
    """The event's type on the wire.

    Parameters
    ----------
    event : ClientEvent or ServerEvent
        The struct.

    Returns
    -------
    str
        For instance ``response.done``.
    """
    return event.type if isinstance(event, UnknownEvent) else str(type(event).__struct_config__.tag)
