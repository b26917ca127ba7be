"""Building an engine: what is chosen, what is told, and what is said when it cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from realtime_nb.engine import machine
from realtime_nb.engine.build import build_engine, default_weights
from realtime_nb.errors import ConfigError, ModelError
from realtime_nb.testing.stages import StubTts, stub_engine


@pytest.mark.parametrize(
    ("free", "brain"), [(8_000_000_000, "qwen2.5-coder-0.5b-instruct"), (900_000_000, "smollm2-135m-instruct")]
)
def test_the_brain_is_the_best_that_fits(free: int, brain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With little memory the small brain is chosen, with more the better one."""
    monkeypatch.setattr(machine, "available_bytes", lambda: free)
    assert machine.best_brain() == brain
    assert brain in default_weights()


def test_an_unknown_stage_is_refused_with_the_nearest_name() -> None:
    """A misspelt model is a ConfigError before anything is loaded."""
    with pytest.raises(ConfigError, match="there is no tts called 'kokoro'") as caught:
        build_engine(tts="kokoro")
    assert "kokoro-82m" in str(caught.value)


def test_no_model_to_be_had_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache and no fetching: the error names the model and the line that fixes it."""
    monkeypatch.setenv("REALTIME_NB_CACHE", str(tmp_path))
    monkeypatch.setenv("REALTIME_NB_OFFLINE", "1")
    with pytest.raises(ModelError) as caught:
        build_engine()
    assert "realtime-nb models fetch" in str(caught.value)


def test_closing_lets_every_stage_go() -> None:
    """What a stage holds is let go with the engine; stages that hold nothing need no close."""
    closed = []

    class Holding(StubTts):
        def close(self) -> None:
            closed.append(self.name)

    engine = stub_engine(tts=Holding())
    assert engine.describe()["tts"] == "scripted-tts"
    engine.close()
    assert closed == ["scripted-tts"]


@pytest.mark.models
def test_the_engine_says_who_hears_thinks_and_speaks(real_engine: Any) -> None:
    """A built engine names each stage, and its brain."""
    assert real_engine.describe()["asr"] == "moonshine-tiny-en"
    assert real_engine.brain == real_engine.describe()["llm"]
