"""Running a cell inside a magic, and telling errors the way each kind is told."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from realtime_nb.display import plain
from realtime_nb.errors import ConfigError, RealtimeError

__all__ = ["check_runs", "flush_figures", "plainly", "run_cell"]


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """Let the package's own errors show fact, rule and hint, without the path through the magics.

    Yields
    ------
    None
        Other errors keep their traceback: they are ours to mend.
    """
    try:
        yield
    except RealtimeError as error:
        shown = plain(f"{type(error).__name__}: {error}")
        # IPython asks an exception how it is to be rendered (InteractiveShell.showtraceback)
        error._render_traceback_ = lambda: [shown]  # type: ignore[attr-defined]  # IPython's own protocol
        raise


def check_runs(shell: Any, cell: str) -> None:
    """Make sure that a cell can run below a magic.

    Parameters
    ----------
    shell : InteractiveShell
        Where it would run.
    cell : str
        Its code.

    Raises
    ------
    ConfigError
        It awaits, which IPython does at the top of a plain cell only.
    """
    if shell.should_run_async(cell, transformed_cell=shell.transform_cell(cell)):
        raise ConfigError(
            "The cell awaits at its top level: IPython runs that in plain cells only, not below a magic.",
            hint="x = await work()  # in a cell of its own, then %%ask below it",
        )


def run_cell(shell: Any, cell: str) -> None:
    """Run a cell as if it stood alone: its outputs and its error are shown as usual, figures flushed.

    Parameters
    ----------
    shell : InteractiveShell
        Where it runs.
    cell : str
        Its code.

    Raises
    ------
    BaseException
        What the cell raised, which is shown already; IPython will not show it again.
    """
    result = shell.run_cell(cell)
    flush_figures()
    error = result.error_before_exec or result.error_in_exec
    if error is not None:
        _mute(shell, error)
        raise error


def flush_figures() -> None:
    """Show the figures that the inline backend holds back until the cell's end; it does so at once, and once only."""
    inline = sys.modules.get("matplotlib_inline.backend_inline")  # not loaded: then there are none
    if inline is not None:
        inline.flush_figures()


def _mute(shell: Any, shown: BaseException) -> None:
    """Keep IPython from showing an error a second time on its way out; whatever it shows next ends this."""
    vars(shell).pop("showtraceback", None)  # one that nobody has called
    usual = shell.showtraceback

    def once(*args: Any, **kwargs: Any) -> None:
        vars(shell).pop("showtraceback", None)
        if sys.exc_info()[1] is not shown:
            usual(*args, **kwargs)

    shell.showtraceback = once
