"""What a live widget leaves in a saved notebook: plain HTML in an output of its own, beside the widget's.

A page without a kernel cannot draw a widget: JupyterLab then says so and looks at
nothing else in that output. So the static form is a second output, a :class:`Twin`.
The widget's page hides it by its class while it has a kernel to talk to; reopened,
exported or printed, nothing hides it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from realtime_nb.audio.player import Voice, player_html
from realtime_nb.display import Output, plain

if TYPE_CHECKING:
    from realtime_nb.audio import Audio

__all__ = ["MAX_RECORD_BYTES", "Record", "Twin"]

MAX_RECORD_BYTES = 4_000_000
"""The most that one widget may add to a notebook's file: about ten minutes of speech."""

MAX_TALL = 6
"""Pieces that a record shows one below the other; more are shown in a box that scrolls."""
_BOX = (
    "<style>@media print{{.rtnb-record{{max-height:none!important}}}}</style>"
    '<div class="rtnb-record" style="max-height:600px;overflow-y:auto">{}</div>'
)

_SPEAKERS: Mapping[Voice, str] = {"user": "You", "model": "Model"}
_EMPTY = {"text/plain": "", "text/html": ""}
_NO_MODEL = ".jp-OutputArea-child:has({0})+.jp-OutputArea-child .jupyter-widgets:not(:has(*)){{display:none}}"
"""JupyterLab's words for a widget without a kernel are text alone in its output: the twin stands for them."""


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    html: str
    silent: str
    """The same without its sound, with a note of that."""


class Record:
    """What was said and heard, one piece after another, as HTML that outlives the kernel.

    Parameters
    ----------
    max_bytes : int
        Of HTML; the oldest sounds give way first, and a note says so.

    Examples
    --------
    >>> record = Record()
    >>> record.put("item_1", words="Which river is <that>?")
    >>> record.text
    'You: Which river is <that>?'
    >>> "&lt;that&gt;" in record.html
    True
    """

    def __init__(self, *, max_bytes: int = MAX_RECORD_BYTES) -> None:
        self._max_bytes = max_bytes
        self._pieces: dict[str, _Piece] = {}

    def put(
        self, key: str, *, words: str = "", sound: Audio | None = None, voice: Voice = "user", speaker: str = ""
    ) -> None:
        """Add a piece, or change it where it stands.

        Parameters
        ----------
        key : str
            Which piece: an item's id.
        words : str
            What is said; escaped here.
        sound : Audio, optional
            What is heard; words or sound there must be.
        voice : {"user", "model"}
            Whose it is.
        speaker : str
            What stands before the words instead of "You" or "Model".
        """
        who, said = speaker or _SPEAKERS[voice], plain(words)
        line = _line(who, said) if said or not sound else ""
        player, note = (player_html(sound, voice=voice), _left_out(sound)) if sound else ("", "")
        self._pieces[key] = _Piece(f"{who}: {said or repr(sound)}", line + player, line + note)

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return bool(self._pieces)

    @property
    def text(self) -> str:
        """What it says, in plain text: a line a piece."""
        return "\n".join(piece.text for piece in list(self._pieces.values()))

    @property
    def html(self) -> str:
        """What it shows; needs no network, no script and no trust."""
        pieces = list(self._pieces.values())
        spare = self._max_bytes - sum(len(piece.silent) for piece in pieces)
        shown = []
        for piece in reversed(pieces):
            spare -= len(piece.html) - len(piece.silent)
            shown.append(piece.html if spare >= 0 else piece.silent)
        whole = "".join(reversed(shown))
        return _BOX.format(whole) if len(pieces) > MAX_TALL else whole


class Twin:
    """The second output of a widget: empty at first, replaced from any thread, visible when the widget is not."""

    def __init__(self) -> None:
        self.sid = secrets.token_hex(4)
        """Ends its class in the page, ``rtnb-static-…``, by which the widget hides it; no secret."""
        self._output = Output()
        self._views: list[Any] = []
        self._lock = threading.Lock()
        self._closed = False

    def show(self, widget: Mapping[str, Any], text: str, html: str) -> None:
        """Show the twin, once, and after it a view of the widget; in the cell's own thread.

        Parameters
        ----------
        widget : mapping of str to object
            The widget's MIME bundle; a closed one has no views any more.
        text, html : str
            The static form, in both forms.
        """
        from IPython.display import display

        with self._lock:
            if self._closed:
                self._output = Output()  # what is shown again after its end is shown in the new cell
            self._output.draw(text, self._framed(html))
        if not self._closed:
            view = display(dict(widget), raw=True, display_id=True)  # type: ignore[no-untyped-call]  # IPython has no types
            self._views.append(view)

    def draw(self, text: str, html: str) -> None:
        """Put a newer static form into the notebook, if the widget was shown at all.

        Parameters
        ----------
        text, html : str
            The same in both forms.
        """
        with self._lock:
            if self._output.drawn:
                self._output.draw(text, self._framed(html))

    def close(self, text: str, html: str) -> None:
        """Let the twin stand for the widget: its views become empty outputs.

        Parameters
        ----------
        text, html : str
            The last static form.
        """
        self._closed = True
        self.draw(text, html)
        views, self._views = self._views, []
        for view in views:
            view.update(_EMPTY, raw=True)

    def _framed(self, html: str) -> str:
        name = f"rtnb-static-{self.sid}"
        style = "" if self._closed else f"<style>{_NO_MODEL.format('.' + name)}</style>"
        return f'{style}<div class="{name}">{html}</div>'


def _line(who: str, text: str) -> str:
    return (
        '<div class="rtnb-words" style="max-width:46em;white-space:pre-wrap;margin:6px 2px 4px">'
        f"<b>{escape(who)}</b> {escape(text)}</div>"
    )


def _left_out(sound: Audio) -> str:
    return (
        f'<div style="font-size:12px;opacity:.7;margin:0 2px">{sound.duration_s:.1f} s of sound are left out here: '
        "with all of it the notebook's file would be too large.</div>"
    )
