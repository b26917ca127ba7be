"""Both voices on the real time line: the user left, the model right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from realtime_nb.archive.markdown import rows
from realtime_nb.audio import Audio
from realtime_nb.errors import AudioError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RATE", "Spoken", "mix", "save_mix", "voices"]

RATE = 24_000
"""Of the mix, in Hz."""
_LANES = {"user": 0, "assistant": 1}
Stereo: TypeAlias = NDArray[np.int16]


class Spoken(Protocol):
    """What is known of the sound of an item."""

    @property
    def item_id(self) -> str:
        """Whose sound it is."""
        ...

    @property
    def role(self) -> str:
        """Who speaks: ``user`` or ``assistant``."""
        ...

    @property
    def start_s(self) -> float:
        """When it began, on the session's clock."""
        ...

    @property
    def duration_s(self) -> float:
        """How long it is."""
        ...


def mix(sounds: Iterable[Spoken], read: Callable[[Any], Audio], history: pd.DataFrame) -> Stereo:
    """Lay every sound where it was on the session's clock.

    Parameters
    ----------
    sounds : iterable of Spoken
        The conversation's.
    read : callable
        Gives the clip of one.
    history : pandas.DataFrame
        ``session.history``: how much of each was heard.

    Returns
    -------
    ndarray of int16, shape (n, 2)
        At 24 kHz, the user left, the model right, from the first sound on. A clip that was sent at
        once lies before the moment it was sent; a reply begins when its first sound came, or when the one before
        it ended; of a reply that was cut, what was heard.
    """
    heard = {row["item_id"]: row["audio_s"] for row in rows(history.dropna(subset="audio_s"))}
    placed = list(_placed(sounds, heard))
    if not placed:
        return np.zeros((0, 2), np.int16)
    first_s = min(start_s for _, start_s, _ in placed)
    length = max(round((start_s - first_s + duration_s) * RATE) for _, start_s, duration_s in placed)
    lanes = np.zeros((length, 2), np.int16)
    for sound, start_s, duration_s in placed:
        clip = read(sound).resample(RATE)[:duration_s]
        data = np.frombuffer(clip.to_pcm16(), "<i2")
        at = round((start_s - first_s) * RATE)
        data = data[: length - at]
        lanes[at : at + len(data), _LANES[sound.role]] = data
    return lanes


def _placed(sounds: Iterable[Spoken], heard: Mapping[str, float]) -> Iterator[tuple[Spoken, float, float]]:
    """Each sound with its begin and its length in seconds; no voice speaks over itself."""
    ends = dict.fromkeys(_LANES, -np.inf)
    for sound in sorted(sounds, key=lambda sound: sound.start_s):
        start_s = max(sound.start_s, ends[sound.role])
        duration_s = min(sound.duration_s, heard.get(sound.item_id, sound.duration_s))
        ends[sound.role] = start_s + duration_s
        yield sound, float(start_s), duration_s


def voices(lanes: Stereo) -> tuple[Audio, Audio] | None:
    """Both voices on one time line, a clip each.

    Parameters
    ----------
    lanes : ndarray of int16, shape (n, 2)
        Of :func:`mix`.

    Returns
    -------
    tuple of Audio, or None
        The user and the model, equally long, at 24 kHz; None where nothing was said aloud.
    """
    if not len(lanes):
        return None
    user, model = (Audio.from_pcm16(lane.astype("<i2").tobytes(), RATE) for lane in lanes.T)
    return user, model


def save_mix(lanes: Stereo, path: Path) -> None:
    """Write the mix to a sound file.

    Parameters
    ----------
    lanes : ndarray of int16, shape (n, 2)
        Of :func:`mix`.
    path : Path
        WAV or FLAC.

    Raises
    ------
    AudioError
        Nothing was said aloud.
    """
    import soundfile

    if not len(lanes):
        raise AudioError("Nothing was said aloud in this conversation.", hint='session.export("talk.md")')
    with path.open("wb") as file:
        soundfile.write(file, lanes, RATE, format=path.suffix[1:].upper(), subtype="PCM_16")
