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
    warning, never the conversation.

    Parameters
    ----------
    writer : Writer
        New.
    log : EventLog
        What is kept.
    tape : Tape
        Listens to the same log, and was told first.
    """

    def __init__(self, writer: Writer, log: EventLog, tape: Tape) -> None:
        self.writer = writer
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
                    self._thread.submit(self._try, self.writer.sync)
            for sound in self._tape.since(self._sounds):
                self._sounds += 1
                self._thread.submit(self._try, self.writer.put, sound)

    def follow(self) -> None:
        """Write from now on whatever comes; to be called where the log grows."""
        self.catch_up()
        self._log.follow(self._take)

    def _take(self, _entry: Entry, _audio: bytes) -> None:
        self.catch_up()

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
                self._thread.submit(self._try, self.writer.put, sound)
        self._thread.shutdown(wait=True)
        with contextlib.suppress(OSError) if self.error is not None else contextlib.nullcontext():
            self.writer.close()
