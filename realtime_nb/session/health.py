"""How a session is: who answers, how far away, and how sound travels between it and the notebook's pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from realtime_nb.errors import RealtimeError
from realtime_nb.findings import Finding, Findings, kernel
from realtime_nb.protocol.session_config import ServerVad
from realtime_nb.session.actor import Actor

if TYPE_CHECKING:
    from realtime_nb.widgets.media import Path
    from realtime_nb.widgets.talk import Talk

__all__ = ["examine"]

_PROXY = "pip install jupyter-server-proxy"
_HOLDS = "has microphone and sound"


async def examine(actor: Actor) -> Findings:
    """Look at a session.

    Parameters
    ----------
    actor : Actor
        The session at home, on whose loop this runs.

    Returns
    -------
    Findings
        In the order in which a person would mend them.
    """
    looks = [*_connection(actor), *await _server(actor), *_ears(actor), *_media(actor.talk), *kernel()]
    return Findings(looks)


def _connection(actor: Actor) -> Iterator[Finding]:
    end = actor.link.closed
    if end is None:
        yield Finding("session", "ok", f"open, {actor.session.id}")
    else:
        yield Finding("session", "broken", end.message, end.hint)
    session = actor.session
    brain = f"; {session.brain} answers" if session.brain and session.brain != session.model else ""
    yield Finding("model", "ok", f"{session.model}{brain}")


async def _server(actor: Actor) -> list[Finding]:
    try:
        trip_s = await actor.link.round_trip_s()
    except (RealtimeError, OSError, TimeoutError) as error:
        why = error.message if isinstance(error, RealtimeError) else error
        return [Finding("server", "broken", f"does not answer: {why}", "session = rt.connect()")]
    fact = "this way of travelling has no round trip" if trip_s is None else f"round trip {trip_s * 1000:.1f} ms"
    return [Finding("server", "ok", fact)]


def _ears(actor: Actor) -> Iterator[Finding]:
    heard = actor.session.audio.input
    detection = heard.turn_detection
    if detection is None:
        fact = "off: hold the key to talk, or commit yourself"
        yield Finding("turn detection", "absent", fact, 'session.update(turn_detection="server_vad")')
    else:
        name = str(type(detection).__struct_config__.tag)
        timer = f", {detection.silence_duration_ms} ms end a turn" if isinstance(detection, ServerVad) else ""
        over = "" if detection.interrupt_response else ", which speech does not interrupt"
        yield Finding("turn detection", "ok", f"{name}{timer}; it {_answers(detection.create_response)}{over}")
    if heard.transcription is None:
        fact = "off: what you say is heard, and not written down"
        yield Finding("transcription", "absent", fact, 'session.update(transcription="gpt-4o-mini-transcribe")')


def _answers(by_itself: bool) -> str:
    return "answers by itself" if by_itself else "answers when asked"


def _media(talk: Talk | None) -> Iterator[Finding]:
    channel = None if talk is None or talk.closed else talk.channel
    paths = () if channel is None else channel.paths
    if talk is None or not paths:
        yield Finding("media path", "absent", "no page is connected", "session.talk()")
        return
    for path in paths:
        yield _path(path)
    if lost := talk.lost_s:
        yield Finding(
            "microphone",
            "broken",
            f"{lost:.2f} s were lost: the server takes sound too slowly, or a cell kept the kernel",
        )
    for fault in talk.faults[-3:]:
        yield Finding("page", "broken", fault)


def _path(path: Path) -> Finding:
    holds = f"; {_HOLDS}" if path.owner else ""
    trip = "" if path.rtt_ms is None else f", round trip {path.rtt_ms:.1f} ms"
    why = "".join(f"; {each}" for each in path.why)
    slow = path.name == "comm"
    return Finding("media path", "absent" if slow else "ok", f"{path.name}{trip}{holds}{why}", _PROXY)
