"""What a notebook calls a sound."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import IPython.display
import numpy as np
import pytest

from realtime_nb.audio import Audio
from realtime_nb.audio.coerce import is_audio_like
from realtime_nb.errors import AudioError

DATA = Path(__file__).parents[1] / "data"
SPEECH = DATA / "goforward.wav"


def recorder(data: bytes) -> SimpleNamespace:
    """Stand in for ipywebrtc's AudioRecorder."""
    return SimpleNamespace(audio=SimpleNamespace(value=data))


def test_a_clip_is_itself() -> None:
    """Coercing twice is coercing once."""
    clip = Audio.silence(0.1)
    assert Audio.coerce(clip) is clip


def test_every_face_of_a_file_is_the_same_sound() -> None:
    """A path as text or Path, bytes, an open file, IPython's Audio and a recorder give one clip."""
    data = SPEECH.read_bytes()
    faces = [str(SPEECH), SPEECH, data, io.BytesIO(data), IPython.display.Audio(filename=str(SPEECH)), recorder(data)]
    assert {Audio.coerce(face) for face in faces} == {Audio.read(SPEECH)}


def test_a_recorders_webm_is_read() -> None:
    """What ipywebrtc's AudioRecorder holds in Chromium is WebM/Opus."""
    assert Audio.coerce(recorder((DATA / "goforward.webm").read_bytes())).duration_s == pytest.approx(2.76, abs=0.1)


def test_ipywidgets_audio_is_read() -> None:
    """The widget that plays a file holds its bytes."""
    ipywidgets = pytest.importorskip("ipywidgets")
    assert Audio.coerce(ipywidgets.Audio.from_file(str(SPEECH))) == Audio.read(SPEECH)


def test_an_array_with_its_rate_is_a_sound() -> None:
    """(array, rate) says all that is needed."""
    assert Audio.coerce((np.zeros(8_000), 8_000)) == Audio.silence(1, 8_000)


def test_an_array_without_its_rate_is_refused_in_the_callers_name() -> None:
    """The message is the house's: fact, rule, and a line that runs."""
    with pytest.raises(AudioError) as caught:
        Audio.coerce(np.zeros(48_000), caller="say()")
    assert str(caught.value) == (
        "say() got an array of shape (48000,) without its sample rate, and will not guess: "
        "a wrong rate plays too fast or too slow.\n  Try: rt.Audio.from_array(x, rate=48_000)"
    )


def test_a_pair_with_the_rate_first_is_turned_round_by_the_hint() -> None:
    """(rate, array) is another library's order; it is not guessed, but named."""
    with pytest.raises(AudioError, match="rate first") as caught:
        Audio.coerce((44_100, np.zeros(10)))
    assert caught.value.hint == "rt.Audio.from_array(x, rate=44100)"


def test_an_empty_recorder_says_when_its_sound_comes() -> None:
    """Before its first recording has ended, the widget holds no bytes."""
    with pytest.raises(AudioError, match=r"nothing recorded.*in a later cell"):
        Audio.coerce(recorder(b""))


def test_ipythons_link_is_not_followed() -> None:
    """A display object with only a URL is refused: nothing is fetched."""
    with pytest.raises(AudioError, match="only a link"):
        Audio.coerce(IPython.display.Audio(url="https://example.org/a.wav"))


@pytest.mark.parametrize("obj", [None, 3, object(), {"audio": 1}, [0.1, 0.2], (1, 2), np.zeros((4, 4, 3), np.uint8)])
def test_what_is_no_sound_is_named(obj: object) -> None:
    """Anything else is refused by its type."""
    with pytest.raises(AudioError, match=f"got a {type(obj).__name__}, which is no sound"):
        Audio.coerce(obj)


def test_ipython_can_be_given_a_clip() -> None:
    """to_display() plays the same samples, and can start at once."""
    clip = Audio.read(SPEECH)
    shown = clip.to_display(autoplay=True)
    assert shown.autoplay
    assert Audio.coerce(shown) == clip


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (Audio.silence(0.1), True),
        (Path("a.WAV"), True),
        (recorder(b""), True),
        (np.zeros(4, np.float32), True),
        ((np.zeros(4), 8_000), True),
        (Path("a.png"), False),
        ("a.wav", False),
        (b"RIFF\0\0\0\0WAVE", True),
        (b"RIFF\0\0\0\0WEBP", False),
        (b"fLaC", True),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"words", False),
        (np.zeros((4, 4, 3), np.uint8), False),
        (SimpleNamespace(image=SimpleNamespace(value=b"")), False),
        (None, False),
    ],
)
def test_a_sound_is_told_from_a_picture_and_from_text(obj: object, expected: bool) -> None:
    """A message's part is a sound by its kind, its suffix or its signature; text is text."""
    assert is_audio_like(obj) is expected
