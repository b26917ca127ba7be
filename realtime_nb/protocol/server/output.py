"""Writing one response's output: items and parts are opened and closed by what the stages report."""

from __future__ import annotations

from typing import TypedDict

from realtime_nb.protocol.base import replace
from realtime_nb.protocol.context import Counter
from realtime_nb.protocol.events import (
    ContentPart,
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseFunctionCallArgumentsDelta,
    ResponseFunctionCallArgumentsDone,
    ResponseOutputAudioDelta,
    ResponseOutputAudioDone,
    ResponseOutputAudioTranscriptDelta,
    ResponseOutputAudioTranscriptDone,
    ResponseOutputItemAdded,
    ResponseOutputItemDone,
    ResponseOutputTextDelta,
    ResponseOutputTextDone,
)
from realtime_nb.protocol.formats import AudioFormat, bytes_to_ms, ms_to_bytes
from realtime_nb.protocol.items import FunctionCall, Item, ItemStatus, Message, OutputAudio, OutputText
from realtime_nb.protocol.sound import Ledger
from realtime_nb.protocol.usage import AUDIO_OUT_MS, OutputTokens, audio_out_tokens

from .state import State

__all__ = ["Output"]


class Output:
    """The output of one response.

    Parameters
    ----------
    state : State
        Shared.
    counter : Counter
        Counts what was written.
    response_id : str
        The response.
    fmt : AudioFormat
        The format of its sound.
    in_conversation : bool
        False out of band: then there are no ``conversation.item.*`` events.
    """

    def __init__(
        self, state: State, counter: Counter, response_id: str, fmt: AudioFormat, *, in_conversation: bool
    ) -> None:
        self.state = state
        self.response_id = response_id
        self.format = fmt
        self.in_conversation = in_conversation
        self.items: list[Item] = []
        """What is finished."""
        self.text_tokens = 0
        self._counter = counter
        self._audio_tokens = 0
        self._open: _Text | _Speech | _Call | None = None

    # ------------------------------------------------------------ writing
    def text(self, delta: str) -> None:
        """Write some words."""
        if not isinstance(self._open, _Text):
            self.close("completed")
            self._open = _Text(self)
        self.text_tokens += self._counter.text(delta)
        self._open.write(delta)

    def speech(self, words: str, audio: bytes, limit: int) -> bool:
        """Speak some words, some sound, or both.

        Parameters
        ----------
        words : str
            What is said next.
        audio : bytes
            The sound of it.
        limit : int
            Tokens the response may have, text and sound together.

        Returns
        -------
        bool
            False when the limit was met; the sound is cut there.
        """
        if not isinstance(self._open, _Speech):
            self.close("completed")
            self._open = _Speech(self)
        self.text_tokens += self._counter.text(words)
        left = max(0, limit - self.text_tokens - self._audio_tokens)
        room = self._open.room(left)
        self._open.write(words, audio[:room])
        return room >= len(audio) and self.text_tokens <= limit

    def call(self, index: int, name: str, arguments: str) -> None:
        """Write some of a function call; a new index begins a new one."""
        if not isinstance(self._open, _Call) or self._open.number != index:
            self.close("completed")
            self._open = _Call(self, index, name)
        self.text_tokens += self._counter.text(arguments)
        self._open.write(arguments)

    def played(self, ms: float) -> None:
        """Note that so much sound was sent: it plays after what was sent before."""
        if self.in_conversation:
            self.state.spoken = True
            self.state.playing_until = max(self.state.playing_until, self.state.now) + ms / 1000

    # ------------------------------------------------------------ closing
    @property
    def open_id(self) -> str | None:
        """The item that is being written."""
        return self._open.item_id if self._open else None

    def close(self, status: ItemStatus) -> None:
        """Finish the item that is being written, if there is one."""
        if self._open is None:
            return
        item = self._open.end(status)
        if isinstance(self._open, _Speech):
            self._audio_tokens += audio_out_tokens(self._open.ledger.ms)
        self._open = None
        self.items.append(item)
        if self.in_conversation:
            self.state.finish(item)
        self.state.send(
            ResponseOutputItemDone(response_id=self.response_id, output_index=len(self.items) - 1, item=item)
        )

    def tokens(self, text_tokens: int = 0) -> OutputTokens:
        """Count what was written.

        Parameters
        ----------
        text_tokens : int
            The brain's own count, where it gave one.

        Returns
        -------
        OutputTokens
            Its words by that count or ours; its sound by the rule.
        """
        return OutputTokens(text_tokens=text_tokens or self.text_tokens, audio_tokens=self._audio_tokens)


class _ItemPlace(TypedDict):
    response_id: str
    item_id: str
    output_index: int


class _PartPlace(_ItemPlace):
    content_index: int


class _Open:
    """An item that is being written."""

    def __init__(self, output: Output, item: Item) -> None:
        index = len(output.items)
        self.output = output
        self.item_id = item.id
        self.at: _ItemPlace = {"response_id": output.response_id, "item_id": item.id, "output_index": index}
        self.send = output.state.send
        self.send(ResponseOutputItemAdded(response_id=output.response_id, output_index=index, item=item))
        if output.in_conversation:
            output.state.add(item)


class _Said(_Open):
    """A message of the assistant; it has one part."""

    def __init__(self, output: Output, part: ContentPart) -> None:
        name = output.state.ids.new("item")
        super().__init__(output, Message(id=name, status="in_progress", role="assistant", content=()))
        self.part: _PartPlace = {**self.at, "content_index": 0}
        self.send(ResponseContentPartAdded(**self.part, part=part))

    def message(self, status: ItemStatus, part: OutputText | OutputAudio) -> Message:
        return Message(id=self.item_id, status=status, role="assistant", content=(part,))


class _Text(_Said):
    """A written message."""

    def __init__(self, output: Output) -> None:
        super().__init__(output, ContentPart(type="text", text=""))
        self._words: list[str] = []

    def write(self, delta: str) -> None:
        self._words.append(delta)
        self.send(ResponseOutputTextDelta(**self.part, delta=delta))

    def end(self, status: ItemStatus) -> Item:
        text = "".join(self._words)
        self.send(ResponseOutputTextDone(**self.part, text=text))
        self.send(ResponseContentPartDone(**self.part, part=ContentPart(type="text", text=text)))
        return self.message(status, OutputText(text=text))


class _Speech(_Said):
    """A spoken message: words and their sound go into the ledger as they are sent."""

    def __init__(self, output: Output) -> None:
        super().__init__(output, ContentPart(type="audio", transcript=""))
        talk = output.state.conversation
        self.ledger = talk.listen(self.item_id, 0, output.format) if output.in_conversation else Ledger(output.format)

    def room(self, tokens: int) -> int:
        """Bytes of sound until so many tokens of it are there."""
        return max(0, ms_to_bytes(tokens * AUDIO_OUT_MS, self.ledger.format) - self.ledger.size)

    def write(self, words: str, audio: bytes) -> None:
        self.ledger.add(words, audio)
        if words:
            self.send(ResponseOutputAudioTranscriptDelta(**self.part, delta=words))
        if audio:
            self.output.played(bytes_to_ms(len(audio), self.ledger.format))
            self.send(ResponseOutputAudioDelta(**self.part, delta=audio))

    def end(self, status: ItemStatus) -> Item:
        words = self.ledger.transcript
        self.send(ResponseOutputAudioDone(**self.part))
        self.send(ResponseOutputAudioTranscriptDone(**self.part, transcript=words))
        self.send(ResponseContentPartDone(**self.part, part=ContentPart(type="audio", transcript=words)))
        return self.message(status, OutputAudio(transcript=words))


class _Call(_Open):
    """A function call."""

    def __init__(self, output: Output, number: int, name: str) -> None:
        ids = output.state.ids
        self.call = FunctionCall(
            id=ids.new("item"), status="in_progress", name=name, call_id=ids.new("call"), arguments=""
        )
        super().__init__(output, self.call)
        self.number = number
        self._arguments: list[str] = []

    def write(self, delta: str) -> None:
        if delta:
            self._arguments.append(delta)
            call_id = self.call.call_id
            self.send(ResponseFunctionCallArgumentsDelta(**self.at, call_id=call_id, delta=delta))

    def end(self, status: ItemStatus) -> Item:
        done = replace(self.call, status=status, arguments="".join(self._arguments))
        self.send(
            ResponseFunctionCallArgumentsDone(**self.at, call_id=done.call_id, name=done.name, arguments=done.arguments)
        )
        return done
