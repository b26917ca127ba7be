"""Words in the room there is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.plots.lettering import text_width, wrapped

TEXT = "You can visit museums, learn about history, and engage in conversation."


@given(st.floats(1, 400), st.integers(1, 4))
def test_what_is_left_out_is_told_by_an_ellipsis(width_pt: float, lines: int) -> None:
    """At any width, there are all the words, or some and an ellipsis, or none; and no line is wider than the room."""
    rows = wrapped(TEXT, width_pt, 8, lines=lines).split("\n")
    shown = " ".join(rows)
    assert shown in {"", TEXT} or shown.endswith("\N{HORIZONTAL ELLIPSIS}")
    assert len(rows) <= lines
    assert all(text_width(row, 8) <= width_pt for row in rows if row)
