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
    """What is left of a container's limit (cgroup v2, then v1)."""
    for limit, used, parts in (
        ("memory.max", "memory.current", "memory.stat"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    ):
        try:
            return (
                int((_CGROUP / limit).read_text()) - int((_CGROUP / used).read_text()) + _cached_bytes(_CGROUP / parts)
            )
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return 1 << 62


def _cached_bytes(stat: Path) -> int:
    """What of a container's memory only caches files, and is given up when it is wanted."""
    table = dict(line.split(" ", 1) for line in stat.read_text(encoding="ascii").splitlines())
    return int(table.get("inactive_file", 0)) + int(table.get("active_file", 0))


def _container_cores() -> int:
    """A container's share of processors (cgroup v2: microseconds in a period)."""
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        return round(int(quota) / int(period))
    except (OSError, ValueError):  # no such file, or "max"
        return 1 << 10
