"""How results look to the model."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from pydantic import BaseModel

from realtime_nb.tools.output import error_output, output_text


@dataclass
class Point:
    """A place."""

    x: float
    name: str


class Model(BaseModel):
    """Of pydantic's."""

    size: int


class Bare:
    """Shows nothing but an address."""


class Colour(enum.Enum):
    """One."""

    RED = "red"


def numbers() -> Iterator[int]:
    """Without end."""
    count = 0
    while True:
        yield count
        count += 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as is", "as is"),
        ("", ""),
        (None, "done"),
        (3, "3"),
        (True, "true"),
        (float("nan"), "null"),
        ([1.5, float("inf")], "[1.5,null]"),
        ({"a": {1}, 2: (3,)}, '{"a":[1],"2":[3]}'),
        (Point(1.0, "Oslo"), '{"x":1.0,"name":"Oslo"}'),
        (Model(size=2), '{"size":2}'),
        (Colour.RED, '"red"'),
        (dt.date(2026, 1, 2), '"2026-01-02"'),
        (decimal.Decimal("1.10"), '"1.10"'),
        (Path("a/b"), '"a/b"'),
        (OrderedDict(a=1), '{"a":1}'),
        (range(3), "[0,1,2]"),
        (1 + 2j, '"(1+2j)"'),
        (b"plain words", "plain words"),
        (b"\x00\x01\xff", "3 bytes"),
        (b"\x00\x01", "2 bytes"),
        (np.float32(0.5), "0.5"),
        (np.int64(7), "7"),
        (np.array([1.0, np.nan]), "[1.0,null]"),
        (np.array([[1, 2], [3, 4]]), "[[1,2],[3,4]]"),
        ({"a": np.arange(3), "b": np.arange(1)[0] == 0}, '{"a":[0,1,2],"b":true}'),
        (pd.DataFrame({"a": [1.0, np.nan], "b": ["x", "y"]}), "a,b\n1.0,x\n,y\n"),
        (pd.DataFrame({"a": [1]}, index=["r"]), ",a\nr,1\n"),
        (pd.Series([1, 2], name="n"), "n\n1\n2\n"),
        ({"t": pd.DataFrame({"a": [1, 2]})}, '{"t":[{"a":1},{"a":2}]}'),
        ({"s": pd.Series([1], index=["k"])}, '{"s":{"k":1}}'),
        (pd.Timestamp("2026-01-02"), '"2026-01-02T00:00:00"'),
        (2**70, str(2**70)),
    ],
)
def test_values(value: Any, text: str) -> None:
    """Each kind of result has its words."""
    assert output_text(value) == text


@pytest.mark.parametrize("value", [Bare(), [Bare()], Figure(), Image.new("L", (2, 2)), lambda: 0, object, Bare])
def test_no_addresses(value: Any) -> None:
    """An object that cannot be put into words is named, without its address."""
    text = output_text(value)
    assert " at 0x" not in text
    assert text


def test_long_texts_are_cut_with_a_note() -> None:
    """A result is cut to a size that the conversation can bear, and says so."""
    text = output_text("word " * 10_000)
    assert len(text) < 8_100
    assert text.endswith("[cut: the first 8,000 of 50,000 characters]")


def test_long_tables_are_cut_with_a_note() -> None:
    """A long table is cut by rows."""
    text = output_text(pd.DataFrame({"a": np.zeros(100_000, dtype=int)}), max_chars=100_000)
    assert text.count("\n") == 501
    assert text.endswith("[cut: the first 500 of 100,000 rows]")


def test_large_arrays_are_summed_up() -> None:
    """A large array tells its shape, type and first values."""
    text = output_text(np.zeros((1000, 1000), dtype=np.float32))
    assert text.startswith("array of shape (1000, 1000), float32; its first 2,000 values: [0.0,")


def test_endless_generators_end() -> None:
    """A generator is read as far as it makes sense."""
    assert len(json.loads(output_text(numbers(), max_chars=100_000))) == 2_000


def test_errors() -> None:
    """An error is JSON with type and message."""
    assert json.loads(error_output("ValueError", 'no "x"')) == {"error": {"type": "ValueError", "message": 'no "x"'}}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=10,
)


@given(st.lists(json_values) | st.dictionaries(st.text(st.characters(codec="utf-8")), json_values))
def test_json_stays_json(value: Any) -> None:
    """Whatever JSON can say comes out as JSON, never with NaN in it."""
    text = output_text(value, max_chars=10**6)
    json.loads(text, parse_constant=pytest.fail)
