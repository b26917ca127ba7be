"""The client's end of the protocol: what may be sent, and what the server's events come to."""

from __future__ import annotations

from .connection import ClientConnection
from .replies import PartState, ResponseState

__all__ = ["ClientConnection", "PartState", "ResponseState"]
