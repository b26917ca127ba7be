"""A key that never shows itself: not in a repr, a traceback, a pickle or a log line."""

from __future__ import annotations

import hmac
from typing import NoReturn

__all__ = ["Secret"]


class Secret:
    """A key, an ephemeral ``ek_`` secret or a token, kept out of everything that is printed or stored.

    Parameters
    ----------
    value : str
        The key itself; blanks around it (a pasted line end) are dropped.

    Examples
    --------
    >>> Secret("sk-test-0123456789")
    Secret('sk-…')
    >>> f"{Secret('ek_0123456789')}"
    'ek_…'
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value.strip()

    @classmethod
    def of(cls, value: str | Secret | None) -> Secret | None:
        """`value` as a Secret; None, and a text without a key in it, stay None."""
        secret = cls(value) if isinstance(value, str) else value
        return secret or None

    def reveal(self) -> str:
        """The key itself, for the header it goes into; never give it a name of its own."""
        return self.__value

    def redact(self, text: str) -> str:
        """`text` with the key, wherever it stands, masked."""
        return text.replace(self.__value, str(self)) if self.__value else text

    def __str__(self) -> str:
        head = self.__value[:3]
        return f"{head}…" if head in {"sk-", "ek_"} else "…"

    def __repr__(self) -> str:
        return f"Secret({str(self)!r})"

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret does not travel in a pickle or a copy: read the key again where it is needed")

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self
