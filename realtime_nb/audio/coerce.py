"""What a notebook calls a sound, made an :class:`~realtime_nb.audio.clip.Audio`: a table of kinds, tried in order."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from realtime_nb import recorders
from realtime_nb.audio.clip import Audio
from realtime_nb.audio.pcm import no_rate
from realtime_nb.errors import AudioError

__all__ = ["SUFFIXES", "coerce", "is_audio_like"]


def coerce(obj: Any, *, caller: str = "rt.Audio.coerce()") -> Audio:
    """Take whatever a notebook calls a sound.

    Parameters
    ----------
    obj : Audio, path, bytes, binary file, (array, rate), IPython.display.Audio, or a recorder widget
        The sound. A recorder is what has ``.audio.value`` (ipywebrtc's AudioRecorder and AudioStream),
        ``.video.value`` (its VideoRecorder, of which the sound is taken) or ``.value`` (ipywidgets'
        Audio) with bytes in it, or an ``.audio`` that is an Audio: our own widgets, a turn.
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
    for is_kind, take in _KINDS:
        if is_kind(obj):
            return take(obj, caller)
    raise AudioError(
        f"{caller} got a {type(obj).__name__}, which is no sound: an Audio, a file's path or bytes, (array, rate), "
        "IPython's Audio or a recorder is.",
        hint='rt.Audio.read("question.wav")',
    )


def is_audio_like(obj: Any) -> bool:
    """Tell whether :func:`coerce` knows this kind of object as a sound and nothing else.

    Parameters
    ----------
    obj : object
        A part of a message. A path counts by its suffix, bytes by their signature; text never does.

    Returns
    -------
    bool
        The sound itself may still turn out to be wrong.
    """
    if isinstance(obj, os.PathLike):
        return str(obj).lower().endswith(SUFFIXES)
    if _is_bytes(obj):
        head = bytes(obj[:12])
        return head.startswith(_SIGNATURES) or (head[:4] == b"RIFF" and head[8:] == b"WAVE")
    if flows := recorders.live(obj):
        return flows == "sound"
    return any(is_kind(obj) for is_kind, _ in _KINDS if is_kind not in (_is_path, _is_file))


SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".webm", ".aif", ".aiff", ".au", ".caf")
"""What the names of sound files end in."""

_SIGNATURES = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\x1a\x45\xdf\xa3", b"FORM", b"caff")


def _is_path(obj: Any) -> bool:
    return isinstance(obj, (str, os.PathLike))


def _is_bytes(obj: Any) -> bool:
    return isinstance(obj, (bytes, bytearray, memoryview))


def _is_file(obj: Any) -> bool:
    return hasattr(obj, "read") and hasattr(obj, "seek")


def _is_ipython(obj: Any) -> bool:
    module = sys.modules.get("IPython.lib.display")  # not loaded: then it cannot be one
    return module is not None and isinstance(obj, module.Audio)


def _is_pair(obj: Any) -> bool:
    return (
        isinstance(obj, tuple)
        and len(obj) == 2
        and any(hasattr(part, "dtype") or isinstance(part, list) for part in obj)
    )


def _is_array(obj: Any) -> bool:
    """Numbers, but not uint8, which is a picture's dtype, and nothing that draws itself."""
    return hasattr(obj, "__array__") and not hasattr(obj, "_repr_png_") and str(getattr(obj, "dtype", "")) != "uint8"


def _has_clip(obj: Any) -> bool:
    return isinstance(getattr(obj, "audio", None), Audio)


def _is_recorder(obj: Any) -> bool:
    return recorders.held(obj, "sound") is not None


def _take_ipython(obj: Any, caller: str) -> Audio:
    if not obj.data:
        raise AudioError(
            f"{caller} got an IPython Audio that is only a link ({obj.url}): sounds are never fetched.",
            hint="IPython.display.Audio(filename='question.wav')",
        )
    return Audio.read(obj.data)


def _take_pair(obj: Any, caller: str) -> Audio:
    array, rate = obj
    if np.ndim(array) == 0 and np.ndim(rate) > 0:
        raise AudioError(
            f"{caller} got a pair with the rate first: it is (array, rate).",
            hint=f"rt.Audio.from_array(x, rate={array!r})",
        )
    return Audio.from_array(array, rate=rate)


def _refuse_array(obj: Any, caller: str) -> Audio:
    raise no_rate(caller, obj)


def _take_recorder(obj: Any, caller: str) -> Audio:
    data = recorders.held(obj, "sound")
    if recorders.is_link(obj, "sound"):
        raise AudioError(
            f"{caller} got a {type(obj).__name__} that is only a link: sounds are never fetched.",
            hint='ipywebrtc.AudioStream.from_file("question.wav")',
        )
    if not data:
        fact, hint = recorders.why_empty(obj, "sound")
        raise AudioError(f"{caller} got a {type(obj).__name__} {fact}.", hint=hint)
    return Audio.read(data)


def _refuse_stream(obj: Any, caller: str) -> Audio:
    fact, hint = recorders.why_not_live(obj, "sound")
    raise AudioError(f"{caller} got a {type(obj).__name__} {fact}.", hint=hint)


_KINDS: tuple[tuple[Callable[[Any], Any], Callable[[Any, str], Audio]], ...] = (
    (lambda obj: isinstance(obj, Audio), lambda obj, _: obj),
    (_is_path, lambda obj, _: Audio.read(obj)),
    (_is_bytes, lambda obj, _: Audio.read(obj)),
    (_is_pair, _take_pair),
    (_is_ipython, _take_ipython),
    (_has_clip, lambda obj, _: obj.audio),
    (_is_recorder, _take_recorder),
    (recorders.live, _refuse_stream),
    (_is_file, lambda obj, _: Audio.read(obj)),
    (_is_array, _refuse_array),
)
