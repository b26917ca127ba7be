"""A child that never outlives its parent: not after a crash, a kill or a kernel restart."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

__all__ = ["die_with_parent", "when_stdin_ends"]

GRACE_S = 3.0
"""How long a clean end may take when nobody is left to insist on it."""

_PR_SET_PDEATHSIG = 1
"""From ``linux/prctl.h``."""


def die_with_parent() -> None:
    """Ask the kernel (Linux) to kill us when the parent thread ends; elsewhere standard input alone tells.

    Notes
    -----
    The signal comes when the *thread* that started us ends. The package starts the
    engine from the portal's thread, which ends with the process.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() == 1:  # it ended before we asked
        os.kill(os.getpid(), signal.SIGKILL)


def when_stdin_ends(then: Callable[[], None]) -> None:
    """Call `then`, on a thread of its own, once standard input is closed; if that does not end the process, end it.

    Parameters
    ----------
    then : callable
        Called once. What is read before the end is ignored.
    """

    def watch() -> None:
        try:
            while os.read(0, 4096):
                pass
        except OSError:  # closed under our hands: the same end
            pass
        then()
        time.sleep(GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="realtime-stdin", daemon=True).start()
