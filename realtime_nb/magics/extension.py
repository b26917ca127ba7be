"""What the extension puts into the shell, and takes out again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from realtime_nb.magics.ask import Asking
from realtime_nb.magics.complete import rt_matcher
from realtime_nb.magics.holder import Holder
from realtime_nb.magics.rt import Commands
from realtime_nb.magics.tap import Tap
from realtime_nb.magics.watch import Watch

__all__ = ["Extension", "load", "unload"]

Magic = Callable[..., Any]


class Extension:
    """The magics in one shell.

    Parameters
    ----------
    shell : InteractiveShell
        Where they are.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._tap = Tap(shell)
        self._holder = Holder(shell.user_ns)
        self._watch = Watch(shell, self._holder, self._tap)
        self._matcher = rt_matcher()
        asking, commands = Asking(shell, self._holder, self._tap, self._watch), Commands(self._holder, self._watch)
        self._magics = _Table(
            shell, {("line", "rt"): commands.rt, ("cell", "ask"): asking.ask, ("cell", "say"): asking.say}
        )

    def open(self) -> None:
        """Put everything in."""
        self._tap.open()
        self._magics.open()
        self._shell.Completer.custom_matchers.append(self._matcher)

    def close(self) -> None:
        """Take everything out, and close the sessions that ``%rt connect`` bound."""
        self._watch.stop()
        self._tap.close()
        self._magics.close()
        self._shell.Completer.custom_matchers.remove(self._matcher)
        self._holder.release()


class _Table:
    """Magics of given kinds and names; those that were there before come back.

    Parameters
    ----------
    shell : InteractiveShell
        Whose table.
    magics : dict of (str, str) to callable
        By kind and name.
    """

    def __init__(self, shell: Any, magics: dict[tuple[str, str], Magic]) -> None:
        self._table = shell.magics_manager.magics
        self._ours = magics
        self._before: dict[tuple[str, str], Magic] = {}

    def open(self) -> None:
        for (kind, name), magic in self._ours.items():
            if name in self._table[kind]:
                self._before[kind, name] = self._table[kind][name]
            self._table[kind][name] = magic

    def close(self) -> None:
        for (kind, name), magic in self._ours.items():
            if self._table[kind].get(name) == magic:  # else somebody's own by now
                del self._table[kind][name]
                if (kind, name) in self._before:
                    self._table[kind][name] = self._before[kind, name]


_loaded: dict[int, Extension] = {}
"""By the shell's id: a process has one, tests may make more."""


def load(shell: Any) -> None:
    """Give a shell the magics; a second time changes nothing.

    Parameters
    ----------
    shell : InteractiveShell
        Given by ``%load_ext``.
    """
    if id(shell) not in _loaded:
        _loaded[id(shell)] = extension = Extension(shell)
        extension.open()


def unload(shell: Any) -> None:
    """Take the magics out of a shell again.

    Parameters
    ----------
    shell : InteractiveShell
        Given by ``%unload_ext``.
    """
    extension = _loaded.pop(id(shell), None)
    if extension is not None:
        extension.close()
