"""%%ask and %%say in a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

from realtime_nb.engine.build import Engine
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.thread import serve_in_thread

BARS = "%%ask {line}\nimport matplotlib.pyplot as plt\nplt.bar(['a', 'b'], [1, 3])\n"
TONE = "%%ask What is heard?\nimport numpy as np, realtime_nb as rt\nt = np.arange(24_000) / 24_000\n{last}"
PICTURES = """%%ask Which?
import io, PIL.Image
from IPython.display import Image
import matplotlib.pyplot as plt
red, black = PIL.Image.new('RGB', (40, 30), 'red'), PIL.Image.new('RGB', (30, 40))
out = io.BytesIO()
black.save(out, 'png')
display(red, red, Image(out.getvalue()), 'photo.png')
fig, ax = plt.subplots()
ax.plot([1, 2])
display(fig)
"""
ITEMS = "session.aio.actor.link.connection.conversation"
PARTS = f"[type(part).__name__ for item in {ITEMS} if item.role == 'user' for part in item.content]"
FIRST = f"next(iter({ITEMS})).content"


def test_a_bar_chart_is_shown_sent_and_answered(connected: Any) -> None:
    """The figure stays in the output, a PNG of it stands in the conversation after the question, the answer below."""
    ran = connected.run(BARS.format(line="What's odd here, {a}?"))
    assert not ran.errors, ran.errors
    kinds = [
        "png" if "image/png" in data else "turn" for data in ran.shown if "text/html" in data or "image/png" in data
    ]
    assert kinds == ["png", "turn"]
    assert "You said" in ran.html
    assert connected.value(PARTS) == "['InputText', 'InputImage']"
    assert connected.value(f"{FIRST}[0].text") == '"What\'s odd here, {a}?"'
    assert connected.value(f"{FIRST}[1].image_url[:22]") == "'data:image/png;base64,'"


@pytest.mark.parametrize(
    "last",
    [
        "rt.Audio.from_array(0.3 * np.sin(2764 * t), rate=24_000)",
        "from IPython.display import Audio\nAudio(0.3 * np.sin(2764 * t), rate=24_000)",
        "(0.3 * np.sin(2764 * t), 24_000)",
    ],
)
def test_a_tone_is_shown_and_sent(connected: Any, last: str) -> None:
    """A sound that a cell shows becomes a sound of the item, of the length it has."""
    ran = connected.run(TONE.format(last=last))
    assert not ran.errors, ran.errors
    assert connected.value(PARTS) == "['InputText', 'InputAudio']"
    assert connected.value("session.history['audio_s'].iloc[0].item()") == "1.0"


def test_an_array_needs_its_rate(connected: Any) -> None:
    """Numbers are no sound until their rate is declared; then they are."""
    cell = TONE.format(last="0.3 * np.sin(2764 * t)")
    assert "no figure, picture or sound" in connected.run(cell).said
    assert connected.value("len(session.history)") == "0"
    assert not connected.run(cell.replace("%%ask", "%%ask --rate 24000")).errors
    assert connected.value(PARTS) == "['InputText', 'InputAudio']"


def test_pictures_of_every_kind_are_sent_once(connected: Any) -> None:
    """PIL, IPython's Image and a figure shown twice: each picture stands there once."""
    ran = connected.run(PICTURES)
    assert not ran.errors, ran.errors
    assert connected.value(PARTS) == str(["InputText", *3 * ["InputImage"]])


def test_a_title_at_the_end_is_no_second_picture(connected: Any) -> None:
    """The figure is shown once and sent once, whatever part of it the cell's last line gives."""
    cell = "%%ask Which title?\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.gca().set_title('Growth')"
    ran = connected.run(cell)
    assert not ran.errors, ran.errors
    assert connected.value(PARTS) == "['InputText', 'InputImage']"


def test_a_cell_that_raises_sends_nothing(connected: Any) -> None:
    """Its error is shown once, as usual, with the cell's own line; the run stops there; later errors show too."""
    for source, name in (("plt = 1\n1 / 0", "ZeroDivisionError"), ("1 +", "SyntaxError")):
        ran = connected.run(f"%%ask Why?\n{source}")
        assert ran.reply["status"] == "error"
        assert [error["ename"] for error in ran.errors] == [name]
        assert source.splitlines()[-1] in ran.said
        assert "realtime_nb/magics" not in ran.said
        assert "NameError" in connected.run("nothing_here").said
    assert connected.value("len(session.history)") == "0"
    assert connected.value("'showtraceback' in vars(get_ipython())") == "False"


def test_the_source_goes_along(connected: Any) -> None:
    """--code sends the source as a text of its own, and is enough where a cell shows nothing."""
    assert not connected.run("%%ask --code Is it fast?\nx = sum(range(10))").errors
    assert "x = sum(range(10))" in connected.value(f"{FIRST}[1].text")
    assert connected.value("x") == "45"


def test_prose_is_not_run(connected: Any) -> None:
    """--prose sends the cell's text itself, even if it reads like a file's name."""
    ran = connected.run("%%ask --prose Is this clear?\nx_was_run = True")
    assert "x_was_run = True" in connected.value(f"{FIRST}[1].text")
    assert "Turn" in str(ran.shown)
    assert "NameError" in connected.run("x_was_run").said
    assert not connected.run("%%ask --prose\nphoto.png").errors


def test_say_sends_the_cells_text(connected: Any) -> None:
    """%%say says the cell; the answer is drawn once; --voice is the voice of the answer."""
    ran = connected.run("%%say --voice cedar\nGood <b>morning</b>.")
    assert not ran.errors, ran.errors
    assert len(ran.shown) == 1
    assert "<audio" in ran.html
    assert "<b>morning" not in ran.html
    assert "&lt;b&gt;morning" in ran.html
    sent = "session.events.query(\"type == 'response.create'\").payload.iloc[0]"
    assert "cedar" in connected.value(sent)


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("%%ask\n1", "no question"),
        ("%%ask --prosa Hm?\n1", "but '--prose'"),
        ("%%ask --prose --code Hm?\n1", "prose is not run"),
        ("%%ask --rate fast Hm?\n1", "samples per second"),
        ("%%ask Hm?\nimport asyncio\nawait asyncio.sleep(0)", "plain cells only"),
        ("%%say loud\nHello.", "stands below it"),
    ],
)
def test_errors_are_plain(connected: Any, cell: str, words: str) -> None:
    """A wrong line is told as fact, rule and a line that runs, without a traceback."""
    said = connected.run(cell).said
    assert said.startswith("ConfigError: ")
    assert words in said
    assert "\n  Try: " in said
    assert "Traceback" not in said


def test_many_pictures_are_refused(connected: Any) -> None:
    """More than 16 pieces are not sent."""
    cell = "%%ask All?\nimport PIL.Image\nfor n in range(17): display(PIL.Image.new('RGB', (8, 8 + n)))"
    assert "17 pictures" in connected.run(cell).said
    assert connected.value("len(session.history)") == "0"


def test_a_figure_shown_as_svg_is_sent_as_a_picture(connected: Any) -> None:
    """Whatever the inline backend shows, the model gets pixels."""
    connected.run("%config InlineBackend.figure_formats = ['svg']")
    ran = connected.run(BARS.format(line="Tall?"))
    connected.run("%config InlineBackend.figure_formats = ['png']")
    assert "image/svg+xml" in ran.shown[0] or "image/svg+xml" in ran.shown[1]
    assert connected.value(PARTS) == "['InputText', 'InputImage']"


def test_what_cannot_be_sent_is_said(connected: Any) -> None:
    """Links are never fetched, SVG of unknown origin is refused: the cell shows them, and says why they stay here."""
    svg = "SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')"
    ran = connected.run(
        f"%%ask Hm?\nfrom IPython.display import Image, SVG\ndisplay({svg}, Image(url='http://x/y.png'))"
    )
    assert len(ran.shown) == 2
    assert ran.printed.count("not sent: ") == 2
    assert "never fetched" in ran.printed
    assert connected.value("len(session.history)") == "0"


def test_other_peoples_magics_run_below(connected: Any) -> None:
    """A cell magic under %%ask works as alone; a wrong one is told once and nothing is sent."""
    ran = connected.run(f"%%ask Slow?\n%%time\n{BARS.partition(chr(10))[2]}")
    assert "Wall time" in ran.printed
    assert connected.value(PARTS) == "['InputText', 'InputImage']"
    ran = connected.run("%%ask Hm?\n%no_such_magic")
    assert ran.printed.count("no_such_magic") == 1
    assert ran.reply["status"] == "error"
    assert connected.value(PARTS) == "['InputText', 'InputImage']"


@pytest.mark.models
def test_answers_refer_to_the_picture_and_to_the_sound(kernel: Any, real_engine: Engine) -> None:
    """With the real engine, the answer names the tallest bar of the cell's chart, and what its tone is."""
    with serve_in_thread(real_engine, ServerOptions(token=None)) as serving:
        assert not kernel.run(f"%rt connect {serving.url}").errors
        chart = "import matplotlib.pyplot as plt\nplt.bar(['apples', 'pears', 'plums'], [2, 5, 3])"
        assert not kernel.run(f"%%ask Which bar is the tallest?\n{chart}").errors
        assert "pears" in kernel.value("_.text").lower()
        assert not kernel.run("%rt reset").errors
        tone = "import realtime_nb as rt\nrt.Audio.tone(440, 1.0)"
        assert not kernel.run(f"%%ask What is this sound?\n{tone}").errors
        answer = kernel.value("_.text").lower()
        assert "tone" in answer or "440" in answer
        assert not kernel.run("%rt close").errors
