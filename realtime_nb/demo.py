"""The main job in one command: something is said, the model answers aloud, and what it took is laid out."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from realtime_nb.audio import Audio
    from realtime_nb.session import Session
    from realtime_nb.turn import Turn

__all__ = ["Demo", "question"]

INSTRUCTIONS = "You are a friendly companion. Answer in one or two short sentences."
SILENCE_MS = 500
"""Long enough for a person who thinks while speaking; the service's own documentation says the same."""


def question() -> Path:
    """The spoken question that ships with the package: a person's voice, in the public domain."""
    return Path(str(files("realtime_nb") / "audio" / "assets" / "question.wav"))


@dataclass(frozen=True)
class Demo:
    """What to say, to whom, and where to leave what came of it.

    Parameters
    ----------
    text : str, optional
        Typed instead of spoken.
    wav : Path, optional
        A recording to be heard instead of the package's own question.
    to : str
        As :func:`realtime_nb.connect` takes it.
    voice : str, optional
        Who answers.
    out : Path
        A directory; made if it is not there.
    quiet : bool
        Print nothing on the way.
    """

    text: str | None = None
    wav: Path | None = None
    to: str = "local"
    voice: str | None = None
    out: Path = Path("realtime-nb-demo")
    quiet: bool = False

    def run(self) -> dict[str, Any]:
        """Hold the conversation.

        Returns
        -------
        dict
            What ``demo --json`` prints: ``heard``, ``text``, ``brain``, ``latency_ms``,
            ``usage``, ``cost_usd`` and ``files``.
        """
        import realtime_nb as rt

        said = self._said()
        keywords: dict[str, Any] = {"voice": self.voice} if self.voice else {}
        detection = {"type": "server_vad", "silence_duration_ms": SILENCE_MS}
        with rt.connect(
            self.to,
            instructions=INSTRUCTIONS,
            turn_detection=detection,
            transcription="gpt-4o-mini-transcribe",
            **keywords,
        ) as session:
            self._tell(f"{session.brain} listens.\n\n")
            turn = session.say(said, show=_Live(self._tell))
            self._tell("\n\n")
            return self._report(session, turn)

    def _said(self) -> Any:
        from realtime_nb.audio import Audio

        if self.text is not None:
            return self.text
        clip = Audio.read(self.wav or question())
        self._tell(f"A recording of {clip.duration_s:.1f} s is played to the model at the pace of speech.\n")
        return _chunks(clip)

    def _tell(self, words: str) -> None:
        if not self.quiet:
            sys.stdout.write(words)
            sys.stdout.flush()

    def _report(self, session: Session, turn: Turn) -> dict[str, Any]:
        latency = turn.latency
        return {
            "heard": self.text if self.text is not None else turn.transcript,
            "text": turn.text,
            "brain": session.brain,
            "latency_ms": {
                "speech_end_to_first_audio": _whole(latency.first_audio_ms),
                "silence_timer": _whole(latency.silence_ms),
                "asr": _whole(latency.asr_ms),
                "llm_first_clause": _whole(latency.first_clause_ms),
                "tts_first_chunk": _whole(latency.first_chunk_ms),
                "total": _whole(latency.total_ms),
            },
            "usage": msgspec.to_builtins(turn.usage),
            "cost_usd": None if math.isnan(turn.cost_usd) else turn.cost_usd,
            "files": self._keep(session, turn),
        }

    def _keep(self, session: Session, turn: Turn) -> dict[str, str]:
        self.out.mkdir(parents=True, exist_ok=True)
        names = ("reply.wav", "history.csv", "turns.csv", "usage.csv", "events.jsonl")
        kept = {name: self.out / name for name in names}
        turn.audio.save(kept["reply.wav"])
        session.history.to_csv(kept["history.csv"], index=False)
        session.turns.to_csv(kept["turns.csv"], index=False)
        session.usage.to_csv(kept["usage.csv"], index=False)
        session.events.to_json(kept["events.jsonl"], orient="records", lines=True)
        return {name: str(path) for name, path in kept.items()}


class _Live:
    """Prints the answer's words as they come, after a line that says who speaks."""

    def __init__(self, tell: Any) -> None:
        self._tell = tell
        self._begun = False

    def __call__(self, words: str) -> None:
        if not self._begun:
            self._begun = True
            self._tell("model: ")
        self._tell(words)


def _chunks(clip: Audio) -> Iterator[Audio]:
    yield from clip.chunks(0.02)


def _whole(milliseconds: float | None) -> int | None:
    return None if milliseconds is None else round(milliseconds)


def summary(report: dict[str, Any]) -> str:
    """What a demo came to, as lines for a terminal.

    Parameters
    ----------
    report : dict
        From :meth:`Demo.run`.

    Returns
    -------
    str
        A table of what was heard, tokens, cost, latencies and files.
    """
    usage = report["usage"]
    rows = [
        ("you said", report["heard"] or "(nothing was heard)"),
        ("brain", report["brain"]),
        ("tokens in", _tokens(usage["input_token_details"])),
        ("tokens out", _tokens(usage["output_token_details"])),
        ("cost", "-" if report["cost_usd"] is None else f"${report['cost_usd']:.6f} by the model's card"),
        *((name.replace("_", " "), f"{ms:,} ms") for name, ms in report["latency_ms"].items() if ms is not None),
        *((name, path) for name, path in report["files"].items()),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:>{width}}  {value}" for name, value in rows)


def _tokens(details: dict[str, Any]) -> str:
    kinds = {name.removesuffix("_tokens"): count for name, count in details.items() if isinstance(count, int)}
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count) or "none"


def as_json(report: dict[str, Any]) -> str:
    """The report as one JSON object on one line."""
    return json.dumps(report, ensure_ascii=False)
