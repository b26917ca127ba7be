"""Fixtures for all tests."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from realtime_nb.engine.build import Engine

STAGES = ("kokoro", "llama", "moonshine", "piper", "silero", "smart_turn")
"""The modules that an engine imports side by side."""
DATA = Path(__file__).parent / "data"
os.environ["REALTIME_NB_LOG"] = "0"  # for child processes, too: no test writes to the folder of whoever runs it


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
