"""SIP messages: bytes to values and back (RFC 3261, 7 and 25).

What the network sends is normalised first: header lines are unfolded, blanks
before the colon dropped, short names made long, and the body cut to its
Content-Length. So nothing behind this module meets a spelling of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Self

from realtime_nb.errors import RemoteProtocolError

__all__ = ["MAX_MESSAGE_BYTES", "Fields", "Headers", "Request", "Response", "SipError", "decode", "reason_phrase"]

MAX_MESSAGE_BYTES = 8_192
"""A datagram's message; a larger one is refused with 513."""
MAX_HEADERS = 128

_SHORT = {
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "b": "referred-by",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
}
_LISTS = frozenset({"via", "contact", "route", "record-route", "require", "supported", "allow", "proxy-require"})
"""Headers whose values may stand in one line, with commas between."""
_ODD = {"call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate", "rack": "RAck", "rseq": "RSeq"}
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]+")
_START = re.compile(r"([A-Za-z0-9.!%*_+`'~-]{1,64}) (\S{1,2048}) SIP/(\d+\.\d+)")
_STATUS = re.compile(r"SIP/(\d+\.\d+) ([1-6]\d\d) ?(.*)")
_COMMA = re.compile(r'(?:"(?:\\.|[^"\\])*"|<[^>]*>|[^,"<]|["<])+')

_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
"""What must not come back in an answer: a lone CR is a line's end to some."""

_PHRASES = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    405: "Method Not Allowed",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    505: "Version Not Supported",
    513: "Message Too Large",
    603: "Decline",
}


class SipError(RemoteProtocolError):
    """What came is not SIP, or is a request that must be refused.

    Parameters
    ----------
    message : str
        What is wrong.
    status : int
        What a request that says so is answered with.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def reason_phrase(status: int) -> str:
    """What a status code means, in words."""
    if status in _PHRASES:
        return _PHRASES[status]
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"


Fields = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Headers:
    """Header fields in order; names count without regard to case.

    Parameters
    ----------
    fields : tuple of (str, str)
        Canonical name and value.
    """

    fields: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, fields: Fields) -> Self:
        """Take fields under their canonical names, lists taken apart."""
        return cls(tuple((_canonical(name), part) for name, value in fields for part in _parts(name, value)))

    def get(self, name: str, default: str = "") -> str:
        """The first value of a name."""
        return next(self._values(name), default)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a name, in order."""
        return tuple(self._values(name))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.fields)

    def __contains__(self, name: str) -> bool:
        return any(True for _ in self._values(name))

    def _values(self, name: str) -> Iterator[str]:
        wanted = name.lower()
        return (value for known, value in self.fields if known.lower() == wanted)


def _canonical(name: str) -> str:
    low = name.lower()
    low = _SHORT.get(low, low)
    return _ODD.get(low) or "-".join(part.capitalize() for part in low.split("-"))


def _parts(name: str, value: str) -> Iterable[str]:
    low = name.lower()
    if _SHORT.get(low, low) not in _LISTS or "," not in value:
        return (value,)
    return tuple(part for found in _COMMA.findall(value) if (part := found.strip()))


@dataclass(frozen=True)
class _Message:
    headers: Headers = field(default=Headers(), kw_only=True)
    body: bytes = field(default=b"", kw_only=True)

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of CSeq."""
        number, _, method = self.headers.get("CSeq").partition(" ")
        if not (number.isascii() and number.isdigit()) or len(number) > 10 or int(number) >= 2**32:
            raise SipError("CSeq begins with no number below 2**32")
        return int(number), method.strip()

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self.headers.get("Call-ID")

    def _encode(self, start: str) -> bytes:
        lines = [start, *(f"{name}: {value}" for name, value in self.headers if name != "Content-Length")]
        lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + self.body


@dataclass(frozen=True)
class Request(_Message):
    r"""A request.

    Parameters
    ----------
    method : str
        In capitals.
    uri : str
        Whom it is for.
    headers : Headers
        Its fields.
    body : bytes
        What it carries.
    fault : SipError, optional
        Why it must be refused, although it can be answered.

    Examples
    --------
    >>> request = decode(b"OPTIONS sip:bob@host SIP/2.0\r\ni : 1@host\r\ns: two\r\n  lines\r\n\r\n")
    >>> request.call_id, request.headers.get("subject")
    ('1@host', 'two lines')
    """

    method: str
    uri: str
    fault: SipError | None = None

    def encode(self) -> bytes:
        """As it goes out."""
        return self._encode(f"{self.method} {self.uri} SIP/2.0")


@dataclass(frozen=True)
class Response(_Message):
    """A response.

    Parameters
    ----------
    status : int
        100 to 699.
    reason : str
        In words; the status' own by default.
    headers : Headers
        Its fields.
    body : bytes
        What it carries.
    """

    status: int
    reason: str = ""

    def encode(self) -> bytes:
        """As it goes out."""
        return self._encode(f"SIP/2.0 {self.status} {self.reason or reason_phrase(self.status)}")


def decode(data: bytes) -> Request | Response:
    """Read a message.

    Parameters
    ----------
    data : bytes
        One datagram, or one message cut from a stream.

    Returns
    -------
    Request or Response
        Normalised. A request that must be refused carries its `fault`.

    Raises
    ------
    SipError
        When it cannot even be refused, since nothing says whom to answer.
    """
    head, blank, body = data.lstrip(b"\r\n").replace(b"\r\n", b"\n").partition(b"\n\n")
    unfolded = re.sub(r"\n[ \t]+", " ", head.decode("utf-8", "surrogateescape"))
    lines = _CONTROLS.sub(" ", unfolded).split("\n")
    if blank:
        body = _raw_body(data)
    headers = _headers(lines[1:])
    if (status := _STATUS.fullmatch(lines[0])) is not None:
        return Response(int(status[2]), status[3], headers=headers, body=_cut(headers, body)[0])
    start = _START.fullmatch(lines[0].strip())
    if start is None:
        raise SipError("neither a request line nor a status line")
    body, fault = _cut(headers, body)
    request = Request(start[1], start[2], headers=headers, body=body)
    if start[3] != "2.0":
        fault = SipError(f"SIP {start[3]}", 505)
    elif len(data) > MAX_MESSAGE_BYTES:
        fault = SipError(f"{len(data)} bytes", 513)
    return replace(request, fault=fault or _fault(request))


def _raw_body(data: bytes) -> bytes:
    """The body as it came, whose line ends are its own."""
    found = re.search(rb"\r?\n\r?\n", data[len(data) - len(data.lstrip(b"\r\n")) :])
    return data.lstrip(b"\r\n")[found.end() :] if found is not None else b""


def _headers(lines: list[str]) -> Headers:
    fields = []
    for line in lines[:MAX_HEADERS]:
        name, colon, value = line.partition(":")
        if colon and _TOKEN.fullmatch(name.rstrip()):
            fields.append((name.rstrip(), value.strip()))
    return Headers.of(fields)


def _cut(headers: Headers, body: bytes) -> tuple[bytes, SipError | None]:
    """The body to its Content-Length (RFC 3261, 18.3)."""
    given = headers.get("Content-Length")
    if not given:
        return body, None
    if not (given.isascii() and given.isdigit()) or len(given) > 9:
        return body, SipError("Content-Length is no number")
    size = int(given)
    return body[:size], None if size <= len(body) else SipError("the body is shorter than its Content-Length")


def _fault(request: Request) -> SipError | None:
    """What every request must have (RFC 3261, 8.1.1)."""
    missing = [name for name in ("Via", "From", "To", "Call-ID", "CSeq") if name not in request.headers]
    if missing:
        return SipError(f"no {missing[0]}")
    try:
        method = request.cseq[1]
    except SipError as fault:
        return fault
    return None if method == request.method else SipError("CSeq names another method")
