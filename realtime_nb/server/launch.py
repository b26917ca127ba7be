"""A serving process, from its options to its end: told to a person in words, to a parent in JSON lines."""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any, Protocol, TextIO

from realtime_nb.engine.build import build_engine
from realtime_nb.errors import RealtimeError
from realtime_nb.server.catalog import rate_limiter
from realtime_nb.server.command import Command
from realtime_nb.server.hub import Hub
from realtime_nb.server.options import ServerOptions
from realtime_nb.server.orphan import die_with_parent, when_stdin_ends
from realtime_nb.server.serving import Address, Server, bind
from realtime_nb.server.sip import bind_phone
from realtime_nb.wire.sip.path import hostport

__all__ = ["report_failure", "serve"]


class Teller(Protocol):
    """Says how it goes."""

    def progress(self, stage: str, message: str, fraction: float | None = None) -> None:
        """A step of the start."""
        ...

    def ready(self, address: Address, brain: str, options: ServerOptions, sip: str | None) -> None:
        """It serves."""
        ...

    def failed(self, message: str, hint: str | None) -> None:
        """It does not come about."""
        ...


class _ToParent:
    """JSON lines on standard output."""

    def progress(self, stage: str, message: str, fraction: float | None = None) -> None:
        self._say(progress={"stage": stage, "message": message, "fraction": fraction})

    def ready(self, address: Address, brain: str, _options: ServerOptions, sip: str | None) -> None:
        self._say(ready={"url": address.url, "http": address.http, "brain": brain, "pid": os.getpid(), "sip": sip})

    def failed(self, message: str, hint: str | None) -> None:
        self._say(failed={"message": message, "hint": hint})

    def _say(self, **report: Any) -> None:
        _write(sys.stdout, f"{json.dumps(report)}\n")


class _ToPerson:
    """Words on standard error, and the address on standard output."""

    def progress(self, stage: str, message: str, fraction: float | None = None) -> None:
        done = "" if fraction is None else f" {fraction:4.0%}"
        end = "\r" if fraction is not None and fraction < 1 else "\n"
        line = f"  {stage:<4} {message}{done}"
        _write(sys.stderr, f"{line:<76}{end}")  # over what the last line has left

    def ready(self, address: Address, brain: str, options: ServerOptions, sip: str | None) -> None:
        _write(sys.stderr, f"Serving {brain}. Ctrl+C ends it.\n")
        shown = "(none asked)" if options.token is None else options.token.reveal()
        _write(sys.stdout, f"  url    {address.url}\n  token  {shown}\n")
        if sip is not None and options.phone is not None:
            _write(sys.stdout, f"  sip    sip:{sip}\n")
            if options.phone.webhook is not None and options.phone.webhook.made_up:
                _write(sys.stdout, f"  secret {options.phone.webhook.secret.reveal()}\n")

    def failed(self, message: str, hint: str | None) -> None:
        _write(sys.stderr, message + ("\n" if hint is None else f"\n  Try: {hint}\n"))


def _write(stream: TextIO, text: str) -> None:
    stream.write(text)
    stream.flush()


def _teller(*, child: bool) -> Teller:
    return _ToParent() if child else _ToPerson()


def report_failure(fault: RealtimeError, *, child: bool) -> None:
    """Say why nothing is served.

    Parameters
    ----------
    fault : RealtimeError
        The reason.
    child : bool
        Whether a parent listens.
    """
    _teller(child=child).failed(fault.message, fault.hint)


class _Switch:
    """What ends the process: at once while models load, gently once it serves; a signal, the second time, at once."""

    def __init__(self) -> None:
        self.server: Server | None = None

    def off(self) -> None:
        if self.server is None:
            os._exit(0)
        self.server.should_exit = True

    def signalled(self, *_signal: object) -> None:
        if self.server is not None and self.server.should_exit:  # a stage never comes to its end
            os._exit(1)
        self.off()


def serve(command: Command) -> int:
    """Serve until a signal, or the parent, ends it.

    Parameters
    ----------
    command : Command
        From :func:`realtime_nb.server.command.parse_options`.

    Returns
    -------
    int
        The exit code.
    """
    teller = _teller(child=command.child)
    switch = _Switch()
    _watch(command, switch)
    try:
        _serve(command, teller, switch)
    except RealtimeError as fault:
        report_failure(fault, child=command.child)
        return 1
    return 0


def _watch(command: Command, switch: _Switch) -> None:
    """Obey signals; as a child, end with the parent and leave Ctrl+C, which the whole group gets, to it."""
    signal.signal(signal.SIGTERM, switch.signalled)
    signal.signal(signal.SIGINT, signal.SIG_IGN if command.child else switch.signalled)
    if command.child:
        die_with_parent()
        when_stdin_ends(switch.off)


def _serve(command: Command, teller: Teller, switch: _Switch) -> None:
    taken, address = bind(command.options)
    phone = bind_phone(command.options.phone) if command.options.phone is not None else None
    engine = build_engine(command.asr, command.llm, command.tts, progress=teller.progress)
    hub = Hub(engine, command.options, rate_limiter(command.tier))
    sip = hostport(phone.address) if phone is not None else None
    switch.server = Server(hub, lambda: teller.ready(address, hub.brain, command.options, sip), phone)
    switch.server.run([taken])
    engine.close()
