"""Items that a client makes: checked, put in, and their sound sent to be written down."""

from __future__ import annotations

from realtime_nb.protocol.base import replace
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.faults import fault
from realtime_nb.protocol.formats import bytes_to_ms, sample_bytes
from realtime_nb.protocol.items import (
    ALLOWED_PARTS,
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpListTools,
    Message,
    Part,
    without_audio,
)
from realtime_nb.protocol.pictures import read_data_url

from .state import State
from .transcripts import Transcripts

__all__ = ["Intake"]


def _tag(kind: type[Part | Item]) -> str:
    return str(kind.__struct_config__.tag)


class Intake:
    """Lets a client's items in.

    Parameters
    ----------
    state : State
        Shared.
    transcripts : Transcripts
        Where sound is sent.
    """

    def __init__(self, state: State, transcripts: Transcripts) -> None:
        self._state = state
        self._transcripts = transcripts

    def admit(self, item: Item, at: str, conversation: Conversation) -> Item:
        """Check an item that is to go into `conversation`.

        Parameters
        ----------
        item : Item
            As the client sent it.
        at : str
            Its path in the event.
        conversation : Conversation
            Where its id must be new.

        Returns
        -------
        Item
            With an id and a status; whole, with its sound.

        Raises
        ------
        EventError
            With the path of the first fault.
        """
        self._state.check_room(conversation)
        if item.id and (
            item.id in conversation or item.id in self._state.conversation or item.id == self._state.speech
        ):
            raise fault("item_exists", param=f"{at}.id", id=item.id)
        self._check(item, at, conversation)
        named = {} if not isinstance(item, FunctionCall) or item.call_id else {"call_id": self._state.ids.new("call")}
        return replace(item, id=item.id or self._state.ids.new("item"), status=item.status or "completed", **named)

    def keep(self, item: Item, conversation: Conversation) -> Item:
        """Keep the sound of an item that is in `conversation` now, and have it written down.

        Parameters
        ----------
        item : Item
            As :meth:`admit` gave it.
        conversation : Conversation
            Which keeps the sound.

        Returns
        -------
        Item
            As live events show it.
        """
        if not isinstance(item, Message):
            return item
        fmt = self._state.session.audio.input.format
        spoken = [(i, part) for i, part in enumerate(item.content) if isinstance(part, InputAudio)]
        for index, part in spoken:
            conversation.listen(item.id, index, fmt).add(audio=part.audio or b"")
        sound = b"".join(part.audio or b"" for _, part in spoken)
        if sound:
            span = (0, int(bytes_to_ms(len(sound), fmt)))
            self._transcripts.begin(item.id, spoken[0][0], sound, fmt, span, describe=True)
        elif spoken:
            self._state.words[item.id] = " ".join(filter(None, (part.transcript for _, part in spoken)))
        return without_audio(item)

    def forget(self, conversation: Conversation) -> None:
        """Forget what was heard in the items that only `conversation` has."""
        for name in conversation.order:
            if name not in self._state.conversation:
                self._transcripts.forget(name)

    # ------------------------------------------------------------ checks
    def _check(self, item: Item, at: str, conversation: Conversation) -> None:
        talks = (conversation, self._state.conversation)
        match item:
            case McpListTools() | McpCall() | McpApprovalRequest():
                allowed = (Message, FunctionCall, FunctionCallOutput, McpApprovalResponse)
                raise fault(
                    "unsupported_value",
                    param=f"{at}.type",
                    value=_tag(type(item)),
                    supported=", ".join(f"'{_tag(kind)}'" for kind in allowed),
                )
            case FunctionCallOutput() if not any(talk.has_call(item.call_id) for talk in talks):
                raise fault("tool_call", id=item.call_id)
            case McpApprovalResponse() if item.approval_request_id not in self._state.asked:
                raise fault("approval_request", id=item.approval_request_id)
            case Message():
                for index, part in enumerate(item.content):
                    self._check_part(item.role, part, f"{at}.content[{index}]")
            case _:
                pass

    def _check_part(self, role: str, part: Part, at: str) -> None:
        if not isinstance(part, ALLOWED_PARTS[role]):
            names = ", ".join(f"'{_tag(kind)}'" for kind in ALLOWED_PARTS[role])
            raise fault("unsupported_value", param=f"{at}.type", value=_tag(type(part)), supported=names)
        if isinstance(part, InputAudio):
            if not part.audio and part.transcript is None:
                raise fault("missing_parameter", param=f"{at}.audio")
            if len(part.audio or b"") % sample_bytes(self._state.session.audio.input.format):
                raise fault("bad_audio", param=f"{at}.audio")
        elif isinstance(part, InputImage):
            self._check_image(part, f"{at}.image_url")

    def _check_image(self, part: InputImage, at: str) -> None:
        limits = self._state.limits
        if len(part.image_url) > limits.image_bytes * 4 // 3 + 64:
            raise fault("image_too_large", param=at, reason=f"more than {limits.image_bytes} bytes")
        picture = read_data_url(part.image_url)
        if picture is None:
            raise fault("image", param=at)
        if picture.size > limits.image_bytes:
            reason = f"{picture.size} bytes; at most {limits.image_bytes} are allowed"
            raise fault("image_too_large", param=at, reason=reason)
        if picture.width * picture.height > limits.image_pixels:
            reason = f"{picture.width} x {picture.height} pixels; at most {limits.image_pixels} are allowed"
            raise fault("image_too_large", param=at, reason=reason)
