"""A server that keeps the playback buffer, as it does for a call: what is played, what is told, what is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from realtime_nb.protocol import effects as fx
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.formats import Pcm
from realtime_nb.protocol.ids import CountingIds
from realtime_nb.protocol.server import ServerConnection
from realtime_nb.protocol.session_config import Session


class Call:
    """The core of a call; what it asks for is kept."""

    def __init__(self) -> None:
        self.core = ServerConnection(Session(), ids=CountingIds(), count=lambda text: len(text.split()), plays=True)
        self.asked: list[fx.Effect] = []
        self.take(self.core.open(0.0))

    def take(self, effects: list[fx.Effect]) -> list[ev.ServerEvent]:
        """Keep effects; the events among them."""
        self.asked += effects
        return [effect.event for effect in effects if isinstance(effect, fx.Send)]

    def report(self, *reports: fx.Report) -> list[ev.ServerEvent]:
        """Report as stages and the media leg do."""
        return [event for report in reports for event in self.take(self.core.report(report, 1.0))]

    def send(self, event: ev.ClientEvent) -> list[ev.ServerEvent]:
        """Send as a client does."""
        return self.take(self.core.receive(ev.encode(event), 1.0))

    def answered(self) -> str:
        """Have a second of speech said; the item."""
        self.send(ev.ResponseCreate())
        self.report(fx.SpeechDelta("resp_1", "One two three four.", bytes(48_000)))
        return next(effect.item_id for effect in self.asked if isinstance(effect, fx.Play))


@pytest.fixture
def call() -> Call:
    """A call that has just begun."""
    return Call()


def test_sound_is_played_and_not_sent(call: Call) -> None:
    """The sound goes to the playback in the response's format; the events of a call carry none of it."""
    item = call.answered()
    call.report(fx.Generated("resp_1", "stop"))
    assert fx.Play(response_id="resp_1", item_id=item, content_index=0, audio=bytes(48_000), format=Pcm()) in call.asked
    events = [effect.event for effect in call.asked if isinstance(effect, fx.Send)]
    assert not any(isinstance(event, ev.ResponseOutputAudioDelta) for event in events)
    assert any(isinstance(event, ev.ResponseOutputAudioDone) for event in events)


def test_the_end_of_the_sound_follows_the_response(call: Call, types: Callable[..., list[str]]) -> None:
    """``output_audio_buffer.stopped`` comes after ``response.done``, when the sound was heard."""
    call.answered()
    assert types(call.report(fx.PlaybackStarted("resp_1"))) == ["output_audio_buffer.started"]
    call.report(fx.Generated("resp_1", "stop"))
    assert isinstance(call.asked[-2], fx.EndPlayback) or isinstance(call.asked[-1], fx.EndPlayback)
    assert types(call.report(fx.PlaybackStopped("resp_1"))) == ["output_audio_buffer.stopped"]


@pytest.mark.parametrize("complete", [True, False])
def test_speech_cuts_what_was_not_heard(call: Call, *, complete: bool) -> None:
    """Whether the answer is still made or only still played, speech empties the buffer and truncates the item."""
    item = call.answered()
    if complete:
        call.report(fx.Generated("resp_1", "stop"))
    call.report(fx.SpeechStarted(0))
    assert isinstance(call.asked[-1], fx.ClearPlayback)
    cleared, truncated = call.report(fx.PlaybackCleared("resp_1", ((item, 0, 500),)))
    assert cleared == ev.OutputAudioBufferCleared(event_id=cleared.event_id, response_id="resp_1")
    assert (truncated.item_id, truncated.audio_end_ms) == (item, 500)
    assert call.core.conversation[item].content[0].transcript == "One two"


def test_a_client_empties_the_buffer(call: Call) -> None:
    """``output_audio_buffer.clear`` is answered, with an empty id where nothing played."""
    item = call.answered()
    assert not call.send(ev.OutputAudioBufferClear())
    assert isinstance(call.asked[-1], fx.ClearPlayback)
    assert len(call.report(fx.PlaybackCleared("resp_1", ((item, 0, 100),)))) == 2
    call.send(ev.OutputAudioBufferClear())
    [event] = call.report(fx.PlaybackCleared(None))
    assert event == ev.OutputAudioBufferCleared(event_id=event.event_id, response_id="")
    assert not call.report(fx.PlaybackCleared(None))


def test_what_is_gone_is_not_truncated(call: Call) -> None:
    """An item that was deleted, or was heard whole, is left as it is."""
    item = call.answered()
    call.report(fx.Generated("resp_1", "stop"))
    assert len(call.report(fx.PlaybackCleared("resp_1", ((item, 0, 1000),)))) == 1
    call.send(ev.ConversationItemDelete(item_id=item))
    assert len(call.report(fx.PlaybackCleared("resp_1", ((item, 0, 10),)))) == 1


def test_a_socket_has_no_such_buffer(wire: Any) -> None:
    """Without a call ``output_audio_buffer.clear`` is refused."""
    [event] = wire.send(ev.OutputAudioBufferClear())
    assert event.error.code == "invalid_value"


def test_a_key_is_told_without_an_id(call: Call) -> None:
    """A telephone's key becomes the one event that has no ``event_id``."""
    [event] = call.report(fx.KeyPressed("5", 1_700_000_000))
    frame = ev.encode(event)
    assert '"event":"5"' in frame
    assert "event_id" not in frame


def test_a_caller_s_sound_is_heard_and_its_oldest_forgotten(call: Call) -> None:
    """Sound of a call reaches the detector; what is too much for the buffer is dropped, and nothing is refused."""
    call.send(ev.SessionUpdate(session={"type": "realtime", "audio": {"input": {"turn_detection": None}}}))
    assert not [event for _ in range(70) for event in call.take(call.core.hear(bytes(480_000), 2.0))]
    assert call.asked[-1] == fx.Hear(bytes(480_000), Pcm())
    assert call.core._ears._buffer.ms <= 600_000
