"""What comes by a call, made what comes by a WebSocket: sound in events, and no answer over before it was heard.

Over WebRTC an answer's words are there at once and its sound comes as it is spoken, on a
track that says neither whose it is nor when it ends. The server's ``output_audio_buffer``
events say both; what ends the answer waits for them here. Pure: frames in, frames out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Heard"]

PIECE_BYTES = 4_800
"""Sound that one event carries: 100 ms."""
LEAD_BYTES = 4_800
"""Silence that may still be on its way when an answer begins: 100 ms."""
SILENT = 8
"""What Opus makes of silence stays below, of 32,768."""
PLAYBACK = "output_audio_buffer."


@dataclass
class _Answer:
    """A response with sound."""

    place: dict[str, Any]
    """Item and indices of the part that sounds."""
    held: list[str] = field(default_factory=list)
    """What ends it."""
    playing: bool = False
    done: bool = False


class Heard:
    """The server's events and its sound, in the order in which a client of a WebSocket expects them."""

    def __init__(self) -> None:
        self._answers: dict[str, _Answer] = {}
        self._now: str | None = None
        self._sound = bytearray()
        self._count = self._lead = 0

    @property
    def unheard(self) -> bool:
        """Whether an answer that is done on the wire has not begun to sound, and may never: no other sounds now."""
        answers = self._answers.values()
        return any(answer.done for answer in answers) and not any(answer.playing for answer in answers)

    def is_over(self, response_id: str | None) -> bool:
        """Whether a response, or None: the one that sounds, is done at the server and only still sounds here."""
        name = response_id or self._now
        return name in self._answers and self._answers[name].done

    # ------------------------------------------------------------ in
    def event(self, text: str) -> list[str]:
        """Take an event; gives those that a client is to be told now."""
        event = json.loads(text)
        kind = str(event.get("type"))
        if kind == f"{PLAYBACK}started":
            return [*self._begin(event["response_id"]), text]
        if kind == f"{PLAYBACK}cleared":
            return [*self.stop(), text]
        if kind == "response.content_part.added" and event["part"].get("type") == "audio":
            self._place(event)
        answer = self._answers.get(_response(event)) or self._of_item(event)
        return [text] if answer is None or not self._holds(answer, event, text) else self._unless_silent(event)

    def sound(self, pcm: bytes) -> list[str]:
        """Take sound; what belongs to no answer is silence."""
        if self._now is None or self._now not in self._answers or self._is_before(pcm):
            return []
        self._sound += pcm
        return list(self._pieces(PIECE_BYTES))

    def stop(self, response_id: str | None = None) -> list[str]:
        """Nothing more is heard of the answer that sounds, or of that one: give its last sound, and what ends it."""
        answer = self._answers.get(self._now or "")
        if answer is None or response_id not in {None, self._now}:
            return []
        last = list(self._pieces(2))
        answer.playing = False
        return last + self._release(self._now)

    def give_up(self) -> list[str]:
        """What waits for a sound that does not begin."""
        names = [name for name, answer in self._answers.items() if answer.done and not answer.playing]
        return [text for name in names for text in self._release(name)]

    # ------------------------------------------------------------ inside
    def _is_before(self, pcm: bytes) -> bool:
        """Whether this is silence that was on its way when the answer began."""
        quiet = self._lead > 0 and np.abs(np.frombuffer(pcm, "<i2").astype(np.int32)).max(initial=0) <= SILENT
        self._lead = self._lead - len(pcm) if quiet else 0
        return quiet

    def _begin(self, response_id: str) -> list[str]:
        before = self.stop() if self._now != response_id else []
        self._now, self._lead = response_id, LEAD_BYTES
        if response_id in self._answers:
            self._answers[response_id].playing = True
        return before

    def _place(self, event: dict[str, Any]) -> None:
        names = ("item_id", "output_index", "content_index")
        place = {name: event[name] for name in names}
        known = self._answers.setdefault(event["response_id"], _Answer(place))
        known.place = place

    def _of_item(self, event: dict[str, Any]) -> _Answer | None:
        """``conversation.item.done`` names no response."""
        if event.get("type") != "conversation.item.done":
            return None
        found = (each for each in self._answers.values() if each.place["item_id"] == event["item"].get("id"))
        return next(found, None)

    def _holds(self, answer: _Answer, event: dict[str, Any], text: str) -> bool:
        if not answer.held and event["type"] != "response.output_audio.done":
            return False
        answer.held.append(text)
        answer.done = answer.done or event["type"] == "response.done"
        return True

    def _unless_silent(self, event: dict[str, Any]) -> list[str]:
        """What was stopped before it was heard does not wait for its sound."""
        response = event.get("response")
        if not isinstance(response, dict) or response.get("status") == "completed" or event["type"] != "response.done":
            return []
        answer = self._answers[response["id"]]
        return [] if answer.playing else self._release(response["id"])

    def _release(self, response_id: str | None) -> list[str]:
        answer = self._answers.get(response_id or "")
        if answer is None:
            return []
        held, answer.held = answer.held, []
        if answer.done:
            del self._answers[response_id or ""]
        if self._now == response_id:
            self._now = None
        return held

    def _pieces(self, least: int) -> Iterator[str]:
        while len(self._sound) >= least:
            piece = bytes(self._sound[:PIECE_BYTES])
            del self._sound[:PIECE_BYTES]
            self._count += 1
            yield json.dumps(
                {
                    "type": "response.output_audio.delta",
                    "event_id": f"event_track_{self._count}",
                    "response_id": self._now,
                    **self._answers[self._now or ""].place,
                    "delta": base64.b64encode(piece).decode(),
                }
            )


def _response(event: dict[str, Any]) -> str:
    response = event.get("response")
    return str(response.get("id") if isinstance(response, dict) else event.get("response_id", ""))
