"""Requests that come, by method (RFC 3261, 8.2, 12.2.2, 13.3, 15.1.2)."""

from __future__ import annotations

import re
from collections.abc import Callable

from realtime_nb.wire.rtp.keys import KEYS
from realtime_nb.wire.sdp import SdpError, read_offer

from .dialog import ALLOW, SDP, Dialog
from .grammar import parse_address, parse_uri
from .message import Headers, Request, SipError
from .path import Confirmed, Ended, Endpoint, Invited, Keyed, Path, Referred, Updated
from .state import State
from .transactions import ServerTransaction

__all__ = ["Inbound"]

_KNOWN_ELSEWHERE = {"REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "REFER", "PRACK"}
_KEY = re.compile(rb"(?:^|\n)\s*(?:Signal\s*=)?\s*([0-9A-Da-d*#])\s*(?:\r|\n|$)", re.IGNORECASE)
_FRAGMENT = re.compile(rb"SIP/2\.0 ([1-6]\d\d)")
_KEY_TYPES = {"application/dtmf-relay", "application/dtmf"}
_COMMON = (("Allow", ALLOW), ("Accept", SDP))
_ABILITIES = Headers(_COMMON)
_BUSY_FOR = Headers((("Retry-After", "5"),))

Handler = Callable[[ServerTransaction, Dialog, float], None]


class Inbound:
    """The half of an agent that is asked.

    Parameters
    ----------
    state : State
        What it writes on.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._within: dict[str, Handler] = {
            "INVITE": self._again,
            "UPDATE": self._update,
            "BYE": self._bye,
            "INFO": self._info,
            "NOTIFY": self._notify,
            "OPTIONS": self._options_within,
        }

    def take(self, request: Request, path: Path, now: float) -> None:
        """Take a request."""
        if request.method == "ACK":
            self._ack(request, now)
            return
        transaction = self._state.transactions.incoming(request, path, now)
        if transaction is None:
            return
        try:
            self._check(request)
            self._route(transaction, now)
        except SipError as fault:
            self._respond(transaction, fault.status, now)
        except SdpError:
            self._respond(transaction, 488, now)

    def _respond(
        self, transaction: ServerTransaction, status: int, now: float, fields: Headers = _ABILITIES, body: bytes = b""
    ) -> None:
        tag = self._state.token()
        self._state.transactions.respond(transaction, status, tag, now, fields=fields, body=body)

    def _check(self, request: Request) -> None:
        if request.fault is not None:
            raise request.fault
        scheme = request.uri.partition(":")[0].lower()
        if scheme != "tel":
            parse_uri(request.uri)

    def _route(self, transaction: ServerTransaction, now: float) -> None:
        """To the method's handler, in or outside of a call."""
        request = transaction.request
        tag = parse_address(request.headers.get("To")).tag
        if request.method == "CANCEL":
            self._cancel(transaction, now)
        elif tag:
            self._route_within(transaction, tag, now)
        elif request.method == "INVITE":
            self._invite(transaction, now)
        elif request.method == "OPTIONS":
            self._respond(transaction, 200, now)
        else:
            inside = request.method in self._within
            self._respond(transaction, 481 if inside else 405 if request.method in _KNOWN_ELSEWHERE else 501, now)

    def _route_within(self, transaction: ServerTransaction, tag: str, now: float) -> None:
        request = transaction.request
        dialog = self._state.find(request, tag)
        handler = self._within.get(request.method)
        if dialog is None or dialog.state in {"ringing", "inviting"}:
            self._respond(transaction, 481, now)
        elif handler is None:
            self._respond(transaction, 405 if request.method in _KNOWN_ELSEWHERE else 501, now)
        elif request.cseq[0] <= dialog.remote_seq:
            self._respond(transaction, 500, now)
        else:
            dialog.remote_seq = request.cseq[0]
            dialog.path = transaction.path
            handler(transaction, dialog, now)

    # ------------------------------------------------------------ a new call
    def _invite(self, transaction: ServerTransaction, now: float) -> None:
        request, state = transaction.request, self._state
        if state.transactions.has_twin(request):
            raise SipError("the same call by another way", 482)
        self._check_call(transaction, now)
        if transaction.status:
            return
        offer = read_offer(request.body) if request.body.strip() else None
        if len(state.dialogs) >= state.most_calls:
            self._respond(transaction, 503, now, _BUSY_FOR)
            return
        dialog = Dialog.invited(state.name(), state.token(), transaction, now + state.ring_s)
        transaction.unacknowledged = lambda at: self._unacknowledged(dialog, at)
        state.dialogs[dialog.name] = dialog
        state.transactions.respond(transaction, 100, "", now)
        state.do(Invited(dialog.name, request, offer, transaction.path))

    def _check_call(self, transaction: ServerTransaction, now: float) -> None:
        """What a call may ask for: no extensions, and SDP if anything."""
        headers = transaction.request.headers
        if required := headers.all("Require"):
            self._respond(transaction, 420, now, Headers((("Unsupported", ", ".join(required)),)))
        elif transaction.request.body.strip() and _content_type(headers) != SDP:
            self._respond(transaction, 415, now)

    def progress(self, dialog: Dialog, status: int, now: float) -> None:
        """Say how far a call is."""
        if dialog.state == "ringing" and dialog.invite is not None:
            fields = Headers((("Contact", dialog.path.contact),))
            self._state.transactions.respond(dialog.invite, status, dialog.local_tag, now, fields=fields)

    def accept(self, dialog: Dialog, here: Endpoint, now: float) -> None:
        """Take a call."""
        if dialog.state != "ringing" or dialog.invite is None:
            return
        dialog.here = here
        dialog.state = "up"
        self._describe(dialog, dialog.invite, now, records=True)

    def reject(self, dialog: Dialog, status: int, now: float) -> None:
        """Refuse a call."""
        if dialog.invite is not None:
            self._state.transactions.respond(dialog.invite, status, dialog.local_tag, now)
        self._state.end(dialog, Ended(dialog.name, "unanswered" if status == 480 else "rejected", status))

    def _cancel(self, transaction: ServerTransaction, now: float) -> None:
        invite = self._state.transactions.invite_of(transaction.request)
        if invite is None:
            self._respond(transaction, 481, now)
            return
        self._respond(transaction, 200, now)
        dialog = next((one for one in self._state.waiting() if one.invite is invite), None)
        if dialog is not None:
            self._state.transactions.respond(invite, 487, dialog.local_tag, now)
            self._state.end(dialog, Ended(dialog.name, "cancelled", 487))

    # ------------------------------------------------------------ within a call
    def _describe(self, dialog: Dialog, transaction: ServerTransaction, now: float, *, records: bool = False) -> None:
        """Answer with this end's description, and tell about the other's."""
        request = transaction.request
        body = dialog.describe(request.body)
        kept = [("Record-Route", hop) for hop in request.headers.all("Record-Route")] if records else []
        fields = Headers((*kept, ("Contact", dialog.path.contact), *_COMMON, ("Content-Type", SDP)))
        self._state.transactions.respond(transaction, 200, dialog.local_tag, now, fields=fields, body=body)
        if dialog.remote_media is not None and not dialog.expects_answer:
            self._state.do(Updated(dialog.name, dialog.remote_media))

    def _again(self, transaction: ServerTransaction, dialog: Dialog, now: float) -> None:
        """An INVITE within a call: hold, another place, a mere refreshing."""
        if dialog.invite is not None and not dialog.invite.acknowledged:
            self._respond(transaction, 491, now)
            return
        self._state.transactions.respond(transaction, 100, "", now)
        self._retarget(transaction.request, dialog)
        self._describe(dialog, transaction, now)
        dialog.invite = transaction
        transaction.unacknowledged = lambda at: self._unacknowledged(dialog, at)

    def _update(self, transaction: ServerTransaction, dialog: Dialog, now: float) -> None:
        self._retarget(transaction.request, dialog)
        if transaction.request.body.strip():
            self._describe(dialog, transaction, now)
        else:
            self._respond(transaction, 200, now)

    def _retarget(self, request: Request, dialog: Dialog) -> None:
        if "Contact" in request.headers:
            dialog.target = parse_address(request.headers.get("Contact")).uri

    def _bye(self, transaction: ServerTransaction, dialog: Dialog, now: float) -> None:
        self._respond(transaction, 200, now)
        if dialog.invite is not None:
            self._state.transactions.acknowledge(dialog.invite, now)  # who hangs up has had the 200
        self._state.end(dialog, Ended(dialog.name, "hangup"))

    def _info(self, transaction: ServerTransaction, dialog: Dialog, now: float) -> None:
        request = transaction.request
        if request.body.strip() and _content_type(request.headers) not in _KEY_TYPES:
            self._respond(transaction, 415, now, Headers((("Accept", ", ".join(sorted(_KEY_TYPES))),)))
            return
        self._respond(transaction, 200, now)
        if (key := _KEY.search(request.body)) is not None and (name := key[1].decode().upper()) in KEYS:
            self._state.do(Keyed(dialog.name, name))

    def _notify(self, transaction: ServerTransaction, dialog: Dialog, now: float) -> None:
        self._respond(transaction, 200, now)
        if (status := _FRAGMENT.search(transaction.request.body)) is not None:
            self._state.do(Referred(dialog.name, int(status[1])))

    def _options_within(self, transaction: ServerTransaction, _dialog: Dialog, now: float) -> None:
        self._respond(transaction, 200, now)

    # ------------------------------------------------------------ acknowledgements
    def _ack(self, request: Request, now: float) -> None:
        transactions = self._state.transactions
        refused = transactions.invite_of(request)
        if refused is not None and refused.status >= 300:
            transactions.acknowledge(refused, now)
            return
        dialog = self._state.find(request, parse_address(request.headers.get("To")).tag)
        if dialog is None or dialog.invite is None or dialog.invite.acknowledged:
            return
        if request.cseq[0] != dialog.invite.request.cseq[0] or not dialog.invite.status:
            return
        transactions.acknowledge(dialog.invite, now)
        self._confirmed(dialog, request.body, now)

    def _confirmed(self, dialog: Dialog, body: bytes, now: float) -> None:
        """The caller knows; where this end made the offer, the answer is here."""
        if dialog.expects_answer:
            try:
                self._state.do(Updated(dialog.name, dialog.take_answer(body)))
            except SdpError:
                self._state.bye(dialog, now)
                self._state.end(dialog, Ended(dialog.name, "rejected", 488))
                return
        self._state.do(Confirmed(dialog.name))

    def _unacknowledged(self, dialog: Dialog, now: float) -> None:
        if dialog.state == "up":
            self._state.bye(dialog, now)
            self._state.end(dialog, Ended(dialog.name, "unreachable"))


def _content_type(headers: Headers) -> str:
    return headers.get("Content-Type").partition(";")[0].strip().lower()
