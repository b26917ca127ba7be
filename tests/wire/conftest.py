from __future__ import annotations

import itertools
from typing import Any

import pytest

from realtime_nb.wire.sip import path as sip
from realtime_nb.wire.sip.agent import Agent
from realtime_nb.wire.sip.message import Request, Response, decode

HERE, THERE = ("127.0.0.1", 5060), ("127.0.0.1", 5099)

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)


class Caller:
    """A telephone made of text, before an agent under test."""

    def __init__(self, transport: str = "udp", **options: Any) -> None:
        count = itertools.count(1)
        self.agent = Agent(lambda: f"t{next(count)}", name=lambda: f"call{next(count)}", **options)
        self.path = sip.Path(transport, THERE, HERE, 0 if transport == "udp" else 1)  # type: ignore[arg-type]
        self.now = 0.0
        self.sent: list[Request | Response] = []
        self.told: list[sip.Action] = []
        self.raw: list[bytes] = []
        self._branches = count

    # ---------------------------------------------------------------- what it sends
    def text(
        self,
        method: str = "INVITE",
        *,
        branch: str = "z9hG4bK1",
        call_id: str = "1@there",
        cseq: int = 1,
        to_tag: str = "",
        uri: str = "sip:bob@127.0.0.1",
        body: str = "",
        type: str = "application/sdp",
        extra: tuple[str, ...] = (),
    ) -> bytes:
        """A request."""
        tag = f";tag={to_tag}" if to_tag else ""
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self.path.transport.upper()} 127.0.0.1:5099;branch={branch};rport",
            "Max-Forwards: 70",
            "From: Alice <sip:alice@127.0.0.1>;tag=a1",
            f"To: <{uri}>{tag}",
            f"Call-ID: {call_id}",
            f"CSeq: {cseq} {method}",
            "Contact: <sip:alice@127.0.0.1:5099>",
            *extra,
        ]
        if body:
            lines.append(f"Content-Type: {type}")
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()

    def send(self, data: bytes) -> list[Request | Response]:
        """What the agent sends in answer."""
        return self.note(self.agent.receive(data, self.path, self.now))

    def note(self, actions: list[sip.Action]) -> list[Request | Response]:
        """Keep what the agent does; gives what it sends."""
        fresh = []
        for action in actions:
            if isinstance(action, sip.Send):
                self.raw.append(action.data)
                fresh.append(decode(action.data))
            else:
                self.told.append(action)
        self.sent += fresh
        return fresh

    def pass_time(self, seconds: float) -> list[Request | Response]:
        """Let time pass, stopping at each deadline on the way."""
        until, found = self.now + seconds, []
        while (at := self.agent.deadline()) is not None and at <= until:
            self.now = max(at, self.now)
            found += self.note(self.agent.tick(self.now))
        self.now = until
        return found

    # ---------------------------------------------------------------- a whole call
    def call(self, **given: Any) -> str:
        """Call, and be let ring; gives the agent's name for it."""
        self.send(self.text(body=SDP, **given))
        name = self.of(sip.Invited)[-1].call
        self.note(self.agent.ring(name, self.now))
        return name

    def talk(self, **given: Any) -> str:
        """Call, be answered, and acknowledge."""
        name = self.call(**given)
        self.note(self.agent.accept(name, "127.0.0.1", 41_000, self.now))
        self.ack()
        return name

    def ack(self, cseq: int = 1, body: str = "") -> None:
        """Acknowledge an INVITE."""
        self.send(self.text("ACK", branch=f"z9hG4bKack{cseq}", cseq=cseq, to_tag=self.tag, body=body))

    @property
    def tag(self) -> str:
        """The agent's, out of its newest answer that has one."""
        tagged = [one.headers.get("To") for one in self.sent if isinstance(one, Response)]
        return [to.partition(";tag=")[2] for to in tagged if ";tag=" in to][-1]

    def of(self, kind: type) -> list[Any]:
        """What it told, of one kind."""
        return [one for one in self.told if isinstance(one, kind)]

    def statuses(self, messages: list[Request | Response] | None = None) -> list[int]:
        """The status of each response."""
        return [one.status for one in (self.sent if messages is None else messages) if isinstance(one, Response)]


@pytest.fixture
def caller() -> Caller:
    """A telephone, by UDP."""
    return Caller()


@pytest.fixture(params=["udp", "tcp"])
def either(request: pytest.FixtureRequest) -> Caller:
    """A telephone, by UDP and by TCP."""
    return Caller(request.param)


@pytest.fixture
def make_caller() -> type[Caller]:
    """To be made with options."""
    return Caller


@pytest.fixture
def sdp() -> str:
    """An offer."""
    return SDP
