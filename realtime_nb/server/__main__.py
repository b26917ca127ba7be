"""``python -m realtime_nb.server``: serve the local engine."""

from __future__ import annotations

import logging
import sys

from realtime_nb.engine.machine import share_arenas
from realtime_nb.errors import RealtimeError
from realtime_nb.server.command import parse_options
from realtime_nb.server.launch import report_failure, serve


def main() -> int:
    """Read the options and serve; gives the exit code."""
    share_arenas()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        command = parse_options()
    except RealtimeError as fault:
        report_failure(fault, child="--child" in sys.argv)
        return 2
    return serve(command)


if __name__ == "__main__":
    sys.exit(main())
