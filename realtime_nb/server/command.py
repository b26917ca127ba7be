"""``python -m realtime_nb.server``: its options, and a server from them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from realtime_nb.engine.barge_in import ECHO_SAFE, BargeIn
from realtime_nb.protocol.limits import Limits
from realtime_nb.secret import Secret
from realtime_nb.server.catalog import TIERS
from realtime_nb.server.options import SIZES, ServerOptions, new_token
from realtime_nb.server.phone_command import add_phone_options, phone_options

__all__ = ["Command", "parse_options"]

PORT = 8765
"""Where ``serve`` listens by default; a child takes any free port."""
TOKEN_VARIABLE = "REALTIME_NB_TOKEN"  # noqa: S105 - the variable's name

_HELP = {
    "asr": "what hears",
    "llm": "what thinks",
    "tts": "what speaks",
}

_LIMITS = (
    ("--sessions", int, ServerOptions.sessions, "sessions at once"),
    ("--max-session-s", float, Limits().session_s, "length of a session, in seconds"),
    ("--idle-s", float, Limits().idle_s, "idle time that ends a session, in seconds"),
)
_OF_A_SESSION = msgspec.structs.asdict(Limits())
_ALL_LIMITS = {**_OF_A_SESSION, **{name: getattr(ServerOptions, name) for name in SIZES}}
"""Every limit there is, by name, with its usual value."""


@dataclass(frozen=True)
class Command:
    """What was asked for.

    Parameters
    ----------
    options : ServerOptions
        How to serve.
    asr, llm, tts : str
        Which models: a name of the registry, ``auto``, or ``openai:http://HOST:PORT/v1#MODEL``.
    tier : str or None
        Whose rate limits hold; None for no limits.
    child : bool
        Whether a parent watches.
    """

    options: ServerOptions
    asr: str = "auto"
    llm: str = "auto"
    tts: str = "auto"
    tier: str | None = None
    child: bool = False


def parse_options(argv: Sequence[str] | None = None, *, prog: str = "python -m realtime_nb.server") -> Command:
    """Read the command line; ends the process with help or a usage error where that is due.

    Parameters
    ----------
    argv : sequence of str, optional
        Without the program's name; by default the process' own.
    prog : str
        The program's name in the help.

    Returns
    -------
    Command
        What was asked for.

    Raises
    ------
    ConfigError
        When the options would be unsafe.
    """
    given = _parser(prog).parse_args(argv)
    usual = {"sessions": given.sessions, "session_s": given.max_session_s, "idle_s": given.idle_s}
    bounds = {**usual, **dict(given.limit)}
    options = ServerOptions(
        host=given.host,
        port=given.port if given.port is not None else 0 if given.child else PORT,
        token=None if given.no_token else _token(given.token),
        hosts=tuple(given.allow_host),
        origins=tuple(given.origin),
        limits=Limits(**{name: bounds.pop(name) for name in _OF_A_SESSION if name in bounds}),
        **bounds,
        barge_in=_barge_in(given),
        phone=phone_options(given),
        require_model=given.require_model,
        deflate=not given.no_deflate,
    )
    return Command(options, given.asr, given.llm, given.tts, given.tier, given.child)


def _limit(given: str) -> tuple[str, float]:
    """Read ``NAME=N``."""
    name, _, value = given.partition("=")
    if name not in _ALL_LIMITS:
        raise argparse.ArgumentTypeError(f"there is no limit {name!r}; there are {', '.join(_ALL_LIMITS)}")
    return name, type(_ALL_LIMITS[name])(value)


def _barge_in(given: argparse.Namespace) -> BargeIn:
    usual = ECHO_SAFE if given.echo_safe else BargeIn()
    chosen = {"sustained_ms": given.barge_in_ms, "louder_db": given.barge_in_db}
    return replace(usual, **{name: value for name, value in chosen.items() if value is not None})


def _token(given: str | None) -> Secret:
    return Secret.of(given) or Secret.of(os.environ.pop(TOKEN_VARIABLE, None)) or new_token()


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, description="Serve the local Realtime engine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, help=f"port to listen on; 0 for any free one ({PORT})")
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument("--token", help=f"what callers must show; else ${TOKEN_VARIABLE}, else a random one")
    keys.add_argument("--no-token", action="store_true", help="let everybody on this machine in")
    for stage, what in _HELP.items():
        parser.add_argument(
            f"--{stage}",
            default="auto",
            metavar="SPEC",
            help=f"{what}: a name from `realtime-nb models list`, auto, or openai:http://HOST:PORT/v1#MODEL",
        )
    parser.add_argument("--tier", choices=TIERS, help="hold this tier's rate limits")
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME", help="a further name to answer to")
    parser.add_argument("--origin", action="append", default=[], metavar="URL", help="a web origin that may connect")
    for flag, kind, usual, what in _LIMITS:
        parser.add_argument(flag, type=kind, default=usual, metavar="N", help=f"{what} (%(default)s)")
    parser.add_argument(
        "--limit",
        type=_limit,
        action="append",
        default=[],
        metavar="NAME=N",
        help=f"any limit, by its name: {', '.join(_ALL_LIMITS)}",
    )
    safe = ECHO_SAFE
    parser.add_argument(
        "--echo-safe",
        action="store_true",
        help="a loudspeaker is heard by the microphone: only speech of "
        f"{safe.sustained_ms} ms, {safe.louder_db:g} dB above the echo, interrupts an answer",
    )
    parser.add_argument(
        "--barge-in-ms", type=int, metavar="N", help=f"speech that interrupts an answer ({BargeIn().sustained_ms})"
    )
    parser.add_argument("--barge-in-db", type=float, metavar="N", help="how much louder than the echo it must be (any)")
    add_phone_options(parser)
    parser.add_argument("--require-model", action="store_true", help="refuse connections that name no model")
    parser.add_argument("--no-deflate", action="store_true", help="do not offer compression")
    parser.add_argument("--child", action="store_true", help="report in JSON lines, and end with standard input")
    return parser
