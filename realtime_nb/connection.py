"""How a session comes about: the address, the handshake, ``session.created``, and the settings acknowledged."""

from __future__ import annotations

import asyncio
import sys
import weakref
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from realtime_nb.cassette.deck import Opening, Slot, Track, deck_for
from realtime_nb.display import ProgressView
from realtime_nb.errors import ConfigError, ConnectError, ConnectionClosed
from realtime_nb.local import Stages, start
from realtime_nb.logs.shelf import folder as log_folder
from realtime_nb.models import ModelCard
from realtime_nb.models import model as card_of
from realtime_nb.portal import portal
from realtime_nb.protocol.events import ErrorDetail
from realtime_nb.secret import Secret
from realtime_nb.session.actor import Actor
from realtime_nb.session.awaitable import AsyncSession
from realtime_nb.session.config import check_session, session_fields
from realtime_nb.session.pacing import Line, line_for
from realtime_nb.target import DEFAULT_MODEL, Auth, Target, Way, resolve, with_model
from realtime_nb.tools import ToolBox
from realtime_nb.transports.base import Transport
from realtime_nb.transports.door import Door
from realtime_nb.transports.websocket import open_websocket, safe_url
from realtime_nb.usage import BudgetGuard
from realtime_nb.webrtc import require

__all__ = ["CONNECT_S", "Plan", "open_actor", "planned"]

CONNECT_S = 5.0
"""How long a connection may take to come about."""
TRANSCRIPTION = "gpt-4o-mini-transcribe"
"""Writes down what you say, for the transcript of the turns; a small bill of its own at the service."""


def planned(
    to: str | None = None,
    *,
    model: str | None = None,
    api_key: str | Secret | None = None,
    auth: Auth | None = None,
    budget_usd: float | None = None,
    tier: int | str | None = None,
    asr: str | None = None,
    llm: str | None = None,
    tts: str | None = None,
    log: bool = True,
    transport: Way = "websocket",
    timeout_s: float = CONNECT_S,
    **config: Any,
) -> Plan:
    """What :func:`realtime_nb.connect` would open with these arguments: checked, and nothing is started yet.

    Returns
    -------
    Plan
        For one session.
    """
    return Plan(
        to=to,
        model=model,
        key=Secret.of(api_key),
        auth=auth,
        budget_usd=budget_usd,
        tier=tier,
        stages={"asr": asr, "llm": llm, "tts": tts},
        log=log,
        transport=transport,
        timeout_s=timeout_s,
        config=config,
    )


class Plan:
    """What is to be opened, checked before anything is started."""

    def __init__(
        self,
        *,
        to: str | None,
        model: str | None,
        key: Secret | None,
        auth: Auth | None,
        budget_usd: float | None,
        tier: int | str | None,
        stages: dict[str, str | None],
        log: bool,
        transport: Way,
        timeout_s: float,
        config: dict[str, Any],
    ) -> None:
        _check_way(transport)
        self.transport = transport
        deck, bare = deck_for(to), not config
        self.target = Target() if deck is not None else resolve(to, model=model, key=key, auth=auth)
        self.model = model or DEFAULT_MODEL
        self.card = card_of(self.model)
        self.card.require("WebRTC" if transport == "webrtc" else "WebSocket", "v1/realtime")
        self.guard = BudgetGuard(self.card, budget_usd)
        self.limit = None if tier is None else self.card.limits(tier)
        self.stages = _stages(stages, embedded=self.target.local)
        self.log = log
        self.first_log: Path | None = None
        """Where this session is kept, if it is the first one that is."""
        self.timeout_s = timeout_s
        self.tools = ToolBox()
        config.setdefault("transcription", TRANSCRIPTION)
        if "tools" in config:
            config["tools"] = self.tools.replace(config["tools"])
        self.fields = session_fields(config, self.card)
        check_session(self.fields)
        self.slot = None if deck is None else deck.slot(Opening.of(to, model, self.fields, bare=bare))
        if self.slot is not None and self.slot.track is None:
            self.target = resolve(to, model=model, key=key, auth=auth)
        elif self.slot is not None and self.slot.track is not None:
            self._insert(self.slot, self.slot.track, budget_usd)

    def _insert(self, slot: Slot, track: Track, budget_usd: float | None) -> None:
        """What is played was set up then: with that card, at those prices, and without a queue."""
        self.card, self.fields = track.header.card, slot.fields
        self.guard = BudgetGuard(self.card, budget_usd)
        self.limit, self.log = None, False

    async def _play(self, slot: Slot) -> AsyncSession:
        """The session that was recorded, on the portal's loop; nothing is connected to."""
        wire = slot.play()
        actor = await open_actor(
            wire,
            self.card,
            tools=self.tools,
            fields=self.fields,
            guard=self.guard,
            place=wire.track.name,
            timeout_s=self.timeout_s,
        )
        _close_at_exit(actor)
        return AsyncSession(actor)

    @property
    def input_format(self) -> str:
        """The format of the sound that the session is to be sent."""
        given = self.fields.get("audio", {}).get("input", {}).get("format", {})
        return str(given.get("type", "audio/pcm"))

    async def open(self, view: ProgressView) -> AsyncSession:
        """Reach the server and set the session up; on the portal's loop."""
        if self.slot is not None and self.slot.track is not None:
            return await self._play(self.slot)
        target = self.target
        if target.local:
            engine = await start(self.stages, watch=view.note)
            headers = {"Authorization": Secret(f"Bearer {engine.token.reveal()}")}
            target = Target(with_model(engine.url, self.model), headers, engine.token)
        transport = await self._wire(target)
        actor = await open_actor(
            transport,
            self.card,
            tools=self.tools,
            fields=self.fields,
            guard=self.guard,
            line=None if self.limit is None else line_for(urlsplit(target.url).netloc, self.card, self.limit),
            place=safe_url(target.url),
            key=target.key,
            timeout_s=self.timeout_s,
        )
        actor.door = Door(target.url, target.headers)
        _close_at_exit(actor)
        session = AsyncSession(actor)
        if self.slot is not None:
            self.slot.record(actor.link, session_id=session.id, brain=session.brain, card=self.card)
        root = log_folder() if self.log else None
        if root is not None:
            self.first_log = await session.keeper.log(root)
        return session

    async def _wire(self, target: Target) -> Transport:
        if self.transport == "websocket":
            return await open_websocket(target.url, headers=target.headers, timeout_s=self.timeout_s)
        from realtime_nb.transports.webrtc import open_webrtc  # half a second of imports, for those who call

        return await open_webrtc(target.url, headers=target.headers, timeout_s=self.timeout_s)

    def tell(self) -> None:
        """Say what is kept, the first time that something is."""
        if self.first_log is not None and sys.stderr is not None:
            sys.stderr.write(
                f"Sessions (words, sounds, events; no keys) are kept in {self.first_log.parent}, for you alone. "
                "REALTIME_NB_LOG=0 keeps none; realtime-nb logs --help says more.\n"
            )


def _check_way(transport: str) -> None:
    if transport not in get_args(Way):
        raise ConfigError(
            f'rt.connect() goes by transport="websocket" or "webrtc", not {transport!r}',
            hint='rt.connect(..., transport="webrtc")',
        )
    if transport == "webrtc":
        require()


def _stages(given: dict[str, str | None], *, embedded: bool) -> Stages:
    chosen = {name: spec for name, spec in given.items() if spec is not None}
    if chosen and not embedded:
        name = next(iter(chosen))
        raise ConfigError(
            f"rt.connect() got {name}=, which chooses a model of the local engine, but goes elsewhere",
            hint=f'rt.connect("local", {name}="{chosen[name]}")',
        )
    return Stages(**chosen)


async def open_actor(
    transport: Transport,
    card: ModelCard,
    *,
    fields: dict[str, Any],
    tools: ToolBox | None = None,
    guard: BudgetGuard | None = None,
    line: Line | None = None,
    place: str = "the server",
    key: Secret | None = None,
    timeout_s: float = CONNECT_S,
) -> Actor:
    """Set a session up on a connected wire.

    Parameters
    ----------
    transport : Transport
        Connected; it is closed if the session does not come about.
    card : ModelCard
        Of the model.
    fields : dict
        The ``session`` of the first ``session.update``.
    tools : ToolBox, optional
        The functions the model may call.
    guard : BudgetGuard, optional
        What may be spent.
    line : Line, optional
        Where responses wait for the rate limits.
    place : str
        Where this is, for the messages.
    key : Secret, optional
        Masked in the server's words.
    timeout_s : float
        How long each answer may take, in seconds.

    Returns
    -------
    Actor
        After ``session.created`` and ``session.updated``.

    Raises
    ------
    ConnectError
        The server refused, or said nothing.
    ServerError
        It refused the settings.
    """
    actor = Actor(transport, card, tools or ToolBox(), guard or BudgetGuard(card), line)
    try:
        await actor.link.until(lambda: actor.book.sessions, timeout_s, what="session.created")
        await actor.configure(fields, timeout_s)
    except (ConnectionClosed, TimeoutError) as error:
        await actor.close()
        refusal = _refusal(place, error, actor.link.last_error, key or Secret(""))
    except BaseException:
        await actor.close()
        raise
    else:
        return actor
    raise refusal


def _refusal(place: str, error: OSError, said: ErrorDetail | None, key: Secret) -> ConnectError:
    """The service refuses after the handshake: an ``error`` event, then a close (protocol, 1.1)."""
    words = key.redact(said.message if said is not None else str(error.args[0]))
    code = said.code if said is not None else None
    return ConnectError(f"{place} refused the session: {words}", hint=_HINTS.get(code or "", 'rt.connect("local")'))


_HINTS = {
    "invalid_api_key": 'rt.connect(..., api_key="sk-...")  # or set OPENAI_API_KEY',
    "invalid_model": 'rt.connect(..., model="gpt-realtime-mini")',
    "missing_model": 'rt.connect(..., model="gpt-realtime-mini")',
    "session_limit_reached": "session.close()  # another one, first",
}

_open_actors: weakref.WeakSet[Actor] = weakref.WeakSet()
_watched: list[object] = []
"""The portal whose end closes the sessions; a forked child has another."""


def _close_at_exit(actor: Actor) -> None:
    if portal() not in _watched:
        _watched[:] = [portal()]
        _open_actors.clear()
        portal().at_exit(_close_all)
    _open_actors.add(actor)


async def _close_all() -> None:
    await asyncio.gather(*(actor.close() for actor in list(_open_actors)), return_exceptions=True)
