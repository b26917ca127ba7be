"""Many inputs, each answered in a session of its own; paced, resumable, and a DataFrame in the end.

>>> import realtime_nb as rt
>>> answers = rt.batch(["Name a river.", "Name a lake."], to="local", folder="answers")  # doctest: +SKIP
>>> answers[["input", "text", "cost_usd"]]  # doctest: +SKIP
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from realtime_nb.connection import Plan, planned
from realtime_nb.display import ProgressView
from realtime_nb.errors import AudioError, ConfigError, RealtimeError
from realtime_nb.local import Progress
from realtime_nb.portal import call_on, portal
from realtime_nb.protocol.events import ResponseParams
from realtime_nb.session.actor import ANSWER_S
from realtime_nb.session.config import ResponseConfig, response_params
from realtime_nb.session.parts import Said, sort_parts
from realtime_nb.turn import Turn

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.audio import Audio

__all__ = ["COLUMNS", "Job", "batch", "run"]

COLUMNS = {
    "status": "string", "text": "string", "transcript": "string", "audio_s": "float64",
    "first_text_ms": "float64", "first_audio_ms": "float64", "total_ms": "float64",
    "input_tokens": "Int64", "cached_tokens": "Int64", "output_tokens": "Int64",
    "cost_usd": "float64", "error": "string",
}  # fmt: skip
"""What is told of each answer, and its dtype; the same when nothing was answered."""
RESULTS = "results.jsonl"


@dataclass(eq=False)
class Job:
    """One input for one session.

    Parameters
    ----------
    parts : tuple
        What is said.
    options : mapping
        Of :func:`realtime_nb.connect`.
    labels : dict
        Its own columns.
    response : ResponseConfig, optional
        What the response is to do otherwise.
    """

    parts: tuple[Any, ...]
    options: Mapping[str, Any]
    labels: dict[str, Any]
    response: ResponseConfig | None = None
    turn: Turn | None = None
    error: BaseException | None = None
    known: dict[str, Any] | None = None
    """Its row, from a run before."""
    plan: Plan | None = field(default=None, repr=False)
    said: Said | None = field(default=None, repr=False)
    params: ResponseParams = field(default_factory=ResponseParams, repr=False)

    def prepare(self) -> None:
        """Check it, on the caller's thread: a figure is drawn there. What is wrong with it is its error."""
        if self.plan is not None or self.error is not None:
            return
        try:
            self.plan = planned(**self.options)
            self.said = sort_parts(self.parts, self.plan.card, format=self.plan.input_format)
            self.params = response_params(self.response or {}, self.plan.card)
        except RealtimeError as error:
            self.error = error

    async def answer(self, view: ProgressView, timeout_s: float) -> None:
        """Open its session, say it, and close; whatever goes wrong is its error."""
        if self.plan is None or self.said is None or self.error is not None:
            return
        try:
            session = await self.plan.open(view)
            try:
                self.turn = await session.actor.say(self.said, self.params, timeout_s, self._shown)
            finally:
                await session.close()
        except Exception as error:  # noqa: BLE001 - a generator's own, too: the answers of the others stay
            self.error = error

    def _shown(self, turn: Turn) -> None:
        self.turn = turn

    @property
    def done(self) -> bool:
        """Whether it has come to an end, good or bad."""
        return self.known is not None or self.error is not None or (self.turn is not None and self.turn.done)

    @property
    def audio(self) -> Audio | None:
        """The answer's sound, if there is one."""
        return self.turn.audio if self.turn is not None and self.turn.audio else None

    def row(self) -> dict[str, Any]:
        """Its labels, and what is told of its answer."""
        return {**self.labels, **(self.known or self._facts())}

    def _facts(self) -> dict[str, Any]:
        turn = self.turn
        if turn is None or not turn.replies:
            return {"status": "cancelled" if self.error is None else "failed", "error": _words(self.error)}
        usage, waits = turn.usage, turn.latency
        sound = turn.audio
        return {
            "status": "failed" if self.error is not None else turn.status,
            "text": turn.text or None, "transcript": turn.transcript, "audio_s": sound.duration_s if sound else None,
            "first_text_ms": waits.first_text_ms, "first_audio_ms": waits.first_audio_ms, "total_ms": waits.total_ms,
            "input_tokens": usage.input_tokens, "cached_tokens": usage.input_token_details.cached_tokens,
            "output_tokens": usage.output_tokens, "cost_usd": turn.cost_usd, "error": _words(self.error),
        }  # fmt: skip


def _words(error: BaseException | None) -> str | None:
    return None if error is None else f"{type(error).__name__}: {error.args[0] if error.args else error}"


# ---------------------------------------------------------------- running
def run(
    jobs: Sequence[Job],
    *,
    parallel: int,
    timeout_s: float,
    ended: Callable[[Job], object] = lambda _job: None,
    budget_usd: float | None = None,
) -> None:
    """Answer every job that is not done; an *Interrupt* ends it, and what is done stays.

    Parameters
    ----------
    jobs : sequence of Job
        They get their turns and errors.
    parallel : int
        How many sessions at a time.
    timeout_s : float
        How long a server may be silent.
    ended : callable
        Told of each job that has come to its end, on the session's thread.
    budget_usd : float, optional
        What all of them together may spend: one after another, each has what the others left.

    Raises
    ------
    ConfigError, Unsupported
        `parallel` is no number of sessions, or no job's options are good: nothing was asked.
    """
    if type(parallel) is not int or parallel < 1:
        fact = f"parallel={parallel!r} is no number of sessions: it is 1 or more"
        raise ConfigError(fact, hint='rt.batch(["Hello."], parallel=2)')
    todo = [job for job in jobs if not job.done]
    for job in todo:
        job.prepare()
    wrong = next((job.error for job in todo if job.plan is None), None)
    if wrong is not None and all(job.plan is None for job in todo):
        raise wrong
    view = ProgressView()
    try:
        with contextlib.suppress(KeyboardInterrupt):  # what is done is what was asked for, as far as it came
            at_once = parallel if budget_usd is None else 1
            work = _answer_all(todo, at_once, timeout_s, view, ended=ended, budget_usd=budget_usd)
            call_on(portal().loop, work, beat=view.draw)
    finally:
        view.close()
        for job in todo:
            if job.plan is not None:
                job.plan.tell()


async def _answer_all(
    jobs: Sequence[Job],
    parallel: int,
    timeout_s: float,
    view: ProgressView,
    *,
    ended: Callable[[Job], object],
    budget_usd: float | None,
) -> None:
    room = asyncio.Semaphore(parallel)
    count, spent_usd = 0, 0.0

    async def one(job: Job) -> None:
        nonlocal count, spent_usd
        async with room:
            if budget_usd is not None and job.plan is not None:
                job.plan.guard.budget_usd = max(0.0, budget_usd - spent_usd)
            await job.answer(view, timeout_s)
            if budget_usd is not None and job.turn is not None:
                spent_usd += job.turn.cost_usd
        count += 1
        view.note(Progress("", f"{count} of {len(jobs)} answered", count / len(jobs)))
        ended(job)

    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(one(job))


def frame_of(jobs: Sequence[Job], labels: Iterable[str]) -> pd.DataFrame:
    """All jobs, one row each.

    Parameters
    ----------
    jobs : sequence of Job
        Run.
    labels : iterable of str
        Their own columns.

    Returns
    -------
    pandas.DataFrame
        The labels, then :data:`COLUMNS`.
    """
    import pandas as pd

    return pd.DataFrame([job.row() for job in jobs], columns=[*labels, *COLUMNS]).astype(COLUMNS)


# ---------------------------------------------------------------- batch
def batch(
    inputs: Iterable[Any],
    *,
    folder: str | os.PathLike[str] | None = None,
    parallel: int = 2,
    response: ResponseConfig | None = None,
    timeout_s: float = ANSWER_S,
    **options: Any,
) -> pd.DataFrame:
    """Answer many inputs, each in a session of its own.

    Parameters
    ----------
    inputs : iterable
        Each is what ``session.say`` takes (a text, a sound, a picture, a path), or a tuple of several.
    folder : path, optional
        Keeps ``results.jsonl``, a line an answer, and the sounds. Run again with it, and only
        what has no good answer yet is asked.
    parallel : int
        How many sessions at a time; one, where ``budget_usd`` holds for all.
    response : ResponseConfig, optional
        What the responses are to do otherwise.
    timeout_s : float
        How long a server may be silent, in seconds.
    **options
        Those of :func:`realtime_nb.connect`: ``to``, ``model``, ``instructions``, ... ``tier``
        makes responses wait for the rate limits; ``budget_usd`` is for all of them together.

    Returns
    -------
    pandas.DataFrame
        One row an input, in order: ``input``, ``status``, ``text``, ``transcript``, ``audio_s``,
        ``first_text_ms``, ``first_audio_ms``, ``total_ms``, ``input_tokens``, ``cached_tokens``,
        ``output_tokens``, ``cost_usd``, ``error``; with a folder ``audio``, the sound's file in it.
        What failed has its error; after an *Interrupt*, what was not answered is ``cancelled``.

    Raises
    ------
    ConfigError, Unsupported
        `inputs` is a single one, `parallel` no number of sessions, or an option is wrong.
    """
    jobs = [_job(each, options, response) for each in _several(inputs)]
    shelf = None if folder is None else _Shelf(Path(folder), options, response)
    if shelf is not None:
        shelf.recall(jobs)
    ended = (lambda _job: None) if shelf is None else shelf.keep
    run(jobs, parallel=parallel, timeout_s=timeout_s, ended=ended, budget_usd=options.get("budget_usd"))
    return frame_of(jobs, ["input", "audio"] if shelf is not None else ["input"])


def _several(inputs: Iterable[Any]) -> Iterable[Any]:
    from realtime_nb.audio import Audio

    if isinstance(inputs, str | bytes | os.PathLike | Mapping | Audio):
        raise ConfigError(f"batch() got one {type(inputs).__name__}: it takes a list", hint='rt.batch(["Hello."])')
    return inputs


def _job(given: Any, options: Mapping[str, Any], response: ResponseConfig | None) -> Job:
    parts = tuple(given) if isinstance(given, tuple | list) else (given,)
    return Job(parts, options, {"input": " + ".join(map(_named, parts))}, response)


def _named(part: Any) -> str:
    if isinstance(part, str):
        return part
    return Path(part).name if isinstance(part, os.PathLike) else repr(part)


def _name_of(value: Any) -> str:
    """A function by its name: made again by the same cell, it is the same."""
    return str(getattr(value, "__qualname__", None) or repr(value))


class _Shelf:
    """What was answered in earlier runs, and the sounds."""

    def __init__(self, folder: Path, options: Mapping[str, Any], response: ResponseConfig | None) -> None:
        self._folder = folder.expanduser()
        self._folder.mkdir(parents=True, exist_ok=True)
        told = {name: value for name, value in options.items() if name not in {"api_key", "budget_usd", "tier", "log"}}
        self._setting = json.dumps([told, response], sort_keys=True, default=_name_of)
        self._keys: dict[int, str] = {}

    def recall(self, jobs: Sequence[Job]) -> None:
        """Give the jobs that have a good answer already their rows."""
        rows = self._rows()
        for job in jobs:
            job.prepare()
            key = self._keys[id(job)] = self._key(job)
            if key in rows:
                job.known = {name: rows[key].get(name) for name in COLUMNS}
                job.labels["audio"] = rows[key].get("audio")

    def _rows(self) -> dict[str, dict[str, Any]]:
        path = self._folder / RESULTS
        text = path.read_text("utf-8") if path.is_file() else ""
        if text and not text.endswith("\n"):  # a run was killed in the middle of a line: the next one is not to join it
            with path.open("a", encoding="utf-8") as file:
                file.write("\n")
        rows: dict[str, dict[str, Any]] = {}
        for line in text.splitlines():
            with contextlib.suppress(json.JSONDecodeError):
                row = json.loads(line)
                rows[row["key"]] = row
        return rows

    def _key(self, job: Job) -> str:
        if job.said is None or job.said.live is not None:
            return secrets.token_hex(8)  # what a generator gives is not known beforehand: it is never the same
        message = job.said.message
        return hashlib.sha256(self._setting.encode() + msgspec.json.encode(message)).hexdigest()[:16]

    def keep(self, job: Job) -> None:
        """Write a good answer down; a disk that fails ends neither the batch nor what is known of it."""
        try:
            self._write(job)
        except (OSError, AudioError) as error:
            warnings.warn(f"An answer is not kept in {str(self._folder)!r}: {error}", stacklevel=2)

    def _write(self, job: Job) -> None:
        """Its sound first, so that a line never names a file that is not there."""
        row, key = job.row(), self._keys[id(job)]
        if row["status"] != "completed":
            return
        if (sound := job.audio) is not None:
            sound.save(self._folder / f"{key}.wav")
            job.labels["audio"] = row["audio"] = f"{key}.wav"
        with (self._folder / RESULTS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": key, **row}, ensure_ascii=False) + "\n")
