"""Finds cards by name: alias or snapshot."""

from __future__ import annotations

import difflib
from functools import cache
from importlib.resources import files
from pathlib import Path

import msgspec

from realtime_nb.errors import ConfigError
from realtime_nb.models.card import ModelCard

__all__ = ["model", "names", "read_card"]


def model(name: str) -> ModelCard:
    """The card of a model: what it can do, its limits, its prices.

    Parameters
    ----------
    name : str
        An alias (``"gpt-realtime-mini"``), one of its snapshots
        (``"gpt-realtime-mini-2025-10-06"``), or ``"local"``.

    Returns
    -------
    ModelCard
        Asked by snapshot, its ``snapshot`` is that one.

    Raises
    ------
    ConfigError
        No card has that name; the hint has the nearest.

    Examples
    --------
    >>> model("gpt-realtime-mini").snapshot
    'gpt-realtime-mini-2025-10-06'
    >>> model("gpt-realtime-mini").prices.loc["audio", "cached"].item()
    0.3
    """
    found = _by_name().get(name)
    if found is None:
        near = difflib.get_close_matches(name, _by_name(), n=1, cutoff=0.5)
        hint = f'rt.model("{near[0] if near else "gpt-realtime-mini"}")'
        raise ConfigError(f"There is no card for the model {name!r}; there are: {', '.join(names())}", hint=hint)
    return found


def names() -> tuple[str, ...]:
    """The aliases that have a card, in order.

    Returns
    -------
    tuple of str
        For instance ``("gpt-realtime", ..., "local")``.
    """
    return tuple(sorted({card.name for card in _by_name().values()}))


def read_card(path: str | Path) -> ModelCard:
    """Read a card from a TOML file, for instance of a model you serve yourself.

    Parameters
    ----------
    path : str or Path
        The file; the fields are those of :class:`ModelCard`.

    Returns
    -------
    ModelCard
        The card.

    Raises
    ------
    ConfigError
        The file is not there, or is not a card.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"The model card {str(path)!r} cannot be read: {error.strerror}", hint="rt.model('local')"
        ) from error
    return ModelCard.from_toml(text)


@cache
def _by_name() -> dict[str, ModelCard]:
    """Every alias and every snapshot, with its card."""
    folder = files("realtime_nb.models") / "cards"
    cards = [
        ModelCard.from_toml(file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    ]
    pinned = {name: msgspec.structs.replace(card, pinned=name) for card in cards for name in card.snapshots}
    return pinned | {card.name: card for card in cards}
