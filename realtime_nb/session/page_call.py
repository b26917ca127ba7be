"""A talk whose sound goes from the page to the server, by WebRTC: the kernel gives the page a secret, and follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import msgspec

from realtime_nb.errors import ConfigError, RealtimeError
from realtime_nb.history.log import Entry
from realtime_nb.protocol import events as ev
from realtime_nb.session.actor import Actor
from realtime_nb.transports.door import Door

__all__ = ["PageCall"]

_OURS = frozenset({"id", "object", "expires_at", "brain"})
"""What a session says of itself, and a client may not ask for."""


class PageCall:
    """Brings a page's call about, and the session to it.

    Parameters
    ----------
    actor : Actor
        The session; it goes on by the call's sideband, with its tools, its history and its frames.
    answer : callable
        Tells one page something; the secret goes there and nowhere else.

    Raises
    ------
    ConfigError
        There is no server to call, or the conversation has begun without the call.
    """

    def __init__(self, actor: Actor, answer: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._actor = actor
        self._answer = answer
        self._up = False
        self._tasks: set[asyncio.Task[None]] = set()
        callable_door(actor)

    # ---------------------------------------------------------------- the page, on any thread
    def happened(self, header: Mapping[str, Any]) -> None:
        """Take what the page tells; what is none of ours is passed over."""
        page = str(header.get("page"))
        match header.get("t"):
            case "call":
                self._soon(self._admit(page, str(header.get("origin"))))
            case "called":
                self._soon(self._join(page, str(header.get("call_id"))))
            case "stop" | "type":
                self._soon(self._hush())

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        def start() -> None:
            task = self._actor.loop.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        self._actor.loop.call_soon_threadsafe(start)

    # ---------------------------------------------------------------- the session, on its loop
    async def _admit(self, page: str, origin: str) -> None:
        """Give a page what it needs to call."""
        try:
            door = callable_door(self._actor)
            secret = await door.secret(self._settings(), origin)
        except RealtimeError as error:
            self._refuse(page, error)
        else:
            self._answer(page, {"t": "secret", "url": door.calls, "secret": secret.reveal()})

    async def _join(self, page: str, call_id: str) -> None:
        """Follow the call that the page has made."""
        try:
            door = callable_door(self._actor)
            await self._actor.link.move(await door.join(call_id))
            self._up = True
            self._actor.link.log.follow(self._heard)
        except RealtimeError as error:
            self._refuse(page, error)

    async def _hush(self) -> None:
        """Silence what plays, which the server knows and the page does not."""
        if self._up and self._actor.link.closed is None:
            await self._actor.link.send(ev.OutputAudioBufferClear())

    def _heard(self, entry: Entry, _audio: bytes) -> None:
        """Ask which words were heard of an answer that was cut: its sound, which would tell, does not come here."""
        if isinstance(entry.event, ev.ConversationItemTruncated):
            self._soon(self._ask(entry.event.item_id))

    async def _ask(self, item_id: str) -> None:
        if self._actor.link.closed is None:
            await self._actor.link.send(ev.ConversationItemRetrieve(item_id=item_id))

    def _refuse(self, page: str, error: RealtimeError) -> None:
        self._answer(page, {"t": "secret", "text": error.message, "todo": error.hint or ""})

    def _settings(self) -> dict[str, Any]:
        """The session's settings, as a client asks for them."""
        told: dict[str, Any] = msgspec.to_builtins(self._actor.session)
        return {name: value for name, value in told.items() if name not in _OURS and value is not None}


def callable_door(actor: Actor) -> Door:
    """The way to the server; :class:`ConfigError` where no call can be made: it begins a conversation, at a server."""
    if actor.door is None:
        raise ConfigError(
            "this session has no server that a page could call: it is replayed, or was opened by other means",
            hint='rt.connect("local").talk(transport="webrtc")',
        )
    if actor.link.connection.conversation.order:
        raise ConfigError(
            "this conversation has begun by WebSocket, and a call begins one of its own",
            hint='rt.connect(...).talk(transport="webrtc")',
        )
    return actor.door
