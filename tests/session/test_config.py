"""The keywords of connect, update and response: each in the API's place, each wrong one with the right one."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.errors import ConfigError, RealtimeError, Unsupported
from realtime_nb.models import model
from realtime_nb.protocol.session_config import Session, merge
from realtime_nb.session.config import ResponseConfig, SessionConfig, check_session, response_params, session_fields

CARD = model("gpt-realtime-mini")


def fields(**config: Any) -> dict[str, Any]:
    """The session.update for these keywords."""
    return session_fields(config, CARD)


@pytest.mark.parametrize(
    ("config", "placed"),
    [
        ({"voice": "sage"}, {"audio": {"output": {"voice": "sage"}}}),
        ({"turn_detection": None}, {"audio": {"input": {"turn_detection": None}}}),
        ({"turn_detection": "semantic_vad"}, {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}}),
        ({"transcription": "whisper-1"}, {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}),
        ({"noise_reduction": "far_field"}, {"audio": {"input": {"noise_reduction": {"type": "far_field"}}}}),
        ({"output_format": "audio/pcmu"}, {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}),
        ({"output_modalities": "text"}, {"output_modalities": ["text"]}),
        ({"output_modalities": ("audio",)}, {"output_modalities": ["audio"]}),
        ({"max_output_tokens": 100}, {"max_output_tokens": 100}),
        ({"tracing": None}, {"tracing": None}),
    ],
)
def test_a_keyword_goes_to_its_place(config: dict[str, Any], placed: dict[str, Any]) -> None:
    """Short forms become the API's objects, below audio where they belong."""
    assert fields(**config) == {"type": "realtime", **placed}
    check_session(fields(**config))


def test_every_keyword_is_a_field_of_the_session() -> None:
    """No keyword leads nowhere: each one's hint is accepted by the server's own rule of merging."""
    from realtime_nb.session.config import _EXAMPLES

    for name in SessionConfig.__annotations__:
        value = eval(_EXAMPLES[name], {})  # noqa: S307 - the hints are ours
        card = model("gpt-realtime-2.1")
        assert merge(Session(), session_fields({name: value}, card))
    for name in ResponseConfig.__annotations__:
        value = eval(_EXAMPLES[name], {})  # noqa: S307 - the hints are ours
        assert response_params({name: value}, model("gpt-realtime-2.1")) is not None


@pytest.mark.parametrize(
    ("config", "kind", "hint"),
    [
        ({"voise": 1}, ConfigError, 'rt.connect(voice="marin")'),
        ({"max_response_output_tokens": 1}, ConfigError, "rt.connect(max_output_tokens=1_000)"),
        ({"vad": 1}, ConfigError, 'rt.connect(turn_detection="server_vad")'),
        ({"seed": 1}, ConfigError, 'rt.connect(instructions="Answer in one plain sentence.")'),
        ({"strict": True}, Unsupported, "session.tool(function)"),
        ({"reasoning": {"effort": "low"}}, Unsupported, "gpt-realtime-2.1"),
        ({"output_modalities": "video"}, Unsupported, "session.say"),
    ],
)
def test_a_wrong_keyword_names_the_right_one(config: dict[str, Any], kind: type[RealtimeError], hint: str) -> None:
    """Near misses, the beta's names, and what the API or the card does not have."""
    with pytest.raises(kind) as caught:
        fields(**config)
    assert hint in str(caught.value.hint)


def test_a_wrong_value_says_which_are_right() -> None:
    """The server's own check, before anything is sent."""
    with pytest.raises(ConfigError, match=r"1\.5") as caught:
        check_session(fields(speed=7))
    assert caught.value.hint == "rt.connect(speed=1.0)"


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"voise": "x"}, "did you mean 'voice'"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"turn_detection": None}, "unknown keyword"),
    ],
)
def test_a_response_is_checked_as_well(config: dict[str, Any], words: str) -> None:
    """What one response cannot be asked is refused before it is sent."""
    with pytest.raises(ConfigError, match=words) as caught:
        response_params(config, CARD)
    assert caught.value.hint is None or caught.value.hint.startswith('session.say("Hello.", response=dict(')
