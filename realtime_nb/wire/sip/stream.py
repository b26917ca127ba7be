"""Messages out of a TCP stream, by their Content-Length (RFC 3261, 18.3)."""

from __future__ import annotations

import re

from .message import SipError

__all__ = ["PING", "PONG", "Framer"]

MAX_HEAD_BYTES = 32_768
MAX_BODY_BYTES = 65_536
PING, PONG = b"\r\n\r\n", b"\r\n"
"""The keep-alive of a stream, and its answer (RFC 5626, 3.5.1)."""
_LENGTH = re.compile(rb"\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})[ \t]*\r?(?=\n|$)", re.IGNORECASE)
_END = re.compile(rb"\r?\n\r?\n")


class Framer:
    r"""Cuts a stream into messages.

    Examples
    --------
    >>> framer = Framer()
    >>> framer.feed(b"\r\n\r\nBYE sip:a@b SIP/2.0\r\nl: 2\r\n\r\nh")
    [b'\r\n\r\n']
    >>> framer.feed(b"iOPTIONS")
    [b'BYE sip:a@b SIP/2.0\r\nl: 2\r\n\r\nhi']
    """

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take what has come.

        Parameters
        ----------
        data : bytes
            Any piece of the stream.

        Returns
        -------
        list of bytes
            Whole messages; :data:`PING` where the peer asks whether anybody is there.

        Raises
        ------
        SipError
            When no further message can be found in this stream.
        """
        self._rest += data
        found = []
        while (message := self._next()) is not None:
            found.append(message)
        return found

    def _next(self) -> bytes | None:
        if self._rest.startswith(PING):
            return self._take(len(PING))
        if self._rest.startswith(b"\r\n") and len(self._rest) > len(PONG) and not self._rest.startswith(b"\r\n\r"):
            del self._rest[: len(PONG)]
        end = _END.search(self._rest)
        if end is None or end.start() == 0:
            if len(self._rest) > MAX_HEAD_BYTES:
                raise SipError("a head without an end")
            return None
        length = _LENGTH.search(self._rest, 0, end.start())
        if length is None:
            raise SipError("in a stream, a message has a Content-Length")
        if (size := int(length[1])) > MAX_BODY_BYTES:
            raise SipError(f"a body of {size} bytes", 513)
        whole = end.end() + size
        return self._take(whole) if len(self._rest) >= whole else None

    def _take(self, size: int) -> bytes:
        taken = bytes(self._rest[:size])
        del self._rest[:size]
        return taken
