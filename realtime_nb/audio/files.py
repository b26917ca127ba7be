"""Sound files in and out: WAV, FLAC, Ogg (Vorbis, Opus) and MP3 through libsndfile, and the WebM browsers record."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import numpy as np

from realtime_nb.audio import pcm, webm
from realtime_nb.audio.pcm import Samples
from realtime_nb.errors import AudioError
from realtime_nb.localfile import FileKind

__all__ = ["CONTAINERS", "MAX_READ_S", "Container", "Source", "encode_file", "read_file", "write_file"]

Source = str | os.PathLike[str] | BinaryIO | bytes | bytearray | memoryview
"""A path, an open binary file, or a file's bytes."""

MAX_READ_S = 3_600
"""The longest sound that is read, in seconds: a session's life (model card, 60 minutes)."""

_CONVERT = "!ffmpeg -i recording.m4a question.wav"
_FILE = FileKind(AudioError, "rt.Audio.read", "question.wav", 2_000_000_000)
_BLOCK = (
    1 << 14
)  # frames a call: libsndfile 1.2.2 puts a call's Vorbis on the stack, and a minute of it ends the process
_OGG_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)
_MP3_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


@dataclass(frozen=True, slots=True)
class Container:
    """What a suffix stands for."""

    format: str
    """libsndfile's name of the container."""
    subtype: str
    """libsndfile's name of the coding."""
    rates: tuple[int, ...] = ()
    """The rates it can hold, in Hz; empty: any."""
    lossless: bool = False
    """Every 16-bit value comes back."""


CONTAINERS: Mapping[str, Container] = MappingProxyType(
    {
        ".wav": Container("WAV", "PCM_16", lossless=True),
        ".flac": Container("FLAC", "PCM_16", lossless=True),
        ".ogg": Container("OGG", "VORBIS"),
        ".opus": Container("OGG", "OPUS", _OGG_RATES),
        ".mp3": Container("MP3", "MPEG_LAYER_III", _MP3_RATES),
    }
)
"""The files that can be written, by suffix."""


def read_file(source: Source) -> tuple[Samples, int]:
    """Read a sound file.

    Parameters
    ----------
    source : path, binary file or bytes
        Any container libsndfile knows, or WebM with Opus.

    Returns
    -------
    samples : ndarray of float32, shape (n,)
        Several channels are averaged.
    rate : int
        Samples per second.

    Raises
    ------
    AudioError
        The file is missing, empty, too long, or no sound.
    """
    data, name = _load(source)
    if not data:
        raise AudioError(f"{name} is empty: a sound file has a header and samples.", hint=_FILE.hint)
    return _decode(webm.to_ogg(data) if webm.is_webm(data) else data, name)


def encode_file(samples: Samples, rate: int, suffix: str, *, compression: float | None = None) -> bytes:
    """Make the bytes of a sound file.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        In [-1, 1].
    rate : int
        Samples per second.
    suffix : str
        A key of :data:`CONTAINERS`.
    compression : float, optional
        For the lossy ones, from 0.0 (large) to 1.0 (small).

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    AudioError
        The suffix is unknown, or the container cannot hold the rate.
    """
    import soundfile

    container = _container(suffix)
    if container.rates and rate not in container.rates:
        fit = next((r for r in container.rates if r >= rate), container.rates[-1])
        raise AudioError(
            f"A {suffix} file cannot hold {rate:,} Hz: it holds {', '.join(f'{r:,}' for r in container.rates)} Hz.",
            hint=f'audio.resample({fit:_}).save("sound{suffix}")',
        )
    values = pcm.to_int16(samples) if container.lossless else samples
    out = io.BytesIO()
    with soundfile.SoundFile(
        out, "w", rate, 1, container.subtype, format=container.format, compression_level=compression
    ) as file:
        for start in range(0, len(values), _BLOCK):
            file.write(values[start : start + _BLOCK])
    return out.getvalue()


def write_file(path: str | os.PathLike[str], samples: Samples, rate: int) -> Path:
    """Write a sound file, its kind told by its suffix.

    Parameters
    ----------
    path : path
        Ends in one of :data:`CONTAINERS`.
    samples : ndarray of float32, shape (n,)
        In [-1, 1].
    rate : int
        Samples per second.

    Returns
    -------
    pathlib.Path
        Where it was written.

    Raises
    ------
    AudioError
        The suffix is unknown, the container cannot hold the rate, or the folder cannot be written.
    """
    target = Path(path).expanduser()
    data = encode_file(samples, rate, target.suffix.lower())
    try:
        target.write_bytes(data)
    except OSError as error:
        raise AudioError(
            f"{target} cannot be written: {error.strerror}.",
            hint=f"Path({str(target.parent)!r}).mkdir(parents=True, exist_ok=True)",
        ) from error
    return target


def _container(suffix: str) -> Container:
    container = CONTAINERS.get(suffix)
    if container is None:
        raise AudioError(
            f"{suffix or 'No suffix'!r} names no sound file: {', '.join(CONTAINERS)} do.",
            hint='audio.save("sound.wav")',
        )
    return container


def _load(source: Source) -> tuple[bytes, str]:
    """Give the bytes of a source, and its name for error messages."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        return bytes(source), f"A sound of {memoryview(source).nbytes:,} bytes"
    if isinstance(source, (str, os.PathLike)):
        return _FILE.load(source), str(source)
    data = source.read() if hasattr(source, "read") else None
    if not isinstance(data, bytes):
        raise AudioError(
            f"{type(source).__name__} is no sound file: a path, a file opened for bytes, or bytes are.",
            hint=_FILE.hint,
        )
    return data, str(getattr(source, "name", "The file"))


def _decode(data: bytes, name: str) -> tuple[Samples, int]:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate = pcm.check_rate(file.samplerate)
            blocks = _blocks(file, name, rate)
    except soundfile.SoundFileError as error:
        raise AudioError(f"{name} is no sound that can be read: {_reason(error, data)}", hint=_CONVERT) from error
    if not blocks:
        raise AudioError(f"{name} has a header and no samples.", hint="rt.Audio.silence(0.5, rate=24_000)")
    return np.concatenate(blocks), rate


def _blocks(file: Any, name: str, rate: int) -> list[Samples]:
    """Read to the end and no further than :data:`MAX_READ_S`, whatever the header says."""
    blocks: list[Samples] = []
    frames = 0
    while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
        frames += len(block)
        if frames > MAX_READ_S * rate:
            raise AudioError(
                f"{name} lasts longer than {MAX_READ_S / 60:.0f} minutes: a session does not.",
                hint=f"!ffmpeg -t {MAX_READ_S} -i long.wav question.wav",
            )
        blocks.append(pcm.check_samples(block))
    return blocks


def _reason(error: Exception, data: bytes) -> str:
    if data[4:8] == b"ftyp":
        return "it is MP4/AAC; WAV, FLAC, Ogg, MP3 and WebM/Opus are read."
    text = str(error).rpartition("Error : ")[2].rpartition("object at 0x")[2]
    return re.sub(r"^[0-9a-f]*>: ", "", text).strip() or "unknown format."
