"""Every error the package raises, in one tree.

::

    RealtimeError
    ├── ConfigError            a setting is wrong, or its name is unknown
    │   └── Unsupported        the model card says no
    ├── AudioError             a sound is not what it must be
    ├── ImageError             a picture is not what it must be
    ├── ModelError             a local model cannot be had, or does not load
    ├── MissingExtra           an optional part is not installed
    ├── BudgetExceeded         the next response would pass ``budget_usd``
    ├── TransportError         the wire
    │   ├── ConnectError       no connection came about
    │   └── ConnectionClosed   a connection ended
    ├── ProtocolError          an event breaks the protocol
    │   ├── LocalProtocolError     ours: what you asked for is not legal now
    │   └── RemoteProtocolError    theirs: what the server sent is not legal
    ├── ServerError            the server answered with an ``error`` event
    │   └── RateLimited        ... because too much was asked of it
    ├── TurnFailed             a response ended ``failed``; what was heard is on ``.turn``
    ├── TurnIncomplete         a response ended ``incomplete``; what was heard is on ``.turn``
    └── CassetteError          a recording cannot be read
        └── CassetteMiss       what is sent is not what was recorded; ``.diff`` has both

A message states the fact, then the rule; :attr:`RealtimeError.hint` is a line
that runs and mends it, printed as ``Try:``.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "AudioError",
    "BudgetExceeded",
    "CassetteError",
    "CassetteMiss",
    "ConfigError",
    "ConnectError",
    "ConnectionClosed",
    "ImageError",
    "LocalProtocolError",
    "MissingExtra",
    "ModelError",
    "ProtocolError",
    "RateLimited",
    "RealtimeError",
    "RemoteProtocolError",
    "ServerError",
    "TransportError",
    "TurnFailed",
    "TurnIncomplete",
    "Unsupported",
]


class RealtimeError(Exception):
    """What every error of the package is.

    Parameters
    ----------
    message : str
        The fact, then the rule it breaks.
    hint : str, optional
        A line that runs and mends it.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n  Try: {self.hint}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[RealtimeError], args: tuple[Any, ...]) -> RealtimeError:
    """An error from another process; Python itself would ask its class for what it was not given by place."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error


class ConfigError(RealtimeError, ValueError):
    """A setting is wrong, or its name is unknown."""


class Unsupported(ConfigError):
    """The model card says no; the message quotes the card's line."""


class AudioError(RealtimeError, ValueError):
    """A sound is not what it must be: rate, shape, dtype, range, or file."""


class ImageError(RealtimeError, ValueError):
    """A picture is not what it must be: type, size, or file."""


class ModelError(RealtimeError):
    """A local model cannot be had, or does not load."""


class MissingExtra(RealtimeError, ImportError):
    """An optional part is not installed; the hint is the ``pip`` line."""


class BudgetExceeded(RealtimeError):
    """The next response would pass ``budget_usd``.

    Parameters
    ----------
    message : str
        The fact, then the rule it breaks.
    spent_usd, next_usd, budget_usd : float
        What was spent, what the next response may cost, what is allowed; US dollars.
    hint : str, optional
        A line that runs and mends it.
    """

    def __init__(
        self, message: str, *, spent_usd: float, next_usd: float, budget_usd: float, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.spent_usd = spent_usd
        self.next_usd = next_usd
        self.budget_usd = budget_usd


class TransportError(RealtimeError, OSError):
    """The wire failed."""


class ConnectError(TransportError):
    """No connection came about; the message names the URL, never the key."""


class ConnectionClosed(TransportError):
    """A connection ended.

    Parameters
    ----------
    message : str
        The fact, then the rule it breaks.
    code : int, optional
        The WebSocket close code (RFC 6455, 7.4), when there was one.
    reason : str
        The peer's own words.
    turn : Turn, optional
        What was already heard of the response that was under way.
    hint : str, optional
        A line that runs and mends it.
    """

    def __init__(
        self, message: str, *, code: int | None = None, reason: str = "", turn: Any = None, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.reason = reason
        self.turn = turn


class ProtocolError(RealtimeError):
    """An event breaks the protocol."""


class LocalProtocolError(ProtocolError):
    """What you asked for is not legal now."""


class RemoteProtocolError(ProtocolError):
    """What the server sent is not legal."""


class ServerError(RealtimeError):
    """The server answered with an ``error`` event (protocol, ``error``).

    Parameters
    ----------
    message : str
        The server's own words.
    code, param, event_id : str, optional
        The event's fields: the error's code, the field it is about, and the
        ``event_id`` of the client event that caused it.
    type : str
        The event's ``error.type``.
    turn : Turn, optional
        What was already heard of the response that was under way.
    hint : str, optional
        A line that runs and mends it.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        type: str = "invalid_request_error",
        param: str | None = None,
        event_id: str | None = None,
        turn: Any = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.type = type
        self.param = param
        self.event_id = event_id
        self.turn = turn


class RateLimited(ServerError):
    """The server refused because too much was asked of it; the message has the wait."""


class _Unfinished(RealtimeError):
    """A response that did not complete.

    Parameters
    ----------
    message : str
        The fact, then the rule it breaks.
    turn : Turn
        What was already heard: text, audio, usage, status.
    hint : str, optional
        A line that runs and mends it.
    """

    def __init__(self, message: str, *, turn: Any, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.turn = turn


class TurnFailed(_Unfinished):
    """A response ended ``failed``; what was heard is on ``.turn``."""


class TurnIncomplete(_Unfinished):
    """A response ended ``incomplete``; what was heard is on ``.turn``."""


class CassetteError(RealtimeError):
    """A recording cannot be read, or cannot be played where it was asked for."""


class CassetteMiss(CassetteError):
    """What is sent is not what was recorded.

    Parameters
    ----------
    message : str
        The fact, then the rule it breaks.
    diff : str
        What was recorded and what was sent, line by line; empty where one of them is nothing.
    hint : str, optional
        A line that runs and mends it.
    """

    def __init__(self, message: str, *, diff: str = "", hint: str | None = None) -> None:
        super().__init__(f"{message}\n{diff}" if diff else message, hint=hint)
        self.diff = diff
