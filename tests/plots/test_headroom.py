"""What the rate limits allow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb import plots
from realtime_nb.errors import ConfigError

LIMIT = {"name": "tokens", "limit": 1000}


def frame(*rows: tuple[float, int, float]) -> pd.DataFrame:
    """Rows of time, remaining and seconds to the refill, of one limit of 1,000 tokens."""
    return pd.DataFrame([LIMIT | {"t_s": t_s, "remaining": left, "reset_s": reset} for t_s, left, reset in rows])


def test_a_limit_drops_and_refills(talk: Any) -> None:
    """Full until the first news, then a drop at each, and a straight refill over the seconds that were told."""
    (line,) = plots.rate_limits(frame((10, 400, 60.0), (40, 200, 30.0))).lines
    x, y = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert (x[0], y[0], y[1]) == (0, 1, 1)
    assert y[2] == pytest.approx(0.4)
    assert y[x == 40][0] == pytest.approx(0.4 + 0.6 * 30 / 60)
    assert y[x == 40][-1] == pytest.approx(0.2)
    assert (x[-1], y[-1]) == pytest.approx((70, 1))


def test_the_tightest_limit_leads(talk: Any) -> None:
    """The one that was lowest is solid, first in the legend, and in the title."""
    ax = plots.rate_limits(talk.rate_limits)
    assert [line.get_label().split(":")[0] for line in ax.lines] == ["tokens", "requests"]
    assert ax.lines[0].get_linestyle() == "-"
    assert ax.get_title(loc="left").endswith("left at the lowest (tokens)")
    assert ax.get_ylabel() == "left of the limit"


def test_every_limit_is_known_to_the_end(talk: Any) -> None:
    """A limit that is full again stays so: no line ends before the axis does."""
    ax = plots.rate_limits(talk.rate_limits)
    assert all(line.get_xdata()[-1] >= ax.get_xlim()[1] for line in ax.lines)


def test_a_refill_of_no_time_is_none() -> None:
    """A reset of zero seconds divides by nothing."""
    (line,) = plots.rate_limits(frame((1, 1000, 0.0), (2, 999, 0.0))).lines
    assert np.isfinite(line.get_ydata()).all()


def test_rows_without_a_limit_are_left_out() -> None:
    """A row with a missing or zero limit says nothing."""
    rows = frame((1, 500, 30.0), (2, 400, 36.0), (3, 300, 42.0)).convert_dtypes()
    rows.loc[1, "limit"] = pd.NA
    rows.loc[2, "limit"] = 0
    (line,) = plots.rate_limits(rows).lines
    assert line.get_label() == "tokens: 500 of 1k left"


def test_nothing_told_says_why(nothing: Any) -> None:
    """A local server tells no limits unless it is given a tier; the plot says how."""
    written = [text.get_text() for text in plots.rate_limits(nothing.rate_limits).texts]
    assert written[0].startswith("no rate limits were told")
    assert written[1] == "realtime-nb serve --tier 1"


def test_ten_thousand_turns_are_drawn(make_talk: Callable[[int], Any]) -> None:
    """Two lines, whatever the number of news."""
    ax = plots.rate_limits(make_talk(10_000).rate_limits)
    assert len(ax.lines) == 2
    assert ax._repr_png_()


def test_another_frame_is_refused(talk: Any) -> None:
    """The error names what is missing."""
    with pytest.raises(ConfigError, match="remaining"):
        plots.rate_limits(talk.turns)
