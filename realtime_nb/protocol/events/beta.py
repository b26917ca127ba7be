"""Servers that still speak the beta: their names and shapes, mapped to those of today (protocol, 2.4)."""

from __future__ import annotations

from typing import Any

__all__ = ["BETA_TO_GA", "to_ga"]

BETA_TO_GA: dict[str, str] = {
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "transcription_session.created": "session.created",
    "transcription_session.updated": "session.updated",
}
"""Event types; ``conversation.item.created`` keeps its name and means ``added`` and ``done``."""

_PARTS = {"text": "output_text", "audio": "output_audio"}
_FORMATS: dict[str, dict[str, Any]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24_000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_FLAT: tuple[tuple[str, str, str], ...] = (
    ("input_audio_format", "input", "format"),
    ("input_audio_transcription", "input", "transcription"),
    ("input_audio_noise_reduction", "input", "noise_reduction"),
    ("turn_detection", "input", "turn_detection"),
    ("output_audio_format", "output", "format"),
    ("voice", "output", "voice"),
    ("speed", "output", "speed"),
)
"""Flat session fields of the beta, and where they belong now."""


def to_ga(raw: dict[str, Any]) -> dict[str, Any]:
    """Give an event of the beta the names and shapes of today.

    Parameters
    ----------
    raw : dict[str, Any]
        A server event as JSON values.

    Returns
    -------
    dict[str, Any]
        The same event; unchanged in all that is not of the beta.
    """
    name = raw.get("type")
    event = {**raw, "type": BETA_TO_GA.get(name, name) if isinstance(name, str) else name}
    if isinstance(session := raw.get("session"), dict):
        event["session"] = _session(session, "transcription" if str(name).startswith("transcription") else "realtime")
    if isinstance(item := raw.get("item"), dict):
        event["item"] = _item(item)
    if isinstance(response := raw.get("response"), dict) and isinstance(response.get("output"), list):
        output = [_item(each) if isinstance(each, dict) else each for each in response["output"]]
        event["response"] = {**response, "output": output}
    return event


def _item(item: dict[str, Any]) -> dict[str, Any]:
    if item.get("role") != "assistant" or not isinstance(item.get("content"), list):
        return item
    return {**item, "content": [_part(part) if isinstance(part, dict) else part for part in item["content"]]}


def _part(part: dict[str, Any]) -> dict[str, Any]:
    return {**part, "type": _PARTS.get(str(part.get("type")), part.get("type"))}


def _session(session: dict[str, Any], kind: str) -> dict[str, Any]:
    if "type" in session:
        return session
    sides: dict[str, dict[str, Any]] = {"input": {}, "output": {}}
    for name, side, field in _FLAT:
        if name in session:
            value = session[name]
            sides[side][field] = _FORMATS.get(value, value) if field == "format" and isinstance(value, str) else value
    if kind == "transcription":
        del sides["output"]
    modalities = session.get("modalities") or ["audio"]
    renamed = {
        "max_output_tokens": session.get("max_response_output_tokens", "inf"),
        "output_modalities": ["audio"] if "audio" in modalities else ["text"],
    }
    kept = {name: value for name, value in session.items() if name != "object"}
    return {**kept, **(renamed if kind == "realtime" else {}), "type": kind, "audio": sides}
