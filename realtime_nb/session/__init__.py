"""A conversation with a model, in layers.

::

    blocking   awaitable     the two faces, one implementation
    duplex  uplink  aloud    a page's microphone and loudspeaker on it (the widget Talk)
    talking floor lines playlist   of that, without I/O: who has the word, the transcript, what was heard
          actor              its tasks: say, tools, interrupt, close
          health             how it is, for ``session.doctor()``
    stream   book   verdict  a spoken turn; which response is whose; what an end means
    link                     connection, log and reader in one place
    parts  live  config      what people pass, made what the wire takes
    reply  deltas            what comes back
"""

from __future__ import annotations

from realtime_nb.session.awaitable import AsyncSession
from realtime_nb.session.blocking import Session

__all__ = ["AsyncSession", "Session"]
