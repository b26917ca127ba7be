"""Frames go to other libraries by the Arrow PyCapsule protocol, without a line of ours in between."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.history import EventLog, History
from realtime_nb.models import model

pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
FRAMES = ("history", "turns", "usage", "events", "rate_limits", "what_if")


@pytest.mark.parametrize("name", FRAMES)
def test_polars_and_pyarrow_read_every_frame(wire: Any, name: str) -> None:
    """Same columns, same rows, and what is missing is null."""
    wire.session()
    wire.type("Hello.", "item_1")
    frame = getattr(wire.frames, name)
    for read in (pl.DataFrame, pa.table):
        there = read(frame)
        assert list(getattr(there, "columns" if read is pl.DataFrame else "column_names")) == list(frame.columns)
        assert there.shape == frame.shape
    polars = pl.DataFrame(frame)
    assert {column: polars[column].null_count() for column in polars.columns} == frame.isna().sum().to_dict()


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_is_a_stream_of_the_capsule_protocol(wire: Any, name: str) -> None:
    """Whoever knows the protocol alone, and neither us nor pandas, reads the same rows."""
    wire.session()
    wire.type("Hello.", "item_1")
    frame = getattr(wire.frames, name)
    told = pa.RecordBatchReader.from_stream(frame).read_all()
    assert told.to_pylist() == frame.astype(object).where(frame.notna(), None).to_dict("records")


@pytest.mark.parametrize("name", FRAMES)
def test_an_empty_frame_has_the_same_types(wire: Any, name: str) -> None:
    """Whoever reads it first need not guess."""
    empty = pl.DataFrame(getattr(History(EventLog(), model("gpt-realtime-mini")), name))
    wire.session()
    wire.type("Hello.", "item_1")
    assert empty.schema == pl.DataFrame(getattr(wire.frames, name)).schema


def test_duckdb_reads_a_frame_where_it_is(wire: Any) -> None:
    """Its name in the query is enough."""
    duckdb = pytest.importorskip("duckdb")
    wire.type("Hello.", "item_1")
    history = wire.frames.history
    assert duckdb.sql("select text from history").fetchall() == [(text,) for text in history.text] == [("Hello.",)]
