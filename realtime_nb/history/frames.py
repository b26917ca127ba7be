"""The five frames of a session, folded from its log when they are asked for."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from realtime_nb.history.columns import EventColumns
from realtime_nb.history.fold import Fold
from realtime_nb.history.log import EventLog
from realtime_nb.history.payload import payload
from realtime_nb.history.schema import EVENTS, HISTORY, RATE_LIMITS, TURNS, USAGE, WHAT_IF
from realtime_nb.models import ModelCard
from realtime_nb.protocol.events import RateLimit
from realtime_nb.usage.what_if import what_if

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["History", "no_collection"]


@contextmanager
def no_collection() -> Iterator[None]:
    """Half a million new objects without a cycle: looking for cycles among them takes longer than making them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class History:
    """What happened in a session, as DataFrames.

    Each frame is folded on demand; only events that are new since the last
    question are looked at. Columns and dtypes are the same when a frame is empty.

    Parameters
    ----------
    log : EventLog
        It may go on growing, in another thread.
    card : ModelCard
        Whose prices hold.

    Examples
    --------
    >>> from realtime_nb.models import model
    >>> session = History(EventLog(), model("local"))
    >>> session.rate_limits.columns.tolist()
    ['t_s', 'name', 'limit', 'remaining', 'reset_s']
    """

    def __init__(self, log: EventLog, card: ModelCard) -> None:
        self._log = log
        self._fold = Fold(card)
        self._folded = 0
        self._lock = threading.Lock()
        self._events, self._usage, self._limits = _Growing(), _Growing(), _Growing()

    @property
    def history(self) -> pd.DataFrame:
        """One row an item, in the conversation's order.

        Notes
        -----
        ``turn`` is the response that gave the item or was the first to read it; missing while
        none has. A reply that was cut has the status ``truncated``, the length that was heard,
        and the words of that length (an estimate until the item is retrieved); an item that was
        deleted keeps its row with the status ``deleted``. ``image`` is type and size.
        ``created_s`` is the time the client sent it, or first heard of it.
        """
        with self._lock, no_collection():
            self._catch_up()
            return HISTORY.frame(item.row() for item in self._fold.items)

    @property
    def turns(self) -> pd.DataFrame:
        """One row a response, in order.

        Notes
        -----
        The ``..._ms`` count from ``speech_end_s``, the moment the last word of the user was sent;
        where the last thing was not said aloud, from ``response.create``. ``interrupted_at_ms`` is
        how much of the reply's sound was heard when it was cut. ``cost_usd`` is by the model card.
        """
        with self._lock, no_collection():
            self._catch_up()
            return TURNS.frame(response.row() for response in self._fold.responses.values())

    @property
    def usage(self) -> pd.DataFrame:
        """One row a response x direction x modality x cached, as far as there were such tokens."""
        with self._lock, no_collection():
            self._catch_up()
            return self._usage.extended(USAGE.frame(self._fold.usage(self._usage.taken)), len(self._fold.billed))

    @property
    def events(self) -> pd.DataFrame:
        """One row an event on the wire; ``payload`` is its JSON without sound, pictures and secrets."""
        with self._lock:
            entries = self._log.since(self._events.taken)
            columns = EventColumns()
            columns.add(entries)
            return self._events.extended(
                EVENTS.of_columns({**columns.columns(), "payload": [payload(entry) for entry in entries]}),
                self._events.taken + len(entries),
            )

    @property
    def rate_limits(self) -> pd.DataFrame:
        """One row an entry of ``rate_limits.updated``."""
        with self._lock:
            self._catch_up()
            told = self._fold.limits[self._limits.taken :]
            return self._limits.extended(RATE_LIMITS.frame(_limit_rows(told)), len(self._fold.limits))

    @property
    def what_if(self) -> pd.DataFrame:
        """One row a model card: what the same tokens cost by it, the cheapest first."""
        with self._lock:
            self._catch_up()
            return WHAT_IF.frame(what_if(list(self._fold.usage()), self._fold.card))

    def _catch_up(self) -> None:
        """Fold what is new."""
        for entry in self._log.since(self._folded):
            self._folded += 1
            self._fold.add(entry)

    def __repr__(self) -> str:
        with self._lock:
            self._catch_up()
            turns, items = len(self._fold.responses), sum(1 for _ in self._fold.items)
        return f"History({len(self._log)} events, {items} items, {turns} turns)"


def _limit_rows(told: Iterable[tuple[float, RateLimit]]) -> Iterator[dict[str, Any]]:
    for t_s, each in told:
        counts = {"name": each.name, "limit": each.limit, "remaining": each.remaining}
        yield {"t_s": t_s, **counts, "reset_s": each.reset_seconds}


class _Growing:
    """A frame whose rows never change: only new ones are converted."""

    def __init__(self) -> None:
        self._frame: pd.DataFrame | None = None
        self.taken = 0
        """How much of what the rows are made of is in it."""

    def extended(self, rows: pd.DataFrame, taken: int) -> pd.DataFrame:
        """What there was, and `rows`; a copy, so that nobody can change what there was."""
        import pandas as pd

        if self._frame is None:
            self._frame = rows
        elif len(rows):
            self._frame = pd.concat([self._frame, rows], ignore_index=True)
        self.taken = taken
        return self._frame.copy()
