"""What is kept of a session, as a notebook asks for it: a folder, a cassette, a file."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from realtime_nb.cassette import Recording, RecordMode
from realtime_nb.portal import call_on
from realtime_nb.session.awaitable import AsyncSession
from realtime_nb.session.seen import Seen

if TYPE_CHECKING:
    import os

__all__ = ["Kept"]

T = TypeVar("T")


class Kept(Seen):
    """The part of a session that writes it down; its methods wait for their result.

    Parameters
    ----------
    aio : AsyncSession
        The awaitable face of the same session.
    """

    def __init__(self, aio: AsyncSession) -> None:
        super().__init__(aio.actor)
        self.aio = aio
        """The same session, to be awaited: ``turn = await session.aio.say("Hello.")``."""

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return call_on(self.actor.loop, work)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Keep the conversation in a folder: all of it so far, and whatever comes until the session is closed.

        Parameters
        ----------
        folder : path
            Made, if it is not there; only you can read it. It gets ``events.jsonl``, a line an
            event, and ``audio/``, a FLAC file a sound. Keys are masked, words and sounds are not.

        Returns
        -------
        Path
            The folder, for :func:`realtime_nb.open_history`.

        Raises
        ------
        ConfigError
            There is another conversation in it.
        """
        return self._call(self.aio.save(folder))

    def record(self, folder: str | os.PathLike[str], *, mode: RecordMode = "once") -> Recording:
        """Record the wire to a cassette, for ``rt.connect("cassette:...")`` to play it again.

        Parameters
        ----------
        folder : path
            The cassette, such as ``"lesson1.cassette"``: a folder of a readable file of lines and of sounds
            and pictures beside it. Keys are masked, headers are not in it; words and sounds are.
        mode : {"once", "new", "all"}
            Where there is a cassette already: refuse; add this session to it; replace what is on it.

        Returns
        -------
        Recording
            A context manager; the recording ends with it, by ``.close()``, or with the session.
            Of a session that is itself played from a cassette nothing is recorded.

        Raises
        ------
        ConfigError
            There is a cassette already, it is being recorded, or the folder holds other things.

        Notes
        -----
        What opened the session is recorded, too. What was said before is not: record right after ``rt.connect``.
        """
        return self._call(self.aio.record(folder, mode=mode))

    def export(self, path: str | os.PathLike[str], *, frame: str | None = None) -> Path:
        """Write the conversation so far to a file; its suffix says as what.

        Parameters
        ----------
        path : path
            ``.wav`` and ``.flac``: both voices in stereo, you left, the model right, on the real time
            line; ``.csv`` and ``.parquet``: a frame; ``.md``: the transcript; ``.html``: a report of one
            file with players, plots and frames.
        frame : str, optional
            Which frame; without it the one the file is named after, else ``history``.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        ConfigError
            Nothing is written under that suffix, there is no such frame, or the file cannot be written.
        MissingExtra
            Parquet needs pyarrow.
        AudioError
            Nothing was said aloud.
        """
        return self._call(self.aio.export(path, frame=frame))
