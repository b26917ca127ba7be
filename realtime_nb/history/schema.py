"""The columns of every frame, with their dtypes: the same when a frame is empty."""

from __future__ import annotations

import mmap
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

_ROWS = 1 << 13
_PAGES = 1 << 16
STRING, FLOAT, INT, BOOL = "string", "float64", "Int64", "boolean"


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of a frame, in order, with their pandas dtypes."""

    columns: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        """The columns' names, in order."""
        return list(self.columns)

    def frame(self, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        """Make a frame; what a row does not have is missing in it.

        Parameters
        ----------
        rows : iterable of mapping
            Column: value; other keys are ignored. Each is looked at once, and may be gone then.

        Returns
        -------
        DataFrame
            These columns in this order, of these dtypes, whatever the rows.
        """
        names = self.names
        columns = list(zip(*[tuple(map(row.get, names)) for row in rows], strict=True)) or [()] * len(names)
        return self.of_columns(dict(zip(names, columns, strict=True)))

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

    codes: NDArray[np.signedinteger[Any]]
    """For each row, which of `texts` it is."""
    texts: Sequence[str | None]

    def arrow(self) -> Iterator[pa.Array]:
        """The texts as pyarrow holds them, some rows at a time: what it writes in one go takes a third more."""
        import pyarrow as pa

        texts = pa.array(self.texts, pa.large_string())
        for start in range(0, len(self.codes), _ROWS):
            codes = self.codes[start : start + _ROWS]
            there, ends, data = pa.DictionaryArray.from_arrays(codes, texts).cast(pa.large_string()).buffers()
            places = np.frombuffer(ends, np.int64, len(codes) + 1).copy()
            yield _strings(places, memoryview(data or b"")[: places[-1]], there and pa.py_buffer(bytes(there)))


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """Texts that all differ, end to end: a tenth of what as many strings take; an empty one is missing."""

    chunks: Iterable[tuple[NDArray[np.int64], bytes]]
    """Where each text begins, and the last one ends, in UTF-8."""

    @staticmethod
    def chunk(texts: Sequence[Any]) -> tuple[NDArray[np.int64], bytes]:
        """Some texts in UTF-8, end to end."""
        return _places(texts), b"".join(texts)

    @classmethod
    def text(cls, texts: Sequence[str]) -> tuple[NDArray[np.int64], bytes]:
        """Some texts, end to end."""
        joined = "".join(texts)
        if not joined.isascii():  # a letter is not a byte
            return cls.chunk([text.encode() for text in texts])
        return _places(texts), joined.encode()

    def strings(self) -> Iterator[str | None]:
        """The texts, one by one."""
        for places, data in self.chunks:
            ends = places.tolist()
            yield from (str(data[begin:end], "utf-8") or None for begin, end in pairwise(ends))

    def arrow(self) -> Iterator[pa.Array]:
        """The texts as pyarrow holds them: as they are."""
        return (_strings(places, data, _bits(np.diff(places) > 0)) for places, data in self.chunks)


def _places(texts: Sequence[Any]) -> NDArray[np.int64]:
    """Where each begins, and the last one ends."""
    places = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=places[1:])
    return places


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
    return pd.Series(values, dtype=dtype, copy=True if isinstance(values, np.ndarray) else None)


def _bits(there: NDArray[np.bool_]) -> pa.Buffer:
    import pyarrow as pa

    return pa.py_buffer(np.packbits(there, bitorder="little"))


def _strings(places: NDArray[np.int64], data: bytes | memoryview, there: pa.Buffer | None) -> pa.Array:
    """Texts that lie end to end, as pyarrow holds them; without `there` none is missing."""
    import pyarrow as pa

    buffers = [there, pa.py_buffer(places), pa.py_buffer(_apart(data))]
    return pa.Array.from_buffers(pa.large_string(), len(places) - 1, buffers)


def _apart(data: bytes | memoryview) -> bytes | mmap.mmap:
    """Much text in pages of its own: in the heap it would take the places of blocks that were read, and leave holes."""
    if len(data) < _PAGES:
        return bytes(data)
    pages = mmap.mmap(-1, len(data))
    pages[:] = data
    return pages


def _arrow(values: Texts) -> pa.ChunkedArray:
    """Texts as pyarrow holds them."""
    import pyarrow as pa

    kind = pa.large_string()
    if isinstance(values, Packed | Repeated):
        return pa.chunked_array(list(values.arrow()), kind)
    texts = list(values)
    there = np.fromiter((text is not None for text in texts), np.bool_, len(texts))
    return pa.chunked_array([_strings(*Packed.text([text or "" for text in texts]), _bits(there))])


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
