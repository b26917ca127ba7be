"""A session keeps itself."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest

import realtime_nb as rt
from realtime_nb.errors import AudioError, ConfigError
from realtime_nb.testing.server import Reply, ScriptedServer

HALF_S = bytes(24_000)


def test_a_session_is_kept_while_it_goes_on(tmp_path: Path) -> None:
    """What was said before and after ``save`` is there when the session is closed, with the sound of both."""
    with ScriptedServer(Reply("One.", audio=HALF_S), Reply("Two.", audio=HALF_S)) as server:
        with rt.connect(server.url) as session:
            session.say(rt.Audio.tone(440, 0.25))
            folder = session.save(tmp_path / "talk")
            assert session.save(tmp_path / "talk") == folder
            session.say("And then?")
        warnings.simplefilter("error")
        saved = rt.open_history(folder)
        for name in ("history", "turns", "usage", "rate_limits", "events"):
            pd.testing.assert_frame_equal(getattr(saved, name), getattr(session, name))
    assert [sound.duration_s for sound in saved.sounds.values()] == [0.25, 0.5, 0.5]


def test_the_waveform_of_a_session_needs_no_sound_named(tmp_path: Path) -> None:
    """Before anything was said aloud there is an error; then both voices are drawn, as they are of what was kept."""
    with ScriptedServer(Reply("One.", audio=HALF_S)) as server, rt.connect(server.url) as session:
        with pytest.raises(AudioError, match="nothing was said aloud"):
            session.plot.waveform()
        session.say(rt.Audio.tone(440, 0.25))
        drawn = session.plot.waveform()
        times = session.events.drop_duplicates("type").set_index("type").t_s
        waited_s = times["response.output_audio.delta"] - times["conversation.item.create"]
        assert session.plot.spectrogram().get_xlim()[1] == pytest.approx(0.75 + waited_s, abs=0.02)
    kept = rt.open_history(session.save(tmp_path / "talk"))
    title = drawn.get_title(loc="left")
    assert title == kept.plot.waveform().get_title(loc="left")
    assert "user" not in title  # one length: that of the time line
    assert session._voices() == kept.audio


def test_a_closed_session_can_still_be_kept(tmp_path: Path) -> None:
    """All of it is written at once."""
    with ScriptedServer(Reply("One.", audio=HALF_S)) as server, rt.connect(server.url) as session:
        session.say("Hello.")
    saved = rt.open_history(session.save(tmp_path / "talk"))
    assert saved.turns.output.tolist() == ["One."]
    assert len(saved.sounds) == 1
    assert saved.id == session.id


def test_two_sessions_do_not_share_a_folder(tmp_path: Path) -> None:
    """The second is refused, and goes on without."""
    with ScriptedServer(Reply("One.")) as server, rt.connect(server.url) as first, rt.connect(server.url) as second:
        first.save(tmp_path / "talk")
        with pytest.raises(ConfigError, match="none is written over another"):
            second.save(tmp_path / "talk")
        assert second.say("Hello.").text == "One."
