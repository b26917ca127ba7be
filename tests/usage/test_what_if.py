"""The same conversation by every card."""

from __future__ import annotations

import math

import pytest

from realtime_nb.history import EventLog, History
from realtime_nb.models import model, names
from realtime_nb.protocol.events import Response, ResponseDone
from realtime_nb.protocol.usage import CachedTokens, InputTokens, OutputTokens, Usage
from realtime_nb.usage import cost

USED = Usage(
    total_tokens=1_500,
    input_tokens=1_000,
    output_tokens=500,
    input_token_details=InputTokens(
        text_tokens=400, audio_tokens=600, cached_tokens=128, cached_tokens_details=CachedTokens(text_tokens=128)
    ),
    output_token_details=OutputTokens(text_tokens=100, audio_tokens=400),
)


def frames(name: str) -> History:
    """A conversation of one response."""
    log = EventLog()
    log.append("received", ResponseDone(event_id="e", response=Response(id="r", status="completed", usage=USED)), 1, 9)
    return History(log, model(name))


def test_each_card_prices_as_it_would_have() -> None:
    """Every row is what the cost of that card comes to; the one that was used is marked, and is one times itself."""
    table = frames("gpt-realtime-mini").what_if
    assert set(table.model) == set(names())
    for row in table.itertuples():
        assert row.cost_usd == pytest.approx(cost(USED, model(row.model)).total_usd, abs=1e-12, nan_ok=True)
        assert row.cost_usd == pytest.approx(row.input_usd + row.cached_usd + row.output_usd, abs=1e-12, nan_ok=True)
    used = table[table.used]
    assert used.model.tolist() == ["gpt-realtime-mini"]
    assert used.times.tolist() == [1.0]
    known = table.cost_usd.dropna()
    assert known.is_monotonic_increasing


def test_what_cost_nothing_has_no_multiple() -> None:
    """The local engine is free or has no price: nothing is a multiple of it."""
    assert frames("local").what_if.times.map(math.isnan).all()


def test_nothing_said_costs_nothing() -> None:
    """An empty conversation has a row for each card, all of no cost."""
    table = History(EventLog(), model("gpt-realtime")).what_if
    assert table.cost_usd.tolist() == [0.0] * len(names())
