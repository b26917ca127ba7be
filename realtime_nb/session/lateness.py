"""How late a page's sound comes: what waited behind a busy cell is not said to anybody minutes later."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

__all__ = ["Lateness"]

OLD_S = 6.0
"""Later than this is too late; a page that had lost its way sends the last 5 s when it has found it."""
SET_S = 30.0
"""Late for so long: a clock was set."""


class Lateness:
    """Tells sound that comes too late, by the page's own clock: it takes longer than it took at best.

    Parameters
    ----------
    clock : callable
        Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._least_s = math.inf
        self._since_s: float | None = None

    def is_old(self, ms: float) -> bool:
        """Whether a chunk comes too late.

        Parameters
        ----------
        ms : float
            When it was whole, in milliseconds by the page's clock.

        Returns
        -------
        bool
            False for the first one: how far apart the clocks are is not known.
        """
        now_s = self._clock()
        took_s = now_s - ms / 1000
        self._least_s = min(self._least_s, took_s)
        if took_s - self._least_s <= OLD_S:
            self._since_s = None
            return False
        self._since_s = now_s if self._since_s is None else self._since_s
        if now_s - self._since_s > SET_S:
            self._least_s = took_s
        return took_s > self._least_s
