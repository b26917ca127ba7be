"""Calls that this end places (RFC 3261, 13.2 and 9.1): one way, no forks, no passwords."""

from __future__ import annotations

from realtime_nb.wire.sdp import SdpError

from .dialog import ALLOW, SDP, Dialog
from .grammar import parse_uri
from .message import Headers, Request, Response
from .path import Answered, Ended, Endpoint, Path, Ringing, Updated, hostport
from .state import State, whatever

__all__ = ["Outbound"]

TERMINATED = 487


class Outbound:
    """The half of an agent that asks.

    Parameters
    ----------
    state : State
        What it writes on.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def invite(self, target: str, path: Path, here: Endpoint, now: float, caller: str) -> str:
        """Place a call; gives its name."""
        parse_uri(target)
        state = self._state
        tag = state.token()
        dialog = Dialog(
            name=state.name(),
            call_id=f"{state.token()}@{path.local[0]}",
            local=f"<sip:{caller}@{hostport(path.local)}>;tag={tag}",
            remote=f"<{target}>",
            local_tag=tag,
            path=path,
            target=target,
            state="inviting",
            gives_up_at=now + state.ring_s,
            local_seq=0,
            here=here,
        )
        state.dialogs[dialog.name] = dialog
        request = dialog.request("INVITE", (("Allow", ALLOW), ("Content-Type", SDP)), dialog.offer())
        dialog.branch = state.transactions.request(
            request, path, now, lambda response, at: self._answered(dialog, response, at)
        )
        return dialog.name

    def cancel(self, dialog: Dialog, now: float) -> None:
        """Give up a call that was not taken yet; it is over at once, whatever still comes."""
        dialog.hung_up = True
        sent = self._state.transactions.sent(dialog.branch)
        if sent is not None:
            kept = [field for field in sent.headers if field[0] in {"From", "To", "Call-ID", "Route", "Max-Forwards"}]
            headers = Headers((*kept, ("CSeq", f"{sent.cseq[0]} CANCEL")))
            request = Request("CANCEL", sent.uri, headers=headers)
            self._state.transactions.request(request, dialog.path, now, whatever, branch=dialog.branch)
        self._state.end(dialog, Ended(dialog.name, "local", TERMINATED))

    def _answered(self, dialog: Dialog, response: Response | None, now: float) -> None:
        if response is None:
            self._state.end(dialog, Ended(dialog.name, "unreachable", 408))
        elif response.status < 200:
            if response.status > 100 and not dialog.hung_up:
                self._state.do(Ringing(dialog.name))
        elif response.status < 300:
            self._taken(dialog, response, now)
        elif dialog.state == "inviting":
            self._state.end(dialog, Ended(dialog.name, "rejected", response.status))

    def _taken(self, dialog: Dialog, response: Response, now: float) -> None:
        """The other end took it; the 200 may come again, and be too late."""
        if dialog.ack:
            self._state.send_ack(dialog)
            return
        dialog.joined(response)
        self._state.send_ack(dialog)
        if dialog.hung_up:
            self._state.bye(dialog, now)
            return
        try:
            media = dialog.take_answer(response.body)
        except SdpError:
            self._state.bye(dialog, now)
            self._state.end(dialog, Ended(dialog.name, "rejected", 488))
            return
        dialog.state = "up"
        self._state.do(Answered(dialog.name))
        self._state.do(Updated(dialog.name, media))
