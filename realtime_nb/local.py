"""The embedded engine as the client sees it: one child process a kernel, shared by all its sessions.

The models take a gigabyte and seconds to load, so there is one engine a kernel
for each choice of models; it stays warm until the kernel ends or :func:`stop`.
It ends with the kernel, however that ends: its standard input closes.

>>> import realtime_nb as rt
>>> session = rt.connect("local")  # doctest: +SKIP
>>> rt.local.running()  # doctest: +SKIP
[<Engine qwen2.5-coder-0.5b-instruct, pid 4711>]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from realtime_nb.errors import ModelError
from realtime_nb.portal import portal
from realtime_nb.secret import Secret

__all__ = ["Engine", "PhoneStages", "Progress", "Stages", "running", "start", "stop"]

START_S = 600.0
"""How long an engine may be silent while it starts: a slow line fetches hundreds of megabytes, but says so."""
STOP_S = 1.5
"""How long an engine may take to end by itself before it is killed."""
LINE_BYTES = 1 << 20
LAST_WORDS_BYTES = 4096
"""How much is kept of what an engine says, for the message if it fails."""


@dataclass(frozen=True)
class Stages:
    """Which models an engine uses; a name of the registry, or ``openai:http://HOST:PORT/v1#MODEL``.

    Parameters
    ----------
    asr, llm, tts : str
        What hears, what thinks and what speaks; ``auto`` takes the best this machine can carry.
    """

    asr: str = "auto"
    llm: str = "auto"
    tts: str = "auto"

    def arguments(self) -> list[str]:
        """The options of ``python -m realtime_nb.server`` that ask for them."""
        return ["--asr", self.asr, "--llm", self.llm, "--tts", self.tts]

    def environment(self) -> dict[str, str]:
        """What the child is told and other people's list of processes is not."""
        return {}


@dataclass(frozen=True, kw_only=True)
class PhoneStages(Stages):
    """An engine that takes telephone calls, and asks what becomes of them.

    Parameters
    ----------
    sip : str
        Address and port of its SIP.
    webhook : str
        Where it posts ``realtime.call.incoming``.
    secret : Secret
        Signs it.
    """

    sip: str
    webhook: str
    secret: Secret

    def arguments(self) -> list[str]:
        """The options of ``python -m realtime_nb.server`` that ask for it."""
        return [*super().arguments(), "--sip", self.sip, "--webhook", self.webhook]

    def environment(self) -> dict[str, str]:
        """The webhooks' secret."""
        return {"REALTIME_NB_WEBHOOK_SECRET": self.secret.reveal()}


@dataclass(frozen=True)
class Progress:
    """How far a starting engine is.

    Parameters
    ----------
    stage : str
        What is being made ready: ``vad``, ``asr``, ``llm``, ``tts``.
    message : str
        In words.
    fraction : float or None
        From 0 to 1, where it is known.
    """

    stage: str
    message: str
    fraction: float | None = None


Watch = Callable[[Progress], object]


class Engine:
    """A running engine child; :func:`start` gives one.

    Parameters
    ----------
    process : asyncio.subprocess.Process
        The child.
    token : Secret
        What its server asks for.
    stages : Stages
        The models it uses.
    """

    def __init__(self, process: asyncio.subprocess.Process, token: Secret, stages: Stages) -> None:
        self._process = process
        self.token = token
        self.stages = stages
        self.url = ""
        self.http = ""
        self.brain = ""
        self.sip = ""
        self._said = b""
        self._drains: list[asyncio.Task[None]] = []

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the child still runs."""
        return self._process.returncode is None

    async def until_ready(self, watch: Watch | None) -> None:
        """Follow the child's report lines until it serves; raises :class:`ModelError` if it cannot."""
        assert self._process.stdout is not None  # noqa: S101 - it was started with pipes
        assert self._process.stderr is not None  # noqa: S101 - it was started with pipes
        self._drains.append(asyncio.create_task(self._drain(self._process.stderr)))
        while not self.url:
            try:
                async with asyncio.timeout(START_S):
                    line = await self._process.stdout.readline()
            except TimeoutError:
                raise ModelError(
                    f"the local engine has said nothing for {START_S:g} s", hint="realtime-nb doctor"
                ) from None
            except ValueError:  # longer than any report: what a library prints
                continue
            if not line:
                raise await self._stillborn()
            self._take(_report(line), watch)
        self._drains.append(asyncio.create_task(self._drain(self._process.stdout)))

    def _take(self, report: dict[str, Any], watch: Watch | None) -> None:
        if (failed := report.get("failed")) is not None:
            raise ModelError(str(failed.get("message", "the local engine failed")), hint=failed.get("hint"))
        if (ready := report.get("ready")) is not None:
            self.url, self.http, self.brain = ready["url"], ready.get("http", ""), ready.get("brain", "")
            self.sip = ready.get("sip") or ""
        elif (step := report.get("progress")) is not None and watch is not None:
            watch(Progress(str(step.get("stage", "")), str(step.get("message", "")), step.get("fraction")))

    async def _drain(self, stream: asyncio.StreamReader) -> None:
        """Read a pipe to its end, so that the child never waits for us; keep its last words."""
        while data := await stream.read(LINE_BYTES):  # by lines, one that never ends would end the reading
            self._said = (self._said + data)[-LAST_WORDS_BYTES:]

    async def _stillborn(self) -> ModelError:
        await self._process.wait()
        await asyncio.gather(*self._drains)
        said = "\n".join(self._said.decode(errors="replace").splitlines()[-5:]) or "it said nothing"
        return ModelError(
            f"the local engine ended with code {self._process.returncode} before it was ready:\n{said}",
            hint="realtime-nb doctor",
        )

    async def ended(self) -> None:
        """Wait until the child has ended, by whatever."""
        await self._process.wait()

    async def stop(self) -> None:
        """End the child: ask by closing its standard input, then insist."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await asyncio.gather(*self._drains, return_exceptions=True)

    def __repr__(self) -> str:
        state = f"{self.brain or 'no brain'}, pid {self.pid}" if self.alive else "ended"
        return f"<Engine {state}>"


def _report(line: bytes) -> dict[str, Any]:
    """A report line as an object; other output of the child, a library's print, is no report."""
    try:
        report = json.loads(line)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


class _Engines:
    """The engines of this kernel; lives on the portal's loop."""

    def __init__(self) -> None:
        self._engines: dict[Stages, Engine] = {}
        self._turn = asyncio.Lock()

    async def get(self, stages: Stages, watch: Watch | None) -> Engine:
        async with self._turn:  # two cells that connect at once share one engine
            engine = self._engines.get(stages)
            if engine is None or not engine.alive:
                engine = self._engines[stages] = await _launch(stages, watch)
            return engine

    async def stop(self) -> None:
        async with self._turn:
            engines = list(self._engines.values())
            self._engines.clear()
        await asyncio.gather(*(engine.stop() for engine in engines))

    def alive(self) -> list[Engine]:
        return [engine for engine in self._engines.values() if engine.alive]


async def _launch(stages: Stages, watch: Watch | None) -> Engine:
    """Start a child and wait until it serves; on any failure nothing is left behind."""
    token = Secret(secrets.token_urlsafe(32))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *_command(stages),
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        limit=LINE_BYTES,
        env={**os.environ, **stages.environment(), "REALTIME_NB_TOKEN": token.reveal(), "PYTHONUNBUFFERED": "1"},
        start_new_session=True,  # an Interrupt of the kernel goes to its process group: not to the engine
    )
    engine = Engine(process, token, stages)
    try:
        await engine.until_ready(watch)
    except BaseException:
        await engine.stop()
        raise
    return engine


def _command(stages: Stages) -> list[str]:
    return [sys.executable, "-m", "realtime_nb.server", "--child", *stages.arguments()]


_engines: tuple[object, _Engines] | None = None


def _all() -> _Engines:
    """The engines of the portal that runs now: a forked child has its own portal, so its own engines."""
    global _engines  # noqa: PLW0603 - one set of engines a process is the point
    home = portal()
    if _engines is None or _engines[0] is not home:
        _engines = (home, _Engines())
        home.at_exit(_engines[1].stop)
    return _engines[1]


async def start(stages: Stages | None = None, *, watch: Watch | None = None) -> Engine:
    """The engine of these stages: the one that runs, or a new one.

    Parameters
    ----------
    stages : Stages, optional
        Which models; by default the best this machine can carry.
    watch : callable, optional
        Called with each :class:`Progress` while it starts, on the portal's thread.

    Returns
    -------
    Engine
        Serving; its models are warm.

    Raises
    ------
    ModelError
        When a model cannot be had or does not load; with the line that mends it.
    """
    return await portal().await_(_all().get(stages or Stages(), watch))


def stop() -> None:
    """End the engines of this kernel and give their memory back; the next ``connect`` starts afresh."""
    portal().call(_all().stop())


def running() -> list[Engine]:
    """The engines of this kernel that run now."""
    return _all().alive()
