"""What a waiting cell shows: the words as they come, and how far a starting engine is.

Everything here runs on the thread that waits, between the beats of its wait; the
session's own thread never draws. In a notebook one output is updated in place
(``display_id``); in a terminal nothing is printed unless asked for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from html import escape
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from realtime_nb.errors import ConfigError

if TYPE_CHECKING:
    from realtime_nb.local import Progress
    from realtime_nb.turn import Turn

__all__ = [
    "Output",
    "ProgressView",
    "Screen",
    "Show",
    "Showing",
    "cell_number",
    "facts_html",
    "in_notebook",
    "plain",
    "screen_for",
]

Show = bool | Callable[[str], object] | None
"""True, False, None (only in a notebook), or a function that is given each new piece of text."""


class Screen(Protocol):
    """Where a turn is seen while it comes."""

    def update(self, turn: Turn) -> None:
        """Draw what is new."""
        ...

    def finish(self, turn: Turn) -> None:
        """Draw it as it stays."""
        ...


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this code."""
    return getattr(_shell(), "kernel", None) is not None


def cell_number() -> int | None:
    """The number of the cell that runs; None outside IPython."""
    number = getattr(_shell(), "execution_count", None)
    return number if isinstance(number, int) else None


def _shell() -> Any:
    ipython = sys.modules.get("IPython")  # not loaded: then nobody runs in it
    return None if ipython is None else ipython.get_ipython()


def screen_for(show: Show) -> Screen:
    """The screen that `show` asks for.

    Parameters
    ----------
    show : bool, callable or None
        See :data:`Show`.

    Returns
    -------
    Screen
        Yet empty.

    Raises
    ------
    ConfigError
        `show` is something else.
    """
    if callable(show):
        return _Words(show)
    if show not in (True, False, None):
        raise ConfigError(
            f"show={show!r} is neither True, False, None nor a function of the new text",
            hint='session.say("Hello.", show=print)',
        )
    if show is False or (show is None and not in_notebook()):
        return _Nothing()
    return _Cell() if in_notebook() else _Words(_write)


class Showing:
    """Shows one turn from its first word to its end, however it ends: a context manager round the wait.

    Parameters
    ----------
    show : bool, callable or None
        See :data:`Show`.
    """

    def __init__(self, show: Show) -> None:
        self._screen = screen_for(show)
        self._turn: Turn | None = None

    def watch(self, turn: Turn) -> None:
        """Take the turn, from any thread."""
        self._turn = turn

    def draw(self) -> None:
        """Draw what is new, on the thread that waits."""
        if self._turn is not None:
            self._screen.update(self._turn)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._turn is not None:
            self._screen.finish(self._turn)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def plain(text: str) -> str:
    """`text` without control characters, which could move a terminal's cursor or hide what is said."""
    return _CONTROL.sub("", text)


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""C0 and C1 but tab and newline, surrogates, and overrides of the writing direction."""


class _Nothing:
    def update(self, turn: Turn) -> None:
        """Draw nothing."""

    def finish(self, turn: Turn) -> None:
        """Draw nothing."""


class _Words:
    """Gives each new piece of text to a function."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._told = 0

    def update(self, turn: Turn) -> None:
        """Tell what is new."""
        text = plain(turn.text)
        if len(text) > self._told:
            self._tell(text[self._told :])
            self._told = len(text)

    def finish(self, turn: Turn) -> None:
        """Tell the rest, and end the line on a terminal."""
        self.update(turn)
        if self._tell is _write and self._told:
            self._tell("\n")


class Output:
    """One output of the cell, made at the first drawing and replaced by each later one."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._last: tuple[str, str] | None = None

    @property
    def drawn(self) -> bool:
        """Whether it stands somewhere already."""
        return self._last is not None

    def draw(self, text: str, html: str) -> None:
        """Show `html`, or `text` where there is none; nothing happens if that is shown already.

        Parameters
        ----------
        text, html : str
            The same in both forms. The first time it must be the cell's own thread; after that, any.
        """
        if (text, html) == self._last:
            return
        self._last = text, html
        data = {"text/plain": text, "text/html": html}
        if self._handle is None:
            from IPython.display import display

            self._handle = display(data, raw=True, display_id=True)  # type: ignore[no-untyped-call]  # IPython has no types
        else:
            self._handle.update(data, raw=True)


class _Cell:
    """Shows the words in the cell's output; in the end, the whole turn."""

    def __init__(self) -> None:
        self._output = Output()

    def update(self, turn: Turn) -> None:
        """Draw the words so far, once there are any."""
        heard, text = plain(turn.transcript or ""), plain(turn.text) or turn.waits
        if heard or text:
            self._output.draw(text, words_html(heard, text))

    def finish(self, turn: Turn) -> None:
        """Draw the turn with its player and figures; the cell's own result need not draw it again."""
        self._output.draw(repr(turn), turn._repr_html_())
        turn.shown_in = cell_number()


def words_html(heard: str, text: str) -> str:
    """What was heard, and the reply to it, as HTML.

    Parameters
    ----------
    heard : str
        The user's words; may be empty.
    text : str
        The reply's words, so far.

    Returns
    -------
    str
        Escaped; needs no style sheet to be read.
    """
    said = f'<div class="rtnb-heard" style="opacity:.7">{escape(heard)}</div>' if heard else ""
    return f'<div class="rtnb-words" style="max-width:46em;white-space:pre-wrap">{said}<div>{escape(text)}</div></div>'


def facts_html(kind: str, caption: str, facts: Mapping[str, str]) -> str:
    """A table of what a person wants to know of a thing.

    Parameters
    ----------
    kind : str
        Names it for style sheets: the table's class is ``rtnb-`` and this.
    caption : str
        What it is.
    facts : mapping of str to str
        By name; escaped.

    Returns
    -------
    str
        Needs no style sheet to be read.
    """
    rows = "".join(
        f'<tr><th style="text-align:left">{name}</th><td style="text-align:left">{escape(fact)}</td></tr>'
        for name, fact in facts.items()
    )
    return f'<table class="rtnb-{kind}"><caption>{caption}</caption>{rows}</table>'


class ProgressView:
    """Shows how far a starting engine is; call :meth:`note` from any thread, :meth:`draw` from the waiting one."""

    def __init__(self) -> None:
        self._now: Progress | None = None
        self._output = Output() if in_notebook() else None
        self._bar: Any = None

    def note(self, progress: Progress) -> None:
        """Remember the newest step."""
        self._now = progress

    def draw(self) -> None:
        """Draw the newest step: in the cell, or on a terminal's error stream."""
        step = self._now
        if step is None:
            return
        words = plain(f"{step.stage}: {step.message}" if step.stage else step.message)
        if self._output is not None:
            self._output.draw(words, _progress_html(words, step.fraction))
        elif sys.stderr is not None and sys.stderr.isatty():
            self._draw_bar(words, step.fraction)

    def _draw_bar(self, words: str, fraction: float | None) -> None:
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=100, bar_format="{desc} {bar:20} {n:.0f}%", leave=False)
        self._bar.set_description_str(words, refresh=False)
        self._bar.n = 100 * (fraction or 0)
        self._bar.refresh()

    def close(self) -> None:
        """Take the bar away; nobody needs it once the engine runs."""
        if self._bar is not None:
            self._bar.close()
        if self._output is not None and self._now is not None:
            self._output.draw("", "")


def _progress_html(words: str, fraction: float | None) -> str:
    bar = f'<progress max="1" value="{fraction:.3f}"></progress> ' if fraction is not None else ""
    return f'<div class="rtnb-progress" style="opacity:.8">{bar}{escape(words)}</div>'
