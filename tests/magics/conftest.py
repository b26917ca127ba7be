"""A kernel with the extension in it, and a server with stages of no cost."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from realtime_nb.server.options import ServerOptions
from realtime_nb.server.thread import Serving, serve_in_thread
from realtime_nb.testing.stages import stub_engine

manager = pytest.importorskip("jupyter_client.manager", reason="a kernel needs jupyter_client: pip install '.[lab]'")
pytest.importorskip("ipykernel", reason="a kernel needs ipykernel: pip install '.[lab]'")

WAIT_S = 60.0
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Ran:
    """What a cell came to."""

    shown: list[dict[str, Any]] = field(default_factory=list)
    """Outputs by MIME type, as a page ends up showing them."""
    printed: str = ""
    errors: list[dict[str, Any]] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)
    _places: dict[str, int] = field(default_factory=dict)

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Apply one message."""
        name = content.get("transient", {}).get("display_id")
        if kind == "update_display_data" and name in self._places:
            self.shown[self._places[name]] = content["data"]
        elif kind in {"display_data", "execute_result"}:
            if name:
                self._places[name] = len(self.shown)
            self.shown.append(content["data"])
        elif kind == "stream":
            self.printed += content["text"]
        elif kind == "error":
            self.errors.append(content)

    @property
    def html(self) -> str:
        """All HTML."""
        return "".join(data.get("text/html", "") for data in self.shown)

    @property
    def said(self) -> str:
        """The one error as it is shown, without colours."""
        assert len(self.errors) == 1
        return _COLOUR.sub("", "\n".join(self.errors[0]["traceback"]))


class Kernel:
    """A kernel, one cell at a time."""

    def __init__(self) -> None:
        self.manager, self.client = manager.start_new_kernel(startup_timeout=WAIT_S, kernel_name="python3")

    def run(self, code: str) -> Ran:
        """Run a cell to its end."""
        cell, ran = self.client.execute(code), Ran()
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            message = self.client.get_iopub_msg(timeout=WAIT_S)
            if message["parent_header"].get("msg_id") != cell:
                continue
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
            ran.take(message["msg_type"], message["content"])
        while (reply := self.client.get_shell_msg(timeout=WAIT_S))["parent_header"].get("msg_id") != cell:
            pass
        ran.reply = reply["content"]
        return ran

    def value(self, expression: str) -> str:
        """What a cell of one expression shows as text."""
        ran = self.run(expression)
        assert not ran.errors, ran.errors
        return str(ran.shown[-1]["text/plain"])

    def complete(self, code: str) -> list[str]:
        """What Tab offers at the end of `code`."""
        return list(self.client.complete(code, reply=True, timeout=WAIT_S)["content"]["matches"])

    def stop(self) -> None:
        """End it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture(scope="session")
def _kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    yield kernel
    kernel.stop()


@pytest.fixture(scope="session")
def serving() -> Iterator[Serving]:
    """A server on loopback that asks for no token."""
    with serve_in_thread(stub_engine(), ServerOptions(token=None)) as serving:
        yield serving


@pytest.fixture
def kernel(_kernel: Kernel) -> Iterator[Kernel]:
    """A kernel with the extension loaded, and no name of an earlier test."""
    assert not _kernel.run("%reset -f").errors
    assert not _kernel.run("%load_ext realtime_nb").errors
    yield _kernel
    _kernel.run("%unload_ext realtime_nb")


@pytest.fixture
def connected(kernel: Kernel, serving: Serving) -> Kernel:
    """The same, and a session in it."""
    ran = kernel.run(f"%rt connect {serving.url}")
    assert not ran.errors, ran.errors
    return kernel
