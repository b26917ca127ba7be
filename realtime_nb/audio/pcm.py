"""Samples as this package keeps them: float32, mono, in [-1, 1]. The one border where arrays are checked.

The scale between 16-bit PCM and float is 32768 in both directions, so PCM16 ->
float -> PCM16 gives every one of the 65,536 values back. What is out of range
clips; it never wraps.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from realtime_nb.errors import AudioError

__all__ = [
    "FULL_SCALE",
    "MAX_CHANNELS",
    "RATE_RANGE_HZ",
    "Layout",
    "Samples",
    "check_rate",
    "check_samples",
    "decode_pcm16",
    "encode_pcm16",
    "no_rate",
    "to_int16",
]

Samples = NDArray[np.float32]
"""Mono samples, float32 in [-1, 1], shape ``(n,)``; the rate is named beside it."""

Layout = Literal["frames,channels", "channels,frames"]
"""Which axis of a two-dimensional array is time; the first is soundfile's, the second IPython's."""

FULL_SCALE = 32_768
"""Steps of 16-bit PCM from 0 to -1.0."""

MAX_CHANNELS = 32
"""More channels than this mean that the axes are swapped."""

RATE_RANGE_HZ = (1_000, 768_000)
"""A rate outside was given in kHz, or is not a rate."""

_CLEARLY_NOT_UNITY = 8.0  # 18 dB over full scale: no filter overshoots so far, so the unit is wrong
_SCALES = {  # (kind, bytes) of a dtype -> what one step is worth
    ("i", 2): 1 / FULL_SCALE,
    ("i", 4): 1 / 2**31,
    ("f", 2): 1.0,
    ("f", 4): 1.0,
    ("f", 8): 1.0,
}


def check_rate(rate: Any) -> int:
    """Accept a whole number of Hz.

    Parameters
    ----------
    rate : int
        Samples per second; a float is taken when it is whole.

    Returns
    -------
    int
        The same rate.

    Raises
    ------
    AudioError
        It is no whole number, or outside :data:`RATE_RANGE_HZ`.
    """
    low, high = RATE_RANGE_HZ
    try:
        whole = int(rate)
        ok = not isinstance(rate, (bool, str, bytes)) and whole == rate
    except (TypeError, ValueError, OverflowError):
        ok, whole = False, 0
    if not ok:
        raise AudioError(f"{rate!r} is no sample rate: a rate is a whole number of Hz.", hint="rate=24_000")
    if not low <= whole <= high:
        raise AudioError(
            f"{whole} Hz is no sample rate: a rate lies between {low:,} and {high:,} Hz.",
            hint=f"rate={whole * 1000:_}" if low <= whole * 1000 <= high else "rate=24_000",
        )
    return whole


def no_rate(caller: str, x: ArrayLike) -> AudioError:
    """Make the error for an array that came without its rate.

    Parameters
    ----------
    caller : str
        Who was given it.
    x : array_like
        What was given.

    Returns
    -------
    AudioError
        To be raised.
    """
    return AudioError(
        f"{caller} got an array of shape {np.shape(x)} without its sample rate, and will not guess: "
        "a wrong rate plays too fast or too slow.",
        hint="rt.Audio.from_array(x, rate=48_000)",
    )


def check_samples(x: ArrayLike, *, layout: Layout = "frames,channels") -> Samples:
    """Turn an array into mono samples of our own, or say what is wrong with it.

    Parameters
    ----------
    x : array_like of int16, int32 or float, shape (n,), (n, channels) or (channels, n)
        Integers are full scale at their own width; floats are full scale at 1.0.
        Several channels are averaged.
    layout : {"frames,channels", "channels,frames"}
        Which axis is time, when there are two.

    Returns
    -------
    ndarray of float32, shape (n,)
        A fresh array in [-1, 1]; what was outside is clipped.

    Raises
    ------
    AudioError
        Wrong dtype, wrong shape, nothing in it, NaN or infinity.
    """
    array = _as_array(x)
    frames = _frames_first(array, layout)
    scale = _scale_of(frames.dtype)
    if frames.dtype.kind == "i":
        return _mean(frames.astype(np.float32) * np.float32(scale))
    _check_finite(frames)
    return _mean(frames)


def _as_array(x: ArrayLike) -> NDArray[Any]:
    try:
        array = np.asarray(x)
    except (TypeError, ValueError) as error:
        raise AudioError(
            f"{type(x).__name__} is no array of samples: {error}.",
            hint="rt.Audio.from_array(np.zeros(24_000), rate=24_000)",
        ) from error
    if array.size == 0:
        raise AudioError(
            f"An array of shape {array.shape} has no samples: a sound needs at least one.",
            hint="rt.Audio.silence(0.5, rate=24_000)",
        )
    return array


def _frames_first(array: NDArray[Any], layout: Layout) -> NDArray[Any]:
    if layout not in ("frames,channels", "channels,frames"):
        raise AudioError(
            f"layout={layout!r} is unknown: it is 'frames,channels' or 'channels,frames'.",
            hint='layout="channels,frames"',
        )
    if array.ndim == 1:
        return array
    if array.ndim != 2:
        raise AudioError(
            f"An array of shape {array.shape} is no sound: one axis is mono, two are time and channels.",
            hint="rt.Audio.from_array(x.reshape(-1), rate=24_000)",
        )
    frames = array if layout == "frames,channels" else array.T
    if frames.shape[1] > MAX_CHANNELS:
        other = "channels,frames" if layout == "frames,channels" else "frames,channels"
        raise AudioError(
            f"An array of shape {array.shape} would have {frames.shape[1]} channels as {layout!r}; "
            f"{MAX_CHANNELS} is the most.",
            hint=f'rt.Audio.from_array(x, rate=24_000, layout="{other}")',
        )
    return frames


def _scale_of(dtype: np.dtype[Any]) -> float:
    scale = _SCALES.get((dtype.kind, dtype.itemsize))
    if scale is None:
        raise AudioError(
            f"Samples of dtype {dtype} have no agreed full scale: int16, int32, or float in [-1, 1] have.",
            hint="rt.Audio.from_array(x.astype(np.int16), rate=24_000)",
        )
    return scale


def _check_finite(frames: NDArray[Any]) -> None:
    finite = np.isfinite(frames)
    if not finite.all():
        first = int(np.argmin(finite.reshape(len(frames), -1).all(axis=1)))
        raise AudioError(
            f"{int((~finite).sum())} of {frames.size} samples are NaN or infinite, the first at frame {first}: "
            "a sample is a finite number.",
            hint="rt.Audio.from_array(np.nan_to_num(x, posinf=1, neginf=-1), rate=24_000)",
        )
    peak = max(-float(frames.min()), float(frames.max()))
    if peak > _CLEARLY_NOT_UNITY:
        warnings.warn(
            f"Float samples reach {peak:.6g}; full scale is 1.0, so most of this sound is clipped. "
            "16-bit numbers kept as float are rt.Audio.from_array(x / 32_768, rate=...).",
            stacklevel=5,
        )


def _mean(frames: NDArray[Any]) -> Samples:
    mono = frames if frames.ndim == 1 else frames.mean(axis=1, dtype=np.float64)
    clipped: Samples = np.clip(mono, -1.0, 1.0).astype(np.float32)
    return clipped


def decode_pcm16(data: bytes | bytearray | memoryview) -> Samples:
    """Read 16-bit little-endian mono PCM.

    Parameters
    ----------
    data : bytes
        Two bytes a sample.

    Returns
    -------
    ndarray of float32, shape (n,)
        In [-1, 1).

    Raises
    ------
    AudioError
        The number of bytes is odd.
    """
    raw = bytes(data)
    if len(raw) % 2:
        raise AudioError(
            f"{len(raw)} bytes are no PCM16: a sample is two bytes, so the number is even.",
            hint="rt.Audio.from_pcm16(data[: len(data) // 2 * 2])",
        )
    return np.frombuffer(raw, "<i2").astype(np.float32) / np.float32(FULL_SCALE)


def encode_pcm16(samples: Samples) -> bytes:
    """Write 16-bit little-endian mono PCM.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        What is outside [-1, 1] is clipped.

    Returns
    -------
    bytes
        Two bytes a sample, rounded to the nearest step.
    """
    return to_int16(samples).tobytes()


def to_int16(samples: Samples) -> NDArray[np.int16]:
    """Round to 16-bit steps.

    Parameters
    ----------
    samples : ndarray of float32, shape (n,)
        What is outside [-1, 1] is clipped.

    Returns
    -------
    ndarray of int16, shape (n,)
        Little-endian, whatever the machine is.
    """
    steps = np.clip(np.rint(samples * np.float32(FULL_SCALE)), -FULL_SCALE, FULL_SCALE - 1)
    whole: NDArray[np.int16] = steps.astype(np.dtype("<i2"))
    return whole
