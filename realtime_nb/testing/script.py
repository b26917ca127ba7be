"""The part a :class:`~realtime_nb.testing.server.ScriptedServer` plays: client events in, server events out, no I/O."""

from __future__ import annotations

import base64
import itertools
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from realtime_nb.testing.replies import Call, Event, Reply, counted

__all__ = ["Close", "Die", "Script"]


@dataclass(frozen=True)
class Close:
    """Close the connection with this code and reason."""

    code: int
    reason: str


@dataclass(frozen=True)
class Die:
    """Cut the connection without a word."""


@dataclass
class _Open:
    """A response that waits for its cancel."""

    response: Event
    item: Event | None


class Script:
    """One connection's play.

    Parameters
    ----------
    replies : deque of Reply
        Taken from the left, one a response.
    session : mapping
        Fields that differ from the defaults.
    """

    def __init__(self, replies: deque[Reply], session: Mapping[str, Any]) -> None:
        self._replies = replies
        self.session = merged(default_session(), session)
        self._ids = itertools.count(1)
        self._last_item: str | None = None
        self._open: _Open | None = None
        self._handlers = {
            "session.update": self._update,
            "conversation.item.create": self._create_item,
            "conversation.item.delete": self._delete,
            "conversation.item.truncate": self._truncate,
            "input_audio_buffer.append": self._nothing,
            "input_audio_buffer.clear": self._clear,
            "input_audio_buffer.commit": self._commit,
            "response.create": self._respond,
            "response.cancel": self._cancel,
        }

    def _event(self, type: str, **fields: Any) -> Event:
        return {"type": type, "event_id": f"event_{next(self._ids)}", **fields}

    def open(self) -> Iterator[Event | Close | Die]:
        """What is sent at once."""
        yield self._event("session.created", session=self.session)

    def refuse(self, code: str, close: int, message: str) -> Iterator[Event | Close | Die]:
        """What is sent to a client that is not let in."""
        yield self.error(code, message)
        yield Close(close, f"invalid_request_error.{code}")

    def error(self, code: str, message: str, *, cause: Event | None = None, param: str | None = None) -> Event:
        """An ``error`` event."""
        detail = {"type": "invalid_request_error", "code": code, "message": message, "param": param}
        return self._event("error", error={**detail, "event_id": (cause or {}).get("event_id")})

    def receive(self, event: Event) -> Iterator[Event | Close | Die]:
        """What a client event brings about."""
        handler = self._handlers.get(event.get("type", ""))
        if handler is None:
            yield self.error("invalid_value", f"Invalid value: {event.get('type')!r}.", cause=event, param="type")
        else:
            yield from handler(event)

    # ---------------------------------------------------------------- session, buffer, items
    def _nothing(self, _event: Event) -> Iterator[Event]:
        yield from ()

    def _update(self, event: Event) -> Iterator[Event]:
        if unknown := sorted(set(event["session"]) - set(self.session)):
            name = f"session.{unknown[0]}"
            yield self.error("unknown_parameter", f"Unknown parameter: '{name}'.", cause=event, param=name)
            return
        self.session = merged(self.session, event["session"])
        yield self._event("session.updated", session=self.session)

    def _create_item(self, event: Event) -> Iterator[Event]:
        item = {"id": f"item_{next(self._ids)}", "object": "realtime.item", "status": "completed", **event["item"]}
        yield from self._added(without_sound(item), after=event.get("previous_item_id"))

    def _added(self, item: Event, after: str | None = None) -> Iterator[Event]:
        before = None if after == "root" else after or self._last_item
        for stage in ("added", "done"):
            yield self._event(f"conversation.item.{stage}", item=item, previous_item_id=before)
        if after is None:
            self._last_item = item["id"]

    def _delete(self, event: Event) -> Iterator[Event]:
        yield self._event("conversation.item.deleted", item_id=event["item_id"])

    def _truncate(self, event: Event) -> Iterator[Event]:
        fields = {name: event[name] for name in ("item_id", "content_index", "audio_end_ms")}
        yield self._event("conversation.item.truncated", **fields)

    def _clear(self, _event: Event) -> Iterator[Event]:
        yield self._event("input_audio_buffer.cleared")

    def _commit(self, _event: Event) -> Iterator[Event]:
        item = {
            "id": f"item_{next(self._ids)}",
            "type": "message",
            "role": "user",
            "status": "completed",
            "content": [{"type": "input_audio", "transcript": None}],
        }
        yield self._event("input_audio_buffer.committed", item_id=item["id"], previous_item_id=self._last_item)
        yield from self._added(item)

    # ---------------------------------------------------------------- responses
    def _respond(self, event: Event) -> Iterator[Event | Close | Die]:
        aside = (event.get("response") or {}).get("conversation") == "none"
        if self._open is not None and not aside:
            words = f"Conversation already has an active response in progress: {self._open.response['id']}."
            yield self.error("conversation_already_has_active_response", words, cause=event)
            return
        asked = event.get("response") or {}
        yield from self.answer(asked)

    def answer(self, asked: Event) -> Iterator[Event | Close | Die]:
        """Play the next reply."""
        reply = self._replies.popleft() if self._replies else Reply(error=("script_ended", "no reply is written"))
        modalities = asked.get("output_modalities") or self.session["output_modalities"]
        response = {
            "object": "realtime.response",
            "id": f"resp_{next(self._ids)}",
            "status": "in_progress",
            "status_details": None,
            "output": [],
            "conversation_id": None if asked.get("conversation") == "none" else "conv_1",
            "output_modalities": modalities,
            "usage": None,
            "metadata": asked.get("metadata"),
        }
        yield self._event("response.created", response=response)
        item = yield from self._speak(reply, response, spoken=modalities == ["audio"])
        if reply.end == "die":
            yield Die()
        elif reply.end == "hang":
            self._open = _Open(response, item)
        else:
            for call in reply.calls:
                yield from self._call(call, response)
            yield from self._finish(response, reply.status, reply.details(), reply.usage or counted(reply))

    def _speak(self, reply: Reply, response: Event, *, spoken: bool) -> Generator[Event, None, Event | None]:
        if not reply.deltas and not reply.audio:
            return None
        at = {"response_id": response["id"], "output_index": 0}
        item: Event = {"id": f"item_{next(self._ids)}", "type": "message", "role": "assistant", "content": []}
        yield from self._begin_item(item, response, at)
        at |= {"item_id": item["id"], "content_index": 0}
        kind = "audio" if spoken else "text"
        yield self._event("response.content_part.added", part={"type": kind}, **at)
        yield from self._deltas(reply, at, spoken=spoken)
        part = {"transcript": reply.words} if spoken else {"text": reply.words}
        item["content"] = [{"type": f"output_{kind}", **part}]
        if reply.end == "done":
            yield from self._close(item, response, spoken=spoken, status="completed")
        return item

    def _deltas(self, reply: Reply, at: Event, *, spoken: bool) -> Iterator[Event]:
        pieces = max(1, len(reply.deltas))
        step = -(-len(reply.audio) // pieces) // 2 * 2 + 2
        words = "response.output_audio_transcript.delta" if spoken else "response.output_text.delta"
        for index in range(pieces):
            if reply.deltas:
                yield self._event(words, delta=reply.deltas[index], **at)
            if spoken and (sound := reply.audio[index * step : (index + 1) * step]):
                yield self._event("response.output_audio.delta", delta=base64.b64encode(sound).decode(), **at)

    def _close(self, item: Event, response: Event, *, spoken: bool, status: str) -> Iterator[Event]:
        at = {"response_id": response["id"], "output_index": 0}
        part = item["content"][0]
        inner = {**at, "item_id": item["id"], "content_index": 0}
        if spoken:
            yield self._event("response.output_audio.done", **inner)
            yield self._event("response.output_audio_transcript.done", transcript=part["transcript"], **inner)
        else:
            yield self._event("response.output_text.done", text=part["text"], **inner)
        short = {**part, "type": "audio" if spoken else "text"}
        yield self._event("response.content_part.done", part=short, **inner)
        item["status"] = status
        yield from self._end_item(item, response, at)

    def _call(self, call: Call, response: Event) -> Iterator[Event]:
        at = {"response_id": response["id"], "output_index": len(response["output"])}
        item = {"id": f"item_{next(self._ids)}", "type": "function_call", "name": call.name, "call_id": call.call_id}
        yield from self._begin_item({**item, "arguments": ""}, response, at)
        inner = {**at, "item_id": item["id"], "call_id": call.call_id}
        yield self._event("response.function_call_arguments.delta", delta=call.arguments, **inner)
        yield self._event("response.function_call_arguments.done", name=call.name, arguments=call.arguments, **inner)
        done = {**item, "arguments": call.arguments, "status": "completed"}
        yield from self._end_item(done, response, at)

    def _begin_item(self, item: Event, response: Event, at: Event) -> Iterator[Event]:
        begun = {**item, "status": "in_progress"}
        yield self._event("response.output_item.added", item=begun, **at)
        if response["conversation_id"] is not None:
            yield self._event("conversation.item.added", item=begun, previous_item_id=self._last_item)
            self._last_item = item["id"]

    def _end_item(self, item: Event, response: Event, at: Event) -> Iterator[Event]:
        yield self._event("response.output_item.done", item=item, **at)
        if response["conversation_id"] is not None:
            yield self._event("conversation.item.done", item=item, previous_item_id=None)
        response["output"].append(item)

    def _cancel(self, event: Event) -> Iterator[Event | Close | Die]:
        if self._open is None:
            words = "Cancellation failed: no active response found"
            yield self.error("response_cancel_not_active", words, cause=event)
            return
        held, self._open = self._open, None
        if held.item is not None:
            spoken = held.item["content"][0]["type"] == "output_audio"
            yield from self._close(held.item, held.response, spoken=spoken, status="incomplete")
        details = {"type": "cancelled", "reason": "client_cancelled"}
        yield from self._finish(held.response, "cancelled", details, counted(Reply()))

    def _finish(self, response: Event, status: str, details: Event | None, usage: Event) -> Iterator[Event]:
        response |= {"status": status, "status_details": details, "usage": usage}
        yield self._event("response.done", response=response)
        row = {"name": "tokens", "limit": 40_000, "remaining": 39_000, "reset_seconds": 1.5}
        yield self._event("rate_limits.updated", rate_limits=[row])


def default_session() -> Event:
    """The service's ``session.created`` for gpt-realtime-mini, as captured."""
    pcm = {"type": "audio/pcm", "rate": 24_000}
    vad = {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "idle_timeout_ms": None,
        "create_response": True,
        "interrupt_response": True,
    }
    heard = {"format": pcm, "transcription": None, "noise_reduction": None, "turn_detection": vad}
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": "sess_1",
        "model": "gpt-realtime-mini",
        "output_modalities": ["audio"],
        "instructions": "Be brief.",
        "tools": [],
        "tool_choice": "auto",
        "max_output_tokens": "inf",
        "tracing": None,
        "truncation": "auto",
        "prompt": None,
        "expires_at": 4_102_444_800,
        "include": None,
        "audio": {"input": heard, "output": {"format": pcm, "voice": "alloy", "speed": 1.0}},
    }


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> Event:
    """`old` with the fields of `new`; objects are merged, everything else is replaced."""
    result = dict(old)
    for name, value in new.items():
        both = isinstance(result.get(name), Mapping) and isinstance(value, Mapping)
        result[name] = merged(result[name], value) if both else value
    return result


def without_sound(item: Event) -> Event:
    """`item` as live events show it."""
    if "content" not in item:
        return item
    parts = [
        {"type": "input_audio", "transcript": part.get("transcript")} if part["type"] == "input_audio" else part
        for part in item["content"]
    ]
    return {**item, "content": parts}
