"""A scripted peer: a realtime server whose replies are written beforehand.

For tests and rehearsals of the client. It speaks the wire's JSON by hand, so it
shares no code with the protocol it puts to the test.

>>> import realtime_nb as rt
>>> from realtime_nb.testing.server import Reply, ScriptedServer
>>> with ScriptedServer(Reply("Nile, ", "Congo, Niger.")) as server, rt.connect(server.url) as session:
...     session.say("Name three rivers of Africa.").text
'Nile, Congo, Niger.'
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed as Closed
from websockets.http11 import Request, Response

from realtime_nb.portal import call_on, portal
from realtime_nb.testing.replies import Call, Reply
from realtime_nb.testing.script import Close, Die, Script

__all__ = ["Call", "Reply", "ScriptedServer"]

Hook = Callable[[dict[str, Any]], Iterable[dict[str, Any]] | None]


class ScriptedServer:
    """A server on a loopback port that plays its part; a context manager, ``with`` or ``async with``.

    Parameters
    ----------
    *replies : Reply
        What it does at each response, in order.
    session : mapping, optional
        Fields of ``session.created`` that differ from the service's defaults.
    on : mapping of str to callable, optional
        By client event type: called with the event, gives the events to send *instead* of the usual ones;
        None: the usual ones.
    refuse : tuple of (str, int), optional
        Answer every connection with this error code and close it with this close code, as the service does.
    refusal : str
        The message of that error.
    http_status : HTTPStatus, optional
        Refuse at the upgrade with this HTTP status, as other servers do.
    mute : bool
        Accept connections and never say anything.

    Attributes
    ----------
    received : list of dict
        Every client event so far.
    headers : list of dict
        The handshake headers of each connection.
    paths : list of str
        The path of each connection, with its query.
    on : dict
        The hooks; may be changed while it plays.
    """

    def __init__(
        self,
        *replies: Reply,
        session: Mapping[str, Any] | None = None,
        on: Mapping[str, Hook] | None = None,
        refuse: tuple[str, int] | None = None,
        refusal: str = "refused",
        http_status: HTTPStatus | None = None,
        mute: bool = False,
    ) -> None:
        self.received: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.url = ""
        self._replies = deque(replies)
        self._session = dict(session or {})
        self.on = dict(on or {})
        self._refuse = refuse
        self._refusal = refusal
        self._http_status = http_status
        self._mute = mute
        self._peers: list[ServerConnection] = []
        self._heard = threading.Condition()
        self._server: Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # ---------------------------------------------------------------- its life
    async def start(self) -> Self:
        """Listen on a free loopback port."""
        self._loop = asyncio.get_running_loop()
        self._server = await serve(
            self._play, "127.0.0.1", 0, process_request=self._admit, max_size=None, close_timeout=1
        )
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1/realtime"
        return self

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def __enter__(self) -> Self:
        return portal().call(self.start())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        portal().call(self.stop())

    # ---------------------------------------------------------------- what a test does with it
    def add(self, *replies: Reply) -> None:
        """Write more replies at the script's end."""
        self._replies.extend(replies)

    def of_type(self, type: str) -> list[dict[str, Any]]:
        """The client events of one type, so far."""
        return [event for event in list(self.received) if event.get("type") == type]

    def wait_for(self, type: str, count: int = 1, timeout_s: float = 30.0) -> list[dict[str, Any]]:
        """Wait (on another thread than the server's) until `count` client events of a type have come."""
        with self._heard:
            if not self._heard.wait_for(lambda: len(self.of_type(type)) >= count, timeout_s):
                seen = [event.get("type") for event in self.received]
                raise TimeoutError(f"waited {timeout_s:g} s for {count} x {type}; came: {seen}")
            return self.of_type(type)

    def wait_for_end(self, timeout_s: float = 30.0) -> None:
        """Wait (on another thread than the server's) until nobody is connected any more."""
        with self._heard:
            if not self._heard.wait_for(lambda: not self._peers, timeout_s):
                raise TimeoutError(f"waited {timeout_s:g} s; {len(self._peers)} still connected")

    def push(self, *events: dict[str, Any]) -> None:
        """Send events of the server's own accord, to every connection."""
        assert self._loop is not None  # noqa: S101 - it was started
        call_on(self._loop, self._push(events))

    def drop(self) -> None:
        """Cut every connection without a word."""
        assert self._loop is not None  # noqa: S101 - it was started
        for peer in list(self._peers):
            self._loop.call_soon_threadsafe(peer.transport.abort)

    # ---------------------------------------------------------------- the play
    async def _push(self, events: Iterable[dict[str, Any]]) -> None:
        for peer in list(self._peers):
            for event in events:
                await peer.send(json.dumps(event))

    def _admit(self, peer: ServerConnection, request: Request) -> Response | None:
        self.paths.append(request.path)
        self.headers.append(dict(request.headers.raw_items()))
        return None if self._http_status is None else peer.respond(self._http_status, "refused\n")

    async def _play(self, peer: ServerConnection) -> None:
        script = Script(self._replies, self._session)
        self._peers.append(peer)
        with contextlib.suppress(Closed):
            if self._mute:
                await peer.wait_closed()
            elif await self._act(peer, self._opening(script)):
                await self._listen(peer, script)
        with self._heard:
            self._peers.remove(peer)
            self._heard.notify_all()

    def _opening(self, script: Script) -> Iterator[dict[str, Any] | Close | Die]:
        return script.open() if self._refuse is None else script.refuse(*self._refuse, self._refusal)

    async def _listen(self, peer: ServerConnection, script: Script) -> None:
        async for text in peer:
            event = json.loads(text)
            hook = self.on.get(event.get("type", ""))
            instead = None if hook is None else hook(event)
            actions = script.receive(event) if instead is None else iter(instead)
            self._note(event)
            if not await self._act(peer, actions):
                return

    def _note(self, event: dict[str, Any]) -> None:
        with self._heard:
            self.received.append(event)
            self._heard.notify_all()

    async def _act(self, peer: ServerConnection, actions: Iterator[dict[str, Any] | Close | Die]) -> bool:
        """Do what the script says; False when that ended the connection."""
        for action in actions:
            match action:
                case Close(code, reason):
                    await peer.close(code, reason)
                    return False
                case Die():
                    await asyncio.sleep(0)  # what was sent before goes out
                    peer.transport.abort()
                    return False
                case _:
                    await peer.send(json.dumps(action))
        return True
