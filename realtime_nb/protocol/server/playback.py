"""The playback buffer of a call, which the server keeps: over a WebSocket there is none (protocol, 1.3)."""

from __future__ import annotations

from realtime_nb.protocol.effects import ClearPlayback, PlaybackCleared, PlaybackStarted, PlaybackStopped
from realtime_nb.protocol.events import (
    ConversationItemTruncated,
    OutputAudioBufferClear,
    OutputAudioBufferCleared,
    OutputAudioBufferStarted,
    OutputAudioBufferStopped,
)

from .state import State

__all__ = ["Playback"]


class Playback:
    """What the caller hears, and what is forgotten because the caller did not hear it.

    Parameters
    ----------
    state : State
        Shared.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._wanted = False  # a client waits to be told that the buffer is empty

    def interrupt(self) -> None:
        """The user speaks: be silent at once."""
        if self._state.plays:
            self._state.do(ClearPlayback())

    def clear(self, _event: OutputAudioBufferClear) -> None:
        """The client wants silence; the response itself goes on unless it is cancelled, too."""
        self._wanted = True
        self._state.do(ClearPlayback())

    # ------------------------------------------------------------ reported
    def started(self, report: PlaybackStarted) -> None:
        """The first sound of a response is heard."""
        self._state.send(OutputAudioBufferStarted(response_id=report.response_id))

    def stopped(self, report: PlaybackStopped) -> None:
        """All of a response was heard."""
        self._state.send(OutputAudioBufferStopped(response_id=report.response_id))

    def cleared(self, report: PlaybackCleared) -> None:
        """What was not heard is not in the conversation."""
        state = self._state
        if report.response_id is not None or self._wanted:
            state.send(OutputAudioBufferCleared(response_id=report.response_id or ""))
        self._wanted = False
        state.playing_until = min(state.playing_until, state.now)
        for item_id, content_index, ms in report.heard:
            self._truncate(item_id, content_index, ms)

    def _truncate(self, item_id: str, content_index: int, ms: int) -> None:
        talk = self._state.conversation
        ledger = talk.sound(item_id, content_index)
        if ledger is None or item_id not in talk or ms >= ledger.ms:
            return
        talk.truncate(item_id, content_index, ms)
        self._state.send(ConversationItemTruncated(item_id=item_id, content_index=content_index, audio_end_ms=ms))
