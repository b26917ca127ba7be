"""A microphone in a cell.

The page records and sends; the kernel holds the sound and is the one that tells
every page how things stand, so that a second tab or a reload shows the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar, Literal

import numpy as np
import traitlets

from realtime_nb.audio import Audio
from realtime_nb.audio.player import player_html
from realtime_nb.errors import AudioError
from realtime_nb.widgets.base import View
from realtime_nb.widgets.media import Channel, Path
from realtime_nb.widgets.media_frames import Header

__all__ = ["Recorder"]

Phase = Literal["idle", "asking", "recording", "paused", "loading", "done"]

_RATE = 24_000
_PIECE = 2 * _RATE  # bytes of one second, sent at once when a recording is heard again
_AHEAD = 5 * 60 * _RATE  # samples that a page is sent before it plays them; it keeps ten minutes
_LEVEL = 960  # samples to a peak of the waveform: 40 ms, as the page measures them


class Recorder(View):
    """A microphone in a cell: press record, speak, and have the sound as ``recorder.audio``, also while it comes.

    A sound file dropped on it, or chosen, does as well.

    Parameters
    ----------
    echo_cancellation : bool
        Whether the browser takes loudspeaker, noise and changes of loudness out: right for
        speech. Without it the samples are what the microphone heard.
    max_s : float
        How much is kept, in seconds; recording stops there.

    Examples
    --------
    >>> import realtime_nb as rt
    >>> recorder = rt.Recorder()
    >>> recorder
    Recorder(empty)
    >>> session.say(recorder)  # doctest: +SKIP
    """

    view_name = "recorder"

    echo_cancellation = traitlets.Bool(default_value=True).tag(sync=True)
    max_s = traitlets.Float(600.0).tag(sync=True)

    def __init__(self, *, echo_cancellation: bool = True, max_s: float = 600.0) -> None:
        self._tape = _Tape()
        self._phase: Phase = "idle"
        self._trouble: str | None = None
        self._holder = ""  # the page that records
        self._turn = 0  # which of that page's phases this is: its own echo may come when it is at the next
        self._heard: Header = {}
        self._unplayed = memoryview(b"")
        """What of the recording that is played was not sent to the page yet."""
        self._sent = 0
        super().__init__(echo_cancellation=echo_cancellation, max_s=max_s)
        self._channel = Channel(self, on_audio=self._hear, on_event=self._note)

    # ------------------------------------------------------------ what a person asks
    @property
    def audio(self) -> Audio:
        """What is recorded so far: 24 kHz, mono; an AudioError while there is nothing."""
        pcm = self._tape.pcm()
        if not pcm:
            raise AudioError(
                self._trouble or "nothing is recorded yet", hint="recorder  # press record, speak, press stop"
            )
        return Audio.from_pcm16(pcm)

    @property
    def duration_s(self) -> float:
        """How much is recorded, in seconds."""
        return self._tape.samples / _RATE

    @property
    def lost_s(self) -> float:
        """How much the page captured and the kernel did not get, in seconds: 0 unless the way broke or was blocked."""
        return self._tape.lost / _RATE

    @property
    def recording(self) -> bool:
        """Whether sound is being recorded now."""
        return self._phase == "recording"

    @property
    def trouble(self) -> str | None:
        """What went wrong last, and what to do; None when nothing did."""
        return self._trouble

    @property
    def path(self) -> Path | None:
        """How the page reaches the kernel; None while no page shows the widget."""
        return self._channel.path

    def record(self) -> None:
        """Press the page's record button; the browser may want a click of the person first."""
        self._channel.send({"t": "do", "act": "record"}, everyone=False)

    def stop(self) -> None:
        """Press the page's stop button."""
        self._channel.send({"t": "do", "act": "stop"}, everyone=False)

    def play(self) -> None:
        """Play what is recorded in the page."""
        self._channel.send({"t": "do", "act": "play"}, everyone=False)

    def facts(self) -> str:
        """Tell how much is recorded, and what goes on."""
        much = f"{self.duration_s:.2f} s" if self._tape.samples else "empty"
        return f"{much}, {self._phase}" if self._phase in ("recording", "paused", "loading") else much

    def static_html(self) -> str:
        """Give the recording as a player."""
        pcm = self._tape.pcm()
        return player_html(Audio.from_pcm16(pcm)) if pcm else ""

    # ------------------------------------------------------------ the media thread
    def _hear(self, pcm: bytes, header: Header) -> None:
        if self._tape.write(pcm, int(header.get("at", 0))) and self._phase == "done":
            self._finish()

    def _note(self, header: Header, payload: bytes) -> None:
        del payload
        act = self._ACTS.get(header["t"])
        if act is not None:
            act(self, header)

    def _opened(self, header: Header) -> None:
        self._channel.answer(header["page"], *self._state(peaks=True))

    def _closed_page(self, header: Header) -> None:
        if header["page"] == self._holder and self._phase in ("asking", "recording", "paused", "loading"):
            self._phase = "done" if self._tape.samples else "idle"
            self._channel.send(*self._state(peaks=True))
            self._finish()

    def _changed(self, header: Header) -> None:
        if not header["owner"]:
            return  # it was told while the way was lost: another page has the microphone now
        self._phase, self._holder, self._trouble = header["phase"], header["page"], None
        self._turn = int(header.get("turn", 0))
        if self._phase == "done" and self._tape.expect(int(header.get("recorded", self._tape.samples))):
            self._finish()
        self._channel.send(*self._state(peaks=self._phase == "done"))

    def _finish(self) -> None:
        """Put the recording beside the widget; encoding takes a while, so on a thread of its own."""
        threading.Thread(target=self.keep, name="realtime_nb recording", daemon=True).start()

    def _play(self, header: Header) -> None:
        self._unplayed, self._sent = memoryview(self._tape.pcm()), 0
        self._play_on({"item": header["page"], "played": 0})

    def _play_on(self, header: Header) -> None:
        """The page has played so much: send it more."""
        item, ahead = header["item"], int(header["played"]) + _AHEAD
        while self._unplayed and self._sent < ahead:
            piece, self._unplayed = self._unplayed[:_PIECE], self._unplayed[_PIECE:]
            self._sent += len(piece) // 2
            self._channel.push(bytes(piece), {"item": item, "last": not self._unplayed})

    def _failed(self, header: Header) -> None:
        self._trouble = f"{header.get('message')} {header.get('todo')}"

    def _sounded(self, header: Header) -> None:
        self._heard = header
        self._unplayed = memoryview(b"")

    def _state(self, *, peaks: bool) -> tuple[Header, bytes]:
        state = {"t": "recorder", "phase": self._phase, "samples": self._tape.samples}
        state |= {"by": self._holder, "turn": self._turn}
        return ({**state, "peaks": True}, self._tape.peaks()) if peaks else (state, b"")

    _ACTS: ClassVar[dict[str, Callable[[Recorder, Header], None]]] = {
        "opened": _opened,
        "closed": _closed_page,
        "recorder": _changed,
        "play": _play,
        "position": _play_on,
        "trouble": _failed,
        "done": _sounded,
        "flushed": _sounded,
    }


class _Tape:
    """The samples: written by the media thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pcm = bytearray()
        self._expected: int | None = None
        self._skipped = 0

    def write(self, pcm: bytes, at: int) -> bool:
        """Add a chunk whose first sample is number `at`; tell whether this was the last that is expected."""
        with self._lock:
            if at == 0:
                self._pcm, self._expected, self._skipped = bytearray(), None, 0
            gap = at - len(self._pcm) // 2
            if gap > 0:  # a chunk that the page had to drop: silence keeps the time right
                self._pcm += bytes(2 * gap)
                self._skipped += gap
            self._pcm += pcm
            return self._expected is not None and self.samples >= self._expected

    def expect(self, samples: int) -> bool:
        """Be told how many there are in all; tell whether they are here."""
        with self._lock:
            self._expected = samples
            return self.samples >= samples

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(self._pcm) // 2

    @property
    def lost(self) -> int:
        """How many the page took and did not get here."""
        return self._skipped + max(0, (self._expected or 0) - self.samples)

    def pcm(self) -> bytes:
        """All of them, as PCM16."""
        with self._lock:
            return bytes(self._pcm)

    def peaks(self) -> bytes:
        """The highest sample of each 40 ms, 0 to 1, as float32."""
        with self._lock:
            samples = np.frombuffer(self._pcm, "<i2")
            edges = np.arange(0, len(samples), _LEVEL)
            if not len(edges):
                return b""
            high, low = (of.reduceat(samples, edges).astype("<f4") for of in (np.maximum, np.minimum))
            del samples  # while it is seen, the tape cannot grow
        return bytes(np.maximum(high, -low) / np.float32(32768))
