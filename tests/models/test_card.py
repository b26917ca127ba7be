"""What a card says, and how it says no."""

from __future__ import annotations

import ast
import datetime as dt

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.errors import ConfigError, Unsupported
from realtime_nb.models import ModelCard, model
from realtime_nb.models.words import ENDPOINTS, PHRASES, normal

MINI = model("gpt-realtime-mini")


def test_mini_facts() -> None:
    """Every plain figure of the published card is on the card."""
    assert (MINI.context_window, MINI.max_output_tokens, MINI.max_input_tokens) == (32_000, 4_096, 28_224)
    assert MINI.input_modalities == ("text", "image", "audio")
    assert MINI.output_modalities == ("text", "audio")
    assert MINI.connections == ("WebRTC", "WebSocket", "SIP")
    assert MINI.endpoints == ("v1/realtime",)
    assert MINI.knowledge_cutoff == dt.date(2023, 10, 1)
    assert MINI.supported == ("function calling",)
    assert set(MINI.unsupported) >= {"structured outputs", "fine-tuning", "distillation", "predicted outputs"}
    assert MINI.labels == {
        "performance": "Higher",
        "speed": "Very fast",
        "price": "$0.6 in - $2.4 out (per 1M text tokens)",
    }
    assert MINI.comparison == {"GPT-5": 1.25, "gpt-realtime-mini": 0.60}
    assert MINI.shutdown is not None
    assert MINI.shutdown.date == dt.date(2027, 1, 20)


def test_mini_prices() -> None:
    """The price table is kind x (input, cached, output), NaN where the card has a dash."""
    expected = pd.DataFrame(
        [[0.60, 0.06, 2.40], [10.0, 0.30, 20.0], [0.80, 0.08, float("nan")]],
        index=pd.Index(["text", "audio", "image"], name="kind", dtype="string"),
        columns=pd.Index(["input", "cached", "output"], name="USD per 1M tokens"),
    )
    pd.testing.assert_frame_equal(MINI.prices, expected)


def test_mini_tiers() -> None:
    """The tier table has six rows of nullable whole numbers; Free is not supported."""
    tiers = MINI.tiers
    assert list(tiers.index) == ["Free", "1", "2", "3", "4", "5"]
    assert tiers.dtypes.astype(str).to_dict() == {"rpm": "Int64", "tpm": "Int64"}
    assert tiers.loc["Free"].isna().all()
    assert tiers["rpm"].dropna().tolist() == [200, 400, 5_000, 10_000, 20_000]
    assert tiers["tpm"].dropna().tolist() == [40_000, 200_000, 800_000, 4_000_000, 15_000_000]


def test_tables_of_a_bare_card_are_typed() -> None:
    """A card without tiers has an empty tier table of the same dtypes."""
    assert model("local").tiers.dtypes.equals(MINI.tiers.dtypes)
    assert len(model("local").tiers) == 0


def test_limits_of_a_tier() -> None:
    """A tier's limits are found by number or name."""
    assert MINI.limits(3).rpm == 5_000
    assert MINI.limits("5").tpm == 15_000_000


def test_limits_of_free_are_refused_by_the_card() -> None:
    """The free tier is refused with the card's line."""
    with pytest.raises(Unsupported, match='"tier Free: not supported"'):
        MINI.limits("free")


@pytest.mark.parametrize("tier", [0, 6, "gold"])
def test_limits_of_an_unknown_tier(tier: int | str) -> None:
    """An unknown tier is an error that names the tiers there are."""
    with pytest.raises(ConfigError, match="Free, 1, 2, 3, 4, 5"):
        MINI.limits(tier)


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        ("image output", "output modalities"),
        ("output image", "output modalities"),
        ("video", "output modalities"),
        ("video input", "input modalities"),
        ("video output", "output modalities"),
        ("structured outputs", "not supported"),
        ("response_format", "not supported"),
        ("fine-tuning", "not supported"),
        ("Fine Tuning", "not supported"),
        ("distillation", "not supported"),
        ("predicted outputs", "not supported"),
        ("reasoning", "not supported"),
        ("v1/chat/completions", "endpoints"),
        ("/v1/chat/completions", "endpoints"),
        ("chat completions", "endpoints"),
        ("v1/fine_tuning/jobs", "endpoints"),
        *((path, "endpoints") for path in ENDPOINTS if path != "v1/realtime"),
    ],
)
def test_refusals_quote_the_card(asked: str, line: str) -> None:
    """What the card refuses raises Unsupported, quoting a line that the card shows, with a hint that parses."""
    with pytest.raises(Unsupported) as caught:
        MINI.require(asked)
    quoted = f"{line}: {MINI.facts[line]}"
    assert f'"{quoted}"' in caught.value.message
    assert MINI.name in caught.value.message
    assert any(row.split() == quoted.replace(":", "", 1).split() for row in repr(MINI).splitlines())
    assert caught.value.hint is not None
    ast.parse(caught.value.hint)


@pytest.mark.parametrize(
    "asked",
    ["text", "audio input", "audio output", "image", "image input", "WebRTC", "websocket", "SIP", "v1/realtime",
     "realtime", "function calling", "tools"],
)  # fmt: skip
def test_grants(asked: str) -> None:
    """What the card offers passes in any usual wording."""
    MINI.require(asked)


def test_connections_are_a_closed_list() -> None:
    """A connection that the card does not name is refused."""
    with pytest.raises(Unsupported, match='"connections: WebSocket"'):
        model("local").require("SIP")


def test_several_at_once() -> None:
    """The first refused of several asked is the one reported."""
    with pytest.raises(Unsupported, match="no distillation"):
        MINI.require("audio output", "distillation", "video")


def test_silence_is_no_refusal() -> None:
    """What a card is silent about is let through: the server will say."""
    model("gpt-realtime-2.1-mini").require("reasoning", "structured outputs")


def test_unknown_word_has_the_nearest() -> None:
    """A word no card knows is a ConfigError, not Unsupported, with the nearest in a hint that parses."""
    with pytest.raises(ConfigError) as caught:
        MINI.require("strucured output")
    assert not isinstance(caught.value, Unsupported)
    assert caught.value.hint == 'rt.model("gpt-realtime-mini").require("structured output")'


@given(st.sampled_from(sorted(PHRASES)), st.sampled_from([str.upper, str.title, lambda s: f" {s} "]))
def test_wording_does_not_matter(phrase: str, change: object) -> None:
    """Case and blanks around a phrase change nothing."""
    assert callable(change)
    assert normal(change(phrase)) == normal(phrase) == phrase


def test_a_card_of_ones_own() -> None:
    """A card is plain TOML with the fields of the class."""
    card = ModelCard.from_toml(
        """
        name = "mine"
        summary = "my own server"
        input_modalities = ["text"]
        output_modalities = ["text"]
        connections = ["WebSocket"]
        endpoints = ["v1/realtime"]
        sources = ["me"]
        [rates]
        text = { input = 1, output = 2 }
        """
    )
    assert card.rates["text"].input == 1.0
    assert card.rates["text"].cached is None
    with pytest.raises(Unsupported):
        card.require("audio output")


@pytest.mark.parametrize(
    ("text", "place"),
    [("name = 1", "name"), ("nonsense", "TOML|key|Expected"), ('colour = "red"', "colour"), ('name = "x"', "missing")],
)
def test_a_broken_card(text: str, place: str) -> None:
    """A card that is no TOML, or has a wrong, unknown or missing field, is an error that has the place."""
    with pytest.raises(ConfigError, match=place):
        ModelCard.from_toml(text)


def test_cards_do_not_change() -> None:
    """A card is immutable."""
    with pytest.raises(AttributeError):
        MINI.name = "other"  # type: ignore[misc]  # that is the point
