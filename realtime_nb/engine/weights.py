"""The models of the embedded engine: what there is, what of it is on this machine, and how to get the rest.

The table is ``weights.toml``. The cache is ``$REALTIME_NB_CACHE`` or the
person's own cache folder; it can be filled at build time and baked into an
image, for nothing is written once the files are there. With
``$REALTIME_NB_OFFLINE`` set, nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import threading
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import platformdirs

from realtime_nb.engine import fetch
from realtime_nb.engine.carrier import Carrier, Part
from realtime_nb.engine.fetch import WeightFile
from realtime_nb.engine.sources import Hub
from realtime_nb.errors import ConfigError, ModelError

__all__ = [
    "Progress",
    "Weights",
    "cache_dir",
    "ensure",
    "is_offline",
    "models",
    "parse",
    "path",
    "present",
    "verify",
    "weights",
]


@dataclass(frozen=True, slots=True)
class Weights:
    """One model.

    Parameters
    ----------
    name : str
        What the commands call it; also its folder in the cache.
    stage : str
        ``vad``, ``turn``, ``asr``, ``llm`` or ``tts``.
    licence : str
        Of the weights, in SPDX words where there are some.
    about : str
        What it is for.
    note : str
        What is known of where it comes from.
    files : tuple of WeightFile
        Its files, with digests and sources.
    """

    name: str
    stage: str
    licence: str
    about: str
    note: str
    files: tuple[WeightFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a fetch is; ``done_bytes`` never falls and ends at ``total_bytes``.

    Parameters
    ----------
    stage, model, file : str
        What is being fetched.
    done_bytes, total_bytes : int
        Of the whole model.
    """

    stage: str
    model: str
    file: str
    done_bytes: int
    total_bytes: int

    @property
    def fraction(self) -> float:
        """From 0 to 1."""
        return self.done_bytes / self.total_bytes


def parse(text: str) -> tuple[Weights, ...]:
    """Read a table of models.

    Parameters
    ----------
    text : str
        TOML in the form of ``weights.toml``.

    Returns
    -------
    tuple of Weights
        In the order of the table.
    """
    return tuple(_weights(entry) for entry in tomllib.loads(text)["model"])


@cache
def models() -> tuple[Weights, ...]:
    """All models of the table, whether here or not."""
    return parse(files("realtime_nb.engine").joinpath("weights.toml").read_text(encoding="utf-8"))


def weights(name: str) -> Weights:
    """One model of the table.

    Parameters
    ----------
    name : str
        Its name.

    Returns
    -------
    Weights
        The model.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    table = {model.name: model for model in models()}
    if name not in table:
        near = get_close_matches(name, table, 1)
        raise ConfigError(
            f"There is no model {name!r}; there are {', '.join(table)}.",
            hint=f"realtime-nb models fetch {near[0]}" if near else "realtime-nb models list",
        )
    return table[name]


def cache_dir() -> Path:
    """Where weights are kept: ``$REALTIME_NB_CACHE``, or the person's cache folder."""
    chosen = os.environ.get("REALTIME_NB_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("realtime-nb", appauthor=False)


def is_offline() -> bool:
    """Whether ``$REALTIME_NB_OFFLINE`` forbids fetching (any value but ``0``, ``false``, ``no`` and the empty one)."""
    return os.environ.get("REALTIME_NB_OFFLINE", "").lower() not in ("", "0", "false", "no")


def path(name: str) -> Path:
    """The folder of a model, whether it is filled or not.

    Parameters
    ----------
    name : str
        The model's name.

    Returns
    -------
    Path
        The folder.
    """
    return cache_dir() / weights(name).name


def present(name: str) -> bool:
    """Whether all files of a model are here.

    Parameters
    ----------
    name : str
        The model's name.

    Returns
    -------
    bool
        True if nothing needs to be fetched.
    """
    return _is_whole(weights(name), path(name))


def verify(name: str) -> dict[str, str]:
    """Read every file of a model again and compare its digest.

    Parameters
    ----------
    name : str
        The model's name.

    Returns
    -------
    dict of str to str
        For each file ``ok``, ``missing`` or ``damaged``.
    """
    return {file.name: _state(file, path(name)) for file in weights(name).files}


def ensure(
    name: str,
    *,
    progress: Callable[[Progress], None] | None = None,
    offline: bool | None = None,
    cancel: threading.Event | None = None,
) -> dict[str, Path]:
    """Have a model on this machine: out of the cache, else fetched and checked.

    Parameters
    ----------
    name : str
        The model's name.
    progress : callable, optional
        Takes a :class:`Progress` now and then while fetching; never called if all is here.
    offline : bool, optional
        Fetch nothing; ``$REALTIME_NB_OFFLINE`` decides if not given.
    cancel : threading.Event, optional
        Set it, and the fetch stops; the next one goes on from there.

    Returns
    -------
    dict of str to Path
        Each file's name and where it is.

    Raises
    ------
    ConfigError
        If there is no model of that name.
    ModelError
        If a file is neither here nor to be had, or the cancel was set.
    """
    model = weights(name)
    folder = path(name)
    if not _is_whole(model, folder):
        if is_offline() if offline is None else offline:
            raise ModelError(
                f"{name} is not in {folder}, and fetching is off.",
                hint=f"REALTIME_NB_OFFLINE=0 realtime-nb models fetch {name}",
            )
        stop = threading.Event() if cancel is None else cancel
        with fetch.locked(folder, stop):
            _fetch_all(model, folder, progress or (lambda _: None), stop)
    return {file.name: folder / file.name for file in model.files}


def _fetch_all(model: Weights, folder: Path, progress: Callable[[Progress], None], cancel: threading.Event) -> None:
    done = sum(file.size for file in model.files if fetch.is_here(file, folder))
    high = 0
    for file in model.files:
        if fetch.is_here(file, folder):
            continue

        def report(file_bytes: int, file: WeightFile = file, before: int = done) -> None:
            nonlocal high  # a second source begins again, but what was said is said
            high = max(high, before + min(file_bytes, file.size))
            progress(Progress(model.stage, model.name, file.name, high, model.size))

        fetch.fetch(file, folder, report=report, cancel=cancel)
        report(file.size)
        done += file.size
    shutil.rmtree(fetch.partial(folder), ignore_errors=True)


def _is_whole(model: Weights, folder: Path) -> bool:
    return all(fetch.is_here(file, folder) for file in model.files)


def _state(file: WeightFile, folder: Path) -> str:
    whole = folder / file.name
    if not whole.is_file():
        return "missing"
    return "ok" if fetch.digest(whole) == file.sha256 else "damaged"


def _weights(entry: dict[str, Any]) -> Weights:
    texts = {key: str(entry[key]).strip() for key in ("name", "stage", "licence", "about", "note")}
    return Weights(**texts, files=tuple(_file(file) for file in entry["file"]))


def _file(entry: dict[str, Any]) -> WeightFile:
    hub = (Hub(entry["hub"]),) if "hub" in entry else ()
    carriers = tuple(_carrier(carrier) for carrier in entry.get("carrier", ()))
    return WeightFile(entry["name"], entry["sha256"], entry["size"], (*hub, *carriers))


def _carrier(entry: dict[str, Any]) -> Carrier:
    return Carrier(entry["registry"], tuple(Part(**part) for part in entry["parts"]), entry.get("platform"))
