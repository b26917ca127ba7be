"""A sound in a cell: its waveform, its words, and the part of it a person chooses."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, ClassVar

import numpy as np
import traitlets

from realtime_nb.audio import Audio, Samples, files
from realtime_nb.audio.player import Voice, envelopes
from realtime_nb.display import plain
from realtime_nb.errors import ConfigError, RealtimeError
from realtime_nb.turn import Turn
from realtime_nb.widgets.base import View
from realtime_nb.widgets.static import Record

__all__ = ["Player"]

COLUMNS = 1_200
"""Of the waveform in the page: a sharp screen's width."""
LOSSLESS_S = 480.0
"""A longer sound goes to the page as MP3: a message of some 10 MB is what passes well (measured)."""
_MP3_COMPRESSION = 0.4  # libsndfile's scale: about 60 kbit/s for speech at 24 kHz
_SLOWEST, _FASTEST = 0.25, 4.0  # beyond it browsers play nothing


class Player(View):
    """Plays a sound, shows its waveform and its words, and gives what is selected in it.

    Click to go there, drag to select. Space plays and pauses, arrows, Home and End
    move, with Shift they select, Escape selects nothing.

    Parameters
    ----------
    sound : Audio, Turn, or whatever ``rt.Audio.coerce`` takes
        What to play; of a turn, the reply. One that still comes is shown as far as it is, and whole when it is.
    transcript : str, optional
        The words under the wave; a turn brings its own.

    Attributes
    ----------
    audio : Audio
        The whole sound.
    speed : float
        From 0.25 to 4; the pitch stays where the browser can.
    volume : float
        From 0 to 1.
    selection_s : tuple of float
        From and to, in seconds; equal when nothing is selected.
    playing, finished : bool
        What the page says: whether it plays, and whether the last playing came to the end.
    position_s, played_s : float
        What the page says, at most twice a second: where it is, and the furthest point that was heard; seconds.
    stalls : int
        How often the page ran out of sound while it played.

    Examples
    --------
    >>> player = Player(Audio.tone(440, 2.0), transcript="A tone.")
    >>> player.select(0.5, 1.5)
    >>> player.selection
    Audio(1.00 s, 24,000 Hz, -15.0 dBFS)
    >>> player
    Player(2.00 s, 0.50 to 1.50 s selected)
    """

    view_name: ClassVar[str] = "player"

    transcript = traitlets.Unicode().tag(sync=True)
    voice = traitlets.Unicode(read_only=True).tag(sync=True)
    duration_s = traitlets.Float(read_only=True).tag(sync=True)
    speed = traitlets.Float(1.0, min=_SLOWEST, max=_FASTEST).tag(sync=True)
    volume = traitlets.Float(1.0, min=0.0, max=1.0).tag(sync=True)
    selection_s = traitlets.Tuple(traitlets.Float(), traitlets.Float(), default_value=(0.0, 0.0)).tag(sync=True)

    playing = traitlets.Bool(read_only=True)
    finished = traitlets.Bool(read_only=True)
    position_s = traitlets.Float(read_only=True)
    played_s = traitlets.Float(read_only=True)
    stalls = traitlets.Int(read_only=True)

    def __init__(self, sound: Any, *, transcript: str | None = None) -> None:
        super().__init__()
        self._lock, self._ordering = threading.Lock(), threading.Lock()
        self._orders: list[dict[str, Any]] | None = []
        """What a cell asked for before any page had the sound; None since one has."""
        self._voice: Voice = "model" if isinstance(sound, Turn) else "user"
        self.set_trait("voice", self._voice)
        unfinished = isinstance(sound, Turn) and not sound.done
        self._hold(sound, transcript)
        if unfinished:
            follow = threading.Thread(target=self._follow, args=(sound, transcript), name="realtime_nb player")
            follow.daemon = True
            follow.start()

    def _hold(self, sound: Any, transcript: str | None) -> None:
        self.audio = Audio.coerce(sound, caller="rt.Player()")
        self._packed: list[bytes] = []
        self.set_trait("duration_s", self.audio.duration_s)
        self.transcript = plain(sound.text if transcript is None and isinstance(sound, Turn) else transcript or "")

    def _follow(self, turn: Turn, transcript: str | None) -> None:
        """Show a turn whole when it is; what kept it from a good end is told by the turn."""
        with contextlib.suppress(RealtimeError):
            turn.wait()
        with self._lock:
            self._hold(turn, transcript)
        if not self.closed:
            self._load(anew=True)
            self.keep()

    # ---------------------------------------------------------------- what a person does
    @property
    def selection(self) -> Audio | None:
        """What is selected; None when nothing is."""
        start_s, stop_s = self.selection_s
        return self.audio[start_s:stop_s] if stop_s > start_s else None

    def select(self, start_s: float, stop_s: float) -> None:
        """Select a span; playing then plays just that.

        Parameters
        ----------
        start_s, stop_s : float
            In seconds from the beginning; equal, they select nothing.

        Raises
        ------
        ConfigError
            The span is not within the sound.
        """
        if not 0 <= start_s <= stop_s <= self.audio.duration_s:
            raise ConfigError(
                f"{start_s:g} to {stop_s:g} s is no span of a sound that lasts {self.audio.duration_s:.2f} s",
                hint=f"player.select(0, {min(1.0, self.audio.duration_s):.2f})",
            )
        self.selection_s = (start_s, stop_s)

    def play(self) -> None:
        """Let the page play, when it has the sound; a browser may want a click in the page before it does."""
        self._order({"t": "play"})

    def pause(self) -> None:
        """Let the page pause."""
        self._order({"t": "pause"})

    def seek(self, at_s: float) -> None:
        """Move the cursor.

        Parameters
        ----------
        at_s : float
            In seconds from the beginning.
        """
        self._order({"t": "seek", "at_s": at_s})

    def _order(self, order: dict[str, Any]) -> None:
        with self._ordering:  # a page that is just shown would not hear it
            if self._orders is None:
                self.send(order)
            else:
                self._orders.append(order)

    # ---------------------------------------------------------------- what the page says
    def receive(self, message: dict[str, Any], buffers: list[memoryview]) -> None:
        """Take a message of the page: it wants the sound, or tells how far it is."""
        del buffers
        if message["t"] == "load":
            threading.Thread(target=self._load, name="realtime_nb player", daemon=True).start()
        elif message["t"] == "state":
            for name in ("playing", "finished", "position_s", "played_s", "stalls"):
                self.set_trait(name, message[name])

    def _load(self, *, anew: bool = False) -> None:
        with self._lock:  # of two views, the second finds it packed
            self._packed = self._packed or [packed(self.audio), *map(_as_bytes, envelopes(self.audio.samples, COLUMNS))]
            if self.closed:
                return
            self.send({"t": "sound", "anew": anew}, buffers=self._packed)
        if not anew:  # a page asked
            self._pass_on()

    def _pass_on(self) -> None:
        with self._ordering:
            orders, self._orders = self._orders or [], None
            for order in orders:
                self.send(order)

    # ---------------------------------------------------------------- how it looks
    def static_html(self) -> str:
        """Give the sound with its words, playable without a kernel."""
        record = Record()
        record.put("sound", words=self.transcript, sound=self.audio, voice=self._voice)
        return record.html

    def facts(self) -> str:
        """Tell how long it is, and what is selected."""
        start_s, stop_s = self.selection_s
        chosen = f", {start_s:.2f} to {stop_s:.2f} s selected" if stop_s > start_s else ""
        return f"{self.audio.duration_s:.2f} s{chosen}"


def packed(audio: Audio) -> bytes:
    """Make the file that goes to the page.

    Parameters
    ----------
    audio : Audio
        Any.

    Returns
    -------
    bytes
        FLAC, sample for sample as 16 bits; a long sound MP3; nothing when there is nothing to hear.
    """
    if not audio:
        return b""
    if audio.duration_s <= LOSSLESS_S:
        return files.encode_file(audio.samples, audio.rate, ".flac")
    rates = files.CONTAINERS[".mp3"].rates
    fit = audio.resample(next((rate for rate in rates if rate >= audio.rate), rates[-1]))
    return files.encode_file(fit.samples, fit.rate, ".mp3", compression=_MP3_COMPRESSION)


def _as_bytes(levels: Samples) -> bytes:
    """Levels from 0 to 1 as a byte each."""
    return bytes(np.rint(levels * 255).astype(np.uint8))
