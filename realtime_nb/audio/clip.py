"""A sound as a value: samples and their rate, together and unchangeable."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from realtime_nb.audio import files, measure, pcm, synth
from realtime_nb.audio.formats import wire_format
from realtime_nb.audio.pcm import Layout, Samples
from realtime_nb.audio.resample import Quality, resample
from realtime_nb.errors import AudioError

if TYPE_CHECKING:
    from IPython.display import Audio as DisplayAudio

__all__ = ["Audio"]


class Audio:
    """A sound: mono samples and their rate. It never changes; what changes it gives a new one.

    Parameters
    ----------
    samples : array_like of int16, int32 or float, shape (n,) or (n, channels)
        See :meth:`from_array`.
    rate : int
        Samples per second.

    Examples
    --------
    >>> question = Audio.tone(440, 2.0)
    >>> question
    Audio(2.00 s, 24,000 Hz, -15.0 dBFS)
    >>> (question[0.5:1.5] + Audio.silence(0.5)).resample(16_000).duration_s
    1.5
    """

    __slots__ = ("_rate", "_samples")
    _samples: Samples
    _rate: int

    def __init__(self, samples: ArrayLike, rate: int) -> None:
        self._own(pcm.check_samples(samples), pcm.check_rate(rate))

    def _own(self, samples: Samples, rate: int) -> None:
        samples.setflags(write=False)
        self._samples = samples
        self._rate = rate

    @classmethod
    def _of(cls, samples: Samples, rate: int) -> Self:
        """Wrap checked samples that nobody else holds for writing."""
        self = cls.__new__(cls)
        self._own(samples, rate)
        return self

    @classmethod
    def read(cls, source: files.Source) -> Self:
        """Read a sound file: WAV, FLAC, Ogg (Vorbis or Opus), MP3, or a browser's WebM.

        Parameters
        ----------
        source : path, binary file or bytes
            Where the file is, or what is in it.

        Returns
        -------
        Audio
            At the file's own rate; several channels are averaged.

        Raises
        ------
        AudioError
            The file is missing, empty, longer than an hour, or no sound.
        """
        return cls._of(*files.read_file(source))

    @classmethod
    def from_array(cls, x: ArrayLike, *, rate: int | None = None, layout: Layout = "frames,channels") -> Self:
        """Take samples from an array.

        Parameters
        ----------
        x : array_like of int16, int32 or float, shape (n,), (n, channels) or (channels, n)
            Integers are full scale at their own width. Floats are full scale at
            1.0; what is outside [-1, 1] is clipped. Several channels are averaged.
        rate : int
            Samples per second; it is never guessed.
        layout : {"frames,channels", "channels,frames"}
            Which axis is time, when there are two.

        Returns
        -------
        Audio
            A copy.

        Raises
        ------
        AudioError
            No rate, wrong dtype, wrong shape, nothing in it, NaN or infinity.
        """
        if rate is None:
            raise pcm.no_rate("Audio.from_array()", x)
        return cls._of(pcm.check_samples(x, layout=layout), pcm.check_rate(rate))

    @classmethod
    def from_pcm16(cls, data: bytes | bytearray | memoryview, rate: int = 24_000) -> Self:
        """Take 16-bit little-endian mono PCM, what the Realtime API sends and wants.

        Parameters
        ----------
        data : bytes
            Two bytes a sample; none at all makes a clip of no duration.
        rate : int
            Samples per second.

        Returns
        -------
        Audio
            Its :meth:`to_pcm16` gives exactly `data` again.

        Raises
        ------
        AudioError
            The number of bytes is odd.
        """
        return cls._of(pcm.decode_pcm16(data), pcm.check_rate(rate))

    @classmethod
    def from_wire(cls, data: bytes, format: str = "audio/pcm") -> Self:
        """Take the bytes of an event.

        Parameters
        ----------
        data : bytes
            Sound in the session's format; half a sample at its end is left out.
        format : {"audio/pcm", "audio/pcmu", "audio/pcma"}
            The format's ``type``: PCM16 at 24 kHz, or G.711 mu-law or A-law at 8 kHz.

        Returns
        -------
        Audio
            At the format's rate.
        """
        one = wire_format(format)
        return cls._of(one.decode(one.split(data)[0]).copy(), one.rate)

    @classmethod
    def coerce(cls, obj: Any, *, caller: str = "rt.Audio.coerce()") -> Audio:
        """Take whatever a notebook calls a sound.

        Parameters
        ----------
        obj : Audio, path, bytes, (array, rate), IPython.display.Audio, or a recorder widget
            The sound.
        caller : str
            Who asks, for the error's message.

        Returns
        -------
        Audio
            `obj` itself when it is one.

        Raises
        ------
        AudioError
            It is no sound, or an array without its rate.
        """
        from realtime_nb.audio.coerce import coerce

        return coerce(obj, caller=caller)

    @classmethod
    def silence(cls, duration_s: float, rate: int = 24_000) -> Self:
        """Make a sound of nothing.

        Parameters
        ----------
        duration_s : float
            Seconds, 0 or more.
        rate : int
            Samples per second.

        Returns
        -------
        Audio
            All samples 0.
        """
        return cls._of(synth.silence(duration_s, rate), pcm.check_rate(rate))

    @classmethod
    def tone(cls, frequency_hz: float, duration_s: float, rate: int = 24_000, *, peak_dbfs: float = -12.0) -> Self:
        """Make a sine tone, faded in and out over 5 ms.

        Parameters
        ----------
        frequency_hz : float
            Below half the rate.
        duration_s : float
            Seconds, 0 or more.
        rate : int
            Samples per second.
        peak_dbfs : float
            Height of its peaks, in dB under full scale.

        Returns
        -------
        Audio
            The tone, beginning at phase 0.
        """
        return cls._of(synth.sine(frequency_hz, duration_s, rate, peak_dbfs), pcm.check_rate(rate))

    @classmethod
    def concatenate(cls, clips: Iterable[Audio]) -> Self:
        """Join clips end to end.

        Parameters
        ----------
        clips : iterable of Audio
            At least one; all of one rate.

        Returns
        -------
        Audio
            As long as all of them together.

        Raises
        ------
        AudioError
            There is none, or their rates differ.
        """
        return cls._of(*synth.join([(clip.samples, clip.rate) for clip in clips]))

    @property
    def samples(self) -> Samples:
        """The samples: float32 in [-1, 1], shape (n,), read-only."""
        return self._samples

    @property
    def rate(self) -> int:
        """Samples per second."""
        return self._rate

    @property
    def duration_s(self) -> float:
        """How long it lasts, in seconds."""
        return len(self._samples) / self._rate

    @property
    def level_dbfs(self) -> float:
        """Its mean level (root mean square), in dB relative to full scale; silence is -inf, a full sine -3.01."""
        return measure.rms_dbfs(self._samples)

    @property
    def peak_dbfs(self) -> float:
        """Its highest sample, in dB relative to full scale; silence is -inf."""
        return measure.peak_dbfs(self._samples)

    def resample(self, rate: int, *, quality: Quality = "HQ") -> Audio:
        """Give the same sound at another rate.

        Parameters
        ----------
        rate : int
            Samples per second.
        quality : {"HQ", "MQ", "LQ", "QQ"}
            The filter; see :class:`realtime_nb.audio.Resampler`, which does the same as the sound comes.

        Returns
        -------
        Audio
            Itself when it has that rate already.
        """
        rate = pcm.check_rate(rate)
        return (
            self if rate == self._rate else Audio._of(resample(self._samples, self._rate, rate, quality=quality), rate)
        )

    def to_pcm16(self) -> bytes:
        """Give 16-bit little-endian PCM at this clip's rate.

        Returns
        -------
        bytes
            Two bytes a sample.
        """
        return pcm.encode_pcm16(self._samples)

    def to_wire(self, format: str = "audio/pcm") -> bytes:
        """Give the bytes for an event, at the format's rate.

        Parameters
        ----------
        format : {"audio/pcm", "audio/pcmu", "audio/pcma"}
            The format's ``type``.

        Returns
        -------
        bytes
            Sound in that format.
        """
        one = wire_format(format)
        return one.encode(self.resample(one.rate).samples)

    def to_display(self, *, autoplay: bool = False) -> DisplayAudio:
        """Give IPython's own player, for code that wants one, or to start playing at once.

        Parameters
        ----------
        autoplay : bool
            Play when shown.

        Returns
        -------
        IPython.display.Audio
            With the sound inside, as WAV.
        """
        from IPython.display import Audio as DisplayAudio

        wav = files.encode_file(self._samples, self._rate, ".wav")
        return DisplayAudio(data=wav, autoplay=autoplay)  # type: ignore[no-untyped-call]  # IPython has no types here

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a sound file, its kind told by its suffix.

        Parameters
        ----------
        path : path
            Ends in ``.wav``, ``.flac`` (16 bits, lossless), ``.ogg``, ``.opus`` or ``.mp3``.

        Returns
        -------
        pathlib.Path
            Where it is.

        Raises
        ------
        AudioError
            The suffix is unknown, the file cannot hold the rate, or cannot be written.
        """
        return files.write_file(path, self._samples, self._rate)

    def chunks(self, duration_s: float = 0.1) -> Iterator[Audio]:
        """Cut it into pieces, to send them one after another.

        Parameters
        ----------
        duration_s : float
            Length of each but the last, in seconds.

        Yields
        ------
        Audio
            The pieces, in order.
        """
        step = max(synth.frames_in(duration_s, self._rate), 1)
        for start in range(0, len(self._samples), step):
            yield Audio._of(self._samples[start : start + step], self._rate)

    def __getitem__(self, span: Any) -> Audio:
        """Cut out a span of seconds: ``clip[0.5:2]``, ``clip[-1:]``."""
        if not isinstance(span, slice) or span.step is not None:
            raise AudioError("A clip is cut by a span of seconds.", hint="clip[0.5:2.0]")
        start, stop = (None if s is None else synth.frame_at(s, self._rate) for s in (span.start, span.stop))
        return Audio._of(self._samples[start:stop], self._rate)

    def __add__(self, other: object) -> Audio:
        """Join two clips of one rate."""
        return Audio.concatenate((self, other)) if isinstance(other, Audio) else NotImplemented

    def __bool__(self) -> bool:
        """Whether there is anything in it."""
        return len(self._samples) > 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Audio):
            return NotImplemented
        return self._rate == other._rate and np.array_equal(self._samples, other._samples)

    def __hash__(self) -> int:
        return hash((self._rate, (self._samples + np.float32(0)).tobytes()))  # -0.0 equals 0.0, its bytes do not

    def __reduce__(self) -> tuple[Any, ...]:
        return (Audio._of, (self._samples, self._rate))

    def __repr__(self) -> str:
        level = "silent" if math.isinf(self.level_dbfs) else f"{self.level_dbfs:.1f} dBFS"
        return f"Audio({self.duration_s:.2f} s, {self._rate:,} Hz, {level})"

    def _repr_html_(self) -> str:
        from realtime_nb.audio.player import player_html

        return player_html(self)
