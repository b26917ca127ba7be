"""The formats by the API's names."""

from __future__ import annotations

import numpy as np
import pytest

from realtime_nb.audio import FORMATS, Audio, wire_format
from realtime_nb.errors import AudioError


@pytest.mark.parametrize(
    ("type", "rate", "size"), [("audio/pcm", 24_000, 2), ("audio/pcmu", 8_000, 1), ("audio/pcma", 8_000, 1)]
)
def test_a_second_has_the_bytes_the_api_counts(type: str, rate: int, size: int) -> None:
    """PCM16 is 48,000 bytes a second, G.711 is 8,000."""
    one = wire_format(type)
    data = one.encode(np.zeros(rate, np.float32))
    assert (one.rate, len(data), one.seconds(len(data))) == (rate, rate * size, 1.0)


def test_an_unknown_format_names_the_known_ones() -> None:
    """The beta's names are for the protocol to map, not for here."""
    with pytest.raises(AudioError, match="audio/pcm, audio/pcmu, audio/pcma"):
        wire_format("pcm16")


@pytest.mark.parametrize("type", sorted(FORMATS))
def test_a_clip_comes_back_from_the_wire(type: str) -> None:
    """A tone sent and received in any format is the same tone, at the format's rate."""
    tone = Audio.tone(440, 0.5, 48_000)
    back = Audio.from_wire(tone.to_wire(type), type)
    assert back.rate == FORMATS[type].rate
    assert back.duration_s == pytest.approx(0.5)
    assert back.level_dbfs == pytest.approx(tone.level_dbfs, abs=0.1)
