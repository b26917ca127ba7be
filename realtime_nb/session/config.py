"""The keywords of ``connect`` and ``update``, in the API's own words, and where each stands in ``session.update``.

A keyword is the last word of its place in the session object (``voice`` is
``audio.output.voice``); where two places end alike, the side comes first
(``input_format``, ``output_format``).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypedDict

from realtime_nb.errors import ConfigError
from realtime_nb.models import ModelCard
from realtime_nb.models.words import PHRASES, normal
from realtime_nb.protocol.events import ResponseParams
from realtime_nb.protocol.faults import EventError
from realtime_nb.protocol.session_config import Session, merge
from realtime_nb.protocol.strict import refuse_unknown, to_struct

__all__ = ["ResponseConfig", "SessionConfig", "check_session", "response_params", "session_fields"]

Modality = Literal["audio", "text"]
Format = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
Voice = Literal["alloy", "ash", "ballad", "cedar", "coral", "echo", "marin", "sage", "shimmer", "verse"] | str  # noqa: PYI051 - the known ones are offered


class SessionConfig(TypedDict, total=False):
    """What a session can be set to; each is a field of the API's session object (``audio.*`` by its last word)."""

    instructions: str
    """How the model shall behave; ``""`` clears them."""
    output_modalities: Modality | Iterable[Modality]
    """``"audio"`` (with its transcript) or ``"text"``; never both."""
    voice: Voice
    """Who speaks; cannot change once it has spoken."""
    speed: float
    """Of speech: 0.25 to 1.5."""
    turn_detection: Literal["server_vad", "semantic_vad"] | Mapping[str, Any] | None
    """How the server notices that you are done; None: you say so."""
    transcription: str | Mapping[str, Any] | None
    """The model that writes down what you said, a separate bill at the service; None: nobody does."""
    noise_reduction: Literal["near_field", "far_field"] | Mapping[str, Any] | None
    """Headset or loudspeaker; None: as it is."""
    input_format: Format | Mapping[str, Any]
    output_format: Format | Mapping[str, Any]
    tools: Iterable[Any]
    """Python functions, or tools as the API has them."""
    tool_choice: Literal["auto", "none", "required"] | Mapping[str, Any]
    max_output_tokens: int | Literal["inf"]
    """Of each response, tool calls included: 1 to 4,096."""
    truncation: Literal["auto", "disabled"] | Mapping[str, Any]
    tracing: Literal["auto"] | Mapping[str, Any] | None
    prompt: Mapping[str, Any] | None
    include: Iterable[str] | None
    reasoning: Mapping[str, Any]
    """Of reasoning models only."""
    parallel_tool_calls: bool
    """Of reasoning models only."""


class ResponseConfig(TypedDict, total=False):
    """What one response can be asked to do otherwise than the session says."""

    instructions: str
    output_modalities: Modality | Iterable[Modality]
    voice: Voice
    output_format: Format | Mapping[str, Any]
    tools: Iterable[Any]
    tool_choice: Literal["auto", "none", "required"] | Mapping[str, Any]
    max_output_tokens: int | Literal["inf"]
    metadata: Mapping[str, str]
    """At most 16 pairs, echoed in the response."""
    conversation: Literal["auto", "none"]
    """``"none"``: out of band, not remembered."""
    input: Iterable[Mapping[str, Any]]
    """Items to answer instead of the conversation."""
    prompt: Mapping[str, Any] | None
    reasoning: Mapping[str, Any]
    parallel_tool_calls: bool


_PLACES = {
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "output_format": ("audio", "output", "format"),
    "input_format": ("audio", "input", "format"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "transcription": ("audio", "input", "transcription"),
    "noise_reduction": ("audio", "input", "noise_reduction"),
}
_SHORT: dict[str, Callable[[str], Any]] = {
    "turn_detection": lambda kind: {"type": kind},
    "noise_reduction": lambda kind: {"type": kind},
    "transcription": lambda model: {"model": model},
    "input_format": lambda kind: {"type": kind},
    "output_format": lambda kind: {"type": kind},
    "output_modalities": lambda modality: [modality],
}
"""Where a plain word stands for an object or a list."""
_FORMER = {
    "modalities": "output_modalities",
    "input_audio_format": "input_format",
    "output_audio_format": "output_format",
    "input_audio_transcription": "transcription",
    "input_audio_noise_reduction": "noise_reduction",
    "max_response_output_tokens": "max_output_tokens",
    "system_prompt": "instructions",
    "vad": "turn_detection",
}
"""The beta's names, and other usual ones."""
_REMOVED = {"temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "n"}
_NEEDS = {"tools": "function calling", "reasoning": "reasoning", "parallel_tool_calls": "parallel tool calls"}
"""Keywords a card may refuse."""

_EXAMPLES = {
    "conversation": '"none"',
    "include": '["item.input_audio_transcription.logprobs"]',
    "input": "[]",
    "input_format": '"audio/pcm"',
    "instructions": '"Answer in one plain sentence."',
    "max_output_tokens": "1_000",
    "metadata": '{"topic": "rivers"}',
    "noise_reduction": '"near_field"',
    "output_format": '"audio/pcm"',
    "output_modalities": '"text"',
    "parallel_tool_calls": "False",
    "prompt": '{"id": "pmpt_123"}',
    "reasoning": '{"effort": "low"}',
    "speed": "1.0",
    "tool_choice": '"auto"',
    "tools": "[]",
    "tracing": '"auto"',
    "transcription": '"gpt-4o-mini-transcribe"',
    "truncation": '"auto"',
    "turn_detection": '"server_vad"',
    "voice": '"marin"',
}
"""A value that runs, for the hints."""


def session_fields(config: Mapping[str, Any], card: ModelCard, *, caller: str = "rt.connect({})") -> dict[str, Any]:
    """The ``session`` of a ``session.update`` that sets these keywords.

    Parameters
    ----------
    config : mapping
        Keywords of :class:`SessionConfig`; tools already as the API has them.
    card : ModelCard
        Asked whether the model can do it.
    caller : str
        Who was called, for the messages, with ``{}`` for the keywords.

    Returns
    -------
    dict
        As JSON values; with ``type``.

    Raises
    ------
    ConfigError
        An unknown keyword, with the nearest known one, or a wrong value.
    Unsupported
        The card says no.
    """
    return {"type": "realtime", **_fields(config, SessionConfig.__annotations__, card, caller)}


def response_params(config: Mapping[str, Any], card: ModelCard) -> ResponseParams:
    """The ``response`` of a ``response.create`` with these keywords.

    Parameters
    ----------
    config : mapping
        Keywords of :class:`ResponseConfig`; tools already as the API has them.
    card : ModelCard
        Asked whether the model can do it.

    Returns
    -------
    ResponseParams
        Checked.

    Raises
    ------
    ConfigError
        An unknown keyword, with the nearest known one, or a wrong value.
    Unsupported
        The card says no.
    """
    caller = 'session.say("Hello.", response=dict({}))'
    fields = _fields(config, ResponseConfig.__annotations__, card, caller)
    try:
        params = to_struct(fields, ResponseParams, "response")
        refuse_unknown(fields, params, "response")
    except EventError as error:
        raise _refused(error, caller) from None
    return params


def _fields(config: Mapping[str, Any], known: Iterable[str], card: ModelCard, caller: str) -> dict[str, Any]:
    known = list(known)
    fields: dict[str, Any] = {}
    for name, value in config.items():
        if name not in known:
            raise _unknown(name, known, card, caller)
        _ask_card(name, value, card)
        *above, last = _PLACES.get(name, (name,))
        place = fields
        for step in above:
            place = place.setdefault(step, {})
        place[last] = _plain(name, value)
    return fields


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return _SHORT[name](value) if name in _SHORT else value
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, Iterable) else value


def _ask_card(name: str, value: Any, card: ModelCard) -> None:
    if name in _NEEDS and value:
        card.require(_NEEDS[name])
    if name == "output_modalities":
        for modality in [value] if isinstance(value, str) else value:
            if normal(f"{modality} output") in PHRASES:
                card.require(f"{modality} output")


def _unknown(name: str, known: list[str], card: ModelCard, caller: str) -> ConfigError:
    if normal(name) in PHRASES:
        card.require(name)  # `response_format=` and its like: the card says it better
    who = caller.partition("(")[0]
    if name in _REMOVED:
        return ConfigError(
            f"{who}() got {name!r}, which the Realtime API does not have: its instructions tell a model how to answer",
            hint=caller.format('instructions="Answer in one plain sentence."'),
        )
    near = _FORMER.get(name) or next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.5)), None)
    if near not in known:
        return ConfigError(f"{who}() got an unknown keyword {name!r}: there are: {', '.join(sorted(known))}")
    return ConfigError(
        f"{who}() got an unknown keyword {name!r}: did you mean {near!r}?",
        hint=caller.format(f"{near}={_EXAMPLES[near]}"),
    )


def check_session(fields: Mapping[str, Any], *, caller: str = "rt.connect({})") -> None:
    """Refuse what the server would refuse, before anything is sent.

    Parameters
    ----------
    fields : mapping
        From :func:`session_fields`.
    caller : str
        Who was called, for the messages, with ``{}`` for the keywords.

    Raises
    ------
    ConfigError
        With the field and the values it can have.
    """
    try:
        merge(Session(), fields)
    except EventError as error:
        raise _refused(error, caller) from None


def _refused(error: EventError, caller: str) -> ConfigError:
    name = (error.param or "").rpartition(".")[2]
    hint = caller.format(f"{name}={_EXAMPLES[name]}") if name in _EXAMPLES else None
    return ConfigError(f"{caller.partition('(')[0]}(): {error.message}", hint=hint)
