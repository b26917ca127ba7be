"""The brain in the process, with its real weights."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from realtime_nb.engine.base import (
    Cancel,
    ChatCall,
    ChatCallDelta,
    ChatEnd,
    ChatMessage,
    ChatRead,
    ChatRequest,
    ChatText,
    Tool,
)
from realtime_nb.errors import ModelError

if TYPE_CHECKING:
    from realtime_nb.engine.llama import LlamaLlm

pytestmark = [pytest.mark.models, pytest.mark.timeout(600)]

Files = Callable[..., Mapping[str, Path]]
STRING = {"type": "string"}
WEATHER = Tool(
    "get_weather",
    "Get the current weather in a city.",
    {"type": "object", "properties": {"city": STRING}, "required": ["city"]},
)
TIMER = Tool(
    "set_timer",
    "Start a countdown timer.",
    {"type": "object", "properties": {"minutes": {"type": "integer"}}, "required": ["minutes"]},
)
LIGHT = Tool(
    "switch_light",
    "Switch a light on or off.",
    {"type": "object", "properties": {"room": STRING, "on": {"type": "boolean"}}, "required": ["room", "on"]},
)
TOOLS = (WEATHER, TIMER, LIGHT)
HELPFUL = ChatMessage("system", "You are a helpful assistant.")


@pytest.fixture(scope="module")
def qwen(weights_or_skip: Files) -> Any:
    """The default brain."""
    pytest.importorskip("xllamacpp")
    from realtime_nb.engine.llama import qwen

    return qwen(weights_or_skip("qwen2.5-coder-0.5b-instruct"))


@pytest.fixture(scope="module")
def smollm(weights_or_skip: Files) -> Any:
    """The brain for little memory."""
    pytest.importorskip("xllamacpp")
    from realtime_nb.engine.llama import smollm

    return smollm(weights_or_skip("smollm2-135m-instruct"))


class Talk:
    """A conversation with a brain."""

    def __init__(
        self, llm: LlamaLlm, instructions: str = "", tools: tuple[Tool, ...] = (), choice: str = "auto"
    ) -> None:
        self.llm, self.tools, self.choice = llm, tools, choice
        self.messages = [ChatMessage("system", instructions)]
        self.calls: dict[int, ChatCall] = {}
        self.end = ChatEnd("", 0, 0, 0)

    def say(self, words: str, **more: Any) -> str:
        """Say something; gives the answer's words."""
        self.messages.append(ChatMessage("user", words))
        return self.answer(**more)

    def answer(self, **more: Any) -> str:
        """Have it answer what was said or reported."""
        request = ChatRequest(tuple(self.messages), self.tools, self.choice, **more)
        *deltas, end = self.llm.chat(request, cancel=Cancel())
        assert isinstance(end, ChatEnd)
        text = "".join(delta.text for delta in deltas if isinstance(delta, ChatText))
        self.end, self.calls = end, {}
        for delta in deltas:
            if isinstance(delta, ChatCallDelta):
                before = self.calls.get(delta.index, ChatCall(f"call_{delta.index}", delta.name, ""))
                self.calls[delta.index] = ChatCall(before.call_id, before.name, before.arguments + delta.arguments)
        self.messages.append(ChatMessage("assistant", text, tuple(self.calls.values())))
        return text

    def called(self) -> list[tuple[str, Any]]:
        """The calls of the last answer, parsed."""
        return [(call.name, json.loads(call.arguments)) for call in self.calls.values()]


# ---------------------------------------------------------------- talking
@pytest.mark.parametrize("word", ["banana", "lighthouse"])
def test_a_word_it_is_told_to_say_it_says(qwen: LlamaLlm, word: str) -> None:
    """And little else."""
    assert Talk(qwen).say(f"Please say the word {word}.").lower().strip(' ."') == word


def test_a_fact_it_is_told_it_recalls_although_others_talk_too(qwen: LlamaLlm) -> None:
    """Two conversations know each its own."""
    one, other = Talk(qwen), Talk(qwen)
    one.say("My favourite colour is green.")
    other.say("My favourite colour is purple.")
    assert "green" in one.say("What is my favourite colour?").lower()
    assert "purple" in other.say("What is my favourite colour?").lower()


def test_instructions_are_followed(qwen: LlamaLlm) -> None:
    """They reach the model through its template."""
    talk = Talk(qwen, "You are a museum guide. The museum opens at nine and closes at five.")
    assert "five" in talk.say("When does the museum close?").lower()


def test_the_same_question_gets_the_same_answer(qwen: LlamaLlm) -> None:
    """Answers are not drawn by lot."""
    assert Talk(qwen).say("Name a fruit.") == Talk(qwen).say("Name a fruit.")


def test_answers_come_in_pieces_and_tokens_are_counted(qwen: LlamaLlm) -> None:
    """A piece a token or so; the end says how much was read and written."""
    request = ChatRequest((HELPFUL, ChatMessage("user", "What is the capital of France?")))
    *deltas, end = qwen.chat(request, cancel=Cancel())
    assert "Paris" in "".join(delta.text for delta in deltas if isinstance(delta, ChatText))
    assert len(deltas) > 4
    assert isinstance(end, ChatEnd)
    assert end.reason == "stop"
    assert end.prompt_tokens > qwen.count("What is the capital of France?") > 5
    assert end.output_tokens >= len(deltas)


def test_a_piece_comes_while_the_next_are_still_to_be_written(qwen: LlamaLlm) -> None:
    """The voice begins with the first clause; it does not wait for the last."""
    count = ChatRequest((HELPFUL, ChatMessage("user", "Count from one to fifty.")), max_tokens=100)
    chat = qwen.chat(count, cancel=Cancel())
    next(chat)
    assert qwen._running == 1
    chat.close()


def test_a_limit_of_tokens_is_kept_and_told(qwen: LlamaLlm) -> None:
    """The answer is cut there."""
    talk = Talk(qwen)
    talk.say("Tell me about the moon.", max_tokens=4)
    assert (talk.end.reason, talk.end.output_tokens) == ("length", 4)


@pytest.mark.parametrize(("asked", "kept"), [(None, 400), (10, 10), (1000, 1000), (4096, 4096), (9000, 4096)])
def test_as_many_tokens_as_are_asked_for(qwen: LlamaLlm, asked: int | None, kept: int) -> None:
    """Unasked, it ends before it rambles; asked, it may write all that the protocol allows."""
    request = ChatRequest((HELPFUL, ChatMessage("user", "Write a long letter.")), max_tokens=asked)
    assert qwen._body(request)["max_tokens"] == kept


# ---------------------------------------------------------------- the cache
def test_what_was_read_is_not_read_again(qwen: LlamaLlm) -> None:
    """The second turn only reads what is new; warming reads for the first."""
    instructions = "You are the guide of a small museum of clocks in a quiet town by the sea."
    qwen.warm((ChatMessage("system", instructions),))
    talk = Talk(qwen, instructions)
    talk.say("Hello, who are you?")
    assert talk.end.cached_tokens > 0.8 * talk.end.prompt_tokens
    before = talk.end.prompt_tokens
    talk.say("Thank you.")
    assert talk.end.cached_tokens >= before - 1


def test_what_was_in_the_cache_is_told_before_the_first_word(qwen: LlamaLlm) -> None:
    """Whoever cuts the answer off knows what it cost."""
    *deltas, end = qwen.chat(ChatRequest((HELPFUL, ChatMessage("user", "Name a river."))), cancel=Cancel())
    assert isinstance(end, ChatEnd)
    assert [delta for delta in deltas if isinstance(delta, ChatRead)] == [deltas[0]]
    assert deltas[0] == ChatRead(end.prompt_tokens, end.cached_tokens)


def test_a_snapshot_that_is_gone_is_read_again(smollm: LlamaLlm) -> None:
    """Whoever tidies the temporary folder makes an answer slower, and fails none."""
    warm = "You sell tickets for a train."
    smollm.warm((ChatMessage("system", warm),))
    for snapshot in Path(smollm._snapshots.name).iterdir():
        snapshot.unlink()
    assert [bool(Talk(smollm, warm).say(f"I want {number} tickets.", max_tokens=2)) for number in (2, 3)] == [True] * 2


def test_every_new_conversation_begins_with_the_warm_prefix(qwen: LlamaLlm) -> None:
    """Also the one that gets a cache nobody used before."""
    instructions = "You sell tickets for a ferry."
    qwen.warm((ChatMessage("system", instructions),))
    talks = [Talk(qwen, instructions) for _ in range(3)]
    for number, talk in enumerate(talks):
        talk.say(f"I want {number + 2} tickets.", max_tokens=2)
        assert talk.end.cached_tokens > 0.8 * talk.end.prompt_tokens


class InTheMiddle(Cancel):
    """Set when a brain that reads has looked at it four times: it does so after each batch."""

    asked = 0

    def is_set(self) -> bool:
        """Whether it is so far."""
        self.asked += 1
        if self.asked == 4:
            self.set()
        return super().is_set()


def test_a_warming_that_is_cancelled_leaves_what_it_has_read(qwen: LlamaLlm) -> None:
    """It returns before its end, and the chat that follows reads on from there, not from the beginning."""
    instructions = " ".join(f"Rule {number}: bring the {number}th lamp to the harbour." for number in range(40))
    cancel = InTheMiddle()
    qwen.warm((ChatMessage("system", instructions),), cancel=cancel)
    assert cancel.is_set()
    talk = Talk(qwen, instructions)
    talk.say("Hello.", max_tokens=1)
    assert 0 < talk.end.cached_tokens < talk.end.prompt_tokens


# ---------------------------------------------------------------- stopping
LONG = ChatRequest((HELPFUL, ChatMessage("user", "Tell me a long story about a dragon and a clock. " * 40)))


def test_a_cancel_while_it_reads_ends_the_chat(qwen: LlamaLlm) -> None:
    """Nothing is written, and the next chat is answered."""
    cancel = Cancel()
    threading.Timer(0.05, cancel.set).start()
    deltas = list(qwen.chat(LONG, cancel=cancel))
    assert [type(delta) for delta in deltas] == [ChatEnd]
    assert deltas[0].reason == "cancelled"  # type: ignore[union-attr]  # the only one
    assert "banana" in Talk(qwen).say("Please say the word banana.").lower()


def test_a_cancel_while_it_writes_ends_the_chat(qwen: LlamaLlm) -> None:
    """What was written stays counted."""
    cancel = Cancel()
    chat = qwen.chat(ChatRequest((HELPFUL, ChatMessage("user", "Tell me about the moon."))), cancel=cancel)
    next(chat)
    cancel.set()
    *_, end = chat
    assert isinstance(end, ChatEnd)
    assert end.reason == "cancelled"
    assert end.prompt_tokens > 0


def test_interrupt_stays_pythons(qwen: LlamaLlm) -> None:
    """Loading the model leaves the process' signal handlers as they were."""
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert qwen.count("still here") > 0


# ---------------------------------------------------------------- functions
@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("What is the weather in Paris?", ("get_weather", {"city": "Paris"})),
        ("Set a timer for ten minutes.", ("set_timer", {"minutes": 10})),
        ("Turn on the light in the kitchen.", ("switch_light", {"room": "kitchen", "on": True})),
        ("Hello, how are you?", None),
        ("What is the capital of Spain?", None),
    ],
)
def test_it_calls_what_is_asked_for_and_else_talks(qwen: LlamaLlm, words: str, call: tuple[str, Any] | None) -> None:
    """With ``auto``."""
    talk = Talk(qwen, tools=TOOLS)
    said = talk.say(words)
    assert talk.called() == ([call] if call else [])
    assert bool(said) is (call is None)
    assert talk.end.reason == ("tool_calls" if call else "stop")


def test_a_call_may_come_after_words(qwen: LlamaLlm) -> None:
    """Where the talk is such that it says first what it does; a question that needs no call gets none."""
    talk = Talk(qwen, tools=TOOLS)
    call = ChatCall("call_0", "get_weather", '{"city": "Rome"}')
    talk.messages += [
        ChatMessage("user", "What is the weather in Rome?"),
        ChatMessage("assistant", "Let me check.", (call,)),
        ChatMessage("tool", "sunny, 25 degrees", call_id="call_0"),
        ChatMessage("assistant", "It is sunny in Rome, with 25 degrees."),
    ]
    assert talk.say("What is the weather in Oslo?") == "Let me check."
    assert talk.called() == [("get_weather", {"city": "Oslo"})]
    assert talk.end.reason == "tool_calls"
    talk.messages.append(ChatMessage("tool", "rain, 4 degrees", call_id="call_0"))
    talk.answer()
    assert "Rome" in talk.say("What is the capital of Italy?")
    assert not talk.calls


def test_the_result_is_in_the_answer(qwen: LlamaLlm) -> None:
    """After a call, it talks about what came of it."""
    talk = Talk(qwen, tools=TOOLS)
    talk.say("What is the weather in Oslo?")
    talk.messages.append(ChatMessage("tool", '{"temperature_c": 17, "sky": "cloudy"}', call_id="call_0"))
    assert "17" in talk.answer()
    assert talk.called() == []


@pytest.mark.parametrize(
    ("choice", "names"), [("required", {tool.name for tool in TOOLS}), ("set_timer", {"set_timer"})]
)
def test_a_required_call_is_made(qwen: LlamaLlm, choice: str, names: set[str]) -> None:
    """Whatever is said."""
    talk = Talk(qwen, tools=TOOLS, choice=choice)
    assert talk.say("Hello there.") == ""
    assert {name for name, _ in talk.called()} <= names
    assert talk.called()


def test_without_leave_no_call_is_made(qwen: LlamaLlm) -> None:
    """With ``none`` it talks, although it knows of a function."""
    talk = Talk(qwen, tools=TOOLS, choice="none")
    assert talk.say("What is the weather in Rome?")
    assert not talk.calls


VALUES = (
    st.just({"type": "string"})
    | st.just({"type": "boolean"})
    | st.just({"type": "integer", "minimum": 1, "maximum": 9})
    | st.just({"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.01})
    | st.just({"enum": ["red", "green", "blue"]})
    | st.just({"type": "array", "items": {"type": "integer"}, "maxItems": 3})
    | st.just({"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]})
    | st.just({"anyOf": [{"type": "null"}, {"enum": [1, 2]}]})
    | st.just({"type": "string", "pattern": "^[a-z]{2,6}$", "example": "ab"})
)
SCHEMAS = st.dictionaries(st.sampled_from(["name", "size", "colour", "options"]), VALUES, min_size=1, max_size=3).map(
    lambda parts: {"type": "object", "properties": parts, "required": list(parts), "additionalProperties": False}
)


@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(schema=SCHEMAS)
def test_arguments_always_parse_and_keep_to_their_schema(smollm: LlamaLlm, schema: dict[str, Any]) -> None:
    """Even those of a model that understands nothing of them."""
    talk = Talk(smollm, tools=(Tool("paint_house", "Paint a house.", schema),), choice="required")
    talk.say("Paint my small house blue, please.")
    ((name, arguments),) = talk.called()
    assert name == "paint_house"
    jsonschema.validate(arguments, schema)


# ---------------------------------------------------------------- the small one, and faults
def test_the_small_brain_talks_too(smollm: LlamaLlm) -> None:
    """It says what it is told to say, on one line, without a blank before it."""
    said = Talk(smollm, "Be nice.").say("Please say the word banana.")
    assert said == "Banana."


def test_a_file_that_is_no_model_is_told_in_words(tmp_path: Path) -> None:
    """With the line that looks into it."""
    pytest.importorskip("xllamacpp")
    from realtime_nb.engine.llama import LlamaLlm

    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF nothing")
    with pytest.raises(ModelError, match=r"broken\.gguf does not load") as caught:
        LlamaLlm("broken", broken, context_tokens=512, follows_template=True)
    assert caught.value.hint == "realtime-nb models verify"


def test_a_brain_that_was_closed_says_so(weights_or_skip: Files) -> None:
    """Instead of crashing the process."""
    pytest.importorskip("xllamacpp")
    from realtime_nb.engine.llama import smollm

    brain = smollm(weights_or_skip("smollm2-135m-instruct"))
    brain.close()  # type: ignore[attr-defined]  # not part of the stage, but of this one
    with pytest.raises(ModelError, match="closed"):
        list(brain.chat(LONG, cancel=Cancel()))


EXOTIC = {
    "a reference into nowhere": {"properties": {"a": {"$ref": "#/$defs/none"}}, "required": ["a"]},
    "a contradiction": {"properties": {"a": {"type": "integer", "minimum": 5, "maximum": 3}}, "required": ["a"]},
    "no such pattern": {"properties": {"a": {"type": "string", "pattern": "(["}}, "required": ["a"]},
    "one of several": {"anyOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}]},
    "mixed values": {"properties": {"a": {"enum": ["x", 1, None, {"k": [1]}]}}, "required": ["a"]},
    "arrays of arrays": {
        "properties": {"a": {"type": "array", "maxItems": 2, "items": {"type": "array", "items": {"type": "number"}}}},
        "required": ["a"],
    },
}


@pytest.mark.parametrize("schema", EXOTIC.values(), ids=EXOTIC.keys())
def test_arguments_parse_whatever_the_schema(smollm: LlamaLlm, schema: dict[str, Any]) -> None:
    """Where a schema makes no grammar, a freer one holds: there is a call, its arguments parse, its names are right."""
    talk = Talk(smollm, tools=(Tool("do", "Do it.", schema),), choice="required")
    talk.say("Do it.", max_tokens=40)
    (name, arguments), *_more = talk.called()
    assert name == "do"
    assert "a" in arguments


LET_GO = """
import subprocess
import sys
import threading
from realtime_nb.engine.base import Cancel, ChatMessage, ChatRequest
from realtime_nb.engine.llama import smollm
from realtime_nb.engine.weights import ensure

brain, cancel = smollm(ensure("smollm2-135m-instruct")), Cancel()
threading.Timer(0.3, cancel.set).start()
list(brain.chat(ChatRequest((ChatMessage("user", "Tell me a long story. " * 40),)), cancel=cancel))
brain.close()
"""


def test_a_brain_let_go_while_it_stops_does_not_crash_the_process(smollm: LlamaLlm) -> None:
    """Letting go waits for what was cancelled: llama.cpp would end the process with a signal."""
    ended = subprocess.run([sys.executable, "-c", LET_GO], check=False, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-500:]
