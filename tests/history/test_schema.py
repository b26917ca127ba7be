"""Texts of a column, end to end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.history.schema import HISTORY, Packed, Repeated

pa = pytest.importorskip("pyarrow", reason="a column of pyarrow's: pip install 'realtime-nb[arrow]'")
some_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LONG = 70_000


@given(st.lists(some_text))
def test_texts_of_any_script_come_back(texts: list[str]) -> None:
    """Packed and read again they are the same, with pyarrow and without; an empty one is missing."""
    packed = Packed([Packed.text(texts)])
    assert list(packed.strings()) == [text or None for text in texts]
    assert pa.chunked_array(list(packed.arrow()), pa.large_string()).to_pylist() == list(packed.strings())


@given(st.lists(st.none() | some_text, min_size=1), st.data())
def test_repeated_texts_come_back(texts: list[str | None], data: st.DataObject) -> None:
    """Each row has its text, or none."""
    codes = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=50))
    column = Repeated(np.array(codes, np.int16), texts)
    assert pa.chunked_array(list(column.arrow()), pa.large_string()).to_pylist() == [texts[code] for code in codes]


def test_a_column_of_any_length_comes_back() -> None:
    """More rows and more text than fit into one piece are in several, and all there."""
    column = Repeated(np.arange(LONG, dtype=np.int32) % 3, ["one", None, "\N{GREEK SMALL LETTER ALPHA}" * 40])
    assert pa.chunked_array(list(column.arrow())).to_pylist() == [column.texts[code] for code in column.codes]


def test_rows_are_looked_at_once() -> None:
    """A frame can be made of rows that are made while it is; what a row does not have is missing."""
    frame = HISTORY.frame({"item_id": name, "text": name and f"says {name}"} for name in ("a", None, "c"))
    assert frame["text"].isna().tolist() == [False, True, False]
    assert frame["turn"].isna().all()
