"""The server's end of the protocol, cut by what it is about: hearing, items, responses, settings."""

from __future__ import annotations

from .connection import ServerConnection

__all__ = ["ServerConnection"]
