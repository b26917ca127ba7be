"""What was spent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from realtime_nb import plots
from realtime_nb.errors import ConfigError


def total(ax: Any) -> np.ndarray:
    """The line of the sum."""
    (line,) = (line for line in ax.lines if line.get_label() == "total")
    return np.asarray(line.get_ydata())


def texts(ax: Any) -> list[str]:
    """What is written into a plot."""
    return [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("frame", ["usage", "turns"])
def test_the_line_ends_at_what_was_spent(talk: Any, frame: str) -> None:
    """Both frames give the same sum, a step for each turn."""
    ax = plots.cost(getattr(talk, frame))
    spent = talk.turns["cost_usd"].cumsum().to_numpy()
    assert total(ax)[::2] == pytest.approx(spent)
    assert ax.get_title(loc="left") == "Cost: $0.0195 after 6 turns"
    assert ax.get_ylabel() == "US dollars, summed up"


def test_usage_tells_the_parts_apart(talk: Any) -> None:
    """Cached input, input and output are layers; turns know only the sum."""
    labels = [one.get_label() for one in plots.cost(talk.usage).collections]
    assert labels == ["cached input", "input", "output"]
    assert [one.get_label() for one in plots.cost(talk.turns).collections] == ["all"]


def test_the_budget_is_a_line_over_it(talk: Any) -> None:
    """It is in view, named, and the title says how much of it is gone."""
    ax = plots.cost(talk.usage, 0.02)
    assert "budget $0.02" in texts(ax)
    assert ax.get_ylim()[1] > 0.02
    assert "97% of the budget" in ax.get_title(loc="left")


def test_a_passed_budget_names_the_turn(talk: Any) -> None:
    """The title says in which turn the budget was passed."""
    assert "passed in turn 3" in plots.cost(talk.usage, 0.007).get_title(loc="left")


def test_a_far_budget_does_not_flatten_the_curve(talk: Any) -> None:
    """A budget far above is told in words, and the curve keeps the height of the plot."""
    ax = plots.cost(talk.turns, 5.0)
    assert ax.get_ylim()[1] < 0.04
    assert any("budget $5.00" in text and "times higher" in text for text in texts(ax))
    assert "0.39% of the budget" in ax.get_title(loc="left")


def test_what_has_no_price_is_told(talk: Any) -> None:
    """A turn without a price costs nothing on the line, and the title counts it."""
    turns = talk.turns.copy()
    turns.loc[2, "cost_usd"] = np.nan
    ax = plots.cost(turns)
    assert total(ax)[-1] == pytest.approx(turns["cost_usd"].sum())
    assert "(1 turn without a price)" in ax.get_title(loc="left")


def test_a_free_talk_is_drawn(talk: Any) -> None:
    """The local engine costs nothing: a flat line, no division by it."""
    turns = talk.turns.assign(cost_usd=0.0)
    assert plots.cost(turns, 1.0).get_title(loc="left") == "Cost: $0.00 after 6 turns, 0% of the budget"
    assert plots.cost(talk.usage.assign(cost_usd=0.0))._repr_png_()


def test_nothing_yet_says_what_to_do(nothing: Any) -> None:
    """An empty frame gives an empty plot with a line that changes that."""
    assert "no turns yet" in texts(plots.cost(nothing.usage, 1.0))


def test_ten_thousand_turns_are_drawn(make_talk: Callable[[int], Any]) -> None:
    """Every turn is a step."""
    talk = make_talk(10_000)
    ax = plots.cost(talk.usage, 50.0)
    assert len(total(ax)) == 20_000
    assert total(ax)[-1] == pytest.approx(talk.turns["cost_usd"].sum())
    assert ax._repr_png_()


def test_another_frame_is_refused(talk: Any) -> None:
    """The error says what is missing."""
    with pytest.raises(ConfigError, match="cost_usd"):
        plots.cost(talk.events)
