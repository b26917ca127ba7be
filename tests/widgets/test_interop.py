"""ipywebrtc's widgets wherever a sound or a picture is: with their traits filled as JupyterLab fills them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb import recorders
from realtime_nb.audio.coerce import is_audio_like
from realtime_nb.errors import AudioError, ConfigError, ImageError
from realtime_nb.images import is_image_like
from realtime_nb.magics.tap import Basket
from realtime_nb.testing.server import Reply, ScriptedServer

webrtc = pytest.importorskip("ipywebrtc", reason="these are ipywebrtc's widgets: pip install '.[lab]'")
widgets = pytest.importorskip("ipywidgets")

DATA = Path(__file__).parents[1] / "data"
WAV, WEBM = DATA / "goforward.wav", DATA / "goforward.webm"
MICROPHONE = {"audio": True, "video": False}


@pytest.fixture(scope="module")
def png() -> bytes:
    """A picture's file."""
    import numpy as np

    return rt.Image.from_array(np.full((4, 6, 3), 200, np.uint8)).data


def audio_recorder(**traits: Any) -> Any:
    """A recorder on a microphone."""
    return webrtc.AudioRecorder(stream=webrtc.CameraStream(constraints=MICROPHONE), **traits)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A scripted server."""
    with ScriptedServer() as server:
        yield server


def test_what_was_recorded_is_said(server: ScriptedServer, png: bytes) -> None:
    """say() takes a sound recorder, a picture recorder and a file's stream together, in their order."""
    server.add(Reply("Heard and seen."))
    voice, photo = audio_recorder(), webrtc.ImageRecorder(stream=webrtc.CameraStream())
    voice.audio.value, photo.image.value = WEBM.read_bytes(), png
    with rt.connect(server.url) as session:
        session.say("Look:", photo, voice, webrtc.AudioStream.from_file(str(WAV)))
    (created,) = server.of_type("conversation.item.create")
    kinds = [part["type"] for part in created["item"]["content"]]
    assert kinds == ["input_text", "input_image", "input_audio", "input_audio"]


def test_every_holder_of_a_sound_gives_it() -> None:
    """AudioRecorder, VideoRecorder (its sound), AudioStream and VideoStream of a file: one clip each."""
    voice, film = audio_recorder(), webrtc.VideoRecorder(stream=webrtc.CameraStream())
    voice.audio.value = film.video.value = WEBM.read_bytes()
    stream = webrtc.VideoStream(video=widgets.Video(value=WEBM.read_bytes(), format="webm"))
    for holder in (voice, film, stream):
        assert is_audio_like(holder)
        assert not is_image_like(holder)
        assert rt.Audio.coerce(holder).duration_s == pytest.approx(2.76, abs=0.1)
    assert rt.Audio.coerce(webrtc.AudioStream.from_file(str(WAV))) == rt.Audio.read(WAV)


def test_every_holder_of_a_picture_gives_it(png: bytes) -> None:
    """ImageRecorder and ImageStream of a file: one picture each."""
    photo = webrtc.ImageRecorder(stream=webrtc.CameraStream())
    photo.image.value = png
    for holder in (photo, webrtc.ImageStream(image=widgets.Image(value=png))):
        assert is_image_like(holder)
        assert not is_audio_like(holder)
        assert rt.Image.coerce(holder).data == png


def test_while_it_records_it_says_how_to_end_it() -> None:
    """The bytes come when recording ends: the line that ends it is the hint."""
    with pytest.raises(AudioError, match=r"say\(\) got a AudioRecorder that is still recording") as caught:
        rt.Audio.coerce(audio_recorder(recording=True), caller="say()")
    assert caught.value.hint == "recorder.recording = False"


def test_a_stream_with_a_picture_cannot_be_recorded_as_sound_alone() -> None:
    """Browsers refuse that, the widget stays empty, and the error has the stream that works."""
    empty = webrtc.AudioRecorder(stream=webrtc.CameraStream(constraints={"audio": True, "video": True}))
    with pytest.raises(AudioError, match="no sound alone from a stream that has a picture") as caught:
        rt.Audio.coerce(empty)
    recorder = empty
    exec(caught.value.hint or "", {"recorder": recorder, "ipywebrtc": webrtc})  # noqa: S102 - our own hint runs
    with pytest.raises(AudioError, match="in a later cell"):
        rt.Audio.coerce(recorder)


def test_an_empty_picture_recorder_says_when_its_picture_comes() -> None:
    """It is taken in the page, and is in the kernel a cell later."""
    with pytest.raises(ImageError, match=r"no picture yet.*in a later cell") as caught:
        rt.Image.coerce(webrtc.ImageRecorder(stream=webrtc.CameraStream()))
    assert (caught.value.hint or "").startswith("recorder.recording = True")


@pytest.mark.parametrize(
    ("stream", "error", "recorder"),
    [
        (webrtc.CameraStream, ImageError, "ImageRecorder"),
        (lambda: webrtc.CameraStream.facing_user(audio=False), ImageError, "ImageRecorder"),
        (lambda: webrtc.CameraStream(constraints=MICROPHONE), AudioError, "AudioRecorder"),
        (lambda: webrtc.WidgetStream(widget=widgets.Label("x")), ImageError, "ImageRecorder"),
    ],
)
def test_a_stream_itself_is_no_sound_and_no_picture(
    server: ScriptedServer, stream: Any, error: type[Exception], recorder: str
) -> None:
    """Where no page can be asked in the middle of a cell, say(camera) has the line of the recorder that takes one."""
    flow = stream()
    with rt.connect(server.url) as session, pytest.raises(error, match=r"say\(\) got a .* holds no") as caught:
        session.say(flow)
    made: dict[str, Any] = {"stream": flow, "ipywebrtc": webrtc}
    exec(caught.value.hint or "", made)  # type: ignore[attr-defined]  # noqa: S102 - our own hint runs
    assert type(made["recorder"]).__name__ == recorder


class Page:
    """A page that takes the picture a recorder asks for, on a thread of its own; with none it takes nothing."""

    def __init__(self, picture: bytes) -> None:
        self.picture = picture
        self.recorders: list[Any] = []

    def recorder(self, **traits: Any) -> Any:
        """An ImageRecorder that this page shows."""
        made = webrtc.ImageRecorder(**traits)
        made.observe(lambda _: threading.Thread(target=self._take, args=(made,)).start(), "recording")
        self.recorders.append(made)
        return made

    def _take(self, made: Any) -> None:
        if self.picture:
            made.image.value = self.picture


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, png: bytes) -> Page:
    """A page, and a kernel that hears it while a cell runs."""
    page = Page(png)
    streams = SimpleNamespace(ImageRecorder=page.recorder)
    monkeypatch.setattr(recorders, "hears_meanwhile", lambda _comm: True)
    monkeypatch.setitem(sys.modules, "ipywebrtc", streams)
    return page


def test_a_camera_is_a_picture_of_now(server: ScriptedServer, page: Page) -> None:
    """say(camera) takes a picture in the page and sends it; the recorder that took it goes again."""
    server.add(Reply("A desk."))
    with rt.connect(server.url) as session:
        session.say("What do you see?", webrtc.CameraStream())
    (created,) = server.of_type("conversation.item.create")
    assert [part["type"] for part in created["item"]["content"]] == ["input_text", "input_image"]
    (recorder,) = page.recorders
    assert (recorder.comm, recorder.image.comm) == (None, None)


def test_a_camera_that_gives_nothing_is_told(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that was not allowed to look is waited for, and then named, with a line that runs."""
    page.picture = b""
    monkeypatch.setattr(recorders, "SNAP_S", 0.01)
    with pytest.raises(ImageError, match=r"say\(\) got a CameraStream that gave no picture within 0.01 s") as caught:
        rt.Image.coerce(webrtc.CameraStream(), caller="say()")
    assert (caught.value.hint or "").startswith("recorder = ipywebrtc.ImageRecorder")
    assert page.recorders[0].comm is None


def test_a_camera_that_is_only_shown_is_not_photographed(page: Page) -> None:
    """What %%ask and %rt watch see of a cell is what it shows: a live camera stays where it is, with a note."""
    basket = Basket()
    basket.take(webrtc.CameraStream(), {})
    assert basket.pieces == []
    assert "a CameraStream that flows in the page" in basket.notes[0]
    assert page.recorders == []


def test_the_sound_of_a_camera_is_asked_for_without_its_picture() -> None:
    """Audio.coerce(camera) hints at a stream that a browser records as sound."""
    with pytest.raises(AudioError, match="holds no sound") as caught:
        rt.Audio.coerce(webrtc.CameraStream())
    assert '"video": False' in (caught.value.hint or "")


def test_links_are_never_followed() -> None:
    """A widget that holds an address is refused as such."""
    with pytest.raises(AudioError, match="only a link"):
        rt.Audio.coerce(webrtc.AudioStream.from_url("https://example.org/a.wav"))
    with pytest.raises(ImageError, match="only a link"):
        rt.Image.coerce(widgets.Image.from_url("https://example.org/a.png"))


def test_a_turn_is_its_sound(server: ScriptedServer) -> None:
    """What the model said can be said back to it."""
    server.add(Reply("Nile.", audio=rt.Audio.tone(440, 0.2).to_pcm16()), Reply("Again."))
    with rt.connect(server.url) as session:
        turn = session.say("Rivers?")
        assert rt.Audio.coerce(turn) == turn.audio
        assert session.say(turn).text == "Again."


def test_other_widgets_are_still_refused(server: ScriptedServer) -> None:
    """A slider has a value, and it is no sound."""
    with rt.connect(server.url) as session, pytest.raises(ConfigError, match="got a IntSlider"):
        session.say(widgets.IntSlider())
