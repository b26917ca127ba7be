"""Tokens by turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb import plots
from realtime_nb.errors import ConfigError


def extent(ax: Any, label: str) -> tuple[float, float]:
    """Lowest and highest of what carries a label."""
    (one,) = (one for one in ax.collections if one.get_label() == label)
    corners = np.concatenate([path.vertices for path in one.get_paths()])
    return float(corners[:, 1].min()), float(corners[:, 1].max())


def test_each_kind_of_token_is_a_layer(talk: Any) -> None:
    """Every direction and modality, cached or not, is one artist with a name."""
    ax = plots.tokens(talk.usage)
    labels = {one.get_label() for one in ax.collections}
    assert labels == {
        "text in", "audio in", "image in", "cached text in", "cached audio in", "text out", "audio out",
    }  # fmt: skip


def test_input_is_above_and_output_below(talk: Any) -> None:
    """The tallest column is the largest input; the deepest the largest output; ticks have no sign."""
    ax = plots.tokens(talk.usage)
    by_turn = talk.usage.pivot_table(index="turn", columns="direction", values="tokens", aggfunc="sum")
    assert extent(ax, "image in")[1] == by_turn["input"].max()
    assert extent(ax, "audio out")[0] == -by_turn["output"].max()
    assert not any("\N{MINUS SIGN}" in tick.get_text() for tick in ax.get_yticklabels())
    assert ax.get_ylabel() == "tokens: in above, out below"


def test_cached_tokens_are_hatched_and_lie_below(talk: Any) -> None:
    """What was cached is hatched, and stands under what was not."""
    ax = plots.tokens(talk.usage)
    hatched = {one.get_label() for one in ax.collections if one.get_hatch()}
    assert hatched == {"cached text in", "cached audio in"}
    assert extent(ax, "cached text in")[0] == 0


def test_the_title_sums_up(talk: Any) -> None:
    """How many went in, how many of them cached, how many came out."""
    used = talk.usage
    into, out = (used.loc[used["direction"] == which, "tokens"].sum() for which in ("input", "output"))
    cached = used.loc[used["cached"], "tokens"].sum() / into
    assert (
        plots.tokens(used).get_title(loc="left")
        == f"Tokens by turn: {into / 1000:.3g}k in ({cached:.0%} cached), {out} out"
    )


def test_missing_tokens_and_turns_count_nothing(talk: Any) -> None:
    """Rows without a turn are left out, rows without tokens are none."""
    used = talk.usage.copy()
    used.loc[0, "turn"] = pd.NA
    used.loc[1, "tokens"] = pd.NA
    kept = talk.usage.drop([0, 1])
    assert plots.tokens(used).get_title(loc="left") == plots.tokens(kept).get_title(loc="left")


def test_a_text_only_talk_has_no_empty_keys(talk: Any) -> None:
    """The legend names what there is."""
    used = talk.usage[(talk.usage["modality"] == "text") & (talk.usage["direction"] == "input")]
    ax = plots.tokens(used)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["text in", "cached"]
    assert ax.get_ylabel() == "tokens in"


def test_nothing_yet_says_what_to_do(nothing: Any) -> None:
    """An empty frame gives an empty plot with a line that changes that."""
    assert "no turns yet" in [text.get_text() for text in plots.tokens(nothing.usage).texts]


def test_ten_thousand_turns_share_columns(make_talk: Callable[[int], Any]) -> None:
    """Too many turns to tell apart become means, and the axis says so; the numbers in the title stay exact."""
    used = make_talk(10_000).usage
    ax = plots.tokens(used)
    assert ax.get_xlabel() == "turn (each column: the mean of 42)"
    assert len(ax.collections) == 6
    means = used[used["direction"] == "input"].groupby("turn")["tokens"].sum().to_numpy(float)
    columns = [means[at : at + 42].mean() for at in range(0, len(means), 42)]
    assert extent(ax, "audio in")[1] == pytest.approx(max(columns))
    assert ax._repr_png_()


def test_another_frame_is_refused(talk: Any) -> None:
    """The error says which frame is drawn."""
    with pytest.raises(ConfigError, match=r"session\.usage"):
        plots.tokens(talk.turns)
