"""What stays in a notebook when its kernel is gone."""

from __future__ import annotations

import base64
import colorsys
import re
from pathlib import Path

import pytest

from realtime_nb.audio import Audio
from realtime_nb.audio.player import HUES
from realtime_nb.plots.palette import DARK, LIGHT, contrast
from realtime_nb.widgets.static import MAX_TALL, Record

nbformat = pytest.importorskip("nbformat", reason="notebooks need nbformat: pip install '.[lab]'")
nbclient = pytest.importorskip("nbclient", reason="notebooks need nbclient: pip install '.[lab]'")
nbconvert = pytest.importorskip("nbconvert", reason="exports need nbconvert: pip install '.[lab]'")

DATA = Path(__file__).parents[1] / "data"
MOST_BYTES = 80_000
"""Of a notebook's file, for 10 s of a turn."""

TURN = f"""
import realtime_nb as rt
from realtime_nb.testing.server import Reply, ScriptedServer
speech = rt.Audio.read({str(DATA / "jfk.wav")!r}).resample(24_000)[:10]
with ScriptedServer(Reply("And so, <i>my</i> fellow Americans.", audio=speech.to_pcm16())) as server:
    with rt.connect(server.url) as session:
        session.say("Speak.")
"""

LIVE = """
import threading
import ipywidgets
import realtime_nb as rt
from realtime_nb.widgets.static import Record, Twin

class Lamp(ipywidgets.IntSlider):
    twin = Twin()
    def _ipython_display_(self):
        self.twin.show(self._repr_mimebundle_(), "", "")

lamp, record = Lamp(), Record()
lamp
"""

HEARD = f"""
def hear():
    record.put("item_1", words="What is <b>this</b>?", sound=rt.Audio.read({str(DATA / "goforward.wav")!r}))
    record.put("item_2", words="A question.", sound=rt.Audio.tone(440, 1), voice="model")
    lamp.twin.draw(record.text, record.html)
thread = threading.Thread(target=hear)
thread.start()
thread.join()
"""

CLOSED = """
lamp.twin.close(record.text, record.html)
"""

AGAIN = """
lamp.twin.show({}, record.text, record.html)
"""


def executed(*cells: str) -> nbformat.NotebookNode:
    """Run cells in a kernel of their own; gives the notebook as it is saved."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    return nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()


def exported(book: nbformat.NotebookNode) -> str:
    """The page nbconvert makes of it."""
    return str(nbconvert.HTMLExporter().from_notebook_node(book)[0])


def sounds(page: str) -> list[Audio]:
    """What the players of a page play; nbconvert writes HTML in its own hand."""
    players = [tag for tag in re.findall(r"<audio [^>]*>", page) if "controls" in tag]
    data = [re.search(r'src="data:audio/mpeg;base64,([^"]+)"', tag) for tag in players]
    return [Audio.read(base64.b64decode(found[1])) for found in data if found]


def test_a_turn_plays_and_reads_in_an_export_and_is_small() -> None:
    """Executed and exported, a turn has its sound and its words, escaped; 10 s of it cost at most 80 kB in the file."""
    book = executed(TURN)
    page = exported(book)
    (sound,) = sounds(page)
    assert sound.duration_s == pytest.approx(10, abs=0.1)
    assert "And so, &lt;i&gt;my&lt;/i&gt; fellow Americans." in page
    assert "unpkg" not in page.split("<body", 1)[1]
    with_turn = len(nbformat.writes(book))
    book.cells[0].outputs = []
    assert with_turn - len(nbformat.writes(book)) <= MOST_BYTES


def test_a_live_widgets_twin_is_in_the_saved_notebook() -> None:
    """What a thread drew while the widget lived stands in its own output and plays in an export."""
    book = executed(LIVE, HEARD)
    twin, view = book.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in view.data
    assert twin.data["text/plain"] == "You: What is <b>this</b>?\nModel: A question."
    assert [round(sound.duration_s, 1) for sound in sounds(exported(book))] == [2.8, 1.0]
    assert "What is &lt;b&gt;this&lt;/b&gt;?" in exported(book)


def test_a_closed_widget_is_replaced_by_its_twin() -> None:
    """After closing no widget is left in the outputs that a page could fail to draw."""
    book = executed(LIVE, HEARD, CLOSED, AGAIN)
    assert not [out for out in book.cells[0].outputs if "application/vnd.jupyter.widget-view+json" in out.data]
    assert "display:none" not in book.cells[0].outputs[0].data["text/html"]
    assert [len(sounds(str(cell.outputs))) for cell in book.cells] == [2, 0, 0, 2], "shown again, it is shown there"
    assert len(sounds(exported(book))) == 4


def test_a_piece_is_changed_where_it_stands() -> None:
    """A transcript that comes late takes its item's place; order is that of the first words."""
    record = Record()
    assert not record
    for key, words in (("a", "…"), ("b", "second"), ("a", "first")):
        record.put(key, words=words)
    assert record.text == "You: first\nYou: second"
    assert record.html.index("first") < record.html.index("second")
    assert "…" not in record.html


def test_what_is_too_much_is_left_out_with_a_note() -> None:
    """The oldest sounds give way, their words stay."""
    record = Record(max_bytes=20_000)
    for second in (1, 2, 3):
        record.put(str(second), words=f"word {second}", sound=Audio.tone(440, second), voice="model")
    page = record.html
    assert len(page) <= 20_000
    assert [round(sound.duration_s) for sound in sounds(page)] == [3]
    assert "2.0 s of sound are left out" in page
    assert all(f"word {second}" in page for second in (1, 2, 3))


def test_a_long_record_does_not_fill_the_notebook() -> None:
    """More than a few pieces stand in a box that scrolls; printed, all of them are there."""
    record = Record()
    for piece in range(MAX_TALL):
        record.put(str(piece), words="word")
    assert "overflow" not in record.html
    record.put("one more", words="last")
    assert "max-height:600px;overflow-y:auto" in record.html
    assert "@media print" in record.html
    assert record.html.count("<div") == record.html.count("</div")


@pytest.mark.parametrize("voice", ["user", "model"])
def test_a_voice_has_the_hue_it_has_in_the_plots(voice: str) -> None:
    """Static pictures, which know no theme, bear the palette's hue and can be seen on white and on dark paper."""

    def hue(colour: str) -> float:
        return 360 * colorsys.rgb_to_hls(*(int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)))[0]

    colour = HUES[voice]  # type: ignore[index]
    for palette in (LIGHT, DARK):
        assert hue(colour) == pytest.approx(hue(getattr(palette, voice)), abs=5)
        assert contrast(colour, palette.paper) >= 3
