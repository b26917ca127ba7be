"""A call as both ends know it (RFC 3261, 12): its names, its numbers, its way, its two descriptions of sound."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from realtime_nb.wire.sdp import Media, Offer, SdpError, read_answer, read_offer, write_offer

from .grammar import PORT, parse_address, parse_uri
from .message import Headers, Request, Response, SipError
from .path import Endpoint, Path
from .transactions import ServerTransaction

__all__ = ["ALLOW", "SDP", "Dialog"]

ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, NOTIFY"
SDP = "application/sdp"


@dataclass
class Dialog:
    """A call.

    Parameters
    ----------
    name : str
        This end's own name for it.
    call_id : str
        The Call-ID.
    local, remote : str
        From and To as this end sends them, with their tags.
    local_tag : str
        This end's.
    path : Path
        Between whom.
    target : str
        The other end's Contact: whom requests are for.
    state : str
        ``ringing`` and ``inviting`` before it is taken, by this or the other end; then ``up``; at last ``over``.
    """

    name: str
    call_id: str
    local: str
    remote: str
    local_tag: str
    path: Path
    target: str
    state: Literal["ringing", "inviting", "up", "over"]
    gives_up_at: float
    route: tuple[str, ...] = ()
    local_seq: int = 1
    remote_seq: int = 0
    invite: ServerTransaction | None = None
    """The INVITE that is not acknowledged yet."""
    branch: str = ""
    """Of the INVITE that this end sent."""
    ack: bytes = b""
    hung_up: bool = False
    here: Endpoint = ("", 0)
    """Where this end takes RTP."""
    version: int = 0
    expects_answer: bool = False
    remote_media: Media | None = None

    @classmethod
    def invited(cls, name: str, tag: str, transaction: ServerTransaction, gives_up_at: float) -> Dialog:
        """Begin one by an INVITE that came."""
        request = transaction.request
        to = request.headers.get("To")
        return cls(
            name=name,
            call_id=request.call_id,
            local=f"{to};tag={tag}",
            remote=request.headers.get("From"),
            local_tag=tag,
            path=transaction.path,
            target=parse_address(request.headers.get("Contact")).uri or parse_address(request.headers.get("From")).uri,
            state="ringing",
            gives_up_at=gives_up_at,
            route=request.headers.all("Record-Route"),
            remote_seq=request.cseq[0],
            invite=transaction,
        )

    def move(self) -> None:
        """Have no connection any more: the next request goes by a new one, to where the other end is reached."""
        hop = parse_address(self.route[0]).uri if self.route else self.target
        with suppress(SipError, ValueError):
            uri = parse_uri(hop)
            peer = (str(ipaddress.ip_address(uri.host)), uri.port or PORT)
            self.path = replace(self.path, peer=peer, connection=0)

    # ------------------------------------------------------------ requests of this end
    def request(self, method: str, fields: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Request:
        """Make the next request of this call; without Via."""
        if method not in {"ACK", "CANCEL"}:
            self.local_seq += 1
        head = (
            *(("Route", hop) for hop in self.route),
            ("Max-Forwards", "70"),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self.local_seq} {method}"),
            ("Contact", self.path.contact),
        )
        return Request(method, self.target, headers=Headers((*head, *fields)), body=body)

    def joined(self, response: Response) -> None:
        """Take over what the answer to this end's INVITE tells."""
        self.remote = response.headers.get("To")
        self.target = parse_address(response.headers.get("Contact")).uri or self.target
        self.route = tuple(reversed(response.headers.all("Record-Route")))

    # ------------------------------------------------------------ descriptions of sound
    def offer(self) -> bytes:
        """Describe this end first."""
        self.version += 1
        self.expects_answer = True
        return write_offer(*self.here, version=self.version)

    def answer(self, offer: Offer) -> bytes:
        """Describe this end in answer to the other."""
        self.version += 1
        self.remote_media = offer.media
        return offer.answer(*self.here, version=self.version)[0]

    def describe(self, body: bytes) -> bytes:
        """Answer the offer of a request, or make one where it brings none.

        Raises
        ------
        SdpError
            When it offers nothing that can be spoken; what was agreed before holds on.
        """
        return self.answer(read_offer(body)) if body.strip() else self.offer()

    def take_answer(self, body: bytes) -> Media:
        """Take the answer to this end's offer.

        Raises
        ------
        SdpError
            When it is none.
        """
        if not self.expects_answer:
            raise SdpError("nothing was offered")
        self.expects_answer = False
        self.remote_media = read_answer(body)
        return self.remote_media
