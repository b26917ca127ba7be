"""How much memory there is to be had, and the best brain that fits into it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["available_bytes", "best_brain"]

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


def best_brain() -> str:
    """The best language model that fits this machine now.

    Returns
    -------
    str
        A name of the registry.
    """
    free = available_bytes()
    return next(name for name, needed in BRAINS if free >= needed)


def _machine_bytes() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 1 << 62  # no Linux: nobody says, so the best is tried
    table = dict(line.split(":", 1) for line in lines)
    return int(table["MemAvailable"].split()[0]) * 1024


def _container_bytes() -> int:
    """What is left of a container's limit (cgroup v2, then v1)."""
    for limit, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        try:
            return int((_CGROUP / limit).read_text()) - int((_CGROUP / used).read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return 1 << 62
