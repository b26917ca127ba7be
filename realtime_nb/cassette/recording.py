"""A session that is being recorded."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from realtime_nb.cassette.lines import Header
from realtime_nb.cassette.media import Shelf
from realtime_nb.cassette.reader import names_of, track_path
from realtime_nb.cassette.trail import Trail
from realtime_nb.cassette.writer import TrackWriter, being_written
from realtime_nb.errors import ConfigError, ConnectionClosed, RealtimeError
from realtime_nb.history.log import Direction
from realtime_nb.models import ModelCard
from realtime_nb.portal import await_on, call_on
from realtime_nb.protocol.ids import SeededIds

if TYPE_CHECKING:
    from realtime_nb.session.link import Link

__all__ = ["MODES", "RecordMode", "Recording", "begin", "blank", "check_own", "last_number"]

RecordMode = Literal["none", "once", "new", "all"]
MODES: tuple[RecordMode, ...] = ("none", "once", "new", "all")
TRAIL_S = 2.0
"""How long the end of a recording waits for what belongs to the last answer; not every server tells rate limits."""


class Recording:
    """What ``session.record`` gives: it ends with its ``with`` block, by :meth:`close`, or with the session.

    Parameters
    ----------
    writer : TrackWriter, optional
        New; None for a session that is on a cassette already, of which nothing is written.
    path : Path
        The cassette.
    """

    def __init__(self, writer: TrackWriter | None, path: Path) -> None:
        self.path = path
        """The cassette: a folder."""
        self._writer = writer
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="realtime_nb recording")
        self._trail = Trail()
        self._link: Link | None = None
        """What is tapped."""

    # ---------------------------------------------------------------- the tap
    def frame(self, direction: Direction, t_s: float, event: Any, text: str) -> None:
        """Write a frame."""
        self._trail.hear(event)
        self._put(lambda writer: writer.frame(direction, t_s, event, text))

    def called(self, call_id: str, took_s: float) -> None:
        """Write how long a function took."""
        self._put(lambda writer: writer.called(call_id, took_s))

    def ended(self, t_s: float, end: ConnectionClosed | None) -> None:
        """Write who has ended the connection, and the end of the recording."""
        if end is not None:
            self._put(lambda writer: writer.ended(t_s, end))
        self._finish()

    def _put(self, work: Callable[[TrackWriter], None]) -> None:
        """Write on a thread of its own: what is recorded is not to be slower for it."""
        if self._writer is None:
            return
        try:
            self._thread.submit(self._try, work)
        except RuntimeError:  # the process ends: its threads have done their work, and take no more
            self._try(work)

    def _try(self, work: Callable[[TrackWriter], None]) -> None:
        """A disk that fails ends the recording, never the conversation."""
        if self._writer is None:
            return
        try:
            work(self._writer)
        except OSError as error:
            warnings.warn(f"Nothing more is recorded to {str(self.path)!r}: {error}", stacklevel=2)
            self._writer = None

    # ---------------------------------------------------------------- its end
    def close(self) -> None:
        """Make it whole, and wait until it is; idempotent.

        What belongs to the last answer and comes after it (the rate limits, the words of what was said aloud) is
        waited for, 2 s at most: so a replay shows what is to be seen now.
        """
        link = self._link
        try:
            if link is not None and _goes_on(link) and not _at_home(link):
                call_on(link.loop, self._come_to_its_end(link))
        finally:
            self._finish()

    async def _aclose(self) -> None:
        link = self._link
        try:
            if link is not None and _goes_on(link):
                await await_on(link.loop, self._come_to_its_end(link))
        finally:
            self._finish()

    async def _come_to_its_end(self, link: Link) -> None:
        with contextlib.suppress(TimeoutError, RealtimeError):
            async with asyncio.timeout(TRAIL_S):
                await link.until(lambda: not self._trail.owed, TRAIL_S)
        self._detach()

    def _finish(self) -> None:
        self._detach()
        self._put(TrackWriter.close)
        self._thread.shutdown(wait=True)
        self._writer = None

    def _detach(self) -> None:
        link, self._link = self._link, None
        if link is not None and self in link.taps:
            link.taps.remove(self)

    def attach(self, link: Link) -> None:
        """Write what opened the session, and from now on all that crosses the wire; on the session's loop."""
        for direction, t_s, event, text in link.opening:
            self.frame(direction, t_s, event, text)
        link.taps.append(self)
        self._link = link
        if link.closed is not None:
            self._finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._aclose()

    def __repr__(self) -> str:
        return f"Recording({self.path.name!r}, {'recording' if self._writer is not None else 'done'})"


def _goes_on(link: Link) -> bool:
    return link.closed is None and link.loop.is_running()


def _at_home(link: Link) -> bool:
    """Whether this is the thread of the session itself, which would wait for itself."""
    try:
        return asyncio.get_running_loop() is link.loop
    except RuntimeError:
        return False


def begin(
    link: Link,
    folder: Path,
    *,
    mode: RecordMode = "once",
    number: int | None = None,
    to: str | None = None,
    model: str | None = None,
    session_id: str,
    brain: str,
    card: ModelCard,
) -> Recording:
    """Record a session from now on; on the session's loop.

    Parameters
    ----------
    link : Link
        Its connection.
    folder : Path
        The cassette.
    mode : {"once", "new", "all"}
        Whether a cassette may be there already: no; yes, this session is added; yes, and it is replaced.
    number : int, optional
        The session's place on it, where that was chosen before; the mode is not heeded then.
    to, model : str, optional
        As ``rt.connect`` was given them.
    session_id, brain : str
        Of the session.
    card : ModelCard
        Of the model.

    Returns
    -------
    Recording
        Attached.

    Raises
    ------
    ConfigError
        The mode is none of these, there is a cassette already, or the folder holds other things.
    """
    if link.timeline.replays:
        return Recording(None, folder)
    path = track_path(folder, _number(folder, mode) if number is None else number)
    seeded = link.ids if isinstance(link.ids, SeededIds) else SeededIds("")
    header = Header(
        package=version("realtime-nb"),
        begun=link.timeline.begun.isoformat(),
        to=to,
        model=model,
        session_id=session_id,
        brain=brain,
        card=card,
        seed=seeded.seed,
        drawn={prefix: number for prefix, number in seeded.drawn.items() if prefix != "event"},
    )
    recording = Recording(TrackWriter(path, header), folder)
    recording.attach(link)
    return recording


def _number(folder: Path, mode: RecordMode) -> int:
    """The number of the next session on a cassette."""
    if mode not in MODES or mode == "none":
        raise ConfigError(
            f"mode={mode!r} records nothing: once, new and all do", hint='session.record("lesson.cassette", mode="all")'
        )
    tracks, going = names_of(folder), being_written(folder)
    check_own(folder)
    if (tracks or going) and mode == "once":
        raise ConfigError(
            f"There is a cassette in {str(folder)!r} already, and none is recorded over without being asked for.",
            hint=f'session.record("{folder.name}", mode="all")  # or mode="new", which adds this session to it',
        )
    if mode == "all":
        blank(folder)
        return 1
    return last_number(folder) + 1


def check_own(folder: Path) -> None:
    """Raise :class:`ConfigError` for a folder of other things."""
    if not names_of(folder) and folder.exists() and (not folder.is_dir() or _foreign(folder)):
        raise ConfigError(
            f"{str(folder)!r} is no cassette: what is in it is left alone.",
            hint=f'session.record("{folder.stem}-2.cassette")',
        )


def last_number(folder: Path) -> int:
    """The number of the last session on a cassette, or that is being recorded; 0 where there is none."""
    taken = (*names_of(folder), *being_written(folder))
    return max((int(path.stem.partition("-")[2]) for path in taken), default=0)


def _foreign(folder: Path) -> bool:
    return any(path.name != "media" and path.suffix != ".part" for path in folder.iterdir())


def blank(folder: Path) -> None:
    """Take what was recorded off a cassette: its own files, and no other; raises ConfigError where somebody records."""
    if being_written(folder):
        raise ConfigError(
            f"{str(folder)!r} is being recorded, and is not replaced under whoever does.",
            hint=f'session.record("{folder.name}", mode="new")  # or end the other recording first',
        )
    for path in names_of(folder):
        path.unlink()
    shelf = Shelf(folder)
    for name in list(shelf.names()):
        shelf.drop(name)
