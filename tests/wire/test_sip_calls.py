"""Two agents with nothing but a bad network between them."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime_nb.wire.sip import path as sip
from realtime_nb.wire.sip.agent import Agent

BOB, ALICE = ("127.0.0.1", 5060), ("127.0.0.1", 5061)


class Network:
    """Carries datagrams between two agents, on a clock of its own: loses, doubles and delays them.

    Parameters
    ----------
    seed : int
        Of its chance.
    loss, double, late : float
        How often, 0 to 1.
    """

    def __init__(self, seed: int = 0, *, loss: float = 0.0, double: float = 0.0, late: float = 0.0) -> None:
        self._chance = random.Random(seed)
        self._loss, self._double, self._late = loss, double, late
        self._order = itertools.count()
        self._flying: list[tuple[float, int, bytes, sip.Path]] = []
        self.now = 0.0
        names = itertools.count()
        self.agents = {end: Agent(lambda: f"x{next(names)}") for end in (BOB, ALICE)}
        self.told: dict[tuple[str, int], list[sip.Action]] = {BOB: [], ALICE: []}

    def path(self) -> sip.Path:
        """From Alice to Bob."""
        return sip.Path("udp", BOB, ALICE)

    def do(self, end: tuple[str, int], actions: list[sip.Action]) -> None:
        """Carry out what an agent wants."""
        for action in actions:
            if isinstance(action, sip.Send):
                self._post(action)
            else:
                self.told[end].append(action)
                self._decide(end, action)

    def _decide(self, end: tuple[str, int], action: sip.Action) -> None:
        if isinstance(action, sip.Invited):
            agent = self.agents[end]
            self.do(end, agent.ring(action.call, self.now))
            self.do(end, agent.accept(action.call, "127.0.0.1", 41_000, self.now))

    def _post(self, send: sip.Send) -> None:
        copies = 0 if self._chance.random() < self._loss else 2 if self._chance.random() < self._double else 1
        for _ in range(copies):
            delay = 0.001 + (0.3 if self._chance.random() < self._late else 0.0)
            heapq.heappush(self._flying, (self.now + delay, next(self._order), send.data, send.path))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        until = self.now + seconds
        while True:
            ticks = [(at, end) for end, agent in self.agents.items() if (at := agent.deadline()) is not None]
            times = [at for at, _ in ticks] + ([self._flying[0][0]] if self._flying else [])
            if not times or min(times) > until:
                break
            self.now = max(self.now, min(times))
            if self._flying and self._flying[0][0] <= self.now:
                _, _, data, path = heapq.heappop(self._flying)
                back = sip.Path("udp", path.local, path.peer)
                self.do(path.peer, self.agents[path.peer].receive(data, back, self.now))
            else:
                _, end = min(ticks)
                self.do(end, self.agents[end].tick(self.now))
        self.now = until

    def of(self, end: tuple[str, int], kind: type) -> list[Any]:
        """What an end was told, of one kind."""
        return [action for action in self.told[end] if isinstance(action, kind)]

    def place(self) -> str:
        """Alice calls Bob."""
        alice = self.agents[ALICE]
        call = alice.invite("sip:bob@127.0.0.1:5060", self.path(), ("127.0.0.1", 42_000), self.now)
        self.do(ALICE, alice.take())
        return call


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.2])
def test_thirty_calls_over_a_bad_network_each_begin_and_end_once(loss: float) -> None:
    """Lost, doubled and late messages: every call is set up once, and released, and nothing is left."""
    network = Network(7, loss=loss, double=0.05, late=0.05)
    for _ in range(30):
        call = network.place()
        network.run(12.0)
        network.do(ALICE, network.agents[ALICE].hang_up(call, network.now))
        network.run(3.0)
    network.run(100.0)
    assert len(network.of(ALICE, sip.Answered)) == 30
    invited, ended = network.of(BOB, sip.Invited), network.of(BOB, sip.Ended)
    assert len(invited) == 30
    assert Counter(one.call for one in ended) == Counter(one.call for one in invited)
    assert all(agent.calls == () and agent.transactions == 0 for agent in network.agents.values())


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_a_call_lasts_until_somebody_hangs_up(loss: float) -> None:
    """An hour of talk outlives every transaction, at both ends."""
    network = Network(3, loss=loss)
    call = network.place()
    network.run(3600.0)
    assert network.of(ALICE, sip.Ended) == network.of(BOB, sip.Ended) == []
    network.do(ALICE, network.agents[ALICE].hang_up(call, network.now))
    network.run(60.0)
    assert [one.why for end in (ALICE, BOB) for one in network.of(end, sip.Ended)] == ["local", "hangup"]
    assert all(agent.calls == () and agent.transactions == 0 for agent in network.agents.values())


def test_a_call_whose_other_end_is_gone_is_over_when_it_is_asked() -> None:
    """Who answers has it still; who answers nothing for 32 s, or knows of no such call, has it no more."""
    for gone, after_s in ((False, 3600.0), (True, 33.0)):
        network = Network()
        call = network.place()
        network.run(1.0)
        network._loss = float(gone)
        network.do(ALICE, network.agents[ALICE].probe(call, network.now))
        network.run(after_s)
        assert [one.why for one in network.of(ALICE, sip.Ended)] == ["unreachable"] * gone
    network = Network()
    call = network.place()
    network.run(1.0)
    network.agents[BOB] = Agent(lambda: "new")
    network.do(ALICE, network.agents[ALICE].probe(call, network.now))
    network.run(0.1)
    assert [one.why for one in network.of(ALICE, sip.Ended)] == ["unreachable"]


def test_a_placed_call_is_refused_or_not_answered() -> None:
    """A refusal is told with its status; silence is told after 32 s."""
    network = Network()
    network._decide = lambda end, action: (  # type: ignore[method-assign]
        network.do(end, network.agents[end].hang_up(action.call, network.now, status=486))
        if isinstance(action, sip.Invited)
        else None
    )
    call = network.place()
    network.run(1.0)
    assert network.of(ALICE, sip.Ended) == [sip.Ended(call, "rejected", 486)]
    deaf = Network(loss=1.0)
    lost = deaf.place()
    deaf.run(33.0)
    assert deaf.of(ALICE, sip.Ended) == [sip.Ended(lost, "unreachable", 408)]


def test_a_placed_call_can_be_given_up_while_it_rings() -> None:
    """CANCEL ends it at both ends."""
    network = Network()
    network._decide = lambda _end, _action: None  # type: ignore[method-assign]
    call = network.place()
    network.run(0.5)
    network.do(ALICE, network.agents[ALICE].hang_up(call, network.now))
    network.run(60.0)
    assert [one.why for one in network.of(BOB, sip.Ended)] == ["cancelled"]
    assert all(agent.transactions == 0 for agent in network.agents.values())


def test_an_answer_that_crosses_the_giving_up_is_hung_up() -> None:
    """The 200 gets its ACK, and a BYE."""
    network = Network()
    call = network.place()
    network.do(ALICE, network.agents[ALICE].hang_up(call, network.now))
    network.run(60.0)
    assert [one.why for one in network.of(BOB, sip.Ended)] == ["hangup"]
    assert network.agents[BOB].calls == ()


OURS = [HealthCheck.function_scoped_fixture]  # the fixtures are a class and a text
_WORDS = st.sampled_from(
    [
        b"\r\n",
        b"\r",
        b"\n ",
        b":",
        b";tag=",
        b",",
        b"<",
        b'"',
        b"SIP/2.0",
        b"z9hG4bK",
        b"INVITE",
        b"ACK",
        b"\0",
        b"\xff",
        b"9" * 40,
    ]
)


@settings(max_examples=400, deadline=None, suppress_health_check=OURS)
@given(
    st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 30), _WORDS), max_size=6),
    st.sampled_from(["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO"]),
)
def test_no_message_however_mangled_gets_out_of_hand(
    make_caller: Any, sdp: str, edits: list[tuple[int, int, bytes]], method: str
) -> None:
    """Mutated messages give answers or nothing, never an exception; and all is forgotten in the end."""
    caller = make_caller(ring_s=1.0)
    data = bytearray(caller.text(method, body=sdp))
    for far, cut, word in edits:
        at = far % (len(data) + 1)
        data[at : at + cut] = word
    caller.send(bytes(data))
    caller.pass_time(200.0)
    assert caller.agent.calls == ()
    assert caller.agent.transactions == 0


@settings(max_examples=200, deadline=None, suppress_health_check=OURS)
@given(data=st.binary(max_size=400))
def test_bytes_that_were_never_sip_are_taken_in_silence(make_caller: Any, data: bytes) -> None:
    """Nothing is sent, nothing is kept."""
    caller = make_caller()
    assert caller.send(data) == []
    assert caller.agent.transactions == 0
