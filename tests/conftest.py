"""Fixtures for all tests."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from xdist.scheduler import LoadFileScheduling

    from realtime_nb.engine.build import Engine

STAGES = ("kokoro", "llama", "moonshine", "piper", "silero", "smart_turn")
"""The modules that an engine imports side by side."""
DATA = Path(__file__).parent / "data"
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")  # how long an example takes says what else the machine does
os.environ["REALTIME_NB_LOG"] = "0"  # for child processes, too: no test writes to the folder of whoever runs it
LANES = (
    ("tests/browser/",),
    ("tests/notebooks/test_lessons.py", "tests/engine/test_llama.py"),
    ("tests/server/peers/",),
)
"""What one worker has as a whole: the browser, the engine where it answers all the time, the clients of others."""
LONGEST = (*chain(*LANES), "tests/server/", "tests/engine/", "tests/cassette/", "tests/notebooks/", "tests/test_readme")
"""What takes its time: begun last, one worker would sit over it while the others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    ranks = {start: rank for rank, start in enumerate(LONGEST)}
    items.sort(key=lambda item: next((ranks[start] for start in LONGEST if item.nodeid.startswith(start)), len(ranks)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Give a file to one worker, and a lane to one: two browsers, or two brains, would take each other's time."""
    from xdist.scheduler import LoadFileScheduling

    class Lanes(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            lanes = (lane[0] for lane in LANES if nodeid.startswith(lane))
            return next(lanes, super()._split_scope(nodeid))

    config.option.loadscopereorder = False  # by how many tests a file has
    return Lanes(config, log)


@pytest.fixture
def only_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Change what one of our modules sees of another: a server that runs in this process must not see it."""

    def change(module: ModuleType, name: str, **names: Any) -> None:
        monkeypatch.setattr(module, name, SimpleNamespace(**{**vars(getattr(module, name)), **names}))

    return change


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of recorded speech."""
    return DATA


@pytest.fixture(scope="session")
def weights_or_skip() -> Callable[..., Mapping[str, Path]]:
    """Give the files of a model, fetched if they must be; skip, with the reason, where they cannot be had."""

    def files(*names: str) -> Mapping[str, Path]:
        pytest.importorskip("onnxruntime")
        from realtime_nb.engine.weights import ensure
        from realtime_nb.errors import ModelError

        try:
            return {name: path for model in names for name, path in ensure(model).items()}
        except ModelError as error:
            pytest.skip(str(error))

    return files


@pytest.fixture(scope="session")
def engine_weights(weights_or_skip: Callable[..., Mapping[str, Path]]) -> Mapping[str, Path]:
    """The files of all that the engine would choose on this machine, or skip."""
    pytest.importorskip("xllamacpp")
    pytest.importorskip("espeakng_loader")
    from realtime_nb.engine.build import default_weights

    return weights_or_skip(*default_weights())


@pytest.fixture(scope="session")
def real_engine(engine_weights: Mapping[str, Path]) -> Iterator[Engine]:
    """The models that the engine chooses on this machine, loaded once for all tests."""
    from realtime_nb.engine.build import build_engine

    for name in STAGES:  # CPython 3.11 trips over two threads that parse at once, as pytest does with what is imported
        importlib.import_module(f"realtime_nb.engine.{name}")
    assert engine_weights
    engine = build_engine()
    yield engine
    engine.close()
