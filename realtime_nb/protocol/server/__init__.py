"""The server's end of the protocol, cut by what it is about: hearing, items, responses, settings."""

from __future__ import annotations

from .connection import ServerConnection
from .state import OWNER

__all__ = ["OWNER", "ServerConnection"]
