"""``%rt``: a session by short commands."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from realtime_nb.connecting import connect
from realtime_nb.errors import ConfigError
from realtime_nb.findings import Findings
from realtime_nb.magics.cell import plainly
from realtime_nb.magics.holder import Holder, tell
from realtime_nb.magics.line import Grammar, nearest, read_line
from realtime_nb.magics.watch import Watch
from realtime_nb.portal import call_on
from realtime_nb.protocol.events import ConversationItemDelete
from realtime_nb.session import Session
from realtime_nb.session.actor import UPDATE_S, Actor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COMMANDS", "CONNECT", "WATCH", "Commands"]

CONNECT = Grammar(
    "%rt connect",
    "%rt connect local --voice marin --as session",
    values=frozenset({"--voice", "--model", "--as"}),
)
WATCH = ("on", "off")
COMMANDS = {
    "connect": "open a session: [TO] [--voice V] [--model M] [--as NAME]",
    "status": "the session",
    "usage": "its tokens and what they cost",
    "history": "the conversation, one row an item",
    "turns": "the answers, one row each",
    "reset": "forget the conversation; settings, tools and costs stay",
    "watch": "on | off: what later cells show becomes context",
    "doctor": "what works on this machine, and what mends the rest",
    "close": "end the session; its frames stay",
}


class Commands:
    """The commands of ``%rt``.

    Parameters
    ----------
    holder : Holder
        Which session.
    watch : Watch
        What ``%rt watch`` turns on and off.
    """

    def __init__(self, holder: Holder, watch: Watch) -> None:
        self._holder = holder
        self._watch = watch
        self._commands: dict[str, Callable[[str], Any]] = {
            "connect": self._connect,
            "status": self._status,
            "usage": self._usage,
            "history": self._history,
            "turns": self._turns,
            "reset": self._reset,
            "watch": self._watching,
            "doctor": self._doctor,
            "close": self._close,
        }

    def rt(self, line: str) -> Any:
        """Lead a session with a realtime model: ``%rt COMMAND``; alone, it lists the commands."""
        with plainly():
            name, _, rest = line.strip().partition(" ")
            if not name:
                tell("\n".join(f"%rt {name:<8} {what}" for name, what in COMMANDS.items()))
                return None
            if name not in COMMANDS:
                raise ConfigError(
                    f"%rt has no command {name!r}{nearest(name, COMMANDS)}: it has {', '.join(COMMANDS)}",
                    hint="%rt status",
                )
            if rest.strip() and name not in ("connect", "watch"):
                raise ConfigError(f"%rt {name} takes nothing more, and got {rest.strip()!r}", hint=f"%rt {name}")
            return self._commands[name](rest.strip())

    def _connect(self, rest: str) -> Session:
        given = read_line(rest, CONNECT)
        to, *more = given.text.split() or [""]
        if more:
            raise ConfigError(f"%rt connect goes to one place, and got {given.text!r}", hint=CONNECT.example)
        name = given.options.get("--as", self._holder.name)
        self._holder.check(name)
        config: dict[str, Any] = {"voice": given.options["--voice"]} if "--voice" in given.options else {}
        session = connect(to or None, model=given.options.get("--model"), **config)
        self._holder.bind(name, session)
        return session

    def _status(self, _: str) -> Session:
        return self._holder.session()

    def _usage(self, _: str) -> pd.DataFrame:
        return self._holder.session().usage

    def _history(self, _: str) -> pd.DataFrame:
        return self._holder.session().history

    def _turns(self, _: str) -> pd.DataFrame:
        return self._holder.session().turns

    def _reset(self, _: str) -> None:
        session = self._holder.session()
        session.interrupt()
        actor = session.aio.actor
        count = call_on(actor.loop, _forget(actor))
        tell(f"{count} items forgotten. Settings, tools and costs stay.")

    def _close(self, _: str) -> None:
        self._watch.stop()
        self._holder.session().close()
        tell("The session is closed. Its frames stay; %rt connect opens another one.")

    def _watching(self, rest: str) -> None:
        if rest and rest not in WATCH:
            raise ConfigError(f"%rt watch is on or off, and got {rest!r}{nearest(rest, WATCH)}", hint="%rt watch on")
        if rest == "on":
            self._holder.session().aio.actor.link.check_open()
            self._watch.start()
        elif rest == "off":
            self._watch.stop()
        state = "on: each cell's figures and sounds are added to the conversation" if self._watch.on else "off"
        tell(f"watch is {state}; about {self._watch.tokens:,} tokens added since it was turned on.")

    def _doctor(self, _: str) -> Findings:
        """The machine, and the session if there is one."""
        from realtime_nb.doctor import examine

        found = list(examine())
        with contextlib.suppress(ConfigError):  # there is none
            found += self._holder.session().doctor()
        return Findings(dict.fromkeys(found))


async def _forget(actor: Actor) -> int:
    """Delete every item, and wait until the server has; gives how many there were."""
    conversation = actor.link.connection.conversation
    names = conversation.order
    sent = [await actor.link.send(ConversationItemDelete(item_id=name)) for name in names]
    await actor.link.until(
        lambda: not any(name in conversation for name in names), UPDATE_S, about=sent, what="the items to be deleted"
    )
    return len(names)
