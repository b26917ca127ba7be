"""Writes a conversation: an append-only file of lines, and a file for each sound, named by what is in it."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from pathlib import Path

import msgspec

from realtime_nb.archive.lines import Header, SoundLine, event_line
from realtime_nb.archive.tape import Sound
from realtime_nb.audio import Audio
from realtime_nb.audio.files import encode_file
from realtime_nb.errors import CassetteError, ConfigError
from realtime_nb.history.log import Entry

__all__ = ["EVENTS", "SOUNDS", "Writer", "in_use", "read_sound"]

EVENTS = "events.jsonl"
SOUNDS = "audio"
_NAME = re.compile(r"[0-9a-f]{64}\.flac")


class Writer:
    """Appends to one conversation's folder; nothing that was written is ever written again.

    A line is one ``write`` to a file opened for appending: it survives the end of the process the moment
    the call returns, and the end of the machine after :meth:`sync`. Any thread may write.

    Parameters
    ----------
    folder : Path
        Made, if it is not there; only its owner can read it.
    header : Header
        The first line.

    Raises
    ------
    ConfigError
        There is a conversation in the folder already.
    """

    def __init__(self, folder: Path, header: Header) -> None:
        self.folder = folder
        for each in (folder, folder / SOUNDS):  # `parents` would make them with the mode of everybody's folders
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.open(folder / EVENTS, flags, 0o600)
        except FileExistsError:
            raise ConfigError(
                f"There is a conversation in {str(folder)!r} already, and none is written over another.",
                hint=f'session.save("{folder.name}-2")',
            ) from None
        lock_file(self._file, "LOCK_EX")
        self._seq = 0
        self._lock = threading.Lock()
        self._broken = False
        self._write(msgspec.json.encode(header))

    def add(self, entry: Entry) -> int:
        """Write an event.

        Parameters
        ----------
        entry : Entry
            Of the log.

        Returns
        -------
        int
            Its number; it is in the file.
        """
        with self._lock:
            self._write(msgspec.json.encode(event_line(entry, self._seq + 1)))
            self._seq += 1
            return self._seq

    def put(self, sound: Sound) -> int:
        """Write a sound, and the line that refers to it.

        Parameters
        ----------
        sound : Sound
            Whole.

        Returns
        -------
        int
            The line's number; line and sound are in their files.
        """
        audio = sound.audio
        name = self._store(encode_file(audio.samples, audio.rate, ".flac"))
        with self._lock:
            line = SoundLine(
                seq=self._seq + 1,
                item_id=sound.item_id,
                role=sound.role,
                start_s=sound.start_s,
                duration_s=audio.duration_s,
                file=name,
            )
            self._write(msgspec.json.encode(line))
            self._seq += 1
            return self._seq

    def _store(self, data: bytes) -> str:
        """Write a file under the name of its content: whole, or not at all."""
        name = f"{hashlib.sha256(data).hexdigest()}.flac"
        path = self.folder / SOUNDS / name
        if not path.exists():
            part = path.with_suffix(".part")
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        return name

    def _write(self, text: bytes) -> None:
        line = b"%s%s\n" % (b"\n" if self._broken else b"", text)
        self._broken = True  # should the disk be full half-way, the next line begins on a new one
        while line:
            line = line[os.write(self._file, line) :]
        self._broken = False

    def sync(self) -> None:
        """Wait until all that was written is on the disk."""
        os.fsync(self._file)

    def close(self) -> None:
        """Sync, and let the file go."""
        try:
            self.sync()
        finally:
            os.close(self._file)


def in_use(folder: Path) -> bool:
    """Whether somebody writes to a conversation; where the system has no such locks, nobody is said to.

    Parameters
    ----------
    folder : Path
        The conversation's.

    Returns
    -------
    bool
        True until the writer closes it, or its process ends in whatever way.
    """
    file = os.open(folder / EVENTS, os.O_RDONLY)
    try:
        return not lock_file(file, "LOCK_SH", "LOCK_NB")
    finally:
        os.close(file)


def lock_file(file: int, *how: str) -> bool:
    """Mark a file as being written to, as long as it is open, or try whether it is.

    Who writes waits for those who try: they have it for a moment, and none of them is to be taken for a writer.

    Parameters
    ----------
    file : int
        Open.
    *how : str
        Names of ``fcntl``.

    Returns
    -------
    bool
        False: somebody else has marked it. Where the system has no such locks nobody is said to.
    """
    try:
        import fcntl
    except ImportError:  # Windows: a file that is open cannot be deleted there
        return True
    try:
        fcntl.flock(file, sum(getattr(fcntl, name) for name in how))
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def read_sound(folder: Path, name: str) -> Audio:
    """Read a sound by its name, and hold it against it.

    Parameters
    ----------
    folder : Path
        The conversation's.
    name : str
        As :class:`SoundLine` has it.

    Returns
    -------
    Audio
        The sound.

    Raises
    ------
    CassetteError
        It is no name of a sound (a path for instance), the file is missing, or what is in it is not what was put there.
    """
    if not _NAME.fullmatch(name):
        raise CassetteError(f"{name!r} is no name of a sound: 64 hexadecimal digits and .flac are.")
    path = folder / SOUNDS / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CassetteError(f"The sound {name[:12]}… cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != path.stem:
        raise CassetteError(f"The sound {name[:12]}… was changed: its content is not what its name says.")
    return Audio.read(data)
