"""Pressed keys as events beside the sound (RFC 4733, "DTMF")."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["KEYS", "KeyListener", "key_payloads"]

KEYS = "0123456789*#ABCD"
"""By event number."""
_EVENT = struct.Struct(">BBH")
_END = 0x80
_VOLUME = 10
"""dBm0 below zero."""
LAST_REPEATED = 3
LONGEST = 0xFFFF
"""Samples that the duration can tell; a key held for longer goes on with a timestamp that is so much later."""
LATE_S = 1.0
"""How late the packets of a key may be, once another was pressed."""


class KeyListener:
    """Tells each key once, however many packets say it.

    All packets of one key bear the timestamp of its beginning, and the last one
    is repeated; so a key is a new timestamp, told when its first packet comes.
    """

    def __init__(self) -> None:
        self._told: dict[tuple[int, int], float] = {}

    def hear(self, payload: bytes, timestamp: int, now: float = 0.0) -> str | None:
        """Take a packet.

        Parameters
        ----------
        payload : bytes
            Of the event's payload type.
        timestamp : int
            Of the packet.
        now : float
            Monotonic seconds.

        Returns
        -------
        str or None
            The key, when it is new: ``0`` to ``9``, ``*``, ``#``, ``A`` to ``D``.
        """
        if len(payload) < _EVENT.size or payload[0] >= len(KEYS):
            return None
        newest = next(reversed(self._told), None)
        self._told = {key: at for key, at in self._told.items() if key == newest or now - at < LATE_S}
        this, before = ((at, payload[0]) for at in (timestamp, (timestamp - LONGEST) % 2**32))
        is_known = this in self._told or before in self._told
        self._told[this] = now
        return None if is_known else KEYS[payload[0]]


def key_payloads(key: str, *, ms: int = 100, ptime_ms: int = 20) -> Iterator[bytes]:
    """What is sent for a key, a payload a packet; all with one timestamp.

    Parameters
    ----------
    key : str
        One of :data:`KEYS`.
    ms : int
        How long it is held.
    ptime_ms : int
        Between packets.

    Yields
    ------
    bytes
        A payload; the end is said three times.

    Raises
    ------
    ValueError
        For what is no key.

    Examples
    --------
    >>> [payload.hex() for payload in key_payloads("5", ms=40)]
    ['050a00a0', '050a0140', '058a0140', '058a0140', '058a0140']
    """
    event = KEYS.find(key.upper())
    if event < 0 or len(key) != 1:
        raise ValueError(f"{key!r} is no key of a telephone, which has {KEYS}")
    durations = range(8 * ptime_ms, 8 * ms + 1, 8 * ptime_ms)
    for duration in durations:
        yield _EVENT.pack(event, _VOLUME, duration)
    for _ in range(LAST_REPEATED):
        yield _EVENT.pack(event, _VOLUME | _END, durations[-1])
