"""Requests and tokens a minute."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.limits import RateLimiter
from realtime_nb.protocol.session_config import Session
from realtime_nb.protocol.usage import (
    Usage,
)

if TYPE_CHECKING:
    from .conftest import Wire


def limiter(**fields: Any) -> RateLimiter:
    """The limits of tier 1, or others."""
    return RateLimiter(**{"requests_per_min": 200, "tokens_per_min": 40_000, **fields})


def test_refill_is_linear() -> None:
    """A sixtieth of the limit comes back each second: 1,510 missing of 40,000 take 2.265 s."""
    rate = limiter()
    assert rate.reserve(1_510, 0.0) is None
    assert (rate.rows(0.0)[1].remaining, rate.rows(0.0)[1].reset_seconds) == (38_490, 2.265)
    assert rate.rows(1.0)[1].remaining == 39_156
    assert (rate.rows(2.265)[1].remaining, rate.rows(2.265)[1].reset_seconds) == (40_000, 0.0)
    assert [row.name for row in rate.rows(9.0)] == ["requests", "tokens"]


def test_reserve_then_settle() -> None:
    """What was reserved and not used is given back; more than reserved is taken."""
    rate = limiter()
    rate.reserve(10_000, 0.0)
    rate.settle(10_000, 4_000, 0.0)
    assert rate.rows(0.0)[1].remaining == 36_000
    rate.settle(0, 1_000, 0.0)
    assert rate.rows(0.0)[1].remaining == 35_000


def test_refusals_say_how_long_to_wait() -> None:
    """At the limit a response may start; beyond it the wait is named; after the wait it may."""
    rate = limiter()
    assert rate.reserve(40_000, 0.0) is None
    refusal = rate.reserve(4_000, 0.0)
    assert refusal is not None
    assert (refusal.kind, refusal.wait_s) == ("tokens", 6.0)
    assert refusal.message.endswith("Used 40000, Requested 4000. Please try again in 6s.")
    assert rate.reserve(4_000, 5.9) is not None
    assert rate.reserve(4_000, 6.1) is None


def test_requests_are_limited_too() -> None:
    """So many responses a minute, whatever their size."""
    rate = limiter(requests_per_min=2)
    assert [rate.reserve(1, 0.0) is None for _ in range(3)] == [True, True, False]
    refusal = rate.reserve(1, 0.0)
    assert refusal is not None
    assert refusal.kind == "requests"
    assert rate.reserve(1, 30.0) is None


def test_what_can_never_start() -> None:
    """A request above the limit is refused without a wait; the Free tier serves nothing."""
    refusal = limiter().reserve(40_001, 0.0)
    assert refusal is not None
    assert (refusal.wait_s, "Request too large" in refusal.message) == (None, True)
    free = limiter(requests_per_min=0, tokens_per_min=0)
    refusal = free.reserve(1, 0.0)
    assert refusal is not None
    assert "This tier does not serve the model." in refusal.message
    assert [row.reset_seconds for row in free.rows(0.0)] == [0.0, 0.0]


def test_counting_without_refusing() -> None:
    """Not enforced, a limit is shown and never refuses."""
    rate = limiter(enforce=False)
    assert rate.reserve(50_000, 0.0) is None
    assert rate.rows(0.0)[1].remaining == 0


def test_a_refused_response(make_wire: Callable[..., Wire]) -> None:
    """Beyond the limit a response is created, fails with the wait, and uses nothing; the rows follow."""
    wire = make_wire(Session(max_output_tokens=1_000), rate=limiter(tokens_per_min=1_500, model="gpt-realtime-mini"))
    wire.send(ev.ResponseCreate())
    done, rows = wire.report(fx.TextDelta("resp_1", "Hi"), fx.Generated("resp_1", "stop"))[-2:]
    assert isinstance(rows, ev.RateLimitsUpdated)
    assert rows.rate_limits[1].remaining == 1_500 - 5
    assert wire.client.rate_limits == rows.rate_limits
    wire.send(ev.ResponseCreate(), ev.ResponseCreate(response=ev.ResponseParams(conversation="none")))
    done = wire.log[-2]
    assert isinstance(done, ev.ResponseDone)
    assert (done.response.status, done.response.conversation_id) == ("failed", None)
    assert done.response.usage == Usage()
    details = done.response.status_details
    assert details is not None
    assert details.error is not None
    assert (details.error.type, details.error.code) == ("tokens", "rate_limit_exceeded")
    assert "Rate limit reached for gpt-realtime-mini on tokens per min (TPM): Limit 1500" in str(details.error.message)
    assert "Please try again in" in str(details.error.message)


def test_who_leaves_in_the_middle_gives_back(make_wire: Callable[..., Wire]) -> None:
    """What a session had reserved when it ended is settled: the limits are those of all sessions."""
    rate = limiter()
    wire = make_wire(Session(), rate=rate)
    wire.send(ev.ResponseCreate())
    wire.report(fx.SpeechDelta("resp_1", "Hello there", bytes(48 * 1_000)))
    assert rate.rows(0.0)[1].remaining < 36_000
    wire.server.close(0.0)
    assert rate.rows(0.0)[1].remaining == 40_000 - 4 - 2 - 20  # read, and written: words, and a second of sound
