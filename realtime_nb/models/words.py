"""What may be asked of a card, in every usual wording: one table, made once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["ENDPOINTS", "PHRASES", "Ask", "normal"]

Shelf = Literal["input", "output", "either", "connection", "endpoint", "feature"]

DEFAULT_HINT = 'rt.model("{model}")  # what its card offers'


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing a card may refuse.

    ``hint`` is a line that runs and does what the model can do instead;
    ``{model}`` in it is the model's name.
    """

    shelf: Shelf
    name: str
    hint: str = DEFAULT_HINT


# The card's page lists the platform's endpoints; the paths are those of the `openai` package's resources.
ENDPOINTS = {
    "v1/chat/completions": "chat completions",
    "v1/responses": "responses",
    "v1/realtime": "realtime",
    "v1/assistants": "assistants",
    "v1/batches": "batch",
    "v1/fine_tuning/jobs": "fine-tuning",
    "v1/embeddings": "embeddings",
    "v1/images/generations": "image generation",
    "v1/videos": "videos",
    "v1/images/edits": "image edit",
    "v1/audio/speech": "speech generation",
    "v1/audio/transcriptions": "transcription",
    "v1/audio/translations": "translation",
    "v1/moderations": "moderation",
    "v1/completions": "completions (legacy)",
}

_MODALITIES = ("text", "audio", "image", "video")
_CONNECTIONS = ("WebRTC", "WebSocket", "SIP")
_STILL = 'session.say("What do you see?", picture)  # one still picture at a time'
_MODALITY_HINTS = {
    "image": 'session.say("What is odd here?", picture)  # pictures go in; text and audio come out',
    "video": _STILL,
}
_REASONS = 'rt.connect(model="gpt-realtime-2.1")  # a reasoning realtime model'
# Feature: the other words for it (fields of the platform's APIs among them), and what to do instead.
_FEATURES: dict[str, tuple[tuple[str, ...], str]] = {
    "function calling": (("tools", "functions", "tool calling", "function call"), DEFAULT_HINT),
    "structured outputs": (
        ("response format", "json schema", "json mode", "strict", "structured output"),
        "session.tool(function)  # the call's arguments come as JSON of the function's schema",
    ),
    "fine-tuning": (
        ("finetuning", "fine tune"),
        'session.update(instructions="Answer in one sentence.")  # instructions and examples shape the answers',
    ),
    "distillation": (("distill",), DEFAULT_HINT),
    "predicted outputs": (("prediction", "predicted output"), DEFAULT_HINT),
    "reasoning": (("reasoning effort",), _REASONS),
    "parallel tool calls": ((), _REASONS),
}


def normal(phrase: str) -> str:
    """`phrase` without the differences that mean nothing: case, ``-``, ``_``, blanks, a leading slash.

    Parameters
    ----------
    phrase : str
        As somebody wrote it.

    Returns
    -------
    str
        A key of ``PHRASES``, if cards know it.

    Examples
    --------
    >>> normal(" /v1/Chat/Completions ")
    'v1/chat/completions'
    >>> normal("fine-tuning") == normal("Fine_Tuning")
    True
    """
    return " ".join(phrase.replace("-", " ").replace("_", " ").lower().split()).strip("/")


def _modality_phrases() -> dict[str, Ask]:
    phrases: dict[str, Ask] = {}
    for name in _MODALITIES:
        hint = _MODALITY_HINTS.get(name, DEFAULT_HINT)
        phrases[name] = Ask("either", name, hint)
        for side, short in (("input", "in"), ("output", "out")):
            ask = Ask("input" if side == "input" else "output", name, hint)
            phrases |= dict.fromkeys((f"{name} {side}", f"{side} {name}", f"{name} {short}"), ask)
    return phrases


def _endpoint_phrases() -> dict[str, Ask]:
    hint = 'rt.connect(model="{model}")  # speaks v1/realtime'
    phrases: dict[str, Ask] = {}
    for path, name in ENDPOINTS.items():
        ask = Ask("endpoint", path, hint)
        phrases |= dict.fromkeys((normal(path), normal(path.removeprefix("v1/")), normal(name)), ask)
    return phrases


def _feature_phrases() -> dict[str, Ask]:
    return {
        normal(word): Ask("feature", name, hint) for name, (words, hint) in _FEATURES.items() for word in (name, *words)
    }


# Later entries win: "fine-tuning" asks for the feature, "v1/fine_tuning/jobs" for the endpoint.
PHRASES: dict[str, Ask] = (
    _endpoint_phrases()
    | {normal(name): Ask("connection", name) for name in _CONNECTIONS}
    | _modality_phrases()
    | _feature_phrases()
)
