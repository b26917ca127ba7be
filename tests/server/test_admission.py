"""Why a connection ends right after its handshake: the table of the protocol's section 1.1."""

from __future__ import annotations

import pytest

from realtime_nb.server.admission import check_request, denied, full_house
from realtime_nb.server.catalog import api_models, is_known, rate_limiter
from realtime_nb.server.security import Refusal


@pytest.mark.parametrize(
    ("query", "headers", "close_code", "reason"),
    [
        ({"model": "gpt-nope"}, {}, 4000, "invalid_request_error.invalid_model"),
        ({}, {}, 4000, "invalid_request_error.missing_model"),
        (
            {"model": "gpt-realtime-mini"},
            {"openai-beta": "realtime=v1"},
            4000,
            "invalid_request_error.beta_api_shape_disabled",
        ),
    ],
)
def test_what_is_asked_wrongly_is_refused(query: dict, headers: dict, close_code: int, reason: str) -> None:
    """Each fault has the service's own close code and reason, and one error event with the code."""
    rejection = check_request(query, headers, known=is_known, require_model=True)
    assert rejection is not None
    assert (rejection.close_code, rejection.reason) == (close_code, reason)
    assert rejection.event.error.type == "invalid_request_error"
    assert rejection.event.error.code == reason.partition(".")[2]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"model": "gpt-realtime-mini"},
        {"model": "gpt-realtime-mini-2025-10-06"},
        {"model": "gpt-realtime"},
        {"model": "local"},
        {"intent": "transcription", "model": "gpt-4o-transcribe"},
        {"model": "gpt-realtime-mini", "whatever": "1"},
    ],
)
def test_what_is_asked_rightly_passes(query: dict) -> None:
    """Any realtime model of the API, or none, begins a session; parameters nobody knows are ignored."""
    assert check_request(query, {}, known=is_known, require_model=False) is None


def test_a_missing_key_has_no_code() -> None:
    """The service names no code for a missing key, so the reason is the type alone."""
    rejection = denied(Refusal(401, None, "Missing bearer or basic authentication in header"))
    assert (rejection.close_code, rejection.reason) == (3000, "invalid_request_error")
    assert rejection.event.error.code is None


def test_a_full_house_asks_to_try_again_later() -> None:
    """One session too many is told how many there may be, and closed with 1013."""
    rejection = full_house(16)
    assert (rejection.close_code, rejection.code) == (1013, "session_limit_reached")
    assert "16" in rejection.message


def test_the_card_s_models_are_listed() -> None:
    """The list of models is that of the cards."""
    assert "gpt-realtime-mini" in api_models()


def test_a_tier_limits_and_the_free_one_refuses() -> None:
    """Tier 1 allows 200 requests and 40,000 tokens a minute, Free nothing, and no tier everything."""
    assert rate_limiter(None) is None
    first, free = rate_limiter("1"), rate_limiter("free")
    assert first is not None
    assert free is not None
    assert [row.limit for row in first.rows(0.0)] == [200, 40_000]
    assert free.reserve(1, 0.0) is not None
