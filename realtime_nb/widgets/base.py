"""What every widget is: drawn when displayed, told apart by its facts, and followed by its static form.

The page's half is one bundle (``static/widget.js``, built from ``js/``); the trait
``view`` says which of its views this widget is. Handlers of the page's messages
only enqueue: they may run on the kernel's main thread, a subshell's or the media
thread.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets

from realtime_nb.comms import answer_where_asked
from realtime_nb.widgets.static import Twin

if TYPE_CHECKING:
    from realtime_nb.widgets.media import Channel

__all__ = ["STATIC", "View"]

STATIC = Path(__file__).parent / "static"
_FAULTS_KEPT = 50
_logger = logging.getLogger(__name__)


class View(anywidget.AnyWidget):
    """A widget with a view in the bundle; subclasses name it, and override what they need of the rest."""

    _esm = STATIC / "widget.js"
    view_name: ClassVar[str] = ""
    """The view's name in the bundle's table."""

    view = traitlets.Unicode(read_only=True).tag(sync=True)
    sid = traitlets.Unicode(read_only=True).tag(sync=True)  # ties the live view to its static twin; no secret

    def __init__(self, **kwargs: Any) -> None:
        self.channel: Channel | None = None
        self._twin = Twin()
        self._keeping = threading.Lock()
        self._faults: list[str] = []
        self._closed = False
        super().__init__(**kwargs)
        answer_where_asked(self.comm)
        self.on_msg(View._take)

    @traitlets.default("view")
    def _view_of_the_class(self) -> str:
        return self.view_name

    @traitlets.default("sid")
    def _sid_of_the_twin(self) -> str:
        return self._twin.sid

    # ------------------------------------------------------------ for subclasses
    def receive(self, message: dict[str, Any], buffers: list[memoryview]) -> None:
        """Take a custom message of the page; only enqueue here."""

    def release(self) -> None:
        """Let go of what the widget holds in the kernel; called once, by :meth:`close`."""

    def static_html(self) -> str:
        """Give the form that stays when the widget is gone, as HTML that needs no script and no trust; "" if none."""
        return ""

    def facts(self) -> str:
        """Tell what a person wants to know of the widget, for its repr."""
        return ""

    # ------------------------------------------------------------ for everybody
    @property
    def faults(self) -> tuple[str, ...]:
        """Errors of the page's half, newest last: what the browser's console says."""
        return tuple(self._faults)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def keep(self) -> None:
        """Put the static form, as it is now, beside the live view, which hides it; from any thread."""
        with self._keeping:  # of two threads, the one that saw less must not draw last
            self._twin.draw(repr(self), self.static_html())

    def close(self) -> None:
        """End the widget: its page lets go of microphone and sound, its static form takes its place; idempotent."""
        if self._closed:
            return
        self._closed = True
        self.release()
        if self.channel is not None:
            self.channel.close()
        with self._keeping:
            self._twin.close(repr(self), self.static_html())
        super().close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.facts()})"

    # ------------------------------------------------------------ inside
    def _ipython_display_(self) -> None:
        """Show the static form and the live view, which hides it while it lives."""
        bundle = self._repr_mimebundle_()
        self._twin.show(bundle[0] if bundle else {}, repr(self), self.static_html())

    def _take(self, content: Any, buffers: list[memoryview]) -> None:
        kind = content.get("t") if isinstance(content, dict) else None
        if not isinstance(kind, str):
            return
        if kind == "fault":
            self._note_fault(content)
        elif kind == "alive?":
            self.send({"t": "alive"})
        elif kind.startswith("media"):
            if self.channel is not None:
                self.channel.from_comm(content, buffers)
        else:
            self.receive(content, buffers)

    def _note_fault(self, content: dict[str, Any]) -> None:
        fault = f"{content.get('where')}: {content.get('text')}"[:500]
        self._faults = [*self._faults, fault][-_FAULTS_KEPT:]
        _logger.error("%s in the page: %s\n%s", type(self).__name__, fault, str(content.get("stack"))[:2000])
