"""SQL over many kept sessions, by DuckDB in this process; it reads only."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from realtime_nb.errors import CassetteError, ConfigError, MissingExtra
from realtime_nb.logs import shelf

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

    from realtime_nb.archive import SavedHistory

__all__ = ["TABLES", "sql"]

TABLES = ("sessions", "history", "turns", "usage", "events", "rate_limits")
_SESSIONS = ("session_id", "begun", "model", "brain", "path")
_SHUT: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "python_enable_replacements": False,
    "lock_configuration": True,
}
"""A query sees these tables: no file, no network, no variable of the notebook."""
Folder: TypeAlias = "str | os.PathLike[str]"


def sql(
    query: str,
    parameters: Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    folders: Folder | Iterable[Folder] | None = None,
) -> pd.DataFrame:
    """Ask all kept sessions something in SQL.

    Parameters
    ----------
    query : str
        One ``select`` in DuckDB's dialect. The tables are the frames of a session, ``history``, ``turns``,
        ``usage``, ``events`` and ``rate_limits``, each with a first column ``session_id``; and ``sessions``:
        ``session_id, begun, model, brain, path``. Only those that are named are read.
    parameters : sequence or mapping, optional
        Values for ``?`` or ``$1``, or by name for ``$name``.
    folders : path or iterable of path, optional
        Saved conversations, or folders of them; by default where sessions are kept.

    Returns
    -------
    DataFrame
        The answer.

    Raises
    ------
    ConfigError
        The query is wrong, or does something else than select.
    MissingExtra
        DuckDB is not installed.

    Warns
    -----
    UserWarning
        A session cannot be read; the others are.

    Examples
    --------
    >>> import realtime_nb as rt
    >>> rt.sql("select model, sum(cost_usd) from turns join sessions using (session_id) group by 1")  # doctest: +SKIP
    >>> rt.sql("select session_id, output from turns where first_audio_ms > ?", [1000])  # doctest: +SKIP
    """
    missing = [name for name in ("duckdb", "pyarrow") if find_spec(name) is None]
    if missing:
        raise MissingExtra(f"rt.sql needs {' and '.join(missing)}.", hint='%pip install "realtime-nb[sql]"')
    import duckdb

    with duckdb.connect(":memory:", config=_SHUT) as database:
        try:
            _check(database, query)
            named = [table for table in TABLES if re.search(rf"\b{table}\b", query, re.IGNORECASE)]
            for table, rows in _tables(named, _paths(folders)).items():
                database.register(table, rows)
            return database.execute(query, parameters).df()
        except duckdb.Error as error:
            raise ConfigError(
                f"The query cannot be answered: {error}\nThere are the tables {', '.join(TABLES)}.",
                hint='rt.sql("select * from turns limit 3")',
            ) from None


def _check(database: duckdb.DuckDBPyConnection, query: str) -> None:
    kinds = [statement.type.name for statement in database.extract_statements(query)]
    if kinds != ["SELECT"]:
        raise ConfigError(
            f"A query is one select, not {' and '.join(kinds) or 'nothing'}: what was kept is only read.",
            hint='rt.sql("select * from turns")',
        )


def _paths(folders: Folder | Iterable[Folder] | None) -> list[Path]:
    """The conversations, each once, the oldest first."""
    if folders is None:
        return [kept.path for kept in reversed(shelf.sessions())]
    given = [folders] if isinstance(folders, str | os.PathLike) else folders
    found: list[Path] = []
    for folder in (Path(each).expanduser().resolve() for each in given):
        inside = [folder] if (folder / shelf.EVENTS).is_file() else [kept.path for kept in shelf.sessions(folder)][::-1]
        if not inside:
            raise ConfigError(f"There is no saved conversation in {str(folder)!r}.", hint='session.save("talk")')
        found += inside
    return list(dict.fromkeys(found))


def _tables(names: Sequence[str], paths: Iterable[Path]) -> dict[str, pa.Table]:
    """The tables of those names, empty ones too."""
    import pyarrow as pa

    from realtime_nb.history import EventLog, History
    from realtime_nb.models import model

    frames: dict[str, list[pa.Table]] = {name: [] for name in names if name != "sessions"}
    empty = History(EventLog(), model("local"))
    for name, parts in frames.items():
        parts.append(_with_id(pa.table(getattr(empty, name)), ""))
    facts: list[dict[str, str]] = []
    for saved in _opened(paths) if names else ():
        told = {row["session_id"] for row in facts}
        ids = (saved.id, f"{saved.id}@{saved.path.name}", f"{saved.id}@{saved.path}")  # it may be saved many times
        session_id = next(each for each in ids if each not in told)
        row = (session_id, saved.begun, saved.card.name, saved.brain, str(saved.path))
        facts.append(dict(zip(_SESSIONS, row, strict=True)))
        for name, parts in frames.items():
            parts.append(_with_id(pa.table(getattr(saved, name)), session_id))
    tables = {name: pa.concat_tables(parts, promote_options="permissive") for name, parts in frames.items()}
    if "sessions" in names:
        tables["sessions"] = pa.Table.from_pylist(facts, pa.schema([(name, pa.string()) for name in _SESSIONS]))
    return tables


def _opened(paths: Iterable[Path]) -> Iterable[SavedHistory]:
    from realtime_nb.archive import open_history

    for path in paths:
        try:
            yield open_history(path)
        except CassetteError as error:
            warnings.warn(f"{path.name} is left out: {error.message}", stacklevel=4)


def _with_id(table: pa.Table, session_id: str) -> pa.Table:
    import pyarrow as pa

    return table.add_column(0, "session_id", pa.array([session_id] * len(table), pa.string()))
