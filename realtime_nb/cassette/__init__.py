"""Conversations recorded with their whole wire, and played again without one."""

from __future__ import annotations

from realtime_nb.cassette.reader import Track, open_tracks
from realtime_nb.cassette.recording import Recording, RecordMode

__all__ = ["RecordMode", "Recording", "Track", "open_tracks"]
