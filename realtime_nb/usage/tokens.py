"""Tokens by modality: what a message, a conversation or a reply comes to."""

from __future__ import annotations

import math
from dataclasses import dataclass

from realtime_nb.models import ModelCard, Rate

__all__ = ["CHARS_PER_TOKEN", "MODALITIES", "NOTHING", "Tokens", "text_tokens"]

MODALITIES = ("text", "audio", "image")
CHARS_PER_TOKEN = 3.0
"""Of text, for an estimate from above: English has about four characters a token."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens by modality.

    Examples
    --------
    >>> Tokens(text=12, audio=50) + Tokens(audio=200)
    Tokens(text=12, audio=250, image=0)
    """

    text: int = 0
    audio: int = 0
    image: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.text + self.audio + self.image

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(self.text + other.text, self.audio + other.audio, self.image + other.image)

    def __sub__(self, other: Tokens) -> Tokens:
        return Tokens(self.text - other.text, self.audio - other.audio, self.image - other.image)

    def __bool__(self) -> bool:
        return bool(self.text or self.audio or self.image)

    def floored(self) -> Tokens:
        """Nothing below 0: estimates may take away more than there was."""
        return Tokens(max(0, self.text), max(0, self.audio), max(0, self.image))

    def input_usd(self, card: ModelCard, *, cached: bool = False) -> float:
        """What they cost as input.

        Parameters
        ----------
        card : ModelCard
            Whose prices hold.
        cached : bool
            At the price of cached input.

        Returns
        -------
        float
            US dollars; NaN where the card names no price.
        """
        return math.fsum(_price(card, name, cached=cached) * getattr(self, name) for name in self._there()) / 1e6

    def _there(self) -> tuple[str, ...]:
        return tuple(name for name in MODALITIES if getattr(self, name))

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, name):,} {name}" for name in self._there()) or "none"


NOTHING = Tokens()


def _price(card: ModelCard, modality: str, *, cached: bool) -> float:
    rate = card.rates.get(modality, Rate())
    usd = rate.cached if cached else rate.input
    return math.nan if usd is None else usd


def text_tokens(text: str) -> int:
    """Estimate the tokens of a text, from above.

    Parameters
    ----------
    text : str
        Any.

    Returns
    -------
    int
        A token per begun three characters.

    Examples
    --------
    >>> text_tokens("Name three rivers.")
    6
    """
    return math.ceil(len(text) / CHARS_PER_TOKEN)
