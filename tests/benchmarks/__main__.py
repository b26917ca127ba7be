"""Measure and print; nothing here passes or fails.

``python tests/benchmarks [--only NAME ...] [--runs N] [--json FILE]``

Every figure is a median of several runs on the machine at hand. Latency is
counted from the true end of speech in the sound to the arrival of the first
audio byte, so the silence timer is in it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("REALTIME_NB_LOG", "0")  # what is measured is not kept among the sessions of whoever runs it

import brain
import browser
import client
import history
import latency
import sessions
import startup
import telephone
import webrtc

SECTIONS = {
    "import": startup.imports,
    "client": client.throughput,
    "stub": latency.with_stub_stages,
    "sessions": sessions.at_once,
    "history": history.archive,
    "browser": browser.media,
    "telephone": telephone.calls,
    "webrtc": webrtc.calls,
    "local": latency.with_local_models,
    "brain": brain.exams,
}


def main() -> None:
    """Run the chosen sections and print their figures."""
    parser = argparse.ArgumentParser(prog="poe bench", description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--runs", type=int, default=10, help="runs of each latency (default: 10)")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"load before: {', '.join(f'{x:.2f}' for x in os.getloadavg())}")
    figures: dict[str, float] = {}
    for name in options.only:
        print(f"\n{name}")
        for label, value, unit in SECTIONS[name](options.runs):
            figures[f"{name}: {label}"] = value
            print(f"  {label:<58} {value:>10,.1f} {unit}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
