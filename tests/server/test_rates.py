"""Rate limits over a socket: taken when a response starts, settled when it ends, refilled, refused in a response."""

from __future__ import annotations

import re
from typing import Any

import pytest

from realtime_nb.protocol.events import RateLimit
from realtime_nb.protocol.limits import RateLimiter, RateRefusal
from realtime_nb.server.catalog import rate_limiter

ASIDE = {"conversation": "none", "output_modalities": ["text"]}


def spoken_to(serve: Any, dial: Any, rate: RateLimiter | None, **more: Any) -> Any:
    """A session whose prompt is empty, so that tokens are easily counted."""
    caller = dial(serve(rate=rate, **more))
    caller.until("session.created")
    caller.update(instructions="", output_modalities=["text"])
    return caller


class ByHand(RateLimiter):
    """A limit that fills up as the test says, not as the machine is quick."""

    now = 0.0

    def reserve(self, tokens: int, now: float) -> RateRefusal | None:
        """Take them, by its own clock."""
        return super().reserve(tokens, self.now)

    def settle(self, reserved: int, used: int, now: float) -> None:
        """Give them back, by its own clock."""
        super().settle(reserved, used, self.now)

    def rows(self, now: float) -> tuple[RateLimit, ...]:
        """What is left, by its own clock."""
        return super().rows(self.now)


def ask(caller: Any, **response: Any) -> Any:
    """One response out of band, as it ended."""
    caller.send("response.create", response={**ASIDE, **response})
    return caller.until("response.done")["response"]


def words(number: int) -> list[Any]:
    """A response's own input of so many words."""
    part = {"type": "input_text", "text": "word " * number}
    return [{"type": "message", "role": "user", "content": [part]}]


def test_without_a_tier_nothing_is_limited(serve: Any, dial: Any) -> None:
    """The event comes after each response, with no rows in it."""
    caller = spoken_to(serve, dial, None)
    assert caller.works()
    assert caller.until("rate_limits.updated")["rate_limits"] == []


def test_a_tier_s_rows_show_what_was_used(serve: Any, dial: Any) -> None:
    """After a response of tier 1 there are 199 requests, and 40,000 tokens but for those of its usage."""
    caller = spoken_to(serve, dial, rate_limiter("1"))
    used = ask(caller, input=words(50))["usage"]["total_tokens"]
    requests, tokens = caller.until("rate_limits.updated")["rate_limits"]
    assert (requests["name"], requests["limit"]) == ("requests", 200)
    assert 199 <= requests["remaining"] <= 200
    assert (tokens["name"], tokens["limit"]) == ("tokens", 40_000)
    assert 40_000 - used <= tokens["remaining"] <= 40_000
    assert 0 <= tokens["reset_seconds"] <= used * 60 / 40_000


def test_tokens_are_reserved_while_a_response_runs_and_given_back(serve: Any, dial: Any, slow_engine: Any) -> None:
    """What a running response may yet write is not another's to take; when it has ended it is."""
    caller = spoken_to(serve, dial, ByHand(requests_per_min=100, tokens_per_min=6_000), engine=slow_engine)
    caller.send("response.create", response={"max_output_tokens": 4_000})
    caller.until("response.output_text.delta")
    refused = ask(caller, max_output_tokens=4_000, input=[])
    assert (refused["status"], refused["status_details"]["error"]["code"]) == ("failed", "rate_limit_exceeded")
    slow_engine.llm.finish()
    assert caller.until("response.done")["response"]["status"] == "completed"
    assert ask(caller, max_output_tokens=4_000, input=[])["status"] == "completed"


def test_a_refused_response_names_the_wait_after_which_it_works(serve: Any, dial: Any) -> None:
    """Beyond the limit a response fails with the wait in words, as no ``error`` event; the bucket fills up again."""
    limiter = ByHand(requests_per_min=10_000, tokens_per_min=4_160)
    caller = spoken_to(serve, dial, limiter)
    ask(caller, input=words(60), max_output_tokens=200)
    refused = ask(caller, input=[], max_output_tokens=4_096)
    error = refused["status_details"]["error"]
    assert (refused["status"], error["type"], error["code"]) == ("failed", "tokens", "rate_limit_exceeded")
    found = re.search(r"min \(TPM\): Limit 4160, Used \d+, .*Please try again in ([\d.]+)s", error["message"])
    assert found
    assert 0 < float(found[1]) < 10
    assert refused["usage"]["total_tokens"] == 0
    limiter.now += float(found[1]) - 0.1
    assert ask(caller, input=[], max_output_tokens=4_096)["status"] == "failed"
    limiter.now += 0.11  # the wait is told to three digits
    assert ask(caller, input=[], max_output_tokens=4_096)["status"] == "completed"
    assert not caller.all("error")


def test_requests_are_counted_for_all_sessions_together(serve: Any, dial: Any) -> None:
    """Two sessions of a server share its limits."""
    serving = serve(rate=ByHand(requests_per_min=1, tokens_per_min=10**6))
    statuses = []
    for _ in range(2):
        caller = dial(serving)
        caller.until("session.created")
        statuses.append(ask(caller, input=[])["status"])
    assert statuses == ["completed", "failed"]


def test_free_is_not_served(serve: Any, dial: Any) -> None:
    """On the Free tier every response fails, without a wait; the session stays."""
    caller = spoken_to(serve, dial, rate_limiter("free"))
    error = ask(caller, input=[])["status_details"]["error"]
    assert error["code"] == "rate_limit_exceeded"
    assert error["message"].endswith("This tier does not serve the model.")
    assert caller.update(instructions="Still here.")["instructions"] == "Still here."


@pytest.mark.parametrize("tier", ["free", "1"])
def test_a_transcription_session_has_no_rows(serve: Any, dial: Any, tier: str) -> None:
    """Where nothing is answered nothing is limited."""
    caller = dial(serve(rate=rate_limiter(tier)), "?intent=transcription")
    heard = {"transcription": {"model": "whisper-1"}}
    caller.send("session.update", session={"type": "transcription", "audio": {"input": heard}})
    caller.speak()
    caller.until("conversation.item.input_audio_transcription.completed")
    caller.send("conversation.item.retrieve", item_id="nothing")
    caller.until("error")
    assert not caller.all("rate_limits.updated")
