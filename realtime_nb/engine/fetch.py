"""Get one file of a model: from the cache, else from its sources in order, and never without its digest.

What is half done stays beside the file in ``.partial`` until the model is whole,
so an interrupted fetch goes on where it was. A file appears under its name by an
atomic rename after its sha256 was right: what is there is good.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from realtime_nb.engine.sources import Source, SourceError, Stopped, Transfer, WrongBytes
from realtime_nb.errors import ModelError

__all__ = ["WeightFile", "digest", "fetch", "is_here", "locked", "partial"]

_LOCK_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class WeightFile:
    """One file of a model.

    Parameters
    ----------
    name : str
        Its name in the model's folder.
    sha256 : str
        The digest of the official file, in hexadecimal.
    size : int
        Bytes.
    sources : tuple of Source
        Where it can be had, in the order they are asked.
    """

    name: str
    sha256: str
    size: int
    sources: tuple[Source, ...]


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def partial(folder: Path) -> Path:
    """Where a model's half-done files are kept."""
    return folder / ".partial"


def is_here(file: WeightFile, folder: Path) -> bool:
    """Whether the cache has the file, whole (its digest was checked when it came in)."""
    path = folder / file.name
    return path.is_file() and path.stat().st_size == file.size


def fetch(file: WeightFile, folder: Path, *, report: Callable[[int], None], cancel: threading.Event) -> Path:
    """Bring one file into `folder`; the caller holds the folder's lock.

    Parameters
    ----------
    file : WeightFile
        What is wanted.
    folder : Path
        The model's folder in the cache.
    report : callable
        Takes the bytes of the file that are there.
    cancel : threading.Event
        Set it, and the fetch stops with what it has.

    Returns
    -------
    Path
        The file, its digest checked.

    Raises
    ------
    ModelError
        If no source gives it, or the cancel was set.
    """
    keep = partial(folder)
    keep.mkdir(parents=True, exist_ok=True)
    transfer = Transfer(file.name, file.size, keep, report, cancel)
    failures = []
    for source in file.sources:
        try:
            got = _checked(source, file, transfer)
        except SourceError as error:
            failures.append(f"{source.label}: {error}")
        except Stopped:
            raise ModelError(
                f"Fetching {file.name} was stopped; what came is kept, and the next fetch goes on from it.",
                hint=f"realtime-nb models fetch {folder.name}",
            ) from None
        except OSError as error:
            raise ModelError(
                f"{file.name} cannot be kept in {folder} ({error.strerror or error}).",
                hint="export REALTIME_NB_CACHE=/a/folder/with/room",
            ) from error
        else:
            target = folder / file.name
            got.replace(target)
            return target
    reasons = "".join(f"\n  - {failure}" for failure in failures) or " it has no source."
    raise ModelError(
        f"{file.name} of {folder.name} could not be had; every source was asked:{reasons}",
        hint=f"realtime-nb models fetch {folder.name}",
    )


def _checked(source: Source, file: WeightFile, transfer: Transfer) -> Path:
    """What the source gives, if its digest is right; a wrong leftover of an earlier try gets a fresh start."""
    leftover = source.kept(transfer)
    try:
        return _verified(source.fetch(transfer), file)
    except WrongBytes:
        source.forget(transfer)
        if not leftover:
            raise
    return _checked(source, file, transfer)


def _verified(path: Path, file: WeightFile) -> Path:
    found = digest(path)
    if found != file.sha256:
        path.unlink()
        raise WrongBytes(f"{file.name} has sha256 {found[:12]}..., and {file.sha256[:12]}... is pinned")
    return path


@contextmanager
def locked(folder: Path, cancel: threading.Event) -> Iterator[None]:
    """Hold a model's folder against other processes; they wait, and then find the files.

    Raises
    ------
    ModelError
        If the cache cannot be written, or the cancel was set while waiting.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise ModelError(
            f"The cache {folder.parent} cannot be written ({error.strerror}).",
            hint="export REALTIME_NB_CACHE=/a/folder/you/can/write",
        ) from error
    try:
        while not _try_lock(lock):
            if cancel.is_set():
                raise ModelError(f"Stopped while another process fetches {folder.name}.")
            time.sleep(_LOCK_POLL_S)
        yield
    finally:
        os.close(lock)  # which also frees it


if sys.platform == "win32":

    def _try_lock(handle: int) -> bool:
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:

    def _try_lock(handle: int) -> bool:
        import fcntl

        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
