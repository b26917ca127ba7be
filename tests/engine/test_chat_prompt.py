"""What a small model is told."""

from __future__ import annotations

import pytest

from realtime_nb.engine.base import ChatCall, ChatMessage, ChatRequest, Tool
from realtime_nb.engine.chat_prompt import prompt, signature, system, transcript
from realtime_nb.engine.grammar import NONE, PREFILL

WEATHER = Tool(
    "get_weather",
    "The weather.",
    {"properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}}, "required": ["city"]},
)
RULES = ChatMessage("system", "You are a pirate.")
PAST = (
    ChatMessage("user", "Weather in Oslo?"),
    ChatMessage("assistant", "", calls=(ChatCall("c", "get_weather", '{"city": "Oslo"}'),)),
    ChatMessage("tool", "rain", call_id="c"),
    ChatMessage("assistant", "It rains."),
)


def test_instructions_are_the_end_of_the_system_message() -> None:
    """A small model keeps best what it read last."""
    first, *rest = prompt(ChatRequest((RULES, *PAST[:1])))
    assert first["role"] == "system"
    assert first["content"].endswith("You are a pirate.")
    assert rest == [{"role": "user", "content": "Weather in Oslo?"}]


def test_with_functions_the_answer_is_begun_for_the_model() -> None:
    """They are listed, and calls, results and words of the past look as the model wrote them."""
    first, *past, begun = prompt(ChatRequest((RULES, *PAST), (WEATHER,)))
    assert signature(WEATHER) in first["content"]
    assert begun == {"role": "assistant", "content": PREFILL}
    assert [entry["content"] for entry in past] == [
        "Weather in Oslo?",
        PREFILL + 'get_weather", "arguments": {"city": "Oslo"}}',
        "Result: rain",
        PREFILL + NONE + "It rains.",
    ]


@pytest.mark.parametrize("tools", [(), (WEATHER,)])
@pytest.mark.parametrize("form", [prompt, transcript])
def test_the_prefix_does_not_change_as_the_talk_goes_on(form: object, tools: tuple[Tool, ...]) -> None:
    """What is in the cache is used again, to the letter."""
    assert callable(form)
    begun = PREFILL if tools else ""
    for upto in range(1, len(PAST)):
        shorter, longer = (form(ChatRequest((RULES, *PAST[:end]), tools)) for end in (upto, upto + 1))
        if isinstance(shorter, str):
            assert longer.startswith(shorter.removesuffix(f"Assistant: {begun}" if begun else "Assistant:"))
        else:
            assert longer[: upto + 1] == shorter[: upto + 1]


def test_a_session_without_instructions_has_the_frame_alone() -> None:
    """Neither form ends in blank lines."""
    assert prompt(ChatRequest(PAST[:1]))[0]["content"] == system("", ())
    assert not system("", ()).endswith("\n")
    assert not system("", (WEATHER,)).endswith("\n")


def test_a_transcript_is_one_line_an_utterance() -> None:
    """A line's end is the end of an answer for a model that has no other."""
    text = transcript(ChatRequest((RULES, ChatMessage("user", "One\ntwo."), ChatMessage("assistant", "Three."))))
    assert text.splitlines()[-3:] == ["User: One two.", "Assistant: Three.", "Assistant:"]
    assert "You are a pirate." in text


@pytest.mark.parametrize(
    ("tool", "text"),
    [
        (WEATHER, 'get_weather(city: string, unit?: "C"|"F") - The weather.'),
        (Tool("stop"), "stop()"),
        (Tool("f", "", {"properties": "oops"}), "f()"),
        (Tool("f", "", {"properties": {"a": {"type": ["int", "null"]}, "b": True}}), "f(a?: integer|null, b?: any)"),
    ],
)
def test_a_function_is_one_line(tool: Tool, text: str) -> None:
    """As a person would write it down; wrong schemas do no harm."""
    assert signature(tool) == text
