"""``session.update``: merged, checked against what may still change, and put into force."""

from __future__ import annotations

from realtime_nb.protocol.effects import Detect, McpToolsListed, Warm
from realtime_nb.protocol.events import SessionCreated, SessionUpdate, SessionUpdated
from realtime_nb.protocol.faults import fault
from realtime_nb.protocol.session_config import AnySession, Session, merge, shown

from .ears import Ears
from .listings import Listings
from .responses import check_tool_choice
from .state import OWNER, State

__all__ = ["Settings"]


class Settings:
    """The session, as the client changes it.

    Parameters
    ----------
    state : State
        Shared.
    ears : Ears
        Hears differently after an update.
    listings : Listings
        Knows what MCP servers offer.
    """

    def __init__(self, state: State, ears: Ears, listings: Listings) -> None:
        self._state = state
        self._ears = ears
        self._listings = listings

    def open(self) -> None:
        """Put what the session begins with into force."""
        state = self._state
        self.show(OWNER)
        state.do(Detect(state.turn_detection, state.session.audio.input.noise_reduction))
        if session := state.talks:
            self._listings.want(session.tools)
        self.warm()

    def show(self, peer: int) -> None:
        """Announce the session, as it is now, to a peer who has just come."""
        self._state.send(SessionCreated(session=shown(self._state.session)), to=peer)

    def update(self, event: SessionUpdate) -> None:
        """Change what the client names, or refuse it whole."""
        state, old = self._state, self._state.session
        new = merge(old, event.session)
        self._check_mutable(old, new)
        state.session = new
        state.send(SessionUpdated(session=shown(new)))
        self._ears.configure(old)
        if isinstance(new, Session) and "tools" in event.session:
            self._listings.forget(new.tools)
            self._listings.want(new.tools)
        if _prefix(old) != _prefix(new):
            self.warm()

    def warm(self) -> None:
        """Have the prefix of the next response put into the cache."""
        if session := self._state.talks:
            self._state.do(Warm(session.instructions, self._listings.toolbox(session.tools).functions))

    def listed(self, report: McpToolsListed) -> None:
        """An MCP server has told its tools: from now on they are in the prefix."""
        self._listings.listed(report)
        self.warm()

    def _check_mutable(self, old: AnySession, new: AnySession) -> None:
        """Refuse what may not change any more (protocol, 3.5)."""
        if not isinstance(old, Session) or not isinstance(new, Session):
            return
        if self._state.spoken and new.audio.output.voice != old.audio.output.voice:
            raise fault("voice_fixed", param="session.audio.output.voice")
        if old.tracing is not None and new.tracing != old.tracing:
            raise fault("tracing_fixed")
        check_tool_choice(new.tool_choice, new.tools, "session.tool_choice")


def _prefix(session: AnySession) -> object:
    """What every response begins with."""
    return (session.instructions, session.tools) if isinstance(session, Session) else None
