"""What all sessions of a server share: the engine and its threads, the secrets, the counters, the limits."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from realtime_nb.engine.build import Engine
from realtime_nb.engine.pipeline import Pipeline
from realtime_nb.protocol.ids import Ids
from realtime_nb.protocol.limits import RateLimiter
from realtime_nb.protocol.server import ServerConnection
from realtime_nb.protocol.session_config import DEFAULT_INSTRUCTIONS, AnySession, Session, TranscriptionSession
from realtime_nb.server.calls import Calls
from realtime_nb.server.catalog import DEFAULT_MODEL
from realtime_nb.server.crew import Crew
from realtime_nb.server.ephemeral import EphemeralSecrets
from realtime_nb.server.meter import Meter
from realtime_nb.server.options import ServerOptions

if TYPE_CHECKING:
    from realtime_nb.server.live import LiveSession

__all__ = ["Hub"]


class Hub:
    """One server: its engine, and the sessions that use it.

    Parameters
    ----------
    engine : Engine
        Loaded and warm.
    options : ServerOptions
        What was chosen.
    rate : RateLimiter, optional
        What all sessions together may ask; None for all they can.
    """

    def __init__(self, engine: Engine, options: ServerOptions, rate: RateLimiter | None = None) -> None:
        self.engine = engine
        self.options = options
        self.pipeline = Pipeline(engine)
        self.crew = Crew(options.sessions)
        self.meter = Meter()
        self.secrets = EphemeralSecrets(time.monotonic)
        self.ids = Ids(lambda: secrets.token_hex(10))
        self.calls = Calls()
        self.started_at = int(time.time())
        self._live: dict[str, LiveSession] = {}
        self._due: set[str] = set()  # names of calls that are about to begin a session
        self._rate = rate

    @property
    def brain(self) -> str:
        """Who answers."""
        return self.engine.brain

    @property
    def is_full(self) -> bool:
        """Whether there are as many sessions, with those that calls are about to begin, as there may be."""
        return self.sessions + len(self._due) >= self.options.sessions

    @property
    def sessions(self) -> int:
        """How many sessions there are."""
        return len(self._live)

    def find(self, name: str) -> LiveSession | None:
        """Find a session by its name: a call's id, or the session's own.

        Parameters
        ----------
        name : str
            ``rtc_...`` or ``sess_...``.

        Returns
        -------
        LiveSession or None
            None when there is none of that name now.
        """
        return self._live.get(name)

    def expect(self, name: str) -> None:
        """Keep a place for the session of that name, until it begins or is expected no more."""
        self._due.add(name)

    def expect_no_more(self, name: str) -> None:
        """Give the place back that was kept for a session, if it is kept."""
        self._due.discard(name)

    @contextlib.contextmanager
    def hosting(self, live: LiveSession) -> Iterator[None]:
        """Count a session among those that are here, and let others find it, while the block lasts."""
        self.expect_no_more(live.name)
        self._live[live.name] = live
        self.meter.opened.inc()
        self.meter.sessions.set(self.sessions)
        try:
            yield
        finally:
            del self._live[live.name]
            self.meter.sessions.set(self.sessions)

    def new_session(self, *, transcription: bool = False, model: str | None = None) -> AnySession:
        """Set up a session's settings.

        Parameters
        ----------
        transcription : bool
            Whether it only writes down.
        model : str, optional
            The name it was asked for by.

        Returns
        -------
        Session or TranscriptionSession
            The service's defaults, and who really answers.
        """
        expires_at = int(time.time() + (self.options.limits.session_s or 0))
        name = self.ids.new("sess")
        if transcription:
            return TranscriptionSession(id=name, expires_at=expires_at, brain=self.brain)
        return Session(
            id=name,
            expires_at=expires_at,
            brain=self.brain,
            model=model or DEFAULT_MODEL,
            instructions=DEFAULT_INSTRUCTIONS,
        )

    def new_connection(self, session: AnySession, *, plays: bool = False) -> ServerConnection:
        """Make the core of a session.

        Parameters
        ----------
        session : Session or TranscriptionSession
            Its settings.
        plays : bool
            Whether the server keeps the playback buffer, as it does for a call.

        Returns
        -------
        ServerConnection
            Not opened yet.
        """
        return ServerConnection(
            session,
            ids=self.ids,
            limits=self.options.limits,
            count=self.engine.llm.count,
            rate=self._rate,
            brain=self.brain,
            plays=plays,
        )

    def close(self) -> None:
        """Let the threads end; the sessions must have ended."""
        self.crew.close()
