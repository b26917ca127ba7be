"""A chosen tier: responses wait until its limits allow them; nobody is refused who only has to wait."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb import errors
from realtime_nb.models import TierLimit, model
from realtime_nb.portal import call_on
from realtime_nb.protocol.events import RateLimit
from realtime_nb.session.pacing import Line, line_for
from realtime_nb.testing.server import Reply, ScriptedServer

MINI = model("gpt-realtime-mini")
TINY = TierLimit(tier="1", rpm=3, tpm=6_000)


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Now."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def line(limit: TierLimit = TINY) -> tuple[Line, Clock]:
    """A line with a clock of its own."""
    clock = Clock()
    return Line(MINI, limit, clock=clock, sleep=clock.sleep), clock


def nobody(_words: str) -> None:
    """Nobody looks."""


def test_what_fits_does_not_wait() -> None:
    """As long as the minute's tokens and requests last, nothing waits."""
    queue, clock = line()
    asyncio.run(queue.enter(6_000, nobody))
    assert clock.slept == []


def test_tokens_are_waited_for_as_long_as_they_take() -> None:
    """Two thousand tokens of a limit of six thousand a minute come back in twenty seconds; it is said meanwhile."""
    queue, clock = line()
    words: list[str] = []
    asyncio.run(queue.enter(6_000, nobody))
    asyncio.run(queue.enter(2_000, words.append))
    assert clock.slept == [pytest.approx(20.0)]
    assert words == ["waiting 20.0 s for tier 1: 3 requests, 6,000 tokens a minute", ""]


def test_requests_are_waited_for_too() -> None:
    """The fourth request of three a minute waits a third of one."""
    queue, clock = line()
    for _ in range(4):
        asyncio.run(queue.enter(1, nobody))
    assert clock.slept == [pytest.approx(20.0)]


def test_what_was_not_used_is_given_back() -> None:
    """A response sets aside all it may write; at its end the rest is free again."""
    queue, clock = line()
    asyncio.run(queue.enter(6_000, nobody))
    queue.settle(6_000, 1_000)
    asyncio.run(queue.enter(5_000, nobody))
    assert clock.slept == []


def test_the_server_has_the_last_word() -> None:
    """Where the server says that less is left, that holds; that more is left does not loosen the tier."""
    queue, clock = line()
    queue.told([RateLimit(name="tokens", limit=6_000, remaining=1_000, reset_seconds=50.0)])
    asyncio.run(queue.enter(2_000, nobody))
    assert clock.slept == [pytest.approx(10.0)]
    queue.told([RateLimit(name="tokens", limit=15_000_000, remaining=15_000_000, reset_seconds=0.0)])
    asyncio.run(queue.enter(1_000, nobody))
    assert clock.slept[1:] == [pytest.approx(10.0)]


def test_what_never_fits_is_refused() -> None:
    """More tokens than the tier has in a minute will never be allowed: an error, no endless wait."""
    queue, clock = line()
    with pytest.raises(errors.RateLimited, match="Request too large"):
        asyncio.run(queue.enter(6_001, nobody))
    assert clock.slept == []


def test_a_cancel_leaves_the_line_to_the_next() -> None:
    """Whoever gives up waiting has taken nothing, and the next one waits for his own tokens only."""

    async def act() -> list[float]:
        queue, clock = line()
        held = asyncio.Event()
        queue._sleep = lambda _s: held.wait()
        await queue.enter(6_000, nobody)
        waiting = asyncio.create_task(queue.enter(3_000, nobody))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        queue._sleep = clock.sleep
        await queue.enter(1_000, nobody)
        return clock.slept

    assert asyncio.run(act()) == [pytest.approx(10.0)]


@given(st.lists(st.integers(1, 6_000), max_size=30))
def test_no_minute_ever_has_more_than_twice_the_limit(sizes: list[int]) -> None:
    """Full at first and refilled in a straight line: in any minute at most the limit and what comes back in it."""
    queue, clock = line(TierLimit(tier="1", rpm=1_000, tpm=6_000))
    passed = []

    async def pass_all() -> None:
        for size in sizes:
            await queue.enter(size, nobody)
            passed.append((clock.now, size))

    asyncio.run(pass_all())
    for begin, _ in passed:
        assert sum(size for at, size in passed if begin <= at < begin + 60) <= 12_000 + 1


def test_sessions_of_one_place_share_a_line() -> None:
    """Limits belong to the account: one line for a model and tier at a place, another one elsewhere."""

    async def lines() -> list[Line]:
        places = ("a:1", "a:1", "b:1")
        return [line_for(place, MINI, MINI.limits(1)) for place in places]

    first, second, elsewhere = asyncio.run(lines())
    assert first is second
    assert first is not elsewhere


# ---------------------------------------------------------------- in a session
def paced(*replies: Reply, **options: Any) -> tuple[ScriptedServer, rt.Session]:
    """A session at tier 1, whose tokens are all but spent."""
    server = ScriptedServer(*replies).__enter__()
    session = rt.connect(server.url, tier=1, **options)
    server.push(limits(remaining=0))
    told = session.actor.link.connection
    rt_until(session, lambda: told.rate_limits)
    return server, session


def limits(remaining: int) -> dict[str, Any]:
    """``rate_limits.updated``."""
    row = {"name": "tokens", "limit": 40_000, "remaining": remaining, "reset_seconds": 60.0}
    return {"type": "rate_limits.updated", "rate_limits": [row]}


def rt_until(session: rt.Session, state: Callable[[], object]) -> None:
    """Wait until an event has led to this."""
    call_on(session.actor.loop, session.actor.link.until(state, 60))


def test_a_response_waits_and_says_so() -> None:
    """Nothing is sent while it waits; the turn says what for; a smaller limit on the reply waits less."""
    server, session = paced(Reply("Hello."))
    with server, session:
        turn = session.say("Hello.", wait=False)
        while not turn.waits:
            session.append(b"")
        assert "tier 1: 200 requests, 40,000 tokens a minute" in repr(turn)
        assert server.of_type("response.create") == []
        assert server.of_type("conversation.item.create") == []
        assert session.interrupt() is turn
        assert (turn.done, turn.waits) == (True, "")


def test_an_interrupt_ends_the_wait() -> None:
    """The kernel's Interrupt leaves the line at once, and the session is usable."""
    server, session = paced(Reply("Hello."))
    with server, session:

        def press() -> None:
            while not any(turn.waits for turn in session.actor.book.turns):
                time.sleep(0.005)
            os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=press).start()
        with pytest.raises(KeyboardInterrupt):
            session.say("Hello.")
        assert server.of_type("response.create") == []
        short = session.say("Hello.", response={"max_output_tokens": 1, "instructions": "x"})
        assert short.text == "Hello."


def test_the_end_of_the_connection_ends_the_wait() -> None:
    """Nobody waits a minute for leave to ask a server that is gone."""
    server, session = paced()
    with server, session:
        turn = session.say("Hello.", wait=False)
        while not turn.waits:
            session.append(b"")
        server.drop()
        with pytest.raises(errors.ConnectionClosed):
            turn.wait(4)
        assert turn.task is not None
        call_on(session.actor.loop, asyncio.wait_for(asyncio.wait({turn.task}), 5))


def test_who_stands_behind_another_in_the_line_says_so_and_notices_the_end_of_the_connection() -> None:
    """It is over at once, and not when the other's wait is."""
    server, session = paced()
    second = rt.connect(server.url, tier=1)
    with server, session, second:
        first = session.say("Hello.", wait=False)
        while not first.waits:
            session.append(b"")
        turn = second.say("Hello.", wait=False)
        while not turn.waits:
            second.append(b"")
        second.actor.loop.call_soon_threadsafe(server._peers[1].transport.abort)
        with pytest.raises(errors.ConnectionClosed):
            turn.wait(4)
        assert not first.done
        session.interrupt()


def test_a_session_names_its_pace() -> None:
    """The repr says which limits hold."""
    server, session = paced(Reply("Hello."))
    with server, session:
        assert "tier 1" in repr(session)


@pytest.mark.parametrize(
    ("tier", "kind", "words"),
    [("Free", errors.Unsupported, "not for tier Free"), (9, errors.ConfigError, "no tier 9")],
)
def test_a_tier_the_card_does_not_serve_is_refused(tier: Any, kind: type[Exception], words: str) -> None:
    """The card says which tiers there are, before anything is opened."""
    with pytest.raises(kind, match=words):
        rt.connect("ws://127.0.0.1:9/v1/realtime", tier=tier)
