"""Which session the magics mean: the one that a name in the notebook holds."""

from __future__ import annotations

import keyword
import sys
from typing import Any

from realtime_nb.display import plain
from realtime_nb.errors import ConfigError
from realtime_nb.session import Session

__all__ = ["Holder", "tell"]


def tell(text: str) -> None:
    """Write a line below the cell."""
    sys.stdout.write(f"{plain(text)}\n")


class Holder:
    """The session's name, and what this extension bound itself.

    Parameters
    ----------
    names : dict of str to object
        The notebook's own.
    """

    def __init__(self, names: dict[str, Any]) -> None:
        self.name = "session"
        self._names = names
        self._bound: dict[str, Session] = {}

    def session(self) -> Session:
        """The session that is meant, whoever opened it.

        Returns
        -------
        Session
            What the name holds now.

        Raises
        ------
        ConfigError
            There is none.
        """
        found = self._names.get(self.name)
        if not isinstance(found, Session):
            raise ConfigError(
                f"There is no session yet: the name {self.name!r} holds none, and %rt connect opens one.",
                hint="%rt connect local",
            )
        return found

    def check(self, name: str) -> None:
        """Make sure that a session may be bound to a name.

        Parameters
        ----------
        name : str
            The name.

        Raises
        ------
        ConfigError
            It is no name, or holds something else.
        """
        if not name.isidentifier() or keyword.iskeyword(name):
            raise ConfigError(f"{name!r} is no name that Python can bind", hint="%rt connect --as session")
        found = self._names.get(name)
        if found is not None and not isinstance(found, Session):
            raise ConfigError(
                f"The name {name!r} holds a {type(found).__name__} already, which %rt connect will not replace.",
                hint="%rt connect --as voice",
            )

    def bind(self, name: str, session: Session) -> None:
        """Give a session its name; the one that was bound to it here before is closed.

        Parameters
        ----------
        name : str
            A name that was checked.
        session : Session
            What it holds from now on.
        """
        before = self._bound.get(name)
        if before is not None:
            before.close()  # Out[n] holds it too: it would never go by itself
        self.name = name
        self._names[name] = self._bound[name] = session

    def release(self) -> None:
        """Close what was bound here, and take back the names that still hold it."""
        for name, session in self._bound.items():
            session.close()
            if self._names.get(name) is session:
                del self._names[name]
        self._bound.clear()
