"""A model card: the facts of one model, and the errors that quote them."""

from __future__ import annotations

import datetime as dt
import difflib
from typing import TYPE_CHECKING, Self

import msgspec

from realtime_nb.errors import ConfigError, Unsupported
from realtime_nb.models.words import PHRASES, Ask, normal

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ModelCard", "Rate", "Shutdown", "TierLimit"]


class _Fact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a card; a word the card does not know is an error, never ignored."""


class Rate(_Fact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What tokens of one modality cost, in USD per 1M; None where the card names no price."""

    input: float | None = None
    cached: float | None = None
    output: float | None = None


class TierLimit(_Fact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one usage tier may ask for in a minute; None where the tier is not supported."""

    tier: str
    rpm: int | None = None
    """Requests per minute."""
    tpm: int | None = None
    """Tokens per minute."""


class Shutdown(_Fact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An announced end of service."""

    date: dt.date
    names: tuple[str, ...]
    """The alias and snapshots that end."""
    successor: str | None = None


class ModelCard(_Fact, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The card of one model: what it takes and gives, where it is served, its limits and prices.

    What no source names is absent (None or empty), never guessed. Cards are
    read from TOML; :func:`realtime_nb.models.model` finds one by name.

    Examples
    --------
    >>> from realtime_nb.models import model
    >>> card = model("gpt-realtime-mini")
    >>> card.context_window, card.rates["audio"].output
    (32000, 20.0)
    >>> card.require("function calling", "image input")
    >>> card.require("image output")
    Traceback (most recent call last):
    realtime_nb.errors.Unsupported: gpt-realtime-mini: no image output. Its card says: ...
    """

    name: str
    """The alias: it means the first of ``snapshots``."""
    summary: str
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    modality_note: str = ""
    connections: tuple[str, ...]
    endpoints: tuple[str, ...]
    context_window: int | None = None
    """Tokens the model reads and writes in all."""
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    knowledge_cutoff: dt.date | None = None
    snapshots: tuple[str, ...] = ()
    pinned: str | None = None
    """The snapshot that was asked for by name; None when the alias was."""
    supported: tuple[str, ...] = ()
    unsupported: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    rates: dict[str, Rate]
    """Modality: its prices; :attr:`prices` is the same as a DataFrame."""
    comparison: dict[str, float] = {}
    """Model: USD per 1M text tokens in, as the card's page compares them."""
    tier_limits: tuple[TierLimit, ...] = ()
    shutdown: Shutdown | None = None
    sources: tuple[str, ...]
    """Where the figures come from."""

    @property
    def snapshot(self) -> str | None:
        """The dated model behind the name: the one asked for, else the one the alias means."""
        return self.pinned or next(iter(self.snapshots), None)

    @property
    def prices(self) -> pd.DataFrame:
        """USD per 1M tokens: one row a kind, columns ``input``, ``cached``, ``output``; NaN where there is none."""
        from realtime_nb.models.frames import prices_frame

        return prices_frame(self)

    @property
    def tiers(self) -> pd.DataFrame:
        """Rate limits: one row a usage tier, columns ``rpm``, ``tpm``; NA where the tier is not supported."""
        from realtime_nb.models.frames import tiers_frame

        return tiers_frame(self)

    @property
    def facts(self) -> dict[str, str]:
        """Every line of the card in words; errors quote these lines."""
        from realtime_nb.models.facts import facts

        return facts(self)

    def limits(self, tier: int | str) -> TierLimit:
        """What a usage tier may ask for in a minute.

        Parameters
        ----------
        tier : int or str
            ``1`` to ``5``, or ``"Free"``.

        Returns
        -------
        TierLimit
            With ``rpm`` and ``tpm``.

        Raises
        ------
        Unsupported
            The model is not served to that tier.
        ConfigError
            The card has no such tier.
        """
        found = {limit.tier.lower(): limit for limit in self.tier_limits}.get(str(tier).lower())
        if found is None:
            known = ", ".join(limit.tier for limit in self.tier_limits) or "none"
            raise ConfigError(f"{self.name} has no tier {tier!r}; its card names: {known}", hint=self._show)
        if found.rpm is None:
            raise self._refusal(f"not for tier {found.tier}", f"tier {found.tier}", hint=self._show)
        return found

    def require(self, *asked: str) -> None:
        """Make sure that the model can do what you are about to ask of it.

        Parameters
        ----------
        *asked : str
            Modalities (``"image input"``, ``"video"``), connections (``"SIP"``),
            endpoints (``"v1/chat/completions"`` or ``"chat completions"``) and
            features (``"structured outputs"``, ``"fine-tuning"``, ...), in any
            usual wording. What the card is silent about is let through.

        Raises
        ------
        Unsupported
            The card says no; the message quotes its line.
        ConfigError
            A word no card knows.
        """
        for phrase in asked:
            self._require(phrase)

    def _require(self, phrase: str) -> None:
        ask = PHRASES.get(normal(phrase))
        if ask is None:
            near = difflib.get_close_matches(normal(phrase), PHRASES, n=1)
            mend = near[0] if near else "image input"
            raise ConfigError(f"No card knows {phrase!r}", hint=f'rt.model("{self.name}").require("{mend}")')
        line = self._refused_by(ask)
        if line is not None:
            raise self._refusal(f"no {_spoken(ask)}", line, hint=ask.hint.format(model=self.name))

    def _refused_by(self, ask: Ask) -> str | None:
        """The title of the line that refuses `ask`, or None."""
        closed = {
            "input": (self.input_modalities, "input modalities"),
            "output": (self.output_modalities, "output modalities"),
            "either": ((*self.input_modalities, *self.output_modalities), "output modalities"),
            "connection": (self.connections, "connections"),
            "endpoint": (self.endpoints, "endpoints"),
        }
        if ask.shelf == "feature":
            return "not supported" if ask.name in self.unsupported else None
        shelf, title = closed[ask.shelf]
        return None if ask.name in shelf else title

    def _refusal(self, fact: str, title: str, *, hint: str) -> Unsupported:
        return Unsupported(f'{self.name}: {fact}. Its card says: "{title}: {self.facts[title]}"', hint=hint)

    @property
    def _show(self) -> str:
        return f'rt.model("{self.name}").tiers'

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read a card, for instance of a model you serve yourself.

        Parameters
        ----------
        text : str
            TOML with the fields of this class.

        Returns
        -------
        ModelCard
            The card.

        Raises
        ------
        ConfigError
            Not TOML, an unknown or missing field, or a value of the wrong type; the message has the place.
        """
        try:
            return msgspec.toml.decode(text, type=cls)
        except (msgspec.DecodeError, msgspec.ValidationError, ValueError) as error:
            hint = 'rt.model("gpt-realtime-mini").facts'
            raise ConfigError(f"A model card cannot be read: {error}", hint=hint) from error

    def __repr__(self) -> str:
        from realtime_nb.models.render import as_text

        return as_text(self)

    def _repr_html_(self) -> str:
        from realtime_nb.models.render import as_html

        return as_html(self)


def _spoken(ask: Ask) -> str:
    return f"{ask.name} {ask.shelf}" if ask.shelf in {"input", "output", "endpoint"} else ask.name
