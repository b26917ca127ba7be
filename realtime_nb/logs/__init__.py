"""The sessions that are kept by default: where they are, what is in them, and how to be rid of them.

>>> import realtime_nb as rt
>>> rt.logs.sessions()  # doctest: +SKIP
>>> rt.open_history(rt.logs.sessions()[0].path).turns  # doctest: +SKIP
"""

from __future__ import annotations

from realtime_nb.logs.shelf import STORED, Kept, delete, find, folder, make_room, new_folder, search, sessions

__all__ = ["STORED", "Kept", "delete", "find", "folder", "make_room", "new_folder", "search", "sessions"]
