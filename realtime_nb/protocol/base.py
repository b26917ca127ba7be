"""What every value of the protocol is made of: frozen structs, and one rule for what is written.

A field whose value is its default is not written, so ``None`` means *absent* --
unless the default is made by :func:`always`, which is written even then (the
wire wants ``"transcript": null`` and ``"object": "realtime.item"`` spelt out).
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

__all__ = ["Value", "always", "replace"]

T = TypeVar("T", bound=msgspec.Struct)


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An immutable value of the protocol; see the module for what is written."""


def always(value: Any) -> Any:
    """Give a field a default that is written on the wire, too.

    Parameters
    ----------
    value : Any
        The immutable default.

    Returns
    -------
    Any
        What the field is declared with. msgspec omits plain defaults only, so a factory's is kept.
    """
    return msgspec.field(default_factory=lambda: value)


def replace(value: T, **changes: Any) -> T:
    """Make a copy of a value with some fields changed.

    Parameters
    ----------
    value : T
        What to start from.
    **changes : Any
        Field names and their new values.

    Returns
    -------
    T
        The changed copy.
    """
    return msgspec.structs.replace(value, **changes)
