"""What both halves of an agent write on: the calls, the transactions, and what is to be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .dialog import Dialog
from .message import Request, Response
from .path import Action, Ended, Send
from .transactions import Transactions, stamped

__all__ = ["State", "whatever"]


class State:
    """The shared part of an agent.

    Parameters
    ----------
    token, name : callable
        Name things, and incoming calls.
    calls : int
        At once.
    ring_s : float
        How long one may ring.
    """

    def __init__(self, token: Callable[[], str], name: Callable[[], str], calls: int, ring_s: float) -> None:
        self.token = token
        self.name = name
        self.most_calls = calls
        self.ring_s = ring_s
        self.dialogs: dict[str, Dialog] = {}
        self.transactions = Transactions(self.do, token)
        self._actions: list[Action] = []

    def do(self, action: Action) -> None:
        """Add to what is to be done."""
        self._actions.append(action)

    def take(self) -> list[Action]:
        """What is to be done; once."""
        taken, self._actions = self._actions, []
        return taken

    def find(self, request: Request, tag: str) -> Dialog | None:
        """The call that a request is about; `tag` is that of its To."""
        found = (dialog for dialog in self.dialogs.values() if dialog.call_id == request.call_id)
        return next((dialog for dialog in found if dialog.local_tag == tag), None)

    def waiting(self) -> list[Dialog]:
        """Calls that nobody has taken yet."""
        return [dialog for dialog in self.dialogs.values() if dialog.state in {"ringing", "inviting"}]

    def on_connection(self, connection: int) -> Iterator[Dialog]:
        """Calls whose messages go over a TCP connection."""
        return iter([one for one in self.dialogs.values() if one.path.connection == connection and connection])

    def bye(self, dialog: Dialog, now: float) -> None:
        """Tell the other end that it is over."""
        self.transactions.request(dialog.request("BYE"), dialog.path, now, whatever)

    def end(self, dialog: Dialog, ended: Ended) -> None:
        """Forget a call."""
        if self.dialogs.pop(dialog.name, None) is not None:
            dialog.state = "over"
            self.do(ended)

    def send_ack(self, dialog: Dialog) -> None:
        """Tell the other end that its 200 has come; again whenever it comes again."""
        if not dialog.ack:
            request = dialog.request("ACK")
            dialog.ack = stamped(request, dialog.path, f"z9hG4bK{self.token()}").encode()
        self.do(Send(dialog.ack, dialog.path))


def whatever(_response: Response | None, _now: float) -> None:
    """Take an answer that changes nothing: the call is over in any case."""
