"""What this machine has for models: memory, cores, and the best brain that fits."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

__all__ = ["available_bytes", "best_brain", "cores", "share_arenas"]

BRAINS = (  # the best first: name, bytes the whole engine needs with it (resident, measured, and some air)
    ("qwen2.5-coder-0.5b-instruct", 1_300_000_000),
    ("smollm2-135m-instruct", 0),
)
_CGROUP = Path("/sys/fs/cgroup")
_OWN_GROUPS = Path("/proc/self/cgroup")


def available_bytes() -> int:
    """Memory this process may still take.

    Returns
    -------
    int
        Bytes: what the machine has free, or what is left of a container's limit, whichever is less.
    """
    return min(_machine_bytes(), _container_bytes())


def cores() -> int:
    """Count the processors this process may use.

    Returns
    -------
    int
        At least 1: those it is bound to, or a container's share if that is less.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(bound, _container_cores()))


def best_brain() -> str:
    """The best language model that fits this machine now.

    Returns
    -------
    str
        A name of the registry.
    """
    free = available_bytes()
    return next(name for name, needed in BRAINS if free >= needed)


def share_arenas() -> None:
    """Let the threads of this process share two heaps; call it before there are threads.

    glibc gives each thread a heap of its own and seldom gives memory back: with the models' threads that is
    140 MB of 1.2 GB resident, measured, and nothing is slower without it.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, 2)


_M_ARENA_MAX = -8
"""glibc, malloc.h."""


def _machine_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 1 << 62  # no Linux: nobody says, so the best is tried
    table = dict(line.split(":", 1) for line in lines)
    return int(table["MemAvailable"].split()[0]) * 1024


def _container_bytes() -> int:
    """What is left of a container's limit (cgroup v2, then v1), or of any group round it."""
    files = {"": ("memory.max", "memory.current"), "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes")}
    return min(_left(folder, *files[kind]) for kind in files for folder in _groups(kind))


def _left(folder: Path, limit: str, used: str) -> int:
    try:
        held = int((folder / used).read_text()) - _cached_bytes(folder / "memory.stat")
        return int((folder / limit).read_text()) - held
    except (OSError, ValueError):  # no such file, or "max"
        return 1 << 62


def _groups(controller: str) -> list[Path]:
    """Folders of the groups this process is in: the whole machine's or container's first, its own last.

    Parameters
    ----------
    controller : str
        Of cgroup v1; empty for v2, which has one tree.
    """
    root = _CGROUP / controller
    try:
        lines = [line.split(":", 2) for line in _OWN_GROUPS.read_text(encoding="utf-8").splitlines()]
    except OSError:
        return [root]
    own = next((path for _, names, path in lines if controller in names.split(",")), "/")
    steps = [step for step in own.split("/") if step and step != ".."]
    return [root.joinpath(*steps[:depth]) for depth in range(len(steps) + 1)]


def _cached_bytes(stat: Path) -> int:
    """What of a container's memory only caches files, and is given up when it is wanted."""
    table = dict(line.split(" ", 1) for line in stat.read_text(encoding="ascii").splitlines())
    return int(table.get("inactive_file", 0)) + int(table.get("active_file", 0))


def _container_cores() -> int:
    """A container's share of processors (cgroup v2: microseconds in a period)."""
    return min(_share(folder / "cpu.max") for folder in _groups(""))


def _share(limit: Path) -> int:
    try:
        quota, period = limit.read_text().split()
        return round(int(quota) / int(period))
    except (OSError, ValueError):  # no such file, or "max"
        return 1 << 10
