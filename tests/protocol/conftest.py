"""A client and a server in memory, with time and stages in the test's hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from realtime_nb.protocol.client import ClientConnection
from realtime_nb.protocol.effects import Effect, Report, Send
from realtime_nb.protocol.events import ClientEvent, ConversationItemCreate, ErrorDetail, ServerEvent, encode
from realtime_nb.protocol.ids import CountingIds
from realtime_nb.protocol.items import InputText, Message
from realtime_nb.protocol.limits import Limits, RateLimiter
from realtime_nb.protocol.server import ServerConnection
from realtime_nb.protocol.session_config import AnySession, Session

NO_END = Limits(session_s=None, idle_s=None)


class Wire:
    """Both ends of a connection: what the server sends, the client folds; what else it asks for is kept."""

    def __init__(
        self,
        session: AnySession | None = None,
        *,
        limits: Limits = NO_END,
        rate: RateLimiter | None = None,
        count: Callable[[str], int] = lambda text: len(text.split()),
    ) -> None:
        self.server = ServerConnection(
            session or Session(), ids=CountingIds(), limits=limits, count=count, rate=rate, brain="stub"
        )
        self.client = ClientConnection(CountingIds("c"))
        self.now = 0.0
        self.log: list[ServerEvent] = []
        self.asked: list[Effect] = []
        self._take(self.server.open(0.0))

    def _take(self, effects: list[Effect]) -> list[ServerEvent]:
        events = [self.client.receive(encode(e.event)) for e in effects if isinstance(e, Send)]
        self.log += events
        self.asked += [e for e in effects if not isinstance(e, Send)]
        return events

    def send(self, *events: ClientEvent) -> list[ServerEvent]:
        """Send as the client does."""
        return [got for event in events for got in self.raw(self.client.send(event))]

    def raw(self, frame: str | bytes) -> list[ServerEvent]:
        """Send a frame that the client would not."""
        return self._take(self.server.receive(frame, self.now))

    def report(self, *reports: Report) -> list[ServerEvent]:
        """Report as the stages do."""
        return [got for report in reports for got in self._take(self.server.report(report, self.now))]

    def wait(self, seconds: float) -> list[ServerEvent]:
        """Let time pass."""
        self.now += seconds
        return self._take(self.server.tick(self.now))

    def say(self, text: str, **fields: Any) -> list[ServerEvent]:
        """Put a user's written message in."""
        item = Message(role="user", content=(InputText(text=text),), **fields)
        return self.send(ConversationItemCreate(item=item))

    def last(self, kind: type[Any]) -> Any:
        """The newest effect or event of a kind."""
        return next(each for each in reversed([*self.log, *self.asked]) if isinstance(each, kind))

    def error(self, frame: str | bytes) -> ErrorDetail:
        """Send a frame that is refused, and give the one error it is answered with."""
        (event,) = self.raw(frame)
        return event.error  # type: ignore[union-attr, no-any-return] -- the test fails here if it is no error


def names(events: list[ServerEvent]) -> list[str]:
    """The types of events, in order."""
    return [str(event.__struct_config__.tag) for event in events]


@pytest.fixture
def make_wire() -> Callable[..., Wire]:
    """Make a connection with settings of its own."""
    return Wire


@pytest.fixture
def wire() -> Wire:
    """A connection with default settings and no limit in time."""
    return Wire()


@pytest.fixture
def types() -> Callable[[list[ServerEvent]], list[str]]:
    """Give the types of events, in order."""
    return names
