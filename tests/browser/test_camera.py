"""Our camera, ipywebrtc's widgets and the meter, in JupyterLab and Chromium with a made-up camera."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

OpenNotebook = Callable[..., Any]

CAMERA = "import realtime_nb as rt\ncamera = rt.Camera(longest=640)\ncamera"
SNAP = "picture = camera.snap(timeout_s=60)\nprint(picture.width, picture.mime, camera.image is picture, camera.faults)"
RUNNING = "() => document.querySelector('.rtnb-camera video').srcObject !== null"
REFUSE = (
    "() => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); }; }"
)


@pytest.fixture(scope="module")
def book(lab: Any, chrome: Any) -> Iterator[Any]:
    """One notebook for all tests of our camera."""
    opened = chrome.open(lab, lab.notebook("camera", [CAMERA, SNAP]))
    yield opened
    opened.end()


@pytest.fixture
def notebook(book: Any) -> Any:
    """The notebook with a new camera in it, and nothing of the test before."""
    book.command("notebook:clear-all-cell-outputs")
    book.page.wait_for_selector(".rtnb-camera", state="detached")
    book.run(0)
    book.page.wait_for_selector(".rtnb-camera button")
    return book


def test_a_picture_comes_in_the_middle_of_a_cell(notebook: Any) -> None:
    """snap() in a running cell starts the camera and returns its picture; closing lets the camera go."""
    notebook.run(1)
    assert notebook.text(1).strip() == "640 image/jpeg True ()"
    assert notebook.js(RUNNING)
    notebook.js("() => { window.track = document.querySelector('.rtnb-camera video').srcObject.getTracks()[0]; }")
    notebook.kernel("camera.close()")
    notebook.page.wait_for_function("() => window.track.readyState === 'ended'")
    notebook.page.wait_for_selector("[class^=rtnb-static] img[src^='data:image/jpeg']", state="visible")


def test_a_person_takes_a_picture(notebook: Any) -> None:
    """Nothing is seen before Start; Take picture sends one; Stop lets the camera go and shows what was taken."""
    page = notebook.page
    assert not notebook.js(RUNNING)
    page.click(".rtnb-camera button:has-text('Start camera')")
    page.wait_for_function(RUNNING)
    page.click(".rtnb-camera button:has-text('Take picture')")
    page.wait_for_function("() => document.querySelector('.rtnb-camera [role=status]').textContent.includes('640 by')")
    page.click(".rtnb-camera button:has-text('Stop')")
    page.wait_for_selector(".rtnb-camera canvas", state="visible")
    assert not notebook.js(RUNNING)
    for _ in range(50):
        if notebook.kernel("print(camera)").startswith("Camera(1 picture, 640 x"):
            break
        page.wait_for_timeout(100)
    assert notebook.kernel("print(rt.Image.coerce(camera) is camera.image)") == "True"


def test_a_refused_camera_says_what_to_do_in_page_and_cell(notebook: Any) -> None:
    """Without permission the widget explains it, and so does the error of snap()."""
    notebook.js(REFUSE)
    notebook.run(1)
    assert "did not allow the camera" in notebook.text(1)
    assert "allow the camera, then press Start again" in notebook.page.locator(".rtnb-camera [role=alert]").inner_text()


WEBRTC = """import ipywebrtc
import realtime_nb as rt
microphone = ipywebrtc.CameraStream(constraints={"audio": True, "video": False})
voice = ipywebrtc.AudioRecorder(stream=microphone)
photo = ipywebrtc.ImageRecorder(stream=ipywebrtc.CameraStream(constraints={"audio": False, "video": True}))
display(photo.stream, photo, voice)"""


def test_ipywebrtcs_recorders_are_a_sound_and_a_picture(open_notebook: OpenNotebook) -> None:
    """What AudioRecorder and ImageRecorder bring from the page is taken as it is; before that, an error tells why."""
    pytest.importorskip("ipywebrtc", reason="these are ipywebrtc's widgets: pip install '.[lab]'")
    notebook = open_notebook(WEBRTC)
    notebook.run(0)
    notebook.page.wait_for_selector(".jp-OutputArea video")
    notebook.kernel("voice.recording = True")
    assert "still recording" in notebook.kernel("rt.Audio.coerce(voice)")
    notebook.page.wait_for_timeout(1500)  # a second of sound is a second
    notebook.kernel("voice.recording = False; photo.recording = True")
    for _ in range(100):
        if notebook.kernel("print(bool(voice.audio.value and photo.image.value))") == "True":
            break
        notebook.page.wait_for_timeout(100)
    assert notebook.kernel("print(0.8 < rt.Audio.coerce(voice).duration_s < 8)") == "True"
    assert notebook.kernel("print(rt.Image.coerce(photo).mime)") == "image/png"


METER = """import realtime_nb as rt
from realtime_nb.testing.server import Reply, ScriptedServer
server = ScriptedServer(Reply("Nile.", audio=bytes(48_000))).__enter__()
session = rt.connect(server.url, budget_usd=0.05)
meter = rt.Meter(session)
meter"""


def test_the_meter_moves_by_itself(open_notebook: OpenNotebook) -> None:
    """After a turn the page shows the session's figures, with a text for each bar."""
    notebook = open_notebook(METER, "turn = session.say('Rivers?', show=False)")
    notebook.run(0)
    cost = ".rtnb-meter [role=meter][aria-label=Cost]"
    notebook.page.wait_for_selector(cost, state="attached")
    notebook.run(1)
    told = notebook.kernel("print(f'${session.usage.cost_usd.sum():.6f} of $0.05')")
    notebook.page.wait_for_selector(f"{cost}[aria-valuetext='{told}']", state="attached")
    notebook.kernel("session.close(); server.__exit__(None, None, None)")
