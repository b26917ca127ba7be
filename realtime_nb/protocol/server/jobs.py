"""One response under way: what it was told, where it is, what it reads and has written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

import msgspec

from realtime_nb.protocol.base import replace
from realtime_nb.protocol.context import Context, cached_split
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.effects import Generated, GenerateRequest, PromptRead
from realtime_nb.protocol.events import (
    Response,
    ResponseAudio,
    ResponseAudioOutput,
    ResponseParams,
    StatusDetails,
)
from realtime_nb.protocol.formats import AudioFormat
from realtime_nb.protocol.items import InputAudio, Item, Message, Part
from realtime_nb.protocol.response import State as Stage
from realtime_nb.protocol.response import Step, advance, status
from realtime_nb.protocol.session_config import MaxTokens, Modalities, Session, Voice, voice_name
from realtime_nb.protocol.tools import BrainChoice, FunctionTool, Tool, ToolChoice
from realtime_nb.protocol.usage import Usage

from .output import Output

__all__ = ["Config", "Job", "Origin", "configure"]

Origin = Literal["client", "turn", "quiet"]
"""Who wanted a response: the client, the end of a turn, or nobody's saying anything."""

T = TypeVar("T")


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """What a response was told when it began; the session may change meanwhile, this does not."""

    output_modalities: Modalities
    instructions: str
    tools: tuple[Tool, ...]
    tool_choice: ToolChoice
    max_output_tokens: MaxTokens
    format: AudioFormat
    voice: Voice
    speed: float
    metadata: dict[str, str] | None
    in_conversation: bool
    brings_tools: bool
    """It has tools of its own, and waits until their servers have told them."""


def configure(session: Session, params: ResponseParams) -> Config:
    """Settle what a response does: its own words first, else the session's.

    Parameters
    ----------
    session : Session
        As it is now.
    params : ResponseParams
        The overrides.

    Returns
    -------
    Config
        What holds until the response is done.
    """
    kept = session.audio.output
    own = (params.audio.output if params.audio else None) or ResponseAudioOutput()
    return Config(
        output_modalities=_either(params.output_modalities, session.output_modalities),
        instructions=_either(params.instructions, session.instructions),
        tools=_either(params.tools, session.tools),
        tool_choice=_either(params.tool_choice, session.tool_choice),
        max_output_tokens=_either(params.max_output_tokens, session.max_output_tokens),
        format=_either(own.format, kept.format),
        voice=_either(own.voice, kept.voice),
        speed=kept.speed,
        metadata=params.metadata,
        in_conversation=params.conversation != "none",
        brings_tools=params.tools is not None,
    )


def _either(given: T | None, kept: T) -> T:
    return kept if given is None else given


class Job:
    """A response under way.

    Parameters
    ----------
    id : str
        Its name.
    config : Config
        What it was told.
    origin : Origin
        Who wanted it.
    source : Conversation
        What it reads from: the conversation, or its own ``input``.
    context : Context
        What it reads.
    output : Output
        What it writes.
    """

    def __init__(
        self, id: str, config: Config, *, origin: Origin, source: Conversation, context: Context, output: Output
    ) -> None:
        self.id = id
        self.config = config
        self.origin = origin
        self.source = source
        self.context = context
        self.output = output
        self.stage = Stage.WAITING
        self.generated: Generated | None = None
        """The brain's own report, once it is done."""
        self.read: PromptRead | None = None
        """What it has read, where it says so before."""
        self.reserved = 0
        """Tokens taken from the rate limit."""

    def step(self, step: Step) -> Stage:
        """Go where the table says; raises where it says nothing."""
        self.stage = advance(self.stage, step)
        return self.stage

    def limit(self, most: int) -> int:
        """Tokens it may write, where ``inf`` means `most`."""
        wanted = self.config.max_output_tokens
        return most if wanted == "inf" else min(wanted, most)

    def request(
        self, words: Mapping[str, str], tools: tuple[FunctionTool, ...], choice: BrainChoice, most: int
    ) -> GenerateRequest:
        """Make what the brain is asked, from what was heard by now.

        Parameters
        ----------
        words : Mapping[str, str]
            What was said in the items with sound.
        tools : tuple of FunctionTool
            What it may call.
        choice : BrainChoice
            What of them it must call.
        most : int
            Tokens that any response may write.

        Returns
        -------
        GenerateRequest
            Items deleted meanwhile are left out; those cut meanwhile are read as they are now.
        """
        config = self.config
        listed = [self.source[name] for name in self.context.ids if name in self.source]
        return GenerateRequest(
            instructions=config.instructions,
            items=tuple(heard for item in listed if (heard := _heard(item, words)) is not None),
            tools=tools,
            tool_choice=choice,
            output_modalities=config.output_modalities,
            voice=voice_name(config.voice),
            speed=config.speed,
            max_output_tokens=None if config.max_output_tokens == "inf" else self.limit(most),
            format=config.format,
        )

    def resource(self, details: StatusDetails | None = None, usage: Usage | None = None) -> Response:
        """Describe the response as it is now.

        Parameters
        ----------
        details : StatusDetails, optional
            Why it did not complete.
        usage : Usage, optional
            What it used, once it is over.

        Returns
        -------
        Response
            What ``response.created`` and ``response.done`` carry.
        """
        config = self.config
        return Response(
            id=self.id,
            status=status(self.stage),
            status_details=details,
            output=tuple(self.output.items),
            conversation_id=self.output.state.conversation.id if config.in_conversation else None,
            output_modalities=config.output_modalities,
            max_output_tokens=config.max_output_tokens,
            audio=ResponseAudio(output=ResponseAudioOutput(format=config.format, voice=config.voice)),
            usage=usage,
            metadata=config.metadata,
        )

    def usage(self) -> Usage:
        """Count what it used.

        Returns
        -------
        Usage
            With all sub-fields. Of what was cut before the brain had read, nothing counts as cached.
        """
        told = self.generated or Generated(self.id, "stop")
        source = self.generated or self.read or told
        read = cached_split(self.context, source.prompt_tokens, source.cached_tokens)
        cut = told.reason == "length" and "audio" in self.config.output_modalities
        wrote = self.output.tokens(0 if cut else told.output_text_tokens)  # words never spoken are not counted
        input_tokens = read.text_tokens + read.audio_tokens + read.image_tokens
        output_tokens = wrote.text_tokens + wrote.audio_tokens
        return Usage(
            total_tokens=input_tokens + output_tokens,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            input_token_details=read,
            output_token_details=wrote,
        )


def _heard(item: Item, words: Mapping[str, str]) -> Item | None:
    """The item with what was said in it; None when that is nothing."""
    if not isinstance(item, Message) or not any(isinstance(part, InputAudio) for part in item.content):
        return item
    said = words.get(item.id, "")
    others: list[Part] = [part for part in item.content if not isinstance(part, InputAudio)]
    if not said:
        return replace(item, content=tuple(others)) if others else None
    first = next(i for i, part in enumerate(item.content) if isinstance(part, InputAudio))
    others.insert(first, InputAudio(transcript=said))
    return replace(item, content=tuple(others))
