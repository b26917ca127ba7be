"""What a small model may write where there are functions, and how it is read."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from realtime_nb.engine.base import ChatCallDelta, ChatMessage, ChatRequest, ChatText, Tool
from realtime_nb.engine.grammar import MIDDLE, NONE, PREFILL, CallReader, allowed, grammar, openings, plain_schema

WEATHER = Tool("get_weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
TIMER = Tool("set_timer", "A timer.", {"type": "object", "properties": {"minutes": {"type": "integer"}}})
USER = ChatMessage("user", "Weather in Oslo?")
RESULT = ChatMessage("tool", "rain", call_id="call_1")


def request(*messages: ChatMessage, choice: str = "auto") -> ChatRequest:
    """A request with both functions."""
    return ChatRequest(messages or (USER,), (WEATHER, TIMER), choice)


def line(name: str, arguments: object) -> str:
    """A call, as the model writes it."""
    return f"{PREFILL}{name}{MIDDLE}{json.dumps(arguments)}}}"


def read(text: str, size: int = 1000) -> list[ChatText | ChatCallDelta]:
    """All that a reader gives for a text in pieces of this size."""
    reader = CallReader()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    return [delta for piece in pieces for delta in reader.feed(piece)] + list(reader.finish())


def calls(deltas: list[ChatText | ChatCallDelta]) -> list[tuple[str, object]]:
    """The calls, put together."""
    joined: dict[int, tuple[str, str]] = {}
    for delta in deltas:
        assert isinstance(delta, ChatCallDelta)
        name, arguments = joined.get(delta.index, (delta.name, ""))
        joined[delta.index] = name, arguments + delta.arguments
    assert list(joined) == list(range(len(joined)))
    return [(name, json.loads(arguments)) for name, arguments in joined.values()]


# ---------------------------------------------------------------- the choice
@pytest.mark.parametrize(
    ("choice", "messages", "may_talk", "may_call"),
    [
        ("auto", (USER,), True, ("get_weather", "set_timer")),
        ("none", (USER,), True, ()),
        ("required", (USER,), False, ("get_weather", "set_timer")),
        ("set_timer", (USER,), False, ("set_timer",)),
        ("auto", (USER, RESULT), True, ()),
        ("required", (USER, RESULT), False, ("get_weather", "set_timer")),
        ("no_such_function", (USER,), True, ()),
    ],
)
def test_the_choice_decides_what_an_answer_may_be(
    choice: str, messages: tuple[ChatMessage, ...], *, may_talk: bool, may_call: tuple[str, ...]
) -> None:
    """Words, calls, or either; after a result, words, unless a call is required."""
    talk, tools = allowed(request(*messages, choice=choice))
    assert (talk, tuple(tool.name for tool in tools)) == (may_talk, may_call)
    start = (grammar(request(*messages, choice=choice)) or "").splitlines()[1]
    assert ("say" in start, "calls" in start) == (may_talk, bool(may_call))


def test_without_functions_anything_may_be_said() -> None:
    """There is no grammar."""
    assert grammar(ChatRequest((USER,))) is None


def test_each_function_brings_its_schema() -> None:
    """Compact, with nothing invented beside the parameters that are declared."""
    schemas = [
        json.loads(row.partition("%json ")[2].removesuffix(' "}"'))
        for row in (grammar(request()) or "").splitlines()
        if row.startswith("call_")
    ]
    assert [list(schema["properties"]) for schema in schemas] == [["city"], ["minutes"]]
    assert all(schema["additionalProperties"] is False for schema in schemas)
    assert all(schema["x-guidance"]["whitespace_flexible"] is False for schema in schemas)


def test_a_function_without_parameters_gets_none() -> None:
    """An empty schema would allow any object."""
    rules = grammar(ChatRequest((USER,), (Tool("stop"),))) or ""
    assert '"properties": {}' in rules
    assert '"additionalProperties": false' in rules


def test_a_name_with_a_quote_stays_a_literal() -> None:
    """Whatever a client calls its functions, the grammar stays one."""
    rules = grammar(ChatRequest((USER,), (Tool('a"b\\'),))) or ""
    assert json.dumps('a"b\\' + MIDDLE) in rules


# ---------------------------------------------------------------- schemas
WILD = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "type",
                    "properties",
                    "required",
                    "items",
                    "enum",
                    "anyOf",
                    "oneOf",
                    "minimum",
                    "maxLength",
                    "$defs",
                    "x",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(WILD)
@example({"maxLength": False})
def test_whatever_a_client_sends_becomes_a_correct_schema(schema: Any) -> None:
    """The wrong parts are left out, and nothing raises."""
    plain = plain_schema(schema)
    jsonschema.Draft202012Validator.check_schema(plain)
    assert plain_schema(plain) == plain


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"type": "float"}, {"type": "number"}),
        ({"type": ["str", "null"]}, {"type": ["string", "null"]}),
        (
            {"properties": {"a": {"type": "int"}}},
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": [], "additionalProperties": False},
        ),
        ({"oneOf": [{"const": 1}, {"const": 2}]}, {"anyOf": [{"const": 1}, {"const": 2}]}),
        ({"type": "array", "items": {"type": "bool"}}, {"type": "array", "items": {"type": "boolean"}, "maxItems": 32}),
        ({"type": "array", "minItems": 50}, {"type": "array", "minItems": 50, "maxItems": 50}),
        ({"enum": ["a", "b"], "description": "one of two"}, {"enum": ["a", "b"]}),
        ("nonsense", {}),
    ],
)
def test_a_schema_keeps_what_a_grammar_can_hold(given: Any, kept: dict[str, Any]) -> None:
    """Types by the names people use for them, values, limits, parts."""
    assert plain_schema(given) == kept


EITHER = {"anyOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"b": {"type": "integer"}}}]}
TREE = {"properties": {"root": {"$ref": "#/$defs/node"}}, "$defs": {"node": {"properties": {"next": {"$ref": "#"}}}}}


def schema_of(parameters: Any, *, loose: bool = False) -> dict[str, Any]:
    """What the arguments of a function with these parameters may be."""
    rules = grammar(ChatRequest((USER,), (Tool("f", "F.", parameters),), "required"), loose=loose)
    assert rules is not None
    schema: dict[str, Any] = json.JSONDecoder().raw_decode(rules.partition("%json ")[2])[0]
    return schema


def test_alternatives_at_the_top_are_not_closed() -> None:
    """A schema that is one of several has no properties of its own, and is not made one without any."""
    schema = schema_of(EITHER)
    assert schema["type"] == "object"
    assert "additionalProperties" not in schema
    jsonschema.validate({"b": 3}, schema)


def test_references_keep_what_they_refer_to() -> None:
    """Definitions stand where the references look for them."""
    jsonschema.validate({"root": {"next": {"root": {}}}}, schema_of(TREE))


@pytest.mark.parametrize("parameters", [EITHER, TREE, {}, None, {"properties": "wrong"}, {"properties": {"a": True}}])
def test_loose_arguments_keep_their_names_alone(parameters: Any) -> None:
    """Where no grammar holds a schema, any value may stand under its names: that is always a correct schema."""
    schema = schema_of(parameters, loose=True)
    jsonschema.Draft202012Validator.check_schema(schema)
    named = list((parameters or {}).get("properties") or ()) if isinstance(parameters, dict) else []
    if named == ["a"]:
        jsonschema.validate({"a": [1, {"x": None}]}, schema)


def test_an_answer_begins_as_the_grammar_says() -> None:
    """How it begins shows whether a model kept to the grammar."""
    assert openings(request()) == (NONE, f"get_weather{MIDDLE}", f"set_timer{MIDDLE}")
    assert openings(request(choice="required")) == (f"get_weather{MIDDLE}", f"set_timer{MIDDLE}")
    assert openings(ChatRequest((USER,))) == ("",)


# ---------------------------------------------------------------- reading
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["get_weather", "set_timer"]),
            st.dictionaries(st.text(max_size=4), st.integers() | st.text()),
        ),
        min_size=1,
        max_size=4,
        unique_by=json.dumps,
    ),
    st.integers(1, 60),
)
def test_calls_are_read_the_same_in_any_pieces(made: list[tuple[str, dict[str, Any]]], size: int) -> None:
    """What was written comes out, each call under its index."""
    text = "\n".join(line(name, arguments) for name, arguments in made)[len(PREFILL) :]
    assert calls(read(text, size)) == made


@given(st.text(st.characters(exclude_characters="{}\n"), min_size=1), st.integers(1, 30))
def test_words_are_passed_on_as_they_come(words: str, size: int) -> None:
    """Without the mark before them."""
    deltas = read(NONE + words, size)
    assert all(isinstance(delta, ChatText) for delta in deltas)
    assert "".join(delta.text for delta in deltas if isinstance(delta, ChatText)) == words


@given(
    st.text(st.characters(exclude_characters="{}\n"), min_size=1).map(str.strip).filter(bool),
    st.lists(st.integers(), min_size=1, max_size=4, unique=True),
    st.integers(1, 60),
)
def test_calls_may_come_after_words(words: str, minutes: list[int], size: int) -> None:
    """In any pieces: first what is said, then the calls, each under its index."""
    made = "\n".join(line("set_timer", {"minutes": each}) for each in minutes)
    deltas = read(f"{NONE}{words} {made}", size)
    said = [delta for delta in deltas if isinstance(delta, ChatText)]
    assert "".join(delta.text for delta in said) == words
    assert deltas[: len(said)] == said
    assert calls(deltas[len(said) :]) == [("set_timer", {"minutes": each}) for each in minutes]


@pytest.mark.parametrize("written", range(1, len(PREFILL) + 1))
def test_a_call_after_words_that_was_cut_before_its_name_is_not_said(written: int) -> None:
    """Where the answer has no room for more, its words are those before the call."""
    assert read(f"{NONE}Let me look. {PREFILL[:written]}") == [ChatText("Let me look.")]


def test_the_first_call_is_streamed() -> None:
    """Its arguments come in pieces, before the call is complete."""
    reader = CallReader()
    assert [*reader.feed(f'add{MIDDLE}{{"a": 1, ')] == [ChatCallDelta(0, "add", '{"a": 1,')]
    assert reader.calls == 1
    assert [*reader.feed('"b": 2}}')] == [ChatCallDelta(0, "add", ' "b": 2}')]


def test_a_call_made_twice_is_passed_on_once() -> None:
    """And whoever reads is told that nothing new will come."""
    reader = CallReader()
    paris, rome = line("get_weather", {"city": "Paris"}), line("get_weather", {"city": "Rome"})
    deltas = [*reader.feed(f"{paris}\n{rome}"[len(PREFILL) :]), *reader.feed("\n" + paris + "\n")]
    assert [city for _, city in calls(deltas)] == [{"city": "Paris"}, {"city": "Rome"}]
    assert reader.repeats


def test_a_further_call_that_was_cut_is_dropped() -> None:
    """Half a call is none."""
    text = line("set_timer", {"minutes": 5})[len(PREFILL) :] + "\n" + line("get_weather", {"city": "Paris"})[:-9]
    assert calls(read(text)) == [("set_timer", {"minutes": 5})]


@pytest.mark.parametrize(("written", "is_cut"), [(30, True), (50, True), (1000, False)])
def test_a_first_call_that_was_cut_is_known_as_cut(written: int, *, is_cut: bool) -> None:
    """Its pieces are out; whoever reads is told that they are not all."""
    reader = CallReader()
    for _delta in reader.feed(line("set_timer", {"minutes": 5, "name": "tea"})[len(PREFILL) :][:written]):
        pass
    assert not list(reader.finish())
    assert reader.is_cut is is_cut
