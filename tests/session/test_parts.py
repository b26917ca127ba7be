"""What say() is given, sorted into one message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image as PilImage

import realtime_nb as rt
from realtime_nb.errors import AudioError, ConfigError, ImageError, RealtimeError, Unsupported
from realtime_nb.protocol.items import InputAudio, InputImage, InputText
from realtime_nb.session.parts import Said, sort_parts

CARD = rt.model("gpt-realtime-mini")
TONE = rt.Audio.tone(440, 0.2)


def said(*parts: Any, **options: Any) -> Said:
    """Sort with the default card."""
    return sort_parts(parts, CARD, **options)


def kinds(*parts: Any, **options: Any) -> list[type]:
    """The kinds of the message's parts."""
    return [type(part) for part in said(*parts, **options).content]


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """A sound file."""
    return TONE.save(tmp_path / "a question.wav")


@pytest.fixture
def png(tmp_path: Path) -> Path:
    """A picture file."""
    PilImage.new("RGB", (8, 8)).save(tmp_path / "fig.png")
    return tmp_path / "fig.png"


def test_words_are_text() -> None:
    """A sentence is text, also when it speaks of a file."""
    sentence = "What is in question.wav, and in fig.png"
    assert kinds("Hello.", sentence, "Play a.wav please") == [InputText] * 3


def test_sounds_of_every_kind_are_clips(wav: Path) -> None:
    """Audio, paths as Path and as text, (array, rate), IPython's Audio and recorders."""
    from IPython.display import Audio as Player

    recorder = SimpleNamespace(audio=SimpleNamespace(value=wav.read_bytes()))
    parts = [TONE, wav, str(wav), (TONE.samples, TONE.rate), Player(filename=str(wav)), recorder]
    assert kinds(*parts) == [InputAudio] * len(parts)


def test_pictures_of_every_kind_are_images(png: Path) -> None:
    """Figures, PIL images, uint8 arrays, paths, IPython's Image, widgets and data URLs."""
    from IPython.display import Image as Shown
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1, 1))
    recorder = SimpleNamespace(image=SimpleNamespace(value=png.read_bytes()))
    image = rt.Image.read(png)
    parts = [
        figure,
        PilImage.new("RGB", (4, 4)),
        np.zeros((4, 4, 3), np.uint8),
        png,
        str(png),
        Shown(filename=str(png)),
    ]
    parts += [recorder, image, image.data_url]
    assert kinds(*parts) == [InputImage] * len(parts)


def test_an_array_with_a_rate_is_sound() -> None:
    """rate= says what an array of samples is."""
    sorted_ = said(TONE.samples, rate=TONE.rate)
    assert sorted_.clips == (TONE,)


def test_a_clip_is_sent_in_the_sessions_format() -> None:
    """24 kHz PCM, or G.711 at 8 kHz."""
    clip = rt.Audio.tone(440, 0.2, rate=48_000)
    for wire, size in (("audio/pcm", 9600), ("audio/pcmu", 1600)):
        (part,) = said(clip, format=wire).content
        assert isinstance(part, InputAudio)
        assert part.audio is not None
        assert len(part.audio) == size


def test_generators_are_live() -> None:
    """Plain and async generators are streamed; one at a time."""

    async def chunks() -> AsyncIterator[rt.Audio]:
        yield TONE

    plain = TONE.chunks(0.05)
    assert said("Listen:", plain).live is plain
    assert said(chunks()).message is None
    with pytest.raises(ConfigError, match="one voice"):
        said(plain, chunks())


@pytest.mark.parametrize(
    ("part", "kind", "words"),
    [
        ("", ConfigError, "empty text"),
        (None, ConfigError, "NoneType"),
        (["Hello."], ConfigError, "a list"),
        (np.zeros(480), AudioError, "without its sample rate"),
        (np.full(480, np.nan), AudioError, "without its sample rate"),
        ("missing.wav", AudioError, "missing.wav"),
        ("missing.png", ImageError, "missing.png"),
        (Path("missing.flac"), AudioError, "missing.flac"),
        (rt.Audio.silence(60 * 10), AudioError, "minutes"),
    ],
)
def test_what_cannot_be_sent_is_refused(part: Any, kind: type[RealtimeError], words: str) -> None:
    """Each wrong part is an error of its kind, with a line that mends it."""
    with pytest.raises(kind, match=words) as caught:
        said("Hello.", part)
    assert caught.value.hint


def test_nan_is_refused_when_the_rate_is_known() -> None:
    """Samples that are no numbers are no sound."""
    with pytest.raises(AudioError):
        said(np.full(480, np.nan), rate=24_000)


def test_the_card_is_asked() -> None:
    """A model that does not see refuses a picture, quoting its card."""
    import msgspec

    blind = msgspec.structs.replace(CARD, input_modalities=("text", "audio"))
    with pytest.raises(Unsupported, match="no image input"):
        sort_parts([np.zeros((4, 4), np.uint8)], blind)


def test_the_estimate_counts_every_kind() -> None:
    """Words, seconds and pictures add to the input that is expected."""
    tokens = said("Hello.", TONE, np.zeros((512, 512, 3), np.uint8)).tokens()
    assert tokens.text > 0
    assert tokens.audio == 2
    assert tokens.image == 255
