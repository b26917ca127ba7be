"""Conversations for the plots: made up, but of the shape and dtypes of a session's frames."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from realtime_nb.history.schema import EVENTS, HISTORY, RATE_LIMITS, TURNS, USAGE
from realtime_nb.models import model

PRICES = {("input", False): "input", ("input", True): "cached", ("output", False): "output"}
SAID = (
    (
        "What is the longest river of Africa?",
        "The Nile, about six thousand six hundred kilometres from its farthest source.",
    ),
    (
        "And of Asia?",
        "The Yangtze. It is the third longest of the world, and the longest that stays within one country.",
    ),
    (
        "How warm is it in Cairo now?",
        "It is thirty one degrees in Cairo, with a clear sky and a light wind from the north.",
    ),
    ("Thank you.", "You are welcome."),
)


@dataclass
class Talk:
    """A session's frames."""

    history: pd.DataFrame
    turns: pd.DataFrame
    usage: pd.DataFrame
    events: pd.DataFrame
    rate_limits: pd.DataFrame


class Script:
    """Writes a conversation, row by row."""

    def __init__(self, seed: int = 7) -> None:
        self.rng = np.random.default_rng(seed)
        self.rows: dict[str, list[dict[str, Any]]] = {
            name: [] for name in ("history", "turns", "usage", "events", "limits")
        }
        self.now, self.turn = 1.2, 1
        self.text, self.audio, self.image, self.cached = 120, 0, 0, 64
        self.left = 40_000.0
        self.told = 0.0

    def item(self, type: str, at: float, **more: Any) -> None:
        """A row of `history`."""
        row = {"item_id": f"item_{len(self.rows['history'])}", "turn": self.turn, "type": type, "status": "completed"}
        self.rows["history"].append(row | {"created_s": at} | more)

    def event(self, type: str, at: float, payload: dict[str, Any] | None = None, **more: Any) -> None:
        """A row of `events`."""
        body = json.dumps({"type": type} | (payload or {}))
        row = {"t_s": at, "direction": "received", "type": type, "event_id": f"event_{len(self.rows['events'])}"}
        self.rows["events"].append(row | {"bytes": len(body), "payload": body} | more)

    def speech(self, words: str, seconds: float) -> dict[str, Any]:
        """The user speaks, and the detector hears it; gives what `turns` says of it."""
        turn, end, silence = self.turn, self.now + seconds, 0.5
        item = f"user_{turn}"
        begun, ended = round((self.now - 0.3) * 1000), round((end + silence) * 1000)
        self.event("input_audio_buffer.speech_started", self.now + 0.1, {"audio_start_ms": begun, "item_id": item})
        self.event("input_audio_buffer.speech_stopped", end + silence, {"audio_end_ms": ended, "item_id": item})
        self.item("message", end + silence, role="user", transcript=words, audio_s=seconds + 0.8)
        self.audio += round(10 * (seconds + 0.8))
        return {"input": words, "input_s": seconds + 0.8, "speech_end_s": end}

    def response(self, zero: float, words: str, *, cut_s: float | None = None, **row: Any) -> dict[str, Any]:
        """A response; `row` overrides what `turns` says of it. It is billed, and the rate limit told."""
        first = 420 + 160 * self.rng.gamma(2)
        sound = first + 90 + 60 * self.rng.gamma(2)
        made = 0.38 * len(words.split())
        heard = made if cut_s is None else min(made, cut_s)
        out = {"text": len(words.split()) + 4, "audio": round(20 * made)}
        status = {} if cut_s is None else {"status": "cancelled", "reason": "turn_detected"}
        reply = {
            "turn": self.turn, "response_id": f"resp_{self.turn}", "status": "completed", "output": words,
            "output_s": heard, "first_text_ms": first, "first_audio_ms": sound, "total_ms": sound + 300 * made,
            "input_tokens": self.text + self.audio + self.image, "output_tokens": sum(out.values()),
            "interrupted_at_ms": None if cut_s is None else 1000 * heard,
        } | status | row  # fmt: skip
        about = {"response_id": reply["response_id"]}
        self.event("response.created", zero + 0.05, **about)
        self.event(
            "response.output_audio.delta", zero + 1, {"delta": f"<{int(48_000 * made)} bytes of audio>"}, **about
        )
        reply["cost_usd"], reply["cached_tokens"] = self.bill(self.turn, reply["response_id"], out)
        self.text, self.audio = self.text + out["text"], self.audio + out["audio"]
        self.limit(zero + reply["total_ms"] / 1000, reply["input_tokens"] + reply["output_tokens"])
        self.rows["turns"].append(reply)
        self.turn += 1
        return reply

    def bill(self, turn: int, response: str, out: dict[str, int]) -> tuple[float, int]:
        """Rows of `usage`."""
        cached_text = min(self.cached, self.text) // 64 * 64
        cached_audio = min(self.cached - cached_text, self.audio) // 64 * 64
        kinds = {
            ("input", "text", False): self.text - cached_text, ("input", "text", True): cached_text,
            ("input", "audio", False): self.audio - cached_audio, ("input", "audio", True): cached_audio,
            ("input", "image", False): self.image,
            ("output", "text", False): out["text"], ("output", "audio", False): out["audio"],
        }  # fmt: skip
        total = 0.0
        for (direction, modality, cached), tokens in kinds.items():
            price = getattr(RATES[modality], PRICES[direction, cached]) or 0.0
            total += tokens * price / 1e6
            row = {
                "turn": turn,
                "response_id": response,
                "direction": direction,
                "modality": modality,
                "cached": cached,
            }
            if tokens:
                self.rows["usage"].append(
                    row | {"tokens": tokens, "usd_per_1m": price, "cost_usd": tokens * price / 1e6}
                )
        self.cached = self.text + self.audio
        return total, cached_text + cached_audio

    def limit(self, at: float, tokens: int) -> None:
        """Rows of `rate_limits`: a bucket that refills a limit a minute."""
        self.left = min(40_000, self.left + 40_000 / 60 * (at - self.told)) - 6 * tokens
        self.left = max(0.0, self.left)
        self.told = at
        for name, limit, left in (("tokens", 40_000, int(self.left)), ("requests", 200, 199)):
            reset = (limit - left) * 60 / limit
            self.rows["limits"].append({"t_s": at, "name": name, "limit": limit, "remaining": left, "reset_s": reset})

    def frames(self) -> Talk:
        """All that was written, with the dtypes of a session's frames."""
        tables = zip((HISTORY, TURNS, USAGE, EVENTS, RATE_LIMITS), self.rows.values(), strict=True)
        return Talk(*(table.frame(rows) for table, rows in tables))


RATES = model("gpt-realtime-mini").rates


def conversation() -> Talk:
    """Two spoken turns, the second cut off; a function call and its answer; a picture; a clip sent whole."""
    script = Script()
    for (question, answer), cut_s in zip(SAID[:2], (None, 2.9), strict=True):
        asked = script.speech(question, 0.4 + 0.32 * len(question.split()))
        reply = script.response(asked["speech_end_s"], answer, cut_s=cut_s, **asked)
        begun = asked["speech_end_s"] + reply["first_audio_ms"] / 1000
        script.now = begun + reply["output_s"] + (1.0 if cut_s is None else -0.1)
    _weather(script)
    _picture(script)
    _clip(script)
    return script.frames()


def _weather(script: Script) -> None:
    """A spoken question, answered after a call: two responses, so two turns."""
    question, answer = SAID[2]
    asked = script.speech(question, 2.2)
    end = asked["speech_end_s"]
    silent = {"output": None, "output_s": None, "first_text_ms": None, "first_audio_ms": None, "total_ms": 710.0}
    script.item("function_call", end + 0.7, name="get_weather", call_id="call_1", arguments='{"city":"Cairo"}')
    script.response(end, "", **asked | silent)
    script.item("function_call_output", end + 1.9, call_id="call_1", output="31")
    script.event("response.create", end + 1.9, direction="sent")
    reply = script.response(end + 1.9, answer, input="31")
    script.now = end + 1.9 + reply["first_audio_ms"] / 1000 + reply["output_s"] + 1.5


def _picture(script: Script) -> None:
    """A picture and a written question, answered in writing."""
    at, question = script.now, "What is odd here?"
    script.item("message", at, role="user", text=question, image="640x480 PNG")
    script.image += 765
    script.event("response.create", at, direction="sent")
    answer = "The bar of March has no label, and the axis does not begin at zero."
    script.response(at, answer, input=question, output_s=None, first_audio_ms=None, total_ms=2400.0)
    script.now = at + 5


def _clip(script: Script) -> None:
    """A clip sent at once: its speech ended when it was sent."""
    at, (question, answer) = script.now, SAID[3]
    script.item("message", at, role="user", transcript=question, audio_s=1.4)
    script.audio += 14
    script.response(at, answer, input=question, input_s=1.4, speech_end_s=at)


def long_talk(count: int) -> Talk:
    """So many spoken turns; the context is cut where it is full."""
    script = Script()
    for number, (question, answer) in zip(range(1, count + 1), cycle(SAID), strict=False):
        if script.text + script.audio > 28_224:
            script.text, script.audio, script.cached = 120 + script.text // 2, script.audio // 2, 64
        asked = script.speech(question, 1.0 + 0.3 * len(question.split()))
        reply = script.response(asked["speech_end_s"], answer, cut_s=1.2 if number % 9 == 0 else None, **asked)
        script.now = asked["speech_end_s"] + reply["first_audio_ms"] / 1000 + reply["output_s"] + 1.0
    return script.frames()


@pytest.fixture(scope="session")
def talk() -> Talk:
    """A short conversation of everything that can happen."""
    return conversation()


@pytest.fixture(scope="session")
def make_talk() -> Callable[[int], Talk]:
    """Make a conversation of so many spoken turns."""
    return long_talk


@pytest.fixture(scope="session")
def nothing() -> Talk:
    """A session in which nothing was said."""
    return Script().frames()


@pytest.fixture
def session(talk: Talk) -> SimpleNamespace:
    """What an accessor is built from."""
    return SimpleNamespace(**vars(talk), card=model("gpt-realtime-mini"), budget_usd=0.02)
