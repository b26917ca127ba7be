"""What a session asks of the wire."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

__all__ = ["Transport"]


@runtime_checkable
class Transport(Protocol):
    """A connected wire that carries one event a message, in order, both ways.

    The four things a way of travelling must do are: come about (each module has
    its own ``open_...`` coroutine, with what that way needs), and the three
    methods below. Everything else, from the event's JSON to what a response is,
    belongs to :class:`realtime_nb.protocol.client.ClientConnection`.
    """

    async def send(self, text: str) -> None:
        """Send one event; returns when the wire has taken it.

        Parameters
        ----------
        text : str
            The event as JSON.

        Raises
        ------
        ConnectionClosed
            When the wire is down.
        """
        ...

    async def receive(self) -> str | bytes:
        """The next event's JSON.

        Returns
        -------
        str or bytes
            What the peer sent in one message.

        Raises
        ------
        ConnectionClosed
            When the wire is down; with the peer's code and reason.
        """
        ...

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Take the wire down within 2 s; idempotent.

        Parameters
        ----------
        code : int
            Why, as a WebSocket close code (RFC 6455, 7.4).
        reason : str
            Why, in words.
        """
        ...
