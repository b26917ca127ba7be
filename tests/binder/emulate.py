"""A Binder pod without docker: what ``binder/`` says is built and run here, on one core and in little memory.

Usage: ``python tests/binder/emulate.py [--memory-mb 1500] [--keep DIR] [NOTEBOOK ...]``

The steps are those of the build file that repo2docker writes: an environment, ``pip
install -r binder/requirements.txt`` in the repository's root, ``postBuild``, ``start``.
Then JupyterLab runs as in a pod and the first lessons are executed beside it, all of it
bound to one core. Where this machine lets us make a memory group, the kernel of the
system holds the limit; everywhere the resident memory of all the pod's processes is
summed twice a second (proportional shares, as a limit would count), and passing the
limit ends the run.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
LESSONS = ("01", "02", "03", "04")
_GROUPS = Path("/sys/fs/cgroup")
CELL_S = 300
FIRST_PAGE = "/lab/tree/notebooks/01-hello.ipynb"
"""Where a pod begins."""


@dataclass
class Pod:
    """An image that was built, and the limits it runs in."""

    home: Path
    limit_bytes: int
    group: Path | None = None
    peak_bytes: int = 0
    passed: threading.Event = field(default_factory=threading.Event)

    @property
    def repo(self) -> Path:
        """Where the repository stands in it."""
        return self.home / "repo"

    @property
    def environment(self) -> dict[str, str]:
        """What a pod's processes see; nothing of this machine's own settings but where packages come from."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_", "SSL_", "LANG"))}
        paths = f"{self.home}/env/bin:/usr/local/bin:/usr/bin:/bin"
        limits = {"MEM_LIMIT": str(self.limit_bytes), "CPU_LIMIT": "1.0"}  # as a hub tells them
        return {**kept, **limits, "HOME": str(self.home), "PATH": paths, "PYTHONUNBUFFERED": "1"}

    def run(self, *command: str | Path, cwd: Path | None = None) -> None:
        """Run a program of the image to its end; its failure ends all."""
        subprocess.run([str(part) for part in command], check=True, cwd=cwd or self.repo, env=self.environment)


# ---------------------------------------------------------------- building
def build(pod: Pod) -> None:
    """Follow the build file."""
    copied = shutil.ignore_patterns(".git", "node_modules", "__pycache__", ".*_cache", ".hypothesis", "dist", "build")
    shutil.copytree(ROOT, pod.repo, ignore=copied)
    version = (pod.repo / "binder/runtime.txt").read_text().strip().removeprefix("python-")
    python = shutil.which(f"python{version}") or sys.executable
    subprocess.run([python, "-m", "venv", str(pod.home / "env")], check=True)
    pod.run("pip", "install", "--quiet", "--no-cache-dir", "-r", "binder/requirements.txt")
    pod.run("./binder/postBuild")


# ---------------------------------------------------------------- limits
@contextlib.contextmanager
def memory_group(limit_bytes: int) -> Iterator[Path | None]:
    """A group of processes whose memory the system limits; None where we may not make one."""
    name = f"realtime-nb-{secrets.token_hex(4)}"
    for folder, limit in ((_GROUPS / "memory" / name, "memory.limit_in_bytes"), (_GROUPS / name, "memory.max")):
        try:
            folder.mkdir()
            (folder / limit).write_text(str(limit_bytes))
        except OSError:
            with contextlib.suppress(OSError):
                folder.rmdir()
            continue
        try:
            yield folder
        finally:
            with contextlib.suppress(OSError):  # something is still in it
                folder.rmdir()
        return
    yield None


def resident_bytes(root: int) -> int:
    """Memory of a process and all below it; what several share counts once."""
    total = 0
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(root)
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
    return total


def watch(pod: Pod, root: int, ended: threading.Event) -> None:
    """Note the peak, and end what passes the limit."""
    while not ended.wait(0.5):
        pod.peak_bytes = max(pod.peak_bytes, resident_bytes(root))
        if pod.peak_bytes > pod.limit_bytes:
            pod.passed.set()
            psutil.Process(root).kill()
            return


# ---------------------------------------------------------------- running
_LANDING = """
import sys, urllib.parse, urllib.request
given = urllib.parse.urlsplit(sys.argv[1])
landed = urllib.request.urlopen(given._replace(path="/").geturl()).geturl()
print(urllib.parse.urlsplit(landed).path)
"""
"""Where a browser comes to that asks for no page."""
_RUN = """
set -euo pipefail
[ -z "$POD_GROUP" ] || echo $$ >"$POD_GROUP/cgroup.procs"
jupyter lab --allow-root --no-browser --ip 127.0.0.1 --port 0 --ServerApp.root_dir=. >lab.log 2>&1 &
lab=$!
until grep -q 'http://127.0.0.1' lab.log; do kill -0 "$lab"; sleep 0.2; done
python -c "$LANDING" "$(grep -o 'http://127.0.0.1[^ ]*' lab.log | head -1)" >landing.txt
for notebook in "$@"; do
  began=$(date +%s.%N)
  jupyter execute --inplace --timeout=TIMEOUT "$notebook"
  printf '%s %.1f\\n' "$notebook" "$(echo "$(date +%s.%N) $began" | awk '{print $1 - $2}')" >>times.txt
done
"""


def run(pod: Pod, notebooks: list[str]) -> list[tuple[str, float]]:
    """Start the pod as Binder does, and execute the notebooks in it."""
    script = _RUN.replace("TIMEOUT", str(CELL_S))
    command = ["taskset", "--cpu-list", "0", "./binder/start", "bash", "-c", script, "pod", *notebooks]
    environment = {**pod.environment, "POD_GROUP": str(pod.group or ""), "LANDING": _LANDING}
    process = subprocess.Popen(command, cwd=pod.repo, env=environment, start_new_session=True)
    ended = threading.Event()
    watcher = threading.Thread(target=watch, args=(pod, process.pid, ended), daemon=True)
    watcher.start()
    try:
        status = process.wait()
    finally:
        ended.set()
        watcher.join()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
    if pod.passed.is_set():
        raise SystemExit(f"the pod took {pod.peak_bytes / 1e6:.0f} MB, more than {pod.limit_bytes / 1e6:.0f}")
    if status:
        raise SystemExit(f"the pod ended with {status}; see {pod.repo / 'lab.log'}")
    landed = (pod.repo / "landing.txt").read_text().strip()
    if landed != FIRST_PAGE:
        raise SystemExit(f"the pod begins with {landed}, not with {FIRST_PAGE}")
    times = (pod.repo / "times.txt").read_text().split()
    return list(zip(times[::2], map(float, times[1::2]), strict=True))


def lessons() -> list[str]:
    """The notebooks of the first lessons."""
    return [str(path.relative_to(ROOT)) for n in LESSONS for path in sorted((ROOT / "notebooks").glob(f"{n}*.ipynb"))]


def main() -> None:
    """Build, run, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory-mb", type=int, default=1500)
    parser.add_argument("--keep", type=Path, help="build into this folder, or run again what was built there")
    parser.add_argument("notebooks", nargs="*")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        home = given.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="realtime-nb-pod-")))
        pod = Pod(home.resolve(), given.memory_mb * 1_000_000)
        began = time.monotonic()
        if not pod.repo.exists():
            home.mkdir(parents=True, exist_ok=True)
            build(pod)
        built_s = time.monotonic() - began
        pod.group = stack.enter_context(memory_group(pod.limit_bytes))
        (pod.repo / "times.txt").unlink(missing_ok=True)
        times = run(pod, given.notebooks or lessons())
    holder = "the system" if pod.group else "our own count"
    print(f"image built in {built_s:.0f} s")
    print(f"one core, limit {pod.limit_bytes / 1e6:.0f} MB held by {holder}; peak {pod.peak_bytes / 1e6:.0f} MB")
    for notebook, seconds in times:
        print(f"{notebook}: {seconds:.1f} s")


if __name__ == "__main__":
    main()
