"""A call that is placed: a telephone in a cell, for demos and tests. It has sound and keys, and no events."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import numpy as np

from realtime_nb.audio import Audio
from realtime_nb.audio.pcm import Samples
from realtime_nb.portal import call_on, portal
from realtime_nb.session.actor import ANSWER_S
from realtime_nb.transports.sip import RATE, PhoneLine, joined, open_line

__all__ = ["DialledCall", "dial"]

LOUD = 0.01
"""-40 dBFS: below it, nobody speaks."""
QUIET_S = 1.0


class DialledCall:
    """A call that somebody took; :func:`dial` and ``rt.connect("sip:...")`` give one. A context manager.

    What answers may be a realtime model, and is heard as any telephone hears
    it: no transcript, no turns, no tokens. Those are with whoever answers.

    Parameters
    ----------
    line : PhoneLine
        Taken.
    target : str
        Who was called.
    """

    def __init__(self, line: PhoneLine, target: str) -> None:
        self._line = line
        self._loop = portal().loop
        self._read = 0
        self.target = target

    @property
    def heard(self) -> Audio:
        """All that the other end said so far, silences included."""
        return Audio(joined(list(self._line.heard)), RATE)

    @property
    def keys(self) -> str:
        """What the other end pressed."""
        return self._line.keys

    @property
    def is_up(self) -> bool:
        """Whether the call goes on."""
        return self._line.ended is None

    def say(self, sound: Any, *, wait: bool = True) -> None:
        """Say something.

        Parameters
        ----------
        sound : Audio or audio-like
            Anything :meth:`realtime_nb.Audio.coerce` takes; it goes out as G.711 at 8 kHz.
        wait : bool
            Until it has been said.

        Raises
        ------
        ConnectionClosed
            The call is over.
        """
        samples = Audio.coerce(sound, caller="call.say()").resample(RATE).samples

        async def speak() -> None:
            mark = self._line.say(samples)
            if wait:
                await self._line.said(mark)

        call_on(self._loop, speak())

    def hear(self, *, quiet_s: float = QUIET_S, timeout_s: float = ANSWER_S) -> Audio:
        """Wait until the other end has spoken and fallen silent.

        Parameters
        ----------
        quiet_s : float
            Silence that ends it, in seconds.
        timeout_s : float
            How long to wait altogether, in seconds.

        Returns
        -------
        Audio
            What came since the last time, up to now; at 8 kHz.

        Raises
        ------
        TimeoutError
            When nothing was said, or it does not fall silent.
        ConnectionClosed
            The call is over, and nothing more was said.
        """
        start = at = self._read
        quiet: int | None = None  # samples since somebody spoke

        def spoken() -> bool:
            nonlocal at, quiet
            for piece in self._line.heard[at:]:
                at += 1
                quiet = 0 if _is_loud(piece) else quiet if quiet is None else quiet + len(piece)
            return (quiet is not None and quiet >= quiet_s * RATE) or not self.is_up

        async def listen() -> None:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._line.until(spoken)
            except TimeoutError:
                what = "said nothing" if quiet is None else "not fallen silent"
                raise TimeoutError(f"waited {timeout_s:g} s; the other end has {what}") from None

        call_on(self._loop, listen())
        self._read = len(self._line.heard)
        heard = joined(self._line.heard[start : self._read])
        if not self.is_up and not _is_loud(heard):
            self._line.check()
        return Audio(heard, RATE)

    def press(self, keys: str) -> None:
        """Press keys.

        Parameters
        ----------
        keys : str
            Of ``0123456789*#ABCD``.

        Raises
        ------
        ValueError
            For what is no key.
        ConnectionClosed
            The call is over.
        """

        async def press() -> None:
            self._line.press(keys)

        call_on(self._loop, press())

    def hang_up(self) -> None:
        """End the call; idempotent."""
        call_on(self._loop, self._line.hang_up())

    close = hang_up

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()

    def __repr__(self) -> str:
        return f"<DialledCall {self.target} {'up' if self.is_up else 'over'}>"


def _is_loud(sound: Samples) -> bool:
    return bool(np.abs(sound).max(initial=0) > LOUD)


def dial(target: str, *, timeout_s: float = 30.0) -> DialledCall:
    """Place a call.

    Parameters
    ----------
    target : str
        ``sip:bob@127.0.0.1:5060``; with ``;transport=tcp`` by TCP.
    timeout_s : float
        How long it may ring, in seconds.

    Returns
    -------
    DialledCall
        Taken by the other end.

    Raises
    ------
    ConfigError
        It is no SIP address.
    ConnectError
        Nobody takes it.

    Examples
    --------
    >>> import realtime_nb as rt
    >>> with rt.calls.dial("sip:bob@127.0.0.1:5060") as call:  # doctest: +SKIP
    ...     call.say(rt.Audio.read("question.wav"))
    ...     answer = call.hear()
    """
    return DialledCall(call_on(portal().loop, open_line(target, timeout_s=timeout_s)), target)
