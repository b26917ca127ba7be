"""The folder of kept sessions: a saved conversation each, the oldest given up when there is no more room."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from realtime_nb.errors import CassetteError, ConfigError

__all__ = ["STORED", "Kept", "delete", "find", "folder", "make_room", "new_folder", "search", "sessions"]

SWITCH = "REALTIME_NB_LOG"
CAP_MB = 1000
"""What all sessions together may take; ``REALTIME_NB_LOG_MB`` says otherwise."""
_OFF = {"0", "off", "no", "false"}
EVENTS = "events.jsonl"
NOTE = "README.txt"
STORED = """\
Every session is kept on this machine, so that it can be looked at later: what was said and
shown (text, transcripts, pictures), the sound of both voices, the instructions, calls of
functions with their results, and each event with its time and size. API keys, and fields that
carry one, are masked; nothing else is. Nothing is sent anywhere. Only you can read the files.
When all sessions together pass 1 GB (REALTIME_NB_LOG_MB=1000), the oldest go first.

    REALTIME_NB_LOG=0       keeps nothing; REALTIME_NB_LOG=FOLDER keeps it there
    rt.connect(log=False)   does not keep this one session
    realtime-nb logs        list, show, search, delete

Where CI is set, nothing is kept unless REALTIME_NB_LOG names a folder.
"""
"""What is stored, in plain words."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept session, as far as its first line and its folder tell."""

    name: str
    path: Path
    begun: str
    """When it began: UTC, ISO 8601."""
    model: str
    brain: str
    bytes: int
    """What it takes on the disk."""
    running: bool
    """Somebody still writes to it."""


def folder() -> Path | None:
    """Where sessions are kept.

    Returns
    -------
    Path or None
        ``REALTIME_NB_LOG`` if it names a folder, else one in the user's data folder; None: nothing is kept.
    """
    given = os.environ.get(SWITCH, "").strip()
    if given.lower() in _OFF:
        return None
    if given and given != "1":
        return Path(given).expanduser().resolve()
    if os.environ.get("CI") and not given:
        return None
    return platformdirs.user_data_path("realtime-nb", appauthor=False) / "logs"


def new_folder(root: Path, session_id: str, begun: dt.datetime) -> tuple[Path, bool]:
    """A folder for a session that begins; the place for all of them is made if there is none.

    Parameters
    ----------
    root : Path
        Of :func:`folder`.
    session_id : str
        The server's; what is no letter or digit is left out.
    begun : datetime
        When, in UTC: names sort by it.

    Returns
    -------
    tuple of Path and bool
        A name that is free, not yet made, and whether this is the first session ever kept there.

    Raises
    ------
    OSError
        It cannot be written there.
    """
    first = not (root / NOTE).exists()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    if first:
        (root / NOTE).write_text(STORED, encoding="utf-8")
    stem = f"{begun:%Y%m%d-%H%M%S}-{re.sub(r'[^A-Za-z0-9]', '', session_id)[-6:] or 'session'}"
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, 1000))
    return next(root / name for name in names if not (root / name).exists()), first


def sessions(root: Path | None = None) -> list[Kept]:
    """The kept sessions, the newest first.

    Parameters
    ----------
    root : Path, optional
        Where; by default :func:`folder`.

    Returns
    -------
    list of Kept
        What is no conversation is left out.
    """
    place = root or folder()
    if place is None or not place.is_dir():
        return []
    return [kept for path in sorted(place.iterdir(), reverse=True) if (kept := _kept(path)) is not None]


def _kept(path: Path) -> Kept | None:
    from realtime_nb.archive.reader import LineFile
    from realtime_nb.archive.writer import in_use

    try:
        running = in_use(path)
    except (FileNotFoundError, NotADirectoryError):  # no conversation, or deleted meanwhile: others make room, too
        return None
    try:
        header = LineFile(path).header
        told = header.begun, header.card.name, header.brain
    except CassetteError:
        told = "", "?", "?"
    return Kept(path.name, path, *told, bytes=_size(path), running=running)


def _size(path: Path) -> int:
    """What is in it, but for what goes while it is looked at."""
    total = 0
    for inside, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += (Path(inside) / name).stat().st_size
    return total


def find(name: str, root: Path | None = None) -> Kept:
    """A kept session by its name, the beginning of it, or ``last``.

    Parameters
    ----------
    name : str
        As :func:`sessions` has it.
    root : Path, optional
        Where; by default :func:`folder`.

    Returns
    -------
    Kept
        The session.

    Raises
    ------
    ConfigError
        There is none of that name, or more than one.
    """
    every = sessions(root)
    exact = [kept for kept in every if kept.name == name]
    found = every[:1] if name == "last" else exact or [kept for kept in every if kept.name.startswith(name)]
    if len(found) != 1:
        raise ConfigError(
            f"{len(found) or 'No'} kept sessions are named {name!r}; a name, or as much of its beginning as is "
            "different from the others', says which.",
            hint="realtime-nb logs list",
        )
    return found[0]


def search(words: str, root: Path | None = None) -> Iterator[tuple[Kept, str, str]]:
    """Where something was said, shown, called or answered; upper and lower case are the same.

    Parameters
    ----------
    words : str
        A part of it.
    root : Path, optional
        Where; by default :func:`folder`.

    Yields
    ------
    tuple of Kept, str and str
        The session, who said it, and what.
    """
    from realtime_nb.archive import SavedHistory
    from realtime_nb.archive.markdown import rows, said, who
    from realtime_nb.archive.reader import LineFile

    for kept in sessions(root):
        try:
            history = SavedHistory(LineFile(kept.path)).history
        except CassetteError:
            continue
        for row in rows(history):
            if words.lower() in said(row).lower():
                yield kept, who(row), said(row)


def delete(kept: Kept) -> None:
    """Delete a kept session, events and sounds.

    Parameters
    ----------
    kept : Kept
        Which.

    Raises
    ------
    ConfigError
        It is still written to.
    """
    from realtime_nb.archive.writer import in_use

    if in_use(kept.path):
        raise ConfigError(f"The session {kept.name} goes on, and its log is written to.", hint="session.close()")
    shutil.rmtree(kept.path)


def make_room(root: Path) -> None:
    """Delete the oldest sessions until the rest is below the cap; never one that goes on.

    Parameters
    ----------
    root : Path
        Of :func:`folder`.
    """
    from realtime_nb.archive.writer import in_use

    cap = float(os.environ.get("REALTIME_NB_LOG_MB") or CAP_MB) * 1e6
    total = 0.0
    for path in sorted(root.iterdir(), reverse=True):
        if (path / EVENTS).is_file():
            total += _size(path)
            with contextlib.suppress(FileNotFoundError):  # another process makes room, too
                if total > cap and not in_use(path):
                    shutil.rmtree(path, ignore_errors=True)
