"""The client's end of a connection: events to frames, frames to events, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from realtime_nb.errors import LocalProtocolError
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.base import replace
from realtime_nb.protocol.conversation import ROOT
from realtime_nb.protocol.formats import base64_bytes, sample_bytes
from realtime_nb.protocol.ids import IdFactory
from realtime_nb.protocol.items import ALLOWED_PARTS, Message
from realtime_nb.protocol.limits import Limits
from realtime_nb.protocol.session_config import TranscriptionSession

from .fold import Fold

__all__ = ["ClientConnection"]


class ClientConnection(Fold):
    """One session, as a client sees it.

    Parameters
    ----------
    ids : IdFactory
        Names the events and items that have no name of their own.

    Attributes
    ----------
    session : Session, TranscriptionSession or None
        As the server last told it.
    conversation : Conversation
        Its items in order, with the sound that came.
    responses : dict[str, ResponseState]
        Every response by its id.
    rate_limits : tuple of RateLimit
        As last told.
    last_error : ErrorDetail or None
        As last told.

    Examples
    --------
    >>> from realtime_nb.protocol.events import InputAudioBufferCommit
    >>> from realtime_nb.protocol.ids import CountingIds
    >>> client = ClientConnection(CountingIds())
    >>> client.send(InputAudioBufferCommit())
    '{"type":"input_audio_buffer.commit","event_id":"event_1"}'
    >>> event = client.receive('{"type":"news","event_id":"event_x"}')
    >>> event.type, event.payload
    ('news', {'type': 'news', 'event_id': 'event_x'})
    """

    def __init__(self, ids: IdFactory) -> None:
        super().__init__()
        self._ids = ids
        self._limits = Limits()
        self._checks: dict[type, Callable[[Any], None]] = {
            ev.SessionUpdate: self._check_update,
            ev.InputAudioBufferAppend: self._check_append,
            ev.ConversationItemCreate: self._check_item,
            ev.ResponseCreate: self._check_response,
        }

    def send(self, event: ev.ClientEvent) -> str:
        """Make a frame of an event.

        Parameters
        ----------
        event : ClientEvent
            Without an ``event_id`` it is given one, and so is an item without an id.

        Returns
        -------
        str
            To be sent as a text frame.

        Raises
        ------
        LocalProtocolError
            When the server is certain to refuse it.
        """
        if check := self._checks.get(type(event)):
            check(event)
        if event.event_id is None:
            event = replace(event, event_id=self._ids.new("event"))
        if isinstance(event, ev.ConversationItemCreate):
            if not event.item.id:
                event = replace(event, item=replace(event.item, id=self._ids.new("item")))
            if event.previous_item_id == ROOT:
                self.rooted.add(event.item.id)
        return ev.encode(event)

    def receive(self, frame: str | bytes) -> ev.ServerEvent:
        """Take a frame of the server into account.

        Parameters
        ----------
        frame : str or bytes
            One event.

        Returns
        -------
        ServerEvent
            The event; what is unknown comes as :class:`UnknownEvent`.

        Raises
        ------
        RemoteProtocolError
            When the frame is not a JSON object at all.
        """
        event = ev.decode_server(frame)
        self.fold(event)
        return event

    # ------------------------------------------------------------ certainly refused
    def _check_update(self, event: ev.SessionUpdate) -> None:
        kind = event.session.get("type")
        if kind is None:
            raise LocalProtocolError(
                "A session.update without session.type is refused.", hint='SessionUpdate(session={"type": "realtime"})'
            )
        if self.session is not None and kind != self.session.__struct_config__.tag:
            raise LocalProtocolError(
                f"A {kind} update cannot change a {self.session.__struct_config__.tag} session: "
                "a session keeps its type.",
                hint="rt.connect(...)  # a new session",
            )

    def _check_append(self, event: ev.InputAudioBufferAppend) -> None:
        if (size := base64_bytes(len(event.audio))) > self._limits.append_bytes:
            raise LocalProtocolError(
                f"{size} bytes of audio in base64 in one event; the service takes {self._limits.append_bytes}.",
                hint="append 100 ms at a time",
            )
        if self.session is not None and len(event.audio) % sample_bytes(self.session.audio.input.format):
            raise LocalProtocolError(
                f"{len(event.audio)} bytes of audio are not whole samples of 16 bits.",
                hint="audio[: len(audio) // 2 * 2]",
            )

    def _check_item(self, event: ev.ConversationItemCreate) -> None:
        item = event.item
        if item.id and item.id in self.conversation:
            raise LocalProtocolError(
                f"An item {item.id!r} is in the conversation already; ids are used once.", hint="leave the id out"
            )
        if not isinstance(item, Message):
            return
        for part in item.content:
            if not isinstance(part, ALLOWED_PARTS[item.role]):
                names = " or ".join(kind.__name__ for kind in ALLOWED_PARTS[item.role])
                raise LocalProtocolError(
                    f"A message of the {item.role} cannot have {type(part).__name__}, only {names}.",
                    hint='Message(role="user", content=(InputText(text="..."),))',
                )

    def _check_response(self, event: ev.ResponseCreate) -> None:
        if isinstance(self.session, TranscriptionSession):
            raise LocalProtocolError("A transcription session makes no responses.", hint="rt.connect()")
        aside = event.response is not None and event.response.conversation == "none"
        if self.active is not None and not aside:
            raise LocalProtocolError(
                f"Response {self.active.id} is still in progress, and a conversation has one at a time.",
                hint="session.interrupt()",
            )
