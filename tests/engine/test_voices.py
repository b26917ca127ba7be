"""The ten names, and who speaks for any other."""

from __future__ import annotations

import pytest

from realtime_nb.engine.voices import VOICES, voice_for


def test_the_ten_names_of_the_api() -> None:
    """Every voice of the API has someone here."""
    assert set(VOICES) == {"alloy", "ash", "ballad", "coral", "echo", "sage", "shimmer", "verse", "marin", "cedar"}


def test_no_two_names_share_a_voice() -> None:
    """Each name has its own pitch with Piper and its own person with Kokoro."""
    assert len({voice.pitch for voice in VOICES.values()}) == 10
    assert len({voice.kokoro for voice in VOICES.values()}) == 10


@pytest.mark.parametrize(("name", "voice"), [("nova", "marin"), ("", "alloy"), ("voice_1234", "cedar")])
def test_any_other_name_is_stable(name: str, voice: str) -> None:
    """A name that is none of the ten gets one of them, the same in every process."""
    assert voice_for(name).name == voice
