"""A session in a real kernel: what a cell shows, and what Interrupt does to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty
from typing import Any

import pytest

from realtime_nb.testing.server import Reply, ScriptedServer

manager = pytest.importorskip("jupyter_client.manager")
pytest.importorskip("ipykernel")

WAIT_S = 60.0


@dataclass
class Cell:
    """What a cell came to: its outputs as a page shows them, updates applied."""

    shown: list[dict[str, Any]] = field(default_factory=list)
    displays: dict[str, int] = field(default_factory=dict)
    updates: int = 0
    error: str | None = None
    done: bool = False

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Apply one message."""
        if kind in {"display_data", "execute_result"}:
            name = content.get("transient", {}).get("display_id")
            if name:
                self.displays[name] = len(self.shown)
            self.shown.append(content["data"])
        elif kind == "update_display_data":
            self.updates += 1
            place = self.displays.get(content["transient"]["display_id"])
            if place is not None:  # else an output of an earlier cell
                self.shown[place] = content["data"]
        elif kind == "stream":
            self.shown.append({"text/plain": content["text"]})
        elif kind == "error":
            self.error = content["ename"]
        elif kind == "status":
            self.done = content["execution_state"] == "idle"


class Kernel:
    """A running kernel."""

    def __init__(self) -> None:
        self.manager, self.client = manager.start_new_kernel(startup_timeout=WAIT_S)

        self.cells: dict[str, Cell] = {}

    def begin(self, code: str) -> Cell:
        """Run a cell; gives it at once."""
        cell = self.cells[str(self.client.execute(code))] = Cell()
        return cell

    def until(self, state: Callable[[], Any]) -> None:
        """Take messages until `state` holds."""
        until = time.monotonic() + WAIT_S
        while not state():
            if time.monotonic() > until:
                raise TimeoutError("the cell did not come that far")
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except Empty:
                continue
            cell = self.cells.get(message["parent_header"].get("msg_id", ""))
            if cell is not None:
                cell.take(message["msg_type"], message["content"])

    def end(self, cell: Cell) -> Cell:
        """Wait until a cell is done."""
        self.until(lambda: cell.done)
        return cell

    def run(self, code: str) -> Cell:
        """Run a cell to its end."""
        return self.end(self.begin(code))


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    """One kernel for all tests here."""
    kernel = Kernel()
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


@pytest.fixture
def server(kernel: Kernel) -> Iterator[ScriptedServer]:
    """A scripted server in this process, and `session` in the kernel."""
    with ScriptedServer() as server:
        assert kernel.run(f"import realtime_nb as rt; session = rt.connect({server.url!r})").error is None
        yield server
        kernel.run("session.close()")


def test_a_cell_shows_its_turn_once(kernel: Kernel, server: ScriptedServer) -> None:
    """say() as the last line draws one output, the whole turn with its player, not a second one as the result."""
    server.add(Reply("Nile, ", "Congo.", audio=bytes(48_000)))
    cell = kernel.run("session.say('Rivers?')")
    assert cell.error is None
    assert len(cell.shown) == 1
    assert "Nile, Congo." in cell.shown[0]["text/html"]
    assert "<audio" in cell.shown[0]["text/html"]


def test_a_turn_of_an_earlier_cell_is_drawn_as_usual(kernel: Kernel, server: ScriptedServer) -> None:
    """A variable on the last line of a later cell shows the turn."""
    server.add(Reply("Nile."))
    kernel.run("turn = session.say('Rivers?')")
    cell = kernel.run("turn")
    assert len(cell.shown) == 1
    assert "Nile." in cell.shown[0]["text/html"]


def test_words_are_shown_while_they_come(kernel: Kernel, server: ScriptedServer) -> None:
    """While a response is open its words are already in the output; Interrupt ends it and the words stay."""
    server.add(Reply("On and on", end="hang"), Reply("Still here."))
    cell = kernel.begin("session.say('Go on.')")
    kernel.until(lambda: cell.shown and "On and on" in cell.shown[0]["text/html"])
    kernel.manager.interrupt_kernel()
    server.wait_for("response.cancel")
    assert kernel.end(cell).error == "KeyboardInterrupt"
    assert len(cell.shown) == 1
    assert "cancelled" in cell.shown[0]["text/html"]
    assert "Still here." in kernel.run("session.say('Hello?')").shown[0]["text/html"]


def test_interrupt_of_an_awaiting_cell(kernel: Kernel, server: ScriptedServer) -> None:
    """An awaited say() is interrupted as well, at once, and the session goes on."""
    server.add(Reply("On and on", end="hang"), Reply("Still here."))
    cell = kernel.begin("await session.aio.say('Go on.')")
    server.wait_for("response.create")
    kernel.manager.interrupt_kernel()
    server.wait_for("response.cancel")
    assert kernel.end(cell).error in {"KeyboardInterrupt", "CancelledError"}
    cell = kernel.run("turn = await session.aio.say('Hello?')\nturn.text")
    assert cell.shown[-1]["text/plain"] == "'Still here.'"


def test_a_script_stays_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """Outside a notebook nothing is printed unless asked for; show=True prints the words."""
    import realtime_nb as rt

    with ScriptedServer(Reply("One."), Reply("Two."), Reply("Three.")) as server, rt.connect(server.url) as session:
        session.say("1")
        assert capsys.readouterr().out == ""
        session.say("2", show=True)
        assert capsys.readouterr().out == "Two.\n"
        session.say("3", show=False)
        assert capsys.readouterr().out == ""


def test_progress_of_the_engine_is_one_output(kernel: Kernel) -> None:
    """While the engine starts one output follows the steps; it is empty when it runs."""
    code = """
from realtime_nb.display import ProgressView
from realtime_nb.local import Progress
view = ProgressView()
for fraction in (0.1, 0.5):
    view.note(Progress("llm", "fetching <qwen>", fraction))
    view.draw()
"""
    cell = kernel.run(code)
    assert len(cell.shown) == 1
    assert "llm: fetching &lt;qwen&gt;" in cell.shown[0]["text/html"]
    assert 'value="0.500"' in cell.shown[0]["text/html"]
    assert kernel.run("view.close()").updates == 1
