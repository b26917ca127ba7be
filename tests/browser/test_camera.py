"""Our camera, ipywebrtc's widgets and the meter, in JupyterLab and Chromium with a made-up camera."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

CAMERA = "import realtime_nb as rt\ncamera = rt.Camera(longest=640)\ncamera"
SNAP = "picture = camera.snap(timeout_s=60)\nprint(picture.width, picture.mime, camera.image is picture, camera.faults)"
WEBRTC = """import ipywebrtc
import realtime_nb as rt
microphone = ipywebrtc.CameraStream(constraints={"audio": True, "video": False})
voice = ipywebrtc.AudioRecorder(stream=microphone)
photo = ipywebrtc.ImageRecorder(stream=ipywebrtc.CameraStream(constraints={"audio": False, "video": True}))
display(photo.stream, photo, voice)"""
STREAM = """seen = ipywebrtc.CameraStream(constraints={"audio": False, "video": True})
picture = rt.Image.coerce(seen)
print(picture.mime, picture.width > 100)"""
METER = """import realtime_nb as rt
from realtime_nb.testing.server import Reply, ScriptedServer
server = ScriptedServer(Reply("Nile.", audio=bytes(48_000))).__enter__()
session = rt.connect(server.url, budget_usd=0.05)
meter = rt.Meter(session)
meter"""
SAY = "turn = session.say('Rivers?', show=False)"
BEGUN = """() => { window.begun = []; const Real = window.MediaRecorder;
    window.MediaRecorder = class extends Real { constructor(...given) {
      super(...given); this.addEventListener('start', () => window.begun.push(performance.now())) } } }"""
RUNNING = "() => document.querySelector('.rtnb-camera video').srcObject !== null"
REFUSE = (
    "() => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); }; }"
)


@pytest.fixture(scope="module")
def book(lab: Any, chrome: Any) -> Iterator[Any]:
    """One notebook for all of these tests."""
    opened = chrome.open(lab, lab.notebook("camera", [CAMERA, SNAP, WEBRTC, METER, SAY, STREAM]))
    yield opened
    opened.end()


@pytest.fixture
def cleared(book: Any) -> Any:
    """The notebook with nothing of the test before."""
    book.js("() => { delete navigator.mediaDevices.getUserMedia }")  # allowed again
    book.command("notebook:clear-all-cell-outputs")
    book.page.wait_for_selector(".rtnb-camera", state="detached")
    return book


@pytest.fixture
def notebook(cleared: Any) -> Any:
    """The same, with a new camera in it."""
    cleared.run(0)
    cleared.page.wait_for_selector(".rtnb-camera button")
    return cleared


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
    notebook.until("repr(camera).startswith('Camera(1 picture, 640 x')")
    assert notebook.kernel("print(rt.Image.coerce(camera) is camera.image)") == "True"


def test_a_refused_camera_says_what_to_do_in_page_and_cell(notebook: Any) -> None:
    """Without permission the widget explains it, and so does the error of snap()."""
    notebook.js(REFUSE)
    notebook.run(1)
    assert "did not allow the camera" in notebook.text(1)
    assert "allow the camera, then press Start again" in notebook.page.locator(".rtnb-camera [role=alert]").inner_text()


def test_ipywebrtcs_recorders_are_a_sound_and_a_picture(cleared: Any) -> None:
    """What AudioRecorder and ImageRecorder bring is taken as it is, of a CameraStream a picture of now."""
    pytest.importorskip("ipywebrtc", reason="these are ipywebrtc's widgets: pip install '.[lab]'")
    notebook = cleared
    notebook.js(BEGUN)
    notebook.run(2)
    notebook.page.wait_for_selector(".jp-OutputArea video")
    notebook.kernel("voice.recording = True")
    assert "still recording" in notebook.kernel("rt.Audio.coerce(voice)")
    notebook.page.wait_for_function("() => performance.now() > window.begun[0] + 1500")  # a second of sound is a second
    notebook.kernel("voice.recording = False; photo.recording = True")
    notebook.until("voice.audio.value and photo.image.value")
    assert notebook.kernel("print(0.8 < rt.Audio.coerce(voice).duration_s < 8)") == "True"
    assert notebook.kernel("print(rt.Image.coerce(photo).mime)") == "image/png"
    notebook.run(5)  # in one cell: the stream, and a picture of what flows in it
    assert notebook.text(5).strip() == "image/jpeg True"


def test_the_meter_moves_by_itself(cleared: Any) -> None:
    """After a turn the page shows the session's figures, with a text for each bar."""
    notebook = cleared
    notebook.run(3)
    cost = ".rtnb-meter [role=meter][aria-label=Cost]"
    notebook.page.wait_for_selector(cost, state="attached")
    notebook.run(4)
    told = notebook.kernel("print(f'${session.usage.cost_usd.sum():.6f} of $0.05')")
    notebook.page.wait_for_selector(f"{cost}[aria-valuetext='{told}']", state="attached")
    notebook.kernel("session.close(); server.__exit__(None, None, None)")
