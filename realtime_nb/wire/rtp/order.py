"""Packets in the order in which they were sent, with the lost ones told."""

from __future__ import annotations

from .packet import Packet, ahead

__all__ = ["Order"]

PATIENCE_S = 0.08
"""How long a missing packet is waited for."""
FAR = 1_000
"""A sequence number so far on is a new beginning, not a gap."""
MOST_LATE = 100
"""One so far back is a new beginning, not late (RFC 3550, A.1)."""
MOST_WAITING = 32
MOST_LOST = 5
"""Losses told in a row; a longer gap is silence, and the line's clock fills it."""


class Order:
    """Holds what is early, drops what is late or double, and gives up on what is lost.

    Examples
    --------
    >>> order = Order()
    >>> for sequence in (1, 3, 2):
    ...     order.push(Packet(0, sequence, 160 * sequence, 9, b"."), now=0.0)
    ...     [packet and packet.sequence for packet in order.pop(now=0.0)]
    [1]
    []
    [2, 3]
    """

    def __init__(self) -> None:
        self._next: int | None = None
        self._ssrc: int | None = None
        self._waiting: dict[int, Packet] = {}
        self._gap_at = 0.0
        self.lost = 0

    def push(self, packet: Packet, now: float) -> None:
        """Take a packet as it comes.

        Parameters
        ----------
        packet : Packet
            From the source that is listened to.
        now : float
            Monotonic seconds.
        """
        if (
            self._next is None
            or packet.ssrc != self._ssrc
            or not -MOST_LATE <= ahead(self._next, packet.sequence) <= FAR
        ):
            self._ssrc, self._next = packet.ssrc, packet.sequence
            self._waiting.clear()
        if ahead(self._next, packet.sequence) < 0:
            return
        if not self._waiting:
            self._gap_at = now
        self._waiting[packet.sequence] = packet

    def pop(self, now: float) -> list[Packet | None]:
        """Give what is in order by now.

        Parameters
        ----------
        now : float
            Monotonic seconds.

        Returns
        -------
        list of Packet or None
            None stands for a lost packet.
        """
        found: list[Packet | None] = []
        while self._waiting and self._next is not None:
            packet = self._waiting.pop(self._next, None)
            if packet is None:
                if now < self._gap_at + PATIENCE_S and len(self._waiting) < MOST_WAITING:
                    break
                found += self._give_up(self._next)
            else:
                found.append(packet)
                self._next = (self._next + 1) % 65_536
                self._gap_at = now
        return found

    def _give_up(self, expected: int) -> list[None]:
        missing, self._next = min((ahead(expected, sequence), sequence) for sequence in self._waiting)
        self.lost += missing
        return [None] * min(missing, MOST_LOST)

    def deadline(self) -> float | None:
        """When :meth:`pop` is wanted next although nothing comes; None for never."""
        return self._gap_at + PATIENCE_S if self._waiting else None
