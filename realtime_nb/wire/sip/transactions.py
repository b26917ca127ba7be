"""Requests and their responses, each delivered although datagrams get lost (RFC 3261, 17; RFC 6026)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from .grammar import parse_via
from .message import Headers, Request, Response, SipError
from .path import Path, Send, hostport

__all__ = ["GIVE_UP_S", "ServerTransaction", "Transactions"]

T1_S, T2_S, T4_S = 0.5, 4.0, 5.0
"""Round trip assumed, longest pause between repetitions, longest life of a message in the network."""
GIVE_UP_S = 64 * T1_S
RINGS_S = 300.0
"""How long a call may ring with the other end still expected to answer."""
NEVER = float("inf")
COOKIE = "z9hG4bK"
NOTHING = Headers()
MAX_SERVERS = 4_096
"""Requests remembered; further ones are not taken until some have been forgotten."""

Done = Callable[[Response | None, float], None]
"""Gets each response; None when no final one comes."""


@dataclass
class _Repeated:
    """A message that is sent again and again until something stops it."""

    data: bytes
    path: Path
    at: float
    ends_at: float
    pause_s: float = T1_S
    cap_s: float = T2_S
    settled: bool = False

    def due(self, now: float) -> bool:
        if now < self.at:
            return False
        self.pause_s = min(2 * self.pause_s, self.cap_s)
        self.at = now + self.pause_s
        return True


@dataclass
class ServerTransaction:
    """A request that came, and what it was answered with.

    Parameters
    ----------
    request : Request
        As it came.
    path : Path
        The way back.
    identity : tuple of (str, str, str)
        What stays the same when it comes by another way, too.
    """

    request: Request
    path: Path
    identity: tuple[str, str, str]
    status: int = 0
    data: bytes = b""
    repeated: _Repeated | None = None
    ends_at: float | None = None
    acknowledged: bool = False
    unacknowledged: Callable[[float], None] | None = None


class Transactions:
    """All transactions of one agent.

    Parameters
    ----------
    send : callable
        Takes what is to be sent.
    token : callable
        Gives text nobody can guess.
    """

    def __init__(self, send: Callable[[Send], None], token: Callable[[], str]) -> None:
        self._send = send
        self._token = token
        self._servers: dict[str, ServerTransaction] = {}
        self._clients: dict[tuple[str, str], tuple[_Repeated, Request, Done]] = {}

    def __len__(self) -> int:
        return len(self._servers) + len(self._clients)

    @property
    def asks(self) -> bool:
        """Whether any request that was sent is without its final answer."""
        return any(not repeated.settled for repeated, _, _ in self._clients.values())

    # ------------------------------------------------------------ what comes
    def incoming(self, request: Request, path: Path, now: float) -> ServerTransaction | None:
        """Take a request.

        Parameters
        ----------
        request : Request
            Any but ACK.
        path : Path
            Where it came from.
        now : float
            Monotonic seconds.

        Returns
        -------
        ServerTransaction or None
            None for one that is known already, and was answered as before.
        """
        key = _key(request, request.method)
        known = self._servers.get(key)
        if known is None and len(self._servers) < MAX_SERVERS:
            new = self._servers[key] = ServerTransaction(request, path, _identity(request))
            new.ends_at = None if request.method == "INVITE" else now + GIVE_UP_S
            return new
        if known is not None and known.data and not known.acknowledged:
            self._send(Send(known.data, known.path))
        return None

    def invite_of(self, request: Request) -> ServerTransaction | None:
        """The INVITE that a CANCEL or an ACK means; None when there is none."""
        return self._servers.get(_key(request, "INVITE"))

    def forget(self, transaction: ServerTransaction) -> None:
        """Answer a request no more: nobody is there to be answered."""
        self._servers.pop(_key(transaction.request, transaction.request.method), None)

    def has_twin(self, request: Request) -> bool:
        """Whether this very request came before by another way (RFC 3261, 8.2.2.2)."""
        mine = _identity(request)
        return any(known.identity == mine and known.request is not request for known in self._servers.values())

    def acknowledge(self, transaction: ServerTransaction, now: float) -> None:
        """The caller has the final answer: stop repeating it."""
        transaction.acknowledged = True
        transaction.repeated = None
        if transaction.status >= 300:
            transaction.ends_at = now + (0.0 if transaction.path.reliable else T4_S)

    # ------------------------------------------------------------ answering
    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        tag: str,
        now: float,
        *,
        fields: Headers = NOTHING,
        body: bytes = b"",
    ) -> None:
        """Answer a request; a final answer to an INVITE is repeated until it is acknowledged.

        Parameters
        ----------
        transaction : ServerTransaction
            Not answered finally yet.
        status : int
            100 to 699.
        tag : str
            This end's, for the To of whatever is more than 100.
        now : float
            Monotonic seconds.
        fields : Headers
            Further ones.
        body : bytes
            What it carries.
        """
        request, path = transaction.request, transaction.path
        response = Response(status, headers=_answering(request, path, "" if status == 100 else tag, fields), body=body)
        transaction.status, transaction.data = status, response.encode()
        self._send(Send(transaction.data, path))
        if status < 200 or request.method != "INVITE":
            return
        transaction.ends_at = now + GIVE_UP_S
        if status < 300 or not path.reliable:
            transaction.repeated = _Repeated(transaction.data, path, now + T1_S, transaction.ends_at)

    # ------------------------------------------------------------ asking
    def request(self, request: Request, path: Path, now: float, done: Done, *, branch: str = "") -> str:
        """Send a request until it is answered.

        Parameters
        ----------
        request : Request
            Without Via.
        path : Path
            The way.
        now : float
            Monotonic seconds.
        done : callable
            Gets every response; None when no final one has come in 32 s, or 5 min where it rings.
        branch : str
            Of the INVITE, for its CANCEL; by default a new one.

        Returns
        -------
        str
            The branch.
        """
        branch = branch or f"{COOKIE}{self._token()}"
        sent = stamped(request, path, branch)
        data = sent.encode()
        self._send(Send(data, path))
        at = now + (GIVE_UP_S if path.reliable else T1_S)
        cap = GIVE_UP_S if request.method == "INVITE" else T2_S
        self._clients[branch, request.method] = (_Repeated(data, path, at, now + GIVE_UP_S, cap_s=cap), sent, done)
        return branch

    def answered(self, response: Response, now: float) -> None:
        """Take a response; one to nothing that was asked is ignored."""
        try:
            key = parse_via(response.headers.get("Via")).branch, response.cseq[1]
        except SipError:
            return
        if (client := self._clients.get(key)) is None:
            return
        repeated, sent, done = client
        if sent.method != "INVITE":
            if response.status >= 200:
                del self._clients[key]
        else:
            self._keep(repeated, response, now)
            if response.status >= 300:
                self._send(Send(_acknowledgement(sent, response).encode(), repeated.path))
        done(response, now)

    def _keep(self, invite: _Repeated, response: Response, now: float) -> None:
        """An INVITE that was heard is not sent again, and forgotten when no answer to it can come any more."""
        if response.status >= 200:
            invite.at, invite.ends_at, invite.settled = NEVER, now + GIVE_UP_S, True
        elif not invite.settled:
            invite.at, invite.ends_at = NEVER, now + RINGS_S

    def sent(self, branch: str) -> Request | None:
        """The INVITE of a branch, as it was sent; None when it is over."""
        client = self._clients.get((branch, "INVITE"))
        return client[1] if client is not None else None

    # ------------------------------------------------------------ time
    def tick(self, now: float) -> None:
        """Repeat what is due, and give up what is hopeless."""
        for key, server in list(self._servers.items()):
            self._tick_server(key, server, now)
        for name, (repeated, _, done) in list(self._clients.items()):
            if now >= repeated.ends_at:
                del self._clients[name]
                if not repeated.settled:  # else it was answered, and its answer cannot be sent again any more
                    done(None, now)
            elif repeated.due(now):
                self._send(Send(repeated.data, repeated.path))

    def _tick_server(self, key: str, server: ServerTransaction, now: float) -> None:
        if server.ends_at is not None and now >= server.ends_at:
            del self._servers[key]
            if server.repeated is not None and server.unacknowledged is not None:
                server.unacknowledged(now)
        elif server.repeated is not None and server.repeated.due(now):
            self._send(Send(server.data, server.path))

    def deadline(self) -> float | None:
        """When :meth:`tick` is wanted next: monotonic seconds, None for never."""
        times = [server.ends_at for server in self._servers.values() if server.ends_at is not None]
        times += [server.repeated.at for server in self._servers.values() if server.repeated is not None]
        times += [min(repeated.at, repeated.ends_at) for repeated, _, _ in self._clients.values()]
        return min(times, default=None)


def stamped(request: Request, path: Path, branch: str) -> Request:
    """Give a request its Via.

    Parameters
    ----------
    request : Request
        Without Via.
    path : Path
        Its way.
    branch : str
        Its transaction.

    Returns
    -------
    Request
        As it is sent.
    """
    via = f"SIP/2.0/{path.transport.upper()} {hostport(path.local)};branch={branch};rport"
    return replace(request, headers=Headers((("Via", via), *request.headers)))


def _key(request: Request, method: str) -> str:
    """What names a request's transaction (RFC 3261, 17.2.3; the second for senders of RFC 2543)."""
    value = request.headers.get("Via")
    via = parse_via(value)
    if via.branch.startswith(COOKIE):
        return f"{method} {via.branch} {via.host}:{via.port}".lower()
    return f"{method} {request.call_id} {request.cseq[0]} {request.headers.get('From')} {value}"


def _identity(request: Request) -> tuple[str, str, str]:
    return request.call_id, request.headers.get("CSeq"), request.headers.get("From")


def _answering(request: Request, path: Path, tag: str, fields: Headers) -> Headers:
    """What an answer repeats of its request (RFC 3261, 8.2.6.2), the Via told where it came from (RFC 3581)."""
    first, *others = request.headers.all("Via")
    to = request.headers.get("To")
    named = f"{to};tag={tag}" if tag and ";tag=" not in to.replace(" ", "").lower() else to
    seen = first.replace(";rport", f";rport={path.peer[1]}", 1) if ";rport=" not in first else first
    head = [("Via", f"{seen};received={path.peer[0]}"), *(("Via", via) for via in others)]
    head += [("From", request.headers.get("From")), ("To", named), ("Call-ID", request.call_id)]
    return Headers((*head, ("CSeq", request.headers.get("CSeq")), *fields))


def _acknowledgement(invite: Request, response: Response) -> Request:
    """The ACK of a refusal, in the INVITE's own transaction (RFC 3261, 17.1.1.3)."""
    kept = {"Via", "From", "Call-ID", "Route", "Max-Forwards"}
    fields = [(name, value) for name, value in invite.headers if name in kept]
    number = invite.cseq[0]
    return Request(
        "ACK", invite.uri, headers=Headers((*fields, ("To", response.headers.get("To")), ("CSeq", f"{number} ACK")))
    )
