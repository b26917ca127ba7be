"""How long one waits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb import plots
from realtime_nb.errors import ConfigError


def dots(ax: Any) -> list[np.ndarray]:
    """The times of each row."""
    return [np.asarray(line.get_xdata()) for line in ax.lines if line.get_marker() == "o"]


def test_every_stage_is_a_row(talk: Any) -> None:
    """Four stages with their medians; each reply that had the stage is a dot."""
    ax = plots.latency(talk.turns)
    turns = talk.turns
    words, sound, whole = turns["first_text_ms"], turns["first_audio_ms"], turns["total_ms"]
    for got, column in zip(dots(ax), (words, sound - words, sound, whole), strict=True):
        assert got.tolist() == pytest.approx(column.dropna().to_list())
    names = [tick.get_text().split("\n")[0] for tick in ax.get_yticklabels()]
    assert names == ["first words", "words to sound", "first sound", "whole reply"]
    assert "828 ms" in ax.get_yticklabels()[2].get_text()


def test_the_title_says_the_wait_for_sound(talk: Any) -> None:
    """The median first sound, and of how many replies."""
    assert plots.latency(talk.turns).get_title(loc="left") == "Latency: first sound after 828 ms (median of 4 replies)"


def test_a_written_talk_has_no_rows_of_sound(talk: Any) -> None:
    """Stages that never happened are left out, and the title tells of the first words."""
    ax = plots.latency(talk.turns.assign(first_audio_ms=np.nan))
    assert len(dots(ax)) == 2
    assert "first words after" in ax.get_title(loc="left")


def test_the_axis_is_logarithmic_and_in_words(make_talk: Callable[[int], Any]) -> None:
    """Milliseconds below a second, seconds above; all dots are in view, and labels never touch."""
    for width in (4.6, 9):
        ax = plots.latency(make_talk(200).turns, figsize=(width, 3))
        ax.figure.draw_without_rendering()
        assert ax.get_xscale() == "log"
        low, high = ax.get_xlim()
        assert all(low < row.min() <= row.max() < high for row in dots(ax))
        labels = [tick for tick in ax.get_xticklabels() if low <= tick.get_position()[0] <= high]
        assert {"100 ms", "1 s"} <= {label.get_text() for label in labels}
        boxes = [label.get_window_extent() for label in labels]
        assert not any(a.x1 > b.x0 for a, b in pairwise(boxes))


def test_quartiles_want_enough_replies(talk: Any, make_talk: Callable[[int], Any]) -> None:
    """Of six replies no quartiles are drawn, of forty they are, with what 95 % stay under."""
    few, many = plots.latency(talk.turns), plots.latency(make_talk(40).turns)
    assert len(few.collections) == 0
    assert len(many.collections) == 4
    assert "95% <" in many.get_yticklabels()[0].get_text()


def test_no_reply_is_hidden(make_talk: Callable[[int], Any]) -> None:
    """Single dots lie on the bar of their quartiles; a cloud of them lies under it."""
    for count, above in ((20, True), (400, False)):
        ax = plots.latency(make_talk(count).turns)
        points = [line.get_zorder() for line in ax.lines if line.get_marker() == "o"]
        bars = [bar.get_zorder() for bar in ax.collections]
        assert (min(points) > max(bars)) is above


def test_times_that_are_not_are_left_out(talk: Any) -> None:
    """Missing, zero and negative times have no place on a logarithmic axis."""
    turns = talk.turns.copy()
    turns["first_text_ms"] = pd.array([0, -5, pd.NA, 500, 600, 700], dtype="Int64")
    assert dots(plots.latency(turns))[0].tolist() == [500, 600, 700]


def test_replies_of_one_length_are_drawn(talk: Any) -> None:
    """Where all times are the same there is no density, and no division by it."""
    turns = pd.concat([talk.turns] * 3).assign(first_text_ms=500.0, first_audio_ms=700.0, total_ms=900.0)
    assert plots.latency(turns)._repr_png_()


def test_replies_of_nearly_one_length_are_drawn(talk: Any) -> None:
    """Times of a clock that was played again differ in the last bits: no bins fit between them."""
    turns = pd.concat([talk.turns] * 3).assign(first_text_ms=500.0, first_audio_ms=700.0)
    turns["total_ms"] = 900 + np.arange(len(turns)) * 2e-13
    assert turns["total_ms"].min() < turns["total_ms"].max()
    assert plots.latency(turns)._repr_png_()


def test_nothing_yet_says_what_to_do(nothing: Any) -> None:
    """An empty frame gives an empty plot with a line that changes that."""
    assert "no turns yet" in [text.get_text() for text in plots.latency(nothing.turns).texts]


def test_ten_thousand_turns_are_drawn(make_talk: Callable[[int], Any]) -> None:
    """Every reply is a dot, and the artists are as many as for ten."""
    ax = plots.latency(make_talk(10_000).turns)
    assert [len(row) for row in dots(ax)] == [10_000] * 4
    assert len(ax.lines) + len(ax.collections) == 12
    assert ax._repr_png_()


def test_another_frame_is_refused(talk: Any) -> None:
    """The error names what is missing."""
    with pytest.raises(ConfigError, match="first_text_ms"):
        plots.latency(talk.usage)
