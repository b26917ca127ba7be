"""What a kernel hears of its page while a cell runs: ipykernel's subshells, and their one trap."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

__all__ = ["answer_where_asked", "hears_meanwhile"]


def answer_where_asked(comm: Any) -> None:
    """Let the page's messages come by the subshell they are sent to while a cell runs.

    ipykernel 7.4 answers a comm in the shell that last sent on it, the cell's: then
    nothing of the page arrives until the cell ends (measured; other versions have no such thing).

    Parameters
    ----------
    comm : object
        A widget's.
    """
    if hasattr(comm, "_reply_subshell_for"):
        with contextlib.suppress(AttributeError):
            same: Callable[[Any, Any], Any] = lambda _data, default: default  # noqa: E731 - a method in disguise
            comm._reply_subshell_for = same  # noqa: SLF001 - private: guarded here, held by a test


def hears_meanwhile(comm: Any) -> bool:
    """Tell whether the page's messages can come while a cell runs.

    Parameters
    ----------
    comm : object
        A widget's.

    Returns
    -------
    bool
        False before ipykernel 7, which has no subshells, and where there is no kernel at all.
    """
    return bool(getattr(getattr(comm, "kernel", None), "_supports_kernel_subshells", False))
