"""The table of models and the cache."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.engine import weights
from realtime_nb.engine.carrier import Carrier
from realtime_nb.engine.sources import Hub
from realtime_nb.errors import ConfigError, ModelError

FILES = {"first.bin": b"first" * 1000, "second.bin": b"second" * 10}


class Shelf:
    """A source that gives what it has, in two steps."""

    label = "a shelf"

    def __init__(self, content: bytes) -> None:
        self.content = content

    def fetch(self, transfer: Any) -> Path:
        """Write half, then all."""
        path = transfer.keep / "got"
        for done in (len(self.content) // 2, len(self.content)):
            path.write_bytes(self.content[:done])
            transfer.report(done)
        return path

    def kept(self, transfer: Any) -> bool:
        """Nothing ever is."""
        return False

    def forget(self, transfer: Any) -> None:
        """Nothing to forget."""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> weights.Weights:
    """A made-up model of two files, and an empty cache."""
    monkeypatch.setenv("REALTIME_NB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("REALTIME_NB_OFFLINE", raising=False)
    files = tuple(
        weights.WeightFile(name, hashlib.sha256(content).hexdigest(), len(content), (Shelf(content),))
        for name, content in FILES.items()
    )
    made = weights.Weights("made-up", "llm", "MIT", "a", "n", files)
    monkeypatch.setattr(weights, "models", lambda: (made,))
    return made


def test_every_model_is_pinned_and_has_its_official_source_first() -> None:
    """Each file has a full digest, a size, and the official address before any carrier."""
    for model in weights.models():
        assert model.licence
        assert model.about
        for file in model.files:
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
            assert file.size > 0
            hub, *carriers = file.sources
            assert isinstance(hub, Hub)
            assert hub.url.startswith("https://")
            assert carriers
            assert all(isinstance(carrier, Carrier) for carrier in carriers)


def test_carriers_are_pinned_to_one_version() -> None:
    """No carrier can change under the table: name and version are exact."""
    for model in weights.models():
        for file in model.files:
            for carrier in file.sources[1:]:
                assert isinstance(carrier, Carrier)
                assert all(re.fullmatch(r"[a-z0-9-]+==[0-9.]+", part.package) for part in carrier.parts)


def test_the_names_the_engine_asks_for() -> None:
    """The table has a model for each stage."""
    assert {model.name: model.stage for model in weights.models()} == {
        "silero-vad": "vad",
        "smart-turn-v3.2": "turn",
        "moonshine-tiny-en": "asr",
        "piper-en-us-joe": "tts",
        "kokoro-82m": "tts",
        "smollm2-135m-instruct": "llm",
        "qwen2.5-coder-0.5b-instruct": "llm",
    }


def test_unknown_name_gets_the_nearest() -> None:
    """A misspelt model is an error whose hint has the right one."""
    with pytest.raises(ConfigError, match="no model 'silero'") as caught:
        weights.ensure("silero")
    assert caught.value.hint == "realtime-nb models fetch silero-vad"
    with pytest.raises(ConfigError) as caught:
        weights.ensure("zzz")
    assert caught.value.hint == "realtime-nb models list"


def test_ensure_fetches_once(model: weights.Weights) -> None:
    """The first call fetches, with progress; the second finds everything and reports nothing."""
    seen: list[weights.Progress] = []
    files = weights.ensure("made-up", progress=seen.append)
    assert {name: path.read_bytes() for name, path in files.items()} == FILES
    assert weights.present("made-up")
    count = len(seen)
    assert weights.ensure("made-up", progress=seen.append) == files
    assert len(seen) == count


def test_progress_covers_the_whole_model(model: weights.Weights) -> None:
    """Progress never falls, counts all files together and ends at 1."""
    seen: list[weights.Progress] = []
    weights.ensure("made-up", progress=seen.append)
    done = [step.done_bytes for step in seen]
    assert done == sorted(done)
    assert {step.total_bytes for step in seen} == {model.size}
    assert seen[-1].fraction == 1.0
    assert [seen[0].stage, seen[0].model, seen[0].file] == ["llm", "made-up", "first.bin"]


def test_nothing_half_done_is_left(model: weights.Weights) -> None:
    """Once a model is whole, what was kept for resuming is gone."""
    weights.ensure("made-up")
    assert sorted(path.name for path in weights.path("made-up").iterdir()) == [".lock", *FILES]


@pytest.mark.parametrize("how", ["variable", "argument"])
def test_offline_fetches_nothing(model: weights.Weights, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fetching off, what is not here is an error that says how to get it; nothing is written."""
    if how == "variable":
        monkeypatch.setenv("REALTIME_NB_OFFLINE", "1")
    with pytest.raises(ModelError, match="fetching is off") as caught:
        weights.ensure("made-up", offline=True if how == "argument" else None)
    assert caught.value.hint == "REALTIME_NB_OFFLINE=0 realtime-nb models fetch made-up"
    assert not weights.cache_dir().exists()


def test_offline_is_enough_when_all_is_here(model: weights.Weights) -> None:
    """A filled cache needs neither network nor a writable folder."""
    weights.ensure("made-up")
    (weights.path("made-up") / ".lock").unlink()
    weights.ensure("made-up", offline=True)
    assert not (weights.path("made-up") / ".lock").exists()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("spoil", [Path.unlink, _truncate])
def test_lost_or_short_file_is_fetched_again(model: weights.Weights, spoil: Callable[[Path], None]) -> None:
    """A file that is gone or too short does not count as being here."""
    files = weights.ensure("made-up")
    spoil(files["first.bin"])
    assert not weights.present("made-up")
    assert weights.ensure("made-up")["first.bin"].read_bytes() == FILES["first.bin"]


def test_verify_reads_every_byte(model: weights.Weights) -> None:
    """A file of the right size with wrong bytes is found by verify."""
    assert weights.verify("made-up") == {"first.bin": "missing", "second.bin": "missing"}
    files = weights.ensure("made-up")
    assert set(weights.verify("made-up").values()) == {"ok"}
    files["first.bin"].write_bytes(FILES["first.bin"][::-1])
    assert weights.verify("made-up") == {"first.bin": "damaged", "second.bin": "ok"}


@pytest.mark.parametrize(("value", "offline"), [("", False), ("0", False), ("no", False), ("1", True), ("yes", True)])
def test_offline_flag(value: str, offline: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable means yes, unless it is empty or says no."""
    monkeypatch.setenv("REALTIME_NB_OFFLINE", value)
    assert weights.is_offline() is offline


def test_cache_follows_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """REALTIME_NB_CACHE moves the cache; without it, it is the person's own."""
    monkeypatch.setenv("REALTIME_NB_CACHE", str(tmp_path))
    assert weights.path("silero-vad") == tmp_path / "silero-vad"
    monkeypatch.delenv("REALTIME_NB_CACHE")
    assert weights.cache_dir().name == "realtime-nb"
