"""What a machine, or a container, has for models."""

from __future__ import annotations

from pathlib import Path

import pytest

from realtime_nb.engine import machine

GB = 1_000_000_000


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A container's figures, to be written by the test; the machine itself has plenty."""
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(machine, "_OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(machine, "_machine_bytes", lambda: 64 * GB)
    return tmp_path


def write(folder: Path, **figures: str) -> None:
    """Write the files of a container."""
    for name, text in figures.items():
        (folder / name.replace("_", ".")).write_text(text)


def test_without_a_container_the_machine_counts(cgroup: Path) -> None:
    """No limit is written down, or it is none."""
    assert machine.available_bytes() == 64 * GB
    write(cgroup, memory_max="max\n", memory_current="5\n", memory_stat="")
    assert machine.available_bytes() == 64 * GB


def test_a_containers_limit_counts_and_its_file_cache_does_not(cgroup: Path) -> None:
    """Weights that were just read fill the cache: they do not make the memory short."""
    write(cgroup, memory_max=f"{2 * GB}\n", memory_current=f"{GB}\n")
    write(cgroup, memory_stat=f"anon 300000000\ninactive_file {GB // 2}\nactive_file {GB // 5}\n")
    assert machine.available_bytes() == 1_700_000_000
    assert machine.best_brain() == "qwen2.5-coder-0.5b-instruct"


def test_a_small_container_gets_the_small_brain(cgroup: Path) -> None:
    """One gigabyte is not enough for the better one."""
    write(cgroup, memory_max=f"{GB}\n", memory_current="100000000\n", memory_stat="")
    assert machine.best_brain() == "smollm2-135m-instruct"


@pytest.mark.parametrize(
    ("own", "folder", "limit", "used"),
    [
        ("0::/user.slice/lab.scope\n", "user.slice/lab.scope", "memory.max", "memory.current"),
        ("0::/user.slice/lab.scope\n", "user.slice", "memory.max", "memory.current"),
        ("4:cpu:/\n3:memory:/jupyter\n", "memory/jupyter", "memory.limit_in_bytes", "memory.usage_in_bytes"),
        ("4:memory:/of/the/host\n", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ],
)
def test_the_limit_of_any_group_round_the_process_counts(
    cgroup: Path, own: str, folder: str, limit: str, used: str
) -> None:
    """Its own, one above it, by either version, and a container's whose names are the host's."""
    (cgroup / "own").write_text(own)
    (cgroup / folder).mkdir(parents=True)
    for name, text in {limit: f"{2 * GB}", used: f"{GB}", "memory.stat": ""}.items():
        (cgroup / folder / name).write_text(text)
    assert machine.available_bytes() == GB


@pytest.mark.parametrize(("share", "cores"), [("50000 100000", 1), ("200000 100000", 2), ("max 100000", None)])
def test_a_containers_share_of_processors_counts(cgroup: Path, share: str, cores: int | None) -> None:
    """At least one, at most what there is."""
    everything = machine.cores()
    write(cgroup, cpu_max=share)
    assert machine.cores() == min(cores or everything, everything)
