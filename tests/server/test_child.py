"""The server as a child process: what it reports, and that it never outlives its parent."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

CHILD = str(Path(__file__).parent / "child.py")
TOKEN = "the-parents-token"
END_S = 60
"""How long a process may take to end on a busy machine."""


@contextlib.contextmanager
def started(*options: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A server process; it ends with the block."""
    with subprocess.Popen(
        [sys.executable, CHILD, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "REALTIME_NB_TOKEN": TOKEN, **environment},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def reports(process: subprocess.Popen[str], until: str) -> list[dict[str, Any]]:
    """The JSON lines up to the one with that key."""
    found: list[dict[str, Any]] = []
    assert process.stdout is not None
    while not found or until not in found[-1]:
        line = process.stdout.readline()
        assert line, "the child ended without that report"
        found.append(json.loads(line))
    return found


def test_a_child_reports_and_serves() -> None:
    """Progress while the models load, then where it serves; its token is the one from the environment."""
    with started("--child") as process:
        *steps, last = reports(process, "ready")
        assert {"stage": "llm", "message": "loading", "fraction": 0.5} in [step["progress"] for step in steps]
        ready = last["ready"]
        assert ready["pid"] == process.pid
        assert ready["url"] == ready["http"].replace("http", "ws") + "/v1/realtime"
        assert ready["brain"] == "scripted-llm"
        for token, status in ((TOKEN, 200), ("wrong", 401)):
            key = {"Authorization": f"Bearer {token}"}
            assert httpx.get(f"{ready['http']}/v1/models", headers=key, trust_env=False).status_code == status


def test_a_child_says_why_it_failed() -> None:
    """A model that cannot be had is a report with the line that mends it, and exit code 1."""
    with started("--child", STUB_ENGINE="fails") as process:
        failed = reports(process, "failed")[-1]["failed"]
        assert failed == {"message": "the model is not there", "hint": "realtime-nb models fetch"}
        assert process.wait(END_S) == 1


def test_a_child_refuses_an_unsafe_choice_in_its_own_words() -> None:
    """A wrong option is a report too."""
    with started("--child", "--host", "0.0.0.0", "--no-token") as process:
        assert "without a token" in reports(process, "failed")[-1]["failed"]["message"]
        assert process.wait(END_S) == 2


@pytest.mark.parametrize("engine", ["ready", "hangs"])
def test_a_child_ends_with_its_standard_input(engine: str) -> None:
    """Closing its standard input ends it cleanly, while models load and while it serves."""
    with started("--child", STUB_ENGINE=engine) as process:
        reports(process, "ready" if engine == "ready" else "progress")
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(END_S) == 0


@pytest.mark.parametrize("engine", ["ready", "hangs"])
def test_a_child_ends_by_sigterm(engine: str) -> None:
    """SIGTERM ends it with exit code 0, at any time; SIGINT, which a notebook's Interrupt sends to all, does not."""
    with started("--child", STUB_ENGINE=engine) as process:
        reports(process, "ready" if engine == "ready" else "progress")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_S) == 0


def test_the_second_signal_insists() -> None:
    """A stage that never comes to its end holds up a gentle end for ever; whoever asks again gets it at once."""
    with started("--child", STUB_ENGINE="thinks") as process:
        url = reports(process, "ready")[-1]["ready"]["url"]
        with connect(url, additional_headers={"Authorization": f"Bearer {TOKEN}"}, proxy=None) as socket:
            socket.send(json.dumps({"type": "response.create"}))
            while json.loads(socket.recv(timeout=END_S))["type"] != "response.created":
                pass
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(ConnectionClosed):
                for _ in socket:  # up to the farewell
                    pass
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_S) == 1


@pytest.mark.parametrize("engine", ["ready", "hangs"])
def test_a_child_dies_with_a_parent_that_is_killed(engine: str) -> None:
    """When the parent is killed no orphan is left, even if somebody else still holds the child's standard input."""
    parent_code = textwrap.dedent(f"""
        import os, subprocess, sys
        reading, writing = os.pipe()
        os.set_inheritable(writing, True)
        holder = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], close_fds=False)
        command = [sys.executable, {CHILD!r}, "--child"]
        child = subprocess.Popen(command, stdin=reading, stdout=subprocess.PIPE, text=True)
        while {"ready" if engine == "ready" else "progress"!r} not in child.stdout.readline():
            pass
        print(child.pid, holder.pid, flush=True)
        child.wait()
    """)
    environment = {**os.environ, "STUB_ENGINE": engine}
    parent = subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE, text=True, env=environment)
    assert parent.stdout is not None
    child, holder = (psutil.Process(int(pid)) for pid in parent.stdout.readline().split())
    try:
        parent.kill()
        parent.wait()
        with contextlib.suppress(psutil.NoSuchProcess):
            child.wait(END_S)
        assert not child.is_running()
    finally:
        holder.kill()
        parent.stdout.close()


def test_a_person_is_told_where_and_how() -> None:
    """In a terminal address and token stand on standard output, the rest on standard error; Ctrl+C ends it."""
    with started("--port", "0") as process:
        assert process.stdout is not None
        url, token = (process.stdout.readline().split()[1] for _ in range(2))
        assert url.startswith("ws://127.0.0.1:")
        assert token == TOKEN
        process.send_signal(signal.SIGINT)
        assert process.wait(END_S) == 0
        assert process.stderr is not None
        said = process.stderr.read()
        assert "Serving scripted-llm" in said
        assert "Traceback" not in said
        assert TOKEN not in said


def test_a_port_in_use_is_known_before_models_load() -> None:
    """Nothing is loaded for a server that could not listen."""
    with started("--port", "0") as first:
        assert first.stdout is not None
        port = first.stdout.readline().rpartition(":")[2].partition("/")[0]
        begun = time.monotonic()
        with started("--child", "--port", port, STUB_ENGINE="hangs") as second:
            failed = reports(second, "failed")
            assert len(failed) == 1
            assert port in failed[0]["failed"]["message"]
            assert second.wait(END_S) == 1
        assert time.monotonic() - begun < 60


def test_nothing_listens_beyond_this_machine() -> None:
    """The process listens on loopback, on one port."""
    with started("--child") as process:
        reports(process, "ready")
        listening = [c for c in psutil.Process(process.pid).net_connections("inet") if c.status == "LISTEN"]
        assert [connection.laddr.ip for connection in listening] == ["127.0.0.1"]


def peak_bytes(process: subprocess.Popen[str]) -> int:
    """The most memory that a process ever had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text(encoding="ascii"))
    assert found is not None
    return 1024 * int(found[1])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a process's peak of memory is read in Linux's /proc")
def test_a_deflate_bomb_costs_nothing() -> None:
    """300 MB that compress to 300 kB are cut off at the limit of 16 MiB, and never were in the server's memory."""
    with started("--child") as process:
        url = reports(process, "ready")[-1]["ready"]["url"]
        with connect(url, additional_headers={"Authorization": f"Bearer {TOKEN}"}, proxy=None) as socket:
            assert json.loads(socket.recv(timeout=END_S))["type"] == "session.created"
            assert socket.response is not None
            assert "permessage-deflate" in socket.response.headers["Sec-WebSocket-Extensions"]
            before = peak_bytes(process)
            with contextlib.suppress(ConnectionClosed):  # cut off in the middle
                socket.send(itertools.repeat(" " * 1_000_000, 300))
            with pytest.raises(ConnectionClosed) as caught:
                socket.recv(timeout=END_S)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1009
        assert peak_bytes(process) - before < 60_000_000  # 17.6 MB were measured
