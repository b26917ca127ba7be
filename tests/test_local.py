"""The engine child as the client sees it: one a kernel, shared, watched, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from realtime_nb import local
from realtime_nb.errors import ModelError
from realtime_nb.local import Progress, Stages
from realtime_nb.portal import portal

TELL = "import json, os, sys, time\ndef tell(**report): print(json.dumps(report), flush=True)"
READY = "tell(ready={'url': 'ws://127.0.0.1:1/v1/realtime', 'http': 'http://127.0.0.1:1', 'brain': 'stub'})"
STAY = "sys.stdin.read()"


def _script(source: list[str], stages: Stages) -> list[str]:
    return [sys.executable, "-c", "\n".join(source), *stages.arguments()]


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Replace the engine by a small script; the list is its source, one statement a line."""
    source = [TELL]
    monkeypatch.setattr(local, "_command", lambda stages: _script(source, stages))
    yield source
    local.stop()


def start(stages: Stages | None = None, watch: local.Watch | None = None) -> local.Engine:
    """An engine, by the blocking face."""
    return portal().call(local.start(stages, watch=watch))


def test_an_engine_starts_and_says_where_it_is(child: list[str]) -> None:
    """The ready line gives URL and brain; the engine runs until it is stopped."""
    child += [READY, STAY]
    engine = start()
    assert engine.url == "ws://127.0.0.1:1/v1/realtime"
    assert engine.brain == "stub"
    assert engine.alive
    assert local.running() == [engine]
    assert "stub" in repr(engine)
    local.stop()
    assert not engine.alive
    assert local.running() == []
    assert repr(engine) == "<Engine ended>"


def test_two_sessions_share_one_engine(child: list[str]) -> None:
    """Cells that connect at the same time, and later ones, get the same child."""
    child += [READY, STAY]

    async def both() -> list[local.Engine]:
        return await asyncio.gather(local.start(), local.start())

    first, second = portal().call(both())
    assert first is second is start()


def test_other_stages_are_another_engine(child: list[str]) -> None:
    """A choice of models has its own child; the choice reaches it."""
    child.append("tell(ready={'url': 'ws://h/', 'brain': ' '.join(sys.argv[1:])})")
    child.append(STAY)
    chosen = start(Stages(llm="small"))
    assert chosen.brain == "--asr auto --llm small --tts auto"
    assert start() is not chosen


def test_an_engine_that_died_is_started_again(child: list[str]) -> None:
    """The next connection after a crash gets a fresh child."""
    child += [READY, STAY]
    engine = start()
    os.kill(engine.pid, signal.SIGKILL)

    async def ended() -> None:
        while engine.alive:  # noqa: ASYNC110 - the loop learns of it by its own watcher
            await asyncio.sleep(0.005)

    portal().call(asyncio.wait_for(ended(), 60))  # type: ignore[arg-type]
    assert start() is not engine


def test_progress_is_reported_in_order(child: list[str]) -> None:
    """What the child says about its loading reaches the watcher."""
    child.append("tell(progress={'stage': 'llm', 'message': 'fetching', 'fraction': 0.4})")
    child.append("print('a library says hello', flush=True)")
    child.append("tell(progress={'stage': 'tts', 'message': 'warming'})")
    child += [READY, STAY]
    seen: list[Progress] = []
    start(watch=seen.append)
    assert seen == [Progress("llm", "fetching", 0.4), Progress("tts", "warming", None)]


def test_a_failure_comes_with_its_hint(child: list[str]) -> None:
    """A model that cannot be had is a ModelError with the line that mends it, and no child stays."""
    child.append("tell(failed={'message': 'no weights', 'hint': 'realtime-nb models fetch'})")
    child.append(STAY)
    with pytest.raises(ModelError, match="no weights") as caught:
        start()
    assert caught.value.hint == "realtime-nb models fetch"
    assert local.running() == []


def test_a_crash_at_the_start_shows_the_last_words(child: list[str]) -> None:
    """A child that dies before it is ready is an error with its code and what it wrote."""
    child.append("sys.exit('cannot import the engine')")
    with pytest.raises(ModelError, match=r"(?s)code 1.*cannot import the engine") as caught:
        start()
    assert caught.value.hint


def test_what_an_engine_says_without_end_is_read(child: list[str]) -> None:
    """A line of megabytes on its standard error holds it up no more than any other, nor does one among its reports."""
    child.append("sys.stderr.write('.' * 3_000_000); sys.stderr.flush()")
    child.append("print('.' * 3_000_000, flush=True)")
    child.append("sys.stderr.write('so much for that\\n' * 100_000); sys.stderr.flush()")
    child += [READY, STAY]
    assert start().alive


def test_the_token_travels_in_the_environment_only(child: list[str]) -> None:
    """The child's token is not on its command line, where every user could read it."""
    child.append("secret = os.environ['REALTIME_NB_TOKEN']")
    child.append("shown = secret in ' '.join(sys.argv)")
    child.append("tell(ready={'url': 'ws://h/', 'brain': f'{shown} {len(secret) >= 40}'})")
    child.append(STAY)
    engine = start()
    assert engine.brain == "False True"
    assert engine.token.reveal() not in repr(engine.token)


def test_an_engine_that_will_not_end_is_killed(child: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopping does not wait for a child that ignores its closed input."""
    monkeypatch.setattr(local, "STOP_S", 0.05)
    child.append("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    child += [READY, STAY]
    child.append("while True: time.sleep(1)")
    engine = start()
    local.stop()
    assert not engine.alive


def test_an_engine_that_says_nothing_is_given_up(child: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for it learns what to do, and no child is left."""
    monkeypatch.setattr(local, "START_S", 0.05)
    child.append(STAY)
    with pytest.raises(ModelError, match=r"said nothing for 0\.05 s") as caught:
        start()
    assert caught.value.hint == "realtime-nb doctor"
    assert local.running() == []


def test_interrupt_while_it_starts_leaves_no_child(child: list[str], tmp_path: Path) -> None:
    """An Interrupt during loading ends the half-started child."""
    note = tmp_path / "pid"
    child.append(f"open({str(note)!r}, 'w').write(str(os.getpid()))")
    child.append("tell(progress={'stage': 'llm', 'message': 'loading'})")
    child.append(STAY)
    loading = threading.Event()

    def press() -> None:
        loading.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=press).start()
    with pytest.raises(KeyboardInterrupt):
        start(watch=lambda _: loading.set())
    assert not psutil.pid_exists(int(note.read_text()))


def test_the_child_dies_with_a_killed_kernel(tmp_path: Path) -> None:
    """When the kernel is killed outright, its engine's input closes and the engine ends."""
    note = tmp_path / "pid"
    kernel = textwrap.dedent(
        f"""
        import os, signal, sys
        from realtime_nb import local
        from realtime_nb.portal import portal
        child = '''import json, os, sys
        open({str(note)!r}, "w").write(str(os.getpid()))
        print(json.dumps({{"ready": {{"url": "ws://h/"}}}}), flush=True)
        sys.stdin.read()'''
        local._command = lambda stages: [sys.executable, "-c", child.replace("\\n        ", "\\n")]
        portal().call(local.start())
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    ended = subprocess.run([sys.executable, "-c", kernel], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    with contextlib.suppress(psutil.NoSuchProcess):  # it is gone already
        psutil.Process(int(note.read_text())).wait(60)
