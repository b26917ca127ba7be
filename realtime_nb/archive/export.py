"""A conversation as a file for other programs and people: the suffix says what."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from realtime_nb.archive.markdown import markdown
from realtime_nb.archive.mix import save_mix
from realtime_nb.archive.report import report
from realtime_nb.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.archive.saved import SavedHistory

__all__ = ["FRAMES", "export"]

FRAMES = ("history", "turns", "usage", "events", "rate_limits", "what_if")


def export(saved: SavedHistory, path: str | os.PathLike[str], frame: str | None = None) -> Path:
    """Write a conversation to a file.

    Parameters
    ----------
    saved : SavedHistory
        The conversation.
    path : path
        ``.wav`` and ``.flac``: both voices in stereo, the user left, the model right, when they spoke;
        ``.csv`` and ``.parquet``: a frame; ``.md``: the transcript; ``.html``: a report of one file with players,
        plots and frames.
    frame : str, optional
        Which frame; without it the one the file is named after, else ``history``.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ConfigError
        Nothing is written under that suffix, there is no such frame, or the file cannot be written.
    MissingExtra
        Parquet needs pyarrow.
    """
    target = Path(path).expanduser()
    writer = _WRITERS.get(target.suffix.lower())
    if writer is None:
        raise ConfigError(
            f"A conversation is written as {', '.join(_WRITERS)}, not as {target.suffix or 'a file without a suffix'}.",
            hint='session.export("talk.html")',
        )
    name = frame or (target.stem if target.stem in FRAMES else "history")
    if name not in FRAMES:
        raise ConfigError(f"There is no frame {name!r}; there are: {', '.join(FRAMES)}", hint='frame="turns"')
    try:
        writer(saved, target, name)
    except OSError as fault:
        raise ConfigError(
            f"{target} cannot be written: {fault.strerror or fault}.",
            hint=f"Path({str(target.parent)!r}).mkdir(parents=True, exist_ok=True)",
        ) from None
    return target


def _csv(saved: SavedHistory, path: Path, frame: str) -> None:
    table: pd.DataFrame = getattr(saved, frame)
    table.to_csv(path, index=False)


def _parquet(saved: SavedHistory, path: Path, frame: str) -> None:
    if find_spec("pyarrow") is None:
        raise MissingExtra("Parquet files are written by pyarrow.", hint="%pip install pyarrow")
    table: pd.DataFrame = getattr(saved, frame)
    table.to_parquet(path, index=False, engine="pyarrow")


def _sound(saved: SavedHistory, path: Path, _frame: str) -> None:
    save_mix(saved.mix(), path)


def _markdown(saved: SavedHistory, path: Path, _frame: str) -> None:
    path.write_text(markdown(saved), encoding="utf-8")


def _html(saved: SavedHistory, path: Path, _frame: str) -> None:
    path.write_text(report(saved), encoding="utf-8")


_WRITERS: dict[str, Callable[[SavedHistory, Path, str], None]] = {
    ".csv": _csv,
    ".flac": _sound,
    ".html": _html,
    ".md": _markdown,
    ".parquet": _parquet,
    ".wav": _sound,
}
