"""Sessions in a real kernel: what a cell prints, shows and survives."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from realtime_nb.server.options import ServerOptions
from realtime_nb.server.thread import Serving, serve_in_thread
from realtime_nb.testing.stages import StubLlm, stub_engine

jupyter_client = pytest.importorskip("jupyter_client", reason="a kernel needs jupyter_client: pip install '.[lab]'")
pytest.importorskip("ipykernel", reason="a kernel needs ipykernel: pip install '.[lab]'")

WAIT_S = 60
SLOW = "one two three four five six seven eight nine ten, " * 60
"""Long enough to be still said when the test has seen its beginning and the kernel the signal."""


class Kernel:
    """A kernel, one cell at a time."""

    def __init__(self, manager: Any, client: Any) -> None:
        self._manager = manager
        self._client = client
        self.seen: list[dict[str, Any]] = []

    def start(self, code: str) -> str:
        """Begin a cell."""
        return str(self._client.execute(code))

    def messages(self, cell: str) -> Iterator[dict[str, Any]]:
        """What the cell publishes, until it is idle."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            message = self._client.get_iopub_msg(timeout=WAIT_S)
            if message["parent_header"].get("msg_id") != cell:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                return
            yield message

    def run(self, code: str) -> list[dict[str, Any]]:
        """Run a cell to its end."""
        return list(self.messages(self.start(code)))

    def value(self, expression: str) -> str:
        """What a cell of one expression shows as text; its error otherwise."""
        for message in self.run(expression):
            if message["msg_type"] == "execute_result":
                return str(message["content"]["data"]["text/plain"])
            if message["msg_type"] == "error":
                return f"{message['content']['ename']}: {message['content']['evalue']}"
        return ""

    def interrupt(self) -> None:
        """Press the button."""
        self._manager.interrupt_kernel()


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    """A server that echoes, and talks slowly when it is asked to count."""

    def answer(request: Any) -> str:
        said = request.messages[-1].text
        return SLOW if "count" in said.lower() else f"You said: {said}"

    with serve_in_thread(stub_engine(llm=StubLlm(answer, delay_s=0.02)), ServerOptions()) as serving:
        yield serving


@pytest.fixture(scope="module")
def kernel(serving: Serving) -> Iterator[Kernel]:
    """A kernel with an open session in it."""
    manager, client = jupyter_client.manager.start_new_kernel(kernel_name="python3")
    try:
        kernel = Kernel(manager, client)
        assert serving.token is not None
        opened = kernel.run(
            f"import realtime_nb as rt; s = rt.connect({serving.url!r}, api_key={serving.token.reveal()!r})"
        )
        assert not [message for message in opened if message["msg_type"] == "error"]
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def html_of(messages: list[dict[str, Any]]) -> str:
    """All HTML that was displayed or updated."""
    return "".join(message["content"].get("data", {}).get("text/html", "") for message in messages)


def test_a_cell_shows_the_words_while_they_come_and_the_turn_once(kernel: Kernel) -> None:
    """A blocking say updates one output in place, ends with the player, and is not drawn twice as the cell's result."""
    words = "Good morning to you, " * 8
    messages = kernel.run(f"s.say({words!r})")
    kinds = [message["msg_type"] for message in messages]
    assert kinds.count("display_data") == 1
    assert "update_display_data" in kinds
    shown = html_of(messages)
    assert "You said: Good morning to you," in shown
    assert "<audio" in shown
    assert "execute_result" not in kinds or "<audio" not in html_of(
        [message for message in messages if message["msg_type"] == "execute_result"]
    )


def test_an_awaiting_cell_gets_the_same_turn(kernel: Kernel) -> None:
    """``await session.aio.say(...)`` in a cell gives the turn that ``session.say(...)`` gives."""
    assert kernel.value('(await s.aio.say("Same?")).text') == kernel.value('s.say("Same?").text') == "'You said: Same?'"


@pytest.mark.parametrize("cell", ['s.say("Please count.")', 'await s.aio.say("Please count.")'])
def test_interrupt_cancels_the_response_and_the_session_goes_on(kernel: Kernel, cell: str) -> None:
    """The kernel's Interrupt ends the cell with KeyboardInterrupt, the response ``cancelled``, the session usable."""
    running = kernel.start(cell)
    messages = []
    for message in kernel.messages(running):
        messages.append(message)
        if "one two" in html_of([message]):  # it speaks
            kernel.interrupt()
            break
    messages += list(kernel.messages(running))
    errors = [message["content"]["ename"] for message in messages if message["msg_type"] == "error"]
    assert errors in (["KeyboardInterrupt"], ["CancelledError"])
    assert kernel.value("s.turns['status'].iloc[-1]") == "'cancelled'"
    assert "one two" in kernel.value("s.turns['output'].iloc[-1]"), "what was heard is kept"
    assert kernel.value('s.say("Still there?").text') == "'You said: Still there?'"


def test_model_text_is_escaped_in_every_output(kernel: Kernel) -> None:
    """HTML in what the model says is shown as text, never run."""
    shown = html_of(kernel.run('s.say("<script>alert(1)</script>")'))
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_two_sessions_share_a_kernel(kernel: Kernel, serving: Serving) -> None:
    """A second session holds its own conversation beside the first."""
    assert serving.token is not None
    kernel.run(f"other = rt.connect({serving.url!r}, api_key={serving.token.reveal()!r})")
    assert kernel.value('(other.say("B").text, s.say("A").text)') == "('You said: B', 'You said: A')"
    assert kernel.value("len(other.turns)") == "1"
    kernel.run("other.close()")


def test_the_key_is_in_no_output(kernel: Kernel, serving: Serving) -> None:
    """Reprs, variables and tracebacks in a cell never show the key."""
    assert serving.token is not None
    secret = serving.token.reveal()
    kernel.run("canary = '-'.join(['k', 'canary'])")
    refused = "rt.connect('ws://127.0.0.1:9/', api_key=canary)"
    cells = ("s", "vars(s)", "s.events.to_string()", "s.aio", "s.say()", refused, "%xmode Verbose", refused)
    said = str([kernel.run(cell) for cell in cells])
    assert secret not in said
    assert "ConnectError" in said
    assert "k-canary" not in said.replace("canary = 'k-canary'", "")  # a person's own variable, by Verbose
