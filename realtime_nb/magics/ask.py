"""The cells that speak to the model: ``%%ask`` and ``%%say``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from IPython.core.magic import MAGIC_NO_VAR_EXPAND_ATTR

from realtime_nb.errors import ConfigError
from realtime_nb.magics.cell import check_runs, plainly, run_cell
from realtime_nb.magics.holder import Holder, tell
from realtime_nb.magics.line import Grammar, Line, read_line
from realtime_nb.magics.tap import Basket, Tap
from realtime_nb.magics.watch import Watch
from realtime_nb.turn import Turn

__all__ = ["ASK", "MAX_PIECES", "SAY", "Asking"]

F = TypeVar("F", bound=Callable[..., Any])

ASK = Grammar(
    "%%ask",
    "%%ask What stands out here?",
    values=frozenset({"--rate"}),
    flags=frozenset({"--prose", "--code"}),
    verbatim=True,
)
SAY = Grammar("%%say", "%%say --voice marin", values=frozenset({"--voice"}))
MAX_PIECES = 16
"""Pictures and sounds of one cell: a loop that draws must not become a bill."""


def verbatim(magic: F) -> F:
    """Keep IPython from filling ``{...}`` and ``$...`` in a magic's line: a question is a person's own words."""
    setattr(magic, MAGIC_NO_VAR_EXPAND_ATTR, True)
    return magic


class Asking:
    """``%%ask`` and ``%%say``.

    Parameters
    ----------
    shell : InteractiveShell
        Where the cells run.
    holder : Holder
        Which session is asked.
    tap : Tap
        Where what a cell shows comes by.
    watch : Watch
        Leaves out what is sent here.
    """

    def __init__(self, shell: Any, holder: Holder, tap: Tap, watch: Watch) -> None:
        self._shell = shell
        self._holder = holder
        self._tap = tap
        self._watch = watch

    @verbatim
    def ask(self, line: str, cell: str) -> Turn:
        """Run the cell, and ask the model about what it shows.

        ``%%ask [--prose | --code] [--rate HZ] QUESTION``

        Figures, pictures and sounds that the cell shows are sent with the question;
        the answer comes under them. If the cell raises, nothing is sent.

        --prose     send the cell's text itself; it is not run
        --code      send the cell's source as well
        --rate HZ   arrays that are shown are sounds of so many samples per second
        """
        with plainly():
            given = read_line(line, ASK)
            session = self._holder.session()
            session.aio.actor.link.check_open()  # before a long cell runs for nothing
            if "--prose" in given.options:
                return session.say(*_prose(given, cell))
            basket = _basket(given)
            check_runs(self._shell, cell)
        self._watch.skip()
        with self._tap.into(basket):
            run_cell(self._shell, cell)
        with plainly():
            return session.say(*_shown(given, basket, cell))

    def say(self, line: str, cell: str) -> Turn:
        """Say the cell's text to the model; it answers aloud.

        ``%%say [--voice V]``

        --voice V   the voice of this answer
        """
        with plainly():
            given = read_line(line, SAY)
            if given.text:
                raise ConfigError(
                    f"%%say got {given.text!r} on its own line: what is said stands below it", hint=SAY.example
                )
            voice = given.options.get("--voice")
            return self._holder.session().say(_words(cell), response={"voice": voice} if voice else None)


def _basket(given: Line) -> Basket:
    if not given.text:
        raise ConfigError("%%ask got no question: it stands on the same line", hint=ASK.example)
    rate = given.options.get("--rate")
    if rate is not None and not rate.replace("_", "").isdecimal():
        raise ConfigError(
            f"%%ask got --rate {rate}: it is samples per second", hint="%%ask --rate 48000 What is heard?"
        )
    return Basket(None if rate is None else int(rate))


def _prose(given: Line, cell: str) -> list[str]:
    clash = given.options.keys() & {"--code", "--rate"}
    if clash:
        raise ConfigError(
            f"%%ask got --prose and {min(clash)}: prose is not run, so there is neither source nor sound",
            hint="%%ask --prose Is this clear?",
        )
    return [_words(text) for text in (given.text, cell) if text]


def _shown(given: Line, basket: Basket, cell: str) -> list[Any]:
    """The question, the source where it is wanted, and what the cell showed."""
    for note in basket.notes:
        tell(f"not sent: {note}")
    if len(basket.pieces) > MAX_PIECES:
        raise ConfigError(
            f"The cell showed {basket}: %%ask sends {MAX_PIECES} at most, and nothing was sent.",
            hint=f"figures[-1]  # show {MAX_PIECES} or fewer",
        )
    source = [f"The cell's source:\n```python\n{cell.strip()}\n```"] if "--code" in given.options else []
    if not basket.pieces and not source:
        raise ConfigError(
            "The cell showed no figure, picture or sound, so nothing was sent: %%ask sends what a cell shows. "
            "Arrays are sounds only with --rate.",
            hint=f"%%ask --code {given.text}",
        )
    return [_words(given.text), *source, *basket.pieces]


def _words(text: str) -> str:
    """A text that stays one: `say` takes a lone ``plot.png`` for the file of that name."""
    text = text.strip()
    return text if re.search(r"\s", text) else f"{text}\n"
