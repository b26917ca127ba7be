"""What a scripted model says and does, written down beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Call", "Event", "Reply", "counted"]

Event = dict[str, Any]
"""JSON values."""

SAMPLE_BYTES_PER_MS = 48
"""PCM16 at 24 kHz."""


@dataclass(frozen=True)
class Call:
    """A function call the scripted model makes.

    Parameters
    ----------
    name : str
        The function.
    arguments : str
        JSON text.
    call_id : str
        Its id.
    """

    name: str
    arguments: str = "{}"
    call_id: str = "call_1"


class Reply:
    """What the scripted model does at one ``response.create``.

    Parameters
    ----------
    *deltas : str
        The words, piece by piece; the transcript when there is sound.
    audio : bytes
        PCM16 at 24 kHz, spread over the pieces.
    calls : tuple of Call
        Function calls after the words.
    status : str
        ``completed``, ``incomplete`` or ``failed``.
    reason : str, optional
        ``status_details.reason`` of an incomplete response.
    error : tuple of (str, str), optional
        Code and message of a failed response.
    end : str
        ``done``; ``hang``: the response stays open until it is cancelled; ``die``: the connection is cut.
    usage : mapping, optional
        Instead of the counted usage.
    """

    def __init__(
        self,
        *deltas: str,
        audio: bytes = b"",
        calls: tuple[Call, ...] = (),
        status: str = "completed",
        reason: str | None = None,
        error: tuple[str, str] | None = None,
        end: Literal["done", "hang", "die"] = "done",
        usage: Mapping[str, Any] | None = None,
    ) -> None:
        self.deltas = deltas
        self.audio = audio
        self.calls = calls
        self.status = "failed" if error else status
        self.reason = reason
        self.error = error
        self.end = end
        self.usage = dict(usage) if usage is not None else None

    @property
    def words(self) -> str:
        """All the words."""
        return "".join(self.deltas)

    def details(self) -> Event | None:
        """The ``status_details`` of its response."""
        if self.status == "completed":
            return None
        details: Event = {"type": self.status}
        if self.reason:
            details["reason"] = self.reason
        if self.error:
            details["error"] = {"type": "server_error", "code": self.error[0], "message": self.error[1]}
        return details


def counted(reply: Reply) -> Event:
    """A usage in the service's shape: as many text tokens as pieces, a token per begun 50 ms of sound."""
    text = len(reply.deltas) + len(reply.calls)
    audio = -(-len(reply.audio) // (50 * SAMPLE_BYTES_PER_MS))
    cached = {"text_tokens": 64, "audio_tokens": 0, "image_tokens": 0}
    return {
        "total_tokens": 120 + text + audio,
        "input_tokens": 120,
        "output_tokens": text + audio,
        "input_token_details": {
            "text_tokens": 120,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": 64,
            "cached_tokens_details": cached,
        },
        "output_token_details": {"text_tokens": text, "audio_tokens": audio},
    }
