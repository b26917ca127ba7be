"""What can be seen of a session: its frames, settings and spending. Looking never waits: both faces share it."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NoReturn

from realtime_nb import plots
from realtime_nb.archive.mix import mix, voices
from realtime_nb.display import facts_html
from realtime_nb.models import ModelCard
from realtime_nb.protocol.session_config import Session as Config
from realtime_nb.session.actor import Actor

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.audio import Audio
    from realtime_nb.plots import PlotAccessor
    from realtime_nb.usage import ContextMeter

__all__ = ["Seen"]


class Seen:
    """The half of a session that only looks.

    Parameters
    ----------
    actor : Actor
        The session at home.
    """

    def __init__(self, actor: Actor) -> None:
        self.actor = actor

    # ---------------------------------------------------------------- what happened
    @property
    def history(self) -> pd.DataFrame:
        """The conversation: one row an item."""
        return self.actor.history.history

    @property
    def turns(self) -> pd.DataFrame:
        """The responses: one row each, with latencies, tokens and cost."""
        return self.actor.history.turns

    @property
    def usage(self) -> pd.DataFrame:
        """The tokens: one row a response, direction, modality and cached or not, with its price."""
        return self.actor.history.usage

    @property
    def events(self) -> pd.DataFrame:
        """The wire: one row an event."""
        return self.actor.history.events

    @property
    def rate_limits(self) -> pd.DataFrame:
        """What was left of the rate limits, as the server told."""
        return self.actor.history.rate_limits

    @property
    def what_if(self) -> pd.DataFrame:
        """What the same tokens cost by every model card, the cheapest first."""
        return self.actor.history.what_if

    @property
    def context(self) -> ContextMeter:
        """How full the model's window is, and what the next response would read of it."""
        return self.actor.reading.meter()

    @property
    def plot(self) -> PlotAccessor:
        """The plots of all this: ``session.plot.timeline()``; shown by itself, their list."""
        return plots.PlotAccessor(self, self._voices)

    # ---------------------------------------------------------------- what it is
    @property
    def id(self) -> str:
        """The session's id at the server."""
        return self.actor.session.id

    @property
    def config(self) -> Config:
        """The settings in force, as the server last told them."""
        return self.actor.session

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self.actor.card

    @property
    def brain(self) -> str:
        """Which model really answers: the local engine names its own, another server is taken at its word."""
        return self.actor.brain

    @property
    def budget_usd(self) -> float | None:
        """What may be spent, in US dollars; may be set."""
        return self.actor.guard.budget_usd

    @budget_usd.setter
    def budget_usd(self, usd: float | None) -> None:
        self.actor.budget(usd)

    def _voices(self) -> tuple[Audio, Audio] | None:
        """Both voices so far, on one time line; None where nothing was said aloud."""
        tape = self.actor.tape
        return voices(mix([*tape.since(0), *tape.unfinished], attrgetter("audio"), self.history))

    @property
    def _facts(self) -> dict[str, str]:
        """What a person wants to know of it at a glance."""
        guard, end = self.actor.guard, self.actor.link.closed
        budget = "" if guard.budget_usd is None else f" of ${guard.budget_usd:.2f}"
        return {
            "model": self.card.name,
            "brain": self.brain,
            "turns": str(len(self.actor.book.turns)),
            "cost": f"${guard.spent_usd:.6f}{budget}",
            **({} if (line := self.actor.gate.line) is None else {"pace": line.name}),
            "state": "open" if end is None else f"closed ({end.code})" if end.code else "closed",
        }

    def _repr_html_(self) -> str:
        return facts_html("session", "Session", self._facts)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session is a live connection: it does not travel in a pickle; its frames do")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name} {fact}' for name, fact in self._facts.items())})"
