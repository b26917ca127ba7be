"""Telephone calls in a notebook: answer them with a session of your own, or place one.

>>> import realtime_nb as rt
>>> phone = rt.calls.listen("local")  # doctest: +SKIP
>>> session = phone.answer(instructions="You are the reception of a small hotel.")  # doctest: +SKIP
>>> session.history  # doctest: +SKIP

A call reaches a server by SIP; the server tells this program by a signed
webhook, is told what becomes of the call over HTTP, and lets a sideband in. All
of that is OpenAI's own shape, so ``rt.calls.listen("openai")`` is the same code.
The sound goes between caller and server: the session here has transcripts,
history, tools and events, and no audio of the model's.
"""

from __future__ import annotations

from .dialled import DialledCall, dial
from .incoming import IncomingCall
from .phone import Phone, listen, receive

__all__ = ["DialledCall", "IncomingCall", "Phone", "dial", "listen", "receive"]


def __dir__() -> list[str]:
    return sorted(__all__)
