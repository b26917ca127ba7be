"""Tokens: what a response used (protocol, 5.1) and the rules by which sound and pictures are counted (5.2)."""

from __future__ import annotations

import math
from typing import TypeVar

from .base import Value, always

__all__ = [
    "AUDIO_IN_MS",
    "AUDIO_OUT_MS",
    "CachedTokens",
    "DurationUsage",
    "InputTokens",
    "OutputTokens",
    "TokensUsage",
    "TranscriptionInputTokens",
    "TranscriptionUsage",
    "Usage",
    "add",
    "audio_in_tokens",
    "audio_out_tokens",
    "image_tokens",
]

AUDIO_IN_MS = 100
"""Milliseconds of the user's sound in one token."""
AUDIO_OUT_MS = 50
"""Milliseconds of the assistant's sound in one token, both as output and, later, as input."""


class CachedTokens(Value, frozen=True, kw_only=True):
    """The part of the input that was billed at the cached price."""

    text_tokens: int = always(0)
    audio_tokens: int = always(0)
    image_tokens: int = always(0)


class InputTokens(Value, frozen=True, kw_only=True):
    """The input by modality; the cached tokens are among them."""

    text_tokens: int = always(0)
    audio_tokens: int = always(0)
    image_tokens: int = always(0)
    cached_tokens: int = always(0)
    cached_tokens_details: CachedTokens = always(CachedTokens())
    image_tokens_estimated: bool = False
    """Ours: true, and only then written, where ``image_tokens`` are an estimate: see :func:`image_tokens`."""


class OutputTokens(Value, frozen=True, kw_only=True):
    """The output by modality; a spoken reply counts its sound and its transcript."""

    text_tokens: int = always(0)
    audio_tokens: int = always(0)


class Usage(Value, frozen=True, kw_only=True):
    """What one response used: ``total = input + output``."""

    total_tokens: int = always(0)
    input_tokens: int = always(0)
    output_tokens: int = always(0)
    input_token_details: InputTokens = always(InputTokens())
    output_token_details: OutputTokens = always(OutputTokens())


class TranscriptionInputTokens(Value, frozen=True, kw_only=True):
    """The input of a transcription by modality."""

    text_tokens: int = always(0)
    audio_tokens: int = always(0)


class TokensUsage(Value, tag="tokens", frozen=True, kw_only=True):
    """A transcription billed by tokens (gpt-4o-transcribe and its kin)."""

    total_tokens: int
    input_tokens: int
    output_tokens: int
    input_token_details: TranscriptionInputTokens | None = None


class DurationUsage(Value, tag="duration", frozen=True, kw_only=True):
    """A transcription billed by time (whisper-1)."""

    seconds: float
    """Rounded up to whole seconds by the service."""


TranscriptionUsage = TokensUsage | DurationUsage

Counts = TypeVar("Counts", CachedTokens, OutputTokens)


def add(a: Usage, b: Usage) -> Usage:
    """Add two usages, field by field.

    Parameters
    ----------
    a, b : Usage
        What two responses used.

    Returns
    -------
    Usage
        What both used.
    """
    return Usage(
        total_tokens=a.total_tokens + b.total_tokens,
        input_tokens=a.input_tokens + b.input_tokens,
        output_tokens=a.output_tokens + b.output_tokens,
        input_token_details=_add_input(a.input_token_details, b.input_token_details),
        output_token_details=_add_counts(a.output_token_details, b.output_token_details),
    )


def _add_input(a: InputTokens, b: InputTokens) -> InputTokens:
    return InputTokens(
        text_tokens=a.text_tokens + b.text_tokens,
        audio_tokens=a.audio_tokens + b.audio_tokens,
        image_tokens=a.image_tokens + b.image_tokens,
        cached_tokens=a.cached_tokens + b.cached_tokens,
        cached_tokens_details=_add_counts(a.cached_tokens_details, b.cached_tokens_details),
        image_tokens_estimated=a.image_tokens_estimated or b.image_tokens_estimated,
    )


def _add_counts(a: Counts, b: Counts) -> Counts:
    return type(a)(**{name: getattr(a, name) + getattr(b, name) for name in a.__struct_fields__})


def audio_in_tokens(ms: float) -> int:
    """Count the user's sound.

    Parameters
    ----------
    ms : float
        Its length in milliseconds.

    Returns
    -------
    int
        One token per begun 100 ms (600 a minute).

    Examples
    --------
    >>> audio_in_tokens(60_000), audio_in_tokens(1630)
    (600, 17)
    """
    return math.ceil(ms / AUDIO_IN_MS)


def audio_out_tokens(ms: float) -> int:
    """Count the assistant's sound.

    Parameters
    ----------
    ms : float
        Its length in milliseconds.

    Returns
    -------
    int
        One token per begun 50 ms (1,200 a minute).

    Examples
    --------
    >>> audio_out_tokens(10_000)
    200
    """
    return math.ceil(ms / AUDIO_OUT_MS)


def image_tokens(width: int, height: int, detail: str = "auto") -> int:
    """Estimate what a picture costs, by the tile rule of GPT-4o.

    The realtime models' own formula is not published; show this as an estimate.

    Parameters
    ----------
    width, height : int
        Pixels.
    detail : str
        ``low`` costs 85; ``high`` and ``auto`` cost 85 and 170 a tile: the picture is
        fitted into 2048 x 2048, its shorter side into 768, and cut in tiles of 512.

    Returns
    -------
    int
        Tokens.

    Examples
    --------
    >>> image_tokens(1024, 1024), image_tokens(4000, 3000, "low")
    (765, 85)
    """
    if detail == "low":
        return 85
    scale = min(1.0, 2048 / max(width, height, 1))
    scale = min(scale, 768 / max(min(width, height), 1))
    tiles = math.ceil(width * scale / 512) * math.ceil(height * scale / 512)
    return 85 + 170 * max(tiles, 1)
