"""What is kept of a session: the folders it is saved to, its log among the others', the files it is exported to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from realtime_nb.archive import Header, Recorder, Writer, open_history
from realtime_nb.errors import ConfigError
from realtime_nb.portal import await_on
from realtime_nb.session.actor import Actor

__all__ = ["Keeper"]


class Keeper:
    """Writes down what a session says and hears, in as many folders as are wanted.

    Parameters
    ----------
    actor : Actor
        The session at home.
    """

    def __init__(self, actor: Actor) -> None:
        self._actor = actor
        self._recorders: dict[Path, Recorder] = {}

    async def save(self, path: Path) -> None:
        """Keep the conversation in a folder, from its beginning to its end; once for each folder."""
        if path not in self._recorders:
            self._recorders[path] = self._recorder(path)
        recorder = self._recorders[path]
        if not recorder.follows:  # also where an Interrupt came before it did
            await asyncio.to_thread(recorder.catch_up)  # much may have happened; the rest is little
            await self._follow(recorder)

    async def log(self, root: Path) -> Path | None:
        """Keep the session among the others, as every session is; what fails there is a warning, never an error.

        Parameters
        ----------
        root : Path
            Of all sessions.

        Returns
        -------
        Path or None
            Its folder, if it is the first one ever kept there.
        """
        from realtime_nb.logs import make_room, new_folder

        try:
            actor = self._actor
            path, first = await asyncio.to_thread(new_folder, root, actor.session.id, actor.link.timeline.begun)
            recorder = await asyncio.to_thread(self._recorder, path, at_once=False)
        except (OSError, ConfigError) as error:
            warnings.warn(f"This session is not kept in {str(root)!r}: {error}", stacklevel=2)
            return None
        self._recorders[path] = recorder
        recorder.later(make_room, root)
        await self._follow(recorder)
        return path if first else None

    def export(self, path: str | os.PathLike[str], frame: str | None) -> Path:
        """Write the conversation so far to a file; blocking."""
        with TemporaryDirectory() as folder:
            self._recorder(Path(folder)).close()
            return open_history(folder).export(path, frame=frame)

    async def close(self, until: float) -> None:
        """Let all that was written reach the disk; a log nobody asked for is not waited for beyond `until`."""
        for recorder in list(self._recorders.values()):
            with contextlib.suppress(TimeoutError):  # its thread ends it when the disk lets it
                async with asyncio.timeout_at(None if recorder.at_once else until):
                    await asyncio.shield(asyncio.to_thread(recorder.close))

    def __bool__(self) -> bool:
        return bool(self._recorders)

    def _recorder(self, path: Path, *, at_once: bool = True) -> Recorder:
        actor = self._actor
        begun = actor.link.timeline.begun.isoformat("T", "seconds")
        header = Header(session_id=actor.session.id, brain=actor.brain, begun=begun, card=actor.card)
        return Recorder(Writer(path, header), actor.link.log, actor.tape, at_once=at_once)

    async def _follow(self, recorder: Recorder) -> None:
        await await_on(self._actor.loop, self._begin(recorder))

    async def _begin(self, recorder: Recorder) -> None:
        recorder.follow()
        if self._actor.link.closed is not None:
            await asyncio.to_thread(recorder.close)
