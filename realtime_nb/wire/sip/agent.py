"""An agent that answers and places calls (RFC 3261): messages, decisions and time go in, actions come out."""

from __future__ import annotations

from collections.abc import Callable

from realtime_nb.wire.sdp import SdpError

from .dialog import Dialog
from .grammar import parse_address, parse_via
from .inbound import Inbound
from .message import Request, Response, SipError, decode
from .outbound import Outbound
from .path import Action, Ended, Endpoint, Path, Referred
from .state import State

__all__ = ["Agent"]

GONE = {408, 481}
"""What tells that the other end has no such call."""


class Agent:
    """One end of SIP; whoever runs it calls one method at a time, and does what comes back, in order.

    Parameters
    ----------
    token : Callable[[], str]
        Gives text nobody can guess; names tags, branches, Call-IDs.
    name : Callable[[], str], optional
        Names incoming calls; by default by `token`.
    calls : int
        Calls at once; a further one gets 503.
    ring_s : float
        How long a call may ring; then it ends with 480.
    """

    def __init__(
        self,
        token: Callable[[], str],
        *,
        name: Callable[[], str] | None = None,
        calls: int = 32,
        ring_s: float = 60.0,
    ) -> None:
        self._state = state = State(token, name or token, calls, ring_s)
        self._inbound = Inbound(state)
        self._outbound = Outbound(state)
        self.garbage = 0

    @property
    def calls(self) -> tuple[str, ...]:
        """The calls that are not over."""
        return tuple(self._state.dialogs)

    @property
    def transactions(self) -> int:
        """Requests that are remembered, both ways."""
        return len(self._state.transactions)

    @property
    def asks(self) -> bool:
        """Whether any request of this end is without its answer."""
        return self._state.transactions.asks

    def is_used(self, connection: int) -> bool:
        """Whether any call's messages go over a TCP connection."""
        return any(True for _ in self._state.on_connection(connection))

    # ------------------------------------------------------------ what comes
    def receive(self, data: bytes, path: Path, now: float) -> list[Action]:
        """Take a message.

        Parameters
        ----------
        data : bytes
            One datagram, or one message cut from a stream. What is no SIP is counted and ignored.
        path : Path
            Where it came from.
        now : float
            Monotonic seconds.

        Returns
        -------
        list of Action
            To be done in order.
        """
        try:
            message = decode(data)
            if isinstance(message, Response):
                self._state.transactions.answered(message, now)
            else:
                self._inbound.take(message, _way_back(message, path), now)
        except (SipError, SdpError):
            self.garbage += 1
        return self._state.take()

    def lost(self, connection: int) -> list[Action]:
        """Learn that a TCP connection has gone: calls that nobody took yet go with it, others need a new one."""
        for dialog in self._state.on_connection(connection):
            if dialog.state == "up":
                dialog.move()
            else:
                if dialog.invite is not None:
                    self._state.transactions.forget(dialog.invite)
                self._state.end(dialog, Ended(dialog.name, "unreachable"))
        return self._state.take()

    def tick(self, now: float) -> list[Action]:
        """Let time pass; to be called at :meth:`deadline`, harmless at any other time."""
        self._state.transactions.tick(now)
        for dialog in self._state.waiting():
            if now >= dialog.gives_up_at:
                self._hang_up(dialog, now, 480)
        return self._state.take()

    def deadline(self) -> float | None:
        """When :meth:`tick` is wanted next: monotonic seconds, None for never."""
        times = [dialog.gives_up_at for dialog in self._state.waiting()]
        if (at := self._state.transactions.deadline()) is not None:
            times.append(at)
        return min(times, default=None)

    # ------------------------------------------------------------ decisions
    def ring(self, call: str, now: float) -> list[Action]:
        """Tell the caller that it rings here."""
        self._inbound.progress(self._state.dialogs[call], 180, now)
        return self._state.take()

    def accept(self, call: str, host: str, port: int, now: float) -> list[Action]:
        """Take a call.

        Parameters
        ----------
        call : str
            From :class:`~realtime_nb.wire.sip.path.Invited`.
        host, port : str, int
            Where this end takes its RTP.
        now : float
            Monotonic seconds.

        Returns
        -------
        list of Action
            With :class:`~realtime_nb.wire.sip.path.Updated`, where the other end has told about its sound.
        """
        self._inbound.accept(self._state.dialogs[call], (host, port), now)
        return self._state.take()

    def hang_up(self, call: str, now: float, *, status: int = 603) -> list[Action]:
        """End a call, whatever state it is in; harmless for one that is over.

        Parameters
        ----------
        call : str
            Any.
        now : float
            Monotonic seconds.
        status : int
            How one is refused that was not taken yet: 400 to 699.

        Returns
        -------
        list of Action
            With its end.
        """
        dialog = self._state.dialogs.get(call)
        if dialog is not None:
            self._hang_up(dialog, now, status)
        return self._state.take()

    def _hang_up(self, dialog: Dialog, now: float, status: int) -> None:
        if dialog.state == "ringing":
            self._inbound.reject(dialog, status, now)
        elif dialog.state == "inviting":
            self._outbound.cancel(dialog, now)
        else:
            self._state.bye(dialog, now)
            self._state.end(dialog, Ended(dialog.name, "local"))

    def probe(self, call: str, now: float) -> list[Action]:
        """Ask whether a call goes on; it is over where nobody answers, or knows of none (RFC 3261, 12.2.1.2)."""
        dialog = self._state.dialogs[call]

        def done(response: Response | None, _now: float) -> None:
            if response is None or response.status in GONE:
                self._state.end(dialog, Ended(call, "unreachable"))

        self._state.transactions.request(dialog.request("OPTIONS"), dialog.path, now, done)
        return self._state.take()

    def refer(self, call: str, target: str, now: float) -> list[Action]:
        """Ask the other end to call somebody else instead (RFC 3515); it tells by :class:`Referred`."""
        dialog = self._state.dialogs[call]

        def done(response: Response | None, _now: float) -> None:
            if response is None or response.status >= 300:  # else a NOTIFY tells
                self._state.do(Referred(call, 408 if response is None else response.status))

        request = dialog.request("REFER", (("Refer-To", f"<{target}>"), ("Referred-By", _own_address(dialog))))
        self._state.transactions.request(request, dialog.path, now, done)
        return self._state.take()

    def invite(self, target: str, path: Path, here: Endpoint, now: float, *, caller: str = "") -> str:
        """Place a call; its actions come with the next :meth:`take`.

        Parameters
        ----------
        target : str
            Whom: a ``sip:`` URI.
        path : Path
            The way there.
        here : tuple of (str, int)
            Where this end takes its RTP.
        now : float
            Monotonic seconds.
        caller : str
            The name before the ``@`` of From.

        Returns
        -------
        str
            The call.
        """
        return self._outbound.invite(target, path, here, now, caller or "realtime-nb")

    def take(self) -> list[Action]:
        """What is to be done and was not taken yet."""
        return self._state.take()


def _own_address(dialog: Dialog) -> str:
    """Give this end's address without its tag."""
    return f"<{parse_address(dialog.local).uri}>"


def _way_back(request: Request, path: Path) -> Path:
    """Where answers go: to the source, but to the port of the Via where it does not ask for the source's (RFC 3581)."""
    via = parse_via(request.headers.get("Via"))
    if path.reliable or "rport" in via.params:
        return path
    return Path(path.transport, (path.peer[0], via.port or 5060), path.local)
