"""Responses as they went: what was asked, what came, and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from realtime_nb.history.items import ItemState
from realtime_nb.protocol.events import Response
from realtime_nb.protocol.formats import AudioFormat
from realtime_nb.usage import Cost

__all__ = ["Asked", "ResponseState"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A ``response.create`` whose response has not begun."""

    t_s: float
    event_id: str | None
    in_conversation: bool


@dataclass(slots=True)
class ResponseState:
    """One response as far as it is known."""

    response_id: str
    turn: int
    created_s: float
    format: AudioFormat
    asked: Asked | None = None
    status: str = "in_progress"
    reason: str | None = None
    inputs: list[ItemState] = field(default_factory=list)
    outputs: list[ItemState] = field(default_factory=list)
    first_text_s: float | None = None
    first_audio_s: float | None = None
    done_s: float | None = None
    cost: Cost | None = None
    cut_ms: float | None = None
    """How much sound was heard when the client truncated."""

    @property
    def speech_end_s(self) -> float | None:
        """When the user's last word was sent, if the last thing said was said aloud."""
        said = [item for item in self.inputs if item.role == "user"]
        return said[-1].speech_end_s if said else None

    @property
    def zero_s(self) -> float:
        """What latencies count from: the end of speech, else ``response.create``, else ``response.created``."""
        if self.speech_end_s is not None:
            return self.speech_end_s
        return self.asked.t_s if self.asked is not None else self.created_s

    @property
    def output_ms(self) -> float | None:
        """Length of the sound that came, or of what was heard of it."""
        sounds = [item.audio_ms for item in self.outputs if item.audio_ms is not None]
        return sum(sounds) if sounds else None

    @property
    def usage(self) -> tuple[int, int, int] | None:
        """Input, cached and output tokens; None where the server has not told."""
        if self.cost is None:
            return None
        read, cached, said = 0, 0, 0
        for line in self.cost.lines:
            if line.direction == "output":
                said += line.tokens
                continue
            read += line.tokens
            cached += line.tokens * line.cached
        return read, cached, said

    def end(self, response: Response, t_s: float) -> None:
        """It is over.

        Parameters
        ----------
        response : Response
            As ``response.done`` has it.
        t_s : float
            Now, in seconds.
        """
        self.status = response.status
        self.done_s = t_s
        details = response.status_details
        if details is not None:
            error = details.error
            self.reason = details.reason or (error and (error.code or error.type)) or None

    def row(self) -> dict[str, Any]:
        """The response as a row of ``turns``."""
        read, cached, said = self.usage or (None, None, None)
        zero_s, output_ms = self.zero_s, self.output_ms
        input_ms = [item.audio_ms for item in self.inputs if item.audio_ms is not None]
        return {
            "turn": self.turn,
            "response_id": self.response_id,
            "status": self.status,
            "reason": self.reason,
            "input": _said(self.inputs, "user"),
            "output": _said(self.outputs, "assistant"),
            "input_s": sum(input_ms) / 1000 if input_ms else None,
            "output_s": None if output_ms is None else output_ms / 1000,
            "speech_end_s": self.speech_end_s,
            "first_text_ms": _after(zero_s, self.first_text_s),
            "first_audio_ms": _after(zero_s, self.first_audio_s),
            "total_ms": _after(zero_s, self.done_s),
            "input_tokens": read,
            "cached_tokens": cached,
            "output_tokens": said,
            "cost_usd": None if self.cost is None else self.cost.total_usd,
            "interrupted_at_ms": self._interrupted_ms(),
        }

    def _interrupted_ms(self) -> float | None:
        if self.cut_ms is not None:
            return self.cut_ms
        return self.output_ms if self.status == "cancelled" else None


def _after(zero_s: float, t_s: float | None) -> float | None:
    return None if t_s is None else (t_s - zero_s) * 1000


def _said(items: list[ItemState], role: str) -> str | None:
    """What `role` and the functions say in the items, one a line."""
    return "\n".join(filter(None, (item.words for item in items if item.role in {role, None}))) or None
