"""Writing one response's output: items and parts are opened and closed by what the stages report."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TypedDict

from realtime_nb.protocol.base import replace
from realtime_nb.protocol.context import Counter
from realtime_nb.protocol.effects import Play
from realtime_nb.protocol.events import (
    ContentPart,
    ResponseContentPartAdded,
    ResponseContentPartDone,
    ResponseFunctionCallArgumentsDelta,
    ResponseFunctionCallArgumentsDone,
    ResponseMcpCallArgumentsDelta,
    ResponseMcpCallArgumentsDone,
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
from realtime_nb.protocol.items import FunctionCall, Item, ItemStatus, McpCall, Message, OutputAudio, OutputText
from realtime_nb.protocol.mcp import RemoteTool, Toolbox
from realtime_nb.protocol.sound import Ledger
from realtime_nb.protocol.usage import AUDIO_OUT_MS, OutputTokens, audio_out_tokens

from .mcp_calls import McpCalls
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
    calls : McpCalls
        Makes the calls of MCP tools.
    response_id : str
        The response.
    fmt : AudioFormat
        The format of its sound.
    in_conversation : bool
        False out of band: then there are no ``conversation.item.*`` events.
    """

    def __init__(
        self,
        state: State,
        counter: Counter,
        calls: McpCalls,
        response_id: str,
        fmt: AudioFormat,
        *,
        in_conversation: bool,
    ) -> None:
        self.state = state
        self.calls = calls
        self.response_id = response_id
        self.format = fmt
        self.in_conversation = in_conversation
        self.items: list[Item] = []
        """What was begun, as it is now."""
        self.toolbox = Toolbox()
        """What may be called."""
        self.text_tokens = 0
        self._counter = counter
        self._audio_tokens = 0
        self._open: _Text | _Speech | _Call | _RemoteCall | None = None

    # ------------------------------------------------------------ writing
    def text(self, delta: str, limit: int) -> bool:
        """Write some words.

        Parameters
        ----------
        delta : str
            What is written next.
        limit : int
            Tokens the response may have.

        Returns
        -------
        bool
            False when the limit was met; the words are cut there.
        """
        if not isinstance(self._open, _Text):
            self.close("completed")
            self._open = _Text(self)
        said, tokens = self._affordable(delta, limit - self.text_tokens - self._audio_tokens)
        self.text_tokens += tokens
        if said:
            self._open.write(said)
        return said == delta

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
            False when the limit was met; words and sound are cut there.
        """
        if not isinstance(self._open, _Speech):
            self.close("completed")
            self._open = _Speech(self)
        used = self.text_tokens + self._audio_tokens
        said, tokens = self._affordable(words, limit - used - audio_out_tokens(self._open.ledger.ms))
        self.text_tokens += tokens
        room = self._open.room(max(0, limit - used - tokens))
        self._open.write(said, audio[:room])
        return room >= len(audio) and said == words

    def _affordable(self, words: str, left: int) -> tuple[str, int]:
        """As many whole words as so many tokens can say, and their tokens."""
        count = self._counter.text
        if (tokens := count(words)) <= left:
            return words, tokens
        pieces = re.findall(r"\s*\S+", words)
        fit = bisect_right(range(1, len(pieces) + 1), left, key=lambda n: count("".join(pieces[:n])))
        said = "".join(pieces[:fit])
        return said, count(said)

    def call(self, index: int, name: str, arguments: str, limit: int) -> bool:
        """Write some of a call; a new index begins a new one.

        Parameters
        ----------
        index : int
            Which of the response's calls.
        name : str
            What is called.
        arguments : str
            The next of its JSON.
        limit : int
            Tokens the response may have.

        Returns
        -------
        bool
            False when the limit was met; the arguments end before this piece.
        """
        if not isinstance(self._open, _Call | _RemoteCall) or self._open.number != index:
            self.close("completed")
            remote = self.toolbox.remote.get(name)
            self._open = _Call(self, index, name) if remote is None else _RemoteCall(self, index, remote)
        tokens = self._counter.text(arguments)
        if self.text_tokens + self._audio_tokens + tokens > limit:
            return False
        self.text_tokens += tokens
        self._open.write(arguments)
        return True

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
        """Finish the item that is being written, if there is one; a call of an MCP tool goes on by itself."""
        if self._open is None:
            return
        written, self._open = self._open, None
        item = written.end(status)
        if isinstance(written, _Speech):
            self._audio_tokens += audio_out_tokens(written.ledger.ms)
        if item is not None:
            self.finish(written.at["output_index"], item)

    def finish(self, output_index: int, item: Item) -> None:
        """Say that an item is as it will be."""
        if self.in_conversation:
            self.state.finish(item)
        self.leave(output_index, item)

    def leave(self, output_index: int, item: Item) -> None:
        """Say that an item is as it will be in this response; in the conversation it may go on."""
        self.keep(output_index, item)
        self.state.send(ResponseOutputItemDone(response_id=self.response_id, output_index=output_index, item=item))

    def keep(self, output_index: int, item: Item) -> None:
        """Note how far an item has come."""
        self.items[output_index] = item
        if self.in_conversation and item.id in self.state.conversation:
            self.state.conversation.put(item)

    def insert(self, item: Item) -> None:
        """Put in an item that is finished as it comes."""
        self.finish(self.begin(item), item)

    def begin(self, item: Item) -> int:
        """Put in an item, and say so; gives its place."""
        self.items.append(item)
        index = len(self.items) - 1
        self.state.send(ResponseOutputItemAdded(response_id=self.response_id, output_index=index, item=item))
        if self.in_conversation:
            self.state.add(item)
        return index

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
        spoken = audio_out_tokens(self._open.ledger.ms) if isinstance(self._open, _Speech) else 0
        return OutputTokens(text_tokens=text_tokens or self.text_tokens, audio_tokens=self._audio_tokens + spoken)


class _ItemPlace(TypedDict):
    response_id: str
    item_id: str
    output_index: int


class _PartPlace(_ItemPlace):
    content_index: int


class _Open:
    """An item that is being written."""

    def __init__(self, output: Output, item: Item) -> None:
        self.output = output
        self.item_id = item.id
        self.send = output.state.send
        index = output.begin(item)
        self.at: _ItemPlace = {"response_id": output.response_id, "item_id": item.id, "output_index": index}


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
            self._sound(audio)

    def _sound(self, audio: bytes) -> None:
        """Let it be heard: at the server's own playback if it has one, else at the client's."""
        state, at = self.output.state, self.part
        if state.plays:
            name, item_id = at["response_id"], at["item_id"]
            state.do(Play(response_id=name, item_id=item_id, content_index=0, audio=audio, format=self.ledger.format))
        else:
            self.send(ResponseOutputAudioDelta(**at, delta=audio))

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


class _RemoteCall(_Open):
    """A call of an MCP tool: made when its arguments are complete, over when the tool has answered."""

    def __init__(self, output: Output, number: int, remote: RemoteTool) -> None:
        self.call = McpCall(
            id=output.state.ids.new("mcp"),
            status="in_progress",
            server_label=remote.server.server_label,
            name=remote.tool.name,
            arguments="",
        )
        super().__init__(output, self.call)
        self.number = number
        self._remote = remote
        self._arguments: list[str] = []

    def write(self, delta: str) -> None:
        if delta:
            self._arguments.append(delta)
            self.send(ResponseMcpCallArgumentsDelta(**self.at, delta=delta))

    def end(self, status: ItemStatus) -> Item | None:
        done = replace(self.call, arguments="".join(self._arguments))
        self.send(ResponseMcpCallArgumentsDone(**self.at, arguments=done.arguments))
        if status != "completed":
            return replace(done, status=status)
        self.output.keep(self.at["output_index"], done)
        self.output.calls.begin(done, self._remote, self.output, self.at["output_index"])
        return None
