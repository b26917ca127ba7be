"""How long the door takes to open."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median

Figure = tuple[str, float, str]


def seconds(code: str) -> float:
    """Wall seconds of a fresh interpreter running `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def imports(runs: int) -> Iterator[Figure]:
    """``import realtime_nb`` against a bare interpreter, side by side."""
    pairs = [(seconds("pass"), seconds("import realtime_nb")) for _ in range(runs)]
    yield "import realtime_nb (above a bare interpreter)", 1000 * median(b - a for a, b in pairs), "ms"
    full = [(seconds("pass"), seconds("import realtime_nb as rt; rt.connect; rt.Audio")) for _ in range(runs)]
    yield "... and rt.connect, rt.Audio touched", 1000 * median(b - a for a, b in full), "ms"
