"""Quantities in words."""

from __future__ import annotations

from itertools import pairwise

import pytest
from matplotlib.figure import Figure

from realtime_nb.plots.lettering import text_width, wrapped
from realtime_nb.plots.units import TimeLocator, clock, count, duration, percent, plural, usd


@pytest.mark.parametrize(
    ("ms", "words"),
    [(0, "0 ms"), (640.4, "640 ms"), (999.6, "1.00 s"), (1240, "1.24 s"), (12_400, "12.4 s"), (185_000, "3:05 min"),
     (3_725_000, "1:02:05 h")],
)  # fmt: skip
def test_durations_have_the_unit_that_fits(ms: float, words: str) -> None:
    """Milliseconds, seconds, minutes or hours."""
    assert duration(ms) == words


@pytest.mark.parametrize(
    ("dollars", "words"),
    [(0, "$0.00"), (12.3, "$12.30"), (0.999, "$1.00"), (0.0324, "$0.0324"), (0.2, "$0.20"), (0.00005424, "$0.0000542"),
     (1234.5, "$1,234.50")],
)  # fmt: skip
def test_dollars_keep_the_figures_that_count(dollars: float, words: str) -> None:
    """A thousandth of a cent is not zero."""
    assert usd(dollars) == words


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0"), (950, "950"), (-1200, "1.2k"), (999_700, "1M"), (4_100_000, "4.1M"), (2e9, "2G")]
)
def test_counts_are_short_and_without_sign(number: float, words: str) -> None:
    """A mirrored axis counts both ways."""
    assert count(number) == words


@pytest.mark.parametrize(("share", "words"), [(0.973, "97%"), (1.39, "139%"), (0.0493, "4.9%"), (0.0039, "0.39%")])
def test_small_shares_are_not_zero(share: float, words: str) -> None:
    """Two figures count."""
    assert percent(share) == words


def test_nouns_agree_with_their_number() -> None:
    """One turn, two turns, three replies."""
    assert [plural(1, "turn"), plural(2000, "turn"), plural(3, "reply", "replies")] == [
        "1 turn",
        "2,000 turns",
        "3 replies",
    ]


def test_a_clock_counts_hours_when_there_are_any() -> None:
    """Minutes and seconds, with hours in front where needed."""
    assert [clock(5), clock(65), clock(3725), clock(-65)] == ["0:05", "1:05", "1:02:05", "-1:05"]


@pytest.mark.parametrize("end_s", [0.8, 30, 100, 600, 5400, 90_000, 900_000])
def test_time_is_ticked_where_a_person_counts(end_s: float) -> None:
    """Ticks are a count of tenths, seconds, minutes, hours or days apart that a person uses, and are never crowded."""
    ax = Figure(figsize=(9, 2)).add_subplot()
    ax.set_xlim(0, end_s)
    ax.xaxis.set_major_locator(TimeLocator())
    ticks = [tick for tick in ax.get_xticks() if 0 <= tick <= end_s]
    assert 3 <= len(ticks) <= 13
    (step,) = {round(b - a, 6) for a, b in pairwise(ticks)}
    assert step in {0.1, 0.2, 5, 15, 60, 120, 600, 900, 10_800, 14_400, 21_600, 86_400, 172_800}


def test_text_is_measured_as_it_is_drawn() -> None:
    """The width told is the width on the page."""
    figure = Figure(dpi=72)
    text = figure.text(0, 0, "The longest river", fontsize=8, family="DejaVu Sans")
    figure.draw_without_rendering()
    assert text_width("The longest river", 8) == pytest.approx(text.get_window_extent().width, abs=2)


def test_wrapping_never_breaks_a_word_or_a_line_too_long() -> None:
    """What is too much ends in an ellipsis; where not even a word fits there is nothing."""
    text = "The Nile, about six thousand kilometres"
    for width in range(5, 300, 7):
        lines = wrapped(text, width, 8, lines=2).split("\n")
        assert len(lines) <= 2
        assert all(text_width(line, 8) <= width for line in lines)
        words = set(" ".join(lines).removesuffix("\N{HORIZONTAL ELLIPSIS}").split())
        assert words <= set(text.replace(",", " ,").replace(" ,", ",").split()) | {"Nile"}
    assert wrapped(text, 10, 8, lines=2) == ""
    assert wrapped(text, 1000, 8, lines=2) == text
    assert wrapped("", 100, 8, lines=2) == ""
