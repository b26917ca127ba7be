"""What responses cost: the worked examples, and what no server should be able to break."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.errors import ConfigError
from realtime_nb.history.schema import COST
from realtime_nb.models import model
from realtime_nb.protocol.usage import CachedTokens, InputTokens, OutputTokens, Usage
from realtime_nb.usage import cost, read_usage

MINI = model("gpt-realtime-mini")


def usage(
    text: int = 0, audio: int = 0, image: int = 0, *, cached: tuple[int, int, int] = (0, 0, 0), out: tuple[int, int]
) -> Usage:
    """A usage with all its sub-fields."""
    return Usage(
        total_tokens=text + audio + image + sum(out),
        input_tokens=text + audio + image,
        output_tokens=sum(out),
        input_token_details=InputTokens(
            text_tokens=text,
            audio_tokens=audio,
            image_tokens=image,
            cached_tokens=sum(cached),
            cached_tokens_details=CachedTokens(text_tokens=cached[0], audio_tokens=cached[1], image_tokens=cached[2]),
        ),
        output_token_details=OutputTokens(text_tokens=out[0], audio_tokens=out[1]),
    )


def test_spoken_example() -> None:
    """59 text + 73 audio (64 cached) in, 41 text + 147 audio out cost $0.003183."""
    bill = cost(usage(59, 73, cached=(0, 64, 0), out=(41, 147)), MINI)
    assert bill.total_usd == pytest.approx(0.003183, abs=1e-9)
    assert [(line.direction, line.modality, line.cached, line.tokens) for line in bill.lines] == [
        ("input", "text", False, 59),
        ("output", "text", False, 41),
        ("input", "audio", False, 9),
        ("input", "audio", True, 64),
        ("output", "audio", False, 147),
    ]


def test_written_example() -> None:
    """The real 120/64/7 text response, as JSON, costs $0.00005424."""
    wire = {
        "total_tokens": 127,
        "input_tokens": 120,
        "output_tokens": 7,
        "input_token_details": {
            "text_tokens": 120,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": 64,
            "cached_tokens_details": {"text_tokens": 64, "audio_tokens": 0, "image_tokens": 0},
        },
        "output_token_details": {"text_tokens": 7, "audio_tokens": 0},
    }
    assert cost(wire, MINI).total_usd == pytest.approx(0.00005424, abs=1e-9)
    assert cost(msgspec.convert(wire, Usage), MINI) == cost(wire, MINI)


def talk(turn: int, *, caching: bool) -> Usage:
    """Turn `turn` of the model talk: 100-token instructions, 5 s of user, 10 s of reply in 30 tokens of text."""
    text, audio = 100 + 30 * (turn - 1), 50 * turn + 200 * (turn - 1)
    known = (text, audio - 50) if caching and turn > 1 else (0, 0)
    return usage(text, audio, cached=(known[0] // 64 * 64, known[1] // 64 * 64, 0), out=(30, 200))


@pytest.mark.parametrize(
    ("turns", "caching", "expected"),
    [
        (range(1, 2), False, "0.00463"),
        (range(10, 11), False, "0.0273"),
        (range(10, 11), True, "0.0054"),
        (range(1, 11), False, "0.160"),
        (range(1, 11), True, "0.052"),
        (range(1, 61), False, "4.73"),
        (range(1, 61), True, "0.43"),
    ],
)
def test_model_conversation(turns: range, caching: bool, expected: str) -> None:
    """A talk of 10 and 60 turns costs what the protocol notes work out, to the digits they give."""
    total = math.fsum(cost(talk(turn, caching=caching), MINI).total_usd for turn in turns)
    assert f"{total:.{len(expected) - 2}f}" == expected


def test_images_have_their_price() -> None:
    """Image tokens cost the image price, cached ones the cached image price."""
    assert cost(usage(image=1000, cached=(0, 0, 400), out=(0, 0)), MINI).total_usd == pytest.approx(
        (600 * 0.80 + 400 * 0.08) / 1e6, abs=1e-12
    )


def test_nothing_costs_nothing() -> None:
    """No usage and an empty usage have no lines and cost 0."""
    assert cost(None, MINI).total_usd == 0.0
    assert cost({}, MINI).lines == ()
    assert repr(cost(None, MINI)) == "$0.000000: no tokens"


def test_the_local_engine_is_free() -> None:
    """On the local card every line is there and costs 0."""
    bill = cost(usage(59, 73, cached=(0, 64, 0), out=(41, 147)), model("local"))
    assert bill.total_usd == 0.0
    assert len(bill.lines) == 5


def test_tokens_without_modality_are_text() -> None:
    """Totals without details are counted as text, and their cached part as cached text."""
    bill = cost({"input_tokens": 100, "output_tokens": 10, "input_token_details": {"cached_tokens": 64}}, MINI)
    assert bill.total_usd == pytest.approx((36 * 0.60 + 64 * 0.06 + 10 * 2.40) / 1e6, abs=1e-12)


def test_nulls_are_holes() -> None:
    """A server may send null where it has no details."""
    wire: dict[str, Any] = {"input_tokens": 5, "output_tokens": None, "input_token_details": None}
    assert cost(wire, MINI).total_usd == pytest.approx(3e-6, abs=1e-12)


def test_nonsense_is_refused() -> None:
    """A mapping that is no usage is an error with the place."""
    with pytest.raises(ConfigError, match="input_tokens"):
        cost({"input_tokens": "many"}, MINI)


def test_an_unpriced_kind_is_not_free() -> None:
    """Tokens that the card has no price for make the total unknown, not too small."""
    card = msgspec.structs.replace(MINI, rates={"text": MINI.rates["text"]})
    assert math.isnan(cost(usage(1, 1, out=(0, 0)), card).total_usd)


counts = st.integers(0, 10_000)


@given(counts, counts, counts, counts, counts, counts, counts, counts, counts)
def test_lines_add_up(  # noqa: PLR0917 -- nine independent counts
    text: int, audio: int, image: int, cached: int, a: int, b: int, c: int, out_text: int, out_audio: int
) -> None:
    """Whatever a server sends, lines are positive, inputs add up, and cached tokens never exceed the input."""
    sent = {
        "input_tokens": text + audio + image,
        "output_tokens": out_text + out_audio,
        "input_token_details": {
            "text_tokens": text,
            "audio_tokens": audio,
            "image_tokens": image,
            "cached_tokens": cached,
            "cached_tokens_details": {"text_tokens": a, "audio_tokens": b, "image_tokens": c},
        },
        "output_token_details": {"text_tokens": out_text, "audio_tokens": out_audio},
    }
    bill = cost(sent, MINI)
    assert all(line.tokens > 0 for line in bill.lines)
    assert sum(line.tokens for line in bill.lines if line.direction == "input") == text + audio + image
    assert sum(line.tokens for line in bill.lines if line.direction == "output") == out_text + out_audio
    found = read_usage(sent)
    assert found is not None
    assert found.total_tokens == found.input_tokens + found.output_tokens


@given(counts, counts)
def test_caching_never_costs_more(text: int, hits: int) -> None:
    """A cached token is never dearer than a fresh one."""
    hits = min(text, hits)
    fresh = cost(usage(text, out=(0, 0)), MINI).total_usd
    assert cost(usage(text, cached=(hits, 0, 0), out=(0, 0)), MINI).total_usd <= fresh + 1e-15


def test_frame() -> None:
    """The bill is a frame, too, with the same dtypes when it is empty."""
    full = cost(usage(59, 73, cached=(0, 64, 0), out=(41, 147)), MINI).frame
    assert full["cost_usd"].sum() == pytest.approx(0.003183, abs=1e-9)
    assert full.columns.tolist() == COST.names
    assert full.dtypes.equals(cost(None, MINI).frame.dtypes)


def test_reprs() -> None:
    """The bill shows what was paid for what."""
    bill = cost(usage(59, 73, cached=(0, 64, 0), out=(41, 147)), MINI)
    assert repr(bill).startswith("$0.003183: 59 text in $0.000035")
    assert "64 cached audio in" in bill._repr_html_()
    assert float(bill) == bill.total_usd
