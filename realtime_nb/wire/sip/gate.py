"""How many messages an address may send: a bucket that fills up again."""

from __future__ import annotations

__all__ = ["Gate"]

MAX_SOURCES = 1_024


class Gate:
    """Lets so many messages a second through, for each source.

    Parameters
    ----------
    per_s : float
        Messages a second; twice as many may come at once.

    Examples
    --------
    >>> gate = Gate(per_s=1)
    >>> [gate.admits("a", now=0.0) for _ in range(3)], gate.admits("b", now=0.0), gate.admits("a", now=1.0)
    ([True, True, False], True, True)
    """

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._left: dict[str, tuple[float, float]] = {}

    def admits(self, source: str, now: float) -> bool:
        """Say whether one more message may come.

        Parameters
        ----------
        source : str
            From where.
        now : float
            Monotonic seconds.

        Returns
        -------
        bool
            False for too many.
        """
        left, at = self._left.pop(source, (2 * self._per_s, now))
        left = min(2 * self._per_s, left + (now - at) * self._per_s)
        if len(self._left) >= MAX_SOURCES:
            del self._left[next(iter(self._left))]
        self._left[source] = (left - 1 if left >= 1 else left, now)
        return left >= 1
