"""The conformance table is what the code says, and has no gaps."""

from __future__ import annotations

from .table import PAGE, render, tables


def test_the_table_is_fresh_and_whole() -> None:
    """The committed table is what its generator writes now, and every row says where and by what it is tested."""
    found = tables()
    gaps = {row.name: row.gaps for rows in found.values() for row in rows if row.gaps}
    assert not gaps
    assert PAGE.read_text(encoding="utf-8") == render(found), "Try: python tests/conformance/table.py --write"


def test_every_kind_of_row_is_there() -> None:
    """Eleven events of the client, forty-six of the server, and the fields of session and response."""
    client, server, session, response = (len(rows) for rows in tables().values())
    assert (client, server, response) == (11, 46, 12)
    assert session > 90
