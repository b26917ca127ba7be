"""A microphone in a cell."""

from __future__ import annotations

import threading
from typing import Any

import traitlets

from realtime_nb.audio import Audio
from realtime_nb.errors import AudioError
from realtime_nb.widgets.base import View
from realtime_nb.widgets.media import Channel
from realtime_nb.widgets.media_frames import Header

__all__ = ["Recorder"]

RATE = 24_000


class Recorder(View):
    """A microphone in a cell: press record, speak, and have the sound as ``recorder.audio``, also while it comes.

    A file dropped on it, or chosen, does as well. Echo cancellation, noise
    suppression and automatic gain are one switch: on for speech, off when the
    samples must be what the microphone heard.

    Parameters
    ----------
    echo_cancellation : bool
        Whether the browser takes the loudspeaker's sound and noise out.
    max_s : float
        How much is kept, in seconds; recording stops there.

    Examples
    --------
    >>> recorder = Recorder()  # doctest: +SKIP
    >>> recorder  # doctest: +SKIP
    Recorder(empty)
    >>> session.say(recorder)  # doctest: +SKIP
    """

    view_name = "recorder"

    echo_cancellation = traitlets.Bool(default_value=True).tag(sync=True)

    def __init__(self, *, echo_cancellation: bool = True, max_s: float = 600.0) -> None:
        self._lock = threading.Lock()
        self._pcm = bytearray()
        super().__init__(echo_cancellation=echo_cancellation)
        self._max_s = max_s
        Channel(self, on_audio=self._hear, on_event=self._note)

    @property
    def audio(self) -> Audio:
        """What was recorded so far: 24 kHz, mono."""
        with self._lock:
            pcm = bytes(self._pcm)
        if not pcm:
            raise AudioError("nothing is recorded yet", hint="recorder  # press record, speak, press stop")
        return Audio.from_pcm16(pcm)

    def facts(self) -> str:
        """Tell how much is recorded."""
        seconds = len(self._pcm) / 2 / RATE
        return f"{seconds:.2f} s" if seconds else "empty"

    def _hear(self, pcm: bytes, header: Header) -> None:
        with self._lock:
            if header.get("at") == 0:
                self._pcm.clear()
            self._pcm += pcm

    def _note(self, header: Header, payload: bytes) -> None:
        del header, payload

    def receive(self, message: dict[str, Any], buffers: list[memoryview]) -> None:
        """Take a message of the page: none is due."""
