"""A file a person names: read whole, or refused with the reason and the line that mends it. Never from the network."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from realtime_nb.errors import AudioError, ImageError

__all__ = ["FileKind"]

_MOST_SHOWN = 200  # characters of a name in a message: a person may pass text, or a file's contents, by mistake
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FileKind:
    """How files of one kind are read, and what is said when they are not."""

    error: type[AudioError | ImageError]
    """What to raise."""
    reader: str
    """The call that hints name: ``rt.Audio.read``."""
    example: str
    """A name that hints give: ``question.wav``."""
    max_bytes: int
    """The largest file that is opened."""

    @property
    def hint(self) -> str:
        """A line that reads a file."""
        return f'{self.reader}("{self.example}")'

    def load(self, path: str | os.PathLike[str]) -> bytes:
        """Read a file whole.

        Parameters
        ----------
        path : path
            ``~`` is the home folder.

        Returns
        -------
        bytes
            At least one.

        Raises
        ------
        AudioError or ImageError
            It is a URL, a folder, missing, empty, too large, or may not be read.
        """
        text = os.fspath(path)
        shown = repr(text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}...")
        if _SCHEME.match(text):
            raise self.error(f"{shown} is a URL: only files are read, nothing is fetched.", hint=self.hint)
        try:
            target = Path(text).expanduser()
            self._check(target, shown)
            data = target.read_bytes()
        except (OSError, RuntimeError) as fault:  # RuntimeError: ~somebody has no home
            reason = getattr(fault, "strerror", None) or fault  # an OSError's own text repeats the name
            raise self.error(f"{shown} cannot be read: {reason}.", hint=self.hint) from fault
        if not data:
            raise self.error(f"{shown} is empty.", hint=self.hint)
        return data

    def _check(self, target: Path, shown: str) -> None:
        if not target.exists():
            raise self.error(f"{shown} does not exist, seen from {Path.cwd()}.", hint=self._near(target))
        if not target.is_file():
            raise self.error(f"{shown} is not a file.", hint=self._list(target))
        size = target.stat().st_size
        if size > self.max_bytes:
            raise self.error(f"{shown} has {size:,} bytes: {self.max_bytes:,} is the most.", hint=self.hint)

    def _near(self, target: Path) -> str:
        folder = target.parent
        there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        near = difflib.get_close_matches(target.name, there, n=1)
        return f"{self.reader}({str(folder / near[0])!r})" if near else self._list(folder)

    def _list(self, folder: Path) -> str:
        return f'sorted(Path({str(folder)!r}).glob("*{Path(self.example).suffix}"))'
