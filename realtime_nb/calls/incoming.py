"""A call that rings: who it is, and what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from realtime_nb.calls.control import Control
from realtime_nb.display import ProgressView
from realtime_nb.errors import RemoteProtocolError
from realtime_nb.portal import await_on, call_on, portal
from realtime_nb.protocol.events import InputAudioBufferDtmfEventReceived
from realtime_nb.session import Session
from realtime_nb.session.awaitable import AsyncSession
from realtime_nb.wire.sip.grammar import parse_address

if TYPE_CHECKING:
    from typing import Unpack

    from realtime_nb.connection import Plan
    from realtime_nb.session.config import SessionConfig

__all__ = ["IncomingCall"]

INCOMING = "realtime.call.incoming"
DECLINE = 603
MAX_SHOWN = 100


class IncomingCall:
    """A call that a server told of, and that waits for an answer; :meth:`Phone.wait` gives one.

    Parameters
    ----------
    control : Control
        The server.
    event : mapping
        Its ``realtime.call.incoming``, of which it was made sure that the server sent it.

    Raises
    ------
    RemoteProtocolError
        When it tells of no call.
    """

    def __init__(self, control: Control, event: Mapping[str, Any]) -> None:
        try:
            data = event["data"]
            self.id = str(data["call_id"])
            self.headers = tuple((str(one["name"]), str(one["value"])) for one in data.get("sip_headers", ()))
        except (KeyError, TypeError) as fault:
            raise RemoteProtocolError(f"a webhook of an incoming call lacks {fault}") from None
        self._control = control
        self.session: Session | AsyncSession | None = None
        self._keys = 0, ""  # of so many entries of the session's log

    @property
    def caller(self) -> str:
        """Who calls: a name if there is one, and the address."""
        return self._party("From")

    @property
    def called(self) -> str:
        """Whom they want."""
        return self._party("To")

    def _party(self, name: str) -> str:
        found = parse_address(next((value for known, value in self.headers if known.lower() == name.lower()), ""))
        return f"{found.display} <{found.uri}>" if found.display else found.uri

    @property
    def keys(self) -> str:
        """The keys the caller has pressed since the call was accepted."""
        if self.session is None:
            return ""
        known, keys = self._keys
        entries = self.session.actor.link.log.since(known)
        pressed = (one.event for one in entries if isinstance(one.event, InputAudioBufferDtmfEventReceived))
        self._keys = known + len(entries), keys + "".join(key.event for key in pressed)  # at once: any thread may look
        return self._keys[1]

    # ------------------------------------------------------------ what becomes of it
    def accept(self, *, model: str | None = None, log: bool = True, **config: Unpack[SessionConfig]) -> Session:
        """Take the call: the model talks with the caller, and the session here follows.

        Parameters
        ----------
        model : str, optional
            By default ``gpt-realtime-mini``.
        log : bool
            False: the session is not kept.
        **config : SessionConfig
            As of :func:`realtime_nb.connect`: ``instructions``, ``voice``, ``tools``, ...

        Returns
        -------
        Session
            Attached to the call. Its end does not end the call: :meth:`hang_up` does.

        Raises
        ------
        ServerError
            The caller has given up, or the settings are refused.
        """
        plan = self._plan(model, config, log=log)
        view = ProgressView()
        try:
            taken = Session(call_on(portal().loop, self._take(plan, view), beat=view.draw))
        finally:
            view.close()
            plan.tell()
        self.session = taken
        return taken

    async def aaccept(
        self, *, model: str | None = None, log: bool = True, **config: Unpack[SessionConfig]
    ) -> AsyncSession:
        """Take the call from a coroutine; everything else is as in :meth:`accept`."""
        plan = self._plan(model, config, log=log)
        view = ProgressView()
        try:
            taken = await await_on(portal().loop, self._take(plan, view), beat=view.draw)
        finally:
            view.close()
            plan.tell()
        self.session = taken
        return taken

    def _plan(self, model: str | None, config: Mapping[str, Any], *, log: bool) -> Plan:
        from realtime_nb.connection import planned

        place = self._control
        return planned(place.sideband(self.id), model=model, api_key=place.key, auth=place.auth, log=log, **config)

    async def _take(self, plan: Plan, view: ProgressView) -> AsyncSession:
        """Accept with the settings, then attach."""
        await self._control.do(self.id, "accept", {**plan.fields, "model": plan.model})
        return await plan.open(view)

    def reject(self, status_code: int = DECLINE) -> None:
        """Refuse the call.

        Parameters
        ----------
        status_code : int
            What the caller is told, 400 to 699: 486 is busy, 603 is declined.
        """
        self._do("reject", {"status_code": status_code})

    def refer(self, target_uri: str) -> None:
        """Hand the caller on to somebody else.

        Parameters
        ----------
        target_uri : str
            ``tel:+15550100`` or ``sip:...``.
        """
        self._do("refer", {"target_uri": target_uri})

    def hang_up(self) -> None:
        """End the call; the session ends with it."""
        self._do("hangup", None)

    def _do(self, doing: str, body: Mapping[str, Any] | None) -> None:
        call_on(portal().loop, self._control.do(self.id, doing, body))

    def __repr__(self) -> str:
        state = "rings" if self.session is None else "was accepted"
        return f"<IncomingCall from {self.caller[:MAX_SHOWN]!r} {state}>"
