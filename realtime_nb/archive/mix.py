"""Both voices on the real time line: the user left, the model right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from realtime_nb.archive.markdown import rows
from realtime_nb.audio import Audio
from realtime_nb.errors import AudioError

if TYPE_CHECKING:
    from realtime_nb.archive.lines import SoundLine
    from realtime_nb.archive.saved import SavedHistory

__all__ = ["RATE", "mix", "save_mix", "voices"]

RATE = 24_000
"""Of the mix, in Hz."""
_LANES = {"user": 0, "assistant": 1}
Stereo: TypeAlias = NDArray[np.int16]


def mix(saved: SavedHistory) -> Stereo:
    """Lay every sound where it was on the session's clock.

    Parameters
    ----------
    saved : SavedHistory
        The conversation.

    Returns
    -------
    ndarray of int16, shape (n, 2)
        At 24 kHz, the user left, the model right, from the first sound on. A clip that was sent at
        once lies before the moment it was sent; a reply begins when its first sound came, or when the one before
        it ended; of a reply that was cut, what was heard.
    """
    heard = {row["item_id"]: row["audio_s"] for row in rows(saved.history.dropna(subset="audio_s"))}
    placed = list(_placed(saved.sounds.lines.values(), heard))
    if not placed:
        return np.zeros((0, 2), np.int16)
    first_s = min(start_s for _, start_s, _ in placed)
    length = max(round((start_s - first_s + duration_s) * RATE) for _, start_s, duration_s in placed)
    lanes = np.zeros((length, 2), np.int16)
    for line, start_s, duration_s in placed:
        sound = saved.sounds[line.item_id].resample(RATE)[:duration_s]
        data = np.frombuffer(sound.to_pcm16(), "<i2")
        at = round((start_s - first_s) * RATE)
        data = data[: length - at]
        lanes[at : at + len(data), _LANES[line.role]] = data
    return lanes


def _placed(lines: Iterable[SoundLine], heard: Mapping[str, float]) -> Iterator[tuple[SoundLine, float, float]]:
    """Each sound with its begin and its length in seconds; no voice speaks over itself."""
    ends = dict.fromkeys(_LANES, -np.inf)
    for line in sorted(lines, key=lambda line: line.start_s):
        start_s = max(line.start_s, ends[line.role])
        duration_s = min(line.duration_s, heard.get(line.item_id, line.duration_s))
        ends[line.role] = start_s + duration_s
        yield line, float(start_s), duration_s


def voices(saved: SavedHistory) -> tuple[Audio, Audio] | None:
    """Both voices on one time line, a clip each.

    Parameters
    ----------
    saved : SavedHistory
        The conversation.

    Returns
    -------
    tuple of Audio, or None
        The user and the model, equally long, at 24 kHz; None where nothing was said aloud.
    """
    lanes = mix(saved)
    if not len(lanes):
        return None
    user, model = (Audio.from_pcm16(lane.astype("<i2").tobytes(), RATE) for lane in lanes.T)
    return user, model


def save_mix(saved: SavedHistory, path: Path) -> None:
    """Write the mix to a sound file.

    Parameters
    ----------
    saved : SavedHistory
        The conversation.
    path : Path
        WAV or FLAC.

    Raises
    ------
    AudioError
        Nothing was said aloud.
    """
    import soundfile

    lanes = mix(saved)
    if not len(lanes):
        raise AudioError("Nothing was said aloud in this conversation.", hint='session.export("talk.md")')
    soundfile.write(path, lanes, RATE, subtype="PCM_16")
