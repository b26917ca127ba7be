"""A response as a client sees it grow."""

from __future__ import annotations

from dataclasses import dataclass, field

from realtime_nb.protocol.events import Response, ResponseError
from realtime_nb.protocol.items import FunctionCall, Item
from realtime_nb.protocol.usage import Usage

__all__ = ["PartState", "ResponseState"]


@dataclass(slots=True)
class PartState:
    """One part of a reply: its words and its sound, as they came."""

    item_id: str
    spoken: bool
    pieces: list[str] = field(default_factory=list)
    whole: str | None = None
    """The words as the ``.done`` event has them; what holds once it came."""
    audio: list[bytes] = field(default_factory=list)

    @property
    def words(self) -> str:
        """All words that came."""
        return "".join(self.pieces) if self.whole is None else self.whole


@dataclass(slots=True)
class ResponseState:
    """One response, folded from its events. Sound is kept as the chunks it came in, in its wire format."""

    response: Response
    """As ``response.created``, then ``response.done``, told it."""
    items: dict[int, Item] = field(default_factory=dict)
    """By ``output_index``, as they were last told."""
    parts: dict[tuple[int, int], PartState] = field(default_factory=dict)
    """By ``(output_index, content_index)``."""
    arguments: dict[int, list[str]] = field(default_factory=dict)
    """Of function calls, as they come; by ``output_index``."""
    done: bool = False

    def part(self, place: tuple[int, int], item_id: str, *, spoken: bool) -> PartState:
        """Give the part at that place, begun if it is new."""
        return self.parts.setdefault(place, PartState(item_id, spoken))

    @property
    def id(self) -> str:
        """Its name."""
        return self.response.id

    @property
    def status(self) -> str:
        """``in_progress``, ``completed``, ``cancelled``, ``incomplete`` or ``failed``."""
        return self.response.status

    @property
    def reason(self) -> str | None:
        """Why it was cancelled or is incomplete."""
        return self.response.status_details.reason if self.response.status_details else None

    @property
    def error(self) -> ResponseError | None:
        """Why it failed."""
        return self.response.status_details.error if self.response.status_details else None

    @property
    def usage(self) -> Usage | None:
        """What it used, once it is done."""
        return self.response.usage

    @property
    def in_conversation(self) -> bool:
        """False for a response out of band."""
        return self.response.conversation_id is not None

    @property
    def text(self) -> str:
        """What was written, part by part."""
        return self._join(spoken=False)

    @property
    def transcript(self) -> str:
        """What was said, part by part."""
        return self._join(spoken=True)

    def _join(self, *, spoken: bool) -> str:
        return "\n".join(self.parts[place].words for place in sorted(self.parts) if self.parts[place].spoken is spoken)

    @property
    def audio(self) -> list[bytes]:
        """The sound in chunks, in order."""
        return [chunk for place in sorted(self.parts) for chunk in self.parts[place].audio]

    @property
    def calls(self) -> tuple[FunctionCall, ...]:
        """The finished function calls."""
        found = (self.items[index] for index in sorted(self.items))
        return tuple(item for item in found if isinstance(item, FunctionCall) and item.status == "completed")
