"""The guard: what is refused before it is spent."""

from __future__ import annotations

import ast
import copy
import math
import pickle
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.errors import BudgetExceeded, ConfigError
from realtime_nb.models import Rate, model
from realtime_nb.usage import BudgetGuard, Tokens, cost

MINI = model("gpt-realtime-mini")
FIRST = Tokens(text=100, audio=50)


def heard(text: int, audio: int, out_text: int, out_audio: int) -> dict[str, object]:
    """A usage as JSON."""
    return {
        "input_tokens": text + audio,
        "output_tokens": out_text + out_audio,
        "input_token_details": {"text_tokens": text, "audio_tokens": audio},
        "output_token_details": {"text_tokens": out_text, "audio_tokens": out_audio},
    }


def test_without_a_budget_nothing_is_refused() -> None:
    """No budget: every response passes, what is spent is still counted."""
    guard = BudgetGuard(MINI)
    guard.check(Tokens(audio=1_000_000))
    guard.settle(heard(100, 50, 30, 200))
    assert guard.spent_usd == pytest.approx(0.004632, abs=1e-9)
    assert guard.remaining_usd == math.inf
    assert guard.output_cap() is None


def test_the_estimate_of_the_model_talk() -> None:
    """A first turn is estimated as in the protocol's model talk, a second one with all history uncached."""
    guard = BudgetGuard(MINI, budget_usd=1.0)
    assert guard.estimate(FIRST) == pytest.approx(0.004632, abs=1e-9)
    guard.settle(heard(100, 50, 30, 200))
    assert guard.estimate(Tokens(audio=50)) == pytest.approx(
        (130 * 0.6 + 300 * 10 + 30 * 2.4 + 200 * 20) / 1e6, abs=1e-12
    )


def test_refused_before_it_is_spent() -> None:
    """The response that would pass the budget raises, with the figures and a hint that parses."""
    guard = BudgetGuard(MINI, budget_usd=0.008)
    guard.check(FIRST)
    guard.settle(heard(100, 50, 30, 200))
    with pytest.raises(BudgetExceeded) as caught:
        guard.check(Tokens(audio=50))
    error = caught.value
    assert (error.budget_usd, error.spent_usd) == (0.008, guard.spent_usd)
    assert error.spent_usd + error.next_usd > error.budget_usd
    assert error.hint is not None
    ast.parse(error.hint)


def test_a_longer_reply_is_learnt() -> None:
    """After a long reply, the next is expected to be as long."""
    guard = BudgetGuard(MINI, budget_usd=1.0)
    short = guard.estimate()
    guard.settle(heard(0, 0, 300, 2000))
    assert guard.estimate() - cost(heard(300, 2000, 0, 0), MINI).total_usd > 9 * short


def test_text_replies_are_cheaper() -> None:
    """A written reply is not expected to have sound."""
    assert BudgetGuard(MINI).estimate(output="text") == pytest.approx(30 * 2.4 / 1e6)


def test_limits_of_the_response_bound_the_estimate() -> None:
    """``max_output_tokens`` bounds what is expected to come out."""
    assert BudgetGuard(MINI).estimate(max_output_tokens=10) == pytest.approx(10 * 20 / 1e6)
    assert BudgetGuard(MINI).estimate(max_output_tokens=0) == 0.0


def test_the_context_is_never_larger_than_the_card_says() -> None:
    """History beyond the model's input limit is not expected to be billed."""
    guard = BudgetGuard(MINI)
    assert guard.estimate(Tokens(audio=10**6), max_output_tokens=0) == pytest.approx(28_224 * 10 / 1e6)


def test_responses_at_once_fit_together() -> None:
    """What one response has set aside is not there for another, until it is settled."""
    guard = BudgetGuard(MINI, budget_usd=0.008)
    guard.check(FIRST, key="a")
    with pytest.raises(BudgetExceeded):
        guard.check(FIRST, key="b")
    assert guard.remaining_usd == pytest.approx(0.008 - 0.004632, abs=1e-9)
    guard.settle(None, key="a")
    assert guard.remaining_usd == 0.008
    guard.check(FIRST, key="b")


def test_out_of_band_responses_leave_the_context_alone() -> None:
    """What a response beside the conversation read is paid, but not expected to be read again."""
    guard = BudgetGuard(MINI)
    before = guard.estimate()
    guard.settle(heard(5000, 0, 10, 0), conversation="none")
    assert guard.spent_usd > 0
    assert guard.estimate() == before


@pytest.mark.parametrize("budget", [-1.0, math.nan, math.inf, "0.50"])
def test_a_budget_is_a_number_of_dollars(budget: Any) -> None:
    """A budget that is negative, not a number or endless is an error."""
    with pytest.raises(ConfigError, match="budget_usd"):
        BudgetGuard(MINI, budget_usd=budget)


def test_the_budget_can_be_raised() -> None:
    """More money lets the refused response through; a wrong amount leaves the budget as it was."""
    guard = BudgetGuard(MINI, budget_usd=0.001)
    with pytest.raises(BudgetExceeded):
        guard.check(FIRST)
    with pytest.raises(ConfigError):
        guard.budget_usd = -1.0
    assert guard.budget_usd == 0.001
    guard.budget_usd = 0.01
    guard.check(FIRST)


def test_no_budget_without_prices() -> None:
    """A card that lacks a price cannot hold a budget, and says so at once."""
    card = msgspec.structs.replace(MINI, rates={"text": Rate(input=1.0)})
    with pytest.raises(ConfigError, match="without a price"):
        BudgetGuard(card, budget_usd=1.0)


def test_the_local_engine_needs_no_money() -> None:
    """On the local card a budget of nothing is enough for everything."""
    guard = BudgetGuard(model("local"), budget_usd=0.0)
    guard.check(Tokens(text=10**6, audio=10**6))
    guard.settle(heard(100, 50, 30, 200))
    guard.check()
    assert guard.output_cap() is None


turns = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 6000)), max_size=12)


@given(st.floats(0.0, 0.2), turns)
def test_the_capped_session_never_passes_its_budget(budget: float, said: list[tuple[int, int, int]]) -> None:
    """A session that obeys check and output_cap never spends more than its budget, whatever the replies."""
    guard = BudgetGuard(MINI, budget_usd=budget)
    text = audio = 0
    for more_text, more_audio, reply in said:
        added = Tokens(text=more_text, audio=more_audio)
        cap = guard.output_cap(added)
        assert cap is not None
        if cap == 0:
            continue
        guard.check(added, max_output_tokens=cap)
        text, audio = text + more_text, audio + more_audio
        length = min(reply, cap)
        guard.settle(heard(text, audio, 0, length))
        audio += length
    assert guard.spent_usd <= budget + 1e-9


@pytest.mark.parametrize("again", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])  # noqa: S301 - our own bytes
def test_the_error_keeps_its_sums_on_its_way_out_of_another_process(again: Callable[[Any], Any]) -> None:
    """A pool of processes breaks by an error that cannot be made again."""
    error = BudgetExceeded("too much", spent_usd=1.0, next_usd=2.0, budget_usd=2.5, hint="wait")
    assert str(again(error)) == str(error)
    assert vars(again(error)) == vars(error)
