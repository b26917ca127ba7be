"""Make the pictures of the widgets, light, dark and narrow, in JupyterLab: ``python notebooks/pictures/widgets.py [NAME ...]``.

Needs Chromium and the local engine's models. Whoever runs it looks at the pictures.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image, ImageDraw

import realtime_nb as rt

HERE = Path(__file__).parent
TESTS = HERE.parent.parent / "tests"
sys.path.insert(0, str(TESTS / "browser"))

from lab import Chrome, Lab, Notebook

GAP = 14
NARROW_PX = 320
WORDS = "And so, my fellow Americans: ask not what your country can do for you, ask what you can do for your country."
BEGIN = f"""import realtime_nb as rt
speech = rt.Audio.read({str(TESTS / "data" / "jfk.wav")!r}).resample(24_000)
from realtime_nb.testing.server import Reply, ScriptedServer
"""
CELLS = {
    "recorder": "widget = rt.Recorder()\nwidget",
    "player": f"widget = rt.Player(speech, transcript={WORDS!r})\nwidget.select(3.2, 5.6)\nwidget",
    "camera": "widget = rt.Camera(longest=640)\nwidget",
    "meter": """replies = [Reply("Nile, Congo, Niger.", audio=bytes(240_000)) for _ in range(3)]
server = ScriptedServer(*replies).__enter__()
session = rt.connect(server.url, budget_usd=0.01)
for question in ("Rivers?", "And lakes?", "And seas?"):
    session.say(question, show=False)
widget = rt.Meter(session)
widget""",
    "talk": """session = rt.connect("local", instructions="You are a friendly companion. Answer in one short sentence.")
widget = session.talk()
widget""",
}


def act(name: str, notebook: Notebook) -> None:
    """Bring a widget to where it is worth a picture."""
    page = notebook.page
    if name == "recorder":
        page.click(".rtnb-recorder .rtnb-button.is-main:has-text('Record')")
        until(notebook, "widget.audio.duration_s > 4", 20)
    elif name == "player":
        notebook.kernel("widget.play()")
        until(notebook, "widget.position_s > 4", 20)
        notebook.kernel("widget.pause()")
    elif name == "camera":
        page.click(".rtnb-camera button:has-text('Start camera')")
        page.wait_for_function("() => document.querySelector('.rtnb-camera video').videoWidth > 0")
        page.click(".rtnb-camera button:has-text('Take picture')")
        until(notebook, "widget.pictures == 1", 20)
    elif name == "talk":
        until(notebook, "widget.phase == 'speaking'", 60)
        page.wait_for_selector(".rtnb-talk li[data-who=assistant][data-state=done]")  # it is spoken on for seconds


def until(notebook: Notebook, condition: str, limit_s: float) -> None:
    """Wait until the kernel says so."""
    end = time.monotonic() + limit_s
    while notebook.kernel(f"print({condition})") != "True":
        if time.monotonic() > end:
            raise TimeoutError(f"{condition}: {notebook.kernel('print(widget, widget.faults)')}")
        time.sleep(0.2)


def shot(notebook: Notebook, name: str) -> Image.Image:
    """Take a picture of a widget as it is."""
    notebook.page.wait_for_timeout(500)
    return Image.open(io.BytesIO(notebook.page.locator(f".rtnb.rtnb-{name}").first.screenshot())).convert("RGB")


def three(notebook: Notebook, name: str) -> Image.Image:
    """Light, dark and narrow, side by side."""
    root = f".rtnb.rtnb-{name}"
    light = shot(notebook, name)
    notebook.js(f"() => {{ document.querySelector('{root}').style.maxWidth = '{NARROW_PX}px'; }}")
    narrow = shot(notebook, name)
    notebook.js(f"() => {{ document.querySelector('{root}').style.maxWidth = ''; }}")
    notebook.command("apputils:change-theme", {"theme": "JupyterLab Dark"})
    notebook.page.wait_for_timeout(1500)
    dark = shot(notebook, name)
    notebook.command("apputils:change-theme", {"theme": "JupyterLab Light"})
    notebook.page.wait_for_timeout(500)
    return beside([light, dark, narrow])


def beside(pictures: list[Image.Image]) -> Image.Image:
    """Lay pictures on one sheet, the dark one on dark."""
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) + 1)
    sheet = Image.new("RGB", (width, max(picture.height for picture in pictures) + 2 * GAP), "white")
    left = GAP
    for i, picture in enumerate(pictures):
        if i == 1:
            edges = (left - GAP // 2, 0, left + picture.width + GAP // 2, sheet.height)
            ImageDraw.Draw(sheet).rectangle(edges, fill="#111111")
        sheet.paste(picture, (left, GAP))
        left += picture.width + GAP
    return sheet


def room(folder: Path) -> tuple[Path, Path, Path]:
    """What the microphone hears (a question and a pause, or a speech, round and round) and what the camera sees."""
    question = rt.Audio.read(TESTS / "data" / "question.wav").resample(48_000)
    mic = (question + rt.Audio.silence(9, 48_000)).save(folder / "mic.wav")
    speech = rt.Audio.read(TESTS / "data" / "jfk.wav").resample(48_000).save(folder / "speech.wav")
    scene = Image.new("RGB", (640, 360), "#c9a77c")
    paper = (
        Image.open(HERE / "timeline.png").convert("RGB").resize((520, 150)).rotate(-4, expand=True, fillcolor="#c9a77c")
    )
    scene.paste(paper, (55, 80))
    data = io.BytesIO()
    scene.save(data, "JPEG", quality=92)
    camera = folder / "camera.mjpeg"
    camera.write_bytes(data.getvalue() * 30)
    return mic, speech, camera


def main(names: list[str]) -> None:
    """Draw the named widgets, or all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mic, speech, camera = room(folder)
        flags = [f"--use-file-for-fake-video-capture={camera}"]
        with Lab(folder) as lab:
            for widget in names or list(CELLS):
                with Chrome(speech if widget == "recorder" else mic, flags=flags, size=(920, 1000)) as chrome:
                    picture(widget, chrome.open(lab, lab.notebook(widget, [BEGIN + CELLS[widget]])))


def picture(widget: str, notebook: Notebook) -> None:
    """Draw one widget."""
    notebook.run_all()
    notebook.page.wait_for_selector(f".rtnb.rtnb-{widget}")
    act(widget, notebook)
    path = HERE / f"{widget}.png"
    three(notebook, widget).quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    notebook.kernel("widget.close()")
    notebook.end()


if __name__ == "__main__":
    main(sys.argv[1:])
