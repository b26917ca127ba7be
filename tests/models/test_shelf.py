"""Finding cards by name, and holding them against their sources."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import get_args

import pytest
from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice
from openai.types.realtime import RealtimeSessionCreateRequest

from realtime_nb.errors import ConfigError
from realtime_nb.models import model, names, read_card

HOSTED = [name for name in names() if name != "local"]
SNAPSHOTS = [snapshot for name in HOSTED for snapshot in model(name).snapshots]


def peer(name: str) -> ModelInfo:
    """The same model in genai-prices."""
    openai = next(provider for provider in providers if provider.id == "openai")
    found = next((info for info in openai.models if info.match and info.is_match(name)), None)
    assert found is not None
    return found


@pytest.mark.parametrize("name", [*HOSTED, *SNAPSHOTS])
def test_prices_agree_with_genai_prices(name: str) -> None:
    """Every price of every hosted card is the price that genai-prices has."""
    theirs = peer(name).prices
    assert isinstance(theirs, ModelPrice)
    fields = {
        ("text", "input"): theirs.input_mtok,
        ("text", "cached"): theirs.cache_read_mtok,
        ("text", "output"): theirs.output_mtok,
        ("audio", "input"): theirs.input_audio_mtok,
        ("audio", "cached"): theirs.cache_audio_read_mtok,
        ("audio", "output"): theirs.output_audio_mtok,
        ("image", "input"): theirs.input_image_mtok,
        ("image", "cached"): theirs.cache_image_read_mtok,
    }
    ours = {
        (kind, way): Decimal(str(price))
        for kind, rate in model(name).rates.items()
        for way in ("input", "cached", "output")
        if (price := getattr(rate, way)) is not None
    }
    assert ours == fields


@pytest.mark.parametrize("name", HOSTED)
def test_context_windows_agree_with_genai_prices(name: str) -> None:
    """Where genai-prices knows the context window, it is ours (it has none for the mini family)."""
    theirs = peer(name).context_window
    assert theirs is None or theirs == model(name).context_window


@pytest.mark.parametrize("name", [*HOSTED, *SNAPSHOTS])
def test_names_are_the_services(name: str) -> None:
    """Every alias and snapshot is a model name in the types of the openai package."""
    annotation = str(RealtimeSessionCreateRequest.model_fields["model"].annotation)
    assert f"'{name}'" in annotation
    assert get_args(RealtimeSessionCreateRequest.model_fields["model"].annotation)


def test_alias_means_the_first_snapshot() -> None:
    """The alias resolves to the snapshot the card names."""
    card = model("gpt-realtime-mini")
    assert (card.name, card.snapshot, card.pinned) == ("gpt-realtime-mini", "gpt-realtime-mini-2025-10-06", None)


@pytest.mark.parametrize("name", ["gpt-realtime-mini-2025-10-06", "gpt-realtime-mini-2025-12-15"])
def test_a_snapshot_can_be_pinned(name: str) -> None:
    """A snapshot has the card of its alias and remembers that it was asked for."""
    card = model(name)
    assert (card.name, card.snapshot) == ("gpt-realtime-mini", name)
    assert card.prices.equals(model("gpt-realtime-mini").prices)


@pytest.mark.parametrize("wrong", ["gpt-realtime-min", "gpt-4o-mini-realtime", "GPT-realtime-mini", ""])
def test_unknown_names_give_the_nearest(wrong: str) -> None:
    """A name without a card is an error with the nearest name in a hint that runs."""
    with pytest.raises(ConfigError) as caught:
        model(wrong)
    assert repr(wrong) in caught.value.message
    assert caught.value.hint is not None
    assert eval(caught.value.hint, {"rt": sys.modules["realtime_nb.models"]}).name in names()  # noqa: S307 - our hint


def test_the_local_engine_is_free() -> None:
    """The local engine's card charges nothing, and says nothing of tiers or a context window."""
    card = model("local")
    assert card.prices.fillna(0.0).to_numpy().sum() == 0.0
    assert card.context_window is None
    card.require("function calling", "audio input", "image input", "audio output", "WebSocket")


@pytest.mark.parametrize("name", names())
def test_every_card_has_sources(name: str) -> None:
    """No figure without its source."""
    assert all(model(name).sources)


def test_read_card(tmp_path: Path) -> None:
    """A card file reads like our own; a missing one is a ConfigError."""
    file = tmp_path / "mine.toml"
    shipped = Path(sys.modules["realtime_nb.models"].__file__ or "").parent / "cards" / "local.toml"
    file.write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    assert read_card(file) == model("local")
    with pytest.raises(ConfigError, match=r"none\.toml"):
        read_card(tmp_path / "none.toml")


def test_cards_do_not_import_pandas() -> None:
    """Reading, drawing and asking a card leaves pandas alone."""
    code = (
        "import sys; from realtime_nb.models import model; card = model('gpt-realtime-mini');"
        "card.require('text'); repr(card); card._repr_html_(); sys.exit('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
