"""What a session is set to (protocol, 3), with the live service's defaults, and how an update is merged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from .base import Value, always, replace
from .faults import fault
from .formats import AudioFormat, Pcm
from .mcp import check_servers, same_but_shown
from .strict import refuse_unknown, to_struct, without_nulls
from .tools import Tool, ToolChoice

__all__ = [
    "DEFAULT_INSTRUCTIONS",
    "AnySession",
    "Audio",
    "AudioInput",
    "AudioOutput",
    "Include",
    "MaxTokens",
    "Modalities",
    "NoiseReduction",
    "Prompt",
    "Reasoning",
    "RetentionRatio",
    "SemanticVad",
    "ServerVad",
    "Session",
    "TokenLimits",
    "Tracing",
    "Transcription",
    "TranscriptionAudio",
    "TranscriptionSession",
    "Truncation",
    "TurnDetection",
    "Voice",
    "VoiceId",
    "check_modalities",
    "merge",
    "voice_name",
]

DEFAULT_INSTRUCTIONS = (
    "You are a helpful, friendly assistant who talks with a person by voice. What you write is spoken aloud: answer in "
    "short, plain sentences, without lists, headings or symbols, in the language of the person. If you can use a "
    "function, use it. If you do not know, say so."
)
"""What a server tells its model when the client says nothing else."""


# ---------------------------------------------------------------- what is heard
class ServerVad(Value, tag="server_vad", frozen=True, kw_only=True):
    """Turns end after a silence."""

    threshold: Annotated[float, Meta(ge=0, le=1)] = always(0.5)
    """How sure the detector must be that this is speech, 0 to 1."""
    prefix_padding_ms: Annotated[int, Meta(ge=0)] = always(300)
    """Sound kept from before the speech, in milliseconds."""
    silence_duration_ms: Annotated[int, Meta(ge=0)] = always(200)
    """Silence that ends a turn, in milliseconds: 200 live, 500 in the docs."""
    idle_timeout_ms: Annotated[int, Meta(ge=5_000, le=30_000)] | None = always(None)
    """Silence of the user, in milliseconds, after which the model asks whether anybody is there."""
    create_response: bool = always(value=True)
    interrupt_response: bool = always(value=True)


class SemanticVad(Value, tag="semantic_vad", frozen=True, kw_only=True):
    """Turns end where the meaning does.

    Ours: at each pause a model of the voice (Smart Turn) says whether the turn is over, and open words ("the capital
    of") take half of that back; where its weights are not there, the words alone decide.
    """

    eagerness: Literal["low", "medium", "high", "auto"] = always("auto")
    """Waits at most 8, 4 or 2 seconds, and 0.8, 0.4 or 0.25 s where the turn is surely over; ``auto`` is medium."""
    create_response: bool = always(value=True)
    interrupt_response: bool = always(value=True)


TurnDetection = ServerVad | SemanticVad


class Transcription(Value, frozen=True, kw_only=True):
    """A pass of speech recognition for display; the model itself hears the sound."""

    model: str = always("gpt-4o-mini-transcribe")
    """The local recogniser writes, whatever is named; ``whisper-1`` and ``gpt-live-transcribe`` count by duration."""
    language: str | None = always(None)
    """ISO 639-1."""
    prompt: str | None = always(None)
    """A list of keywords for whisper-1, free text for the others. The local recogniser goes by keywords, whatever the
    model: what sounds much like one of them is written like it; of longer sentences it makes nothing."""
    languages: tuple[str, ...] | None = None
    """Of gpt-transcribe alone; kept and echoed. The local recogniser goes by ``language``."""
    keywords: tuple[str, ...] | None = None
    """Of gpt-transcribe alone; kept and echoed. The local recogniser goes by ``prompt``."""
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None
    """Of gpt-realtime-whisper alone; kept and echoed."""


class NoiseReduction(Value, frozen=True, kw_only=True):
    """Cleans what comes through the input audio buffer before the detector and the model hear it.

    Open: what the service does. Here a spectral gate: steady noise becomes up to 12 dB softer for ``near_field`` (a
    headset), 20 dB for ``far_field`` (a microphone in the room). The item keeps the sound as it came.
    """

    type: Literal["near_field", "far_field"]
    strength: Annotated[float, Meta(ge=0, le=1)] | None = None
    """The share of that effect, in dB; 1 by default."""


class AudioInput(Value, frozen=True, kw_only=True):
    """How the session hears."""

    format: AudioFormat = always(Pcm())
    transcription: Transcription | None = always(None)
    noise_reduction: NoiseReduction | None = always(None)
    """Null leaves the sound as it is."""
    turn_detection: TurnDetection | None = always(ServerVad())


# ---------------------------------------------------------------- what is said
class VoiceId(Value, frozen=True, kw_only=True):
    """A custom voice."""

    id: str


Voice = str | VoiceId


class AudioOutput(Value, frozen=True, kw_only=True):
    """How the session speaks."""

    format: AudioFormat = always(Pcm())
    voice: Voice = always("alloy")
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] = always(1.0)


class Audio(Value, frozen=True, kw_only=True):
    """Ears and mouth of a session."""

    input: AudioInput = always(AudioInput())
    output: AudioOutput = always(AudioOutput())


class TranscriptionAudio(Value, frozen=True, kw_only=True):
    """A transcription session only has ears."""

    input: AudioInput = always(AudioInput())


# ---------------------------------------------------------------- how it thinks
class TokenLimits(Value, frozen=True, kw_only=True):
    """A cap on what is read, apart from the model's window."""

    post_instructions: Annotated[int, Meta(ge=0)] | None = None
    """Tokens of the conversation, instructions and tools not counted."""


class RetentionRatio(Value, tag="retention_ratio", frozen=True, kw_only=True):
    """Drop more than needed at once, so that the next turns keep a prefix the cache knows."""

    retention_ratio: Annotated[float, Meta(ge=0, le=1)]
    """What is kept of the limit when it is passed, 0 to 1."""
    token_limits: TokenLimits | None = None


Truncation = Literal["auto", "disabled"] | RetentionRatio


class Tracing(Value, frozen=True, kw_only=True):
    """Names under which the service files a trace; kept and echoed here."""

    workflow_name: str | None = None
    group_id: str | None = None
    metadata: dict[str, Any] | None = None


class Prompt(Value, frozen=True, kw_only=True):
    """A prompt stored at the service; echoed here, where none are stored."""

    id: str
    version: str | None = None
    variables: dict[str, Any] | None = None


class Reasoning(Value, frozen=True, kw_only=True):
    """For reasoning models only."""

    effort: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


Modalities = tuple[Literal["text", "audio"], ...]
MaxTokens = Annotated[int, Meta(ge=1, le=4096)] | Literal["inf"]
Include = tuple[Literal["item.input_audio_transcription.logprobs"], ...]


class Session(Value, tag="realtime", frozen=True, kw_only=True):
    """A session that talks, whole: what ``session.created`` and ``session.updated`` carry."""

    object: Literal["realtime.session"] = always("realtime.session")
    """Always the same; the client may not set it."""
    id: str = always("")
    model: str = always("gpt-realtime-mini")
    """As the connection asked for it; an update does not change it. :attr:`brain` says what answers."""
    output_modalities: Modalities = always(("audio",))
    """``("audio",)`` or ``("text",)``, never both; sound always has a transcript."""
    instructions: str = always("")
    tools: tuple[Tool, ...] = always(())
    tool_choice: ToolChoice = always("auto")
    max_output_tokens: MaxTokens = always("inf")
    tracing: Literal["auto"] | Tracing | None = always(None)
    truncation: Truncation = always("auto")
    """What goes when the context is too long; ``disabled`` makes the response fail."""
    prompt: Prompt | None = always(None)
    expires_at: int = always(0)
    """Unix time in seconds."""
    include: Include | None = always(None)
    audio: Audio = always(Audio())
    reasoning: Reasoning | None = None
    parallel_tool_calls: bool | None = None
    """For reasoning models only; kept and echoed. Several calls in one response are possible in any case."""
    brain: str | None = None
    """Ours, not the service's: which models really answer. Clients ignore unknown fields."""


class TranscriptionSession(Value, tag="transcription", frozen=True, kw_only=True):
    """A session that only writes down what it hears (protocol, 3.8)."""

    object: Literal["realtime.transcription_session"] = always("realtime.transcription_session")
    id: str = always("")
    expires_at: int = always(0)
    audio: TranscriptionAudio = always(TranscriptionAudio())
    include: Include | None = always(None)
    brain: str | None = None


AnySession = Session | TranscriptionSession

_KINDS: dict[str, type[AnySession]] = {"realtime": Session, "transcription": TranscriptionSession}
_READ_ONLY = ("object", "id", "expires_at", "brain")


# ---------------------------------------------------------------- updates
def merge(session: AnySession, update: Mapping[str, Any]) -> AnySession:
    """Apply ``session.update``: present fields change, or nothing does.

    Below ``audio``, objects are merged field by field; an object whose ``type`` differs
    from the one it meets replaces it (so that no ``threshold`` stays in a ``semantic_vad``).
    All else is replaced. ``model`` is ignored: it cannot change, and stock clients send it.
    A null where null is no value means *absent*.

    Parameters
    ----------
    session : Session or TranscriptionSession
        What was in force.
    update : Mapping[str, Any]
        The event's ``session``, as JSON values.

    Returns
    -------
    Session or TranscriptionSession
        What is in force now.

    Raises
    ------
    EventError
        When any field is wrong; the whole update is refused.

    Examples
    --------
    >>> merge(Session(), {"type": "realtime", "audio": {"input": {"turn_detection": None}}}).audio.input.turn_detection
    >>> merge(Session(), {"type": "realtime", "bogus_field": 1})
    Traceback (most recent call last):
    realtime_nb.protocol.faults.EventError: Unknown parameter: 'session.bogus_field'.
    """
    kind = type(session)
    _check_kind(kind, update)
    given = without_nulls({name: value for name, value in update.items() if name != "model"}, kind)
    if alien := next((name for name in _READ_ONLY if name in given), None):
        raise fault("unknown_parameter", param=f"session.{alien}")
    raw = msgspec.to_builtins(session)
    audio = _merged(raw["audio"], given["audio"]) if "audio" in given else raw["audio"]
    merged = to_struct({**raw, **given, "audio": audio}, kind, "session")
    refuse_unknown(given, merged, "session")
    _check_rules(merged)
    return merged


def _check_kind(kind: type[AnySession], update: Mapping[str, Any]) -> None:
    given = update.get("type")
    if given is None:
        raise fault("missing_parameter", param="session.type")
    if not isinstance(given, str) or given not in _KINDS:
        raise fault("unsupported_value", param="session.type", value=given, supported="'realtime', 'transcription'")
    if _KINDS[given] is not kind:
        kept = next(name for name, known in _KINDS.items() if known is kind)
        raise fault("wrong_session", given=given, kept=kept)


def _merged(base: Any, update: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(update, dict):
        return update
    if update.get("type", base.get("type")) != base.get("type"):
        return update
    return {**base, **{name: _merged(base.get(name), value) for name, value in update.items()}}


_MANUAL_ONLY = ("gpt-realtime-whisper", "gpt-live-transcribe")


def _check_rules(session: AnySession) -> None:
    heard = session.audio.input
    if heard.transcription and heard.turn_detection and heard.transcription.model in _MANUAL_ONLY:
        raise fault("manual_turns_only", model=heard.transcription.model)
    if isinstance(session, Session):
        check_modalities(session.output_modalities, "session.output_modalities")
        check_servers(session.tools, "session.tools")


def shown(session: AnySession) -> AnySession:
    """Give the session as it is echoed: what opens an MCP server is not told again.

    Parameters
    ----------
    session : Session or TranscriptionSession
        With its secrets.

    Returns
    -------
    Session or TranscriptionSession
        Without.
    """
    return replace(session, tools=same_but_shown(session.tools)) if isinstance(session, Session) else session


def check_modalities(given: Modalities, param: str) -> None:
    """Refuse anything but text alone or sound alone.

    Parameters
    ----------
    given : tuple of str
        What was asked for.
    param : str
        Where it was asked for.

    Raises
    ------
    EventError
        For none, both, or one twice.
    """
    if len(given) != 1:
        raise fault("modalities", param=param, value=list(given))


def voice_name(voice: Voice) -> str:
    """Give a voice's name, or a custom voice's id.

    Parameters
    ----------
    voice : str or VoiceId
        As the session has it.

    Returns
    -------
    str
        What a speech engine is asked for.
    """
    return voice.id if isinstance(voice, VoiceId) else voice
