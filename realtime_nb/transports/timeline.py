"""Whose time and names hold on a connection: those of now, or those of a recording."""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol, runtime_checkable

from realtime_nb.protocol.ids import IdFactory, SeededIds

__all__ = ["LiveTimeline", "Timeline"]


@runtime_checkable
class Timeline(Protocol):
    """What a session asks beside the wire; a transport that replays something answers for it."""

    ids: IdFactory
    """Names events and items."""
    begun: dt.datetime
    """When the connection began."""
    replays: bool
    """Whether this happened before."""
    hurried: bool
    """Whether nobody can watch it come."""

    def now_s(self) -> float:
        """Seconds since the connection."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        ...

    async def settle(self) -> None:
        """Wait for what came before the client did anything more."""
        ...

    def admit(self, event: Any, text: str) -> AsyncIterator[tuple[Any, str]]:
        """Give the events that count as sent, each when it is its time, with their JSON.

        Parameters
        ----------
        event : ClientEvent
            What is to be sent.
        text : str
            The same as JSON.

        Yields
        ------
        tuple of (ClientEvent, str)
            Live, the same; of a recording, what was sent then.
        """
        ...

    def recall(self, call_id: str, output: str, took_s: float) -> tuple[str, float]:
        """What a function gave and how long it took; of a recording, then."""
        ...

    def patience_s(self, timeout_s: float) -> float:
        """How long to wait for an event."""
        ...

    def overdue(self) -> Exception | None:
        """Why nothing comes, if it is known."""
        ...


class LiveTimeline:
    """Now."""

    replays = False
    hurried = False

    def __init__(self) -> None:
        self.ids: IdFactory = SeededIds(secrets.token_hex(10))
        self.begun = dt.datetime.now(dt.UTC)
        self._start = time.monotonic()

    def now_s(self) -> float:
        """Seconds since the connection."""
        return time.monotonic() - self._start

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        await asyncio.sleep(seconds)

    async def settle(self) -> None:
        """Nothing has come that is not here."""

    async def admit(self, event: Any, text: str) -> AsyncIterator[tuple[Any, str]]:
        """Give the event as it is."""
        yield event, text

    def recall(self, call_id: str, output: str, took_s: float) -> tuple[str, float]:  # noqa: ARG002 - the interface's
        """Give both as they are."""
        return output, took_s

    def patience_s(self, timeout_s: float) -> float:
        """As long as was asked for."""
        return timeout_s

    def overdue(self) -> Exception | None:
        """Nobody knows."""
        return None
