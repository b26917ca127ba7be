"""From functions to schemas, and from the model's JSON back to arguments."""

import ast
import enum
import functools
import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Optional, TypedDict

import jsonschema
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from realtime_nb.errors import ConfigError
from realtime_nb.tools import declare

# No `from __future__ import annotations`: half of these functions' annotations are values, half are text.


class Colour(enum.Enum):
    """Two colours."""

    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    """A place."""

    x: float
    y: float = 0.0


class Place(TypedDict, total=False):
    """A place with a name."""

    name: str
    at: Point


class Node(TypedDict):
    """Something without an end."""

    inside: "list[Node]"


class Order(BaseModel):
    """A model of pydantic's."""

    title: str
    point: "Leaf"


class Leaf(BaseModel):
    """Inside another."""

    size: int


Order.model_rebuild()


def schema_of(annotation: Any) -> Any:
    """The schema of one parameter of that annotation."""

    def function(value: Any) -> None: ...

    function.__annotations__ = {"value": annotation}
    return declare(function).parameters["properties"]["value"]


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (list, {"type": "array"}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (Literal["a", "b"], {"enum": ["a", "b"]}),
        (Colour, {"enum": ["blue", "red"]}),
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),  # noqa: UP045 - the old way of writing it
        (Any, {}),
        (Annotated[int, "How many."], {"type": "integer", "description": "How many."}),
        (
            Annotated[int, msgspec.Meta(ge=1, description="How many.")],
            {"type": "integer", "minimum": 1, "description": "How many."},
        ),
        ("int", {"type": "integer"}),
        (
            Point,
            {
                "type": "object",
                "properties": {"x": {"type": "number"}, "y": {"type": "number", "default": 0.0}},
                "required": ["x"],
            },
        ),
        (
            Place,
            {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "at": {
                        "type": "object",
                        "properties": {"x": {"type": "number"}, "y": {"type": "number", "default": 0.0}},
                        "required": ["x"],
                    },
                },
                "required": [],
            },
        ),
    ],
)  # fmt: skip
def test_schemas(annotation: Any, schema: dict[str, Any]) -> None:
    """Each annotation has its schema, without titles and references."""
    found = schema_of(annotation)
    found.pop("title", None)
    if isinstance(found.get("description"), str) and "description" not in schema:
        found.pop("description")  # of a class: its docstring
    if annotation is Place:
        found["properties"]["at"].pop("description", None)
    assert found == schema


def test_a_whole_function() -> None:
    """Name, description, parameters, defaults and what is required come from the function."""

    def forecast(city: str, days: int = 3, *, unit: Literal["C", "F"] = "C", at: Point | None = None) -> str:
        """Give the forecast.

        Parameters
        ----------
        city : str
            Where.
        days : int
            How many.
        """
        return f"{city} {days} {unit} {at}"

    tool = declare(forecast)
    assert (tool.name, tool.description) == ("forecast", "Give the forecast.")
    assert tool.parameters["required"] == ["city"]
    assert tool.parameters["additionalProperties"] is False
    properties = tool.parameters["properties"]
    assert properties["city"] == {"type": "string", "description": "Where."}
    assert properties["days"] == {"type": "integer", "description": "How many.", "default": 3}
    assert properties["unit"] == {"enum": ["C", "F"], "default": "C"}
    jsonschema.Draft202012Validator.check_schema(tool.parameters)
    wire = msgspec.to_builtins(tool.declaration)
    assert set(wire) == {"type", "name", "description", "parameters"}
    assert wire["type"] == "function"


def test_annotated_words_win() -> None:
    """A description beside the annotation is nearer than the docstring's."""

    def lamp(on: Annotated[bool, "Whether it shall shine."]) -> None:
        """Switch.

        Args:
            on: Something else.
        """

    assert declare(lamp).parameters["properties"]["on"]["description"] == "Whether it shall shine."


def test_given_name_and_description() -> None:
    """A lambda becomes a tool when it is given a name."""
    tool = declare(lambda x: x, name="echo", description="Say it again.")
    assert (tool.name, tool.description, tool.parameters["properties"]) == ("echo", "Say it again.", {"x": {}})


class Lamp:
    """A lamp."""

    def switch(self, on: bool) -> str:
        """Switch it."""
        return f"{on}"

    def __call__(self, level: int) -> int:
        """Dim it."""
        return level


def test_methods_objects_and_partials() -> None:
    """Bound methods, callable objects and partials are functions, too."""
    assert list(declare(Lamp().switch).parameters["properties"]) == ["on"]
    dim = declare(Lamp())
    assert (dim.name, dim.description, list(dim.parameters["properties"])) == ("Lamp", "Dim it.", ["level"])

    def power(base: float, exponent: float) -> float:
        """Raise."""
        return base**exponent

    square = declare(functools.partial(power, exponent=2), name="square")
    assert square.description == "Raise."
    assert square.parameters["required"] == ["base"]
    assert square.bind('{"base": 3}') == ([], {"base": 3.0, "exponent": 2})


def test_arguments_become_what_they_are_annotated_as() -> None:
    """Enums, dataclasses, models and defaults arrive as such; a model's small slips are mended."""

    def draw(colour: Colour, at: Point, order: Order, count: int = 1, tags: list[str] = ["x"]) -> None:  # noqa: B006 - tested
        """Draw."""

    text = '{"colour": "red", "at": {"x": 1}, "order": {"title": "t", "point": {"size": 2}}, "count": "5"}'
    _, named = declare(draw).bind(text)
    assert named == {
        "colour": Colour.RED,
        "at": Point(1.0),
        "order": Order(title="t", point=Leaf(size=2)),
        "count": 5,
        "tags": ["x"],
    }
    assert declare(draw).parameters["properties"]["order"]["properties"]["point"]["properties"]["size"] == {
        "type": "integer"
    }


def test_mutable_defaults_are_fresh() -> None:
    """A default that a call changes is as it was for the next call."""

    def collect(into: list[int] = [1]) -> list[int]:  # noqa: B006 - this is what is tested
        """Collect."""
        return into

    tool = declare(collect)
    tool.bind("{}")[1]["into"].append(2)
    assert tool.bind("{}")[1] == {"into": [1]}


def test_none_by_default_may_be_given() -> None:
    """``x: int = None`` takes null."""

    def maybe(x: int = None) -> None:  # type: ignore[assignment]  # noqa: RUF013 - people write this
        """Perhaps."""

    assert declare(maybe).bind('{"x": null}') == ([], {"x": None})


def test_positional_only() -> None:
    """Parameters before a slash go by position."""

    def sub(a: int, /, b: int) -> int:
        """Subtract."""
        return a - b

    assert declare(sub).bind('{"b": 1, "a": 5}') == ([5], {"b": 1})


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ('{"a": "x"}', r"\$\.a"),
        ("{}", "missing required field `a`"),
        ('{"a": 1, "zz": 2}', "zz"),
        ('{"a": 1', "JSON|truncated"),
        ("[1]", "object"),
        ("nonsense", "JSON"),
    ],
)
def test_wrong_arguments(arguments: str, place: str) -> None:
    """Arguments that do not match raise ValueError with the place."""

    def one(a: int) -> None:
        """Take one."""

    with pytest.raises(ValueError, match=place):
        declare(one).bind(arguments)


def test_no_arguments() -> None:
    """A function without parameters takes an empty text as well as an empty object."""

    def ping() -> None:
        """Ping."""

    assert declare(ping).bind("") == declare(ping).bind("{}") == ([], {})
    assert declare(ping).parameters["properties"] == {}


def _star(*values: int) -> None: ...
def _keywords(**values: int) -> None: ...
def _array(x: np.ndarray) -> None: ...  # type: ignore[type-arg]
def _endless(x: Node) -> None: ...
def _nowhere(x: "Missing") -> None: ...  # type: ignore[name-defined]  # noqa: F821 - this is what is tested


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (_star, "fixed names"),
        (_keywords, "fixed names"),
        (_array, "numpy"),
        (_endless, "contains itself"),
        (_nowhere, "Missing"),
        (lambda x: x, "no name"),
        (3, "is a function"),
    ],
)
def test_what_cannot_be_a_tool(function: Any, words: str) -> None:
    """What the model could not be told is refused at once, with a hint that parses."""
    with pytest.raises(ConfigError, match=words) as caught:
        declare(function)
    assert caught.value.hint is not None
    ast.parse(caught.value.hint)


@pytest.mark.parametrize("name", ["", "a b", "ä", "x" * 65, "a.b"])
def test_names(name: str) -> None:
    """A name that the API refuses is refused here."""
    with pytest.raises(ConfigError, match="is no name"):
        declare(lambda: None, name=name)


json_values = (
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(-9, 9)
    | st.text("xy1")
    | st.lists(st.floats(-9, 9) | st.none())
)


@given(st.dictionaries(st.sampled_from("abcd"), json_values))
def test_schema_and_binding_agree(arguments: dict[str, Any]) -> None:
    """What the schema allows, binds."""

    def function(a: int, b: str | None = None, c: list[float] = [], d: Literal["x", "y"] = "x") -> None:  # noqa: B006
        """Take four."""

    tool = declare(function)
    if jsonschema.Draft202012Validator(tool.parameters).is_valid(arguments):
        tool.bind(json.dumps(arguments))


def test_repr() -> None:
    """A tool shows its name and parameters."""
    assert repr(declare(lambda a, b: a + b, name="first")) == "Tool(first(a, b))"
