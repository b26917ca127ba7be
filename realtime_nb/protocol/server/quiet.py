"""The alarm that goes off when nobody says anything (``idle_timeout_ms``; protocol, 3.3)."""

from __future__ import annotations

from realtime_nb.protocol.session_config import ServerVad

from .state import State

__all__ = ["Quiet"]


class Quiet:
    """Rings once, ``idle_timeout_ms`` after the reply has been played, unless something happens before.

    Parameters
    ----------
    state : State
        Shared.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._since: float | None = None
        self._wait_s = 0.0
        self.since_ms = 0.0
        """Where the input sound was when the waiting began."""

    def arm(self) -> None:
        """Begin to wait, from the end of the playback."""
        detection = self._state.turn_detection
        if isinstance(detection, ServerVad) and detection.idle_timeout_ms and self._state.speech is None:
            self.since_ms = self._state.heard_ms
            self._since, self._wait_s = self._state.now, detection.idle_timeout_ms / 1000

    def renew(self) -> None:
        """Wait anew, as the session now says, if there is a wait."""
        if self._since is not None:
            self.disarm()
            self.arm()

    @property
    def at(self) -> float | None:
        """When it rings, in monotonic seconds: sooner if the reply is played to its end no more."""
        return None if self._since is None else max(self._since, self._state.playing_until) + self._wait_s

    def disarm(self) -> None:
        """Something happens: wait no more."""
        self._since = None

    def rings(self) -> bool:
        """Tell whether it is time; it rings only once."""
        if self.at is None or self._state.now < self.at:
            return False
        self.disarm()
        return True
