"""What ``say`` is given, sorted: words, clips and pictures into one message, and at most one live stream."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime_nb.errors import AudioError, ConfigError
from realtime_nb.models import ModelCard
from realtime_nb.protocol.items import InputAudio, InputImage, InputText, Message, Part
from realtime_nb.protocol.usage import audio_in_tokens

if TYPE_CHECKING:
    from realtime_nb.audio import Audio
    from realtime_nb.images import Image
    from realtime_nb.usage import Tokens

__all__ = ["MAX_CLIP_BYTES", "Said", "sort_parts"]

MAX_CLIP_BYTES = 11 * 1024 * 1024
"""In base64 just under the 15 MiB one event may carry (protocol, 1.1): 4 minutes of PCM."""
MAX_IMAGE_BYTES = 4_000_000
"""Larger pictures are sent as smaller JPEGs: the model looks at 2048 pixels at most."""
_SOUNDS = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".webm", ".aif", ".aiff", ".au", ".caf")
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
_KINDS = (
    "text, an Audio, a sound or picture file's path, a figure, a PIL image, a uint8 array, "
    "or a generator of sound chunks"
)
_CHARS_PER_TOKEN = 3.0
"""Of text, for an estimate from above: English has about four characters a token."""


@dataclass(frozen=True)
class Said:
    """What the user says in one turn.

    Parameters
    ----------
    content : tuple of Part
        Of one user message; empty when everything is live.
    clips : tuple of Audio
        The sounds in it.
    pictures : tuple of Image
        The pictures in it.
    live : object, optional
        A generator of chunks, sent while it comes.
    rate : int, optional
        Samples per second of the live chunks that do not say.
    home : asyncio.AbstractEventLoop, optional
        The loop an async generator belongs to.
    """

    content: tuple[Part, ...] = ()
    clips: tuple[Audio, ...] = ()
    pictures: tuple[Image, ...] = ()
    live: Any = None
    rate: int | None = None
    home: asyncio.AbstractEventLoop | None = None

    @property
    def message(self) -> Message | None:
        """The user's message; None when there is none."""
        return Message(role="user", content=self.content) if self.content else None

    def tokens(self) -> Tokens:
        """About how much input this is."""
        from realtime_nb.usage import Tokens

        letters = sum(len(part.text) for part in self.content if isinstance(part, InputText))
        return Tokens(
            text=int(letters / _CHARS_PER_TOKEN) + 12 * bool(self.content),
            audio=sum(audio_in_tokens(clip.duration_s * 1000) for clip in self.clips),
            image=sum(picture.tokens() for picture in self.pictures),
        )


def sort_parts(
    parts: Sequence[Any],
    card: ModelCard,
    *,
    format: str = "audio/pcm",
    rate: int | None = None,
    home: asyncio.AbstractEventLoop | None = None,
) -> Said:
    """Sort what ``say`` was given.

    Parameters
    ----------
    parts : sequence
        In the order in which they are to stand in the message.
    card : ModelCard
        Asked whether the model hears or sees such a thing.
    format : str
        The session's input format.
    rate : int, optional
        Samples per second of arrays that do not say.
    home : asyncio.AbstractEventLoop, optional
        The loop an async generator belongs to; None: the session's, where the caller's stands still meanwhile.

    Returns
    -------
    Said
        Ready to be sent.

    Raises
    ------
    ConfigError
        Nothing, empty text, two streams, or a part of an unknown kind.
    AudioError, ImageError
        A sound or picture is not what it must be.
    Unsupported
        The card says no.
    """
    if not parts:
        raise ConfigError(f"say() got nothing to say: it takes {_KINDS}", hint='session.say("Hello.")')
    sorter = _Sorter(card, format, rate, home)
    for part in parts:
        sorter.take(part)
    return sorter.said()


class _Sorter:
    def __init__(self, card: ModelCard, format: str, rate: int | None, home: asyncio.AbstractEventLoop | None) -> None:
        self._card = card
        self._format = format
        self._rate = rate
        self._home = home
        self._content: list[Part] = []
        self._clips: list[Audio] = []
        self._pictures: list[Image] = []
        self._live: Any = None

    def said(self) -> Said:
        return Said(tuple(self._content), tuple(self._clips), tuple(self._pictures), self._live, self._rate, self._home)

    def take(self, part: Any) -> None:
        for is_kind, name in _TABLE:
            if is_kind(part):
                getattr(self, name)(part)
                return
        raise ConfigError(
            f"say() got a {type(part).__name__}, which it cannot send: it takes {_KINDS}",
            hint="session.say(str(part))",
        )

    def words(self, text: str) -> None:
        if not text.strip():
            raise ConfigError("say() got an empty text: there is nothing to answer", hint='session.say("Hello.")')
        self._card.require("text input")
        self._content.append(InputText(text=text))

    def clip(self, part: Any) -> None:
        self._card.require("audio input")
        self._add_clip(_clip(part, self._rate))

    def _add_clip(self, sound: Audio) -> None:
        if not sound:
            raise AudioError("say() got a sound of no duration", hint='session.say(rt.Audio.read("question.wav"))')
        data = sound.to_wire(self._format)
        if len(data) > MAX_CLIP_BYTES:
            raise AudioError(
                f"say() got {sound.duration_s / 60:.1f} minutes of sound in one piece, more than one event may carry: "
                "stream it instead",
                hint="session.say(clip.chunks())",
            )
        self._clips.append(sound)
        self._content.append(InputAudio(audio=data))

    def picture(self, part: Any) -> None:
        from realtime_nb.images import Image

        self._card.require("image input")
        image = Image.coerce(part, max_bytes=MAX_IMAGE_BYTES, caller="say()")
        self._pictures.append(image)
        self._content.append(InputImage(image_url=image.data_url))

    def stream(self, part: Any) -> None:
        if self._live is not None:
            raise ConfigError(
                "say() got two generators of sound: one voice speaks at a time", hint="session.say(chunks)"
            )
        self._card.require("audio input")
        self._live = part


def _clip(part: Any, rate: int | None) -> Audio:
    from realtime_nb.audio import Audio

    if rate is not None and hasattr(part, "__array__"):
        return Audio.from_array(part, rate=rate)
    return Audio.coerce(part, caller="say()")


def _is_file_of(suffixes: tuple[str, ...]) -> Callable[[Any], bool]:
    """Whether a part is the path of such a file; a text is, when it exists or cannot be a sentence."""

    def check(part: Any) -> bool:
        if isinstance(part, os.PathLike):
            return str(part).lower().endswith(suffixes)
        if not isinstance(part, str) or not part.lower().endswith(suffixes):
            return False
        return re.search(r"\s", part) is None or _exists(part)

    return check


def _exists(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or a NUL in it: a sentence
        return False


def _is_sound(part: Any) -> bool:
    from realtime_nb.audio.coerce import is_audio_like

    return is_audio_like(part) and not _is_picture(part)


def _is_picture(part: Any) -> bool:
    from realtime_nb.images import is_image_like

    return is_image_like(part)


def _is_stream(part: Any) -> bool:
    return (hasattr(part, "__next__") or hasattr(part, "__anext__")) and not hasattr(part, "read")


_TABLE: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (_is_file_of(_SOUNDS), "clip"),
    (_is_file_of(_PICTURES), "picture"),
    (_is_stream, "stream"),
    (_is_picture, "picture"),
    (lambda part: isinstance(part, str), "words"),
    (_is_sound, "clip"),
)
"""Kinds of parts, tried in order, and the sorter's method that takes them."""
