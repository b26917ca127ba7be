"""What a call by WebRTC is asked for with: an offer, and perhaps the session's settings (protocol, 1.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

from realtime_nb.protocol.faults import EventError
from realtime_nb.protocol.strict import parse

__all__ = ["Offer", "read_offer"]

MAX_SDP = 65_536
"""Characters of a description; a browser's has 3,000."""
SDP, FORM = "application/sdp", "multipart/form-data"


@dataclass(frozen=True)
class Offer:
    """A request for a call.

    Parameters
    ----------
    sdp : str
        The session description.
    session : dict
        The settings' fields.
    """

    sdp: str
    session: dict[str, Any] = field(default_factory=dict)


def read_offer(content_type: str, body: bytes) -> Offer | None:
    """Read the body of ``POST /v1/realtime/calls``.

    Parameters
    ----------
    content_type : str
        Of the request.
    body : bytes
        The description itself, or a form with the parts ``sdp`` and ``session``.

    Returns
    -------
    Offer or None
        None: it is of no type that is taken.

    Raises
    ------
    EventError
        A part is missing or cannot be read.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == SDP:
        return _checked(Offer(_text(body)))
    if kind == FORM:
        return _checked(_from_form(content_type, body))
    return None


def _from_form(content_type: str, body: bytes) -> Offer:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = message_from_bytes(head + body)
    parts = {_name(part): _payload(part) for part in message.walk() if not part.is_multipart()}
    session = parts.get("session", b"")
    return Offer(_text(parts.get("sdp", b"")), parse(_text(session)) if session.strip() else {})


def _name(part: Message) -> str:
    return str(part.get_param("name", "", "content-disposition"))


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _checked(offer: Offer) -> Offer:
    if not offer.sdp.lstrip().startswith("v="):
        raise EventError("invalid_sdp", "Expected an SDP offer.", "sdp")
    if len(offer.sdp) > MAX_SDP:
        raise EventError("invalid_sdp", f"An SDP offer has at most {MAX_SDP:,} characters.", "sdp")
    return offer
