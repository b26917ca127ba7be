"""A cassette on a terminal: the conversation as it went, and what it took."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime_nb.display import plain
from realtime_nb.history import EventLog, History
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.events import decode_client, decode_server
from realtime_nb.protocol.items import FunctionCall, FunctionCallOutput, InputAudio, InputImage, InputText, Message

if TYPE_CHECKING:
    from realtime_nb.cassette import Track
    from realtime_nb.transports.cassette import Speed

__all__ = ["replay_options", "report", "show", "summary"]


def replay_options(parser: argparse.ArgumentParser) -> None:
    """Describe ``realtime-nb replay`` to the command line's parser."""
    parser.add_argument("cassette", type=Path, metavar="FILE", help="what session.record() or REALTIME_NB_RECORD made")
    parser.add_argument("--speed", default="fast", help="real, fast, 2x or 20ms (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a session and nothing else")
    parser.set_defaults(run=_run)


def _run(given: argparse.Namespace) -> int:
    from realtime_nb.transports.cassette import speed_of

    reports = show(given.cassette, speed_of(given.speed), _nothing if given.json else _write)
    for each in reports:
        _write(f"{json.dumps(each, ensure_ascii=False)}\n" if given.json else summary(each))
    return 0


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _nothing(_text: str) -> None:
    """Tell nobody."""


def summary(session: dict[str, Any]) -> str:
    """What a session came to, as lines for a terminal; ``session`` is a :func:`report`."""
    waits = ", ".join(f"{wait:,}" for wait in session["first_audio_ms"])
    rows = [
        ("session", session["session"]),
        ("turns", f"{session['turns']:,}"),
        ("tokens", f"{session['tokens']:,}"),
        ("cost", f"${session['cost_usd']:.6f} by the model's card"),
        ("first audio", f"{waits} ms" if waits else "none"),
    ]
    width = max(len(name) for name, _ in rows)
    return "".join(f"{name:>{width}}  {value}\n" for name, value in rows)


def show(folder: Path, speed: Speed, tell: Callable[[str], object]) -> list[dict[str, Any]]:
    """Play every session of a cassette.

    Parameters
    ----------
    folder : Path
        The cassette.
    speed : callable
        Seconds to wait for seconds recorded.
    tell : callable
        Given each new piece of text.

    Returns
    -------
    list of dict
        What :func:`report` makes of each session.

    Raises
    ------
    CassetteError
        There is none, or it cannot be played.
    """
    from realtime_nb.cassette import open_tracks

    return [_play(track, speed, tell) for track in open_tracks(folder)]


def _play(track: Track, speed: Speed, tell: Callable[[str], object]) -> dict[str, Any]:
    header = track.header
    tell(
        f"{track.name}: {header.card.name}, played by {header.brain}, on {header.begun[:16].replace('T', ' ')} UTC\n\n"
    )
    log, script, now_s = EventLog(), _Script(tell), 0.0
    for frame in track.frames:
        time.sleep(max(0.0, speed(frame.t_s - now_s)))
        now_s = frame.t_s
        event = decode_client(frame.text) if frame.direction == "sent" else decode_server(frame.text)
        log.append(frame.direction, event, frame.t_s, len(frame.text))
        script.take(event)
    script.speaker("")
    return report(track, History(log, header.card))


def report(track: Track, history: History) -> dict[str, Any]:
    """What a recorded session came to.

    Parameters
    ----------
    track : Track
        The session.
    history : History
        Its frames.

    Returns
    -------
    dict
        JSON values: ``session``, ``model``, ``brain``, ``begun``, ``turns``, ``tokens``, ``cost_usd``,
        ``first_audio_ms`` and the ``conversation``, item by item.
    """
    turns, items = history.turns, history.history
    words = items.transcript.fillna("").where(items.text.fillna("") == "", items.text)
    said = [
        {"role": role, "words": plain(text)}
        for role, text in zip(items.role, words, strict=True)
        if isinstance(role, str)
    ]
    waits = [round(wait) for wait in turns.first_audio_ms.dropna()]
    return {
        "session": track.name,
        "model": track.header.card.name,
        "brain": track.header.brain,
        "begun": track.header.begun,
        "turns": len(turns),
        "tokens": int(history.usage.tokens.sum()),
        "cost_usd": float(turns.cost_usd.sum()),
        "first_audio_ms": waits,
        "conversation": said,
    }


class _Script:
    """Writes down who says what, as it comes."""

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._speaker = ""

    def speaker(self, name: str) -> None:
        """Somebody else speaks now."""
        if self._speaker:
            self._tell("\n")
        if name:
            self._tell(f"{name}: ")
        self._speaker = name

    def take(self, event: Any) -> None:
        """Tell what there is to tell of an event."""
        match event:
            case ev.ConversationItemCreate(item=Message(role="user") as message):
                self._line("you", " ".join(filter(None, map(_shown, message.content))))
            case ev.ConversationItemCreate(item=FunctionCallOutput(output=output)):
                self._line("function", output)
            case ev.ConversationItemInputAudioTranscriptionCompleted(transcript=words):
                self._line("you", words)
            case ev.ResponseOutputTextDelta(delta=words) | ev.ResponseOutputAudioTranscriptDelta(delta=words):
                if self._speaker != "model":
                    self.speaker("model")
                self._tell(plain(words))
            case ev.ResponseOutputItemDone(item=FunctionCall(name=name, arguments=arguments)):
                self._line("model", f"{name}({arguments})")
            case ev.ResponseDone():
                self.speaker("")

    def _line(self, who: str, words: str) -> None:
        self.speaker(who)
        self._tell(plain(words))
        self.speaker("")


def _shown(part: Any) -> str:
    match part:
        case InputText(text=words):
            return words
        case InputAudio(transcript=words):
            return words or "(a sound)"
        case InputImage():
            return "(a picture)"
        case _:
            return ""
