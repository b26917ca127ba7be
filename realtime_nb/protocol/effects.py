"""What a ServerConnection asks for (effects) and what it is told (reports): plain, frozen data.

The connection decides; whoever runs it sends, hears, transcribes and generates,
and reports what came of it. A report about something that is over is ignored,
so a runner need not be careful about the order in which threads finish.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .events import ServerEvent
from .formats import AudioFormat
from .items import Item, McpError, McpTool
from .session_config import NoiseReduction, TurnDetection
from .tools import BrainChoice, FunctionTool, McpServer

__all__ = [
    "CallDelta",
    "CallMcpTool",
    "ClearPlayback",
    "Close",
    "Detect",
    "Effect",
    "EndPlayback",
    "ForgetAudio",
    "Generate",
    "GenerateRequest",
    "Generated",
    "GenerationFailed",
    "Hear",
    "KeyPressed",
    "ListMcpTools",
    "McpCallFailed",
    "McpCalled",
    "McpListFailed",
    "McpToolsListed",
    "Play",
    "PlaybackCleared",
    "PlaybackStarted",
    "PlaybackStopped",
    "PromptRead",
    "Report",
    "Send",
    "SpeechDelta",
    "SpeechStarted",
    "SpeechStopped",
    "Stop",
    "StopMcpTool",
    "TextDelta",
    "Transcribe",
    "Transcribed",
    "TranscribedDelta",
    "TranscriptionFailed",
    "Warm",
]


class _Note(msgspec.Struct, frozen=True, kw_only=True):
    pass


class _Fact(msgspec.Struct, frozen=True):
    pass


# ---------------------------------------------------------------- effects
class Send(_Fact, frozen=True):
    """Send this event, in order."""

    event: ServerEvent
    to: int | None = None
    """Which of the session's peers it answers; None tells all of them."""


class Hear(_Fact, frozen=True):
    """Give this sound to the turn detector; also in push-to-talk, since its clock is the session's."""

    audio: bytes
    format: AudioFormat


class Detect(_Fact, frozen=True):
    """Detect turns like this from now on; None is push-to-talk."""

    turn_detection: TurnDetection | None
    noise_reduction: NoiseReduction | None = None


class ForgetAudio(_Fact, frozen=True):
    """The buffer was committed by hand or cleared: the detector is to begin afresh, its clock running on."""


class Transcribe(_Note, frozen=True, kw_only=True):
    """Write down what was said; answered by :class:`Transcribed` or :class:`TranscriptionFailed`.

    Always wanted, since the local brain needs the words; the client hears of it only
    where ``session.audio.input.transcription`` is set.
    """

    item_id: str
    audio: bytes
    format: AudioFormat
    language: str | None = None
    prompt: str | None = None
    noise_reduction: NoiseReduction | None = None
    """To be done first; only to what came through the input audio buffer."""
    describe: bool = False
    """Where there are no words, say what it sounds like: for sound that a client sent on purpose."""
    audio_start_ms: int
    """Where the sound begins, from the session's first sound."""
    audio_end_ms: int


class GenerateRequest(_Note, frozen=True, kw_only=True):
    """Everything a response is made from; it does not change while the response lasts."""

    instructions: str
    items: tuple[Item, ...]
    """The context, already truncated; the user's spoken parts carry their words, and no bytes."""
    tools: tuple[FunctionTool, ...] = ()
    """Those of MCP servers are among them."""
    tool_choice: BrainChoice = "auto"
    output_modalities: tuple[str, ...] = ("audio",)
    voice: str
    speed: float
    max_output_tokens: int | None
    """None where only the model's own limit holds."""
    format: AudioFormat
    """In which to deliver the sound."""


class Generate(_Fact, frozen=True):
    """Answer; report deltas of text, speech and calls, and at last :class:`Generated` or :class:`GenerationFailed`."""

    response_id: str
    request: GenerateRequest


class Stop(_Fact, frozen=True):
    """Stop answering; nothing more is wanted of this response."""

    response_id: str


class Warm(_Fact, frozen=True):
    """Put this prefix into the cache; it is what the next response begins with."""

    instructions: str
    tools: tuple[FunctionTool, ...]


class Play(_Note, frozen=True, kw_only=True):
    """Play this sound after what plays; only where the server keeps the playback buffer (WebRTC, SIP)."""

    response_id: str
    item_id: str
    content_index: int
    audio: bytes
    format: AudioFormat


class EndPlayback(_Fact, frozen=True):
    """No more sound of this response comes: :class:`PlaybackStopped` is due when what there is was played."""

    response_id: str


class ClearPlayback(_Fact, frozen=True):
    """Play no more of what was to be played; answered by :class:`PlaybackCleared`."""


class ListMcpTools(_Fact, frozen=True):
    """Ask an MCP server for its tools; answered by :class:`McpToolsListed` or :class:`McpListFailed`."""

    item_id: str
    server: McpServer


class CallMcpTool(_Note, frozen=True, kw_only=True):
    """Call an MCP server's tool; answered by :class:`McpCalled` or :class:`McpCallFailed`."""

    item_id: str
    server: McpServer
    name: str
    arguments: str


class StopMcpTool(_Fact, frozen=True):
    """Nobody waits for this call any more."""

    item_id: str


class Close(_Fact, frozen=True):
    """Close the connection, when all that was to be sent is sent."""

    code: int
    reason: str
    to: int | None = None
    """Which peer goes; None ends the session, and every connection to it."""


Effect = (
    Send
    | Hear
    | Detect
    | ForgetAudio
    | Transcribe
    | Generate
    | Stop
    | Warm
    | Play
    | EndPlayback
    | ClearPlayback
    | ListMcpTools
    | CallMcpTool
    | StopMcpTool
    | Close
)


# ---------------------------------------------------------------- reports
class SpeechStarted(_Fact, frozen=True):
    """The detector heard speech, which began here (the padding counted in)."""

    audio_start_ms: int


class SpeechStopped(_Fact, frozen=True):
    """The detector heard the speech end (the silence that shows it counted in)."""

    audio_end_ms: int


class KeyPressed(_Fact, frozen=True):
    """A key of the caller's telephone."""

    key: str
    received_at: int
    """Unix time in seconds."""


class PlaybackStarted(_Fact, frozen=True):
    """The first sound of this response plays."""

    response_id: str


class PlaybackStopped(_Fact, frozen=True):
    """The last sound of this response was played."""

    response_id: str


class PlaybackCleared(_Fact, frozen=True):
    """The playback was emptied."""

    response_id: str | None
    """What was playing; None for nothing."""
    heard: tuple[tuple[str, int, int], ...] = ()
    """``(item_id, content_index, milliseconds played)`` of each part whose sound was not played to its end."""


class TranscribedDelta(_Fact, frozen=True):
    """Some words, before all of them are known; optional."""

    item_id: str
    text: str


class Transcribed(_Fact, frozen=True):
    """All the words; empty when nothing was said."""

    item_id: str
    text: str
    logprobs: tuple[tuple[str, float], ...] = ()
    """``(token, natural-log probability)``."""
    tokens: int = 0
    sound: str = ""
    """What it sounds like, if that was asked for and there are no words; for the brain, not for the transcript."""


class TranscriptionFailed(_Fact, frozen=True):
    """The recogniser gave up."""

    item_id: str
    code: str
    message: str


class PromptRead(_Fact, frozen=True):
    """The model has read; so what a cut answer had in the cache is known, too."""

    response_id: str
    prompt_tokens: int
    cached_tokens: int


class TextDelta(_Fact, frozen=True):
    """Some words of a written answer."""

    response_id: str
    text: str


class SpeechDelta(_Fact, frozen=True):
    """Some of a spoken answer: words, sound in the request's format, or both.

    Words come before their own sound: all sound until the next words belongs to these.
    """

    response_id: str
    transcript: str = ""
    audio: bytes = b""


class CallDelta(_Fact, frozen=True):
    """Some of a function call; a new index begins a new call, and `name` matters only then."""

    response_id: str
    index: int
    name: str
    arguments: str


class Generated(_Fact, frozen=True):
    """The answer is complete."""

    response_id: str
    reason: Literal["stop", "length", "tool_calls"]
    prompt_tokens: int = 0
    """What the model read, by its own count."""
    cached_tokens: int = 0
    """How many of those came out of its cache."""
    output_text_tokens: int = 0


class GenerationFailed(_Fact, frozen=True):
    """The model gave up."""

    response_id: str
    code: str
    message: str


class McpToolsListed(_Fact, frozen=True):
    """An MCP server's tools."""

    item_id: str
    tools: tuple[McpTool, ...]


class McpListFailed(_Fact, frozen=True):
    """An MCP server did not tell its tools."""

    item_id: str
    message: str


class McpCalled(_Fact, frozen=True):
    """What an MCP tool gave."""

    item_id: str
    output: str


class McpCallFailed(_Fact, frozen=True):
    """Why an MCP tool gave nothing."""

    item_id: str
    error: McpError


Report = (
    SpeechStarted
    | SpeechStopped
    | KeyPressed
    | PlaybackStarted
    | PlaybackStopped
    | PlaybackCleared
    | TranscribedDelta
    | Transcribed
    | TranscriptionFailed
    | PromptRead
    | TextDelta
    | SpeechDelta
    | CallDelta
    | Generated
    | GenerationFailed
    | McpToolsListed
    | McpListFailed
    | McpCalled
    | McpCallFailed
)
