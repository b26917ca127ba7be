"""Tests of conversations: ``rt_cassette`` plays what was recorded, and ``--rt-record`` says when to record.

>>> def test_the_model_says_hello(rt_cassette):  # doctest: +SKIP
...     with rt.connect("local") as session:
...         assert "hello" in session.say("Say hello.").text.lower()

``pytest --rt-record=once`` records it, beside the test; from then on ``pytest`` plays it, and no socket is opened.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from realtime_nb.cassette.deck import Deck

__all__ = ["pytest_addoption", "rt_cassette"]

OPTION = "--rt-record"
HINT = f"pytest {OPTION}=once"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("realtime_nb").addoption(
        OPTION,
        choices=("none", "once", "new", "all"),
        default="none",
        help="none: conversations are played from their cassettes, and no socket is opened (the default); once: those "
        "without a cassette are recorded; new: sessions that are not on one are added; all: all are recorded anew",
    )


@pytest.fixture
def rt_cassette(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deck]:
    """A cassette of the test's own: every ``rt.connect`` in it is played from there, or recorded to it.

    Yields
    ------
    Deck
        ``.folder`` is ``cassettes/MODULE/TEST.cassette`` beside the test, of a class ``CLASS-TEST.cassette``.
    """
    from realtime_nb.cassette.deck import Deck, inserted

    name = re.sub(r"[^\w.-]+", "-", request.node.nodeid.partition("::")[2]).strip("-")
    folder = request.path.parent / "cassettes" / request.path.stem / f"{name}.cassette"
    deck = Deck(folder, request.config.getoption(OPTION), hint=HINT)
    if deck.plays:
        _block(monkeypatch)
    with inserted(deck):
        yield deck


def _block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no socket of a network connect, or send without being connected."""
    families = {socket.AF_INET, socket.AF_INET6}

    def guarded(real: Any) -> Any:
        def reach(self: socket.socket, *given: Any) -> Any:
            return _refuse(given[-1]) if self.family in families else real(self, *given)

        return reach

    for method in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, method, guarded(getattr(socket.socket, method)))


def _refuse(address: Any) -> NoReturn:
    from realtime_nb.errors import CassetteError

    raise CassetteError(f"A socket to {address!r} was not opened: {OPTION}=none plays from a cassette.", hint=HINT)
