"""Keeps a session in a folder: what was so far, and each event as it comes."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from realtime_nb.archive.tape import Tape
from realtime_nb.archive.writer import Writer
from realtime_nb.history import Entry, EventLog
from realtime_nb.protocol.events import ResponseDone

__all__ = ["Recorder"]


class Recorder:
    """Writes a log and its tape.

    Events are written on the thread they come on, so that one that was taken is in the file; sounds are
    written, and the disk is waited for, on a thread of its own. A disk that fails ends the keeping with a
    warning, never the conversation. What is kept without being asked for is written on that thread, too:
    it never holds the session up.

    Parameters
    ----------
    writer : Writer
        New.
    log : EventLog
        What is kept.
    tape : Tape
        Listens to the same log, and was told first.
    at_once : bool
        Whether an event is in the file when it was taken, or soon after.
    """

    def __init__(self, writer: Writer, log: EventLog, tape: Tape, *, at_once: bool = True) -> None:
        self.writer = writer
        self.at_once = at_once
        self.follows = False
        """Whether it writes whatever comes."""
        self._due = False
        self.error: OSError | None = None
        """Why nothing more is kept."""
        self._log = log
        self._tape = tape
        self._events = 0
        self._sounds = 0
        self._closed = False
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="realtime_nb recorder")

    def catch_up(self) -> None:
        """Write what is new; whichever thread calls it, each event is written once."""
        with self._lock:
            if self._closed or self.error is not None:
                return
            for entry in self._log.since(self._events):
                if not self._try(self.writer.add, entry):
                    return
                self._events += 1
                if isinstance(entry.event, ResponseDone):
                    self.later(self._try, self.writer.sync)
            for sound in self._tape.since(self._sounds):
                self._sounds += 1
                self.later(self._try, self.writer.put, sound)

    def follow(self) -> None:
        """Write from now on whatever comes; to be called where the log grows; idempotent."""
        if not self.follows:
            self.follows = True
            self._log.follow(self._take)
        self._note()

    def _take(self, _entry: Entry, _audio: bytes) -> None:
        self._note()

    def _note(self) -> None:
        if self.at_once:
            self.catch_up()
        elif not self._due and not self._closed:
            self._due = True
            self.later(self._write_due)

    def _write_due(self) -> None:
        self._due = False  # first: what comes while it writes is due again
        self.catch_up()

    def later(self, work: Callable[..., Any], *args: Any) -> None:
        """Do something on the recorder's own thread, or here: at the end of the process there is none any more.

        Parameters
        ----------
        work : callable
            What.
        *args : object
            It is given these.
        """
        try:
            self._thread.submit(work, *args)
        except RuntimeError:
            work(*args)

    def _try(self, work: Callable[..., Any], *args: Any) -> bool:
        if self.error is not None:
            return False
        try:
            work(*args)
        except OSError as error:
            self.error = error
            warnings.warn(f"The conversation is no longer kept in {str(self.writer.folder)!r}: {error}", stacklevel=2)
            return False
        return True

    def close(self) -> None:
        """Write the rest, replies that were broken off too, and wait until it is on the disk; idempotent."""
        self.catch_up()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for sound in self._tape.unfinished:
                self.later(self._try, self.writer.put, sound)
        self._thread.shutdown(wait=True)
        with contextlib.suppress(OSError) if self.error is not None else contextlib.nullcontext():
            self.writer.close()
