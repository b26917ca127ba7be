"""One prompt, many settings: the answers side by side, to be heard and counted.

>>> import realtime_nb as rt
>>> rt.compare("Name three rivers.", over={"voice": ["marin", "cedar"]}, to="local")  # doctest: +SKIP
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from realtime_nb import recorders
from realtime_nb.audio.player import player_html
from realtime_nb.batching import Job, frame_of, run
from realtime_nb.display import plain
from realtime_nb.errors import ConfigError
from realtime_nb.session.actor import ANSWER_S
from realtime_nb.session.config import ResponseConfig

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.turn import Turn

__all__ = ["Comparison", "compare"]


class Comparison:
    """The answers to one prompt under several settings; shown by itself, a gallery.

    Parameters
    ----------
    jobs : sequence of Job
        Run.
    names : sequence of str
        What was varied.
    """

    def __init__(self, jobs: Sequence[Job], names: Sequence[str]) -> None:
        self._jobs = jobs
        self._names = names

    @property
    def frame(self) -> pd.DataFrame:
        """One row a setting: what was varied, then status, text, lengths, latencies, tokens, cost, error."""
        return frame_of(self._jobs, self._names)

    @property
    def turns(self) -> list[Turn | None]:
        """The answers, in the frame's order; None where none came about."""
        return [job.turn for job in self._jobs]

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Turn | None]:
        return iter(self.turns)

    def __getitem__(self, index: int) -> Turn | None:
        return self.turns[index]

    def __repr__(self) -> str:
        columns = [*self._names, "status", "text", "first_audio_ms", "cost_usd"]
        return plain(self.frame[columns].to_string(max_colwidth=48))

    def _repr_html_(self) -> str:
        cards = "".join(map(self._card, self._jobs))
        return (
            '<div class="rtnb-comparison" style="display:grid;gap:12px;'
            f'grid-template-columns:repeat(auto-fill,minmax(22em,1fr))">{cards}</div>'
        )

    def _card(self, job: Job) -> str:
        row = job.row()
        title = ", ".join(f"{name} {row[name]}" for name in self._names)
        words = plain(row.get("text") or row.get("error") or "")
        player = "" if job.audio is None else player_html(job.audio, voice="model")
        return (
            '<div style="border:1px solid #8886;border-radius:6px;padding:8px">'
            f'<div style="font-weight:600">{escape(plain(title))}</div>'
            f'<div style="white-space:pre-wrap;max-height:12em;overflow:auto">{escape(words)}</div>{player}'
            f'<div class="rtnb-facts" style="font-size:12px;opacity:.7">{escape(_facts(row))}</div></div>'
        )


def _facts(row: Mapping[str, Any]) -> str:
    facts = [str(row["status"])]
    if row.get("first_audio_ms") is not None:
        facts.append(f"first audio {row['first_audio_ms']:,.0f} ms")
    if row.get("output_tokens"):
        facts.append(f"{row['input_tokens']:,} + {row['output_tokens']:,} tokens")
        if not math.isnan(row["cost_usd"]):
            facts.append(f"${row['cost_usd']:.6f}")
    return " · ".join(facts)


def compare(
    prompt: Any,
    over: Mapping[str, Sequence[Any]],
    *,
    parallel: int = 1,
    response: ResponseConfig | None = None,
    timeout_s: float = ANSWER_S,
    **options: Any,
) -> Comparison:
    """Say the same thing under several settings, and put the answers side by side.

    Parameters
    ----------
    prompt : str, Audio, path, picture, or a tuple of several
        What ``session.say`` takes.
    over : mapping of str to sequence
        What is varied, by the names of :func:`realtime_nb.connect`:
        ``{"voice": ["marin", "cedar"], "model": [...], "turn_detection": [...]}``.
        All combinations are tried, each in a session of its own. A sound is streamed where
        ``turn_detection`` is varied, for only then does the server listen for its end.
    parallel : int
        How many sessions at a time; at one, latencies are not each other's.
    response : ResponseConfig, optional
        What the responses are to do otherwise.
    timeout_s : float
        How long a server may be silent, in seconds.
    **options
        The other options of :func:`realtime_nb.connect`, for all; ``tier`` makes responses
        wait for the rate limits, ``budget_usd`` is for each session.

    Returns
    -------
    Comparison
        ``.frame`` is a DataFrame; in a notebook, a gallery with players. What failed is a row
        with its error; after an *Interrupt*, what was not answered is ``cancelled``.

    Raises
    ------
    ConfigError
        There is nothing to vary, or an option is both varied and fixed.
    """
    names = list(over)
    _check(over, options)
    jobs = []
    for values in itertools.product(*over.values()):
        chosen = dict(zip(names, values, strict=True))
        parts = _parts(prompt, streamed="turn_detection" in over)
        labels = {name: _label(value) for name, value in chosen.items()}
        jobs.append(Job(parts, {**options, **chosen}, labels, response))
    run(jobs, parallel=parallel, timeout_s=timeout_s)
    return Comparison(jobs, names)


def _check(over: Mapping[str, Sequence[Any]], options: Mapping[str, Any]) -> None:
    hint = 'rt.compare("Hello.", over={"voice": ["marin", "cedar"]})'
    if not over:
        raise ConfigError("compare() got nothing to vary", hint=hint)
    for name, values in over.items():
        if isinstance(values, str | bytes | Mapping) or not values:
            fact = f"compare() got over[{name!r}] = {values!r}: it is a list of at least one value"
            raise ConfigError(fact, hint=hint)
        if name in options:
            raise ConfigError(f"compare() got {name!r} both to vary and as it is for all: it is one of them", hint=hint)


def _parts(prompt: Any, *, streamed: bool) -> tuple[Any, ...]:
    from realtime_nb.audio import Audio
    from realtime_nb.audio.coerce import is_audio_like

    parts = tuple(prompt) if isinstance(prompt, tuple | list) else (prompt,)
    if streamed and len(parts) == 1 and is_audio_like(parts[0]) and not recorders.live(parts[0]):
        return (iter(Audio.coerce(parts[0], caller="compare()").chunks()),)
    return parts


def _label(value: Any) -> Any:
    if isinstance(value, Mapping):
        return json.dumps(dict(value), default=repr)
    return value if isinstance(value, str | int | float) else repr(value)
