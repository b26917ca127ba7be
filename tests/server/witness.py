"""Sidebands that attach to the next call and see it through, for the tests of telephones that others wrote."""

from __future__ import annotations

import base64
import threading
import time
from typing import Any, Self

from realtime_nb.audio import Audio

__all__ = ["WAIT_S", "Mirror", "Reader", "Witness", "released"]

WAIT_S = 60.0


class Witness:
    """A sideband that attaches to the next call and sees it through one turn."""

    def __init__(self, serving: Any, dial: Any, *, keys: int = 0) -> None:
        self.keys: list[str] = []
        self.kept: Audio | None = None
        self.voice = self.codec = self.words = ""
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._watch, args=(serving, dial, keys), daemon=True)
        self._thread.start()

    def _watch(self, serving: Any, dial: Any, keys: int) -> None:
        try:
            peer = dial(serving, f"?call_id={next_call(serving)}")
            audio = peer.until("session.created")["session"]["audio"]
            self.voice, self.codec = audio["output"]["voice"], audio["input"]["format"]["type"]
            self._see(peer, keys)
        except BaseException as fault:  # noqa: BLE001 - told where it is waited for
            self._fault = fault

    def _see(self, peer: Any, keys: int) -> None:
        self.kept = self._kept(peer)
        while len(pressed := peer.all("input_audio_buffer.dtmf_event_received")) < keys:
            peer.receive()
        self.keys = [event["event"] for event in pressed]

    def _kept(self, peer: Any) -> Audio:
        """What the conversation has of the caller's next words."""
        item = peer.until("input_audio_buffer.committed")["item_id"]
        peer.send("conversation.item.retrieve", item_id=item)
        content = peer.until("conversation.item.retrieved")["item"]["content"][0]
        return Audio.from_wire(base64.b64decode(content["audio"]), self.codec)

    def over(self) -> bool:
        """Whether it has seen all, or stumbled."""
        return not self._thread.is_alive()

    def done(self, within_s: float = WAIT_S) -> Self:
        """What it saw, once it has seen all."""
        self._thread.join(within_s)
        if self._fault is not None:
            raise self._fault
        assert not self._thread.is_alive(), "the call did not come to its end"
        return self

    @property
    def hum_hz(self) -> float:
        """The note in which the scripted voice answers."""
        return 110 + 20 * (sum(self.voice.encode()) % 12)


class Mirror(Witness):
    """A sideband that has the model speak, and keeps what comes back from a caller who echoes."""

    def _see(self, peer: Any, _keys: int) -> None:
        peer.update(audio={"input": {"turn_detection": None}})
        peer.send("response.create", response={"conversation": "none", "input": [message("Hello")]})
        peer.until("output_audio_buffer.started")
        peer.send("input_audio_buffer.clear")
        peer.until("output_audio_buffer.stopped")
        peer.send("input_audio_buffer.commit")
        self.kept = self._kept(peer)


class Reader(Witness):
    """A sideband that has the caller's words written down."""

    def _see(self, peer: Any, _keys: int) -> None:
        peer.update(audio={"input": {"transcription": {"model": "gpt-4o-mini-transcribe"}}})
        self.words = peer.until("conversation.item.input_audio_transcription.completed")["transcript"]


def message(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def next_call(serving: Any) -> str:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        for name in list(serving.hub.calls._calls):
            if serving.hub.find(name) is not None:
                return str(name)
        time.sleep(0.01)
    raise AssertionError("no call came")


def released(serving: Any) -> bool:
    """Wait until the server has no call any more."""
    end = time.monotonic() + WAIT_S
    while (len(serving.hub.calls) or serving.hub.sessions) and time.monotonic() < end:
        time.sleep(0.01)
    return not len(serving.hub.calls) and not serving.hub.sessions
