"""The columns of every frame, with their dtypes: the same when a frame is empty."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["COST", "EVENTS", "HISTORY", "RATE_LIMITS", "TURNS", "USAGE", "WHAT_IF", "Packed", "Repeated", "Table"]

STRING, FLOAT, INT, BOOL = "string", "float64", "Int64", "boolean"


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a frame, in order, with their pandas dtypes."""

    columns: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return list(self.columns)

    def frame(self, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """Make a frame; what a row does not have is missing in it.

        Parameters
        ----------
        rows : sequence of mapping
            Column: value; other keys are ignored.

        Returns
        -------
        DataFrame
            These columns in this order, of these dtypes, whatever the rows.
        """
        return self.of_columns({name: [row.get(name) for row in rows] for name in self.columns})

    def of_columns(self, values: Mapping[str, Texts]) -> pd.DataFrame:
        """Make a frame of its columns' values.

        Parameters
        ----------
        values : mapping of str to sequence, Repeated or Packed
            All columns, of one length.

        Returns
        -------
        DataFrame
            As :meth:`frame` makes it.
        """
        import pandas as pd

        data = {name: _series(values[name], dtype) for name, dtype in self.columns.items()}
        return pd.DataFrame(data, columns=self.names, copy=False)


@dataclass(frozen=True, slots=True, eq=False)
class Repeated:
    """Texts of which most come often, each kept once."""

    codes: NDArray[np.int32]
    """For each row, which of `texts` it is."""
    texts: Sequence[str | None]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Texts that all differ, end to end: a tenth of what as many strings take; an empty one is missing."""

    chunks: Iterable[tuple[NDArray[np.int64], bytes]]
    """Where each text begins, and the last one ends, in UTF-8."""

    @staticmethod
    def chunk(texts: Sequence[Any]) -> tuple[NDArray[np.int64], bytes]:
        """Some texts in UTF-8, end to end."""
        places = np.zeros(len(texts) + 1, np.int64)
        np.cumsum([len(text) for text in texts], out=places[1:])
        return places, b"".join(texts)

    def strings(self) -> Iterator[str | None]:
        """The texts, one by one."""
        for places, data in self.chunks:
            ends = places.tolist()
            yield from (str(data[begin:end], "utf-8") or None for begin, end in pairwise(ends))

    def arrow(self) -> Iterator[pa.Array]:
        """The texts as pyarrow holds them: as they are."""
        import pyarrow as pa

        for places, data in self.chunks:
            there = np.packbits(np.diff(places) > 0, bitorder="little")
            buffers = [pa.py_buffer(there), pa.py_buffer(places), pa.py_buffer(data)]
            yield pa.Array.from_buffers(pa.large_string(), len(places) - 1, buffers)


Texts: TypeAlias = Iterable[Any] | Repeated | Packed


def _series(values: Texts, dtype: str) -> pd.Series:
    """A column. Pandas looks at each text several times; pyarrow, where it is installed and holds the texts, once."""
    import pandas as pd

    if dtype == STRING and pd.StringDtype().storage == "pyarrow":
        return pd.Series(pd.array(_arrow(values), dtype=dtype), copy=False)
    if isinstance(values, Repeated):
        values = np.array([pd.NA if text is None else text for text in values.texts], object)[values.codes]
    elif isinstance(values, Packed):
        values = list(values.strings())
    return pd.Series(values, dtype=dtype)


def _arrow(values: Texts) -> pa.ChunkedArray:
    """Texts as pyarrow holds them."""
    import pyarrow as pa

    kind = pa.large_string()
    if isinstance(values, Packed):
        return pa.chunked_array(list(values.arrow()), kind)
    if isinstance(values, Repeated):
        return pa.chunked_array([pa.DictionaryArray.from_arrays(values.codes, pa.array(values.texts, kind)).cast(kind)])
    return pa.chunked_array([pa.array(values, kind)])


COST = Table(
    {
        "direction": STRING,
        "modality": STRING,
        "cached": BOOL,
        "tokens": INT,
        "usd_per_1m": FLOAT,
        "cost_usd": FLOAT,
    }
)

HISTORY = Table(
    {
        "item_id": STRING,
        "turn": INT,
        "role": STRING,
        "type": STRING,
        "status": STRING,
        "text": STRING,
        "transcript": STRING,
        "audio_s": FLOAT,
        "image": STRING,
        "call_id": STRING,
        "name": STRING,
        "arguments": STRING,
        "output": STRING,
        "created_s": FLOAT,
    }
)

TURNS = Table(
    {
        "turn": INT,
        "response_id": STRING,
        "status": STRING,
        "reason": STRING,
        "input": STRING,
        "output": STRING,
        "input_s": FLOAT,
        "output_s": FLOAT,
        "speech_end_s": FLOAT,
        "first_text_ms": FLOAT,
        "first_audio_ms": FLOAT,
        "total_ms": FLOAT,
        "input_tokens": INT,
        "cached_tokens": INT,
        "output_tokens": INT,
        "cost_usd": FLOAT,
        "interrupted_at_ms": FLOAT,
    }
)

USAGE = Table({"turn": INT, "response_id": STRING, **COST.columns})

WHAT_IF = Table(
    {
        "model": STRING,
        "used": BOOL,
        "input_usd": FLOAT,
        "cached_usd": FLOAT,
        "output_usd": FLOAT,
        "cost_usd": FLOAT,
        "times": FLOAT,
    }
)

EVENTS = Table(
    {
        "t_s": FLOAT,
        "direction": STRING,
        "type": STRING,
        "event_id": STRING,
        "item_id": STRING,
        "response_id": STRING,
        "bytes": INT,
        "payload": STRING,
    }
)

RATE_LIMITS = Table({"t_s": FLOAT, "name": STRING, "limit": INT, "remaining": INT, "reset_s": FLOAT})
