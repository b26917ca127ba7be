"""Conversations kept in a folder, and opened again.

::

    talk/
      events.jsonl      a header, then one line an event or a sound: append-only, numbered, secrets masked
      audio/<sha256>.flac
"""

from __future__ import annotations

from realtime_nb.archive.lines import Header
from realtime_nb.archive.recorder import Recorder
from realtime_nb.archive.saved import SavedHistory, open_history
from realtime_nb.archive.tape import Tape
from realtime_nb.archive.writer import Writer

__all__ = ["Header", "Recorder", "SavedHistory", "Tape", "Writer", "open_history"]
