"""What still belongs to what was said and answered, and has not come: folded from the events, without I/O.

A server tells the rate limits after ``response.done`` (by its docs, at the response's beginning), and what it wrote
down of speech when it has it. A recording that ended with ``response.done`` would lack both: replayed, its frames
would be others than those that were seen.
"""

from __future__ import annotations

from typing import Any

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.session_config import Session

__all__ = ["Trail"]


class Trail:
    """What is owed.

    Examples
    --------
    >>> trail = Trail()
    >>> trail.hear(ev.InputAudioBufferCommitted(item_id="item_1"))  # nobody writes it down
    >>> trail.owed
    False
    """

    def __init__(self) -> None:
        self._untold: dict[str, bool] = {}
        """Responses without their rate limits, and whether they are done."""
        self._unwritten: set[str] = set()
        """Speech without its words."""
        self._writes = False

    @property
    def owed(self) -> bool:
        """Whether something is to come that no client has to ask for."""
        return any(self._untold.values()) or bool(self._unwritten)

    def hear(self, event: Any) -> None:
        """Fold an event in.

        Parameters
        ----------
        event : ClientEvent or ServerEvent
            In the order of the wire.
        """
        match event:
            case ev.SessionCreated(session=Session() as session) | ev.SessionUpdated(session=Session() as session):
                self._writes = session.audio.input.transcription is not None
            case ev.InputAudioBufferCommitted(item_id=item_id) if self._writes:
                self._unwritten.add(item_id)
            case (
                ev.ConversationItemInputAudioTranscriptionCompleted(item_id=item_id)
                | ev.ConversationItemInputAudioTranscriptionFailed(item_id=item_id)
                | ev.ConversationItemDeleted(item_id=item_id)
            ):
                self._unwritten.discard(item_id)
            case ev.ResponseCreated(response=response):
                self._untold[response.id] = False
            case ev.ResponseDone(response=response) if response.id in self._untold:
                self._untold[response.id] = True
            case ev.RateLimitsUpdated():
                self._told()

    def _told(self) -> None:
        """Of the first response that is done; where none is, of the first that goes on."""
        done = (response_id for response_id, is_done in self._untold.items() if is_done)
        self._untold.pop(next(done, next(iter(self._untold), "")), None)
